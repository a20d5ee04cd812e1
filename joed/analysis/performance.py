"""How well it went: ratios of a series of equity or returns, each by its named method; None is unknown.

Definitions are those of empyrical: simple returns a period, 252 periods a year, no riskless rate.
"""

import math

import numpy as np

from joed.analysis.indicators import Floats

DAYS_A_YEAR = 252
RETURNS_MIN = 20
"""Fewer returns than this say nothing about their spread: the ratio is None."""
TAIL = 0.05


def returns(equity: Floats) -> Floats:
    """Give the simple return of each period as a fraction; one fewer than the marks of equity, which are above 0."""
    return np.diff(equity) / equity[:-1]


def sharpe(series: Floats, periods: int = DAYS_A_YEAR) -> float | None:
    """Give the mean return over its sample deviation (ddof 1), a year."""
    if len(series) < RETURNS_MIN:
        return None
    return ratio(float(series.mean()), float(series.std(ddof=1)), periods)


def sortino(series: Floats, periods: int = DAYS_A_YEAR) -> float | None:
    """Give the mean return over its downside deviation (root mean square of the losses, over all periods), a year."""
    if len(series) < RETURNS_MIN:
        return None
    return ratio(float(series.mean()), math.sqrt(float(np.square(np.minimum(series, 0.0)).mean())), periods)


def ratio(mean: float, deviation: float, periods: int) -> float | None:
    """Scale mean over deviation to a year; None where nothing deviates beyond rounding."""
    return None if deviation < 1e-12 else mean / deviation * math.sqrt(periods)


def max_drawdown(equity: Floats) -> float | None:
    """Give the deepest fall from a high so far, as a fraction (0 or negative), over marks of equity above 0."""
    if not len(equity):
        return None
    return float((equity / np.maximum.accumulate(equity)).min()) - 1.0


def hit_rate(wins: int, losses: int) -> float | None:
    """Give the share of closed trades that won; a trade at exactly zero is neither."""
    return wins / (wins + losses) if wins + losses else None


def expectancy(realised: float, trades: int) -> float | None:
    """Give the mean result of a closed trade, in the currency of `realised`."""
    return realised / trades if trades else None


def value_at_risk_historical(series: Floats, tail: float = TAIL) -> float | None:
    """Give the return that the worst `tail` of periods did not reach (historical, linear between ranks)."""
    return float(np.quantile(series, tail)) if len(series) >= RETURNS_MIN else None


def tail_loss_historical(series: Floats, tail: float = TAIL) -> float | None:
    """Give the mean return of the worst `tail` of periods (CVaR, historical, at least one period)."""
    if len(series) < RETURNS_MIN:
        return None
    worst = int((len(series) - 1) * tail) + 1
    return float(np.sort(series)[:worst].mean())
