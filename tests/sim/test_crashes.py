"""The power may go at any numbered point, and again before the books have been read: every law holds, all converges.

Here a part of the points is tried; `make crashes` tries them all (F1, F16).
"""

from functools import cache

import pytest

from joed.sim.crashes import SMALL, Tried, doubles, small_world, sum_of, try_world
from joed.sim.seeds import Outcome
from joed.sim.world import play

EACH, SECOND_EACH, TWICE_EACH = 9, 3, 3
"""Every ninth point, and after every third of these every third point of the recovery."""
SHOWN = {
    "bracket": "exits by target",
    "trail": "AmendOrder",
    "partial": "point filled",
    "cancel": "CancelOrder",
    "kill entries": "point latched",
    "kill orders": "CancelOrder",
    "kill flatten": "exits by close",
    "kill account": "exits by close",
    "end of day": "exits by moved target",
    "adoption": "fault lost_reports",
    "correction": "fault bust",
    "snapshot": "fault flush",
    "reload": "fault reconfigure",
    "upgrade": "fault upgrade",
}
"""What each world must show, or it would prove nothing."""


@cache
def quiet(name):
    """Play a world without a crash."""
    return play(small_world(name))


@pytest.mark.parametrize("name", SMALL)
def test_no_crash_breaks_a_law(name):
    """Singly and in pairs."""
    tried = list(try_world(name, play, each=EACH, second_each=SECOND_EACH, twice_each=TWICE_EACH))

    assert [one.words() for one in tried if one.outcome.law] == []
    assert len({len(one.crashes) for one in tried}) == 2
    assert all(one.outcome.counts["crashes"] for one in tried)


@pytest.mark.parametrize("name", SMALL)
def test_each_world_shows_what_it_is_named_for(name):
    """Without a crash, and no law is broken."""
    found = quiet(name)

    assert (found.law, found.words) == ("", "")
    assert found.counts["points"] > 50
    assert found.counts.get("point handed", 0) > 0 or name == "kill entries"
    assert found.counts.get(SHOWN.get(name, "entries"), 0) > 0


def test_the_points_are_what_the_law_names():
    """Each commit, hand-over, latch, snapshot and step of a start is one."""
    counts = {name for world in SMALL for name in quiet(world).counts if name.startswith("point ")}

    assert counts >= {
        f"point {name}"
        for name in (
            *("opened", "recovered", "epoch", "recorded", "committing", "committed", "durable", "handed", "filled"),
            *("latching", "latched", "unlatching", "unlatched", "snapshot", "releasing"),
        )
    }


def test_pairs_begin_with_what_was_tried_and_stay_within_the_recovery():
    """Counted from the first crash."""
    once = Outcome(1, counts={"points of recovery": 5})

    assert list(doubles((7,), once, each=2)) == [(7, 1), (7, 3), (7, 5)]


def test_the_sum_says_how_much_was_tried_and_what_broke():
    """In one line."""
    well, ill = Outcome(1, counts={"crashes": 1}), Outcome(1, "a law", "words", counts={"crashes": 2})
    tried = [Tried("entry", (1,), well), Tried("entry", (1, 2), ill)]

    assert sum_of(tried).startswith("1 worlds, 1 crash points tried singly, 1 pairs: 2 runs, 0 whose")
    assert sum_of(tried).endswith("1 broken")
    assert tried[1].words() == "entry (1, 2): a law, at +0.000 s: words"
