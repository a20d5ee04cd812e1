"""The wire between joed and its exchange: it outlives every life of joed, and everything that wires do to messages.

The exchange and its paper broker stand behind it and go on, whatever happens to joed.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random
from typing import TypeVar

from msgspec.structs import replace

from joed.brokers.base import Permit
from joed.daemon.clock import SimulatedClock
from joed.model.commands import AmendOrder, CancelForeign, CancelOrder, Command, ReadBroker, SubmitOrder
from joed.model.events import (
    BrokerDown,
    BrokerRead,
    BrokerUp,
    Event,
    OrderAccepted,
    OrderCancelled,
    OrderDoubted,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderWorking,
    Quote,
)
from joed.model.values import SECOND
from joed.sim.laws import Watch
from joed.sim.odd import BY_HAND, OddBroker

C = TypeVar("C", SubmitOrder, AmendOrder, CancelOrder)
ANSWERS = (OrderAccepted, OrderWorking, OrderCancelled, OrderExpired, OrderRejected, OrderFilled)
SWALLOWED = "lost on its way"
TIME_OUT_NS = SECOND
"""How long an adapter waits for an answer that never comes."""


class Wire:
    """A Broker for each life of joed in turn; `receive` is what the paper broker emits to."""

    name = "paper"
    broker: OddBroker

    def __init__(
        self, clock: SimulatedClock, watch: Watch, counts: Counter[str], point: Callable[[str], None], seed: int = 0
    ) -> None:
        """Watch what is handed over; `point` is told of each hand-over."""
        self.watch = watch
        self.point = point
        self.lag_ns = 0
        self.broker_clock_ns = 0
        self.lost_reports = self.lost_commands = self.repeats = self.partial_reads = 0
        self.lost_reads = self.lost_cancels = self.late_entries = self.late_repeats = 0
        self.doubts = self.mutes = 0
        self.late_s = self.shuffle_s = 0.0
        self.out_until_ns = self.dark_until_ns = 0
        self._clock = clock
        self._counts = counts
        self._deliver: Callable[[Event], None] | None = None
        self._arrival_ns = 0
        self._chance = Random(f"{seed}:wire")

    @property
    def troubled(self) -> bool:
        """Say whether something is wrong with it, so that nobody can be blamed for being late."""
        late = self.lag_ns or self.shuffle_s or self.lost_reports or self.lost_commands or self.partial_reads
        return bool(
            late
            or self.mutes
            or self.doubts
            or self.lost_reads
            or self.lost_cancels
            or self.late_entries
            or self._clock.now() < self.dark_until_ns
            or not self.broker.up
        )

    def mend_all(self) -> None:
        """Be a good wire from here on."""
        self.lost_reports = self.lost_commands = self.repeats = self.partial_reads = 0
        self.lost_reads = self.lost_cancels = self.late_entries = self.late_repeats = self.doubts = self.mutes = 0
        self.lag_ns, self.shuffle_s, self.broker_clock_ns = 0, 0.0, 0
        self.out_until_ns = self.dark_until_ns = self._clock.now()
        self.mend()

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
        if type(event) is not Quote and (self._clock.now() < self.dark_until_ns or self._spend("lost_reports")):
            return
        if isinstance(event, BrokerRead) and self._spend("lost_reads"):
            return
        if isinstance(event, OrderAccepted | OrderWorking) and self._spend("mutes"):
            return
        if isinstance(event, ANSWERS) and self._spend("doubts"):
            several = ("77", "78") if self._chance.random() < 0.5 else ()
            self._carry(OrderDoubted(event.order, "no answer that can be read", several))
        if isinstance(event, OrderFilled):
            event = self._told(event)
        if isinstance(event, BrokerRead) and self._spend("partial_reads"):
            event = replace(event, complete=False, orders=event.orders[::2], positions=(), ended={}, cash=None)
        twice = isinstance(event, OrderFilled) and self._spend("repeats")
        for _ in range(1 + twice):
            self._carry(event)
        if isinstance(event, OrderFilled) and self._spend("late_repeats"):
            self._carry_at(self._clock.now() + int(self._chance.uniform(2, 40) * SECOND), event)

    def receive_old(self, quote: Quote, age_s: float) -> None:
        """Carry a quote that was received long ago."""
        if self._deliver is not None and self.broker.up:
            self._deliver(replace(quote, received_ns=self._clock.now() - int(age_s * SECOND), broker=self.name))

    def _told(self, fill: OrderFilled) -> OrderFilled:
        """Give an execution as it is told: by the broker's clock, and without an id where it is somebody else's."""
        order = "" if fill.order.startswith(BY_HAND) else fill.order
        return replace(fill, order=order, at_ns=fill.at_ns + self.broker_clock_ns)

    def _carry(self, event: Event) -> None:
        now = self._clock.now()
        if self.shuffle_s and type(event) is not Quote and not isinstance(event, BrokerRead):
            self._counts["shuffled"] += 1
            self._carry_at(now + int(self._chance.random() * self.shuffle_s * SECOND), event)
            return
        if not self.lag_ns and self._arrival_ns <= now:
            self._hand_on(event)
            return
        self._arrival_ns = max(self._arrival_ns + 1, now + self.lag_ns)
        self._carry_at(self._arrival_ns, event)

    def _carry_at(self, at_ns: int, event: Event) -> None:
        """Have an event arrive at this time, over this link or never."""
        connection = self.broker.connection

        def arrive() -> None:
            if self.broker.up and self.broker.connection == connection:
                self._hand_on(event)

        self._clock.call_at(at_ns, arrive)

    def _hand_on(self, event: Event) -> None:
        if self._deliver is None:
            return
        if type(event) is Quote:
            event = replace(event, received_ns=self._clock.now(), broker=self.name)
        elif isinstance(event, BrokerRead) and event.complete and not self.watch.read_since_up:
            self.watch.read_since_up, self.watch.read_ns = True, self._clock.now()
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
            return reason or (SWALLOWED if self._loses(asked) else "")

        reason = hand_over(command, ask)
        if left:
            self._counts[type(command).__name__] += 1
            self.point("handed")
            self._time_out(command)
        return "" if reason == SWALLOWED else reason

    def _time_out(self, command: Command) -> None:
        """Say in the dark that a new order had no answer."""
        now = self._clock.now()
        if isinstance(command, SubmitOrder) and now < self.dark_until_ns:
            self._carry_at(now + TIME_OUT_NS, OrderDoubted(command.order, "no answer in time"))

    def _loses(self, command: Command) -> bool:
        """Say whether a command is lost on its way; an entry may only be late, and come when nobody waits for it."""
        if isinstance(command, SubmitOrder) and command.opens and self._spend("late_entries"):
            at_ns = self._clock.now() + int(self.late_s * SECOND)
            self._clock.call_at(at_ns, lambda: self.broker.arrive(command))
            return True
        return (isinstance(command, CancelOrder) and self._spend("lost_cancels")) or self._spend("lost_commands")

    def _spend(self, fault: str) -> bool:
        """Say whether a fault that was asked for happens now."""
        left: int = getattr(self, fault)
        if not left:
            return False
        setattr(self, fault, left - 1)
        self._counts[fault] += 1
        return True
