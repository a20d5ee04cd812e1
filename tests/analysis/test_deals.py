"""What entries came to: a hand's reckoning of a small day, and what is not known said so."""

import pytest

from joed.analysis.deals import figures, of_group
from joed.model.orders import Deal

DAY = [
    Deal("breakout", "bull", True, 30.0, 2_000.0, 0.001),
    Deal("breakout", "neutral", True, -10.0, 1_000.0, 0.003),
    Deal("own:gap", "bull", False, -1.0, 500.0),
]


def test_a_day_is_added_up_by_strategy_and_by_regime():
    """Two closed of three; what is held counts for its money and not as a trade."""
    found = figures(DAY, 10_000.0, 500.0, -500.0)

    assert (found["exposure_gross"], found["exposure_net"], found["turnover_today"]) == (0.05, -0.05, 0.35)
    assert found["slippage_mean_today"] == pytest.approx(0.002)
    breakout = {name.removeprefix("strategy.breakout."): value for name, value in found.items() if "breakout" in name}
    slippage = breakout.pop("slippage_mean")
    assert breakout == {"trades": 2.0, "gained": 20.0, "hit_rate": 0.5, "expectancy": 10.0}
    assert slippage == pytest.approx(0.002)
    assert (found["regime.bull.gained"], found["regime.neutral.trades"]) == (29.0, 1.0)


def test_what_is_not_known_is_none():
    """No closed trade, no decision price, no equity."""
    assert of_group(DAY[2:]) == {
        "trades": 0.0,
        "gained": -1.0,
        "hit_rate": None,
        "expectancy": None,
        "slippage_mean": None,
    }
    assert set(figures([], 0.0, 0.0, 0.0).values()) == {None}
    assert figures([], 1.0, 0.0, 0.0)["turnover_today"] == 0.0


def test_an_entry_before_any_regime_has_a_name():
    """A row that begins with nothing could not be told from another."""
    assert "regime.none.trades" in figures([Deal("a", "", True, 1.0, 1.0)], 1.0, 0.0, 0.0)
