"""The one door: nothing else builds a SubmitOrder. Submit once, ask for the end, wait for the word, forget nothing.

What a word makes of an order is the table's matter (life); here is what we send, what may still fill, what is overdue.
"""

from decimal import Decimal
from hashlib import blake2s

from msgspec.structs import replace

from joed.engine.money import rate_of
from joed.model import ids
from joed.model.commands import (
    AmendOrder,
    Basis,
    CancelOrder,
    ClaimOrder,
    Command,
    MarkUncertain,
    RetireOrder,
    SubmitOrder,
)
from joed.model.ids import leg_of as leg_of  # noqa: PLC0414 - an id's form is the model's, and the engine's to ask
from joed.model.orders import Order, Position
from joed.model.state import State
from joed.model.triggers import Trigger
from joed.model.values import SECOND, ZERO, Kind, Leg, Scope, Side, Status, Tif

BRACKET = (Leg.ENTRY, Leg.STOP, Leg.TARGET)

SIGNALS_MAX = 50_000
"""Signals that became entries, remembered for ever; at 40 trades a day that is five years. Then entries are refused."""


def order_ids(state: State, index: int, legs: tuple[Leg, ...]) -> list[str]:
    """Give ids that no other command of any life of joed can make: session, epoch, seq, index, leg and a tag.

    The tag (keyed BLAKE2s, RFC 7693, 16 bits) tells our orders from another client's that copies the form.
    """
    body = f"j1-{state.day.session.replace('-', '')}-{state.epoch}-{state.seq}.{index}-"
    begun = blake2s(body.encode(), key=state.id_key, digest_size=2)  # what the legs share is digested once
    ids = []
    for leg in legs:
        tag = begun.copy()
        tag.update(leg.encode())
        ids.append(f"{body}{leg}-{tag.hexdigest()}")
    return ids


def order_id(state: State, index: int, leg: Leg) -> str:
    """Give the id of one leg."""
    return order_ids(state, index, (leg,))[0]


def ours(state: State, order: str) -> bool:
    """Say whether an id found at a broker was made with our key."""
    return ids.ours(state.id_key, order)


def sibling(state: State, order: str, leg: Leg) -> str:
    """Give the id that another leg of the same bracket has."""
    return ids.sibling(state.id_key, order, leg)


def enter(state: State, now: int, index: int, trigger: Trigger, basis: Basis) -> SubmitOrder:
    """Give the command that opens a position with its bracket: a limit entry, a stop and a target held by the broker.

    It leaves within the fill time-out or not at all.
    """
    entry, stop, target = order_ids(state, index, BRACKET)
    return SubmitOrder(
        order=entry,
        broker=state.settings.universe[trigger.instrument].broker,
        instrument=trigger.instrument,
        side=trigger.side,
        quantity=basis.quantity,
        kind=Kind.LIMIT,
        leg=Leg.ENTRY,
        opens=True,
        level=basis.limit,
        stop_order=stop,
        stop=trigger.stop,
        target_order=target,
        target=trigger.target,
        group=entry,
        strategy=trigger.strategy,
        signal=trigger.signal,
        expires_at_ns=now + int(state.settings.fill_timeout_s * SECOND),
        reasons=trigger.reasons,
        basis=basis,
    )


def reduce(
    state: State,
    index: int,
    position: Position,
    group: str,
    quantity: Decimal,
    level: Decimal | None = None,
    lot: str = "",
) -> SubmitOrder:
    """Give the command that can only reduce a position: a new stop at `level`, or without one a market close.

    It joins the group whose fills it takes back, so that whatever of the group fills first shrinks the others; a
    position that no group explains has none (""), and of an adopted one the broker knows none.
    """
    entry = state.orders.get(group)
    lot = group if entry is not None and entry.adopted else lot
    leg = Leg.CLOSE if level is None else Leg.STOP
    side = Side.SELL if position.quantity > 0 else Side.BUY
    return SubmitOrder(
        order=order_id(state, index, leg),
        broker=position.broker,
        instrument=position.instrument,
        side=side,
        quantity=quantity,
        kind=Kind.STOP if leg is Leg.STOP else Kind.MARKET,
        leg=leg,
        opens=False,
        level=level,
        tif=Tif.GTC,
        group="" if lot else group,
        strategy=position.strategy,
        signal=f"{lot or group or position.instrument}-{leg.value}",
        lot=lot,
    )


def digest_of(strategy: str, signal: str) -> str:
    """Give the mark under which a strategy's signal is remembered for ever: 64 bits; a clash refuses."""
    return blake2s(f"{strategy}\0{signal}".encode(), digest_size=8).hexdigest()


def spent(state: State, trigger: Trigger) -> bool:
    """Say whether a signal was answered in this session, or ever became an entry: it never does twice (I7)."""
    return trigger.signal in state.signals or digest_of(trigger.strategy, trigger.signal) in state.spent


def close_foreign(state: State, index: int, broker: str, instrument: str, held: Decimal) -> SubmitOrder:
    """Give the command that closes at market what is held at a broker and is not ours."""
    name = order_id(state, index, Leg.CLOSE)
    return SubmitOrder(
        order=name,
        broker=broker,
        instrument=instrument,
        side=Side.SELL if held > 0 else Side.BUY,
        quantity=abs(held),
        kind=Kind.MARKET,
        leg=Leg.CLOSE,
        opens=False,
        tif=Tif.GTC,
        signal=name,
        foreign=True,
    )


def rehearsal(state: State, index: int) -> SubmitOrder:
    """Give an entry that a drill shows to permit and nobody sends."""
    name = order_id(state, index, Leg.ENTRY)
    return SubmitOrder(name, "", "", Side.BUY, Decimal(1), Kind.LIMIT, Leg.ENTRY, opens=True, signal="drill")


def apply_submit(state: State, now: int, command: SubmitOrder) -> None:
    """Put a new order and its children into the ledger, ARMED: durable before any byte of it leaves."""
    entry = _order(command, now)
    brackets = (
        (command.stop_order, Leg.STOP, Kind.STOP, command.stop),
        (command.target_order, Leg.TARGET, Kind.LIMIT, command.target),
    )
    named = [bracket for bracket in brackets if bracket[0]]
    entry.children = tuple(name for name, *_ in named)
    state.orders[command.order] = entry
    for name, leg, kind, level in named:
        child = replace(entry, executions={}, children=())
        child.order, child.leg, child.kind, child.terms = name, leg, kind, level
        child.side, child.opens = command.side.opposite, False
        state.orders[name] = child
    _count(state, command, len(named) + 1)
    if command.opens:
        entry.decided = command.basis.price if command.basis is not None else None
        entry.regime = state.regime.name if state.regime is not None else ""
        state.signals[command.signal] = "entered"
        state.spent[digest_of(command.strategy, command.signal)] = None
        state.order_times.append(now)
        state.day.orders += 1
        state.resting[command.order] = None
    elif not command.foreign:
        _join(state, now, command)


def _count(state: State, command: SubmitOrder, orders: int) -> None:
    """Count orders for the signal that caused them: an exit's is its entry's, or its instrument where it has none."""
    entry = state.orders.get(command.group)
    signal = command.signal if command.opens else (entry.signal if entry is not None else command.instrument)
    state.signal_orders[signal] = state.signal_orders.get(signal, 0) + orders


def _join(state: State, now: int, command: SubmitOrder) -> None:
    """Let a reduction belong to the group that it closes, and to the position."""
    group = command.lot or command.group
    entry = state.orders.get(group)
    if entry is not None:
        entry.children = (*entry.children, command.order)
    position = state.positions.get(command.instrument)
    if position is None:
        return
    if command.leg is Leg.STOP:
        position.repairs, position.repaired_ns = position.repairs + 1, now
        if group in ("", position.group):
            position.stop_order = command.order
    else:
        position.closing, position.closing_ns, position.patient = command.order, now, False


def _order(command: SubmitOrder, now: int) -> Order:
    return Order(
        order=command.order,
        broker=command.broker,
        instrument=command.instrument,
        side=command.side,
        quantity=command.quantity,
        kind=command.kind,
        leg=command.leg,
        opens=command.opens,
        status=Status.ARMED,
        group=command.lot or command.group,
        strategy=command.strategy,
        signal=command.signal,
        terms=command.level,
        armed_ns=now,
        changed_ns=now,
        foreign=command.foreign,
    )


def apply_amend(state: State, now: int, command: AmendOrder) -> None:
    """Note that other terms were asked for; those in the ledger stand until the broker confirms."""
    order = state.orders[command.order]
    order.asked, order.asked_ns = command.level, now
    order.sized_ns = now if command.quantity is not None else order.sized_ns


def apply_cancel(state: State, now: int, command: CancelOrder) -> None:
    """Note that the broker was asked to cancel; the order lives on until the broker's word."""
    order = state.orders[command.order]
    order.cancel_tries += 1
    if command.broker_id:
        return  # its twin is to go, not the order itself
    order.asked_ns = now
    if order.live and not order.status.doubtful:
        order.status = Status.CANCEL_ASKED


def apply_uncertain(state: State, now: int, command: MarkUncertain) -> None:
    """Note that an order's fate is unknown."""
    order = state.orders[command.order]
    order.status, order.changed_ns = Status.UNCERTAIN, now


def apply_retired(state: State, now: int, command: RetireOrder) -> None:
    """End an order that is proven to be in no book of the broker, and with an entry that never filled its children."""
    order = state.orders[command.order]
    order.status, order.changed_ns = Status.ABSENT_PROVEN, now
    note_resting(state, order)
    if order.opens and not order.filled:
        for child in children_of(state, order):
            if child.live and not child.filled:
                child.status, child.changed_ns = Status.ABSENT_PROVEN, now


def apply_claimed(state: State, now: int, command: ClaimOrder) -> None:
    """Take a person's word for what an order in doubt became; the next reads find it by the broker's number."""
    order = state.orders[command.order]
    for one in (order, *(children_of(state, order) if order.opens else ())):
        if one.status.doubtful:
            one.status, one.changed_ns, one.candidates = Status.ACKED, now, ()
    order.broker_id = command.broker_id


def children_of(state: State, order: Order) -> list[Order]:
    """Give the exits that belong to an entry, as far as they are in the ledger."""
    found = (state.orders.get(name) for name in order.children)
    return [child for child in found if child is not None]


def listens(state: State, broker: str) -> bool:
    """Say whether a broker is up and its whole book was read over this link.

    Before that nothing is sent: an order over a broken link can become two of one, or close what is closed already.
    """
    found = state.brokers.get(broker)
    return found is not None and found.up and found.read_ns >= found.changed_ns


def read_since(state: State, position: Position) -> bool:
    """Say whether the broker's whole book was read after the position's last fill.

    What no order of ours explains may be a share that only a lost message lets us believe in: an exit for it would open
    a position.
    """
    found = state.brokers.get(position.broker)
    return found is not None and found.read_from_ns > position.changed_ns


def resting(state: State) -> list[Order]:
    """Give every entry that may still fill."""
    return [state.orders[name] for name in state.resting] if state.resting else []


def cancel_entries(state: State, reason: str) -> list[Command]:
    """Ask for the end of every entry that may still fill; protection is never among them."""
    return [CancelOrder(order.order, reason) for order in resting(state) if order.status is not Status.CANCEL_ASKED]


def overdue(state: State, now: int) -> list[Command]:
    """Ask to cancel entries that should rest no longer, and again what was not answered; never forget one.

    After `cancel_tries` the order is UNCERTAIN: from then on the broker's whole book must tell.
    """
    timeout_ns = int(state.settings.fill_timeout_s * SECOND)
    commands: list[Command] = []
    asked, resting = Status.CANCEL_ASKED, state.resting
    for order in [order for order in state.orders.values() if order.status is asked or order.order in resting]:
        if order.status is asked:
            if now - order.asked_ns < timeout_ns or not listens(state, order.broker):
                continue
            if order.cancel_tries >= state.settings.cancel_tries:
                commands.append(MarkUncertain(order.order, f"no answer to {order.cancel_tries} cancels"))
            else:
                commands.append(CancelOrder(order.order, "cancel unanswered"))
        elif not order.status.doubtful and not order.status.ended:
            reason = _resting_reason(state, now, order, timeout_ns)
            if reason and listens(state, order.broker):
                commands.append(CancelOrder(order.order, reason))
    return commands


def _resting_reason(state: State, now: int, order: Order, timeout_ns: int) -> str:
    """Say why an entry may rest no longer, or ""."""
    if state.killed is not None and state.killed.width >= Scope.ORDERS.width:
        return "killed"
    if state.stopping:
        return state.stopping
    if now - order.armed_ns >= timeout_ns:
        return f"not filled in {state.settings.fill_timeout_s:g} s"
    return ""


def note_resting(state: State, order: Order) -> None:
    """Keep the name of an entry that may still fill, also of one that comes back to life (part of `apply`)."""
    if order.opens and order.live:
        state.resting[order.order] = None
    elif order.opens:
        state.resting.pop(order.order, None)


def reserved(state: State, broker: str = "") -> Decimal:
    """Give the notional that entries may still add, in base currency: whatever may fill counts as filled."""
    if not state.resting:
        return ZERO
    pending = [order for order in resting(state) if broker in ("", order.broker)]
    return sum((pledged(state, order) for order in pending), ZERO)


def pledged(state: State, order: Order) -> Decimal:
    """Give what one entry may still add, in base currency."""
    return order.left * (order.terms or ZERO) * rate_of(state, order.instrument)


def forget_ended(state: State) -> None:
    """Drop ended orders of flat groups at a session's start: State holds what lives, the journal the rest."""
    held = {group for position in state.positions.values() if position.quantity for group in position.groups}
    living = {order.group for order in state.orders.values() if order.live}
    kept = held | living
    state.orders = {
        name: order for name, order in state.orders.items() if order.group in kept or name in held or order.live
    }
    for order in state.orders.values():
        order.children = tuple(child for child in order.children if child in state.orders)
