"""The law: working protective quantity equals position quantity; and what is done when it does not.

Equality is due `protection.alert_s` after the entry has ended; then an alert, at once a repair where the stop is known
to be gone, and a flatten by policy at `protection.flatten_s`. Nothing here ever cancels the stop of an open position.
"""

from decimal import Decimal

from joed.engine.corporate import in_question
from joed.engine.markets import tick_of
from joed.engine.orders import listens, read_since, reduce
from joed.engine.positions import backed, sound, sums_of
from joed.engine.verdicts import BARE, MISFIT, VERDICTS, judged
from joed.model.blocks import Block, key
from joed.model.commands import AmendOrder, CancelOrder, Command, JudgeBooks, RaiseAlert, RaiseBlock, ReadBroker
from joed.model.events import BrokerRead, OrderFilled, OrderWorking
from joed.model.orders import Order, Position
from joed.model.state import State
from joed.model.values import SECOND, ZERO, Leg, Severity, Side, Status, ceil_to, floor_to

OVERFILL = "overfill"

HOLDING = (Status.WORKING, Status.PARTIAL)
"""Only what the broker says is working protects."""
GRACE_NS = SECOND
REPAIRS_MAX = 3
"""Stops put in place of lost ones, one after the other: then the flatten policy ends it."""
SPARE_READS = 2
"""Whole reads that must show an exit with nothing to guard before it is cancelled."""
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
    return entry.live and not entry.status.doubtful


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
    elif protected(state, position) >= backed(state, position):
        position.unprotected_ns = position.repairs = 0
    elif position.unprotected_ns == 0:
        position.unprotected_ns = now


def watch(state: State, now: int, commands: list[Command]) -> None:
    """Repair and tell of each position whose stop is amiss; what cannot be repaired is closed (closing)."""
    for position in state.positions.values():
        if position.quantity and position.unprotected_ns:
            mend(state, now, position, commands)


def judge(state: State, now: int, fill: OrderFilled, commands: list[Command]) -> None:
    """Tell of a fill that should not be: a stranger's, a senseless one, too late, too much, or through zero.

    What a broker filled beyond our order or turned round stops that instrument until a person has looked.
    """
    order = state.orders.get(fill.order)
    corrected = f"corrected:{fill.execution}:{fill.revision}"
    word = order.executions.get(fill.execution) if order is not None else None
    if order is not None and word is not None and word.corrected and corrected not in state.alerts:
        words = f"{fill.execution} is now {fill.quantity} {fill.instrument} at {fill.price}: its exits are fitted anew"
        commands += [RaiseAlert(corrected, Severity.WARNING, words), ReadBroker(order.broker, corrected)]
    what = f"{fill.execution}: {fill.side} {fill.quantity} {fill.instrument} at {fill.price} of {fill.order or 'no id'}"
    if order is None:
        tell(state, f"unknown_fill:{fill.execution}", Severity.WARNING, f"{what} is of no order of ours", commands)
    elif not sound(state, fill):
        tell(state, f"bad_fill:{fill.execution}", Severity.CRITICAL, f"{what} cannot be booked", commands)
    elif order.late == fill.execution:
        tell(state, f"late_fill:{fill.execution}", Severity.WARNING, f"{what} came after its end", commands)
    if order is None:
        return
    at = f"instrument:{order.instrument}"
    odd = f"{order.order} filled {order.filled} of {order.quantity}" if overfilled(order) else flipped(state, order)
    if odd and key(at, OVERFILL) not in state.blocks:
        commands.append(RaiseBlock(Block(at, OVERFILL, odd, now, latched=True)))
        tell(state, f"{OVERFILL}:{fill.execution}", Severity.CRITICAL, odd, commands)
        commands.append(ReadBroker(order.broker, odd))


def tell(state: State, alert: str, severity: Severity, words: str, commands: list[Command]) -> None:
    """Raise an alert, once."""
    if alert not in state.alerts:
        commands.append(RaiseAlert(alert, severity, words))


def overfilled(order: Order) -> bool:
    """Say whether an entry filled more than was asked for."""
    return order.opens and order.filled > order.quantity


def flipped(state: State, order: Order) -> str:
    """Say that the exits of an order's group closed more than its entry opened, or "": the position was turned."""
    entry = state.orders.get(order.group)
    if entry is None or not entry.opens or entry.live:
        return ""
    net = sums_of(state, order.group).quantity
    if net * entry.side.sign >= 0:
        return ""
    return f"the exits of {entry.order} closed {abs(net)} {entry.instrument} more than it had opened"


def mend(state: State, now: int, position: Position, commands: list[Command]) -> None:
    """Answer one unprotected position: tell of it in time, and give each of its groups a stop for a lost one.

    A stop's end may be heard before the fill that caused it, so nothing is sent within the first `GRACE_NS`. What its
    own exits have turned round gets no stop: it is closed.
    """
    limits = state.settings.protection
    age_ns = now - position.unprotected_ns
    if age_ns >= int(limits.alert_s * SECOND):
        missing = backed(state, position) - protected(state, position)
        words = f"{position.instrument}: {missing} of {abs(position.quantity)} without a working stop"
        tell(state, f"unprotected:{position.instrument}:{position.unprotected_ns}", Severity.CRITICAL, words, commands)
    if age_ns < GRACE_NS or not listens(state, position.broker) or to_close(state, position, age_ns):
        return
    if in_question(state, position):
        return  # a level of before a split would trade at once
    side = Side.SELL if position.quantity > 0 else Side.BUY
    stops = [stop for stop in stops_of(state, position) if stop.side is side]
    for group, quantity in shares(state, position):
        real = group != "" or read_since(state, position)
        if real and not any(stop.group == group for stop in stops):
            replace_stop(state, now, position, group, min(quantity, backed(state, position)), commands)


def hopeless(state: State, position: Position) -> bool:
    """Say whether the broker refused a position's stop and the one that was placed for it."""
    names = {name for group in position.groups if group in state.orders for name in state.orders[group].children}
    stops = [order for name in sorted(names) if (order := state.orders.get(name)) is not None and order.leg is Leg.STOP]
    return sum(stop.status is Status.REJECTED for stop in stops) > 1


def to_close(state: State, position: Position, age_ns: int) -> bool:
    """Say whether a position is to be closed rather than mended: a new stop beside a close would turn it round."""
    under_way = state.orders.get(position.closing)
    closing = under_way is not None and under_way.leg is Leg.CLOSE and under_way.live
    late = age_ns >= int(state.settings.protection.flatten_s * SECOND)
    policy = state.settings.protection.close_unprotected
    return closing or (policy and (late or hopeless(state, position) or turned(state, position) != ""))


def turned(state: State, position: Position) -> str:
    """Say that exits of a position's groups closed more than their entries had opened, or "".

    What one entry explains on its own side is what nearly every position is: the Tick looks no further.
    """
    sole = state.orders.get(position.groups[0]) if len(position.groups) == 1 else None
    if sole is not None and sole.order == sole.group and position.quantity * sole.side.sign >= 0:
        return ""
    orders = (state.orders.get(group) for group in position.groups)
    return next((words for order in orders if order is not None and (words := flipped(state, order))), "")


def shares(state: State, position: Position) -> list[tuple[str, Decimal]]:
    """Give each group that holds something on the position's side, and how much; "" for what no group explains."""
    sign = 1 if position.quantity > 0 else -1
    found = [(group, sums_of(state, group).quantity * sign) for group in position.groups]
    explained = [(group, quantity) for group, quantity in found if quantity > 0 and group in state.orders]
    entries = [(group, quantity) for group, quantity in explained if state.orders[group].opens]
    if any(state.orders[group].side.sign == sign for group, _ in entries):
        return entries
    return [("", abs(position.quantity))]


def replace_stop(
    state: State, now: int, position: Position, group: str, quantity: Decimal, commands: list[Command]
) -> None:
    """Send a new stop for a lost one: at once, then at most one each `alert_s`, and not for ever."""
    pause_ns = int(state.settings.protection.alert_s * SECOND)
    limit = REPAIRS_MAX
    if position.repairs and (position.repairs >= limit or now - position.repaired_ns < pause_ns):
        return
    level = repair_level(state, position)
    if level is not None:
        words = f"{quantity} {position.instrument} without a stop, one is placed at {level}"
        commands.append(JudgeBooks(position.broker, VERDICTS[BARE].verdict, BARE, words, group, position.instrument))
        commands.append(reduce(state, len(commands), position, group, quantity, level))


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


def note_spare(state: State, read: BrokerRead) -> None:
    """Count the whole reads in a row that show an exit with nothing to guard, in the broker's book as in ours.

    Part of `apply`. An entry that the broker shows open, dead or alive to us, may still fill and need its stop.
    """
    if not read.complete or read.connection != state.brokers[read.broker].connection:
        return
    shown = {order.order for order in read.orders if not order.status.ended}
    for order in state.orders.values():
        if not order.opens and order.broker == read.broker and order.status in HOLDING:
            spare = not guards(state, order) and order.group not in shown and _agreed(state, order, read)
            order.spare_reads = order.spare_reads + 1 if spare else 0


def guards(state: State, order: Order) -> bool:
    """Say whether an exit would close something that is held."""
    position = state.positions.get(order.instrument)
    held = position.quantity if position is not None else ZERO
    right = held != 0 and order.side is (Side.SELL if held > 0 else Side.BUY)
    if position is None or not right or not backed(state, position):
        return False
    return order.group == "" or _holds(state, order, position)


def fit(state: State, now: int, read: BrokerRead, commands: list[Command]) -> None:
    """Fit the size of exits to what is held: what guards nothing is cancelled, another shrinks, a stop may also grow.

    Only on a whole read that agrees with our books on the position, with nothing heard since: news that are late may
    not change what protects. What guards nothing must have been seen so twice (F68).
    """
    left: dict[tuple[str, Leg], Decimal] = {}
    for order in state.orders.values():
        if order.opens or order.status not in HOLDING or order.leg is Leg.CLOSE or order.broker != read.broker:
            continue
        room = ZERO
        if guards(state, order):
            key_of = (order.instrument, order.leg)
            room = left.get(key_of, backed(state, state.positions[order.instrument]))
            left[key_of] = max(ZERO, room - order.left)
        if order.left != room and not order.twin and _agreed(state, order, read):
            _fit(state, order, room, commands)


def refit(state: State, now: int, event: OrderWorking, commands: list[Command]) -> None:
    """Shrink an exit at once that works for more than its group still holds: its next fill would turn the position.

    Where a broker knows an amendment only as the whole order once more (IBKR), one for another level that crosses a
    fill of the group's other exit brings back the quantity of before. The entry has filled whole, so nothing of its
    group can be late but what closes; at most once in `GRACE_NS`, for a broker that does not take it.
    """
    order = state.orders.get(event.order)
    if order is None or order.opens or order.leg is Leg.CLOSE or order.status not in HOLDING or order.twin:
        return
    entry = state.orders.get(order.group)
    if entry is None or not entry.opens or entry.status is not Status.FILLED or entry.late:
        return
    room = sums_of(state, order.group).quantity * -order.side.sign
    if 0 < room < order.left and now - order.sized_ns >= GRACE_NS:
        commands.append(judged(MISFIT, order, f"{order.left} for {room}, brought back by an amendment"))
        commands.append(AmendOrder(order.order, quantity=order.filled + room, reason="resize"))


def _fit(state: State, order: Order, room: Decimal, commands: list[Command]) -> None:
    """Amend one exit to the room that there is for it, or cancel it where there is none."""
    if room == 0:
        if order.spare_reads >= SPARE_READS:
            words = "it guards nothing any more"
            commands += [judged(MISFIT, order, words), CancelOrder(order.order, words)]
    elif order.left > room or (
        order.leg is Leg.STOP and sums_of(state, order.group).quantity * -order.side.sign >= room
    ):
        commands.append(judged(MISFIT, order, f"{order.left} for {room}"))
        commands.append(AmendOrder(order.order, quantity=order.filled + room, reason="resize"))


def _agreed(state: State, order: Order, read: BrokerRead) -> bool:
    """Say whether a read and our books agree on an exit: its position is the same in both, all of it older.

    Two reads that show less of it than our books agree too: what is not there any more needs no exit (F70).
    """
    entry, position = state.orders.get(order.group), state.positions.get(order.instrument)
    held = position.quantity if position is not None else ZERO
    beyond = held * state.external.get(order.instrument, ZERO) > 0 or (not held and order.instrument in state.external)
    beyond = beyond or order.instrument in state.brokers[read.broker].suspected
    newest = max(order.changed_ns, order.asked_ns, position.changed_ns if position is not None else 0)
    settled = newest < read.from_ns and order.asked is None and not beyond
    return read.complete and settled and (entry is None or not entry.live) and listens(state, order.broker)


def _holds(state: State, order: Order, position: Position | None) -> bool:
    """Say whether an exit's group holds something that it would close."""
    if position is not None and order.group == position.group:
        return True
    return sums_of(state, order.group).quantity * -order.side.sign > 0
