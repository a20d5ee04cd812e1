"""Where momentum finds a pause in a rise, and when it keeps still."""

from dataclasses import asdict
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from joed.model.settings import Momentum
from joed.model.values import DAY, MINUTE
from joed.strategies.momentum import momentum
from tests.strategies.test_breakout import OPEN
from tests.strategies.test_breakout import context as moment


def days(drift=0.2, count=60, base=100.0):
    """Build days that rise by `drift` each, with a range of two: an ATR of two."""
    closes = base + drift * np.arange(count)
    times = OPEN - DAY * np.arange(count, 0.0, -1.0)
    return np.column_stack((times, closes, closes + 1.0, closes - 1.0, closes, np.full(count, 1e6)))


def today(price, count=60):
    """Build minutes that stand at a price, with a range of a tenth."""
    times = OPEN + np.arange(count) * float(MINUTE)
    return np.column_stack(
        (times, *(np.full(count, value) for value in (price, price + 0.05, price - 0.05, price, 1.0)))
    )


def context(price=110.0, **changes):
    """Build a moment an hour after the open: 60 rising days to 111.8 with a high of 112.8, and a price of today."""
    params = msgspec.to_builtins(asdict(Momentum(enabled=True))) | changes.pop("params", {})
    given = {"daily": {"A": days()}, "minutes": {"A": today(price)}, "ticks": {"A": Decimal("0.01")}, "params": params}
    return moment(60, **(given | changes))


def test_a_pause_in_a_rise_is_bought_above_the_last_five_minutes():
    """2.8 below the high are 1.4 ranges of two: a tick above, the stop half a range below, the target 1.5 above."""
    (made,) = momentum(context())

    assert made.level == Decimal("110.06")
    assert made.stop == Decimal("109.06")
    assert made.target == Decimal("113.05")
    assert made.trail == Decimal("1.00")
    assert made.signal == "momentum-A-2026-11-20"
    assert "1.4 average ranges below the high 112.80" in made.reasons[0]


@pytest.mark.parametrize(("price", "buys"), [(111.31, False), (111.29, True), (108.81, True), (108.79, False)])
def test_only_a_pause_is_bought(price, buys):
    """Between three quarters of a range and, here, two ranges below the high of 112.8."""
    found = momentum(context(price, params={"dip_max_atr": 2.0}))

    assert bool(found) is buys


@pytest.mark.parametrize(
    "changes",
    [
        {"regime": "neutral"},
        {"params": {"enabled": False}},
        {"positions": {"A": Decimal(5)}},
        {"daily": {}},
        {"daily": {"A": days(count=49)}},
        {"daily": {"A": days(drift=-0.2, base=121.0)}},
        {"minutes": {}},
        {"now_ns": OPEN + 30 * MINUTE - 1},
        {"prices": {"A": 110.2}},
    ],
)
def test_it_keeps_still_where_it_should(changes):
    """Another regime, switched off, held, too little known, a falling name, too early, run away from the last bar."""
    assert momentum(context(**changes)) == ()
