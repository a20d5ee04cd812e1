"""What every broker's adapter is to the daemon: three orders, one reading, and events as the only way back.

| guarantee | what it means |
|---|---|
| nothing slips past a kill | `permit` is asked in the same synchronous block as the hand-over of the bytes |
| ours are never among them | `cancel_foreign` spares every order of ours; a means that cannot waits for `alone` |
| nothing is queued | no order is handed over while bytes of an earlier one still wait in this process |
| a refusal is proven | a reason other than "" means: no byte of the command has left, nor will |
| "" proves nothing | it was handed over; whether it arrived an event tells, or the next whole read |
| one order for one id | the same command handed over twice makes one order; "duplicate" refuses the repeat alone |
| a submit has one of four outcomes | NOT_SENT: a reason; REFUSED: OrderRejected; ACCEPTED: OrderAccepted; see below |
| what cannot be proven is AMBIGUOUS | OrderDoubted, at once: a time-out, a reset, a cut or unreadable answer |
| results are events | through `emit`, on the loop's thread, in the broker's order; never an exception |
| a link has a number | BrokerUp and BrokerDown alternate; what a lost link carried never comes over the next |
| a read is whole | complete only with every end marker, from one link; `from_ns` is when it was asked for |
| a failed read is none | it comes marked incomplete, or not at all |
| quotes carry their age | `received_ns` is our clock as the bytes came; only subscribed instruments are streamed |
| everything ends | a timeout for each wait, a longest delay for each retry, a bound for each buffer |
| bad bytes are no guess | they end the link (BrokerDown names them) and are counted |
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from joed.model.commands import AmendOrder, CancelForeign, CancelOrder, Command, ReadBroker, SubmitOrder
from joed.model.events import Event, Quote
from joed.model.values import Bar

Permit = Callable[[Command], str]
"""Says why a command may not leave now, or "" where it may."""

Emit = Callable[[Event], None]
"""Takes what an adapter learned."""


class Clock(Protocol):
    """The time an adapter is given (`joed.daemon.clock` has the real one and its test twin)."""

    simulated: bool

    def now(self) -> int:
        """Give the time, in nanoseconds since 1970."""
        ...

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> None:
        """Call back at this time, or at once if it has passed; equal times in the order they were asked for."""
        ...


class Feed(Protocol):
    """Where an exchange's prices come from: the embedded market, a file, a test's list."""

    def start(self, clock: Clock, on_quote: Callable[[Quote], None]) -> None:
        """Plan the quotes on the clock, each handed on at its time."""
        ...


@runtime_checkable
class Historian(Protocol):
    """What an adapter is besides, where its broker tells of the past; asked one question after the other.

    It keeps the broker's own pace, gives whole bars only (none that is still being made), and raises BrokerUnavailable
    where there is no answer: the link is down, the time is over, the broker has no such history. Never half an answer.
    """

    name: str

    async def daily(self, instrument: str, days: int) -> tuple[Bar, ...]:
        """Give the last `days` daily bars of regular hours, oldest first, each at its session's begin."""
        ...

    async def minutes(self, instrument: str, from_ns: int) -> tuple[Bar, ...]:
        """Give the 1-minute bars from `from_ns` until now, oldest first, those of regular hours."""
        ...


@runtime_checkable
class Settler(Protocol):
    """What an adapter is besides, where it alone remembers its orders: it is told how a person settled a doubt."""

    def settle(self, order: str, broker_id: str) -> None:
        """Take an order for what the broker holds under this number, "" for never having been there."""
        ...


class Broker(Protocol):
    """One broker's adapter; the table above is its contract, `tests/brokers/test_contract.py` its proof."""

    name: str

    @property
    def streams(self) -> tuple[str, ...]:
        """Name the instruments whose quotes it streams now, sorted."""
        ...

    def subscribe(self, instruments: tuple[str, ...]) -> None:
        """Stream the quotes of exactly these from here on, over this link and each later one."""
        ...

    def start(self) -> None:
        """Begin; the first BrokerUp may come at once or later."""
        ...

    async def run(self) -> None:
        """Do the adapter's own waiting, in the caller's task, until `stop`; one that waits for nothing ends at once."""
        ...

    def stop(self) -> None:
        """End: nothing is emitted any more; orders and stops at the broker live on."""
        ...

    def submit(self, command: SubmitOrder, permit: Permit) -> str:
        """Hand a new order over and give "", or the reason why not."""
        ...

    def amend(self, command: AmendOrder, permit: Permit) -> str:
        """Hand an amendment over and give "", or the reason why not."""
        ...

    def cancel(self, command: CancelOrder, permit: Permit) -> str:
        """Hand a cancel over and give "", or the reason why not."""
        ...

    def cancel_foreign(self, command: CancelForeign, permit: Permit) -> str:
        """Ask for the end of orders that are not ours; give "" or the reason why not. The next whole read tells."""
        ...

    def read(self, command: ReadBroker) -> None:
        """Ask for the whole book; BrokerRead answers, or nothing does where the link is lost meanwhile."""
        ...
