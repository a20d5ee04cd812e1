"""What is told of orders, in the broker's order; a fill waits a moment for its fee, and what follows it waits too.

IBKR tells an execution and what it cost in two messages, mostly at once, sometimes seconds apart, sometimes never. So a
fill is held for a moment; a fee that comes later is a second word on the same execution. An order's end waits alike for
the words (202) that tell an expiry from a cancel.
"""

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from joed.brokers.base import Clock, Emit
from joed.model.events import Event, OrderFilled
from joed.model.values import SECOND

HOLD_NS = SECOND // 10
"""How long a fill waits for its fee: what protects the position is at the broker, and this is soon enough."""
FEES_MAX = 100_000
"""Fees, and fills without one, that are kept for the next reading; the oldest go first."""

Make = Callable[[Decimal | None], OrderFilled]
"""Gives the fill with this fee, or without one."""


class Waiting(NamedTuple):
    """A fill without its fee yet."""

    execution_id: str
    make: Make
    until_ns: int


class Ending(NamedTuple):
    """An order's end without its words yet."""

    order: str
    make: Callable[[str], Event]
    until_ns: int


class Outbox:
    """The words that have not been told yet, the oldest first."""

    def __init__(self, clock: Clock, emit: Emit) -> None:
        """Begin with nothing to tell."""
        self.fees: dict[str, Decimal] = {}
        self._clock = clock
        self._emit = emit
        self._words: deque[Event | Waiting | Ending] = deque()
        self._late: dict[str, Make] = {}

    def put(self, event: Event) -> None:
        """Tell this, after what waits."""
        if self._words:
            self._words.append(event)
        else:
            self._emit(event)

    def put_fill(self, execution_id: str, make: Make) -> None:
        """Tell an execution, with its fee if that is known within a moment."""
        if (fee := self.fees.get(execution_id)) is not None:
            self.put(make(fee))
            return
        until_ns = self._clock.now() + HOLD_NS
        self._words.append(Waiting(execution_id, make, until_ns))
        self._clock.call_at(until_ns, self._tell)

    def put_end(self, order: str, make: Callable[[str], Event]) -> None:
        """Tell an order's end once its words have come, or after a moment without: they say whether it expired."""
        until_ns = self._clock.now() + HOLD_NS
        self._words.append(Ending(order, make, until_ns))
        self._clock.call_at(until_ns, self._tell)

    def put_words(self, order: str, words: str) -> None:
        """Take the words for an order's end, where it waits for them."""
        for at, word in enumerate(self._words):
            if isinstance(word, Ending) and word.order == order:
                self._words[at] = word.make(words)
        self._tell()

    def put_fee(self, execution_id: str, fee: Decimal) -> None:
        """Take what an execution cost; where it was told without, tell it again."""
        for kept in (self.fees, self._late):
            _trim(kept)
        self.fees[execution_id] = fee
        if (make := self._late.pop(execution_id, None)) is not None:
            self.put(make(fee))
        self._tell()

    def flush(self) -> None:
        """Tell everything now, with the fees that are known."""
        self._tell(whole=True)

    def forget(self) -> None:
        """Tell nothing of what waits: nobody is to hear it any more."""
        self._words.clear()
        self._late.clear()

    def _tell(self, *, whole: bool = False) -> None:
        """Tell what need not wait any longer."""
        now = self._clock.now()
        while self._words:
            word = self._words[0]
            if isinstance(word, Waiting):
                fee = self.fees.get(word.execution_id)
                if fee is None and now < word.until_ns and not whole:
                    return
                if fee is None:
                    self._late[word.execution_id] = word.make
                self._words.popleft()
                self._emit(word.make(fee))
            elif isinstance(word, Ending):
                if now < word.until_ns and not whole:
                    return
                self._words.popleft()
                self._emit(word.make(""))
            else:
                self._words.popleft()
                self._emit(word)


def _trim(kept: dict[str, Any]) -> None:
    """Let the oldest go where there are too many."""
    while len(kept) >= FEES_MAX:
        del kept[next(iter(kept))]
