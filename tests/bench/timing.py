"""A selector that knows the worst pause of the loop that it serves."""

import selectors
from collections.abc import Callable


class TimedSelector(selectors.DefaultSelector):
    """Notes for how long the loop has at worst not been asking what is ready."""

    def __init__(self, stopwatch_ns: Callable[[], int]) -> None:
        super().__init__()
        self._stopwatch_ns = stopwatch_ns
        self._worst_ns = self._back_ns = 0

    def select(self, timeout=None):
        """Ask the kernel, and note how long the turn took that ends here."""
        if self._back_ns:
            self._worst_ns = max(self._worst_ns, self._stopwatch_ns() - self._back_ns)
        found = super().select(timeout)
        self._back_ns = self._stopwatch_ns()
        return found

    def taken_ns(self) -> int:
        """Give the worst pause since the last time, in ns."""
        worst, self._worst_ns = self._worst_ns, 0
        return worst
