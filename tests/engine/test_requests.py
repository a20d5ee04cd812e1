"""A key does one thing for a day; wrong cards are counted against whoever names them."""

import pytest

from joed.engine.requests import CARDS_MISSED_MAX, KEPT_NS, KEYS_MAX, LOCKED_NS
from joed.engine.step import step
from joed.engine.view import card_hash
from joed.model.commands import Answer, LiftBlock, RaiseAlert
from joed.model.events import OperatorAsked
from joed.model.values import SECOND
from tests.engine.build import START, trading_state
from tests.engine.test_operator import unsigned


def awaiting():
    """Give a State that waits for its card, and the card's hash."""
    state = unsigned()
    return state, card_hash(state)


def ask(state, at, verb="pause", key="k", digest="one", uid=1000, **args):
    """Ask for something, and give what became of it."""
    return step(state, at, OperatorAsked(verb, key, uid, uid, 7, "why", args, digest))


def test_a_key_that_comes_again_is_answered_as_it_was():
    """One effect, the same words, whatever happened in between."""
    state = trading_state()
    first = ask(state, START)
    ask(state, START + SECOND, "resume", "other")

    again = ask(state, START + 2 * SECOND)

    assert again == [first[-1]]
    assert not state.paused


def test_a_key_with_another_body_is_refused_and_keeps_its_first_answer():
    """The mistake is told; the one who made no mistake still gets what it was."""
    state = trading_state()
    first = ask(state, START)

    (refused,) = ask(state, START, digest="two")

    assert refused.code == "key_reused"
    assert ask(state, START)[-1] == first[-1]


@pytest.mark.parametrize(("age_ns", "code"), [(KEPT_NS - 1, "ok"), (KEPT_NS, "nothing_to_resume")])
def test_a_key_lives_for_a_day(age_ns, code):
    """Both sides of 24 hours: until then its answer, after that it asks anew."""
    state = trading_state()
    ask(state, START, key="p")
    ask(state, START, "resume", "k")

    assert ask(state, START + age_ns, "resume", "k")[-1].code == code


def test_the_table_of_keys_is_bounded_and_says_when_it_is_full():
    """The oldest goes first; one alert a session tells that a day's promise is no longer kept."""
    state = trading_state()
    told = [command for n in range(KEYS_MAX + 3) for command in ask(state, START, key=f"k{n}")]

    assert (len(state.keys), len(state.answers)) == (KEYS_MAX, KEYS_MAX)
    assert "k0" not in state.keys
    assert [command.words for command in told if isinstance(command, RaiseAlert)] == [
        f"{KEYS_MAX} requests within a day: the oldest keys are forgotten before their time"
    ]


def guess(state, at, number, uid=1000):
    """Name a card that is not the day's."""
    return ask(state, at, "confirm", f"g{uid}-{number}-{at}", f"d{number}", uid, card=f"{number:032x}")[-1]


def test_wrong_cards_lock_their_user_for_a_while_and_nobody_else():
    """Five tries, then words; the right card does not open it either, until the time is over."""
    state, card = awaiting()
    codes = [guess(state, START, number).code for number in range(CARDS_MISSED_MAX)]

    locked = ask(state, START, "confirm", "right", "r", card=card)[-1]
    late = START + LOCKED_NS
    other = ask(state, late - 1, "confirm", "still", "s", card=card)[-1]
    opened = ask(state, late, "confirm", "open", "o", card=card)

    assert codes == ["card_unknown"] * CARDS_MISSED_MAX
    assert (locked.code, locked.words) == ("confirm_locked", "5 wrong cards: wait 15 minutes")
    assert other.code == "confirm_locked"
    assert any(isinstance(command, LiftBlock) for command in opened)
    assert state.missed_cards == {}


def test_another_user_may_still_confirm():
    """One operator's wrong cards are theirs."""
    state, card = awaiting()
    for number in range(CARDS_MISSED_MAX):
        guess(state, START, number, uid=2000)

    assert ask(state, START, "confirm", "right", "r", card=card)[-1].code == "ok"


def test_one_wrong_card_that_is_asked_again_is_one():
    """A retry under the same key is no second try."""
    state, card = awaiting()
    for _ in range(CARDS_MISSED_MAX + 1):
        ask(state, START, "confirm", "same", "same", card="0" * 32)

    assert ask(state, START, "confirm", "right", "r", card=card)[-1] == Answer(
        "right", "confirm", "ok", f"session {state.day.session} is confirmed"
    )


def test_a_request_that_was_denied_is_a_record_and_nothing_else():
    """It answers nobody, does nothing, and takes no key from whoever may."""
    state = trading_state()

    assert step(state, START, OperatorAsked("kill", "", 2000, 2000, 7, denied="not_permitted")) == []
    assert (state.killed, state.keys, state.answers) == (None, {}, {})
