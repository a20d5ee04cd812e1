"""The ratios against hand computation, and against empyrical's figures on a real index."""

import csv
import math

import numpy as np
import pandas as pd
import pytest

from joed.analysis import performance

SERIES = np.array([0.01, -0.02, 0.03, 0.0] * 5)


def test_ratios_follow_their_definitions():
    """Mean over sample deviation, mean over downside deviation, both times the root of 252."""
    mean = 0.005
    deviation = math.sqrt(5 * (0.005**2 + 0.025**2 + 0.025**2 + 0.005**2) / 19)
    downside = math.sqrt(5 * 0.02**2 / 20)

    assert performance.sharpe(SERIES) == pytest.approx(mean / deviation * math.sqrt(252))
    assert performance.sortino(SERIES) == pytest.approx(mean / downside * math.sqrt(252))


def test_nineteen_returns_are_too_few_and_twenty_will_do():
    """Below RETURNS_MIN each ratio of a spread is unknown."""
    for ratio in (
        *(performance.sharpe, performance.sortino),
        *(performance.value_at_risk_historical, performance.tail_loss_historical),
    ):
        assert ratio(SERIES[:19]) is None
        assert ratio(SERIES) is not None


def test_a_ratio_over_no_deviation_is_unknown():
    """Equal returns have no risk that could be divided by; gains alone have no downside."""
    assert performance.sharpe(np.full(20, 0.001)) is None
    assert performance.sortino(np.full(20, 0.001)) is None


def test_drawdown_is_from_the_highest_mark_so_far():
    """From 120 to 90 is a quarter, whatever comes before or after."""
    assert performance.max_drawdown(np.array([100.0, 120.0, 90.0, 130.0, 125.0])) == pytest.approx(-0.25)
    assert performance.max_drawdown(np.array([1.0, 2.0])) == 0.0
    assert performance.max_drawdown(np.array([])) is None


def test_tails_are_historical():
    """Of 100 returns the fifth percentile by linear rank, and the mean of the five worst."""
    series = np.arange(100) / 1000.0 - 0.05

    assert performance.value_at_risk_historical(series) == pytest.approx(-0.05 + 0.00495)
    assert performance.tail_loss_historical(series) == pytest.approx(-0.048)


def test_trades_give_a_hit_rate_and_an_expectancy_or_nothing():
    """No closed trade, no figure."""
    assert performance.hit_rate(3, 1) == 0.75
    assert performance.expectancy(100.0, 4) == 25.0
    assert performance.hit_rate(0, 0) is None
    assert performance.expectancy(0.0, 0) is None


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ratios_equal_their_definitions_in_another_library_to_the_ninth_digit(seed):
    """Empyrical's definitions written in pandas: sample deviation, downside over all periods, cumulative maximum."""
    chance = np.random.default_rng(seed)
    equity = 1000.0 * np.exp(np.cumsum(chance.normal(0.0003, 0.01, 700)))
    marks = pd.Series(equity)
    series = marks.pct_change().dropna()
    downside = math.sqrt((series.clip(upper=0.0) ** 2).mean())
    worst = series.sort_values().head(int((len(series) - 1) * 0.05) + 1)

    ours = performance.returns(equity)
    close = {"rel": 1e-9}
    assert performance.sharpe(ours) == pytest.approx(series.mean() / series.std() * math.sqrt(252), **close)
    assert performance.sortino(ours) == pytest.approx(series.mean() / downside * math.sqrt(252), **close)
    assert performance.max_drawdown(equity) == pytest.approx((marks / marks.cummax()).min() - 1.0, **close)
    assert performance.value_at_risk_historical(ours) == pytest.approx(series.quantile(0.05), **close)
    assert performance.tail_loss_historical(ours) == pytest.approx(worst.mean(), **close)


def test_figures_of_a_real_index_equal_empyrical(data_dir):
    """SPY, daily closes 2018 to 2026: Sharpe, Sortino, drawdown as empyrical-reloaded 0.7.1 gives them."""
    with (data_dir / "daily/spy_daily_stooq_2018_2026.csv").open() as file:
        rows = list(csv.DictReader(file))
    closes = np.array([float(row["close"]) for row in rows])
    returns = performance.returns(closes)

    assert performance.sharpe(returns) == pytest.approx(0.7697501, abs=1e-6)
    assert performance.sortino(returns) == pytest.approx(1.0844421, abs=1e-6)
    assert performance.max_drawdown(closes) == pytest.approx(-0.3371539, abs=1e-6)
    assert performance.value_at_risk_historical(returns) == pytest.approx(-0.0178, abs=5e-5)
    assert performance.tail_loss_historical(returns) == pytest.approx(-0.0294, abs=5e-5)
