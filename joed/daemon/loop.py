"""The one loop: take an event, stamp it, step, record, and release what is durable. Nothing else calls `step`."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Protocol

from msgspec.structs import replace

from joed.daemon.carry_out import CarryOut
from joed.daemon.clock import Clock, stopwatch_ns
from joed.daemon.counters import Counters
from joed.daemon.intake import Intake
from joed.daemon.record import encode_event, kind_of
from joed.daemon.tally import Tally, quotes_by_broker
from joed.engine.step import step
from joed.engine.view import view
from joed.errors import JoedError
from joed.model.commands import OUTWARD, Answer, Command, Unlatch
from joed.model.events import BrokerRead, Event, EventFaulted, Quote, Tick
from joed.model.state import State
from joed.model.values import SECOND, Bar
from joed.model.view import View

LEAVING = frozenset({*OUTWARD, Answer})
EVENTS_AT_ONCE = 512
"""How many events one drain handles before other tasks have their turn."""
VIEW_INTERVAL_NS = SECOND // 10
"""How often a View is made at most, in real time: it costs as much as a thousand quotes. An Answer is seen at once."""
FAULT_BYTES_MAX = 4_096


class Recorder(Protocol):
    """The journal, as the loop sees it."""

    @property
    def durable(self) -> int:
        """Give the newest durable seq."""
        ...

    def append(self, seq: int, now: int, session: str, event: Event, commands: Sequence[Command]) -> None:
        """Record a fact and what was decided on it."""
        ...

    def tape(self, seq: int, now: int, event: Event) -> None:
        """Record an event that led to nothing."""
        ...


class StepFailed(JoedError):
    """A rule raised on an event: it has been recorded as faulted, and this process may not go on."""


class Loop:
    """Events in, commands out, each in the record before it leaves.

    `recorded` is the newest seq that was handed to the journal, `released` the newest that is known to be durable.
    `shown` False makes no View: nobody looks on. `proof` is an event whose passage somebody waits for, `proof_seq` its
    number once it has been handled.
    """

    def __init__(
        self,
        state: State,
        *,
        clock: Clock,
        intake: Intake,
        recorder: Recorder,
        carry_out: CarryOut,
        on_bars: Callable[[Sequence[Bar]], None],
        counters: Counters,
    ) -> None:
        """Run this State on these stations."""
        self.state = state
        self.clock = clock
        self.intake = intake
        self.recorder = recorder
        self.carry_out = carry_out
        self.view: View = view(state)
        self.events = 0
        self.quotes = 0
        self.left_out = 0
        self.counters = counters
        self.recorded = self.released = state.seq
        self.shown = True
        self.proof: Event | None = None
        self.proof_seq = 0
        self._tally = Tally(state, counters)
        self._on_bars = on_bars
        self._tape = recorder.tape
        self._next_view = self.view
        self._viewed_ns = 0

    def drain(self, limit: int = EVENTS_AT_ONCE) -> int:
        """Handle what waits, up to a limit, and give how many events that were."""
        take, turn = self.intake.take, self.turn
        for count in range(limit):
            event = take()
            if event is None:
                return count
            turn(event)
        return limit

    def turn(self, event: Event) -> None:
        """Handle one event: the road from its stamp to its record."""
        state = self.state
        if state.faulted and type(event) is not Tick and fingerprint(event) in state.faulted:
            self.left_out += 1  # one Tick is like another: without any we would look alive and be blind
            return
        now = self.clock.now()
        if now < state.now:  # noqa: PLR1730 - max() is a call, and this is every quote's road
            now = state.now
        try:
            commands = step(state, now, event)
        except Exception as error:
            self._fault(now, event, error)
            raise StepFailed(f"{kind_of(event)}: {error!r}") from error
        seq = self.recorded = state.seq
        if type(event) is Quote:
            self.quotes += 1
            if not commands:
                self._tape(seq, now, event)
                return
        elif not commands and leaves_no_mark(state, event):
            self._tape(seq, now, event)
            self._after(now, event, commands)
            return
        self.recorder.append(seq, now, state.day.session, event, commands)
        self._after(now, event, commands)

    def _after(self, now: int, event: Event, commands: list[Command]) -> None:
        """Hand on what a recorded step made: minute bars, commands that leave, a new picture."""
        self.events += 1
        state = self.state
        self.counters.events[kind_of(event)] += 1
        if commands and type(event) is Quote:
            self.counters.tick_to_decision.observe((self.clock.now() - event.received_ns) / SECOND)
        if state.finished:
            self._on_bars(state.finished)
        if commands and not LEAVING.isdisjoint(map(type, commands)):
            self.carry_out.queue(state.seq, now, commands)
        self._tally.note(now, event, commands)
        if event is self.proof:
            self.proof_seq = state.seq
        for command in commands:
            if type(command) is Unlatch:
                self.carry_out.cover(command)
        if self.shown and any(type(command) is Answer for command in commands):
            self._draw()

    def _draw(self) -> None:
        """Make a new picture, to be shown once all that is in it is durable."""
        self._viewed_ns = stopwatch_ns()
        self._next_view = view(self.state)
        self.counters.events["Quote"] = self.quotes
        self.counters.quotes = quotes_by_broker(self.state)
        self.counters.conflated = self.intake.conflated
        self.counters.queue_high_watermark = self.intake.high_watermark

    def release(self, durable: int) -> None:
        """Let what is durable be seen and be done: orders leave first, then there is time for a new picture."""
        self._turn_page(durable)
        self.carry_out.release(durable)
        self.show(durable)

    def show(self, durable: int) -> None:
        """Let what is durable be seen; with a new picture, if the last one has been shown and is of some age."""
        self._turn_page(durable)
        waits = self.view is not self._next_view
        if self.shown and not waits and stopwatch_ns() - self._viewed_ns >= VIEW_INTERVAL_NS:
            self._draw()
            self._turn_page(durable)

    def _turn_page(self, durable: int) -> None:
        self.released = durable
        if self._next_view.seq <= durable:
            self.view = self._next_view

    def _fault(self, now: int, event: Event, error: Exception) -> None:
        """Record an event that could not be handled; State is not to be trusted from here on."""
        self.counters.faults += 1
        fault = EventFaulted(
            digest=fingerprint(event),
            kind=kind_of(event),
            instrument=instrument_of(self.state, event),
            error=repr(error)[:FAULT_BYTES_MAX],
            event=encode_event(event).decode()[:FAULT_BYTES_MAX],
        )
        self.recorded += 1
        self.recorder.append(self.recorded, now, self.state.day.session, fault, [])


def leaves_no_mark(state: State, event: Event) -> bool:
    """Say whether an event that led to no command is tape: a Tick, or a reconciliation that found nothing."""
    if type(event) is Tick:
        return True
    return type(event) is BrokerRead and state.brokers[event.broker].differences == 0


def fingerprint(event: Event) -> str:
    """Give what an event and its repeat have in common: its bytes, without the moment of its coming."""
    same = replace(event, received_ns=0) if isinstance(event, Quote) else event
    return sha256(encode_event(same)).hexdigest()[:32]


def instrument_of(state: State, event: Event) -> str | None:
    """Give the instrument that an event is about, directly or through its order; None where it is about none."""
    named = getattr(event, "instrument", None)
    order = state.orders.get(getattr(event, "order", ""))
    return named or (order.instrument if order is not None else None)
