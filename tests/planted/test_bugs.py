"""The test of the tests: each planted bug is found by the world, by a law that is meant for it."""

import json

import pytest

from joed.sim.world import play, scenario_of
from tests.planted.__main__ import CAUGHT
from tests.planted.bugs import BUGS
from tests.planted.hunt import hunt

SEEDS = 40
"""Within so many seeds here; `make planted` goes to 500."""
HINTS = json.loads(CAUGHT.read_text())


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug):
    """By one of its laws, in a world that is clean without it; first where it was found the last time."""
    caught = hunt(bug, dict.fromkeys([HINTS.get(bug, 1), *range(1, SEEDS + 1)]))

    assert caught.seed, f"{bug} survives {SEEDS} seeds: {caught.seen}; run make planted ARGS={bug}"


def test_a_bug_is_gone_once_its_world_is_over():
    """What was patched is what it was: a law that a bug broke holds again."""
    seed = HINTS["skip_the_commit"]
    with BUGS["skip_the_commit"].plant():
        assert play(scenario_of(seed)).law

    assert play(scenario_of(seed)).law == ""


def test_there_are_enough_of_them_and_each_names_its_laws():
    """At least forty; a bug without a law could never be found, a hint without a bug is out of use."""
    assert len(BUGS) >= 40
    assert all(bug.laws for bug in BUGS.values())
    assert set(HINTS) <= set(BUGS)
