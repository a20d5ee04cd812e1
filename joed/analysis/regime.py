"""The market's regime: a scorecard of votes for calm and stress, with a memory, so that it does not flutter.

Each vote gives points of stress out of the points it may give; a vote without its input is withheld: its points are in
neither sum, so nothing is ever assumed calm. The score is 1 - 2 * stress / possible: +1 all calm, -1 all stress.
"""

import numpy as np
from msgspec import Struct

from joed.analysis.indicators import CLOSE, Floats
from joed.model.events import RegimeRead

BULL, NEUTRAL, DEFENSIVE = "bull", "neutral", "defensive"


class RegimeRules(Struct, frozen=True, forbid_unknown_fields=True):
    """What the scorecard reads and where it turns; VIX 20 and 30 and days 50 and 200 are the usual ones, not fitted.

    To become defensive it takes three points of four, to leave it at most one: the difference is the memory.
    """

    index: str = "SPY"
    vix: str = "VIX"
    days_long: int = 200
    days_short: int = 50
    vix_uneasy: float = 20.0
    vix_fear: float = 30.0
    fall_day: float = 0.015
    breadth_weak: float = 0.40
    breadth_names_min: int = 10
    bull_enter: float = 0.6
    bull_leave: float = 0.3
    bull_votes_min: int = 2
    defensive_enter: float = -0.4
    defensive_leave: float = 0.4


class Evidence(Struct, frozen=True):
    """What the votes look at. `closes` are the index's daily closes before today, oldest first.

    `price` is the index today, None before there is one; `vix` the latest level, `vix_source` of when it is, in words;
    `breadth` says of each name whether it stands above its mean of `days_short`, without those of too short a history.
    """

    closes: Floats
    price: float | None
    vix: float | None
    breadth: dict[str, bool]
    vix_source: str = "now"


class Vote(Struct, frozen=True):
    """Points of stress out of the possible ones, with the words for a person; `possible` 0 is withheld."""

    name: str
    stress: int
    possible: int
    words: str


def judge(evidence: Evidence, rules: RegimeRules, previous: str | None) -> RegimeRead:
    """Give the regime that follows from the votes and the regime before (None: there was none)."""
    votes = [vote(evidence, rules) for vote in VOTES]
    possible = sum(vote.possible for vote in votes)
    given = sum(vote.possible > 0 for vote in votes)
    parts = tuple(f"{vote.name}: {vote.words} ({points(vote)})" for vote in votes)
    if not given:
        return RegimeRead(DEFENSIVE, 0.0, (*parts, "no vote was given: what cannot be judged is not traded"))
    score = 1.0 - 2.0 * sum(vote.stress for vote in votes) / possible
    return RegimeRead(named(score, given, rules, previous), round(score, 4), parts)


def named(score: float, given: int, rules: RegimeRules, previous: str | None) -> str:
    """Name the regime: the thresholds to leave lie further off than those to enter."""
    if score <= rules.defensive_enter or (previous == DEFENSIVE and score < rules.defensive_leave):
        return DEFENSIVE
    bull_from = rules.bull_leave if previous == BULL else rules.bull_enter
    return BULL if score >= bull_from and given >= rules.bull_votes_min else NEUTRAL


def points(vote: Vote) -> str:
    """Say what a vote counted."""
    return f"{vote.stress} of {vote.possible} stress" if vote.possible else "withheld"


def trend(evidence: Evidence, rules: RegimeRules) -> Vote:
    """Vote on the index against its long mean."""
    if len(evidence.closes) < rules.days_long:
        return Vote("trend", 0, 0, f"{rules.index} has {len(evidence.closes)} days of {rules.days_long}")
    mean = float(evidence.closes[-rules.days_long :].mean())
    price = float(evidence.closes[-1]) if evidence.price is None else evidence.price
    side = "below" if price < mean else "above"
    return Vote("trend", int(price < mean), 1, f"{rules.index} {price:.2f} {side} its {rules.days_long}-day {mean:.2f}")


def cross(evidence: Evidence, rules: RegimeRules) -> Vote:
    """Vote on the index's short mean against its long one."""
    if len(evidence.closes) < rules.days_long:
        return Vote("cross", 0, 0, f"{rules.index} has {len(evidence.closes)} days of {rules.days_long}")
    long, short = (float(evidence.closes[-days:].mean()) for days in (rules.days_long, rules.days_short))
    below = short < long
    side = "below" if below else "above"
    return Vote("cross", int(below), 1, f"{rules.days_short}-day {short:.2f} {side} {rules.days_long}-day {long:.2f}")


def day(evidence: Evidence, rules: RegimeRules) -> Vote:
    """Vote on the index's move since the last close."""
    if evidence.price is None or not len(evidence.closes):
        return Vote("day", 0, 0, f"{rules.index} has no price today or no last close")
    change = evidence.price / float(evidence.closes[-1]) - 1.0
    return Vote("day", int(change <= -rules.fall_day), 1, f"{rules.index} {change:+.2%} since the last close")


def fear(evidence: Evidence, rules: RegimeRules) -> Vote:
    """Vote on the level of VIX: one point when uneasy, two in fear."""
    if evidence.vix is None:
        return Vote("fear", 0, 0, f"{rules.vix} is unknown")
    stress = int(evidence.vix > rules.vix_uneasy) + int(evidence.vix > rules.vix_fear)
    return Vote("fear", stress, 2, f"{rules.vix} {evidence.vix:.2f} {evidence.vix_source}")


def breadth(evidence: Evidence, rules: RegimeRules) -> Vote:
    """Vote on the share of names above their own short mean."""
    names = len(evidence.breadth)
    if names < rules.breadth_names_min:
        return Vote(
            "breadth", 0, 0, f"{names} names have {rules.days_short} days, {rules.breadth_names_min} are needed"
        )
    share = sum(evidence.breadth.values()) / names
    words = f"{share:.0%} of {names} names above their {rules.days_short}-day mean"
    return Vote("breadth", int(share < rules.breadth_weak), 1, words)


VOTES = (trend, cross, day, fear, breadth)


def above_mean(daily: Floats, days: int, price: float | None = None) -> bool | None:
    """Say whether the price (the last close where None) stands above its mean of `days` closes; None if too few."""
    if len(daily) < days:
        return None
    closes = daily[-days:, CLOSE]
    return bool((closes[-1] if price is None else price) > np.mean(closes))
