"""What a word makes of an order: the table of its life, and what a word tells of its terms and its children.

An order's status is what evidence says, never what we hope; where the answer is lost it is UNCERTAIN, keeps its
risk reserved, and only evidence or a person's `resolve` ends it.
"""

from joed.engine.orders import children_of, note_resting
from joed.engine.verdicts import LATE, find
from joed.model.events import (
    AmendRejected,
    CancelRejected,
    CommandDropped,
    CommandSent,
    OrderAccepted,
    OrderCancelled,
    OrderDoubted,
    OrderExpired,
    OrderRejected,
    OrderWorking,
)
from joed.model.orders import Order
from joed.model.state import State
from joed.model.values import Outcome, Status

Word = (
    CommandSent
    | CommandDropped
    | OrderAccepted
    | OrderWorking
    | OrderCancelled
    | OrderExpired
    | OrderRejected
    | OrderDoubted
    | CancelRejected
    | AmendRejected
)

S = Status

OUTCOMES: dict[Outcome, type[Word]] = {
    Outcome.NOT_SENT: CommandDropped,  # the adapter gives a reason instead of "": proven before the first byte
    Outcome.REFUSED: OrderRejected,
    Outcome.ACCEPTED: OrderAccepted,
    Outcome.AMBIGUOUS: OrderDoubted,
}
"""With which word an adapter tells the outcome of an attempt: these four, and no fifth."""

NEXT: dict[tuple[Status, type], Status] = {
    (S.ARMED, CommandSent): S.SENT,
    (S.ARMED, CommandDropped): S.ABSENT_PROVEN,  # refused before its first byte: proven
    (S.ARMED, OrderAccepted): S.ACKED,  # the broker's answer overtook our own note of the sending
    (S.ARMED, OrderWorking): S.WORKING,
    (S.ARMED, OrderRejected): S.REJECTED,
    (S.ARMED, OrderCancelled): S.CANCELLED,
    (S.ARMED, OrderExpired): S.EXPIRED,
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
    (S.CANCEL_ASKED, CommandDropped): S.ABSENT_PROVEN,  # we changed our mind while it waited, and it never left
    (S.ARMED, OrderDoubted): S.UNCERTAIN,  # the adapter gave up waiting before our own note of the sending came
    (S.SENT, OrderDoubted): S.UNCERTAIN,
    (S.ACKED, OrderDoubted): S.UNCERTAIN,  # a confirmation that the broker later knows nothing of
    (S.WORKING, OrderDoubted): S.UNCERTAIN,  # an answer that nobody can read: it no longer counts as working
    (S.PARTIAL, OrderDoubted): S.UNCERTAIN,
    (S.CANCEL_ASKED, OrderDoubted): S.UNCERTAIN,
    (S.UNCERTAIN, OrderAccepted): S.ACKED,
    (S.UNCERTAIN, OrderWorking): S.WORKING,
    (S.UNCERTAIN, OrderRejected): S.REJECTED,
    (S.UNCERTAIN, OrderCancelled): S.CANCELLED,
    (S.UNCERTAIN, OrderExpired): S.EXPIRED,
    (S.UNCERTAIN, CommandDropped): S.ABSENT_PROVEN,
    (S.QUARANTINED, OrderAccepted): S.ACKED,  # the broker itself named it by our id: that is proof
    (S.QUARANTINED, OrderWorking): S.WORKING,
    (S.QUARANTINED, OrderRejected): S.REJECTED,
    (S.QUARANTINED, OrderCancelled): S.CANCELLED,
    (S.QUARANTINED, OrderExpired): S.EXPIRED,
    (S.ABSENT_PROVEN, OrderAccepted): S.ACKED,  # late adoption: we were sure it never was, the broker knows better
    (S.ABSENT_PROVEN, OrderWorking): S.WORKING,
}
"""What a broker's word makes of an order; a pair that is not here changes nothing (an answer that came twice or late).

A doubt that names candidates makes the order QUARANTINED instead of UNCERTAIN. Two states of reliability 6.2 are none
of their own here. LATE_ADOPTED is what happens to an ABSENT_PROVEN order that shows itself: it lives on as the broker
shows it, and the verdict `late_adopted` and its alert stand in the record. ABANDONED is ABSENT_PROVEN: an entry that
never was is never sent again, for its signal is spent.
"""

AFTER_FILL: dict[Status, tuple[Status, Status]] = {
    S.ARMED: (S.FILLED, S.PARTIAL),  # the fill overtook the acknowledgement
    S.SENT: (S.FILLED, S.PARTIAL),
    S.ACKED: (S.FILLED, S.PARTIAL),
    S.WORKING: (S.FILLED, S.PARTIAL),
    S.PARTIAL: (S.FILLED, S.PARTIAL),
    S.CANCEL_ASKED: (S.FILLED, S.CANCEL_ASKED),  # the rest is still to be cancelled
    S.UNCERTAIN: (S.FILLED, S.PARTIAL),
    S.QUARANTINED: (S.FILLED, S.PARTIAL),
    S.FILLED: (S.FILLED, S.ACKED),  # a bust gave something back: whether the rest works again the broker has to say
    S.REJECTED: (S.FILLED, S.REJECTED),  # late fills: the position has them, the end stays an end
    S.CANCELLED: (S.FILLED, S.CANCELLED),
    S.EXPIRED: (S.FILLED, S.EXPIRED),
    S.ABSENT_PROVEN: (S.FILLED, S.PARTIAL),  # late adoption by what it did
}
"""What an execution makes of an order: with nothing left to do, and with something left."""

UNSETTLED = (S.ARMED, S.SENT, S.ACKED, S.CANCEL_ASKED)
"""What a restart cannot vouch for: maybe sent, maybe answered."""

EXISTS = "duplicate"
"""The refusal that proves the opposite: the broker has an order of this id already, so this one lives or has lived."""


def apply_word(state: State, now: int, event: Word) -> None:
    """Move an order by the table at its broker's word, or at the word of our own release."""
    order = state.orders.get(event.order)
    if order is None:
        return
    if isinstance(event, CommandSent | CommandDropped) and event.command != "SubmitOrder":
        if isinstance(event, CommandDropped):
            order.asked, order.asked_ns = None, min(order.asked_ns, order.armed_ns)  # it may be asked again at once
        return
    status = NEXT.get((order.status, type(event)))
    if isinstance(event, OrderDoubted) and event.candidates and (status or order.status is Status.UNCERTAIN):
        status = Status.QUARANTINED
    if isinstance(event, OrderRejected) and event.code == EXISTS:
        status = Status.UNCERTAIN if order.status in (Status.ARMED, Status.SENT) else None
    order.changed_ns, order.absent_reads = now, 0
    if order.live or status is not None:
        _take_terms(order, event)
    if status is not None:
        if order.status is Status.ABSENT_PROVEN:
            find(state, LATE, order.broker, f"it is {status.lower()} at the broker", order)
        order.status = status
        order.candidates = event.candidates if isinstance(event, OrderDoubted) else ()
        _tell_children(state, now, order, event)
    note_resting(state, order)


def _take_terms(order: Order, event: Word) -> None:
    """Keep what the broker says of an order's terms; an entry's quantity stays ours: nothing of it is ever amended."""
    if isinstance(event, OrderAccepted):
        order.broker_id = event.broker_id
    elif isinstance(event, OrderWorking):
        if not order.opens:
            order.quantity = order.filled + event.quantity
        order.terms = event.level if event.level is not None else order.terms
        order.asked, order.amend_tries = None, 0
    elif isinstance(event, CancelRejected):
        order.refusal = event.words
    elif isinstance(event, AmendRejected):
        order.asked = None
        order.amend_tries += 1


def _tell_children(state: State, now: int, order: Order, event: Word) -> None:
    """Let the children share what only the parent is told: it left, it was never sent, it was refused whole."""
    shared = CommandSent | CommandDropped | OrderRejected | OrderDoubted
    if not isinstance(event, shared) or not order.opens or order.filled:
        return
    if isinstance(event, OrderRejected) and event.code == EXISTS:
        return
    for child in children_of(state, order):
        if child.live:
            child.status, child.changed_ns = _shared(order, child, event), now


def _shared(order: Order, child: Order, event: Word) -> Status:
    if order.status is Status.QUARANTINED:
        return Status.QUARANTINED
    return NEXT.get((child.status, type(event)), child.status)


def doubt_link(state: State, now: int, broker: str) -> None:
    """Doubt what was sent over a link that broke before it was answered: no later link brings that answer."""
    for order in state.orders.values():
        if order.broker == broker and order.status is Status.SENT:
            order.status, order.changed_ns = Status.UNCERTAIN, now


def apply_restart(state: State, now: int) -> None:
    """Doubt what was under way: a new process can't vouch for it, so it is UNCERTAIN until the broker was read."""
    for order in state.orders.values():
        if order.status in UNSETTLED:
            order.status, order.changed_ns = Status.UNCERTAIN, now
        order.asked = None
