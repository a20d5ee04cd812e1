"""Slips in the record: what is durable, what a restart finds, what decides the same again."""

import time

from joed.daemon import recovery
from joed.daemon.carry_out import CarryOut
from joed.daemon.record import decode_state
from joed.daemon.sidecars import Head
from joed.daemon.store import Store
from joed.engine import bands, orders, schedule
from joed.engine.changes import APPLY_EVENT
from joed.engine.step import step
from joed.model.commands import Answer
from joed.model.events import EpochStarted
from joed.model.state import State
from joed.model.values import ZERO
from tests.planted.planting import around, patched, together


def skip_the_commit():
    """Say that all is durable, and write nothing."""
    return patched(Store, "commit", lambda self: self.added)


def send_before_commit():
    """Let commands leave as soon as they are decided."""

    def hasty(queue):
        def queue_and_release(self, seq, *more):
            queue(self, seq, *more)
            self.release(seq)

        return queue_and_release

    return around(CarryOut, "queue", hasty)


def answer_before_the_commit():
    """Tell an operator what no disk knows of yet."""

    def eager(queue):
        def queue_the_rest(self, seq, at_ns, commands):
            for index, command in enumerate(commands):
                if isinstance(command, Answer):
                    self._carry(seq, at_ns, index, command)
            queue(self, seq, at_ns, [command for command in commands if not isinstance(command, Answer)])

        return queue_the_rest

    return around(CarryOut, "queue", eager)


def decide_again_in_recovery():
    """Let a restart decide what had been decided."""
    return patched(recovery, "refold", lambda state, now, event, commands: step(state, now, event))


def recover_the_snapshot_alone():
    """Leave out what was recorded after the last snapshot."""

    def hasty(store, id_key):
        found = store.latest_snapshot()
        return State(id_key=id_key) if found is None else decode_state(found[2], id_key)

    return patched(recovery, "recover", hasty)


def forget_signals_in_snapshots():
    """Store a snapshot without the signals that are spent."""

    def forgetful(data, id_key):
        state = decode_state(data, id_key)
        state.signals = {}
        return state

    return patched(recovery, "decode_state", forgetful)


def lose_a_row_of_tape():
    """Leave the last row out of each block of tape."""

    def careless(seal):
        def drop_one(self, count):
            if len(self._rows) > 1:
                self._rows.pop()
            seal(self, count)

        return drop_one

    return around(Store, "_seal", careless)


def begin_the_chain_anew():
    """Let each process hash its first record over nothing."""

    def rootless(read_head):
        return lambda self: Head(read_head(self).seq, b"\x00" * 32)

    return around(Store, "_read_head", rootless)


def read_the_clock_in_step():
    """Give jobs a deadline by the wall clock."""
    return around(schedule, "deadline_ns", lambda plain: lambda rules, job: plain(rules, job) + time.time_ns() % 1_000)


def sleep_too_deep():
    """Draw the price bands without regard to the Triggers' levels."""
    return patched(bands, "_by_triggers", lambda state, market, low, high: (low, high))


def forget_the_epoch():
    """Count the epochs in memory, and commit none."""
    return patched(Store, "next_epoch", lambda self, at_least=1: max(self.epoch() + 1, at_least))


def count_ids_anew_in_each_life():
    """Number orders from one again after each restart, whatever the epoch."""
    began = {}

    def noting(apply):
        def note(state, now, event):
            began[id(state)] = state.seq
            apply(state, now, event)

        return note

    def anew(order_ids):
        def short(state, index, legs):
            seq, epoch = state.seq, state.epoch
            state.seq, state.epoch = (seq - began.get(id(state), 0)) % 64, 1
            try:
                return order_ids(state, index, legs)
            finally:
                state.seq, state.epoch = seq, epoch

        return short

    return together(
        around(APPLY_EVENT, EpochStarted, noting),
        around(orders, "order_ids", anew),
    )


def forget_the_days_loss_at_a_restart():
    """Let a new process begin the day's profit and loss at nothing."""

    def hopeful(apply):
        def begin(state, now, event):
            apply(state, now, event)
            state.day.realised, state.day.equity_start = ZERO, state.worth or state.day.equity_start

        return begin

    return around(APPLY_EVENT, EpochStarted, hopeful)


BUGS = {
    skip_the_commit: ("durable before sent",),
    send_before_commit: ("durable before sent",),
    answer_before_the_commit: ("answers are durable",),
    decide_again_in_recovery: ("recovery is the truth",),
    recover_the_snapshot_alone: ("nothing durable is lost", "recovery is the truth"),
    forget_signals_in_snapshots: ("recovery is the truth",),
    lose_a_row_of_tape: ("nothing escapes",),
    begin_the_chain_anew: ("the chain holds", "nothing escapes"),
    read_the_clock_in_step: ("decided again, the same",),
    sleep_too_deep: ("decided again, the same",),
    forget_the_epoch: ("each start its own epoch",),
    count_ids_anew_in_each_life: ("handed over once", "one order an intent"),
    forget_the_days_loss_at_a_restart: ("counters agree",),
}
