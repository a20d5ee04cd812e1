"""The broker's whole book against ours: what it shows is taken over, what it lacks must lack twice.

An incomplete read may add what it shows and prove no absence. Reconciliation changes books, never the market.
"""

from decimal import Decimal

from joed.engine.orders import NEXT, ours
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
RECONCILING = "unreconciled"
DOWN = "broker_down"
WRONG = "wrong_account"


def broker_of(state: State, name: str) -> Broker:
    """Give what is known of a broker, a new entry at its first mention."""
    broker = state.brokers.get(name)
    if broker is None:
        broker = state.brokers[name] = Broker(name)
    return broker


def apply_up(state: State, now: int, event: BrokerUp) -> None:
    """A new connection: nothing is known until it has been read whole."""
    broker = broker_of(state, event.broker)
    broker.up, broker.reconciled = True, False
    broker.account, broker.connection, broker.changed_ns = event.account, event.connection, now


def apply_down(state: State, now: int, event: BrokerDown) -> None:
    """The link is gone; orders and stops at the broker live on."""
    broker = broker_of(state, event.broker)
    broker.up, broker.reconciled, broker.changed_ns = False, False, now


def apply_read(state: State, now: int, read: BrokerRead) -> None:
    """Take over what a read proves: executions first, then open orders, ended ones, absences, positions, cash."""
    broker = broker_of(state, read.broker)
    if read.connection != broker.connection:
        return
    missed = sum(1 for fill in read.executions if apply_fill(state, now, fill))
    seen = {order.order: order for order in read.orders if order.order}
    for order in state.orders.values():
        if order.broker == read.broker:
            _take(order, seen.get(order.order), read, now)
    broker.differences = missed
    if read.complete:
        broker.differences += _compare(state, read)
        broker.read_ns = now
        broker.reconciled = not any(
            order.status is Status.UNCERTAIN for order in state.orders.values() if order.broker == read.broker
        )
        _take_cash(state, read)


def _take(order: Order, seen: OrderSeen | None, read: BrokerRead, now: int) -> None:
    """Let one order have the broker's word, unless something newer than the read has been heard of it."""
    newer = order.changed_ns >= read.from_ns and order.status is not Status.UNCERTAIN
    if newer or not (order.live or (order.status, OrderWorking) in NEXT):
        return
    ended = read.ended.get(order.order)
    if seen is not None:
        asked = order.status is Status.CANCEL_ASKED
        order.status = order.status if asked else seen.status
        order.quantity, order.terms = order.filled + seen.quantity, seen.level or order.terms
        order.broker_id, order.asked, order.absent_reads = seen.broker_id, None, 0
    elif ended is not None:
        order.status, order.changed_ns, order.asked = ended, now, None
    elif read.complete and order.live:
        order.absent_reads += 1
        order.absent_ns = order.absent_ns if order.absent_reads > 1 else now


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
        else:
            state.external.pop(instrument, None)
    return differences


def _take_cash(state: State, read: BrokerRead) -> None:
    """Take the broker's word for the cash, when no fill is newer than the read."""
    newest = max((position.changed_ns for position in state.positions.values()), default=0)
    if read.cash is not None and newest < read.from_ns:
        state.cash = read.cash


def on_up(state: State, now: int, event: BrokerUp, commands: list[Command]) -> None:
    """Forbid entries at this broker until it has been read whole; refuse one whose account is of the other mode."""
    scope = f"broker:{event.broker}"
    if event.mode != state.mode.value:
        words = f"{event.broker} is a {event.mode} account, joed runs in {state.mode.value} mode"
        commands.append(RaiseBlock(Block(scope, WRONG, words, now, latched=True)))
        commands.append(RaiseAlert(f"{WRONG}:{event.broker}", Severity.CRITICAL, words))
    if key(scope, DOWN) in state.blocks:
        commands.append(LiftBlock(key(scope, DOWN), "it answers again"))
    commands.append(RaiseBlock(Block(scope, RECONCILING, f"{event.broker}'s books are being read", now)))
    commands.append(ReadBroker(event.broker, "connected"))


def on_down(state: State, now: int, event: BrokerDown, commands: list[Command]) -> None:
    """Forbid entries at a broker that does not answer."""
    words = f"{event.broker} does not answer: {event.reason}"
    commands.append(RaiseBlock(Block(f"broker:{event.broker}", DOWN, words, now)))
    commands.append(RaiseAlert(f"{DOWN}:{event.broker}:{now // SECOND}", Severity.WARNING, words))


def on_read(state: State, now: int, read: BrokerRead, commands: list[Command]) -> None:
    """Judge what the read left open: adopt silently, retire what is proven absent, block where the books differ."""
    broker = state.brokers[read.broker]
    if read.connection != broker.connection:
        return
    for order in state.orders.values():
        if order.broker == read.broker and proven_absent(order, now):
            commands.append(RetireOrder(order.order, f"absent from {order.absent_reads} complete reads"))
    if not read.complete:
        return
    _name_strangers(state, read, commands)
    _block_differences(state, now, read, commands)
    reconciling = key(f"broker:{read.broker}", RECONCILING)
    if broker.reconciled and reconciling in state.blocks:
        commands.append(LiftBlock(reconciling, "its books are read"))


def proven_absent(order: Order, now: int) -> bool:
    """Say whether an order has been missing from enough complete reads for long enough."""
    return order.live and order.absent_reads >= ABSENT_READS and now - order.absent_ns >= ABSENT_NS


def _block_differences(state: State, now: int, read: BrokerRead, commands: list[Command]) -> None:
    named = {position.instrument for position in read.positions} | set(state.positions) | set(state.external)
    for instrument in sorted(named):
        at = key(f"instrument:{instrument}", DIFFER)
        difference: Decimal = state.external.get(instrument, ZERO)
        if difference and at not in state.blocks:
            words = f"{instrument}: the broker holds {difference:+} beyond our books"
            commands.append(RaiseBlock(Block(f"instrument:{instrument}", DIFFER, words, now)))
            commands.append(RaiseAlert(f"{DIFFER}:{instrument}", Severity.WARNING, words))
        elif not difference and at in state.blocks:
            commands.append(LiftBlock(at, "the books agree again"))


def _name_strangers(state: State, read: BrokerRead, commands: list[Command]) -> None:
    """Tell of orders that carry our tag and stand in no book of ours: an older journal was put back (reliability B9)."""
    for seen in read.orders:
        alert = f"stranger:{seen.order}"
        if seen.order and seen.order not in state.orders and alert not in state.alerts and ours(state, seen.order):
            words = f"{seen.order} ({seen.instrument} {seen.side} {seen.quantity}) is ours and not in the journal"
            commands.append(RaiseAlert(alert, Severity.CRITICAL, words))
