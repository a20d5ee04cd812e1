"""The scorecard: what it counts, what it withholds, and how it remembers."""

import csv
from itertools import pairwise

import numpy as np
import pytest

from joed.analysis.regime import BULL, DEFENSIVE, NEUTRAL, Evidence, RegimeRules, above_mean, judge, named

RULES = RegimeRules()
RISING = np.linspace(100.0, 200.0, 250)
FALLING = RISING[::-1].copy()
STRONG = {f"N{i}": True for i in range(10)}
WEAK = {f"N{i}": i < 3 for i in range(10)}


def evidence(closes=RISING, price=200.0, vix=15.0, breadth=STRONG):
    """Build evidence that is calm unless said otherwise."""
    return Evidence(np.array(closes), price, vix, dict(breadth))


def test_a_calm_market_is_a_bull_market():
    """Trend up, VIX low, breadth strong: no stress at all."""
    regime = judge(evidence(), RULES, None)

    assert (regime.name, regime.score) == (BULL, 1.0)
    assert "trend: SPY 200.00 above its 200-day 160.04 (0 of 1 stress)" in regime.parts


def test_a_stressed_market_is_defensive():
    """Trend down, a fall today, VIX in fear, few names above their mean: all six points."""
    regime = judge(evidence(FALLING, 98.0, 31.0, WEAK), RULES, BULL)

    assert (regime.name, regime.score) == (DEFENSIVE, -1.0)


@pytest.mark.parametrize(("vix", "stress"), [(20.0, 0), (20.01, 1), (30.0, 1), (30.01, 2)])
def test_vix_gives_a_point_above_twenty_and_two_above_thirty(vix, stress):
    """At the level itself it is still quiet."""
    regime = judge(evidence([], None, vix, {}), RULES, None)

    assert f"fear: VIX {vix:.2f} now ({stress} of 2 stress)" in regime.parts


def test_a_missing_input_withholds_its_vote_and_is_never_taken_for_calm():
    """With half the points of what is known, the unknown votes change nothing: the score stays at zero."""
    regime = judge(evidence([], None, 25.0, {}), RULES, None)

    assert (regime.name, regime.score) == (NEUTRAL, 0.0)
    assert sum("withheld" in part for part in regime.parts) == 4


def test_one_calm_vote_alone_makes_no_bull():
    """It takes `bull_votes_min` votes that were given."""
    assert judge(evidence([], None, 12.0, {}), RULES, BULL).name == NEUTRAL
    assert judge(evidence([199.0], 200.0, 12.0, {}), RULES, None).name == BULL


def test_without_any_vote_it_is_defensive():
    """What cannot be judged is not traded, and the words say so."""
    regime = judge(evidence([], None, None, {}), RULES, BULL)

    assert regime.name == DEFENSIVE
    assert "no vote was given" in regime.parts[-1]


def test_without_a_price_today_the_day_is_not_judged():
    """The last close against itself would read as a calm day."""
    regime = judge(evidence(price=None), RULES, None)

    assert "day: SPY has no price today or no last close (withheld)" in regime.parts
    assert any(part.startswith("trend: SPY 200.00 above") for part in regime.parts)


@pytest.mark.parametrize(
    ("previous", "score", "name"),
    [
        (None, 0.6, BULL),
        (None, 0.59, NEUTRAL),
        (BULL, 0.3, BULL),
        (BULL, 0.29, NEUTRAL),
        (NEUTRAL, 0.5, NEUTRAL),
        (NEUTRAL, -0.4, DEFENSIVE),
        (BULL, -0.4, DEFENSIVE),
        (NEUTRAL, -0.39, NEUTRAL),
        (DEFENSIVE, 0.39, DEFENSIVE),
        (DEFENSIVE, 0.4, NEUTRAL),
        (DEFENSIVE, 0.6, BULL),
    ],
)
def test_leaving_a_regime_takes_more_than_entering_it(previous, score, name):
    """The same score has two names, by where one comes from; both sides of each threshold."""
    assert named(score, 5, RULES, previous) == name


def test_a_name_stands_above_its_mean_or_is_not_counted():
    """The mean of the last closes against the price, the last close where none is given; too few days give None."""
    daily = np.tile(np.arange(1.0, 51.0)[:, None], (1, 6))

    assert above_mean(daily, 50) is True
    assert above_mean(daily, 50, 25.0) is False
    assert above_mean(daily[1:], 50) is None


def test_on_real_history_it_turns_seldom_and_sees_the_crises(data_dir):
    """S&P 500 and VIX 1999 to 2020: defensive in the autumn of 2008 and in March 2020, bull in 2017, few turns."""
    closes, vix = ({row[0]: row[1] for row in read(data_dir / "daily" / name)} for name in FILES)
    days = sorted(set(closes) & set(vix))
    prices = np.array([closes[day] for day in days])
    names: dict[str, str] = {}
    regime = None
    for i in range(200, len(days)):
        regime = judge(evidence(prices[i - 199 : i], prices[i], vix[days[i]], {}), RegimeRules(days_long=199), regime)
        names[days[i]] = regime = regime.name

    fled = [name == DEFENSIVE for name in names.values()]
    turns = sum(before != after for before, after in pairwise(fled))
    assert {names[day] for day in names if "2008-10" <= day < "2008-12"} == {DEFENSIVE}
    assert {names[day] for day in names if "2020-03-09" <= day < "2020-03-31"} == {DEFENSIVE}
    assert {names[day] for day in names if "2017-03" <= day < "2017-12"} == {BULL}
    assert turns / (len(names) / 252) < 2


FILES = ("spx_ohlcv_1999_2020.csv", "vix_daily_1990_2026.csv")


def read(path):
    """Give (date, close) of a daily file."""
    with path.open() as file:
        for row in csv.DictReader(file):
            found = {name.lower(): value for name, value in row.items()}
            yield found["date"], float(found["close"])
