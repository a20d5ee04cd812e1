"""Tests of joed.report.run: the sums of a backtest's report."""

from decimal import Decimal

from joed.report.rows import Mark
from joed.report.run import DayRow, basis_of, curve_of, ratios
from tests.small_days import played

D = Decimal


def row(equity):
    """A day that ended there."""
    return DayRow("d", D(equity), D(0), D(0), 0, 0, 0, 0, 0, 0, "")


def test_ratios_of_too_few_days_are_unknown():
    """Nineteen returns say nothing about their spread, twenty do; money has its mean either way."""
    few = ratios(D(100), [row(100 + day % 3) for day in range(19)], [], 0)
    enough = ratios(D(100), [row(100 + day % 3) for day in range(20)], [], 0)

    assert few["sharpe_daily_252"] is None
    assert enough["sharpe_daily_252"] is not None
    assert few["hit_rate"] is few["expectancy"] is None


def test_the_basis_of_the_result_is_said():
    """Flat: the cash of all fills; else the marks of what is held."""
    assert basis_of({}).startswith("the sum of cash over all fills")
    assert "2 positions are held" in basis_of({"AAA": D(1), "BBB": D(2)})


def test_the_curve_begins_with_what_there_was():
    """The first point is the equity before the first mark."""
    assert curve_of(D(100), [Mark(1, "d", D(101)), Mark(2, "d", D(99))]) == (100.0, 101.0, 99.0)


def test_the_deepest_fall_is_over_all_marks():
    """It lies between nothing and all, and a run that fell at all shows it."""
    report, _ = played()

    assert report.max_drawdown is not None
    assert -1.0 < report.max_drawdown < 0.0
    assert report.curve[0] == float(report.equity_start)
    assert report.hit_rate == report.wins / report.trades
