"""What is said of crypto, and what is said to be unknown."""

import math

import numpy as np
import pytest

from joed.analysis.crypto import READINGS, read
from joed.analysis.indicators import CLOSE, NO_BARS


def bitcoin(closes):
    """Build daily bars with these closes."""
    bars = np.ones((len(closes), 6))
    bars[:, CLOSE] = closes
    return bars


def test_without_any_source_every_reading_is_there_and_unknown():
    """An absent source is a name with None, never a missing name and never a guess."""
    assert read(NO_BARS, {}) == dict.fromkeys(READINGS)


def test_thirty_days_need_thirty_one_closes():
    """A return over 30 days, and the spread of the 30 daily ones by the root of 365."""
    closes = [100.0 * 1.01 ** (i % 2) for i in range(31)]

    assert read(bitcoin(closes[:30]), {})["bitcoin_return_30d"] is None
    readings = read(bitcoin([*closes[:30], 110.0]), {})
    assert readings["bitcoin_return_30d"] == pytest.approx(0.10)
    spread = np.std([0.01, 1 / 1.01 - 1] * 15, ddof=1) * math.sqrt(365)
    assert read(bitcoin(closes), {})["bitcoin_volatility_30d"] == pytest.approx(spread)


def test_outside_readings_are_taken_by_their_names_only():
    """A name that is not in the table, and what is no number, is left out."""
    readings = read(NO_BARS, {"fear_greed_index": 40.0, "mvrv_ratio": float("nan"), "rumour": 1.0})

    assert readings == dict.fromkeys(READINGS) | {"fear_greed_index": 40.0}
