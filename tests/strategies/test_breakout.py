"""Where breakout puts its level, stop and target, and when it keeps still."""

from dataclasses import asdict
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.model.events import Candidate
from joed.model.settings import Breakout
from joed.model.values import MINUTE, SECOND, Crossing, Side
from joed.strategies.breakout import breakout, movement
from joed.strategies.context import Context
from joed.strategies.entry import whole_bars

OPEN = 1_000_000 * 5 * MINUTE
CLOSE = OPEN + 390 * MINUTE


def minutes(count, high=100.37, low=99.63, start=OPEN):
    """Build minutes whose range is the same each time: Wilder's ATR is high - low."""
    times = start + np.arange(count) * float(MINUTE)
    return np.column_stack((times, *(np.full(count, value) for value in (100.0, high, low, 100.0, 500.0))))


def context(count=30, **changes):
    """Build a moment `count` minutes after the open, with one name on the watchlist."""
    params = msgspec.to_builtins(asdict(Breakout())) | changes.pop("params", {})
    given = {
        "now_ns": OPEN + count * MINUTE,
        "session": "2026-11-20",
        "open_ns": OPEN,
        "close_ns": CLOSE,
        "regime": "bull",
        "watchlist": (Candidate("A", 71.4),),
        "params": params,
        "minutes": {"A": minutes(count)},
        "ticks": {"A": Decimal("0.05")},
        "risk": Decimal("0.004"),
    }
    return Context(**(given | changes))


def test_the_trigger_stands_one_tick_above_the_high_with_its_distances_in_atr():
    """High 100.37 on a tick of 0.05: level 100.40; ATR 0.74 a minute is 1.6547 in five; each price on its tick."""
    (trigger,) = breakout(context(count=30))

    assert (trigger.instrument, trigger.side, trigger.crossing) == ("A", Side.BUY, Crossing.ABOVE)
    assert trigger.level == Decimal("100.40")
    assert trigger.stop == Decimal("96.25")  # 100.40 - 2.5 * 1.6547 = 96.263, down to the tick
    assert trigger.target == Decimal("116.90")  # 100.40 + 10 * 1.6547 = 116.947
    assert trigger.trail == Decimal("3.35")  # 2 * 1.6547 = 3.309, up to the tick
    assert trigger.signal == "breakout-A-2026-11-20-100.40"
    assert trigger.valid_until_ns == OPEN + 30 * MINUTE + 120 * SECOND
    assert (trigger.risk, trigger.volume_min) == (Decimal("0.004"), 0.0)
    assert trigger.reasons == (
        "breaks 100.40, above the range 99.63 to 100.37 of 30 minutes",
        "ATR 1.655, from 14 one-minute bars scaled to five minutes",
        "score 71, bull market",
    )


def test_a_high_on_the_tick_is_broken_by_the_next_one():
    """The level must be above the high, not at it."""
    (trigger,) = breakout(context(minutes={"A": minutes(30, high=100.40)}))

    assert trigger.level == Decimal("100.45")


def test_the_same_high_is_the_same_signal_and_a_new_high_a_new_one():
    """A minute later nothing has changed but the time until which it is valid."""
    first, later = (breakout(context(count))[0] for count in (30, 31))
    higher = breakout(
        context(31, minutes={"A": np.vstack((minutes(30), minutes(1, high=101.0, start=OPEN + 30 * MINUTE)))})
    )

    assert first.signal == later.signal
    assert later.valid_until_ns == first.valid_until_ns + MINUTE
    assert higher[0].signal == "breakout-A-2026-11-20-101.05"


@pytest.mark.parametrize(
    ("change", "made"),
    [
        ({}, 1),
        ({"now_ns": OPEN + 30 * MINUTE - 1}, 0),
        ({"now_ns": CLOSE}, 0),
        ({"regime": "neutral"}, 1),
        ({"regime": "defensive"}, 0),
        ({"regime": ""}, 0),
        ({"params": {"enabled": False}}, 0),
        ({"positions": {"A": Decimal(5)}}, 0),
        ({"watchlist": ()}, 0),
        ({"minutes": {}}, 0),
        ({"minutes": {"A": minutes(14)}}, 0),
        ({"minutes": {"A": minutes(15)}}, 1),
        ({"minutes": {"A": minutes(30, high=100.0, low=100.0)}}, 0),
        ({"minutes": {"A": minutes(30, high=150.0, low=50.0)}}, 0),
        ({"prices": {"A": 101.2}}, 1),
        ({"prices": {"A": 101.3}}, 0),
    ],
)
def test_it_keeps_still_unless_all_is_there(change, made):
    """Time, regime, switch, holding, watchlist, bars; not too quiet, too wild for a stop, or 0.5 ATR run away."""
    assert len(breakout(context(**change))) == made


def test_no_trigger_outlives_the_session():
    """Just before the close it is valid until the close."""
    (trigger,) = breakout(context(389, now_ns=CLOSE - SECOND))

    assert trigger.valid_until_ns == CLOSE


def test_a_volume_ratio_asks_for_that_much_of_the_usual_minute():
    """Twice the mean of today's minutes."""
    (trigger,) = breakout(context(params={"volume_ratio": 2.0}))

    assert trigger.volume_min == 1000.0


def test_an_unknown_parameter_of_the_wrong_type_is_refused():
    """A strategy does not trade on a parameter it cannot read."""
    with pytest.raises(msgspec.ValidationError, match="stop_atr"):
        breakout(context(params={"stop_atr": "wide"}))


def test_movement_comes_from_five_minute_bars_once_there_are_enough():
    """Fifteen whole bars give fourteen ranges with a close before them; one minute fewer and it is scaled."""
    assert movement(minutes(75), 14).words.endswith("five-minute bars")
    assert movement(minutes(75), 14).atr == pytest.approx(0.74)
    assert "scaled" in movement(minutes(74), 14).words
    assert movement(minutes(14), 14) is None


def test_a_bar_that_is_not_over_does_not_count():
    """Four minutes into a bar it is left out; at its end it is in."""
    assert len(whole_bars(minutes(9))) == 1
    assert len(whole_bars(minutes(10))) == 2
    assert len(whole_bars(minutes(0))) == 0


@given(st.floats(1.0, 900.0), st.floats(0.002, 0.05), st.sampled_from(["0.01", "0.05", "0.25"]))
def test_every_price_lies_on_its_tick_and_on_its_side(price, spread, tick):
    """Stop below level below target, all whole ticks, the level above the high by a tick at most."""
    bars = minutes(60, price * (1 + spread), price * (1 - spread))
    for trigger in breakout(context(60, minutes={"A": bars}, ticks={"A": Decimal(tick)}, prices={"A": price})):
        assert trigger.stop < trigger.level < trigger.target
        assert all(value % Decimal(tick) == 0 for value in (trigger.stop, trigger.level, trigger.target, trigger.trail))
        assert 0 < float(trigger.level) - bars[0, 2] <= float(tick) + 1e-9
