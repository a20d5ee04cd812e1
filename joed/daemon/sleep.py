"""Whether this machine was suspended: by the clock that counts a suspend, against the one that does not.

What a broker did meanwhile is not known, and a link may look alive that is not. So nothing is opened until the books
have been read again; `permit` asks here too, for an order may be on its way before anybody has woken to tell of it.
"""

from collections.abc import Callable

from joed.daemon.clock import boot_ns, stopwatch_ns
from joed.model.values import SECOND

SLEPT_NS = SECOND
"""A shorter one is how two clocks are read one after the other."""


class Sleep:
    """How long the machine has slept since what was noted last."""

    def __init__(self, boot: Callable[[], int] = boot_ns, awake: Callable[[], int] = stopwatch_ns) -> None:
        """Read these two clocks, in ns: `boot` goes on in a suspend, `awake` stands still."""
        self._boot, self._awake = boot, awake
        self._noted = boot() - awake()
        self._told_ns = 0

    def slept_ns(self) -> int:
        """Give how long it slept, 0 where that is not worth the word."""
        slept_ns = self._boot() - self._awake() - self._noted
        return slept_ns if slept_ns >= SLEPT_NS else 0

    def news_ns(self) -> int:
        """Give how long it slept, once; it counts as known with the next question after that one."""
        slept_ns = self.slept_ns()
        if slept_ns and self._told_ns:
            self._noted += self._told_ns
            self._told_ns = 0
            return self.news_ns()
        self._told_ns = slept_ns
        return slept_ns
