"""The usual indicators over bars, as Wilder and TA-Lib define them: whole columns in, columns of the same length out.

Bars are float64 arrays of shape (bars, 6), oldest first, columns AT..VOLUME; `at_ns` is the bar's start. A whole minute
in nanoseconds is a multiple of 2048, so float64 holds it exactly. A value that is not yet known is NaN, never a guess.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from joed.model.values import MINUTE, Bar

Floats = NDArray[np.float64]

AT, OPEN, HIGH, LOW, CLOSE, VOLUME = range(6)
COLUMNS = 6
NO_BARS: Floats = np.empty((0, COLUMNS))


def rows(bars: Sequence[Bar]) -> Floats:
    """Give bars as an array of shape (bars, 6), in their order; whose bars they are is the caller's to know."""
    if not bars:
        return NO_BARS
    return np.array([(bar.at_ns, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars], np.float64)


def sound(bars: Floats) -> NDArray[np.bool_]:
    """Say of each bar whether it can be one: finite, positive prices, no volume below 0, high and low outermost."""
    at, opened, high, low, close, volume = bars.T
    with np.errstate(invalid="ignore"):  # what is NaN compares as false
        inside = (low <= opened) & (opened <= high) & (low <= close) & (close <= high)
        priced = (low > 0.0) & (high < np.inf) & (low <= high)
        kept: NDArray[np.bool_] = inside & priced & (volume >= 0.0) & (volume < np.inf) & np.isfinite(at)
        return kept


def sma(values: Floats, period: int) -> Floats:
    """Give the simple mean of the last `period` values, in their unit (TA-Lib SMA)."""
    known = unknown(values)
    if len(values) >= period:
        known[period - 1 :] = np.lib.stride_tricks.sliding_window_view(values, period).mean(axis=1)
    return known


def ema(values: Floats, period: int) -> Floats:
    """Give the exponential mean, weight 2/(period+1), begun at the simple mean of the first `period` (TA-Lib EMA)."""
    return smoothed(values, period, 2.0 / (period + 1))


def wilder(values: Floats, period: int) -> Floats:
    """Give Wilder's running mean, weight 1/period, begun at the simple mean of the first `period` values."""
    return smoothed(values, period, 1.0 / period)


def smoothed(values: Floats, period: int, weight: float) -> Floats:
    """Give the exponential mean that starts at the simple mean of the first `period` values."""
    known = unknown(values)
    if len(values) < period:
        return known
    mean = float(values[:period].sum()) / period
    means = [mean]
    for value in values[period:].tolist():
        mean += weight * (value - mean)
        means.append(mean)
    known[period - 1 :] = means
    return known


def true_range(bars: Floats) -> Floats:
    """Give each bar's range in price, gaps from the close before included; the first has no close before: NaN."""
    ranges = unknown(bars[:, CLOSE])
    before = bars[:-1, CLOSE]
    ranges[1:] = np.maximum(bars[1:, HIGH], before) - np.minimum(bars[1:, LOW], before)
    return ranges


def atr(bars: Floats, period: int) -> Floats:
    """Give Wilder's average true range in price; known from bar `period` on (TA-Lib ATR)."""
    ranges = true_range(bars)
    if len(ranges):
        ranges[1:] = wilder(ranges[1:], period)
    return ranges


def rsi(closes: Floats, period: int) -> Floats:
    """Give Wilder's relative strength, 0 to 100; known from close `period` on (TA-Lib RSI).

    Where nothing moved at all it is NaN: TA-Lib says 0 there, which reads as the deepest weakness.
    """
    strength = unknown(closes)
    if len(closes) > period:
        changes = np.diff(closes)
        gains, losses = wilder(np.maximum(changes, 0.0), period), wilder(np.maximum(-changes, 0.0), period)
        with np.errstate(invalid="ignore"):
            strength[1:] = 100.0 * gains / (gains + losses)
    return strength


def deviation(values: Floats, period: int) -> Floats:
    """Give the deviation of the last `period` values from their mean, over all of them (TA-Lib STDDEV)."""
    known = unknown(values)
    if len(values) >= period:
        known[period - 1 :] = np.lib.stride_tricks.sliding_window_view(values, period).std(axis=1)
    return known


def vwap(bars: Floats) -> float | None:
    """Give the mean price weighted by volume, each bar at its typical price (high+low+close)/3; None without volume."""
    volume = float(bars[:, VOLUME].sum())
    if volume <= 0.0:
        return None
    typical = (bars[:, HIGH] + bars[:, LOW] + bars[:, CLOSE]) / 3.0
    return float((typical * bars[:, VOLUME]).sum() / volume)


def aggregated(minutes: Floats, size_minutes: int) -> Floats:
    """Fold minute bars into bars of `size_minutes`, cut at whole multiples since 1970; the last may be partial."""
    if not len(minutes):
        return minutes
    group = minutes[:, AT] // (size_minutes * MINUTE)
    starts = np.flatnonzero(np.concatenate(([True], group[1:] != group[:-1])))
    ends = np.append(starts[1:], len(minutes)) - 1
    folded = np.empty((len(starts), COLUMNS))
    folded[:, AT] = group[starts] * (size_minutes * MINUTE)
    folded[:, OPEN] = minutes[starts, OPEN]
    folded[:, HIGH] = np.maximum.reduceat(minutes[:, HIGH], starts)
    folded[:, LOW] = np.minimum.reduceat(minutes[:, LOW], starts)
    folded[:, CLOSE] = minutes[ends, CLOSE]
    folded[:, VOLUME] = np.add.reduceat(minutes[:, VOLUME], starts)
    return folded


def last(values: Floats) -> float | None:
    """Give the newest value, None where there is none or it is unknown."""
    return float(values[-1]) if len(values) and np.isfinite(values[-1]) else None


def unknown(values: Floats) -> Floats:
    """Give as many NaN as there are values."""
    return np.full(len(values), np.nan)
