"""The scorecard: what it counts, what it withholds, and how it remembers."""

import msgspec
import numpy as np
import pytest

from joed.analysis.regime import (
    BULL,
    DEFENSIVE,
    NEUTRAL,
    Evidence,
    RegimeRules,
    above_mean,
    judge,
    judged_daily,
    named,
)
from joed.engine.schedule import SHARES
from joed.model.events import RegimeRead
from joed.model.thinking import Regime
from joed.model.values import DAY

RULES = RegimeRules()
RISING = np.linspace(100.0, 200.0, 250)
FALLING = RISING[::-1].copy()
STRONG = {f"N{i}": True for i in range(10)}
WEAK = {f"N{i}": i < 3 for i in range(10)}


NOW = 20_000 * DAY


def evidence(closes=RISING, price=200.0, vix=15.0, breadth=STRONG, **more):
    """Build evidence that is calm unless said otherwise."""
    return Evidence(np.array(closes), price, vix, dict(breadth), **({"vix_closes": np.full(20, 14.0)} | more))


def judged(found, before=None):
    """Judge evidence by the rules, after a regime that has stood for a day, or none."""
    return judge(found, RULES, RegimeRead(before, 0.0, since_ns=NOW - DAY) if before else None, NOW)


def test_a_calm_market_is_a_bull_market():
    """Trend up, VIX low, breadth strong: no stress at all."""
    regime = judged(evidence())

    assert (regime.name, regime.score) == (BULL, 1.0)
    assert "trend: SPY 200.00 above its 200-day 160.04 (0 of 1 stress)" in regime.parts


def test_a_stressed_market_is_defensive():
    """Trend down, a fall today, VIX in fear and rising, few names above their mean: all seven points."""
    regime = judged(evidence(FALLING, 98.0, 31.0, WEAK), BULL)

    assert (regime.name, regime.score) == (DEFENSIVE, -1.0)


@pytest.mark.parametrize(("vix", "stress"), [(20.0, 0), (20.01, 1), (30.0, 1), (30.01, 2)])
def test_vix_gives_a_point_above_twenty_and_two_above_thirty(vix, stress):
    """At the level itself it is still quiet."""
    regime = judged(evidence([], None, vix, {}))

    assert f"fear: VIX {vix:.2f} now ({stress} of 2 stress)" in regime.parts


def test_a_missing_input_withholds_its_vote_and_is_never_taken_for_calm():
    """With one point of two known, the unknown votes change nothing: the score stays at zero, which is half."""
    regime = judged(evidence([], None, 25.0, {}, vix_closes=np.empty(0)))

    assert (regime.name, regime.score) == (DEFENSIVE, 0.0)
    assert sum("withheld" in part for part in regime.parts) == 6


@pytest.mark.parametrize("level", [None, float("nan"), float("inf"), 0.0, -3.0, 200.0])
def test_a_vix_that_can_be_none_is_not_taken_for_one(level):
    """Absent or absurd: every vote on it is withheld, and says what was found."""
    regime = judged(evidence(vix=level))

    withheld = {row.name for row in regime.votes if row.possible == 0}
    assert withheld == {"fear", "speed", "term"}
    assert next(row.words for row in regime.votes if row.name == "fear") == (
        "VIX is unknown" if level is None else f"VIX is no level at {level:g}"
    )


@pytest.mark.parametrize(("level", "stress"), [(18.19, 0), (18.2, 1)])
def test_a_vix_that_rises_thirty_percent_over_its_mean_gives_a_point(level, stress):
    """Its twenty days are at 14: 18.2 is the level itself."""
    row = next(row for row in judged(evidence(vix=level)).votes if row.name == "speed")

    assert (row.stress, row.possible) == (stress, 1)


@pytest.mark.parametrize(("ahead", "stress", "possible"), [(15.01, 0, 1), (15.0, 0, 1), (14.99, 1, 1), (None, 0, 0)])
def test_fear_now_above_fear_in_three_months_gives_a_point(ahead, stress, possible):
    """Where that index is subscribed but silent the vote is withheld."""
    rules = msgspec.structs.replace(RULES, term="VIX3M")
    row = next(row for row in judge(evidence(term=ahead), rules, None, NOW).votes if row.name == "term")

    assert (row.stress, row.possible) == (stress, possible)
    assert ("VIX3M is unknown" in row.words) is (ahead is None)


def test_one_calm_vote_alone_makes_no_bull():
    """It takes `bull_votes_min` votes that were given."""
    assert judged(evidence([], None, 12.0, {}, vix_closes=np.empty(0)), BULL).name == NEUTRAL
    assert judged(evidence([199.0], 200.0, 12.0, {}, vix_closes=np.empty(0))).name == BULL


def test_without_any_vote_it_is_defensive():
    """What cannot be judged is not traded, and the words say so."""
    regime = judged(evidence([], None, None, {}), BULL)

    assert regime.name == DEFENSIVE
    assert "no vote was given" in regime.parts[-1]


def test_without_a_price_today_the_day_is_not_judged():
    """The last close against itself would read as a calm day."""
    regime = judged(evidence(price=None))

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
        (NEUTRAL, 0.0, DEFENSIVE),
        (BULL, 0.0, DEFENSIVE),
        (NEUTRAL, 0.01, NEUTRAL),
        (DEFENSIVE, 0.59, DEFENSIVE),
        (DEFENSIVE, 0.6, BULL),
    ],
)
def test_leaving_a_regime_takes_more_than_entering_it(previous, score, name):
    """The same score has two names, by where one comes from; both sides of each threshold."""
    found, rule = named(score, 5, RULES, previous, held_days=6.0)

    assert found == name
    assert "score" in rule


@pytest.mark.parametrize(("held_days", "name"), [(4.99, DEFENSIVE), (5.0, BULL)])
def test_defensive_lasts_five_days_at_least_however_calm_it_is(held_days, name):
    """What opens risk waits; what closes it does not: there is no such wait on the way down."""
    assert named(1.0, 5, RULES, DEFENSIVE, held_days)[0] == name
    assert named(-1.0, 5, RULES, BULL, 0.0)[0] == DEFENSIVE


def test_a_regime_remembers_since_when_it_stands():
    """The same name keeps its beginning, another begins now; the rule that named it is told."""
    calm, stressed = judged(evidence(), BULL), judged(evidence(FALLING, 98.0, 31.0, WEAK), BULL)

    assert calm.since_ns == NOW - DAY
    assert stressed.since_ns == NOW
    assert stressed.rule == "score -1.00 is at most +0.00"


def test_caution_for_want_of_any_vote_is_not_remembered():
    """The first votes of the day judge afresh; nobody waits five days for a market that was never seen."""
    blind = judged(evidence([], None, None, {}, vix_closes=np.empty(0)))

    assert judge(evidence(), RULES, blind, NOW + 1).name == BULL
    assert judge(evidence(), RULES, judged(evidence(FALLING, 98.0, 31.0, WEAK)), NOW + 1).name == DEFENSIVE


def test_the_settings_are_the_rules():
    """Each threshold that a person sets is one that the scorecard reads, with the same default."""
    rules = RegimeRules()
    shared = set(Regime.__slots__) - SHARES

    assert shared == set(RegimeRules.__struct_fields__) - {"index", "vix"}
    assert all(getattr(Regime(), name) == getattr(rules, name) for name in shared)


def test_whole_columns_are_judged_as_each_evening_would_be():
    """A random walk of 900 days with a VIX of its own: the same name each day, from the same history."""
    chance = np.random.default_rng(5)
    closes = 100.0 * np.exp(np.cumsum(chance.normal(0.0, 0.015, 900)))
    vix = 18.0 * np.exp(np.cumsum(chance.normal(0.0, 0.06, 900)) * 0.3)
    at_ns = NOW + np.arange(900.0) * DAY

    regime, names = None, []
    for day in range(RULES.days_long, 900):
        found = Evidence(closes[:day], closes[day], vix[day], {}, vix_closes=vix[:day])
        regime = judge(found, RULES, regime, int(at_ns[day]))
        names.append(regime.name)

    assert judged_daily(closes, vix, at_ns, RULES) == [""] * RULES.days_long + names
    assert set(names) == {BULL, NEUTRAL, DEFENSIVE}
    assert judged_daily(closes[:200], vix[:200], at_ns[:200], RULES) == [""] * 200


def test_a_name_stands_above_its_mean_or_is_not_counted():
    """The mean of the last closes against the price, the last close where none is given; too few days give None."""
    daily = np.tile(np.arange(1.0, 51.0)[:, None], (1, 6))

    assert above_mean(daily, 50) is True
    assert above_mean(daily, 50, 25.0) is False
    assert above_mean(daily[1:], 50) is None
