"""The indicators against values computed by TA-Lib 0.8.2 and by hand."""

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from joed.analysis import indicators
from joed.analysis.indicators import AT, CLOSE, HIGH, LOW, NO_BARS, OPEN, VOLUME
from joed.model.values import MINUTE, Bar

CLOSES = np.array([44.34, 44.09, 44.15, 43.61, 44.33, 44.83, 45.10, 45.42, 45.84, 46.08])
HIGHS = CLOSES + np.array([0.5, 0.3, 0.2, 0.6, 0.4, 0.3, 0.2, 0.5, 0.1, 0.3])
LOWS = CLOSES - np.array([0.2, 0.3, 0.4, 0.1, 0.5, 0.2, 0.6, 0.1, 0.3, 0.2])
NAN = float("nan")

TALIB = {
    "sma": [NAN, NAN, NAN, 44.0475, 44.045, 44.23, 44.4675, 44.92, 45.2975, 45.61],
    "ema": [NAN, NAN, NAN, 44.0475, 44.1605, 44.4283, 44.69698, 44.986188, 45.3277128, 45.62862768],
    "rsi": [NAN] * 4 + [49.6815286624, 64.6795827124, 70.9202453988, 77.2673984866, 83.5505513997, 86.4119932899],
    "atr": [NAN] * 4 + [0.755, 0.76625, 0.7746875, 0.786015625, 0.7195117188, 0.6746337891],
}


def bars_of(closes, highs=None, lows=None, start=0, volume=10.0):
    """Build minute bars, each opening at its close."""
    times = (start + np.arange(len(closes))) * MINUTE
    highs, lows = (closes if column is None else column for column in (highs, lows))
    return np.column_stack((times, closes, highs, lows, closes, np.full(len(closes), volume)))


@pytest.mark.parametrize("name", ["sma", "ema", "rsi"])
def test_means_and_strength_equal_ta_lib(name):
    """SMA, EMA and RSI of period 4 agree with TA-Lib to ten digits, unknown where TA-Lib is."""
    np.testing.assert_allclose(getattr(indicators, name)(CLOSES, 4), TALIB[name], rtol=1e-10)


def test_average_true_range_equals_ta_lib():
    """Wilder's ATR begins with the mean of the first `period` ranges that have a close before them."""
    np.testing.assert_allclose(indicators.atr(bars_of(CLOSES, HIGHS, LOWS), 4), TALIB["atr"], rtol=1e-9)


def walk(seed, count=400):
    """Build the bars of a random walk that gaps."""
    chance = np.random.default_rng(seed)
    closes = 50.0 * np.exp(np.cumsum(chance.normal(0.0, 0.02, count)))
    opens = closes * np.exp(chance.normal(0.0, 0.01, count))
    reach = np.abs(chance.normal(0.0, 0.01, (2, count)))
    highs, lows = np.maximum(opens, closes) * (1 + reach[0]), np.minimum(opens, closes) * (1 - reach[1])
    return np.column_stack((np.arange(count) * MINUTE, opens, highs, lows, closes, np.full(count, 10.0)))


@pytest.mark.parametrize("period", [2, 5, 14, 50, 200, 401])
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("name", "theirs"),
    [("sma", talib.SMA), ("ema", talib.EMA), ("rsi", talib.RSI), ("deviation", talib.STDDEV)],
)
def test_indicators_of_closes_equal_ta_lib_to_the_ninth_digit(name, theirs, seed, period):
    """The library itself, on 400 bars, each period: the same values, and unknown in the same places."""
    closes = walk(seed)[:, CLOSE].copy()

    np.testing.assert_allclose(getattr(indicators, name)(closes, period), theirs(closes, period), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("period", [2, 14, 50])
def test_indicators_of_bars_equal_ta_lib_to_the_ninth_digit(period):
    """True range and its average, with gaps."""
    bars = walk(4)
    high, low, close = (bars[:, column].copy() for column in (HIGH, LOW, CLOSE))

    np.testing.assert_allclose(indicators.true_range(bars), talib.TRANGE(high, low, close), rtol=1e-9)
    np.testing.assert_allclose(indicators.atr(bars, period), talib.ATR(high, low, close, period), rtol=1e-9)


def test_true_range_includes_the_gap_from_the_close_before():
    """A bar that opens away from the last close counts from that close; the first bar's range is unknown."""
    ranges = indicators.true_range(bars_of(np.array([10.0, 13.0]), np.array([11.0, 14.0]), np.array([9.0, 12.5])))

    assert np.isnan(ranges[0])
    assert ranges[1] == 4.0


def test_strength_of_a_flat_price_is_unknown():
    """No change at all says nothing, least of all the 0 that reads as weakness."""
    assert np.isnan(indicators.rsi(np.full(10, 5.0), 4)).all()


@pytest.mark.parametrize("name", ["sma", "ema", "rsi"])
def test_too_few_values_are_unknown_to_the_last(name):
    """One value fewer than needed gives only NaN, of the same length."""
    short = CLOSES[:3] if name != "rsi" else CLOSES[:4]

    assert np.isnan(getattr(indicators, name)(short, 4)).all()
    assert len(getattr(indicators, name)(short[:0], 4)) == 0


@given(arrays(np.float64, st.integers(0, 60), elements=st.floats(1.0, 1000.0)), st.integers(1, 20))
def test_means_stay_between_the_lowest_and_the_highest(values, period):
    """No mean of prices lies outside of them, and each column is as long as its values."""
    for mean in (indicators.sma(values, period), indicators.ema(values, period), indicators.wilder(values, period)):
        assert len(mean) == len(values)
        known = mean[np.isfinite(mean)]
        assert len(known) == max(0, len(values) - period + 1)
        assert ((known >= values.min(initial=1e9) - 1e-6) & (known <= values.max(initial=0.0) + 1e-6)).all()


def test_minutes_fold_into_bars_at_whole_multiples():
    """First open, highest high, lowest low, last close, all the volume; a gap moves nothing to another bar."""
    minutes = bars_of(
        np.array([10.0, 12.0, 11.0, 9.0]), np.array([10.5, 12.5, 11.5, 9.5]), np.array([9.5, 8.0, 10.5, 8.5])
    )
    minutes[:, AT] = np.array([3, 4, 5, 12]) * MINUTE

    folded = indicators.aggregated(minutes, 5)

    assert folded[:, AT].tolist() == [0, 5 * MINUTE, 10 * MINUTE]
    assert folded[0, OPEN:].tolist() == [10.0, 12.5, 8.0, 12.0, 20.0]
    assert folded[:, CLOSE].tolist() == [12.0, 11.0, 9.0]
    assert len(indicators.aggregated(NO_BARS, 5)) == 0


def test_mean_price_by_volume_weighs_each_bar_and_is_unknown_without_volume():
    """(high+low+close)/3 of each bar, weighted by its volume."""
    minutes = bars_of(np.array([10.0, 20.0]))
    minutes[:, VOLUME] = [3.0, 1.0]

    assert indicators.vwap(minutes) == pytest.approx(12.5)
    assert indicators.vwap(bars_of(np.array([10.0]), volume=0.0)) is None


@pytest.mark.parametrize(
    ("column", "value"),
    [(CLOSE, NAN), (OPEN, 0.0), (LOW, -1.0), (HIGH, 9.9), (LOW, 10.1), (VOLUME, -1.0), (HIGH, float("inf"))],
)
def test_what_cannot_be_a_bar_is_not_sound(column, value):
    """NaN, zero, negative, infinite, and a high or low inside the open and close."""
    minutes = bars_of(np.array([10.0, 10.0]))
    minutes[1, column] = value

    assert indicators.sound(minutes).tolist() == [True, False]


def test_bars_become_rows_that_hold_their_start_exactly():
    """A whole minute since 1970 survives float64 to the nanosecond."""
    at_ns = 1_763_821_800 * 1_000_000_000

    rows = indicators.rows([Bar("A", at_ns, 1.0, 3.0, 0.5, 2.0, 7.0)])

    assert int(rows[0, AT]) == at_ns
    assert rows[0, OPEN:].tolist() == [1.0, 3.0, 0.5, 2.0, 7.0]
    assert indicators.rows([]).shape == (0, 6)


def test_the_last_value_is_none_when_unknown():
    """Neither an empty column nor a NaN at its end is a number."""
    assert indicators.last(CLOSES) == 46.08
    assert indicators.last(np.array([1.0, NAN])) is None
    assert indicators.last(CLOSES[:0]) is None
