"""The test of the tests: each planted bug is found by the world, by a law that is meant for it."""

from functools import cache

import pytest

from joed.sim.world import play, scenario_of
from tests.planted.bugs import BUGS

SEEDS = 30
"""Within so many seeds."""


@cache
def clean(seed):
    """Play a seed with joed as it is."""
    return play(scenario_of(seed)).law


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug):
    """By one of its laws, within 30 seeds, in a world that is clean without it."""
    plant, laws = BUGS[bug]

    found = {}
    for seed in range(1, SEEDS + 1):
        with plant():
            outcome = play(scenario_of(seed))
        if outcome.law in laws and clean(seed) == "":
            return
        found[seed] = f"{outcome.law}: {outcome.words}"
    pytest.fail(f"{bug} survives {SEEDS} seeds: {found}")
