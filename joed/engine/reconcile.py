"""The broker's whole book against ours: what it shows is taken over, what it lacks must lack twice.

An incomplete read may add what it shows and prove no absence. Reconciliation changes books, never the market.
"""

from decimal import Decimal

from joed.engine import orders
from joed.engine.life import NEXT
from joed.engine.markets import empty_band, market_of
from joed.engine.orders import ours
from joed.engine.positions import apply_fill
from joed.model.blocks import Block, key
from joed.model.commands import Command, LiftBlock, RaiseAlert, RaiseBlock, ReadBroker, RetireOrder
from joed.model.events import BrokerDown, BrokerRead, BrokerUp, OrderSeen, OrderWorking
from joed.model.orders import Order
from joed.model.state import Broker, State
from joed.model.values import SECOND, ZERO, Severity, Status

ABSENT_READS = 2
ABSENT_NS = 5 * SECOND
"""An order is gone when two complete reads, this far apart, do not have it (reliability B7)."""

DIFFER = "books_differ"
RECONCILING = "reconciling"
DOWN = "broker_down"
WRONG = "wrong_account"


def broker_of(state: State, name: str) -> Broker:
    """Give what is known of a broker, a new entry at its first mention."""
    broker = state.brokers.get(name)
    if broker is None:
        broker = state.brokers[name] = Broker(name)
    return broker


def reconciled(state: State) -> bool:
    """Say whether each broker that is configured has been read whole, and agrees with our books."""
    known = (state.brokers.get(name) for name in state.settings.brokers)
    return all(broker is not None and broker.reconciled for broker in known)


def apply_up(state: State, now: int, event: BrokerUp) -> None:
    """Begin a new connection: nothing is known until it has been read whole."""
    broker = broker_of(state, event.broker)
    broker.up, broker.reconciled = True, False
    broker.account, broker.connection, broker.changed_ns = event.account, event.connection, now


def apply_down(state: State, now: int, event: BrokerDown) -> None:
    """Note that the link is gone; orders and stops at the broker live on."""
    broker = broker_of(state, event.broker)
    broker.up, broker.reconciled, broker.changed_ns = False, False, now


def apply_read(state: State, now: int, read: BrokerRead) -> None:
    """Take over what a read proves: executions first, then open orders, ended ones, absences, positions, cash.

    `differences` counts everything that this changed or left open: a read that found none is not worth a record.
    """
    broker = broker_of(state, read.broker)
    if read.connection != broker.connection:
        return
    broker.differences = sum(1 for fill in read.executions if apply_fill(state, now, fill))
    seen = {order.order: order for order in read.orders if order.order}
    for order in state.orders.values():
        if order.broker == read.broker:
            broker.differences += _take(state, order, seen.get(order.order), read, now)
    if read.complete:
        broker.differences += _compare(state, read) + _take_cash(state, broker, read)
        broker.read_ns, broker.read_from_ns = now, read.from_ns
        judge(state, broker)


def judge(state: State, broker: Broker) -> None:
    """Note whether the books are reconciled: read whole over this link, and no order's fate unknown."""
    whole = broker.up and broker.read_ns >= broker.changed_ns
    broker.reconciled = whole and not any(
        order.status is Status.UNCERTAIN and order.broker == broker.name for order in state.orders.values()
    )


def apply_retired(state: State, now: int, command: RetireOrder) -> None:
    """End what is proven absent; it may have been the last thing in doubt."""
    orders.apply_retired(state, now, command)
    broker = state.brokers.get(state.orders[command.order].broker)
    if broker is not None:
        judge(state, broker)


def fresh(order: Order, read: BrokerRead) -> bool:
    """Say whether something newer than the read has been heard of an order.

    At the same instant the read counts as older, but for an order in doubt: its doubt began before any read of it.
    """
    if order.status is Status.UNCERTAIN:
        return order.changed_ns > read.from_ns
    return order.changed_ns >= read.from_ns


def _take(state: State, order: Order, seen: OrderSeen | None, read: BrokerRead, now: int) -> bool:
    """Let one order have the broker's word, unless something newer has been heard; say whether that changed it."""
    if fresh(order, read) or not (order.live or (order.status, OrderWorking) in NEXT):
        return False
    ended = read.ended.get(order.order)
    before = (order.status, order.quantity, order.terms, order.asked, order.absent_reads)
    if seen is not None:
        _show(order, seen)
    elif ended is not None and ended.ended:
        order.status, order.changed_ns, order.asked = ended, now, None
    elif read.complete and order.live and order.status is not Status.ARMED:  # what has not left can't be missed
        order.absent_reads += 1
        order.absent_ns = order.absent_ns if order.absent_reads > 1 else now
    if before == (order.status, order.quantity, order.terms, order.asked, order.absent_reads):
        return False
    empty_band(market_of(state, order.instrument))
    orders.note_resting(state, order)
    return True


def _show(order: Order, seen: OrderSeen) -> None:
    """Take an open order over as the broker shows it; a cancel that we asked for is still to be answered."""
    if order.status is not Status.CANCEL_ASKED and not seen.status.ended:
        order.status = seen.status
    quantity = max(order.filled, seen.filled) + seen.quantity
    order.quantity = quantity if quantity.is_finite() else order.quantity
    order.terms = seen.level if seen.level is not None and seen.level.is_finite() else order.terms
    order.broker_id, order.asked, order.absent_reads = seen.broker_id, None, 0


def _compare(state: State, read: BrokerRead) -> int:
    """Set what the broker holds beyond our books as external, by instrument, and count the differences.

    An instrument whose fill is newer than the read is left for the next.
    """
    theirs = {position.instrument: position.quantity for position in read.positions}
    held = {position.instrument: position for position in state.positions.values() if position.broker == read.broker}
    differences = 0
    for instrument in sorted({*theirs, *held}):
        position = held.get(instrument)
        if position is not None and position.changed_ns >= read.from_ns:
            continue
        difference = theirs.get(instrument, ZERO) - (position.quantity if position is not None else ZERO)
        if difference:
            state.external[instrument] = difference
            differences += 1
        elif state.external.pop(instrument, None) is not None:
            differences += 1
    for instrument in [name for name in state.external if name not in theirs and name not in held]:
        if _broker_of(state, instrument) == read.broker:
            del state.external[instrument]
            differences += 1
    return differences


def _broker_of(state: State, instrument: str) -> str:
    found = state.settings.universe.get(instrument)
    return "" if found is None else found.broker


def _take_cash(state: State, broker: Broker, read: BrokerRead) -> bool:
    """Take the broker's word for its cash, when no fill is newer than the read; say whether it was news."""
    held = [position.changed_ns for position in state.positions.values() if position.broker == read.broker]
    if read.cash is None or not read.cash.is_finite() or max(held, default=-1) >= read.from_ns:
        return False
    news = broker.cash != read.cash
    if news:
        broker.cash = read.cash
        state.cash = sum((one.cash for one in state.brokers.values()), ZERO)
    return news


def on_up(state: State, now: int, event: BrokerUp, commands: list[Command]) -> None:
    """Forbid entries at this broker until it has been read whole; refuse one whose account is of the other mode.

    No release lifts that: only the right account does.
    """
    scope = f"broker:{event.broker}"
    if event.mode != state.mode.value:
        words = f"{event.broker} is a {event.mode} account, joed runs in {state.mode.value} mode"
        commands.append(RaiseBlock(Block(scope, WRONG, words, now)))
        commands.append(RaiseAlert(f"{WRONG}:{event.broker}:{now}", Severity.CRITICAL, words))
    elif key(scope, WRONG) in state.blocks:
        commands.append(LiftBlock(key(scope, WRONG), "it is the right account now"))
    if key(scope, DOWN) in state.blocks:
        commands.append(LiftBlock(key(scope, DOWN), "it answers again"))
    commands.append(RaiseBlock(unread(event.broker, now)))
    commands.append(ReadBroker(event.broker, "connected"))


def unread(broker: str, now: int) -> Block:
    """Give the Block that stands until a broker's books have been read whole."""
    return Block(f"broker:{broker}", RECONCILING, f"{broker}'s books are being read", now)


def on_down(state: State, now: int, event: BrokerDown, commands: list[Command]) -> None:
    """Forbid entries at a broker that does not answer."""
    words = f"{event.broker} does not answer: {event.reason}"
    commands.append(RaiseBlock(Block(f"broker:{event.broker}", DOWN, words, now)))
    commands.append(RaiseAlert(f"{DOWN}:{event.broker}:{now}", Severity.WARNING, words))


def on_read(state: State, now: int, read: BrokerRead, commands: list[Command]) -> None:
    """Judge what the read left open: adopt silently, retire what is proven absent, block where the books differ."""
    broker = state.brokers[read.broker]
    if read.connection != broker.connection:
        return
    _name_strangers(state, read, commands)
    if not read.complete:
        return
    absent = [order for order in state.orders.values() if order.broker == read.broker and proven_absent(order, now)]
    commands.extend(RetireOrder(order.order, f"absent from {order.absent_reads} complete reads") for order in absent)
    _block_differences(state, now, read, commands)
    doubts = [order for order in state.orders.values() if order.status is Status.UNCERTAIN]
    settled = all(order in absent for order in doubts if order.broker == read.broker)
    reconciling = key(f"broker:{read.broker}", RECONCILING)
    if broker.up and settled and reconciling in state.blocks:
        commands.append(LiftBlock(reconciling, "its books are read"))


def proven_absent(order: Order, now: int) -> bool:
    """Say whether an order has been missing from enough complete reads for long enough."""
    return order.live and order.absent_reads >= ABSENT_READS and now - order.absent_ns >= ABSENT_NS


def _block_differences(state: State, now: int, read: BrokerRead, commands: list[Command]) -> None:
    """Forbid entries in what the broker holds beyond our books, and allow them again where the books agree."""
    blocked = {block.scope.partition(":")[2] for block in state.blocks.values() if block.reason == DIFFER}
    for instrument in sorted(blocked | set(state.external)):
        at = key(f"instrument:{instrument}", DIFFER)
        difference: Decimal = state.external.get(instrument, ZERO)
        if difference and at not in state.blocks:
            words = f"{instrument}: the broker holds {difference:+} beyond our books"
            commands.append(RaiseBlock(Block(f"instrument:{instrument}", DIFFER, words, now)))
            commands.append(RaiseAlert(f"{DIFFER}:{instrument}", Severity.WARNING, words))
        elif not difference and at in state.blocks:
            commands.append(LiftBlock(at, "the books agree again"))


def _name_strangers(state: State, read: BrokerRead, commands: list[Command]) -> None:
    """Tell of orders that carry our tag and stand in no book of ours (reliability B9), or stand in it as ended."""
    for seen in read.orders:
        alert, order = f"stranger:{seen.order}", state.orders.get(seen.order)
        if not seen.order or alert in state.alerts:
            continue
        what = f"{seen.order} ({seen.instrument} {seen.side} {seen.quantity})"
        if order is None and ours(state, seen.order):
            commands.append(RaiseAlert(alert, Severity.CRITICAL, f"{what} is ours and not in the journal"))
        elif order is not None and order.status.ended and not fresh(order, read):
            words = f"{what} lives at the broker, in our books it is {order.status.lower()}"
            commands.append(RaiseAlert(alert, Severity.CRITICAL, words))
