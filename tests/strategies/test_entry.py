"""What all that buy have in common: a level to rise through, and exits that stand on their own sides."""

from decimal import Decimal

import numpy as np
import pytest

from joed.model.values import MINUTE, SECOND
from joed.strategies.entry import Plan, purchase, turn, whole_bars
from tests.strategies.test_breakout import CLOSE, OPEN, context, minutes

PLAN = Plan("momentum", "A", above=100.37, stop_distance=1.0, target=103.0, trail=0.52, valid_s=60.0, reasons=("r",))


def changed(**changes):
    """Give the plan with other numbers."""
    fields = {name: getattr(PLAN, name) for name in Plan.__struct_fields__}
    return Plan(**(fields | changes))


def test_each_price_stands_on_its_tick_and_the_signal_is_the_sessions():
    """Ticks of 0.05: level above, stop and target down, trail up; the name of the signal knows no level."""
    made = purchase(context(), PLAN)

    assert (made.level, made.stop, made.target) == (Decimal("100.40"), Decimal("99.40"), Decimal("103.00"))
    assert made.trail == Decimal("0.55")
    assert made.signal == "momentum-A-2026-11-20"
    assert made.valid_until_ns == OPEN + 30 * MINUTE + 60 * SECOND
    assert made.risk == Decimal("0.004")


@pytest.mark.parametrize("wrong", [{"stop_distance": 101.0}, {"stop_distance": 0.0}, {"target": 100.4}])
def test_a_purchase_whose_exits_do_not_stand_on_their_sides_is_none(wrong):
    """A stop at the entry or below zero, a target at the entry."""
    assert purchase(context(), changed(**wrong)) is None


def test_no_trigger_outlives_the_session():
    """Near the close it ends with it."""
    assert purchase(context(now_ns=CLOSE - SECOND), PLAN).valid_until_ns == CLOSE


def test_the_turn_is_the_high_of_the_last_whole_five_minutes():
    """Eleven minutes are two whole bars; what has run a bar's range beyond its high is not chased; none before one."""
    bars = minutes(11)
    bars[5:10, 2] = 100.2
    bars[5:10, 3] = 99.9

    assert turn(bars, 100.0) == 100.2
    assert turn(bars, 100.49) == 100.2
    assert turn(bars, 100.51) is None
    assert turn(minutes(4), 100.0) is None


def test_no_minutes_fold_into_no_bars():
    """Before the open there is nothing to fold."""
    assert len(whole_bars(np.empty((0, 6)))) == 0
