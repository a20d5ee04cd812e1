"""The hunt for a planted bug: seeds are played until one of its laws breaks, in a world that is clean without it."""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from joed.sim.world import play, scenario_of
from tests.planted.bugs import BUGS


class Caught(NamedTuple):
    """How a hunt ended: the seed and the law that found the bug, seed 0 where it survived; and what else was seen."""

    bug: str
    seed: int
    law: str
    seen: dict[int, str]


@cache
def clean(seed: int) -> bool:
    """Say whether no law breaks with joed as it is."""
    return play(scenario_of(seed)).law == ""


def hunt(bug: str, seeds: Iterable[int]) -> Caught:
    """Play these seeds with a bug planted until it is found by a law that is meant for it."""
    plant, laws = BUGS[bug]
    seen = {}
    for seed in seeds:
        with plant():
            outcome = play(scenario_of(seed))
        if outcome.law in laws and clean(seed):
            return Caught(bug, seed, outcome.law, seen)
        if outcome.law:
            seen[seed] = f"{outcome.law}: {outcome.words}"
    return Caught(bug, 0, "", seen)
