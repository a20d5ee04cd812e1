"""What is meant to happen in an embedded day, beside chance: trends, failed breakouts, jumps, a halt, a VIX spike."""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from joed.market.grid import Grid
from joed.market.listings import INDEX, VIX, Listing

CALM_INDEX_SIGMA = 0.01
SECTOR_SIGMA = 0.005
JUMPS = 4.0
SPIKE_SHARE = 0.2
BAD_PRINT_SHARE = 0.2
HALT_SHARE = 0.25


class Character(NamedTuple):
    """A kind of day: the index's drift in its daily sigmas, how many names trend and fail, how fast moves revert."""

    name: str
    drift_low: float
    drift_high: float
    rises: float
    falls: float
    fails: float
    half_life_s: float = 0.0


CHARACTERS = (
    Character("up", 0.7, 1.6, rises=9.0, falls=2.0, fails=3.0),
    Character("down", -1.6, -0.7, rises=2.0, falls=8.0, fails=6.0),
    Character("chop", -0.2, 0.2, rises=3.0, falls=3.0, fails=9.0, half_life_s=1800.0),
)


class Push(NamedTuple):
    """A move of `size` (log) on one name, spread evenly over the seconds [begin, end) of the grid."""

    symbol: str
    begin: int
    end: int
    size: float


class Halt(NamedTuple):
    """A pause in one name's trading, over the seconds [begin, end) of the grid."""

    symbol: str
    begin: int
    end: int


class Plan(NamedTuple):
    """What a day holds; seconds count from the grid's start, None is not today."""

    character: Character
    pushes: tuple[Push, ...]
    halt: Halt | None
    spike_at: int | None
    bad_print_at: int | None


def plan_of(chance: Generator, grid: Grid, listings: tuple[Listing, ...], index_sigma: float) -> Plan:
    """Decide what kind of day it is, and which names trend, fail, jump and halt, and when; `index_sigma` is daily."""
    character = CHARACTERS[int(chance.integers(len(CHARACTERS)))]
    drift = index_sigma * chance.uniform(character.drift_low, character.drift_high)
    pushes = [Push(INDEX, grid.opens, grid.closes, drift)]
    for kind, mean in ((rise, character.rises), (fall, character.falls), (fail, character.fails), (jump, JUMPS)):
        for _ in range(chance.poisson(mean)):
            pushes += kind(chance, grid, drawn(chance, listings))
    spike_at = moment(chance, grid, 0.2, 0.75) if chance.random() < SPIKE_SHARE else None
    if spike_at is not None:
        pushes += spike(chance, grid, spike_at)
    bad_print_at = moment(chance, grid, 0.05, 0.95) if chance.random() < BAD_PRINT_SHARE else None
    halt = None
    if chance.random() < HALT_SHARE:
        halt = halt_of(chance, grid, drawn(chance, listings))
        pushes += around(chance, halt)
    return Plan(character, tuple(pushes), halt, spike_at, bad_print_at)


def drawn(chance: Generator, listings: tuple[Listing, ...]) -> Listing:
    """Draw one name."""
    return listings[int(chance.integers(len(listings)))]


def moment(chance: Generator, grid: Grid, low: float, high: float) -> int:
    """Draw a second between these shares of the session."""
    return grid.opens + int(grid.length_s * chance.uniform(low, high))


def sigma_of(listing: Listing, index_sigma: float = CALM_INDEX_SIGMA) -> float:
    """Give a name's whole daily sigma: its own, its sector's, its share of the index's."""
    return float(np.sqrt(listing.sigma**2 + SECTOR_SIGMA**2 + (listing.beta * index_sigma) ** 2))


def pace(listing: Listing, grid: Grid) -> float:
    """Give the move per second that adds up to one sigma of the name's minute in a minute."""
    return sigma_of(listing) * float(np.sqrt(60 / grid.length_s)) / 60


def rise(chance: Generator, grid: Grid, listing: Listing, direction: int = 1) -> list[Push]:
    """Carry a name one way for 30 to 150 minutes, steadily enough to stand out from its minutes' noise."""
    begin = moment(chance, grid, 0.06, 0.75)
    end = min(begin + int(chance.uniform(1800, 9000)), grid.closes)
    size = direction * chance.uniform(0.22, 0.5) * pace(listing, grid) * (end - begin)
    return [Push(listing.symbol, begin, end, size)]


def fall(chance: Generator, grid: Grid, listing: Listing) -> list[Push]:
    """Carry a name down as `rise` carries it up."""
    return rise(chance, grid, listing, -1)


def fail(chance: Generator, grid: Grid, listing: Listing) -> list[Push]:
    """Lift a name for 6 to 15 minutes and let it fall as far or further: a breakout that fails."""
    begin = moment(chance, grid, 0.08, 0.85)
    middle = min(begin + int(chance.uniform(360, 900)), grid.closes - 1)
    end = min(middle + int(chance.uniform(300, 1200)), grid.closes)
    size = chance.uniform(0.4, 0.8) * pace(listing, grid) * (middle - begin)
    return [
        Push(listing.symbol, begin, middle, size),
        Push(listing.symbol, middle, end, -size * chance.uniform(1.0, 1.6)),
    ]


def jump(chance: Generator, grid: Grid, listing: Listing) -> list[Push]:
    """Move a name at once, as news does: by up to its daily sigma, either way, within two seconds."""
    at = moment(chance, grid, 0.02, 0.98)
    size = direction(chance) * chance.uniform(0.4, 1.0) * sigma_of(listing)
    return [Push(listing.symbol, at, at + 2, size)]


def direction(chance: Generator) -> int:
    """Draw up (1) or down (-1)."""
    return 1 if chance.random() < 0.5 else -1


def spike(chance: Generator, grid: Grid, at: int) -> list[Push]:
    """Frighten the market: VIX up by a quarter or more in under four minutes, the index down, then slow relief.

    The index's fall lifts VIX beyond its own push (path.VIX_PER_INDEX).
    """
    fear, loss = chance.uniform(0.16, 0.36), -chance.uniform(0.012, 0.022)
    top = at + int(chance.uniform(120, 230))
    calm = min(top + int(chance.uniform(3000, 6000)), grid.closes)
    return [
        Push(VIX, at, top, fear),
        Push(INDEX, at, top, loss),
        Push(VIX, top + 300, calm, -0.6 * fear),
        Push(INDEX, top + 300, calm, -0.4 * loss),
    ]


def halt_of(chance: Generator, grid: Grid, listing: Listing) -> Halt:
    """Choose when a name stops trading: for five or ten minutes."""
    begin = moment(chance, grid, 0.1, 0.85)
    length = 300 if chance.random() < 0.7 else 600
    return Halt(listing.symbol, begin, min(begin + length, grid.closes))


def around(chance: Generator, halt: Halt) -> list[Push]:
    """Rush the name into its halt, and let it reopen elsewhere."""
    rush = direction(chance) * chance.uniform(0.03, 0.06)
    return [
        Push(halt.symbol, halt.begin - 90, halt.begin, rush),
        Push(halt.symbol, halt.end - 1, halt.end, rush * chance.normal(0, 0.3)),
    ]
