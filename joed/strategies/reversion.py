"""Buy what was sold too far within the day: far below the day's mean price, weak, and turning up again.

Only in names above their long mean: what falls for a reason of its own is not a stretch. The target is the mean price.
"""

import msgspec

from joed.analysis.indicators import CLOSE, atr, last, rsi, vwap
from joed.model.events import Candidate
from joed.model.settings import Reversion
from joed.model.triggers import Trigger
from joed.strategies.context import Context
from joed.strategies.entry import Plan, purchase, turn, whole_bars

NAME = "reversion"


def reversion(context: Context) -> tuple[Trigger, ...]:
    """Give a Trigger for each name of the watchlist that is stretched below its mean price."""
    rules = msgspec.convert(context.params, Reversion)
    due = context.open_ns <= context.now_ns < context.close_ns
    if not rules.enabled or not due or context.regime not in rules.regimes:
        return ()
    made = (trigger_for(context, rules, candidate) for candidate in context.watchlist)
    return tuple(trigger for trigger in made if trigger is not None)


def trigger_for(context: Context, rules: Reversion, candidate: Candidate) -> Trigger | None:
    """Give the Trigger of one name; None when held, too little known, not stretched, or not worth its stop."""
    name = candidate.instrument
    minutes, days = context.minutes_of(name), context.daily_of(name)
    if context.held(name) or len(days) < rules.trend_days or not len(fives := whole_bars(minutes)):
        return None
    reach, strength = last(atr(fives, rules.rsi_bars)), last(rsi(fives[:, CLOSE].copy(), rules.rsi_bars))
    mean = vwap(minutes)
    price = context.prices.get(name, float(minutes[-1, CLOSE]))
    if reach is None or strength is None or mean is None or reach <= 0.0:
        return None
    stretch = (mean - price) / reach
    if price <= float(days[-rules.trend_days :, CLOSE].mean()) or strength > rules.rsi_low:
        return None
    above, distance = turn(minutes, price), rules.stop_atr * reach
    if above is None or stretch < rules.stretch_atr or mean - above < rules.reward_min * distance:
        return None
    reasons = (
        f"{stretch:.1f} average ranges below its mean price {mean:.2f}, strength {strength:.0f}",
        f"turns above {above:.2f}, average range {reach:.4g} of {rules.rsi_bars} five-minute bars",
        f"score {candidate.score:.0f}, {context.regime} market",
    )
    return purchase(context, Plan(NAME, name, above, distance, mean, 0.0, rules.valid_s, reasons))
