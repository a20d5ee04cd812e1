"""The market's regime: a scorecard of votes for calm and stress, with a memory, so that it does not flutter.

Each vote gives points of stress out of the points it may give; a vote without its input is withheld: its points are in
neither sum, so nothing is ever assumed calm. The score is 1 - 2 * stress / possible: +1 all calm, -1 all stress.
"""

import numpy as np
from msgspec import Struct

from joed.analysis.indicators import CLOSE, Floats
from joed.model.rows import RegimeRead, VoteRead
from joed.model.values import DAY

BULL, NEUTRAL, DEFENSIVE = "bull", "neutral", "defensive"
REGIMES = (DEFENSIVE, NEUTRAL, BULL)
"""The most anxious first."""
VIX_MAX = 200.0
"""No close of VIX was ever above 83; a number beyond this is none."""
NONE: Floats = np.empty(0)


class RegimeRules(Struct, frozen=True, forbid_unknown_fields=True):
    """What the scorecard reads and where it turns: joed.model.thinking.Regime, and the symbols; nothing is fitted."""

    index: str = "SPY"
    vix: str = "VIX"
    term: str = ""
    days_long: int = 200
    days_short: int = 50
    vix_uneasy: float = 20.0
    vix_fear: float = 30.0
    vix_rise: float = 0.30
    vix_days: int = 20
    fall_day: float = 0.015
    breadth_weak: float = 0.40
    breadth_names_min: int = 10
    bull_enter: float = 0.6
    bull_leave: float = 0.3
    bull_votes_min: int = 2
    defensive_enter: float = 0.0
    defensive_leave: float = 0.6
    dwell_days: float = 5.0


class Evidence(Struct, frozen=True):
    """What the votes look at. `closes` and `vix_closes` are daily closes before today, oldest first.

    `price` is the index today, None before there is one; `vix` the latest level, `vix_source` of when it is, in words;
    `term` is VIX three months ahead, None where it is not subscribed; `breadth` says of each name whether it stands
    above its mean of `days_short`, without those of too short a history.
    """

    closes: Floats
    price: float | None
    vix: float | None
    breadth: dict[str, bool]
    vix_source: str = "now"
    vix_closes: Floats = NONE
    term: float | None = None


def judge(evidence: Evidence, rules: RegimeRules, previous: RegimeRead | None, now_ns: int) -> RegimeRead:
    """Give the regime at `now_ns` that follows from the votes and the regime before (None: there was none).

    A regime that was named for want of any vote is not remembered: it was caution, not a judgement.
    """
    if previous is not None and previous.votes and not any(vote.possible for vote in previous.votes):
        previous = None
    votes = tuple(vote(evidence, rules) for vote in VOTES)
    possible = sum(vote.possible for vote in votes)
    given = sum(vote.possible > 0 for vote in votes)
    parts = tuple(f"{vote.name}: {vote.words} ({points(vote)})" for vote in votes)
    if given:
        score = 1.0 - 2.0 * sum(vote.stress for vote in votes) / possible
        held_days = (now_ns - previous.since_ns) / DAY if previous is not None else 0.0
        name, rule = named(score, given, rules, previous.name if previous is not None else None, held_days)
    else:
        score, name = 0.0, DEFENSIVE
        rule = "no vote was given: what cannot be judged is not traded"
        parts = (*parts, rule)
    stands = previous is not None and previous.name == name
    since_ns = previous.since_ns if previous is not None and stands else now_ns
    return RegimeRead(name, round(score, 4), parts, votes, since_ns, rule)


def named(
    score: float, given: int, rules: RegimeRules, previous: str | None, held_days: float = 0.0
) -> tuple[str, str]:
    """Name the regime and the rule: the thresholds to leave lie further off than those to enter, and DEFENSIVE lasts.

    `held_days` is how long the previous regime has stood, in days of 24 hours.
    """
    if score <= rules.defensive_enter:
        return DEFENSIVE, f"score {score:+.2f} is at most {rules.defensive_enter:+.2f}"
    if previous == DEFENSIVE and score < rules.defensive_leave:
        return DEFENSIVE, f"score {score:+.2f} is below {rules.defensive_leave:+.2f}, which it takes to leave"
    if previous == DEFENSIVE and held_days < rules.dwell_days:
        return DEFENSIVE, f"it has stood {held_days:.1f} days of the {rules.dwell_days:g} that it lasts at least"
    bull_from = rules.bull_leave if previous == BULL else rules.bull_enter
    if score < bull_from:
        return NEUTRAL, f"score {score:+.2f} is below the {bull_from:+.2f} of a bull market"
    if given < rules.bull_votes_min:
        return NEUTRAL, f"{given} votes were given, a bull market takes {rules.bull_votes_min}"
    return BULL, f"score {score:+.2f} is at least {bull_from:+.2f}"


def points(vote: VoteRead) -> str:
    """Say what a vote counted."""
    return f"{vote.stress} of {vote.possible} stress" if vote.possible else "withheld"


def trend(evidence: Evidence, rules: RegimeRules) -> VoteRead:
    """Vote on the index against its long mean."""
    if len(evidence.closes) < rules.days_long:
        return VoteRead("trend", 0, 0, f"{rules.index} has {len(evidence.closes)} days of {rules.days_long}")
    mean = float(evidence.closes[-rules.days_long :].mean())
    price = float(evidence.closes[-1]) if evidence.price is None else evidence.price
    side = "below" if price < mean else "above"
    words = f"{rules.index} {price:.2f} {side} its {rules.days_long}-day {mean:.2f}"
    return VoteRead("trend", int(price < mean), 1, words)


def cross(evidence: Evidence, rules: RegimeRules) -> VoteRead:
    """Vote on the index's short mean against its long one."""
    if len(evidence.closes) < rules.days_long:
        return VoteRead("cross", 0, 0, f"{rules.index} has {len(evidence.closes)} days of {rules.days_long}")
    long, short = (float(evidence.closes[-days:].mean()) for days in (rules.days_long, rules.days_short))
    below = short < long
    side = "below" if below else "above"
    return VoteRead(
        "cross", int(below), 1, f"{rules.days_short}-day {short:.2f} {side} {rules.days_long}-day {long:.2f}"
    )


def day(evidence: Evidence, rules: RegimeRules) -> VoteRead:
    """Vote on the index's move since the last close."""
    if evidence.price is None or not len(evidence.closes):
        return VoteRead("day", 0, 0, f"{rules.index} has no price today or no last close")
    change = evidence.price / float(evidence.closes[-1]) - 1.0
    return VoteRead("day", int(change <= -rules.fall_day), 1, f"{rules.index} {change:+.2%} since the last close")


def fear(evidence: Evidence, rules: RegimeRules) -> VoteRead:
    """Vote on the level of VIX: one point when uneasy, two in fear."""
    level = sane(evidence.vix)
    if level is None:
        return VoteRead("fear", 0, 0, f"{rules.vix} is {unread(evidence.vix)}")
    stress = int(level > rules.vix_uneasy) + int(level > rules.vix_fear)
    return VoteRead("fear", stress, 2, f"{rules.vix} {level:.2f} {evidence.vix_source}")


def speed(evidence: Evidence, rules: RegimeRules) -> VoteRead:
    """Vote on the rise of VIX over its mean of the last `vix_days` closes."""
    level, known = sane(evidence.vix), len(evidence.vix_closes)
    if level is None or known < rules.vix_days:
        lack = f"is {unread(evidence.vix)}" if level is None else f"has {known} days of {rules.vix_days}"
        return VoteRead("speed", 0, 0, f"{rules.vix} {lack}")
    mean = float(evidence.vix_closes[-rules.vix_days :].mean())
    words = f"{rules.vix} {level:.2f} against its {rules.vix_days}-day {mean:.2f}, {level / mean - 1.0:+.0%}"
    return VoteRead("speed", int(level >= mean * (1.0 + rules.vix_rise)), 1, words)


def term(evidence: Evidence, rules: RegimeRules) -> VoteRead:
    """Vote on the term structure: fear now above fear three months ahead."""
    if not rules.term:
        return VoteRead("term", 0, 0, "no VIX of three months is subscribed")
    level, ahead = sane(evidence.vix), sane(evidence.term)
    if level is None or ahead is None:
        name, value = (rules.vix, evidence.vix) if level is None else (rules.term, evidence.term)
        return VoteRead("term", 0, 0, f"{name} is {unread(value)}")
    side = "above" if level > ahead else "not above"
    return VoteRead("term", int(level > ahead), 1, f"{rules.vix} {level:.2f} {side} {rules.term} {ahead:.2f}")


def breadth(evidence: Evidence, rules: RegimeRules) -> VoteRead:
    """Vote on the share of names above their own short mean."""
    names, least = len(evidence.breadth), rules.breadth_names_min
    if names < least:
        return VoteRead("breadth", 0, 0, f"{names} names have {rules.days_short} days, {least} are needed")
    share = sum(evidence.breadth.values()) / names
    words = f"{share:.0%} of {names} names above their {rules.days_short}-day mean"
    return VoteRead("breadth", int(share < rules.breadth_weak), 1, words)


VOTES = (trend, cross, day, fear, speed, term, breadth)


def sane(level: float | None) -> float | None:
    """Give a level of VIX that can be one, else None."""
    return level if level is not None and 0.0 < level < VIX_MAX else None  # NaN is in no order


def unread(level: float | None) -> str:
    """Say why there is no level."""
    return "unknown" if level is None else f"no level at {level:g}"


def above_mean(daily: Floats, days: int, price: float | None = None) -> bool | None:
    """Say whether the price (the last close where None) stands above its mean of `days` closes; None if too few."""
    if len(daily) < days:
        return None
    closes = daily[-days:, CLOSE]
    return bool((closes[-1] if price is None else price) > np.mean(closes))


def judged_daily(closes: Floats, vix: Floats, at_ns: Floats, rules: RegimeRules) -> list[str]:
    """Give the regime of each day from its closing prices, as `judge` would each evening; "" before it can.

    `closes` are the index's, `vix` those of the same days, `at_ns` their times; the votes on term and breadth are
    withheld. Whole columns at once: 28 years take a few milliseconds.
    """
    known, first = len(closes), rules.days_long
    if known <= first:
        return [""] * known
    long, short, mean = means(closes, rules.days_long), means(closes, rules.days_short), means(vix, rules.vix_days)
    price, level = closes[first:], vix[first:]
    stress = (price < long[first:known]).astype(np.int64)
    stress += short[first:known] < long[first:known]
    stress += price / closes[first - 1 : -1] - 1.0 <= -rules.fall_day
    stress += level > rules.vix_uneasy
    stress += level > rules.vix_fear
    stress += level >= mean[first:known] * (1.0 + rules.vix_rise)
    names, name, since_ns = [""] * first, None, 0.0
    for score, now_ns in zip((1.0 - 2.0 * stress / 6).tolist(), at_ns[first:].tolist(), strict=True):
        found, _ = named(score, 5, rules, name, (now_ns - since_ns) / DAY)
        name, since_ns = found, since_ns if found == name else now_ns
        names.append(found)
    return names


def means(values: Floats, days: int) -> Floats:
    """Give, for each place, the mean of the `days` values before it; NaN where there are fewer, one more at the end."""
    found = np.full(len(values) + 1, np.nan)
    if len(values) >= days:
        found[days:] = np.lib.stride_tricks.sliding_window_view(values, days).mean(axis=1)
    return found
