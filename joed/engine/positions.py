"""What is held: the fold of executions, each counted once, a correction replacing what it corrects."""

from decimal import Decimal

from joed.engine.markets import empty_band, market_of, price_of
from joed.model.events import OrderFilled
from joed.model.orders import Execution, Order, Position
from joed.model.state import State
from joed.model.values import ZERO, Leg, Status, decimal


def apply_fill(state: State, now: int, fill: OrderFilled) -> bool:
    """Book one execution; say whether it was news (a repeat of the same word is none).

    A fill of an order that is not in the ledger is another's: it touches nothing of ours, and the next whole read of
    the broker counts what it left as external.
    """
    order = state.orders.get(fill.order)
    if order is None:
        return False
    known = order.executions.get(fill.execution)
    if known is not None and known.revision >= fill.revision:
        return False
    order.executions[fill.execution] = Execution(fill.quantity, fill.price, fill.fee, fill.revision)
    if known is not None:
        _book(state, now, order, -known.quantity, known.price, -known.fee)
    _book(state, now, order, fill.quantity, fill.price, fill.fee)
    _move(order, now)
    state.day.fills += 1
    return True


def _move(order: Order, now: int) -> None:
    """Let the fill move the order: it is FILLED when nothing is left, also after a cancel that came too late."""
    order.changed_ns = now
    if order.left <= 0:
        order.status = Status.FILLED
    elif order.status is Status.FILLED or (order.live and order.status is not Status.CANCEL_ASKED):
        order.status = Status.PARTIAL  # also when a bust gave something back


def _book(state: State, now: int, order: Order, quantity: Decimal, price: Decimal, fee: Decimal) -> None:
    """Book a signed part of an order into the ledger, the position and the cash."""
    order.filled += quantity
    order.cost += quantity * price
    position = _position_for(state, now, order)
    signed = order.side.sign * quantity
    gained = _gain(position, signed, price)
    position.changed_ns = now
    position.realised += gained
    position.fees += fee
    state.cash -= signed * price + fee
    state.realised += gained
    state.fees += fee
    state.day.realised += gained
    state.day.fees += fee
    empty_band(market_of(state, order.instrument))
    if position.quantity == 0:
        _closed(state, position)


def _position_for(state: State, now: int, order: Order) -> Position:
    """Give the instrument's position; a fill of an entry from flat begins a new one, bound to that entry's group."""
    position = state.positions.get(order.instrument)
    if position is None or (position.quantity == 0 and order.leg is Leg.ENTRY):
        position = state.positions[order.instrument] = Position(order.instrument, order.broker)
        position.group, position.strategy, position.opened_ns = order.group, order.strategy, now
        if order.children:
            stop, target = (state.orders[child] for child in order.children)
            position.stop_order, position.target_order = stop.order, target.order
            position.risk = abs((order.terms or ZERO) - (stop.terms or ZERO))
            position.trail = state.trails.pop(order.signal, ZERO)
        state.day.trades += 1
    return position


def _gain(position: Position, signed: Decimal, price: Decimal) -> Decimal:
    """Change quantity and average price by a signed execution and give the profit that it realised."""
    before, after = position.quantity, position.quantity + signed
    gained = ZERO
    if before == 0 or (before > 0) == (signed > 0):
        position.average = (position.average * before + price * signed) / after if after else ZERO
    else:
        closed = min(abs(before), abs(signed)) * (1 if before > 0 else -1)
        gained = (price - position.average) * closed
        if (before > 0) != (after > 0) and after:
            position.average = price  # through zero: what is left was opened here
    position.quantity = after
    return gained


def _closed(state: State, position: Position) -> None:
    """Count a finished trade, after its fees."""
    if position.realised - position.fees > 0:
        state.day.wins += 1
    else:
        state.day.losses += 1
    position.trailing = False
    position.unprotected_ns = 0
    position.closing = ""


def unrealised(state: State) -> Decimal:
    """Give the open profit at the middle of the last quotes, in base currency."""
    total = ZERO
    for position in state.positions.values():
        if position.quantity:
            total += (mark(state, position) - position.average) * position.quantity
    return total


def mark(state: State, position: Position) -> Decimal:
    """Give the price a position is valued at: the last quote, or what it cost while there is none."""
    quote = market_of(state, position.instrument).quote
    return position.average if quote is None else decimal(price_of(quote))


def equity(state: State) -> Decimal:
    """Give cash and positions at their marks, in base currency."""
    held = (position.quantity * mark(state, position) for position in state.positions.values() if position.quantity)
    return state.cash + sum(held, ZERO)


def gross(state: State) -> Decimal:
    """Give the sum of all positions' values without their signs, in base currency."""
    return sum(
        (abs(position.quantity) * mark(state, position) for position in state.positions.values() if position.quantity),
        ZERO,
    )
