"""The year before an embedded day: daily bars of each name, the index and VIX, with the same common causes."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.random import Generator

from joed.market.grid import Floats, Ints
from joed.market.listings import INDEX, VIX, VIX_MEAN, Listing
from joed.market.path import VIX_PER_INDEX, Streams
from joed.market.plan import SECTOR_SIGMA, sigma_of
from joed.model.values import SECOND

HISTORY_DAYS = 260
COLUMNS = ("at_ns", "open", "high", "low", "close", "volume")
"""What stands in a row of history. A whole second in nanoseconds is exact as a float until the year 2112."""
VIX_LOW, VIX_HIGH = 11.0, 24.0
VIX_OWN_SIGMA = 0.04
VIX_RETURN = 0.06
ERAS = (0.0012, 0.0011, 0.0010, 0.0009, 0.0008, 0.0007, 0.0005, -0.0008)
"""How the index drifts a day over the year, one of these by chance: mostly up, as it mostly did."""
CHANCE_KEPT = 0.5
"""The share of the year's luck that stays in its sum, so that most years are what their era says."""

History = dict[str, Floats]
"""Daily bars by symbol: float64 of shape (days, 6), oldest first, the columns of COLUMNS."""


def history_of(streams: Streams, listings: tuple[Listing, ...], index: Listing, open_ns: int) -> History:
    """Make the bars of the weekdays before a session that opens at `open_ns`; holidays are not left out."""
    at_ns = days_before(open_ns, HISTORY_DAYS)
    market, vix = index_and_vix(streams("history index"))
    history = {
        INDEX: bars_of(streams(f"history {INDEX}"), at_ns, market, index, float(np.mean(vix)) / 1600),
        VIX: vix_bars(streams(f"history {VIX}"), at_ns, vix),
    }
    sectors: dict[str, Floats] = {}
    for listing in listings:
        if listing.sector not in sectors:
            chance = streams(f"history sector {listing.sector}")
            sectors[listing.sector] = chance.normal(0, SECTOR_SIGMA, HISTORY_DAYS)
        chance = streams(f"history {listing.symbol}")
        own = chance.normal(0, listing.sigma, HISTORY_DAYS)
        returns = listing.beta * market + sectors[listing.sector] + own
        history[listing.symbol] = bars_of(chance, at_ns, returns, listing, sigma_of(listing))
    return history


def days_before(open_ns: int, count: int) -> Ints:
    """Give the opens of the last weekdays before this one, oldest first, at the same time of day in UTC."""
    opened = datetime.fromtimestamp(open_ns // SECOND, UTC)
    found: list[int] = []
    for back in range(1, count * 2):
        day = opened - timedelta(days=back)
        if day.weekday() < 5:
            found.append(int(day.timestamp()) * SECOND)
    return np.array(found[count - 1 :: -1], dtype=np.int64)


def index_and_vix(chance: Generator) -> tuple[Floats, Floats]:
    """Give the index's daily log returns and VIX's closes: VIX sets the size of moves, and rises as the index falls."""
    drift = ERAS[int(chance.integers(len(ERAS)))]
    returns, closes = np.empty(HISTORY_DAYS), np.empty(HISTORY_DAYS)
    level = VIX_MEAN
    noise = chance.standard_normal((2, HISTORY_DAYS))
    noise[0] -= (1 - CHANCE_KEPT) * np.mean(noise[0])
    for day in range(HISTORY_DAYS):
        returns[day] = drift + level / 1600 * noise[0, day]
        pull = VIX_RETURN * np.log(VIX_MEAN / level)
        moved = level * np.exp(pull + VIX_PER_INDEX * returns[day] + VIX_OWN_SIGMA * noise[1, day])
        level = float(np.clip(moved, VIX_LOW, VIX_HIGH))
        closes[day] = level
    return returns, closes


def bars_of(chance: Generator, at_ns: Ints, returns: Floats, listing: Listing, sigma: float) -> Floats:
    """Give a name's daily bars for these returns, ending near its listed price."""
    last = listing.price * chance.uniform(0.85, 1.2)
    closes = last * np.exp(np.cumsum(returns) - np.sum(returns))
    before = np.concatenate([[closes[0] / np.exp(returns[0])], closes[:-1]])
    opens = before * np.exp(0.4 * returns + chance.normal(0, 0.25 * sigma, len(returns)))
    reach = np.abs(chance.normal(0, 0.45 * sigma, (2, len(returns))))
    volume = listing.volume * chance.lognormal(0, 0.25, len(returns)) * (0.7 + 0.4 * np.abs(returns) / sigma)
    high = np.maximum(opens, closes) * np.exp(reach[0])
    low = np.minimum(opens, closes) * np.exp(-reach[1])
    return table(at_ns, opens, high, low, closes, volume)


def vix_bars(chance: Generator, at_ns: Ints, closes: Floats) -> Floats:
    """Give VIX's daily bars for these closes; it has no volume."""
    opens = np.concatenate([[VIX_MEAN], closes[:-1]]) * np.exp(chance.normal(0, 0.02, len(closes)))
    reach = np.abs(chance.normal(0, 0.03, (2, len(closes))))
    high = np.maximum(opens, closes) * np.exp(reach[0])
    low = np.minimum(opens, closes) * np.exp(-reach[1])
    return table(at_ns, opens, high, low, closes, np.zeros(len(closes)))


def table(at_ns: Ints, opens: Floats, high: Floats, low: Floats, closes: Floats, volume: Floats) -> Floats:
    """Set bars in rows, with prices in whole cents."""
    prices = np.round(np.stack([opens, high, low, closes]), 2)
    return np.column_stack([at_ns.astype(np.float64), *prices, np.rint(volume)])


def anchored(history: History, closes: Mapping[str, float]) -> History:
    """Give the same history, scaled so that each name named in `closes` ends at that close."""
    scaled = dict(history)
    for symbol in sorted(set(closes) & set(history)):
        bars = history[symbol].copy()
        bars[:, 1:5] = np.round(bars[:, 1:5] * (closes[symbol] / bars[-1, 4]), 2)
        bars[-1, 4] = closes[symbol]
        bars[-1, 2] = max(bars[-1, 2], closes[symbol])
        bars[-1, 3] = min(bars[-1, 3], closes[symbol])
        scaled[symbol] = bars
    return scaled
