"""The price of each name at each second of an embedded day: noise with common causes, and what the plan pushes."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from joed.market.grid import Floats, Grid
from joed.market.listings import INDEX, VIX, Listing
from joed.market.plan import SECTOR_SIGMA, Plan, sigma_of

Streams = Callable[[str], Generator]
"""Gives the stream of chance for a purpose, so that a name added leaves the others as they were."""

VIX_PER_INDEX = -4.5
"""How far VIX moves, in log, for a move of the index: it falls 4.5 % as the index gains 1 %."""
VIX_SIGMA = 0.025
VIX_FLOOR, VIX_CEILING = 9.0, 90.0
GAP_SHARE = 0.4
EARNINGS_SHARE = 0.05
STRAIN_S = 60


class Path(NamedTuple):
    """One name's day: its price in each second, and how much livelier than usual it is (1 is as usual)."""

    price: Floats
    strain: Floats


def paths_of(
    streams: Streams, grid: Grid, plan: Plan, listings: tuple[Listing, ...], closes: Mapping[str, float]
) -> dict[str, Path]:
    """Give the day of the index, VIX and each name, from yesterday's closes."""
    index_sigma = closes[VIX] / 16 / 100
    chance = streams("index")
    gap = float(chance.normal(0, GAP_SHARE * index_sigma))
    market = reverting(moves(chance, grid, index_sigma, plan, INDEX), plan.character.half_life_s)
    fear = VIX_PER_INDEX * market + moves(streams(VIX), grid, VIX_SIGMA, plan, VIX)
    paths = {
        INDEX: path_of(grid, market, closes[INDEX], gap, index_sigma),
        VIX: path_of(grid, fear, closes[VIX], VIX_PER_INDEX * gap, VIX_SIGMA),
    }
    np.clip(paths[VIX].price, VIX_FLOOR, VIX_CEILING, out=paths[VIX].price)
    sectors: dict[str, Floats] = {}
    for listing in listings:
        if listing.sector not in sectors:
            sectors[listing.sector] = moves(streams(f"sector {listing.sector}"), grid, SECTOR_SIGMA, plan, "")
        chance = streams(listing.symbol)
        own_gap = gap_of(chance, listing)
        own = reverting(moves(chance, grid, listing.sigma, plan, listing.symbol), plan.character.half_life_s)
        steps = listing.beta * market + sectors[listing.sector] + own
        sigma = sigma_of(listing, index_sigma)
        paths[listing.symbol] = path_of(grid, steps, closes[listing.symbol], listing.beta * gap + own_gap, sigma)
    return paths


def gap_of(chance: Generator, listing: Listing) -> float:
    """Draw a name's own move overnight: small, and now and then the jump that earnings bring."""
    if chance.random() < EARNINGS_SHARE:
        return float((1 if chance.random() < 0.5 else -1) * chance.uniform(0.025, 0.06))
    return float(chance.normal(0, 0.5 * listing.sigma))


def moves(chance: Generator, grid: Grid, sigma: float, plan: Plan, symbol: str) -> Floats:
    """Give one cause's log move in each second: noise of this daily sigma, and what the plan pushes."""
    steps: Floats = chance.standard_normal(grid.seconds)
    steps *= grid.volatility * (sigma / np.sqrt(grid.length_s))
    for push in plan.pushes:
        if push.symbol == symbol and push.end > push.begin:
            steps[push.begin : push.end] += push.size / (push.end - push.begin)
    return steps


def reverting(steps: Floats, half_life_s: float) -> Floats:
    """Give the same moves where what has moved comes back by half in this time (0: never)."""
    if not half_life_s:
        return steps
    growth = np.exp(np.arange(len(steps)) * (np.log(2) / half_life_s))
    level = np.cumsum(steps * growth) / growth
    return np.diff(level, prepend=0.0)


def path_of(grid: Grid, steps: Floats, close: float, gap: float, sigma: float) -> Path:
    """Add a name's moves up, from its last close and its gap."""
    return Path(close * np.exp(gap + np.cumsum(steps)), strain_of(steps, grid, sigma))


def strain_of(steps: Floats, grid: Grid, sigma: float) -> Floats:
    """Say how much livelier than usual at that time of day a name was in the minute up to each second."""
    usual = (grid.volatility * sigma) ** 2 / grid.length_s
    sums = np.cumsum(np.stack([steps**2, usual]), axis=1)
    sums[:, STRAIN_S:] -= sums[:, :-STRAIN_S].copy()
    strain: Floats = np.clip(np.sqrt(sums[0] / sums[1]), 0.5, 5.0)
    return strain
