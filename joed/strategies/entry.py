"""What every strategy that buys has in common: a level to rise through, and its exits on whole ticks."""

from decimal import Decimal

from msgspec import Struct

from joed.analysis.indicators import AT, HIGH, LOW, Floats, aggregated
from joed.model.triggers import Trigger
from joed.model.values import MINUTE, SECOND, Crossing, Side, ceil_to, decimal, floor_to
from joed.strategies.context import Context

BAR_MINUTES = 5
TICK = Decimal("0.01")


class Plan(Struct, frozen=True):
    """A purchase in floats: above which price, how far below the stop, where the target, how far behind the trail."""

    strategy: str
    instrument: str
    above: float
    stop_distance: float
    target: float
    trail: float
    valid_s: float
    reasons: tuple[str, ...]


def purchase(context: Context, plan: Plan) -> Trigger | None:
    """Give the Trigger one tick above a price; None where its stop or target would not stand on its own side.

    One signal a session: the reason is the day's, wherever its level moves.
    """
    tick = context.ticks.get(plan.instrument, TICK)
    level = floor_to(decimal(plan.above), tick) + tick
    stop = floor_to(level - decimal(plan.stop_distance), tick)
    target = floor_to(decimal(plan.target), tick)
    if not 0 < stop < level < target:
        return None
    return Trigger(
        instrument=plan.instrument,
        side=Side.BUY,
        level=level,
        crossing=Crossing.ABOVE,
        valid_until_ns=min(context.now_ns + round(plan.valid_s * SECOND), context.close_ns),
        stop=stop,
        target=target,
        strategy=plan.strategy,
        signal=f"{plan.strategy}-{plan.instrument}-{context.session}",
        trail=ceil_to(decimal(plan.trail), tick) if plan.trail > 0 else Decimal(0),
        risk=context.risk,
        reasons=plan.reasons,
    )


def whole_bars(minutes: Floats) -> Floats:
    """Fold minutes into five-minute bars, without a last one whose time is not up."""
    fives = aggregated(minutes, BAR_MINUTES)
    begun = len(fives) > 0 and minutes[-1, AT] + MINUTE < fives[-1, AT] + BAR_MINUTES * MINUTE
    return fives[:-1] if begun else fives


def turn(minutes: Floats, price: float) -> float | None:
    """Give the high that the price must rise above to have turned: that of the last whole five minutes.

    None before there is one, or where the price has left it behind already by more than that bar's own range.
    """
    fives = whole_bars(minutes)
    if not len(fives):
        return None
    high, low = float(fives[-1, HIGH]), float(fives[-1, LOW])
    return high if price <= high + (high - low) else None
