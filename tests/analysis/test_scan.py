"""Which names pass the filters, and how the others are counted."""

import numpy as np
import pytest

from joed.analysis.indicators import NO_BARS
from joed.analysis.scan import ScanRules, Tape, refusal, scan, value_day

RULES = ScanRules(price_min=5.0, price_max=100.0, value_day_min=1_000_000.0, days_min=20, minutes_min=15)


def bars(count, price=10.0, volume=200_000.0):
    """Build flat bars."""
    return np.tile(np.array([0.0, price, price, price, price, volume]), (count, 1))


def tape(daily=20, today=0, price=10.0, volume=200_000.0, instrument="A"):
    """Build a name that passes with its defaults."""
    return Tape(instrument, bars(daily, volume=volume), NO_BARS, bars(today, volume=volume / 390), price)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (tape(), None),
        (tape(price=None), "price_unknown"),
        (tape(price=4.99), "price_out_of_range"),
        (tape(price=5.0), None),
        (tape(price=100.0), None),
        (tape(price=100.01), "price_out_of_range"),
        (tape(daily=19, today=14), "history_short"),
        (tape(daily=19, today=15), None),
        (tape(volume=100_000.0), None),
        (tape(volume=99_999.0), "illiquid"),
        (tape(daily=0, today=15, volume=99_999.0), "illiquid"),
        (tape(volume=0.0), None),
    ],
)
def test_each_filter_has_its_reason_on_both_sides_of_its_limit(name, reason):
    """Price, history by days or by minutes, traded value; a volume that is not known is no reason."""
    assert refusal(name, RULES) == reason


def test_the_left_out_are_counted_by_reason_and_the_order_is_kept():
    """Two too cheap, one too short: the others come through as they stood."""
    names = [tape(instrument="C"), tape(price=1.0), tape(daily=0), tape(instrument="B"), tape(price=2.0)]

    kept, rejected = scan(names, RULES)

    assert [name.instrument for name in kept] == ["C", "B"]
    assert rejected == {"price_out_of_range": 2, "history_short": 1}


def test_a_single_wild_day_does_not_make_a_name_liquid():
    """The traded value is the median of the days, not their mean."""
    name = tape(volume=1_000.0)
    name.daily[5, 5] = 1e12

    assert value_day(name, RULES) == 10_000.0
