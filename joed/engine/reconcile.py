"""The broker's whole book against ours: what it shows is taken over, what it lacks must lack twice.

An incomplete read may add what it shows and prove no absence. Reconciliation changes books, never the market. Each
difference gets its verdict (verdicts); what is not ours at all is the matter of strangers.
"""

from decimal import Decimal

from joed.engine import foreign, orders, strangers
from joed.engine.binding import REMEDY, mistaken
from joed.engine.life import NEXT, doubt_link
from joed.engine.markets import empty_band, market_of
from joed.engine.positions import apply_fill
from joed.engine.verdicts import (
    ABSENT,
    BEHIND,
    CASH,
    DIFFERS,
    ENDED,
    EXTERNAL,
    KNOWN,
    LATE,
    MISSED,
    UNDEAD,
    begin,
    find,
    judged,
)
from joed.model.blocks import Block, key
from joed.model.commands import (
    CancelOrder,
    ClaimOrder,
    Command,
    LiftBlock,
    RaiseAlert,
    RaiseBlock,
    ReadBroker,
    RetireOrder,
)
from joed.model.events import BrokerDown, BrokerRead, BrokerUp, ClockStepped, OrderFilled, OrderSeen, OrderWorking
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
    return not unreconciled(state)


def unreconciled(state: State) -> list[str]:
    """Name the brokers that were not read whole over this link, or with whom an order's fate is open."""
    known = {name: state.brokers.get(name) for name in state.settings.brokers}
    return [name for name, broker in known.items() if broker is None or not broker.reconciled]


def apply_up(state: State, now: int, event: BrokerUp) -> None:
    """Begin a new connection: nothing is known until it has been read whole."""
    broker = broker_of(state, event.broker)
    broker.up, broker.reconciled = not mistaken(state, event), False
    if not broker.up:
        return  # as good as down: its book is another account's, and no order of ours belongs there
    broker.account, broker.connection, broker.changed_ns = event.account, event.connection, now


def apply_down(state: State, now: int, event: BrokerDown) -> None:
    """Note that the link is gone; orders and stops at the broker live on."""
    broker = broker_of(state, event.broker)
    broker.up, broker.reconciled, broker.changed_ns = False, False, now
    doubt_link(state, now, event.broker)


def apply_clock(state: State, now: int, event: ClockStepped) -> None:
    """Take over how UTC stands against the engine's time; after a sleep trust no book until it has been read anew.

    What was asked before the sleep may be answered after it, and proves nothing.
    """
    state.utc_offset_ns = event.offset_ns
    for broker in state.brokers.values():
        if event.slept_ns and broker.up:
            broker.reconciled, broker.changed_ns, broker.slept_ns = False, now, now


def apply_read(state: State, now: int, read: BrokerRead) -> None:
    """Take over what a read proves: executions first, then open orders, ended ones, absences, positions, cash.

    `differences` counts everything that this changed or left open: a read that found none is not worth a record.
    """
    begin(state)
    broker = broker_of(state, read.broker)
    if read.connection != broker.connection:
        return
    broker.differences = 0
    if read.complete:
        broker.differences += strangers.recover(state, now, read) + strangers.recover_spent(state, now, read)
    lived = {name for name, order in state.orders.items() if order.live and not fresh(order, read)}
    broker.differences += sum(_take_fill(state, now, fill, read.broker) for fill in read.executions)
    seen = strangers.by_order(state, read)
    for order in state.orders.values():
        if order.broker == read.broker:
            broker.differences += _take(state, order, seen.get(order.order, []), read, now, order.order in lived)
    broker.differences += strangers.note_foreign(state, broker, read)
    if read.complete:
        broker.differences += _compare(state, broker, read) + _take_cash(state, broker, read)
        foreign.note(state, broker, read)
        broker.read_ns, broker.read_from_ns = now, read.from_ns
        power = read.buying_power
        broker.buying_power = power if power is not None and power.is_finite() else None
        broker.day_trades_left = read.day_trades_left
        judge(state, broker)


def _take_fill(state: State, now: int, fill: OrderFilled, broker: str) -> bool:
    """Book an execution that a read shows; say whether it was news."""
    news = apply_fill(state, now, fill)
    if news:
        find(state, MISSED, broker, f"{fill.execution}: {fill.quantity} at {fill.price}", state.orders[fill.order])
    return news


def judge(state: State, broker: Broker) -> None:
    """Note whether the books are reconciled: read whole over this link, and no order's fate unknown."""
    whole = broker.up and broker.read_ns >= broker.changed_ns and broker.read_from_ns >= broker.slept_ns
    broker.reconciled = whole and not any(
        order.status.doubtful and order.broker == broker.name for order in state.orders.values()
    )


def apply_retired(state: State, now: int, command: RetireOrder) -> None:
    """End what is proven absent; it may have been the last thing in doubt."""
    orders.apply_retired(state, now, command)
    broker = state.brokers.get(state.orders[command.order].broker)
    if broker is not None:
        judge(state, broker)


def apply_claimed(state: State, now: int, command: ClaimOrder) -> None:
    """Take a person's word for an order; it may have been the last thing in doubt."""
    orders.apply_claimed(state, now, command)
    judge(state, state.brokers[state.orders[command.order].broker])


def fresh(order: Order, read: BrokerRead) -> bool:
    """Say whether something newer than the read has been heard of an order.

    At the same instant the read counts as older, but for an order in doubt: its doubt began before any read of it.
    """
    if order.status.doubtful:
        return order.changed_ns > read.from_ns
    return order.changed_ns >= read.from_ns


def _take(state: State, order: Order, rows: list[OrderSeen], read: BrokerRead, now: int, lived: bool) -> bool:  # noqa: FBT001 - one order's whole case
    """Let one order have the broker's word, unless something newer has been heard; say whether that changed it.

    Executions of the very read are not newer than its rows: an exit that grew unheard and filled what we knew of it
    still works for the rest, although by our count it is whole.
    """
    same_word = bool(rows) and lived
    if not same_word and (fresh(order, read) or not (order.live or (order.status, OrderWorking) in NEXT)):
        return False
    ended = read.ended.get(order.order)
    status = order.status
    before = (status, order.quantity, order.terms, order.asked, order.twin)
    absent = False
    if rows:
        shown, twin = strangers.merged(rows)
        if twin or read.complete:
            strangers.note_twin(state, order, twin)
        _show(order, shown)
    elif ended is not None and ended.ended:
        order.status, order.changed_ns, order.asked = ended, now, None
    elif read.complete and order.live and status is not Status.ARMED:  # what has not left can't be missed
        absent = True
        order.absent_reads += 1
        order.absent_ns = order.absent_ns if order.absent_reads > 1 else now
    if before != (order.status, order.quantity, order.terms, order.asked, order.twin):
        _name(state, order, status)
    elif not absent:
        return False
    empty_band(market_of(state, order.instrument))
    orders.note_resting(state, order)
    return True


def _name(state: State, order: Order, before: Status) -> None:
    """Keep what a read changed of an order, by its kind."""
    what = LATE if before is Status.ABSENT_PROVEN else KNOWN if before.doubtful else BEHIND
    if order.status.ended and what is not LATE:
        what = ENDED
    find(state, what, order.broker, f"{before.lower()} to {order.status.lower()}, {order.left} left", order)


def _show(order: Order, seen: OrderSeen) -> None:
    """Take an open order over as the broker shows it; a cancel that we asked for is still to be answered."""
    if order.status is not Status.CANCEL_ASKED and not seen.status.ended:
        order.status, order.candidates = seen.status, ()
    quantity = max(order.filled, seen.filled) + seen.quantity
    order.quantity = quantity if quantity.is_finite() else order.quantity
    order.terms = seen.level if seen.level is not None and seen.level.is_finite() else order.terms
    order.broker_id, order.asked, order.absent_reads = seen.broker_id, None, 0


def _compare(state: State, broker: Broker, read: BrokerRead) -> int:
    """Note what the broker holds beyond our books, by instrument, and count the differences.

    One sight is a suspicion, and enough to forbid entries; two whole reads of the same prove it external. An instrument
    whose fill is newer than the read is left for the next.
    """
    theirs = {position.instrument: position.quantity for position in read.positions}
    held = {position.instrument: position for position in state.positions.values() if position.broker == read.broker}
    prices = {position.instrument: position.average for position in read.positions}
    before, broker.suspected = broker.suspected, {}
    differences = 0
    for instrument in sorted({*theirs, *held}):
        position = held.get(instrument)
        if position is not None and position.changed_ns >= read.from_ns:
            continue
        difference = theirs.get(instrument, ZERO) - (position.quantity if position is not None else ZERO)
        if difference:
            _suspect(state, broker, instrument, difference, before.get(instrument), prices.get(instrument, ZERO))
            differences += 1
        elif state.external.pop(instrument, None) is not None or instrument in before:
            differences += 1
    for instrument in [name for name in state.external if name not in theirs and name not in held]:
        if _broker_of(state, instrument) == read.broker:
            del state.external[instrument]
            differences += 1
    return differences


def _suspect(
    state: State, broker: Broker, instrument: str, difference: Decimal, before: Decimal | None, average: Decimal
) -> None:
    """Suspect a difference at its first sight, and hold it for external at its second."""
    if state.external.get(instrument) == difference:
        return
    words = f"{difference:+} beyond our books"
    if before == difference:
        state.external[instrument] = difference
        find(state, EXTERNAL, broker.name, words, instrument=instrument)
    else:
        broker.suspected[instrument] = difference
        broker.averages[instrument] = average
        find(state, DIFFERS, broker.name, words, instrument=instrument)


def _broker_of(state: State, instrument: str) -> str:
    found = state.settings.universe.get(instrument)
    return "" if found is None else found.broker


def _take_cash(state: State, broker: Broker, read: BrokerRead) -> bool:
    """Take the broker's word for its cash, when no fill is newer than the read; say whether it was news."""
    held = [position.changed_ns for position in state.positions.values() if position.broker == read.broker]
    if read.cash is None or not read.cash.is_finite() or max(held, default=-1) >= read.from_ns:
        return False
    balances = {currency: amount for currency, amount in read.balances.items() if amount.is_finite() and amount}
    news = broker.cash != read.cash or broker.balances != balances
    if news:
        if broker.read_ns:  # the first word is no correction
            find(state, CASH, broker.name, f"{broker.cash} to {read.cash}")
        broker.cash, broker.balances = read.cash, balances
        state.cash = sum((one.cash for one in state.brokers.values()), ZERO)
    return news


def on_up(state: State, now: int, event: BrokerUp, commands: list[Command]) -> None:
    """Forbid entries at this broker until it has been read whole; refuse one whose account is not ours.

    No release lifts that: only the right account does.
    """
    scope = f"broker:{event.broker}"
    if words := mistaken(state, event):
        commands.append(RaiseBlock(Block(scope, WRONG, f"{words}: {REMEDY}", now)))
        commands.append(RaiseAlert(f"{WRONG}:{event.broker}:{now}", Severity.CRITICAL, words))
        return
    if key(scope, WRONG) in state.blocks:
        commands.append(LiftBlock(key(scope, WRONG), "it is the right account now"))
    if key(scope, DOWN) in state.blocks:
        commands.append(LiftBlock(key(scope, DOWN), "it answers again"))
    commands.append(RaiseBlock(unread(event.broker, now)))
    commands.append(ReadBroker(event.broker, "connected"))


def unread(broker: str, now: int) -> Block:
    """Give the Block that stands until a broker's books have been read whole."""
    return Block(f"broker:{broker}", RECONCILING, f"{broker}'s books are being read", now)


def on_slept(state: State, now: int, event: ClockStepped, commands: list[Command]) -> None:
    """After a sleep forbid entries at each broker until it has been read whole, and say why."""
    if not event.slept_ns:
        return
    for broker in state.brokers.values():
        if broker.up:
            commands += [RaiseBlock(unread(broker.name, now)), ReadBroker(broker.name, "slept")]
    words = f"the machine slept for {event.slept_ns / SECOND:.0f} s; nothing is opened before the books are read again"
    commands.append(RaiseAlert(f"slept:{now}", Severity.WARNING, words))


def on_down(state: State, now: int, event: BrokerDown, commands: list[Command]) -> None:
    """Forbid entries at a broker that does not answer."""
    words = f"{event.broker} does not answer: {event.reason}"
    commands.append(RaiseBlock(Block(f"broker:{event.broker}", DOWN, words, now)))
    commands.append(RaiseAlert(f"{DOWN}:{event.broker}:{now}", Severity.WARNING, words))


def on_read(state: State, now: int, read: BrokerRead, commands: list[Command]) -> None:
    """Judge what the read left open: retire what is proven absent, part twins, block where the books differ."""
    broker = state.brokers[read.broker]
    if read.connection != broker.connection:
        return
    _freeze_undead(state, now, read, commands)
    strangers.part_twins(state, now, read.broker, commands)
    if not read.complete:
        return
    absent = [order for order in state.orders.values() if order.broker == read.broker and proven_absent(order, now)]
    for order in absent:
        evidence = f"absent from {order.absent_reads} complete reads"
        commands += [judged(ABSENT, order, evidence), RetireOrder(order.order, evidence)]
    _block_differences(state, now, read, commands)
    doubts = [order for order in state.orders.values() if order.status.doubtful]
    settled = all(order in absent for order in doubts if order.broker == read.broker)
    reconciling = key(f"broker:{read.broker}", RECONCILING)
    awake = read.from_ns >= broker.slept_ns
    if broker.up and settled and awake and reconciling in state.blocks:
        commands.append(LiftBlock(reconciling, "its books are read"))


def proven_absent(order: Order, now: int) -> bool:
    """Say whether an order has been missing from enough complete reads for long enough.

    A QUARANTINED one is never: it may be there under a number that nobody has matched.
    """
    return (
        order.live
        and order.status is not Status.QUARANTINED
        and order.absent_reads >= ABSENT_READS
        and now - order.absent_ns >= ABSENT_NS
    )


def _block_differences(state: State, now: int, read: BrokerRead, commands: list[Command]) -> None:
    """Forbid entries in what the broker holds beyond our books, and allow them again where the books agree."""
    blocked = {block.scope.partition(":")[2] for block in state.blocks.values() if block.reason == DIFFER}
    beyond = {**state.brokers[read.broker].suspected, **state.external}
    for instrument in sorted(blocked | set(beyond)):
        at = key(f"instrument:{instrument}", DIFFER)
        difference: Decimal = beyond.get(instrument, ZERO)
        if difference and at not in state.blocks:
            words = f"{instrument}: the broker holds {difference:+} beyond our books"
            commands.append(RaiseBlock(Block(f"instrument:{instrument}", DIFFER, words, now)))
            commands.append(RaiseAlert(f"{DIFFER}:{instrument}", Severity.WARNING, words))
        elif not difference and at in state.blocks and _broker_of(state, instrument) in ("", read.broker):
            commands.append(LiftBlock(at, "the books agree again"))


def _freeze_undead(state: State, now: int, read: BrokerRead, commands: list[Command]) -> None:
    """Freeze the instrument of an order that ended in our books and lives at the broker; an entry is cancelled, once.

    It does not come back to life by itself (I11): a person looks, and releases.
    """
    for seen in read.orders:
        alert, order = f"{UNDEAD}:{seen.order}", state.orders.get(seen.order)
        if order is None or not order.status.ended or fresh(order, read) or alert in state.alerts:
            continue
        words = f"{order.order} ({order.instrument}) lives at the broker, in our books it is {order.status.lower()}"
        commands += [judged(UNDEAD, order, words), RaiseAlert(alert, Severity.CRITICAL, words)]
        commands.append(RaiseBlock(Block(f"instrument:{order.instrument}", UNDEAD, words, now, latched=True)))
        if order.opens:
            commands.append(CancelOrder(order.order, "it ended in our books"))
