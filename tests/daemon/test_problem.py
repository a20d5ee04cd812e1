"""How a refusal is said."""

from joed.daemon.problem import Asked, Problem
from joed.protocol import MUTATIONS


def test_a_problem_says_what_it_is_whether_to_try_again_and_what_is_known():
    """The fields of RFC 9457 and our four, all of them always."""
    body = Problem(409, "card_changed", "look again", hint="joectl confirm").body()

    assert body == {
        "type": "urn:joed:problem:card_changed",
        "title": "card changed",
        "status": 409,
        "detail": "look again",
        "code": "card_changed",
        "retryable": False,
        "outcome": "none",
        "hint": "joectl confirm",
    }


def test_nothing_said_is_nothing_asked():
    """A body may be absent: no reason, no arguments, and every verb that changes takes at most four."""
    assert Asked() == Asked("", {})
    assert all(len(mutation.args) <= 4 for mutation in MUTATIONS.values())
