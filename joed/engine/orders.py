"""The life of an order: submit once, change only by the table, end once.

This is the one door: nothing else builds a SubmitOrder. An order's status is what evidence says, never what we hope;
where the broker's answer is lost it is UNCERTAIN, keeps its risk reserved, and only evidence ends it.
"""

from decimal import Decimal
from hashlib import blake2s

from joed.model.commands import AmendOrder, CancelOrder, Command, MarkUncertain, RetireOrder, SubmitOrder
from joed.model.events import (
    AmendRejected,
    CancelRejected,
    CommandDropped,
    CommandSent,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderWorking,
)
from joed.model.orders import Order, Position
from joed.model.state import State
from joed.model.triggers import Trigger
from joed.model.values import SECOND, ZERO, Kind, Leg, Side, Status, Tif

Word = (
    CommandSent
    | CommandDropped
    | OrderAccepted
    | OrderWorking
    | OrderCancelled
    | OrderExpired
    | OrderRejected
    | CancelRejected
    | AmendRejected
)

S = Status

NEXT: dict[tuple[Status, type], Status] = {
    (S.ARMED, CommandSent): S.SENT,
    (S.ARMED, CommandDropped): S.ABSENT_PROVEN,  # refused before its first byte: proven
    (S.ARMED, OrderAccepted): S.ACKED,  # the broker's answer overtook our own note of the sending
    (S.ARMED, OrderWorking): S.WORKING,
    (S.ARMED, OrderRejected): S.REJECTED,
    (S.ARMED, OrderCancelled): S.CANCELLED,
    (S.SENT, OrderAccepted): S.ACKED,
    (S.SENT, OrderWorking): S.WORKING,
    (S.SENT, OrderRejected): S.REJECTED,
    (S.SENT, OrderCancelled): S.CANCELLED,
    (S.SENT, OrderExpired): S.EXPIRED,
    (S.ACKED, OrderWorking): S.WORKING,
    (S.ACKED, OrderRejected): S.REJECTED,  # some brokers acknowledge first and check margin after
    (S.ACKED, OrderCancelled): S.CANCELLED,
    (S.ACKED, OrderExpired): S.EXPIRED,
    (S.WORKING, OrderCancelled): S.CANCELLED,
    (S.WORKING, OrderExpired): S.EXPIRED,
    (S.WORKING, OrderRejected): S.REJECTED,  # a stop refused when it triggers
    (S.PARTIAL, OrderCancelled): S.CANCELLED,  # what filled stays filled: the position holds it
    (S.PARTIAL, OrderExpired): S.EXPIRED,
    (S.PARTIAL, OrderRejected): S.REJECTED,
    (S.CANCEL_ASKED, OrderCancelled): S.CANCELLED,
    (S.CANCEL_ASKED, OrderExpired): S.EXPIRED,
    (S.CANCEL_ASKED, OrderRejected): S.REJECTED,
    (S.CANCEL_ASKED, CancelRejected): S.UNCERTAIN,  # it may have filled, or be gone: the next whole read tells
    (S.UNCERTAIN, OrderAccepted): S.ACKED,
    (S.UNCERTAIN, OrderWorking): S.WORKING,
    (S.UNCERTAIN, OrderRejected): S.REJECTED,
    (S.UNCERTAIN, OrderCancelled): S.CANCELLED,
    (S.UNCERTAIN, OrderExpired): S.EXPIRED,
    (S.ABSENT_PROVEN, OrderAccepted): S.ACKED,  # late adoption: we were sure it never was, the broker knows better
    (S.ABSENT_PROVEN, OrderWorking): S.WORKING,
}
"""What a broker's word makes of an order; a pair that is not here changes nothing (an answer that came twice or late).
"""

UNSETTLED = (S.ARMED, S.SENT, S.CANCEL_ASKED)
"""What a restart cannot vouch for: maybe sent, maybe answered."""


def order_id(state: State, index: int, leg: Leg) -> str:
    """Give an id that no other command of any life of joed can make: session, epoch, seq, index, leg and a tag.

    The tag (keyed BLAKE2s, RFC 7693, 16 bits) tells our orders from another client's that copies the form.
    """
    session = state.day.session.replace("-", "")
    body = f"j1-{session}-{state.epoch}-{state.seq}.{index}-{leg.value}"
    tag = blake2s(body.encode(), key=state.id_key, digest_size=2).hexdigest()
    return f"{body}-{tag}"


def ours(state: State, order: str) -> bool:
    """Say whether an id found at a broker was made with our key."""
    body, _, tag = order.rpartition("-")
    return body.startswith("j1-") and tag == blake2s(body.encode(), key=state.id_key, digest_size=2).hexdigest()


def leg_of(order: str) -> Leg | None:
    """Give the leg that stands in an id of ours."""
    parts = order.split("-")
    return Leg(parts[4]) if len(parts) == 6 and parts[4] in tuple(Leg) else None


def enter(state: State, now: int, index: int, trigger: Trigger, quantity: Decimal, limit: Decimal) -> SubmitOrder:
    """Give the command that opens a position with its bracket: a limit entry, a stop and a target held by the broker.

    It leaves within the fill time-out or not at all.
    """
    entry = order_id(state, index, Leg.ENTRY)
    return SubmitOrder(
        order=entry,
        broker=state.settings.universe[trigger.instrument].broker,
        instrument=trigger.instrument,
        side=trigger.side,
        quantity=quantity,
        kind=Kind.LIMIT,
        leg=Leg.ENTRY,
        opens=True,
        level=limit,
        stop_order=order_id(state, index, Leg.STOP),
        stop=trigger.stop,
        target_order=order_id(state, index, Leg.TARGET),
        target=trigger.target,
        group=entry,
        strategy=trigger.strategy,
        signal=trigger.signal,
        expires_at_ns=now + int(state.settings.fill_timeout_s * SECOND),
        reasons=trigger.reasons,
    )


def reduce(
    state: State, index: int, position: Position, leg: Leg, quantity: Decimal, level: Decimal | None
) -> SubmitOrder:
    """Give the command that can only reduce a position: a new stop (leg STOP, at `level`) or a market close.

    It joins the group of the position's bracket, so that whatever of the group fills first shrinks the others.
    """
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
        group=position.group,
        strategy=position.strategy,
        signal=f"{position.group}-{leg.value}",
    )


def apply_submit(state: State, now: int, command: SubmitOrder) -> None:
    """Put a new order and its children into the ledger, ARMED: durable before any byte of it leaves."""
    children = tuple(child for child in (command.stop_order, command.target_order) if child)
    order = _order(command, now, command.order, command.leg, command.kind, command.side, command.level, command.opens)
    order.children = children
    state.orders[command.order] = order
    closing = command.side.opposite
    if command.stop_order:
        state.orders[command.stop_order] = _order(
            command, now, command.stop_order, Leg.STOP, Kind.STOP, closing, command.stop, opens=False
        )
    if command.target_order:
        state.orders[command.target_order] = _order(
            command, now, command.target_order, Leg.TARGET, Kind.LIMIT, closing, command.target, opens=False
        )
    if command.opens:
        state.signals[command.signal] = "entered"
        state.order_times.append(now)
        state.day.orders += 1
    elif (position := state.positions.get(command.instrument)) is not None:
        if command.leg is Leg.STOP:
            position.stop_order = command.order
        else:
            position.closing, position.closing_ns = command.order, now


def _order(  # noqa: PLR0913 - the three legs differ in these words only
    command: SubmitOrder, now: int, order: str, leg: Leg, kind: Kind, side: Side, level: Decimal | None, opens: bool
) -> Order:
    return Order(
        order=order,
        broker=command.broker,
        instrument=command.instrument,
        side=side,
        quantity=command.quantity,
        kind=kind,
        leg=leg,
        opens=opens,
        status=Status.ARMED,
        group=command.group,
        strategy=command.strategy,
        signal=command.signal,
        terms=level,
        armed_ns=now,
        changed_ns=now,
    )


def apply_amend(state: State, now: int, command: AmendOrder) -> None:
    """Note that another level was asked for; the terms stand until the broker confirms."""
    order = state.orders[command.order]
    order.asked, order.asked_ns = command.level, now


def apply_cancel(state: State, now: int, command: CancelOrder) -> None:
    """Note that the broker was asked to cancel; the order lives on until the broker's word."""
    order = state.orders[command.order]
    order.cancel_tries += 1
    order.asked_ns = now
    if order.live and order.status is not Status.UNCERTAIN:
        order.status = Status.CANCEL_ASKED


def apply_uncertain(state: State, now: int, command: MarkUncertain) -> None:
    """Note that an order's fate is unknown."""
    order = state.orders[command.order]
    order.status, order.changed_ns = Status.UNCERTAIN, now


def apply_retired(state: State, now: int, command: RetireOrder) -> None:
    """End an order that is proven never to have reached the broker's book, and its children with it."""
    order = state.orders[command.order]
    order.status, order.changed_ns = Status.ABSENT_PROVEN, now


def apply_word(state: State, now: int, event: Word) -> None:
    """Move an order by the table at its broker's word, or at the word of our own release."""
    order = state.orders.get(event.order)
    if order is None:
        return
    if isinstance(event, CommandSent | CommandDropped) and event.command != "SubmitOrder":
        if isinstance(event, CommandDropped):
            order.asked = None
        return
    status = NEXT.get((order.status, type(event)))
    order.changed_ns = now
    if isinstance(event, OrderAccepted):
        order.broker_id = event.broker_id
    elif isinstance(event, OrderWorking):
        order.quantity = order.filled + event.quantity
        order.terms = event.level if event.level is not None else order.terms
        order.asked = None
    elif isinstance(event, AmendRejected):
        order.asked = None
    if status is not None:
        order.status = status
        _tell_children(state, now, order, event)


def _tell_children(state: State, now: int, order: Order, event: Word) -> None:
    """Let the children share what only the parent is told: it left, it was never sent, it was refused whole."""
    if not isinstance(event, CommandSent | CommandDropped | OrderRejected) or order.filled:
        return
    for child in order.children:
        held = state.orders[child]
        if held.live:
            held.status, held.changed_ns = NEXT.get((held.status, type(event)), held.status), now


def apply_restart(state: State, now: int) -> None:
    """A new process cannot vouch for what was under way: those orders are UNCERTAIN until the broker has been read."""
    for order in state.orders.values():
        if order.status in UNSETTLED:
            order.status, order.changed_ns = Status.UNCERTAIN, now
        order.asked = None


def cancel_entries(state: State, reason: str) -> list[Command]:
    """Ask for the end of every entry that may still fill; protection is never among them."""
    return [
        CancelOrder(order.order, reason)
        for order in state.orders.values()
        if order.opens and order.live and order.status is not Status.CANCEL_ASKED
    ]


def overdue(state: State, now: int) -> list[Command]:
    """Ask to cancel entries that did not fill in time, again where no answer came; never forget one.

    After `cancel_tries` the order is UNCERTAIN: from then on the broker's whole book must tell.
    """
    timeout_ns = int(state.settings.fill_timeout_s * SECOND)
    commands: list[Command] = []
    for order in state.orders.values():
        if not order.live or order.status is Status.UNCERTAIN:
            continue
        if order.status is Status.CANCEL_ASKED:
            if now - order.asked_ns < timeout_ns:
                continue
            given_up = order.cancel_tries >= state.settings.cancel_tries
            commands.append(
                MarkUncertain(order.order, f"no answer to {order.cancel_tries} cancels")
                if given_up
                else CancelOrder(order.order, "cancel unanswered")
            )
        elif order.opens and now - order.armed_ns >= timeout_ns:
            commands.append(CancelOrder(order.order, f"not filled in {state.settings.fill_timeout_s:g} s"))
    return commands


def reserved(state: State, instrument: str | None = None) -> Decimal:
    """Give the notional that entries may still add, in base currency: whatever may fill counts as filled."""
    return sum(
        (
            order.left * (order.terms or ZERO)
            for order in state.orders.values()
            if order.opens and order.live and (instrument is None or order.instrument == instrument)
        ),
        ZERO,
    )


def forget_ended(state: State) -> None:
    """Drop ended orders of flat groups at a session's start: State holds what lives, the journal the rest."""
    held = {position.group for position in state.positions.values() if position.quantity}
    living = {order.group for order in state.orders.values() if order.live}
    state.orders = {name: order for name, order in state.orders.items() if order.group in held or order.group in living}
