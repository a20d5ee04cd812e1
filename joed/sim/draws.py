"""How faults are drawn: each kind's arguments, by chance and by how its world is made."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from joed.sim.scenario import Args, Traits
from joed.sim.stage import Stage

Draw = Callable[[Random, Traits], Args]


class Kind(NamedTuple):
    """How a fault is drawn, and what it does; one that `bites` may wait for one of POINTS."""

    draw: Draw
    act: Callable[[Stage, Args], None]
    bites: bool = False


def number(args: Args, name: str) -> float:
    """Give an argument as a number."""
    value = args[name]
    assert not isinstance(value, str)
    return float(value)


def seconds(least: float, most: float) -> Draw:
    """Draw how long it lasts."""

    def draw(chance: Random, traits: Traits) -> Args:
        return {"seconds": round(chance.uniform(least, most), 1)}

    return draw


def count(most: int) -> Draw:
    """Draw how many are hit."""

    def draw(chance: Random, traits: Traits) -> Args:
        return {"count": chance.randint(1, most)}

    return draw


def one_for(least: float, most: float) -> Draw:
    """Draw an instrument, and how long it lasts."""
    return lambda chance, traits: {
        "instrument": chance.choice(traits.instruments),
        "seconds": round(chance.uniform(least, most), 1),
    }


def draw_one(chance: Random, traits: Traits) -> Args:
    """Draw an instrument."""
    return {"instrument": chance.choice(traits.instruments)}


def nothing(chance: Random, traits: Traits) -> Args:
    """Draw nothing."""
    return {}
