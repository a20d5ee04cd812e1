"""Which rows of the order table a world reached: what is never reached is never tested."""

from collections import Counter
from collections.abc import Sequence

from joed.engine.life import AFTER_FILL, NEXT
from joed.model import events as e
from joed.model.commands import CancelOrder, Command, MarkUncertain, RetireOrder, SubmitOrder
from joed.model.events import Event, OrderFilled
from joed.model.state import State
from joed.model.values import Status

S = Status

FIRST = "the note of a sending is made in the block of its hand-over, an answer comes a latency later"
DROPPED = "an order comes into doubt only once it has left, or in a restart that knows no command of before"
RARE = "two faults must meet within milliseconds: too rare for a couple of thousand worlds"
UNREACHED: dict[str, str] = {
    "ARMED OrderWorking": FIRST,
    "ARMED OrderRejected": FIRST,
    "ARMED OrderCancelled": FIRST,
    "ARMED OrderExpired": FIRST,
    "ARMED OrderDoubted": FIRST,
    "ARMED OrderFilled FILLED": FIRST,
    "ARMED OrderFilled PARTIAL": FIRST,
    "UNCERTAIN CommandDropped": DROPPED,
    "SENT OrderCancelled": RARE,
    "SENT OrderExpired": RARE,
    "ACKED OrderRejected": RARE,
    "ACKED OrderExpired": RARE,
    "PARTIAL OrderExpired": RARE,
    "PARTIAL OrderRejected": RARE,
    "CANCEL_ASKED OrderExpired": RARE,
    "CANCEL_ASKED OrderDoubted": RARE,
    "UNCERTAIN OrderExpired": RARE,
    "QUARANTINED OrderExpired": RARE,
    "ABSENT_PROVEN OrderWorking": RARE,
    "ABSENT_PROVEN OrderFilled FILLED": RARE,
    "ABSENT_PROVEN OrderFilled PARTIAL": RARE,
    "REJECTED OrderFilled FILLED": RARE,
    "EXPIRED OrderFilled FILLED": RARE,
    "EXPIRED OrderFilled EXPIRED": RARE,
}
"""Rows that the world may not reach, each with the reason; tests/engine/test_life.py takes every row by itself."""

TOUCHING = (e.BrokerRead, e.BrokerDown, e.EpochStarted)
"""Events that may move any order, without naming it."""
MOVING = (SubmitOrder, CancelOrder, MarkUncertain, RetireOrder)


def row(status: Status, word: type) -> str:
    """Name a row of the table of words."""
    return f"{status.value} {word.__name__}"


def fill_row(before: Status, after: Status) -> str:
    """Name a row of the table of fills."""
    return f"{before.value} OrderFilled {after.value}"


def rows() -> list[str]:
    """Name every row of both tables."""
    words = [row(*key) for key in NEXT]
    return words + [fill_row(before, after) for before, ends in AFTER_FILL.items() for after in dict.fromkeys(ends)]


class Cover:
    """Follows every order's status as it stood before each record, and counts the rows that were taken."""

    def __init__(self, counts: Counter[str]) -> None:
        """Count here."""
        self._counts = counts
        self._before: dict[str, Status] = {}

    def begin(self, state: State) -> None:
        """Follow a life from here on."""
        self._before = {name: order.status for name, order in state.orders.items()}

    def saw(self, state: State, event: Event, commands: Sequence[Command]) -> None:
        """See a step's event, with State as it left it."""
        name = getattr(event, "order", "")
        before = self._before.get(name)
        order = state.orders.get(name)
        if before is not None and order is not None:
            self._count(before, order.status, event)
        if order is not None or isinstance(event, TOUCHING) or any(isinstance(c, MOVING) for c in commands):
            self.begin(state)

    def _count(self, before: Status, after: Status, event: Event) -> None:
        if isinstance(event, OrderFilled):
            if after in AFTER_FILL.get(before, ()):
                self._counts[f"row {fill_row(before, after)}"] += 1
        elif (before, type(event)) in NEXT and getattr(event, "command", "SubmitOrder") == "SubmitOrder":
            self._counts[f"row {row(before, type(event))}"] += 1
