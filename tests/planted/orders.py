"""Slips in the order machine and in reconciliation: what an answer means, what its absence means."""

from msgspec.structs import replace as with_fields

from joed.engine import life, orders, reconcile, risk, triggers
from joed.engine.changes import APPLY_EVENT
from joed.engine.step import RULES
from joed.model.commands import RaiseBlock, RetireOrder, SubmitOrder
from joed.model.events import BrokerRead, BrokerUp, CancelRejected, EpochStarted
from joed.model.values import SECOND, Status
from tests.planted.planting import around, patched, together


def send_again_what_is_uncertain():
    """Take no answer for no order, and send it once more."""

    def stubborn(overdue):
        def again(state, now):
            commands = overdue(state, now)
            doubts = [order for order in state.orders.values() if order.opens and order.status is Status.UNCERTAIN]
            return commands + [resubmitted(state, order) for order in doubts]

        return again

    return around(orders, "overdue", stubborn)


def resubmitted(state, order):
    """Give the command that makes this order, under its own id."""
    stop, target = (state.orders[name] for name in order.children[:2])
    return SubmitOrder(
        order=order.order,
        broker=order.broker,
        instrument=order.instrument,
        side=order.side,
        quantity=order.quantity,
        kind=order.kind,
        leg=order.leg,
        opens=True,
        level=order.terms,
        stop_order=stop.order,
        stop=stop.terms,
        target_order=target.order,
        target=target.terms,
        group=order.group,
        signal=order.signal,
        expires_at_ns=2**62,
    )


def call_a_timeout_a_refusal():
    """Give an entry up that nobody has answered in time."""

    def impatient(overdue):
        def give_up(state, now):
            timeout_ns = int(state.settings.fill_timeout_s * SECOND)
            late = [
                order
                for order in state.orders.values()
                if order.opens
                and order.status in (Status.ARMED, Status.SENT, Status.CANCEL_ASKED)
                and now - order.armed_ns >= timeout_ns
            ]
            names = {order.order for order in late}
            rest = [command for command in overdue(state, now) if getattr(command, "order", "") not in names]
            return rest + [RetireOrder(order.order, "no answer in time") for order in late]

        return give_up

    return around(orders, "overdue", impatient)


def forget_orders_at_a_restart():
    """Call refused what a new process cannot vouch for."""

    def forgetful(apply):
        def begin(state, now, event):
            apply(state, now, event)
            for order in state.orders.values():
                if order.status is Status.UNCERTAIN:
                    order.status = Status.REJECTED
                    orders.note_resting(state, order)

        return begin

    return around(APPLY_EVENT, EpochStarted, forgetful)


def take_a_refused_cancel_for_granted():
    """Call an order cancelled when its cancel was refused."""
    return patched(life.NEXT, (Status.CANCEL_ASKED, CancelRejected), Status.CANCELLED)


def leave_the_children_behind():
    """End an entry that never left, and let its stop and target wait for ever."""
    return patched(life, "_tell_children", lambda state, now, order, event: None)


def reading(change):
    """Give the patches by which every reading of a broker is taken for another."""

    def other(apply_or_decide):
        return lambda state, now, read, *more: apply_or_decide(state, now, change(read), *more)

    rules = tuple(other(rule) for rule in RULES[BrokerRead])
    return together(around(APPLY_EVENT, BrokerRead, other), patched(RULES, BrokerRead, rules))


def believe_half_a_read():
    """Infer absence from an incomplete read."""
    return reading(lambda read: with_fields(read, complete=True))


def believe_an_empty_answer():
    """Take a reading that failed for a book with nothing in it."""
    return reading(
        lambda read: read if read.complete else with_fields(read, complete=True, orders=(), positions=(), ended={})
    )


def forget_reconciliation():
    """Call a broker reconciled without looking at what was read."""

    def glance(state, now, read):
        broker = state.brokers[read.broker]
        broker.reconciled, broker.read_ns, broker.differences = True, now, 0

    return patched(APPLY_EVENT, BrokerRead, glance)


def trust_a_link_unread():
    """Allow entries over a new link before the broker was read over it."""

    def hopeful(state, now, event, commands):
        reconcile.on_up(state, now, event, commands)
        commands[:] = [one for one in commands if not isinstance(one, RaiseBlock)]

    return patched(RULES, BrokerUp, (hopeful,))


def ignore_doubt_in_limits():
    """Count an entry whose fate is unknown as none."""

    def sure(resting):
        return lambda state: [order for order in resting(state) if order.status is not Status.UNCERTAIN]

    return together(around(risk, "resting", sure), around(orders, "resting", sure))


def enter_again_while_one_is_pending():
    """Send a second entry for an instrument whose first may still fill."""
    return patched(risk.CHECKS, "duplicate", lambda state, now, request: "")


def add_to_what_is_held():
    """Enter where a position is held already."""
    return patched(risk.CHECKS, "held", lambda state, now, request: "")


def fire_a_signal_twice():
    """Forget which signals were entered."""

    def forgetful(fire):
        def again(state, now, market, quote, commands):
            signals = state.signals
            state.signals = {name: what for name, what in signals.items() if what != "entered"}
            try:
                fire(state, now, market, quote, commands)
            finally:
                state.signals = signals

        return again

    return together(patched(risk, "spent", lambda state, trigger: False), around(triggers, "fire", forgetful))


BUGS = {
    send_again_what_is_uncertain: ("handed over once", "always protected", "one order an intent"),
    call_a_timeout_a_refusal: ("absence is proven",),
    forget_orders_at_a_restart: ("ends agree", "orders agree", "always protected"),
    take_a_refused_cancel_for_granted: ("ends agree", "orders agree"),
    leave_the_children_behind: ("orders agree", "brokers are reconciled"),
    believe_half_a_read: ("absence is proven",),
    believe_an_empty_answer: ("absence is proven",),
    forget_reconciliation: ("cash agrees", "positions agree"),
    trust_a_link_unread: ("read before entries",),
    ignore_doubt_in_limits: ("doubt counts", "one entry at a time"),
    enter_again_while_one_is_pending: ("one entry at a time",),
    add_to_what_is_held: ("one entry at a time",),
    fire_a_signal_twice: ("one entry a signal",),
}
