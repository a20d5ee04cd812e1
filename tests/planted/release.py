"""Slips between a decision and the wire: permission, the kill, what waits for the disk."""

from joed.daemon.carry_out import CarryOut
from joed.daemon.intake import Intake
from joed.daemon.latch import Latches
from joed.engine import closing, kill, operator
from joed.engine.changes import APPLY_EVENT, PAUSED
from joed.model.commands import SubmitOrder
from joed.model.events import EpochStarted, Quote
from tests.planted.planting import around, patched, together


def forgiving(condition):
    """Give a wrapper of `permit` that lets a reason pass where the condition holds."""

    def wrap(permit):
        def blind(self, command):
            reason = permit(self, command)
            return "" if condition(reason) else reason

        return blind

    return wrap


def ignore_the_latch():
    """Ask for the engine's Blocks at release, and not for the kill's file."""
    return around(CarryOut, "permit", forgiving(lambda reason: reason == "killed"))


def ignore_blocks_at_release():
    """Let what was decided leave, whatever has happened since."""
    return around(CarryOut, "permit", forgiving(lambda reason: reason.startswith("blocked")))


def ignore_the_expiry():
    """Let an entry leave however late it is."""
    return around(CarryOut, "permit", forgiving(lambda reason: reason == "expired"))


def ask_permission_at_the_decision():
    """Remember the permission of the moment in which an order was decided."""
    given = {}

    def early(queue):
        def ask(self, seq, at_ns, commands):
            given.update((c.order, permit(self, c)) for c in commands if isinstance(c, SubmitOrder))
            queue(self, seq, at_ns, commands)

        return ask

    permit = CarryOut.permit
    remembered = patched(CarryOut, "permit", lambda self, command: given.get(command.order, ""))
    return together(around(CarryOut, "queue", early), remembered)


def keep_the_kill_in_memory():
    """Never look for the kill's file."""
    return together(
        patched(Latches, "read", lambda self: None),
        patched(Latches, "present", lambda self: False),
    )


def let_entries_out_of_a_full_disk():
    """Take an entry for a command that may leave unrecorded."""

    def open_handed(carry):
        def entries_too(self, seq, at_ns, index, command):
            if isinstance(command, SubmitOrder):
                self._carry(seq, at_ns, index, command)
                return None
            return carry(self, seq, at_ns, index, command)

        return entries_too

    return together(
        around(CarryOut, "_carry_unrecorded", open_handed),
        around(CarryOut, "permit", forgiving(lambda reason: reason.startswith("blocked"))),
    )


def leave_queued_sends_after_a_kill():
    """Shut the engine's own gate, and let the queue behind it run empty."""

    def patient(permit):
        def after(self, command):
            reason = permit(self, command)
            return "" if reason in ("killed", "blocked: killed") else reason

        return after

    return around(CarryOut, "permit", patient)


def kill_without_closing():
    """Take the widest kill for one that cancels only."""
    quiet = patched(closing, "REASONS", tuple(why for why in closing.REASONS if why is not closing.killed))
    return together(quiet, patched(kill, "flatten", lambda *arguments: None))


def kill_without_cancelling():
    """Shut the gate, and leave what rests at the broker until its time is out."""
    return patched(kill, "cancel_entries", lambda state, reason: [])


def release_in_the_dark():
    """Release a kill while nobody knows what is at the broker."""
    return patched(operator, "unreconciled", lambda state: [])


def resume_at_a_restart():
    """Let a new process forget that entries were paused."""

    def fresh(apply):
        def begin(state, now, event):
            apply(state, now, event)
            state.blocks.pop(PAUSED, None)
            state.paused = False

        return begin

    return around(APPLY_EVENT, EpochStarted, fresh)


def conflate_the_words_on_an_order():
    """Keep the newest word on each order only, as of quotes."""

    def put_newest(put):
        def newest(self, event):
            order = getattr(event, "order", None)
            older = [one for one in self._facts if order and getattr(one, "order", None) == order]
            for one in older:
                self._facts.remove(one)
            put(self, event)

        return newest

    return around(Intake, "put", put_newest)


def drop_facts_when_many_wait():
    """Bound the queue by leaving out what does not fit."""

    def bounded(put):
        return lambda self, event: put(self, event) if type(event) is Quote or len(self._facts) < 12 else None

    return around(Intake, "put", bounded)


BUGS = {
    ignore_the_latch: ("killed means shut",),
    ignore_blocks_at_release: ("fear means shut", "read before entries", "paused means shut"),
    ignore_the_expiry: ("expired stays here",),
    ask_permission_at_the_decision: ("killed means shut", "expired stays here", "read before entries"),
    keep_the_kill_in_memory: ("killed means shut",),
    let_entries_out_of_a_full_disk: ("durable before sent",),
    leave_queued_sends_after_a_kill: ("killed means shut",),
    kill_without_closing: ("a kill reaches",),
    kill_without_cancelling: ("a kill reaches",),
    release_in_the_dark: ("released on evidence",),
    resume_at_a_restart: ("paused means shut",),
    conflate_the_words_on_an_order: ("facts arrive in order",),
    drop_facts_when_many_wait: ("facts arrive in order",),
}
