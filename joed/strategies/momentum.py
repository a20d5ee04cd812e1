"""Buy a pause in a rise: a name above its rising means has given back a little, and turns up again.

Trend and dip are judged by days, the turn by five minutes; distances are in average true ranges of a day.
"""

import msgspec

from joed.analysis.indicators import CLOSE, HIGH, Floats, atr, last
from joed.model.events import Candidate
from joed.model.settings import Momentum
from joed.model.triggers import Trigger
from joed.model.values import MINUTE
from joed.strategies.context import Context
from joed.strategies.entry import Plan, purchase, turn

NAME = "momentum"
FAST_SHARE = 0.4
"""The short mean's days as a share of the long one's: 20 of 50."""


def momentum(context: Context) -> tuple[Trigger, ...]:
    """Give a Trigger for each name of the watchlist that pauses in its rise."""
    rules = msgspec.convert(context.params, Momentum)
    due = context.open_ns + rules.after_minutes * MINUTE <= context.now_ns < context.close_ns
    if not rules.enabled or not due or context.regime not in rules.regimes:
        return ()
    made = (trigger_for(context, rules, candidate) for candidate in context.watchlist)
    return tuple(trigger for trigger in made if trigger is not None)


def trigger_for(context: Context, rules: Momentum, candidate: Candidate) -> Trigger | None:
    """Give the Trigger of one name; None when held, too little known, not rising, not pausing, or run away."""
    name = candidate.instrument
    minutes, days = context.minutes_of(name), context.daily_of(name)
    if context.held(name) or not len(minutes) or len(days) < max(rules.trend_days, rules.high_days, rules.atr_days + 1):
        return None
    reach = last(atr(days[-5 * rules.atr_days :], rules.atr_days))
    price = context.prices.get(name, float(minutes[-1, CLOSE]))
    if reach is None or reach <= 0.0 or not rises(days, price, rules.trend_days):
        return None
    high = max(float(days[-rules.high_days :, HIGH].max()), float(minutes[:, HIGH].max()))
    dip = (high - price) / reach
    above = turn(minutes, price)
    if above is None or not rules.dip_min_atr <= dip <= rules.dip_max_atr:
        return None
    reasons = (
        f"rises above its means of {rules.trend_days} days, {dip:.1f} average ranges below the high {high:.2f}",
        f"turns above {above:.2f}, average range {reach:.4g} a day",
        f"score {candidate.score:.0f}, {context.regime} market",
    )
    target, trail = above + rules.target_atr * reach, rules.trail_atr * reach
    plan = Plan(NAME, name, above, rules.stop_atr * reach, target, trail, rules.valid_s, reasons)
    return purchase(context, plan)


def rises(days: Floats, price: float, trend_days: int) -> bool:
    """Say whether the price stands above its long mean, and the short mean too."""
    closes = days[:, CLOSE]
    long, short = float(closes[-trend_days:].mean()), float(closes[-int(trend_days * FAST_SHARE) :].mean())
    return price > long and short > long
