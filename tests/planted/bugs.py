"""Each bug is a small patch of joed's own code, undone afterwards: what somebody might write on a bad day."""

import time
from contextlib import contextmanager
from decimal import Decimal

from msgspec.structs import replace as with_fields

from joed.daemon import recovery
from joed.daemon.carry_out import CarryOut
from joed.daemon.latch import Latches
from joed.daemon.record import decode_state
from joed.daemon.store import Store
from joed.engine import exits, fear, life, orders, positions, reconcile, schedule, triggers
from joed.engine.changes import APPLY_EVENT
from joed.engine.step import RULES, step
from joed.model.commands import SubmitOrder
from joed.model.events import BrokerRead, BrokerUp, CancelRejected
from joed.model.values import Status, ceil_to, decimal, floor_to


@contextmanager
def patched(holder, name, value):
    """Put another value in the place of an attribute, or of a table's row, for a while."""
    table = isinstance(holder, dict)
    before = holder[name] if table else getattr(holder, name)
    put = holder.__setitem__ if table else lambda name, value: setattr(holder, name, value)
    put(name, value)
    try:
        yield
    finally:
        put(name, before)


def skip_the_commit():
    """Say that all is durable, and write nothing."""
    return patched(Store, "commit", lambda self: self.added)


def send_before_commit():
    """Let commands leave as soon as they are decided."""
    queue = CarryOut.queue

    def hasty(self, seq, *more):
        queue(self, seq, *more)
        self.release(seq)

    return patched(CarryOut, "queue", hasty)


def count_a_fill_twice():
    """Forget which executions are known."""
    apply_fill = positions.apply_fill

    def forgetful(state, now, fill):
        if fill.order in state.orders:
            state.orders[fill.order].executions.pop(fill.execution, None)
        return apply_fill(state, now, fill)

    return patched(positions, "apply_fill", forgetful)


def forget_reconciliation():
    """Call a broker reconciled without looking at what was read."""

    def glance(state, now, read):
        broker = state.brokers[read.broker]
        broker.reconciled, broker.read_ns, broker.differences = True, now, 0

    return patched(APPLY_EVENT, BrokerRead, glance)


def decide_again_in_recovery():
    """Let a restart decide what had been decided."""
    return patched(recovery, "refold", lambda state, now, event, commands: step(state, now, event))


def read_the_clock_in_step():
    """Give jobs a deadline by the wall clock."""
    deadline_ns = schedule.deadline_ns
    return patched(schedule, "deadline_ns", lambda state: deadline_ns(state) + time.time_ns() % 1_000)


def cancel_stops_at_shutdown():
    """Cancel all that works when joed is stopped."""

    def all_of_them(state, reason):
        return [orders.CancelOrder(order.order, reason) for order in state.orders.values() if order.live]

    return patched(orders, "cancel_entries", all_of_them)


def loosen_a_trail():
    """Follow the price down as well."""

    def both_ways(state, position, stop):
        quote = state.markets[position.instrument].quote
        if position.quantity > 0:
            return floor_to(decimal(quote.bid) - position.trail, Decimal("0.01"))
        return ceil_to(decimal(quote.ask) + position.trail, Decimal("0.01"))

    return patched(exits, "trailed", both_ways)


def ignore_the_latch():
    """Ask for the engine's Blocks at release, and not for the kill's file."""
    permit = CarryOut.permit

    def blind(self, command):
        reason = permit(self, command)
        return "" if reason == "killed" else reason

    return patched(CarryOut, "permit", blind)


def keep_the_kill_in_memory():
    """Never look for the kill's file."""
    never = patched(Latches, "read", lambda self: None)
    seen = patched(Latches, "present", lambda self: False)

    @contextmanager
    def both():
        with never, seen:
            yield

    return both()


def ignore_blocks_at_release():
    """Let what was decided leave, whatever has happened since."""
    permit = CarryOut.permit

    def stubborn(self, command):
        reason = permit(self, command)
        return "" if reason.startswith("blocked") else reason

    return patched(CarryOut, "permit", stubborn)


def ignore_the_expiry():
    """Let an entry leave however late it is."""
    permit = CarryOut.permit

    def patient(self, command):
        reason = permit(self, command)
        return "" if reason == "expired" else reason

    return patched(CarryOut, "permit", patient)


def send_again_what_is_uncertain():
    """Take no answer for no order, and send it once more."""
    overdue = orders.overdue

    def again(state, now):
        commands = overdue(state, now)
        for order in state.orders.values():
            if order.opens and order.status is Status.UNCERTAIN:
                commands.append(resubmitted(state, order))
        return commands

    return patched(orders, "overdue", again)


def resubmitted(state, order):
    """Give the command that makes this order, under its own id."""
    stop, target = (state.orders[name] for name in order.children)
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


def take_a_refused_cancel_for_granted():
    """Call an order cancelled when its cancel was refused."""
    return patched(life.NEXT, (Status.CANCEL_ASKED, CancelRejected), Status.CANCELLED)


def believe_half_a_read():
    """Infer absence from an incomplete read."""

    def trusting(apply_or_decide):
        return lambda state, now, read, *more: apply_or_decide(state, now, with_fields(read, complete=True), *more)

    rules = tuple(trusting(rule) for rule in RULES[BrokerRead])

    @contextmanager
    def both():
        row = patched(APPLY_EVENT, BrokerRead, trusting(APPLY_EVENT[BrokerRead]))
        with row, patched(RULES, BrokerRead, rules):
            yield

    return both()


def trust_a_link_unread():
    """Allow entries over a new link before the broker was read over it."""

    def hopeful(state, now, event, commands):
        reconcile.on_up(state, now, event, commands)
        commands[:] = [one for one in commands if getattr(one, "block", None) is None]

    return patched(RULES, BrokerUp, (hopeful,))


def forget_signals_in_snapshots():
    """Store a snapshot without the signals that are spent."""

    def forgetful(data, id_key):
        state = decode_state(data, id_key)
        state.signals = {}
        return state

    return patched(recovery, "decode_state", forgetful)


def lose_a_row_of_tape():
    """Leave the last row out of each block of tape."""
    seal = Store._seal

    def careless(self):
        if len(self._rows) > 1:
            self._rows.pop()
        seal(self)

    return patched(Store, "_seal", careless)


def enter_without_a_stop():
    """Open a position with a target only."""
    enter = triggers.enter

    def bold(*args):
        return with_fields(enter(*args), stop_order="", stop=None)

    return patched(triggers, "enter", bold)


def know_no_fear():
    """Let VIX leap, and go on."""
    return patched(fear, "shut", lambda state, now, market, commands: None)


BUGS = {
    bug.__name__: (bug, laws)
    for bug, laws in {
        skip_the_commit: ("durable before sent",),
        send_before_commit: ("durable before sent",),
        count_a_fill_twice: ("positions agree", "cash agrees", "counters agree", "always protected"),
        forget_reconciliation: ("cash agrees", "positions agree"),
        decide_again_in_recovery: ("recovery is the truth",),
        read_the_clock_in_step: ("decided again, the same",),
        cancel_stops_at_shutdown: ("stops stay", "always protected"),
        loosen_a_trail: ("stops never loosen",),
        ignore_the_latch: ("killed means shut",),
        keep_the_kill_in_memory: ("killed means shut",),
        ignore_blocks_at_release: ("fear means shut", "read before entries", "paused means shut"),
        ignore_the_expiry: ("expired stays here",),
        send_again_what_is_uncertain: ("handed over once", "always protected", "one order an intent"),
        take_a_refused_cancel_for_granted: ("ends agree", "orders agree"),
        believe_half_a_read: ("absence is proven",),
        trust_a_link_unread: ("read before entries",),
        forget_signals_in_snapshots: ("recovery is the truth",),
        lose_a_row_of_tape: ("nothing escapes",),
        enter_without_a_stop: ("always protected",),
        know_no_fear: ("fear means shut",),
    }.items()
}
"""Every bug that the world must find, and the laws by which it may."""
