"""Where events wait for the loop: facts in order and never dropped, quotes the newest of each instrument only."""

from collections import deque
from collections.abc import Callable

from joed.engine.markets import sound
from joed.model.events import Event, Quote


class Intake:
    """The queue in front of the loop.

    A quote that finds an older one of its instrument still waiting takes its place (it conflates), so that a slow loop
    is late by one quote an instrument at most. In accelerated time (`conflates` False) each quote keeps its turn, until
    `size_max` events wait; from there on quotes conflate too. A fact is always taken, for an order's fate may not be
    lost: how many can come is bounded by how many orders may be sent.
    """

    def __init__(self, wake: Callable[[], None], size_max: int, *, conflates: bool = True) -> None:
        """Call `wake` when something waits where nothing did."""
        self._wake = wake
        self._size_max = size_max
        self._conflates = conflates
        self._facts: deque[Event] = deque()
        self._quotes: dict[str, Quote] = {}
        self._names: deque[str] = deque()  # whose turn it is: to find a dict's first key anew gets slow as it empties
        self.conflated = 0
        self.unsound = 0
        self.high_watermark = 0

    def __len__(self) -> int:
        """Give how many events wait."""
        return len(self._facts) + len(self._quotes)

    @property
    def full(self) -> bool:
        """Say whether so much waits that every quote gives way to the next of its instrument."""
        return len(self._facts) >= self._size_max

    def put(self, event: Event) -> None:
        """Take an event in; a quote whose numbers can be no prices is counted and goes no further."""
        idle = not self._facts and not self._quotes
        if type(event) is not Quote:
            self._facts.append(event)
        elif not sound(event):
            self.unsound += 1
            return
        elif self._conflates or self.full:
            name = event.instrument
            if name in self._quotes:
                self.conflated += 1
            else:
                self._names.append(name)
            self._quotes[name] = event
        else:
            self._facts.append(event)
        if idle:
            self._wake()

    def take(self) -> Event | None:
        """Give the next event, facts before quotes; None where nothing waits."""
        facts, names = self._facts, self._names
        waiting = len(facts) + len(names)
        if waiting > self.high_watermark:  # noqa: PLR1730 - max() is a call, and this is every quote's road
            self.high_watermark = waiting
        if facts:
            return facts.popleft()
        if names:
            return self._quotes.pop(names.popleft())
        return None
