"""Which names are worth a look at all: bars that can be believed, then price, liquidity, spread, movement and dates.

What cannot be believed is set aside with words of its own; the others that are left out are counted by their filter.
"""

import numpy as np
from msgspec import Struct

from joed.analysis.indicators import AT, CLOSE, NO_BARS, OPEN, VOLUME, Floats, atr, last, sound
from joed.model.values import DAY

MINUTES_A_DAY = 390
ASIDE_MAX = 200
"""Names that are told of by name; the rest of a broken feed is counted."""


class ScanRules(Struct, frozen=True, forbid_unknown_fields=True):
    """What a name must show; prices in its currency, `value_day_min` is price times volume a day.

    A history of `days_min` daily bars or of `minutes_min` minute bars will do. `index` is what scores compare with.
    `spread_max`, `atr_min` and `atr_max` are shares of the price. `leap_max` is the greatest move from a close to the
    next open that is believed, and `stale_days` the age of the newest daily bar in days of 24 hours.
    """

    watchlist_size: int = 12
    index: str = "SPY"
    price_min: float = 5.0
    price_max: float = 5_000.0
    value_day_min: float = 5_000_000.0
    spread_max: float = 0.005
    atr_days: int = 14
    atr_min: float = 0.003
    atr_max: float = 0.12
    sector_max: int = 4
    leap_max: float = 0.40
    stale_days: float = 6.0
    days_min: int = 20
    minutes_min: int = 15


class Tape(Struct, frozen=True):
    """What there is of one name: daily bars before today, minute bars before today and of today, its price now.

    `spread` is a share of the price, None before there is a quote; `sector` is "" where none is named; `dated` says in
    words what lies ahead (earnings, an ex-date); `now_ns` 0 asks nothing of the age of the bars.
    """

    instrument: str
    daily: Floats
    earlier: Floats
    today: Floats
    price: float | None
    spread: float | None = None
    sector: str = ""
    dated: str = ""
    now_ns: int = 0

    @property
    def minutes(self) -> int:
        """Count the minute bars."""
        return len(self.earlier) + len(self.today)


class Scanned(Struct, frozen=True):
    """The names that pass, how many were left out by each filter, and in words what was set aside as unbelievable."""

    kept: list[Tape]
    rejected: dict[str, int]
    aside: dict[str, str]


def scan(tapes: list[Tape], rules: ScanRules) -> Scanned:
    """Judge each name; those that pass keep their order."""
    found = Scanned([], {}, {})
    for tape in tapes:
        words = flaw(tape, rules)
        reason = "unbelievable" if words else refusal(tape, rules)
        if words and len(found.aside) < ASIDE_MAX:
            found.aside[tape.instrument] = words
        if reason is None:
            found.kept.append(tape)
        else:
            found.rejected[reason] = found.rejected.get(reason, 0) + 1
    return found


def flaw(tape: Tape, rules: ScanRules) -> str:
    """Say what is wrong with a name's bars or price, "" where they can be believed."""
    for name, bars in (("day", tape.daily), ("minute", tape.earlier), ("minute", tape.today)):
        if not len(bars):
            continue
        bad = np.flatnonzero(~sound(bars))
        if len(bad):
            return f"{len(bad)} of {len(bars)} {name} bars cannot be bars"
        if (np.diff(bars[:, AT]) <= 0.0).any():
            return f"{name} bars come twice or out of order"
    price, days = tape.price, tape.daily
    if price is not None and not 0.0 < price < np.inf:
        return f"its price is {price:g}"
    if not len(days):
        return ""
    if tape.now_ns and (age := (tape.now_ns - days[-1, AT]) / DAY) > rules.stale_days:
        return f"its newest day is {age:.0f} days old"
    return leap(days, price, rules)


def leap(days: Floats, price: float | None, rules: ScanRules) -> str:
    """Say where the prices leap as no night makes them: an unadjusted split, most likely; the last 260 days count."""
    recent = days[-260:]
    moves = recent[1:, OPEN] / recent[:-1, CLOSE] - 1.0
    low = 1.0 / (1.0 + rules.leap_max) - 1.0
    wild = np.flatnonzero((moves > rules.leap_max) | (moves < low))
    if len(wild):
        back = len(recent) - 1 - int(wild[-1])
        return f"{moves[wild[-1]]:+.0%} overnight {back} days back: a split that is not in the bars?"
    if price is not None and not low <= (move := price / float(days[-1, CLOSE]) - 1.0) <= rules.leap_max:
        return f"{move:+.0%} since its last close: a split that is not in the bars?"
    return ""


def refusal(tape: Tape, rules: ScanRules) -> str | None:
    """Name the first filter that leaves this name out, None if it passes all; what is not known is no reason."""
    price = tape.price
    if price is None:
        return "price_unknown"
    if not rules.price_min <= price <= rules.price_max:
        return "price_out_of_range"
    if len(tape.daily) < rules.days_min and tape.minutes < rules.minutes_min:
        return "history_short"
    if (value := value_day(tape, rules)) is not None and value < rules.value_day_min:
        return "illiquid"
    if tape.spread is not None and tape.spread > rules.spread_max:
        return "spread_wide"
    if (moves := movement(tape, rules)) is not None and not rules.atr_min <= moves / price <= rules.atr_max:
        return "atr_out_of_range"
    return "dated" if tape.dated else None


def movement(tape: Tape, rules: ScanRules) -> float | None:
    """Give the average true range of a day in price, None where the days are too few."""
    return last(atr(tape.daily[-5 * rules.atr_days :], rules.atr_days))


def value_day(tape: Tape, rules: ScanRules) -> float | None:
    """Give the traded value of a usual day in the name's currency; None where no volume is known.

    From the median of the last `days_min` days; with fewer days from the minutes, as if a day had 390 like them.
    """
    if len(tape.daily) >= rules.days_min:
        days = tape.daily[-rules.days_min :]
        value = float(np.median(days[:, CLOSE] * days[:, VOLUME]))
    else:
        minutes = np.concatenate((tape.earlier, tape.today)) if tape.minutes else NO_BARS
        value = float((minutes[:, CLOSE] * minutes[:, VOLUME]).mean()) * MINUTES_A_DAY if len(minutes) else 0.0
    return value if value > 0.0 else None
