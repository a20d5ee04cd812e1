"""What was asked under which key: a retry is answered as it was the first time, for a day and across restarts."""

from joed.model.commands import Answer
from joed.model.events import OperatorAsked
from joed.model.state import KeyUse, State
from joed.model.values import DAY, MINUTE

KEYS_MAX = 2_000
"""Keys remembered at once; beyond it the oldest goes before its day is over, and an alert says so."""
KEPT_NS = DAY
CARDS_MISSED_MAX = 5
"""Wrong cards that one user may name before confirming is locked for them."""
LOCKED_NS = 15 * MINUTE
MISSING_UIDS_MAX = 64
WRONG_CARD = "card_"
"""How the codes of all cards begin that are not the one to sign."""


def note_key(state: State, now: int, event: OperatorAsked) -> None:
    """Remember what a key is used for, and forget those whose day is over (part of `apply`)."""
    if event.denied:
        return
    for key in [key for key, use in state.keys.items() if over(use, now)]:
        _forget(state, key)
    if event.request not in state.keys:
        state.keys[event.request] = KeyUse(event.digest, now, state.seq, event.uid)
    while len(state.keys) > KEYS_MAX:
        _forget(state, next(iter(state.keys)))


def _forget(state: State, key: str) -> None:
    del state.keys[key]
    state.answers.pop(key, None)


def over(use: KeyUse, now: int) -> bool:
    """Say whether a key's day is over: whoever uses it now asks for something new."""
    return now - use.at_ns >= KEPT_NS


def differs(state: State, event: OperatorAsked) -> bool:
    """Say whether this key was used for another request; where no digest was recorded, nobody knows."""
    use = state.keys.get(event.request)
    return use is not None and bool(use.digest and event.digest) and use.digest != event.digest


def full(state: State) -> bool:
    """Say whether the next new key pushes out one whose day is not over."""
    return len(state.keys) >= KEYS_MAX


def note_answer(state: State, now: int, answer: Answer) -> None:
    """Remember an answer, the first under its key; a wrong card counts against whoever named it (part of `apply`)."""
    if answer.request in state.answers:
        return
    state.answers[answer.request] = answer
    while len(state.answers) > KEYS_MAX:
        del state.answers[next(iter(state.answers))]
    use = state.keys.get(answer.request)
    if use is None or answer.verb != "confirm":
        return
    missed = [at_ns for at_ns in state.missed_cards.pop(use.uid, ()) if at_ns > now - LOCKED_NS]
    if answer.code.startswith(WRONG_CARD):
        missed.append(now)
    if missed and answer.code != "ok":
        state.missed_cards[use.uid] = missed
    while len(state.missed_cards) > MISSING_UIDS_MAX:
        del state.missed_cards[next(iter(state.missed_cards))]


def locked_ns(state: State, now: int, uid: int) -> int:
    """Give for how long this user may confirm nothing, 0 for not at all."""
    missed = [at_ns for at_ns in state.missed_cards.get(uid, ()) if at_ns > now - LOCKED_NS]
    return missed[-1] + LOCKED_NS - now if len(missed) >= CARDS_MISSED_MAX else 0
