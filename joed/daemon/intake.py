"""Where events wait for the loop: facts in order and never dropped, quotes the newest of each instrument only."""

from collections import deque
from collections.abc import Callable

from joed.model.events import Event, Quote


class Intake:
    """The bounded queue in front of the loop.

    A quote that finds an older one of its instrument still waiting takes its place (it conflates), so that a slow loop
    is late by one quote an instrument at most. A fact that finds the queue full is taken all the same, for an order's
    fate may not be lost; being full is told through `full`, and adapters stop reading until it is over.
    """

    def __init__(self, wake: Callable[[], None], size_max: int, *, conflates: bool = True) -> None:
        """Call `wake` when something waits where nothing did."""
        self._wake = wake
        self._size_max = size_max
        self._conflates = conflates
        self._facts: deque[Event] = deque()
        self._quotes: dict[str, Quote] = {}
        self.conflated = 0
        self.high_watermark = 0

    def __len__(self) -> int:
        """Give how many events wait."""
        return len(self._facts) + len(self._quotes)

    @property
    def full(self) -> bool:
        """Say whether adapters should stop reading."""
        return len(self._facts) >= self._size_max

    def put(self, event: Event) -> None:
        """Take an event in."""
        idle = not self._facts and not self._quotes
        if type(event) is Quote and self._conflates:
            if event.instrument in self._quotes:
                self.conflated += 1
            self._quotes[event.instrument] = event
        else:
            self._facts.append(event)
        if idle:
            self._wake()

    def take(self) -> Event | None:
        """Give the next event, facts before quotes; None where nothing waits."""
        waiting = len(self._facts) + len(self._quotes)
        self.high_watermark = max(self.high_watermark, waiting)
        if self._facts:
            return self._facts.popleft()
        if self._quotes:
            return self._quotes.pop(next(iter(self._quotes)))
        return None
