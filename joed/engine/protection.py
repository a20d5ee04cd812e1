"""The law: working protective quantity equals position quantity; and what is done when it does not.

Equality is due `protection.alert_s` after the entry has ended; then an alert, at once a repair where the stop is known
to be gone, and a flatten by policy at `protection.flatten_s`. Nothing here ever cancels the stop of an open position.
"""

from decimal import Decimal

from joed.engine.exits import flatten
from joed.engine.orders import reduce
from joed.model.commands import CancelOrder, Command, RaiseAlert
from joed.model.orders import Order, Position
from joed.model.state import State
from joed.model.values import SECOND, ZERO, Leg, Severity, Side, Status, ceil_to, floor_to

HOLDING = (Status.WORKING, Status.PARTIAL)
"""Only what the broker says is working protects."""
PENDING = (Status.ARMED, Status.SENT, Status.ACKED)
"""May come to work by itself."""


def protected(state: State, position: Position) -> Decimal:
    """Give the quantity that working stops at the broker would close, on the right side of the position."""
    side = Side.SELL if position.quantity > 0 else Side.BUY
    return sum(
        (order.left for order in stops_of(state, position) if order.status in HOLDING and order.side is side), ZERO
    )


def stops_of(state: State, position: Position) -> list[Order]:
    """Give the stop that the position names, and a bracket's own where a repair replaced it; live ones only."""
    if not position.stop_order:
        return []
    names = {position.stop_order: None}
    entry = state.orders.get(position.group)
    if entry is not None and entry.children:
        names[entry.children[0]] = None
    found = (state.orders.get(name) for name in names)
    return [order for order in found if order is not None and order.live]


def note(state: State, now: int) -> None:
    """Keep, for each position, since when its stop is amiss; part of `apply`, as only that writes State."""
    for position in state.positions.values():
        if position.quantity == 0 or protected(state, position) >= abs(position.quantity):
            position.unprotected_ns = 0
        elif position.unprotected_ns == 0:
            position.unprotected_ns = now


def watch(state: State, now: int, commands: list[Command]) -> None:
    """Repair, tell, and at last flatten each position whose stop is amiss; sweep stops that guard nothing."""
    for position in state.positions.values():
        if position.quantity == 0:
            sweep(state, now, position, commands)
        elif position.unprotected_ns:
            mend(state, now, position, commands)


def mend(state: State, now: int, position: Position, commands: list[Command]) -> None:
    """Answer one unprotected position by how long it has been so."""
    limits = state.settings.protection
    age_ns = now - position.unprotected_ns
    missing = abs(position.quantity) - protected(state, position)
    words = f"{position.instrument}: {missing} of {abs(position.quantity)} without a working stop"
    if age_ns >= int(limits.alert_s * SECOND):
        key = f"unprotected:{position.instrument}"
        if key not in state.alerts:
            commands.append(RaiseAlert(key, Severity.CRITICAL, words))
    if age_ns >= int(limits.flatten_s * SECOND):
        commands.extend(flatten(state, now, position, f"unprotected for {limits.flatten_s:g} s", len(commands)))
    elif not any(order.status in (*PENDING, *HOLDING, Status.UNCERTAIN) for order in stops_of(state, position)):
        level = repair_level(state, position)
        if level is not None:
            quantity = abs(position.quantity)
            commands.append(reduce(state, len(commands), position, Leg.STOP, quantity, level))


def repair_level(state: State, position: Position) -> Decimal | None:
    """Give where a lost stop belongs: where it last stood, else one R from the average price; None if unknown."""
    known = state.orders.get(position.stop_order)
    if known is not None and known.terms is not None:
        return known.terms
    if position.risk <= 0:
        return None
    tick = state.settings.universe[position.instrument].tick
    if position.quantity > 0:
        return floor_to(position.average - position.risk, tick)
    return ceil_to(position.average + position.risk, tick)


def sweep(state: State, now: int, position: Position, commands: list[Command]) -> None:
    """Ask for the end of exits that guard nothing any more: the position is flat, no entry of the group can fill."""
    group = [order for order in state.orders.values() if order.live and order.group == position.group]
    if any(order.opens for order in group) or now - position.changed_ns < int(
        state.settings.protection.alert_s * SECOND
    ):
        return
    for order in group:
        if order.status in HOLDING and order.instrument == position.instrument:
            commands.append(CancelOrder(order.order, "its position is closed"))
