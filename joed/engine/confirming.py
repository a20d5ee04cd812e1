"""The day's confirmation: who signs which card, what a signature holds for, and what takes it away again.

A signature holds for one session of one account, in one mode, by one build, under settings that are at least as tight.
"""

from hashlib import sha256

import msgspec

from joed.engine import directions, ramp, requests
from joed.engine.card import card_of, digest_of, parts_of, unlike
from joed.engine.phase import UNCONFIRMED, span
from joed.engine.reconcile import reconciled
from joed.engine.view import view
from joed.model.blocks import ALL, Block, key
from joed.model.calendars import Calendar
from joed.model.card import Signed
from joed.model.commands import Answer, Command, LiftBlock, PassDoctor, RaiseAlert, RaiseBlock, SignCard
from joed.model.events import BrokerUp, OperatorAsked, SettingsLoaded
from joed.model.state import State
from joed.model.values import MINUTE, SECOND, Mode, Severity

AT = key(ALL, UNCONFIRMED)
"""Where the Block stands that waits for a signature."""

WAITS = "waiting for joectl confirm"

PASSED, FAILED = "passed", "failed"
"""What the shell adds to a doctor's request: how many checks passed, or the names of those that did not."""
SAID_MAX = 5
"""How many loosened settings a Block names; the card lists them all."""

REFUSED: dict[str, str] = {
    "card_unknown": "that is no card's hash: joectl confirm shows the card and its hash",
    "card_expired": "that card was another session's: read today's and sign that one",
    "card_account": "that card was for another account or mode",
    "card_settings": "that card was made under other settings: read it again",
    "card_build": "that card was made by another build of joed: read it again",
    "card_changed": "the card has changed: read it again and sign that one",
}
"""Why a card is not the one that can be signed now; the first four parts of its hash tell."""


def answer(event: OperatorAsked, words: str, code: str = "ok") -> Answer:
    """Give the Answer to a request."""
    return Answer(event.request, event.verb, code, words)


def confirm(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Open the day for entries, when exactly today's card was signed by as many as must."""
    refused = premature(state, now) or guessing(state, now, event.uid)
    if refused:
        commands.append(answer(event, refused[1], refused[0]))
        return
    shown = view(state)
    card = card_of(shown)
    found = digest_of(card)
    if event.args.get("card") != found:
        code = unlike(event.args.get("card", ""), parts_of(card))
        commands.append(answer(event, REFUSED[code], code))
    elif state.day.signing == found and event.uid in state.day.signers:
        words = f"uid {event.uid} has signed this card; it takes a second user"
        commands.append(answer(event, words, "second_user_needed"))
    else:
        sign(state, event, SignCard(card, found, event.uid, shown.signing.needed), commands)


def premature(state: State, now: int) -> tuple[str, str] | None:
    """Say why no card can be signed now, or None where one can."""
    if AT not in state.blocks:
        words = "this session is confirmed already" if state.day.session else "there is no session to confirm"
        return "nothing_to_confirm", words
    if not state.day.session:
        return "too_early", "the session has not been opened yet"
    if now >= state.day.close_ns:
        return "session_over", f"session {state.day.session} is over; the next one has a card of its own"
    if state.mode is Mode.LIVE and not state.examined_ns:
        return "doctor_needed", "the first live day of this account needs joectl doctor --live first"
    if not reconciled(state):
        return "not_reconciled", "the brokers' books are not read yet: the card would not tell what is there"
    return None


def guessing(state: State, now: int, uid: int) -> tuple[str, str] | None:
    """Say that a user has named too many wrong cards lately, None where not."""
    left_ns = requests.locked_ns(state, now, uid)
    minutes = -(-left_ns // MINUTE)
    words = f"{requests.CARDS_MISSED_MAX} wrong cards: wait {minutes} minute{'' if minutes == 1 else 's'}"
    return ("confirm_locked", words) if left_ns else None


def doctor(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Record that a first live day may come, as the shell found it; where it did not, try the alerts' channel."""
    if state.mode is not Mode.LIVE:
        commands.append(answer(event, "this is a paper account: the doctor of live days has nothing to pass", "paper"))
    elif PASSED in event.args:
        commands.append(PassDoctor(event.uid, f"{event.args[PASSED]} checks passed"))
        commands.append(answer(event, "everything a live day needs is there, and recorded"))
    else:
        words = f"a test, asked for by joectl doctor --live: {event.request}"
        commands.append(RaiseAlert(f"doctor:{now}", Severity.INFO, words))
        amiss = event.args.get(FAILED) or "nothing was looked at"
        commands.append(answer(event, f"not well yet: {amiss}", "doctor_failed"))


def apply_passed(state: State, now: int, command: PassDoctor) -> None:
    """Remember that the doctor passed: once is enough for this account."""
    state.examined_ns = now


def sign(state: State, event: OperatorAsked, command: SignCard, commands: list[Command]) -> None:
    """Put a signature under the card; the last one that is needed opens the day."""
    signers = signers_of(state, command)
    commands.append(command)
    if len(signers) < command.needed:
        words = f"signed by {len(signers)} of {command.needed}: another user must sign card {command.hash}"
        commands.append(answer(event, words))
        return
    by = " and ".join(f"uid {uid}" for uid in signers)
    commands.append(LiftBlock(AT, f"confirmed by {by}"))
    commands.append(answer(event, f"session {state.day.session} is confirmed"))


def signers_of(state: State, command: SignCard) -> tuple[int, ...]:
    """Give who has signed a card once this signature is under it; those under another card do not count."""
    return (*(state.day.signers if state.day.signing == command.hash else ()), command.uid)


def apply_signed(state: State, now: int, command: SignCard) -> None:
    """Keep a signature; a card that is signed whole is the one that later cards are compared with."""
    day, signers = state.day, signers_of(state, command)
    if len(signers) < command.needed:
        day.signing, day.signers = command.hash, signers
        return
    day.signing, day.signers, day.confirmed = "", (), command.hash
    ramp.count(state)
    state.signed = Signed(command.card, command.hash, state.settings, hours_digest(state.calendars), signers, state.now)


def forget(state: State) -> None:
    """Take the day's confirmation away, and what was signed towards the next."""
    state.day.confirmed, state.day.signing, state.day.signers = "", "", ()


def needs_confirmation(state: State) -> bool:
    """Say whether a person must sign the day's card."""
    return state.mode is Mode.LIVE or state.settings.confirm.paper


def unconfirmed(now: int, words: str = WAITS) -> Block:
    """Give the Block that stands until the day's card is signed."""
    return Block(ALL, UNCONFIRMED, words, now)


def hours_digest(calendars: dict[str, Calendar]) -> str:
    """Give the hash of the market hours in force: they say when may be traded at all."""
    return sha256(msgspec.json.encode(calendars, order="sorted")).hexdigest()


def void(state: State, now: int) -> str:
    """Say what takes the day's confirmation away, "" where it holds."""
    signed = state.signed
    if signed is None or not state.day.confirmed or signed.hash != state.day.confirmed:
        return "it was never signed"
    card = card_of(view(state))
    if now >= state.day.close_ns:
        return f"session {state.day.session} is over"
    if (card.account, card.mode) != (signed.card.account, signed.card.mode) and card.account:
        return f"it was for {signed.card.mode} account {signed.card.account}"
    if (card.version, card.code) != (signed.card.version, signed.card.code):
        return "it was for another build"
    if hours_digest(state.calendars) != signed.hours:
        return "the market's hours have changed"
    loosened = directions.loosening(directions.differences(signed.settings, state.settings))
    return "; ".join(directions.said(change) for change in loosened[:SAID_MAX])


def on_settings(state: State, now: int, event: SettingsLoaded, commands: list[Command]) -> None:
    """Keep the confirmation over a restart and a reload that tighten, and ask for a new one after any other."""
    if not needs_confirmation(state):
        if AT in state.blocks:
            commands.append(LiftBlock(AT, "the settings ask for no confirmation"))
        return
    if AT in state.blocks:
        return
    why = void(state, now)
    if why:
        words = f"{WAITS}: {why}" if state.day.confirmed else WAITS
        commands.append(RaiseBlock(unconfirmed(now, words)))


def on_up(state: State, now: int, event: BrokerUp, commands: list[Command]) -> None:
    """Ask for a new signature where another account answers than the one that was signed for."""
    if state.day.confirmed and AT not in state.blocks and (why := void(state, now)):
        commands.append(RaiseBlock(unconfirmed(now, f"{WAITS}: {why}")))


def remind(state: State, now: int, commands: list[Command]) -> None:
    """Tell that nobody has signed the day's card, a while before the bell that nothing will be opened at."""
    day, before_s = state.day, state.settings.confirm.tell_before_open_s
    if not before_s or not day.session or AT not in state.blocks:
        return
    alert = f"{UNCONFIRMED}:{day.session}"  # the Block's own lifting ends it
    if day.open_ns - int(before_s * SECOND) <= now < day.close_ns and alert not in state.alerts:
        left_ns = day.open_ns - now
        when = f"opens in {span(left_ns / SECOND)}" if left_ns > 0 else "is open"
        words = f"session {day.session} {when} and is not confirmed, so nothing is opened: joectl confirm"
        commands.append(RaiseAlert(alert, Severity.WARNING, words))


def expire(state: State, now: int, commands: list[Command]) -> None:
    """Let a confirmation end with its session."""
    if state.day.confirmed and now >= state.day.close_ns:
        words = f"{WAITS}: session {state.day.session} is over"
        commands.append(RaiseBlock(unconfirmed(now, words)))
