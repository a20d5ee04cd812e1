"""The law: working protective quantity equals position quantity; and what is done when it does not.

Equality is due `protection.alert_s` after the entry has ended; then an alert, at once a repair where the stop is known
to be gone, and a flatten by policy at `protection.flatten_s`. Nothing here ever cancels the stop of an open position.
"""

from decimal import Decimal

from joed.engine.exits import ready_ns
from joed.engine.markets import tick_of
from joed.engine.orders import listens, reduce
from joed.engine.positions import sums_of
from joed.model.commands import AmendOrder, CancelOrder, Command, RaiseAlert
from joed.model.orders import Order, Position
from joed.model.state import State
from joed.model.values import SECOND, ZERO, Leg, Severity, Side, Status, ceil_to, floor_to

HOLDING = (Status.WORKING, Status.PARTIAL)
"""Only what the broker says is working protects."""
PENDING = (Status.ARMED, Status.SENT, Status.ACKED)
"""May come to work by itself."""


def protected(state: State, position: Position) -> Decimal:
    """Give the quantity that working stops at the broker would close, on the right side of the position.

    While an entry still works, its waiting stop counts: the broker lets it work for what fills, as it fills.
    """
    side = Side.SELL if position.quantity > 0 else Side.BUY
    covered = ZERO
    for stop in stops_of(state, position):
        if stop.side is side and (stop.status in HOLDING or waits(state, stop)):
            covered += stop.left
    return covered


def waits(state: State, stop: Order) -> bool:
    """Say whether a stop is a child that will work as soon as its entry, which is under way, has filled."""
    entry = state.orders.get(stop.group)
    if stop.status not in PENDING or entry is None or stop.order not in entry.children[:2]:
        return False
    return entry.live and entry.status is not Status.UNCERTAIN


def stops_of(state: State, position: Position) -> list[Order]:
    """Give the live stops of all groups of a position, the one that it names first."""
    names = {position.stop_order: None}
    for group in position.groups or (position.group,):
        entry = state.orders.get(group)
        if entry is not None:
            names |= dict.fromkeys(entry.children)
    found = (state.orders.get(name) for name in names)
    return [order for order in found if order is not None and order.leg is Leg.STOP and order.live]


def note(state: State, now: int, instrument: str | None = None) -> None:
    """Keep since when a position's stop is amiss, of one instrument or all; part of `apply`, as only that writes."""
    if instrument is None:
        for position in state.positions.values():
            _note(state, now, position)
    elif (found := state.positions.get(instrument)) is not None:
        _note(state, now, found)


def _note(state: State, now: int, position: Position) -> None:
    if position.quantity == 0:
        position.unprotected_ns = 0
    elif protected(state, position) >= abs(position.quantity):
        position.unprotected_ns = position.repairs = 0
    elif position.unprotected_ns == 0:
        position.unprotected_ns = now


def watch(state: State, now: int, commands: list[Command]) -> None:
    """Repair and tell of each position whose stop is amiss; what cannot be repaired is closed (closing)."""
    for position in state.positions.values():
        if position.quantity and position.unprotected_ns:
            mend(state, now, position, commands)


def mend(state: State, now: int, position: Position, commands: list[Command]) -> None:
    """Answer one unprotected position: tell of it in time, and give each of its groups what its stop lacks."""
    limits = state.settings.protection
    due = now - position.unprotected_ns >= int(limits.alert_s * SECOND)
    alert = f"unprotected:{position.instrument}:{position.unprotected_ns}"
    if due and alert not in state.alerts:
        missing = abs(position.quantity) - protected(state, position)
        words = f"{position.instrument}: {missing} of {abs(position.quantity)} without a working stop"
        commands.append(RaiseAlert(alert, Severity.CRITICAL, words))
    if not listens(state, position.broker):
        return
    side = Side.SELL if position.quantity > 0 else Side.BUY
    for group, quantity in shares(state, position):
        stops = [stop for stop in stops_of(state, position) if stop.side is side and belongs(stop, group)]
        if not stops:
            replace_stop(state, now, position, group, quantity, commands)
        elif due:
            resize(state, now, stops, quantity, commands)


def belongs(stop: Order, group: str) -> bool:
    """Say whether a stop closes this group; "" is what no group explains."""
    return stop.group == group


def shares(state: State, position: Position) -> list[tuple[str, Decimal]]:
    """Give each group that holds something on the position's side, and how much; "" for what no group explains."""
    sign = 1 if position.quantity > 0 else -1
    found = [(group, sums_of(state, group).quantity * sign) for group in position.groups]
    explained = [(group, quantity) for group, quantity in found if quantity > 0 and group in state.orders]
    entries = [(group, quantity) for group, quantity in explained if state.orders[group].opens]
    if any(state.orders[group].side.sign == sign for group, _ in entries):
        return entries
    return [("", abs(position.quantity))]


def replace_stop(  # noqa: PLR0913 - a position, the part of it that lacks a stop, and where to say so
    state: State, now: int, position: Position, group: str, quantity: Decimal, commands: list[Command]
) -> None:
    """Send a new stop for a lost one: at once, then at most one each `alert_s`, and not for ever."""
    pause_ns = int(state.settings.protection.alert_s * SECOND)
    limit = state.settings.risk.orders_signal_max
    if position.repairs and (position.repairs >= limit or now - position.repaired_ns < pause_ns):
        return
    level = repair_level(state, position)
    if level is not None:
        commands.append(reduce(state, len(commands), position, group, quantity, level))


def resize(state: State, now: int, stops: list[Order], quantity: Decimal, commands: list[Command]) -> None:
    """Ask for a stop that is working to guard all of its group, where nothing about it is under way."""
    lacking = quantity - sum((stop.left for stop in stops), ZERO)
    stop = stops[0]
    settled = all(one.status in HOLDING for one in stops) and stop.asked is None and now >= ready_ns(state, stop)
    if lacking > 0 and settled:
        commands.append(AmendOrder(stop.order, quantity=stop.quantity + lacking, reason="resize"))


def repair_level(state: State, position: Position) -> Decimal | None:
    """Give where a lost stop belongs: where it last stood, else one R from the average price; None if unknown."""
    known = state.orders.get(position.stop_order)
    if known is not None and known.terms is not None and (known.side is Side.SELL) == (position.quantity > 0):
        return known.terms
    tick = tick_of(state, position.instrument)
    if position.risk <= 0 or tick is None:
        return None
    if position.quantity > 0:
        level = floor_to(position.average - position.risk, tick)
        return level if level > 0 else None
    return ceil_to(position.average + position.risk, tick)


def trim(state: State, now: int, commands: list[Command]) -> None:
    """Take back exits that could close more than is held: what guards nothing is cancelled, what is too large shrinks.

    Only what has been quiet for `alert_s`, under a broker that listens: the broker's own reduction comes first.
    """
    quiet_ns = now - int(state.settings.protection.alert_s * SECOND)
    left: dict[tuple[str, Leg], Decimal] = {}
    for order in state.orders.values():
        if order.opens or order.status not in HOLDING or order.leg is Leg.CLOSE:
            continue
        position = state.positions.get(order.instrument)
        held = position.quantity if position is not None else ZERO
        guards = order.side is (Side.SELL if held > 0 else Side.BUY)
        room = left.get((order.instrument, order.leg), abs(held)) if guards else ZERO
        left[order.instrument, order.leg] = max(ZERO, room - order.left)
        excess = order.left - room
        if excess > 0 and _quiet(state, order, position, quiet_ns):
            if excess < order.left:
                if order.asked is None and now >= ready_ns(state, order):
                    commands.append(AmendOrder(order.order, quantity=order.quantity - excess, reason="resize"))
            elif not held or _closed(state, order):
                commands.append(CancelOrder(order.order, "it guards nothing any more"))


def _quiet(state: State, order: Order, position: Position | None, quiet_ns: int) -> bool:
    """Say whether nothing has happened to an exit, its position or its entry for a while."""
    entry = state.orders.get(order.group)
    still = max(order.changed_ns, order.asked_ns, position.changed_ns if position is not None else 0) <= quiet_ns
    return still and (entry is None or not entry.live) and listens(state, order.broker)


def _closed(state: State, order: Order) -> bool:
    """Say whether the group of an exit holds nothing."""
    return sums_of(state, order.group).quantity == 0
