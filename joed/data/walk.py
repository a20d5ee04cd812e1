"""From accepted rows to quotes: the path assumed inside a bar, the spread around it, and the bias of both."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from joed.data.cells import Flags, Floats, Ints
from joed.data.columns import PRICES, Columns
from joed.model.settings import Instrument
from joed.model.values import DAY, HOUR

BIAS = {
    "bars": (
        "A bar is walked open, low, high, close when it closes at or above its open, else open, high, low, close, a "
        "quarter of its time apart; the true order inside it is unknown. With a stop and a target in the same bar a "
        "long position meets its stop first in a rising bar (pessimistic) and its target first in a falling one "
        "(optimistic), a short one the other way round. Whatever triggers between two points of the walk meets the "
        "further one: stops and breakout entries pay more than they might have (pessimistic). The spread is modelled, "
        "the same all day and at least one tick; depth is unknown; volume is spread evenly."
    ),
    "bid and ask bars": (
        "Bid and ask are walked together: open, low, high, close when the middle closes at or above its open, else "
        "open, high, low, close, a quarter of the bar's time apart; the true order inside it is unknown. With a stop "
        "and a target in the same bar a long position meets its stop first in a rising bar (pessimistic) and its "
        "target first in a falling one (optimistic), a short one the other way round. The highs and the lows of bid "
        "and ask are taken as of one moment. Last price, volume and depth are unknown."
    ),
    "quotes": "Quotes are played as recorded. Depth beyond the best price, and our own effect on it, are unknown.",
}
"""What is assumed between the rows of each shape of file, and whom it favours: part of every report."""

STEPS = 4
RISING, FALLING = [0, 2, 1, 3], [0, 1, 2, 3]
"""The walk through a bar, as places in PRICES."""
DAY_STARTS_NS = 5 * HOUR
"""A day runs from 05:00 UTC: midnight in New York in winter, an hour past it in summer, when nothing trades."""


class Rows(NamedTuple):
    """Accepted rows, by symbol and then time; `day` counts from 1970-01-01, `middle` has a row for each of PRICES."""

    whose: Ints
    at_ns: Ints
    day: Ints
    fields: dict[str, Floats]
    middle: Floats

    def only(self, which: Flags) -> "Rows":
        """Give some of the rows."""
        fields = {name: values[which] for name, values in self.fields.items()}
        return Rows(self.whose[which], self.at_ns[which], self.day[which], fields, self.middle[:, which])


class Walk(NamedTuple):
    """Quotes as columns, in order of time; NaN is unknown."""

    whose: Ints
    at_ns: Ints
    bid: Floats
    ask: Floats
    last: Floats
    volume: Floats
    bid_size: Floats
    ask_size: Floats


class Grain(NamedTuple):
    """Each symbol's tick, and whether it is a level that nobody trades; by its place among the symbols."""

    tick: Floats
    per_unit: Floats
    level: Flags


def rows_of(columns: Columns, accepted: Ints) -> Rows:
    """Give the accepted rows in order."""
    order = accepted[np.lexsort((columns.at_ns[accepted], columns.whose[accepted]))]
    fields = {name: values[order] for name, values in columns.fields.items()}
    at_ns = columns.at_ns[order]
    if columns.shape == "bars":
        middle = np.stack([fields[price] for price in PRICES])
    elif columns.shape == "quotes":
        middle = np.tile((fields["bid"] + fields["ask"]) / 2, (STEPS, 1))
    else:
        middle = np.stack([(fields[f"bid_{price}"] + fields[f"ask_{price}"]) / 2 for price in PRICES])
    return Rows(columns.whose[order], at_ns, (at_ns - DAY_STARTS_NS) // DAY, fields, middle)


def grain_of(symbols: tuple[str, ...], instruments: Mapping[str, Instrument]) -> Grain:
    """Give what the walk needs to know of each symbol; one of which no row was accepted gets a cent."""
    ticks = [instruments[symbol].tick if symbol in instruments else Decimal("0.01") for symbol in symbols]
    ratios = [tick.as_integer_ratio() for tick in ticks]
    level = [symbol in instruments and not instruments[symbol].tradable for symbol in symbols]
    return Grain(
        np.array([float(over) for over, _ in ratios]),
        np.array([float(under) for _, under in ratios]),
        np.array(level, dtype=np.bool_),
    )


def walked(shape: str, rows: Rows, interval_ns: int, grain: Grain, spread_bps: float) -> Walk:
    """Give the quotes that these rows become, in order of time; at one time in order of symbol."""
    if shape == "quotes":
        unknown = np.full(len(rows.at_ns), np.nan)
        last, volume, *sizes = (rows.fields.get(name, unknown) for name in ("last", "volume", "bid_size", "ask_size"))
        return in_order(Walk(rows.whose, rows.at_ns, rows.fields["bid"], rows.fields["ask"], last, volume, *sizes))
    at_ns = (rows.at_ns[:, None] + np.arange(STEPS) * (interval_ns // STEPS)).ravel()
    whose = np.repeat(rows.whose, STEPS)
    unknown = np.full(len(at_ns), np.nan)
    if shape == "bars":
        last = along(rows, rows.middle)
        bid, ask = around(last, whose, grain, spread_bps)
        return in_order(Walk(whose, at_ns, bid, ask, last, running(rows, grain), unknown, unknown))
    bid, ask = (along(rows, np.stack([rows.fields[f"{side}_{price}"] for price in PRICES])) for side in ("bid", "ask"))
    return in_order(Walk(whose, at_ns, bid, ask, unknown, unknown, unknown, unknown))


def along(rows: Rows, prices: Floats) -> Floats:
    """Lay each bar's four prices (a row for each of PRICES) out in the order in which they are walked."""
    rising = rows.middle[3] >= rows.middle[0]
    prices_walked: Floats = np.where(rising, prices[RISING], prices[FALLING]).T.ravel()
    return prices_walked


def around(last: Floats, whose: Ints, grain: Grain, spread_bps: float) -> tuple[Floats, Floats]:
    """Give bid and ask around a price, on whole ticks: at least one apart; a level has one either side of it."""
    over, under = grain.tick[whose], grain.per_unit[whose]
    level = grain.level[whose]
    price = last * under / over
    apart = np.where(level, 2.0, np.maximum(np.ceil(price * (spread_bps / 10_000) - 1e-6), 1.0))
    low = np.maximum(np.floor(price - apart / 2 + 0.5), 1.0)
    return low * over / under, (low + apart) * over / under


def running(rows: Rows, grain: Grain) -> Floats:
    """Give the day's running total at each step: a bar's volume comes in four parts; NaN where it is unknown."""
    if "volume" not in rows.fields:
        return np.full(len(rows.at_ns) * STEPS, np.nan)
    volume = rows.fields["volume"]
    total = np.cumsum(volume)
    new = np.flatnonzero((np.diff(rows.whose) != 0) | (np.diff(rows.day) != 0)) + 1
    starts = np.concatenate([[0], new])
    sizes = np.diff(np.append(starts, len(volume)))
    before = total - volume - np.repeat(total[starts] - volume[starts], sizes)
    steps = before[:, None] + np.floor(volume[:, None] * (np.arange(1, STEPS + 1) / STEPS))
    steps[grain.level[rows.whose]] = np.nan
    flat: Floats = steps.ravel()
    return flat


def in_order(walk: Walk) -> Walk:
    """Sort by time, leaving what is at one time as it stands."""
    order = np.argsort(walk.at_ns, kind="stable")
    return Walk._make(column[order] for column in walk)
