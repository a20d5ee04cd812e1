"""What a broker says that an entry would need, and whether the account has it: asked beside the road, looked at here.

A preview is of one lot and a few minutes old. What is opened or pending since then counts against it; where nothing was
told, the account's buying power alone decides.
"""

from decimal import Decimal

from joed.engine.orders import resting
from joed.engine.reconcile import broker_of
from joed.model.feeds import MarginTold
from joed.model.settings import Instrument
from joed.model.state import Broker, Margin, State
from joed.model.values import ZERO, Side

KEPT_MAX = 2_000


def note_told(state: State, now: int, event: MarginTold) -> None:
    """Keep the newest word on each instrument and side; a figure that is none is left out (part of `apply`)."""
    margins = broker_of(state, event.broker).margins
    name = named(event.instrument, event.side)
    if event.quantity <= 0 or not (event.change.is_finite() and event.available.is_finite()):
        return
    if name in margins or len(margins) < KEPT_MAX:
        margins[name] = Margin(event.quantity, event.change, event.available, now)


def named(instrument: str, side: Side) -> str:
    """Give the key of an instrument and a side."""
    return f"{instrument}:{side.value}"


def beyond(state: State, instrument: Instrument, side: Side, quantity: Decimal) -> str:
    """Say that an entry would need more than the account has by its broker's preview, or ""."""
    broker = state.brokers.get(instrument.broker)
    row = broker.margins.get(named(instrument.symbol, side)) if broker is not None else None
    if broker is None or row is None:
        return ""
    newest = max(broker.margins.values(), key=lambda one: one.at_ns)
    free = newest.available - used_since(state, broker, newest.at_ns)
    needed = row.change * quantity / row.quantity
    if needed <= free:
        return ""
    return f"{needed:.2f} of margin would be needed by the broker's preview, {free:.2f} is available"


def used_since(state: State, broker: Broker, at_ns: int) -> Decimal:
    """Give the margin of what was opened, or has been pending, at a broker since its last word."""
    used = ZERO
    for order in resting(state):
        if order.broker == broker.name and order.armed_ns >= at_ns:
            used += _margin(broker, order.instrument, order.side, order.left, order.terms or ZERO)
    for position in state.positions.values():
        if position.quantity and position.broker == broker.name and position.opened_ns >= at_ns:
            side = Side.BUY if position.quantity > 0 else Side.SELL
            used += _margin(broker, position.instrument, side, abs(position.quantity), position.average)
    return used


def _margin(broker: Broker, instrument: str, side: Side, quantity: Decimal, price: Decimal) -> Decimal:
    """Give the margin of a quantity: by its own preview, else all that it costs."""
    row = broker.margins.get(named(instrument, side))
    return quantity * price if row is None else row.change * quantity / row.quantity
