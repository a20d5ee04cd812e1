"""A key does one thing once; a user gets so many requests a second."""

import pytest

from joed.daemon.keys import SECOND, Keys, Pace, fingerprint
from joed.daemon.problem import Problem
from joed.model.commands import Answer


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


def test_a_key_under_way_is_not_begun_again():
    """The same request waits, another one under the same key is a mistake."""
    keys = Keys(10)

    with keys.under_way("k", b"one"):
        assert code(lambda: keys.check("k", "pause", b"one", None)) == "in_flight"
        assert code(lambda: keys.check("k", "pause", b"two", None)) == "key_reused"

    assert code(lambda: keys.check("k", "pause", b"one", None)) == ""
    assert code(lambda: keys.check("k", "pause", b"two", None)) == "key_reused"


def test_a_key_is_free_again_when_its_request_failed():
    """Whoever tries again under it is let in: the record tells whether it was done."""
    keys = Keys(10)
    with pytest.raises(ValueError, match="lost"), keys.under_way("k", b"one"):
        raise ValueError("lost")

    assert code(lambda: keys.check("k", "pause", b"one", None)) == ""


def test_the_record_knows_a_key_that_memory_forgot():
    """After a restart the verb in the record still tells a mistake."""
    answer = Answer("k", "pause", "ok", "")

    assert code(lambda: Keys(10).check("k", "resume", b"one", answer)) == "key_reused"
    assert code(lambda: Keys(10).check("k", "pause", b"one", answer)) == ""


def test_memory_for_keys_is_bounded_and_forgets_the_oldest():
    """A flood of keys takes no more room than its limit; a body is kept with its key."""
    keys = Keys(3)
    for number in range(5):
        keys.keep(f"k{number}", b"", str(number).encode())

    assert [keys.body(f"k{number}") for number in range(5)] == [None, None, b"2", b"3", b"4"]


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
