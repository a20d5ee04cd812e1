"""The tightest interval in which no rule of an instrument can act: inside it a quote needs no thought.

A band is a cache of the rules' own thresholds, never a decision: with all bands empty the commands are the same.
"""

from joed.engine.exits import raise_due, raise_waits
from joed.engine.fear import threshold
from joed.engine.markets import ANCHORLESS, empty_band, is_vix
from joed.model.orders import Position
from joed.model.state import EMPTY_HI, EMPTY_LO, Market, State
from joed.model.values import Crossing


def tighten(state: State, market: Market) -> None:
    """Draw the instrument's band anew, or leave it empty while any quote may matter."""
    if market.anchor == ANCHORLESS or market.suspects or market.blocked:
        empty_band(market)
        return
    reach = market.anchor * state.settings.feed.jump_max
    low, high = market.anchor - reach, market.anchor + reach
    market.last_lo, market.last_hi = low, high
    if is_vix(state, market.instrument):
        # No rise of it is a jump, any may be fear; and while prints are being counted each one counts.
        high = market.last_hi = EMPTY_HI if state.fright.prints else threshold(state, market)
    low, high = _by_triggers(state, market, low, high)
    position = state.positions.get(market.instrument)
    if position is not None and position.quantity != 0:
        low, high = _by_trail(state, position, low, high)
    market.lo, market.hi = low, high


def _by_triggers(state: State, market: Market, low: float, high: float) -> tuple[float, float]:
    for signal in market.signals:
        trigger = state.triggers[signal]
        if signal in state.signals or state.now >= trigger.valid_until_ns:
            continue
        if trigger.crossing is Crossing.ABOVE:
            high = min(high, float(trigger.level))
        else:
            low = max(low, float(trigger.level))
    return low, high


def _by_trail(state: State, position: Position, low: float, high: float) -> tuple[float, float]:
    if position.trail <= 0 or position.closing:
        return low, high
    if not position.trailing:
        first = position.average + position.risk if position.quantity > 0 else position.average - position.risk
        due: float | None = float(first)
    elif raise_waits(state, position):
        return EMPTY_LO, EMPTY_HI  # whatever the next quote says
    else:
        due = raise_due(state, position)
    if due is None:
        return low, high
    return (low, min(high, due)) if position.quantity > 0 else (max(low, due), high)
