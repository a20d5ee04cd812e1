"""Where reversion finds what was sold too far, and when it keeps still."""

from dataclasses import asdict
from decimal import Decimal

import msgspec
import numpy as np
import pytest

from joed.model.settings import Reversion
from joed.model.values import MINUTE
from joed.strategies.reversion import reversion
from tests.strategies.test_breakout import OPEN
from tests.strategies.test_breakout import context as moment
from tests.strategies.test_momentum import days


def slide(count=120, fall=0.04, start=120.0):
    """Build minutes that stand for an hour and then slide by a few cents each, with a range of a tenth."""
    closes = start - fall * np.maximum(0.0, np.arange(count) - 60.0)
    times = OPEN + np.arange(count) * float(MINUTE)
    return np.column_stack((times, closes, closes + 0.05, closes - 0.05, closes, np.full(count, 100.0)))


def context(**changes):
    """Build a moment two hours after the open: a name above its long mean, far below the day's mean price."""
    params = msgspec.to_builtins(asdict(Reversion(enabled=True))) | changes.pop("params", {})
    given = {"daily": {"A": days(count=120, drift=0.0)}, "minutes": {"A": slide()}, "params": params}
    return moment(120, **(given | {"ticks": {"A": Decimal("0.01")}} | changes))


def test_a_stretch_is_bought_above_the_last_five_minutes_and_sold_at_the_mean_price():
    """The slide ends at 117.64 under a mean price of 119.4: the target is that mean, the stop two ranges below."""
    (made,) = reversion(context())

    assert made.level == Decimal("117.86")
    assert made.target == Decimal("119.41")
    assert made.level - made.stop == Decimal("0.40")
    assert made.trail == 0
    assert made.signal == "reversion-A-2026-11-20"
    assert "below its mean price 119.41, strength 0" in made.reasons[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"regime": "defensive"},
        {"params": {"enabled": False}},
        {"params": {"stretch_atr": 10.0}},
        {"params": {"reward_min": 4.0}},
        {"positions": {"A": Decimal(5)}},
        {"daily": {}},
        {"daily": {"A": days(count=99, drift=0.0)}},
        {"daily": {"A": days(count=120, drift=0.0, base=118.0)}},
        {"minutes": {}},
        {"minutes": {"A": slide(fall=0.0)}},
        {"minutes": {"A": slide(fall=-0.04)}},
        {"prices": {"A": 118.5}},
    ],
)
def test_it_keeps_still_where_it_should(changes):
    """Another regime, switched off, too near, not worth its stop, held, unknown, a falling name, no slide, run away."""
    assert reversion(context(**changes)) == ()
