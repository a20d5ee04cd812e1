"""A key does one thing once; a user gets so many requests a second."""

import pytest

from joed.daemon.keys import SECOND, Keys, Pace, fingerprint
from joed.daemon.problem import Problem
from joed.engine.view import view
from joed.model.commands import Answer
from joed.model.state import KeyUse, State
from joed.model.values import DAY


def code(call):
    """Give the code of the Problem that a call raises, "" where it raises none."""
    try:
        call()
    except Problem as problem:
        return problem.code
    return ""


def test_two_requests_are_the_same_by_verb_user_and_body():
    """Any of the three makes another one, and no two of them can be shifted into each other."""
    same = fingerprint("kill", 1, b"2")

    assert fingerprint("kill", 1, b"2") == same
    assert len({same, fingerprint("kill", 12, b""), fingerprint("kill1", 2, b""), fingerprint("kill", 1, b"")}) == 4


def shown(*, answer=None, digest="one", age_ns=0):
    """Give a View in which the key "k" was used so long ago."""
    state = State(now=10 * DAY)
    state.keys["k"] = KeyUse(digest, state.now - age_ns, 3, 1000)
    if answer:
        state.answers["k"] = answer
    return view(state)


def test_a_key_under_way_is_not_begun_again():
    """The same request waits, another one under the same key is a mistake; then it is free for the record's word."""
    keys, nothing = Keys(), view(State())

    with keys.under_way("k", "one"):
        assert code(lambda: keys.known(nothing, "k", "pause", "one")) == "in_flight"
        assert code(lambda: keys.known(nothing, "k", "pause", "two")) == "key_reused"

    assert keys.known(nothing, "k", "pause", "two") is None


def test_a_key_is_free_again_when_its_request_failed():
    """Whoever tries again under it is let in: the record tells whether it was done."""
    keys = Keys()
    with pytest.raises(ValueError, match="lost"), keys.under_way("k", "one"):
        raise ValueError("lost")

    assert keys.known(view(State()), "k", "pause", "one") is None


def test_the_record_tells_what_a_key_was_used_for():
    """The same request gets its answer, another body or another verb a refusal, also where no digest was recorded."""
    answer = Answer("k", "pause", "ok", "")

    assert Keys().known(shown(answer=answer), "k", "pause", "one") == answer
    assert code(lambda: Keys().known(shown(answer=answer), "k", "pause", "two")) == "key_reused"
    assert code(lambda: Keys().known(shown(answer=answer, digest=""), "k", "resume", "one")) == "key_reused"


@pytest.mark.parametrize(("age_ns", "known"), [(DAY - 1, True), (DAY, False)])
def test_a_key_is_forgotten_after_its_day(age_ns, known):
    """Both sides of 24 hours: until then the answer, from then on a new request."""
    answer = Answer("k", "pause", "ok", "")

    assert (Keys().known(shown(answer=answer, age_ns=age_ns), "k", "pause", "one") is not None) is known


def test_each_user_has_a_pace_of_their_own_and_each_second_begins_anew():
    """At the limit it goes through, beyond it not; a neighbour is not slowed, the next second is free."""
    pace = Pace(2, 10)
    for _ in range(2):
        pace.spend(1000, 5 * SECOND)

    assert code(lambda: pace.spend(1000, 6 * SECOND - 1)) == "too_fast"
    assert code(lambda: pace.spend(1001, 6 * SECOND - 1)) == ""
    assert code(lambda: pace.spend(1000, 6 * SECOND)) == ""


def test_memory_for_users_is_bounded():
    """The one who was there longest is forgotten first."""
    pace = Pace(1, 2)
    for uid in (1, 2, 3):
        pace.spend(uid, 0)

    assert code(lambda: pace.spend(3, 0)) == "too_fast"
    assert code(lambda: pace.spend(1, 0)) == ""
