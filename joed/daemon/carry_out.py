"""From durable commands to the world: in order, each with one more look before it leaves.

A command leaves once its record is durable. `permit` is asked again by the adapter in the same synchronous block as
the bytes' write, so nothing that was queued slips past a kill. What became of an order goes back as an event.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from joed.brokers.base import Broker, Settler
from joed.daemon.counters import Counters
from joed.daemon.job_context import JobContext, context_of
from joed.engine.risk import matches
from joed.model import commands as c
from joed.model.commands import Command
from joed.model.events import CommandDropped, CommandSent, Event, KillRehearsed
from joed.model.state import State
from joed.model.values import SECOND, Scope

Order = c.SubmitOrder | c.AmendOrder | c.CancelOrder
REDUCING = (c.AmendOrder, c.CancelOrder, c.CancelForeign)
"""What can never add risk: an amendment of an exit, a cancel."""

UNRECORDED = (*REDUCING, c.SubmitOrder, c.ReadBroker, c.RunJob, c.RaiseAlert, c.SendAlert, c.Stop)
"""What leaves although the journal can't take it; entries alone are dropped, see `release_reductions`."""
AT_ONCE = frozenset({"kill", "cancel", "flatten"})
"""Verbs whose answer does not wait for a journal that has failed: the kill's file or the broker keeps what they did.

A pause is kept by the record alone: a power cut would take back what was answered.
"""


def at_once(answer: c.Answer) -> bool:
    """Say whether an answer may leave without its record: one that forbids, or refuses."""
    return answer.verb in AT_ONCE or answer.code != "ok"


class Worker(Protocol):
    """Where jobs run."""

    def run(self, command: c.RunJob, context: JobContext, done: Callable[[Event], None]) -> None:
        """Run a job and call back with its answer."""
        ...


class Shell(Protocol):
    """What the daemon itself does for the engine."""

    def alert(self, command: c.RaiseAlert | c.SendAlert) -> None:
        """Tell a person: note it where all is noted, or send it by one channel."""
        ...

    def answered(self, command: c.Answer) -> None:
        """Let whoever asked have the answer."""
        ...

    def stop(self, command: c.Stop) -> None:
        """End the process in order."""
        ...


class KillFile(Protocol):
    """The kill file."""

    def present(self) -> bool:
        """Say whether it is there."""
        ...

    def rehearse(self, scope: Scope) -> str:
        """Make it for a drill; give what hindered it, "" where nothing did."""
        ...

    def cover(self, *, drill: bool) -> None:
        """Remember what a release that was decided now covers, or what the drill made: a later kill is not of it."""
        ...

    def release(self) -> None:
        """Take it away, unless somebody has made it anew."""
        ...


class CarryOut:
    """The release queue, in front of brokers, the worker and the shell."""

    def __init__(  # noqa: PLR0913 - the directions in which commands leave
        self,
        state: State,
        *,
        brokers: Mapping[str, Broker],
        worker: Worker,
        shell: Shell,
        latch: KillFile,
        emit: Callable[[Event], None],
        now: Callable[[], int],
        counters: Counters,
        slept_ns: Callable[[], int] = int,
    ) -> None:
        """Carry out for this State; `releasing` tells that a kill was lifted whose file is still there.

        `slept_ns` says how long the machine slept, where nobody has told of it yet.
        """
        self._slept_ns = slept_ns
        self._state = state
        self._brokers = brokers
        self._worker = worker
        self._shell = shell
        self._latch = latch
        self.releasing = False
        self._emit = emit
        self._now = now
        self._counters = counters
        self._waiting: deque[tuple[int, int, Sequence[Command | None]]] = deque()

    def __len__(self) -> int:
        """Give how many records' commands wait for durability."""
        return len(self._waiting)

    def queue(self, seq: int, at_ns: int, commands: list[Command]) -> None:
        """Let a record's commands, decided at `at_ns`, wait until it is durable."""
        self._waiting.append((seq, at_ns, commands))

    def release(self, durable: int) -> None:
        """Carry out all commands whose records are durable."""
        while self._waiting and self._waiting[0][0] <= durable:
            seq, at_ns, commands = self._waiting.popleft()
            for index, command in enumerate(commands):
                if command is not None:
                    self._carry(seq, at_ns, index, command)

    def release_reductions(self) -> None:
        """Carry out what reduces risk although it can't be recorded: the journal has failed.

        Entries are dropped; what would only tell of more freedom (the answer to a release) waits for its record.
        """
        waiting, self._waiting = self._waiting, deque()
        for seq, at_ns, commands in waiting:
            kept = [self._carry_unrecorded(seq, at_ns, index, command) for index, command in enumerate(commands)]
            if any(kept):
                self._waiting.append((seq, at_ns, kept))

    def _carry_unrecorded(self, seq: int, at_ns: int, index: int, command: Command | None) -> Command | None:
        """Carry out one command whose record is not on disk, or give it back to wait."""
        if isinstance(command, c.SubmitOrder) and command.opens:
            self._counters.dropped += 1
            self._emit(CommandDropped(seq, index, command.order, "the journal can't commit"))
        elif isinstance(command, UNRECORDED) or (isinstance(command, c.Answer) and at_once(command)):
            self._carry(seq, at_ns, index, command)
        elif isinstance(command, c.Answer | c.Unlatch | c.RehearseKill):
            return command
        return None

    def _carry(self, seq: int, at_ns: int, index: int, command: Command) -> None:
        match command:
            case c.SubmitOrder() | c.AmendOrder() | c.CancelOrder():
                self._hand_over(seq, at_ns, index, command)
            case c.CancelForeign():
                self._clear(seq, index, command)
            case c.ReadBroker():
                if command.broker in self._brokers:
                    self._brokers[command.broker].read(command)
            case c.RunJob():
                self._worker.run(command, context_of(self._state, command.job), self._emit)
            case c.RaiseAlert() | c.SendAlert():
                self._shell.alert(command)
            case c.Answer():
                self._shell.answered(command)
            case c.RehearseKill():
                self._rehearse(command)
            case c.Unlatch():
                self._unlatch()
            case c.ClaimOrder() | c.RetireOrder():
                self._settle(command)
            case c.Stop():
                self._shell.stop(command)
            case _:
                pass  # it changed State, and that was all

    def _hand_over(self, seq: int, at_ns: int, index: int, command: Order) -> None:
        """Give one order to its broker, and note what became of it."""
        order = self._state.orders.get(command.order)
        broker = self._brokers.get(order.broker) if order is not None else None
        reason = "no such broker" if broker is None else _deliver(broker, command, self.permit)
        kind = type(command).__name__
        if reason:
            self._counters.dropped += 1
            self._emit(CommandDropped(seq, index, command.order, reason, kind))
        else:
            self._counters.sent += 1
            self._counters.decision_to_send.observe((self._now() - at_ns) / SECOND)
            self._emit(CommandSent(seq, index, command.order, kind))

    def _settle(self, command: c.ClaimOrder | c.RetireOrder) -> None:
        """Let an adapter that remembers its orders by itself know what ended a doubt: a person, or two whole reads."""
        order = self._state.orders.get(command.order)
        broker: object = self._brokers.get(order.broker) if order is not None else None
        if isinstance(broker, Settler):
            broker.settle(command.order, command.broker_id if isinstance(command, c.ClaimOrder) else "")

    def _clear(self, seq: int, index: int, command: c.CancelForeign) -> None:
        """Have a broker cancel what is not ours; the next whole read tells what became of it."""
        broker = self._brokers.get(command.broker)
        reason = "no such broker" if broker is None else broker.cancel_foreign(command, self.permit)
        fate = CommandDropped(seq, index, "", reason, "CancelForeign") if reason else None
        self._emit(fate or CommandSent(seq, index, "", "CancelForeign"))

    def cover(self, command: c.Unlatch) -> None:
        """Note what a release covers in the moment in which it is decided."""
        self.releasing = True
        self._latch.cover(drill=command.drill)

    def _unlatch(self) -> None:
        """Take the file of a released kill away, now that the release is durable; one killed anew keeps it."""
        self.releasing = False
        if self._state.killed is None:
            self._latch.release()

    def _rehearse(self, command: c.RehearseKill) -> None:
        """Make a drill's files, and ask permit for its entry, which goes no further."""
        began_ns = self._now()
        trouble = self._latch.rehearse(command.scope)
        took_ns = self._now() - began_ns
        self._emit(KillRehearsed(took_ns, trouble or self.permit(command.entry)))

    def permit(self, command: Command) -> str:
        """Say why this command may not leave now, or "" if it may; what reduces risk always may."""
        if isinstance(command, REDUCING) or not isinstance(command, c.SubmitOrder) or not command.opens:
            return ""
        if self._latch.present():
            return "killed"
        if self._slept_ns():
            return "slept"
        if command.expires_at_ns and self._now() > command.expires_at_ns:
            return "expired"
        block = matches(self._state, command.instrument, command.strategy)
        return "" if block is None else f"blocked: {block.reason}"


def _deliver(broker: Broker, command: Order, permit: Callable[[Command], str]) -> str:
    if isinstance(command, c.SubmitOrder):
        return broker.submit(command, permit)
    if isinstance(command, c.AmendOrder):
        return broker.amend(command, permit)
    return broker.cancel(command, permit)
