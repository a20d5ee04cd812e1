"""Buy strength: where a session breaks above its own high, with stop, target and trail measured in its usual movement.

After `range_minutes` the level lies one tick above the session's high so far: first the opening range's, later that of
the day. Each new high is a new level and so a new signal; the same high is the same signal, whatever the minute.
"""

import math
from decimal import Decimal

import msgspec
from msgspec import Struct

from joed.analysis.indicators import CLOSE, HIGH, LOW, VOLUME, Floats, atr, last
from joed.model.events import Candidate
from joed.model.settings import Breakout
from joed.model.triggers import Trigger
from joed.model.values import MINUTE, SECOND, Crossing, Side, ceil_to, decimal, floor_to
from joed.strategies.context import Context
from joed.strategies.entry import BAR_MINUTES, TICK, whole_bars

NAME = "breakout"
CHASE_ATR = 0.5


class Movement(Struct, frozen=True):
    """How far an instrument usually moves in five minutes, in price, and how that is known."""

    atr: float
    words: str


def breakout(context: Context) -> tuple[Trigger, ...]:
    """Give a Trigger for each name of the watchlist whose session may break upward now."""
    rules = msgspec.convert(context.params, Breakout)
    due = context.open_ns + rules.range_minutes * MINUTE <= context.now_ns < context.close_ns
    if not rules.enabled or not due or context.regime not in rules.regimes:
        return ()
    made = (trigger_for(context, rules, candidate) for candidate in context.watchlist)
    return tuple(trigger for trigger in made if trigger is not None)


def trigger_for(context: Context, rules: Breakout, candidate: Candidate) -> Trigger | None:
    """Give the Trigger above this name's high; None when held, too little known, too quiet, or already run away."""
    instrument = candidate.instrument
    if context.held(instrument):
        return None
    minutes = context.minutes_of(instrument)
    moves = movement(minutes, rules.atr_minutes)
    tick = context.ticks.get(instrument, TICK)
    if moves is None or moves.atr < float(tick):
        return None
    high = float(minutes[:, HIGH].max())
    level = floor_to(decimal(high), tick) + tick
    price = context.prices.get(instrument, float(minutes[-1, CLOSE]))
    if price - float(level) > CHASE_ATR * moves.atr:
        return None
    step = decimal(moves.atr)
    stop = floor_to(level - step * decimal(rules.stop_atr), tick)
    if stop <= 0:
        return None
    return Trigger(
        instrument=instrument,
        side=Side.BUY,
        level=level,
        crossing=Crossing.ABOVE,
        valid_until_ns=min(context.now_ns + round(rules.valid_s * SECOND), context.close_ns),
        stop=stop,
        target=floor_to(level + step * decimal(rules.target_atr), tick),
        strategy=NAME,
        signal=f"{NAME}-{instrument}-{context.session}-{level}",
        trail=ceil_to(step * decimal(rules.trail_atr), tick),
        volume_min=rules.volume_ratio * float(minutes[:, VOLUME].mean()) if rules.volume_ratio else 0.0,
        risk=context.risk,
        reasons=(
            range_words(minutes, level, high),
            moves.words,
            f"score {candidate.score:.0f}, {context.regime} market",
        ),
    )


def movement(minutes: Floats, period: int) -> Movement | None:
    """Give Wilder's ATR of `period` five-minute bars; before there are enough, of one-minute bars made comparable.

    A range grows with the root of its time as long as prices wander by chance, so one minute's times sqrt(5) stands in
    for five minutes'. Only whole five-minute bars count: a bar just begun would make the market look calm.
    """
    slow = last(atr(whole_bars(minutes), period))
    if slow is not None:
        return Movement(slow, f"ATR {slow:.4g} of {period} five-minute bars")
    fast = last(atr(minutes, period))
    if fast is None:
        return None
    scaled = fast * math.sqrt(BAR_MINUTES)
    return Movement(scaled, f"ATR {scaled:.4g}, from {period} one-minute bars scaled to five minutes")


def range_words(minutes: Floats, level: Decimal, high: float) -> str:
    """Say what is being broken."""
    return f"breaks {level}, above the range {float(minutes[:, LOW].min()):.2f} to {high:.2f} of {len(minutes)} minutes"
