"""Quotes drawn from a name's path: when they come, how wide they are, what traded."""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from joed.market.grid import Floats, Grid, Ints
from joed.market.listings import Listing
from joed.market.path import Path
from joed.market.plan import Halt

CENTS = 100
FULL_SESSION_S = 23_400
TRADED_SHARE = 0.4
LOT = 100


class Ticks(NamedTuple):
    """Quotes as columns, in order of time: prices in cents; `volume` and the sizes are -1 where unknown."""

    at_ns: Ints
    bid: Ints
    ask: Ints
    last: Ints
    volume: Ints
    bid_size: Ints
    ask_size: Ints


def stock_ticks(chance: Generator, grid: Grid, listing: Listing, path: Path, halt: Halt | None) -> Ticks:
    """Draw a name's quotes from its path: around its price, as wide as it is lively, none while it is halted."""
    at_ns = arrivals(chance, grid, grid.activity * np.sqrt(path.strain), listing.quotes)
    if halt:
        at_ns = at_ns[(at_ns < grid.ns_of(halt.begin)) | (at_ns >= grid.ns_of(halt.end))]
    second = grid.second_at(at_ns)
    count = len(at_ns)
    cents = path.price[second] * CENTS
    width = grid.width * (0.5 + 0.5 * path.strain * np.maximum(grid.volatility, 0.7))
    spread = cents * (listing.spread_bps / 10_000) * width[second] * chance.uniform(0.7, 1.4, count)
    spread = np.maximum(np.rint(spread), 1)
    bid = np.maximum(np.floor(cents - spread / 2 + chance.uniform(0.2, 0.8, count)), 1)
    traded = np.where(chance.random(count) < TRADED_SHARE, np.arange(count), 0)
    last = np.where(chance.random(count) < 0.5, bid, bid + spread)[np.maximum.accumulate(traded)]
    volume = volume_of(chance, grid, listing, path, halt)[second]
    sizes = chance.integers(1, 16, (2, count)) * LOT
    return Ticks(at_ns, whole(bid), whole(bid + spread), whole(last), whole(volume), sizes[0], sizes[1])


def vix_ticks(chance: Generator, grid: Grid, listing: Listing, path: Path, bad_print_at: int | None) -> Ticks:
    """Give VIX about each five seconds, a cent either side of its level; the first from `bad_print_at` is nonsense."""
    at_ns = arrivals(chance, grid, np.ones(grid.seconds), listing.quotes)
    level = whole(path.price[grid.second_at(at_ns)] * CENTS)
    if bad_print_at is not None:
        wrong = bad_print_index(at_ns, grid, bad_print_at)
        level[wrong] = round(int(level[wrong]) * chance.uniform(1.6, 2.6))
    unknown = np.full(len(at_ns), -1)
    return Ticks(at_ns, level - 1, level + 1, level, unknown, unknown, unknown)


def bad_print_index(at_ns: Ints, grid: Grid, bad_print_at: int) -> int:
    """Find the first print from that second on; the grid goes on long enough after the session for there to be one."""
    return int(np.searchsorted(at_ns, grid.ns_of(bad_print_at)))


def arrivals(chance: Generator, grid: Grid, rate: Floats, quotes: int) -> Ints:
    """Draw the times (ns, rising) of quotes: about `quotes` in a full session, thicker where the rate is higher."""
    total = np.cumsum(rate)
    in_session = total[grid.closes - 1] - total[grid.opens - 1]
    count = int(quotes * grid.length_s / FULL_SESSION_S * total[-1] / in_session)
    marks = np.sort(chance.random(count)) * total[-1]
    micros = np.interp(marks, total, np.arange(grid.seconds, dtype=np.float64)) * 1_000_000
    at_ns: Ints = micros.astype(np.int64) * 1_000 + grid.start_ns
    return at_ns


def volume_of(chance: Generator, grid: Grid, listing: Listing, path: Path, halt: Halt | None) -> Floats:
    """Give the running total of shares traded at each second: busier when lively, uneven from minute to minute."""
    minutes = chance.lognormal(0.0, 0.5, grid.seconds // 60 + 1)
    traded = grid.activity * path.strain * np.repeat(minutes, 60)[: grid.seconds]
    if halt:
        traded[halt.begin : halt.end] = 0
    return np.floor(np.cumsum(traded) * (listing.volume / FULL_SESSION_S))


def whole(values: Floats) -> Ints:
    """Round to whole numbers."""
    rounded: Ints = np.rint(values).astype(np.int64)
    return rounded


def merged(parts: list[Ticks]) -> tuple[Ints, Ticks]:
    """Put all names' quotes in one order of time, and say whose each is; at one time the first listed goes first."""
    whose = np.repeat(np.arange(len(parts)), [len(part.at_ns) for part in parts])
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return whose[order], Ticks(*(column[order] for column in columns))
