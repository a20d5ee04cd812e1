"""The year before an embedded day."""

from datetime import UTC, datetime
from zlib import crc32

import numpy as np
import pytest
from numpy.random import PCG64, Generator

from joed.market.history import HISTORY_DAYS, VIX_HIGH, VIX_LOW, anchored, days_before, history_of
from joed.market.listings import INDEX, INDEX_LISTING, LISTINGS, VIX
from joed.model.values import SECOND

MONDAY = 1_707_748_200 * SECOND


def streams(purpose):
    """Give a stream for each purpose."""
    return Generator(PCG64(crc32(purpose.encode())))


HISTORY = history_of(streams, LISTINGS, INDEX_LISTING, MONDAY)


def test_every_name_has_a_year_of_sound_bars():
    """No bar contradicts itself, prices are whole cents, and only VIX has no volume."""
    assert set(HISTORY) == {INDEX, VIX, *(listing.symbol for listing in LISTINGS)}
    for symbol, bars in HISTORY.items():
        at_ns, opened, high, low, close, volume = bars.T
        assert bars.shape == (HISTORY_DAYS, 6)
        assert np.all(np.diff(at_ns) > 0)
        assert np.all((low > 0) & (low <= np.minimum(opened, close)) & (high >= np.maximum(opened, close)))
        assert np.array_equal(np.round(bars[:, 1:5], 2), bars[:, 1:5])
        assert np.all((volume > 0) == (symbol != VIX))


def test_the_days_are_the_weekdays_before_and_whole_seconds_survive_as_floats():
    """From a Monday the last day is the Friday before; no day is a weekend, none is the session's own."""
    days = days_before(MONDAY, 10)
    dates = [datetime.fromtimestamp(at_ns // SECOND, UTC) for at_ns in days.tolist()]

    assert len(days) == 10
    assert dates[-1].date().isoformat() == "2024-02-09"
    assert all(day.weekday() < 5 for day in dates)
    assert days.astype(np.float64).astype(np.int64).tolist() == days.tolist()


def test_names_and_index_fall_together_and_vix_rises_then():
    """The year has the common causes that the day has."""
    moved = {symbol: np.diff(np.log(bars[:, 4])) for symbol, bars in HISTORY.items()}

    assert np.corrcoef(moved[INDEX], moved["NVDA"])[0, 1] > 0.4
    assert np.corrcoef(moved[INDEX], moved[VIX])[0, 1] < -0.4
    assert HISTORY[VIX][:, 4].min() >= VIX_LOW
    assert HISTORY[VIX][:, 4].max() <= VIX_HIGH


def test_an_anchored_history_ends_at_the_closes_given():
    """The rest keeps its shape; a name that is not named keeps its prices, and the first history is not touched."""
    before = HISTORY["AAPL"].copy()
    scaled = anchored(HISTORY, {"AAPL": 100.0, "UNLISTED": 5.0})

    assert scaled["AAPL"][-1, 4] == 100.0
    assert scaled["AAPL"][0, 4] / 100 == pytest.approx(before[0, 4] / before[-1, 4], rel=1e-3)
    assert scaled["AAPL"][-1, 3] <= 100.0 <= scaled["AAPL"][-1, 2]
    assert np.array_equal(HISTORY["AAPL"], before)
    assert np.array_equal(scaled["MSFT"], HISTORY["MSFT"])
    assert "UNLISTED" not in scaled
