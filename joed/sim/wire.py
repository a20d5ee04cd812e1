"""The wire between joed and its exchange: it outlives every life of joed, and everything that wires do to messages.

The exchange and its paper broker stand behind it and go on, whatever happens to joed.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from joed.brokers.base import Permit
from joed.brokers.paper import PaperBroker
from joed.daemon.clock import SimulatedClock
from joed.model.commands import AmendOrder, CancelForeign, CancelOrder, Command, ReadBroker, SubmitOrder
from joed.model.events import BrokerDown, BrokerRead, BrokerUp, Event, OrderFilled, Quote
from joed.model.values import SECOND
from joed.sim.laws import Watch

C = TypeVar("C", SubmitOrder, AmendOrder, CancelOrder)
SWALLOWED = "lost on its way"


class Wire:
    """A Broker for each life of joed in turn; `receive` is what the paper broker emits to."""

    name = "paper"
    broker: PaperBroker

    def __init__(self, clock: SimulatedClock, watch: Watch, counts: Counter[str], point: Callable[[str], None]) -> None:
        """Watch what is handed over; `point` is told of each hand-over."""
        self.watch = watch
        self.point = point
        self.lag_ns = 0
        self.lost_reports = self.lost_commands = self.repeats = self.partial_reads = 0
        self.out_until_ns = 0
        self._clock = clock
        self._counts = counts
        self._deliver: Callable[[Event], None] | None = None
        self._arrival_ns = 0

    @property
    def streams(self) -> tuple[str, ...]:
        """Name what is streamed."""
        return self.broker.streams

    def subscribe(self, instruments: tuple[str, ...]) -> None:
        """Stream these."""
        self.broker.subscribe(instruments)

    def attach(self, deliver: Callable[[Event], None]) -> None:
        """Carry to this life from here on."""
        self._deliver = deliver

    def cut(self) -> None:
        """Carry to nobody: the life is over, its link with it."""
        self._deliver = None
        self.broker.disconnect("the process is gone")

    def start(self) -> None:
        """Connect, or as soon as the outage is over."""
        if self._clock.now() >= self.out_until_ns:
            self.broker.connect()

    async def run(self) -> None:
        """Wait for nothing: the clock calls."""

    def stop(self) -> None:
        """End the link in order."""
        self.cut()

    def submit(self, command: SubmitOrder, permit: Permit) -> str:
        """Hand a new order over and give "", or the reason why not."""
        return self._hand_over(command, permit, self.broker.submit)

    def amend(self, command: AmendOrder, permit: Permit) -> str:
        """Hand an amendment over and give "", or the reason why not."""
        return self._hand_over(command, permit, self.broker.amend)

    def cancel(self, command: CancelOrder, permit: Permit) -> str:
        """Hand a cancel over and give "", or the reason why not."""
        return self._hand_over(command, permit, self.broker.cancel)

    def cancel_foreign(self, command: CancelForeign, permit: Permit) -> str:
        """Hand the cancels of strangers' orders over and give "", or the reason why not."""
        return self.broker.cancel_foreign(command, permit)

    def read(self, command: ReadBroker) -> None:
        """Ask for the whole book."""
        self.broker.read(command)

    def outage(self, seconds: float, reason: str, unheard: int = 0) -> None:
        """Cut the link for a while; of what comes after it the first few reports are lost, the read's answer first."""
        self.out_until_ns = max(self.out_until_ns, self._clock.now() + int(seconds * SECOND))
        self.broker.disconnect(reason)
        self._clock.call_at(self.out_until_ns, partial(self.mend, unheard))

    def mend(self, unheard: int = 0) -> None:
        """Connect again, where the outage is over and somebody is there."""
        if self._deliver is not None and self._clock.now() >= self.out_until_ns:
            self.lost_reports += unheard
            self.broker.connect()

    def receive(self, event: Event) -> None:
        """Carry a message to joed, in order, as late as the wire is now; a new link begins empty."""
        if isinstance(event, BrokerUp | BrokerDown):
            self._arrival_ns = 0
            self.watch.read_since_up = False
            self._hand_on(event)
            return
        if type(event) is not Quote and self._spend("lost_reports"):
            return
        if isinstance(event, BrokerRead) and self._spend("partial_reads"):
            event = replace(event, complete=False, orders=event.orders[::2], positions=(), ended={}, cash=None)
        twice = isinstance(event, OrderFilled) and self._spend("repeats")
        for _ in range(1 + twice):
            self._carry(event)

    def _carry(self, event: Event) -> None:
        now, connection = self._clock.now(), self.broker.connection
        if not self.lag_ns and self._arrival_ns <= now:
            self._hand_on(event)
            return
        self._arrival_ns = max(self._arrival_ns + 1, now + self.lag_ns)

        def arrive() -> None:
            if self.broker.up and self.broker.connection == connection:
                self._hand_on(event)

        self._clock.call_at(self._arrival_ns, arrive)

    def _hand_on(self, event: Event) -> None:
        if self._deliver is None:
            return
        if type(event) is Quote:
            event = replace(event, received_ns=self._clock.now(), broker=self.name)
        elif isinstance(event, BrokerRead) and event.complete:
            self.watch.read_since_up = True
        self._deliver(event)

    def _hand_over(self, command: C, permit: Permit, hand_over: Callable[[C, Permit], str]) -> str:
        """Let the laws see what leaves, in the same block as the hand-over; a lost one was handed over all the same."""
        left = False

        def ask(asked: Command) -> str:
            nonlocal left
            reason = permit(asked)
            if not reason:
                self.watch.handing(asked)
                left = True
            return reason or (SWALLOWED if self._spend("lost_commands") else "")

        reason = hand_over(command, ask)
        if left:
            self._counts[type(command).__name__] += 1
            self.point("handed")
        return "" if reason == SWALLOWED else reason

    def _spend(self, fault: str) -> bool:
        """Say whether a fault that was asked for happens now."""
        left: int = getattr(self, fault)
        if not left:
            return False
        setattr(self, fault, left - 1)
        self._counts[fault] += 1
        return True
