"""How a position ends: its stop ratchets behind the price, or its target is made marketable.

At its level the broker's stop is the only closer. joed raises that stop (never loosens it) and, to close for another
reason, moves the target to where it trades at once: the two share a group at the broker, so they cannot both fill.
"""

from decimal import Decimal

from joed.engine.orders import reduce
from joed.model.commands import AmendOrder, Command, RatchetTrail
from joed.model.events import Quote
from joed.model.orders import Order, Position
from joed.model.state import State
from joed.model.values import SECOND, Leg, Status, ceil_to, decimal, floor_to

MOVABLE = (Status.WORKING, Status.PARTIAL)


def trail(state: State, now: int, position: Position, quote: Quote, commands: list[Command]) -> None:
    """Start the trail after the first R, then raise the broker's stop with the best price, by at least the step."""
    if position.quantity == 0 or position.trail <= 0 or position.closing:
        return
    if not position.trailing:
        if first_r(position, quote):
            commands.append(RatchetTrail(position.instrument, position.trail))
        return
    ratchet(state, now, position, commands)


def first_r(position: Position, quote: Quote) -> bool:
    """Say whether the price has gone one R our way."""
    if position.quantity > 0:
        return decimal(quote.bid) >= position.average + position.risk
    return decimal(quote.ask) <= position.average - position.risk


def start_trail(state: State, position: Position) -> None:
    """Set the trail going from the last quote (part of `apply`)."""
    position.trailing = True
    quote = state.markets[position.instrument].quote
    if quote is not None:
        position.best = quote.bid if position.quantity > 0 else quote.ask


def note_best(state: State, position: Position, quote: Quote) -> None:
    """Remember the best price of a trailing position (part of `apply`), where it would move the stop.

    Prices below that are not kept: the band lets them pass unseen, and State may not depend on the band.
    """
    if not position.trailing or position.quantity == 0:
        return
    due = raise_due(state, position)
    if due is None:
        return
    if position.quantity > 0 and quote.bid >= due:
        position.best = max(position.best, quote.bid)
    elif position.quantity < 0 and quote.ask <= due:
        position.best = min(position.best, quote.ask)


def raise_due(state: State, position: Position) -> float | None:
    """Give the bid (long) or ask (short) from which the trail moves the stop by at least its step; None: not now."""
    stop = state.orders.get(position.stop_order)
    if stop is None or stop.terms is None or stop.status not in MOVABLE:
        return None
    step = stop.terms * state.settings.protection.trail_step
    if position.quantity > 0:
        return float(stop.terms + step + position.trail)
    return float(stop.terms - step - position.trail)


def ratchet(state: State, now: int, position: Position, commands: list[Command]) -> None:
    """Amend the stop to the best price less the trail: at most once an interval, never while an answer is due."""
    stop = state.orders.get(position.stop_order)
    interval_ns = int(state.settings.protection.trail_interval_s * SECOND)
    if stop is None or stop.terms is None or stop.status not in MOVABLE or stop.asked is not None:
        return
    if now - stop.asked_ns < interval_ns or not broker_listens(state, stop):
        return
    level = trailed(state, position, stop)
    if level is not None:
        commands.append(AmendOrder(stop.order, level, reason="trail"))


def trailed(state: State, position: Position, stop: Order) -> Decimal | None:
    """Give the stop's new level, or None where it would loosen it or move it by less than the step."""
    assert stop.terms is not None
    tick = state.settings.universe[position.instrument].tick
    step = stop.terms * state.settings.protection.trail_step
    best = decimal(position.best)
    if position.quantity > 0:
        level = floor_to(best - position.trail, tick)
        return level if level >= stop.terms + step else None
    level = ceil_to(best + position.trail, tick)
    return level if level <= stop.terms - step else None


def broker_listens(state: State, order: Order) -> bool:
    """Say whether the order's broker is up: amending over a broken link can make two orders of one (reliability 6)."""
    broker = state.brokers.get(order.broker)
    return broker is not None and broker.up


def flatten(state: State, now: int, position: Position, reason: str, index: int) -> list[Command]:
    """Close a position: first by making its target marketable; where that is not to be had or not filled, at market.

    One close at a time: while one is under way and young, nothing is added.
    """
    timeout_ns = int(state.settings.fill_timeout_s * SECOND)
    current = state.orders.get(position.closing)
    young = now - position.closing_ns < timeout_ns
    if current is not None and (young or (current.live and current.leg is Leg.CLOSE)):
        return []
    target = state.orders.get(position.target_order)
    if current is None and target is not None and target.status in MOVABLE and broker_listens(state, target):
        level = marketable(state, position)
        if level is not None:
            return [AmendOrder(target.order, level, reason=reason)]
    return [reduce(state, index, position, Leg.CLOSE, abs(position.quantity), None)]


def marketable(state: State, position: Position) -> Decimal | None:
    """Give a limit that trades at once, a collar's width through the market; None without a quote."""
    quote = state.markets[position.instrument].quote
    if quote is None:
        return None
    tick = state.settings.universe[position.instrument].tick
    collar = state.settings.risk.collar
    if position.quantity > 0:
        return floor_to(decimal(quote.bid) * (1 - collar), tick)
    return ceil_to(decimal(quote.ask) * (1 + collar), tick)


def note_closing(state: State, now: int, command: AmendOrder) -> None:
    """Remember that a position is being closed through its target (part of `apply`)."""
    order = state.orders[command.order]
    position = state.positions.get(order.instrument)
    if order.leg is Leg.TARGET and position is not None:
        position.closing, position.closing_ns = order.order, now
