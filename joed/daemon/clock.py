"""The only reader of time: real, accelerated or simulated, all with the same two words, `now` and `call_at`.

`now` is nanoseconds since 1970, UTC as it was at the start; it advances by CLOCK_BOOTTIME, so it never goes back and it
counts a suspend. What the wall clock does meanwhile is an event (ClockStepped), not a surprise.
"""

import asyncio
import ctypes
import heapq
import time
from collections.abc import Callable
from time import CLOCK_BOOTTIME, clock_gettime_ns
from typing import Protocol

from joed.model.values import SECOND

TIMEX_BYTES = 512
"""More than struct timex of any kernel."""
TIME_ERROR = 5
"""What adjtimex(2) answers while nothing keeps the clock right."""
CALLBACKS_AT_ONCE = 256
"""How many due callbacks run before the loop has its turn again: an accelerated feed waits, it does not pile up."""


class Clock(Protocol):
    """What everything timed is given."""

    simulated: bool

    def now(self) -> int:
        """Give the time, in nanoseconds since 1970."""
        ...

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> None:
        """Call back at this time, or at once if it has passed; equal times in the order they were asked for."""
        ...


class Timers:
    """Callbacks by time, first come first served at equal times."""

    def __init__(self) -> None:
        """Start with none."""
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0

    def add(self, at_ns: int, callback: Callable[[], None]) -> None:
        """Add a callback."""
        self._order += 1
        heapq.heappush(self._heap, (at_ns, self._order, callback))

    def next_ns(self) -> int | None:
        """Give when the first is due, None where there is none."""
        return self._heap[0][0] if self._heap else None

    def pop(self) -> tuple[int, Callable[[], None]]:
        """Take the first."""
        at_ns, _, callback = heapq.heappop(self._heap)
        return at_ns, callback


class RealClock:
    """Time as it passes, or `speed` times as fast from an origin of its own; callbacks run on the asyncio loop."""

    simulated = False

    def __init__(self, origin_ns: int | None = None, speed: float = 1.0, base_ns: int | None = None) -> None:
        """Start at `origin_ns` (default: UTC now); `base_ns` is the boot time at which the origin held."""
        self.speed = speed
        self.origin_ns = utc_ns() if origin_ns is None else origin_ns
        self.base_ns = boot_ns() if base_ns is None else base_ns
        self._times = int(speed) if float(speed).is_integer() else 0  # whole numbers are exact, and quicker
        self._timers = Timers()
        self._handle: asyncio.TimerHandle | None = None
        self._armed_ns = 0

    def now(self) -> int:
        """Give the time, in nanoseconds since 1970."""
        passed = clock_gettime_ns(CLOCK_BOOTTIME) - self.base_ns
        return self.origin_ns + (passed * self._times if self._times else int(passed * self.speed))

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> None:
        """Call back at this time."""
        self._timers.add(at_ns, callback)
        self._arm()

    def offset_ns(self) -> int:
        """Give by how much the wall clock has left this one: it was set, or we began ahead of it."""
        return utc_ns() - self.now()

    def _arm(self) -> None:
        due_ns = self._timers.next_ns()
        if due_ns is None or (self._handle is not None and self._armed_ns <= due_ns):
            return
        if self._handle is not None:
            self._handle.cancel()
        self._armed_ns = due_ns
        delay_s = max(0.0, (due_ns - self.now()) / SECOND / self.speed)
        self._handle = asyncio.get_running_loop().call_later(delay_s, self._run)

    def _run(self) -> None:
        self._handle = None
        now = self.now()
        try:
            for _ in range(CALLBACKS_AT_ONCE):
                due_ns = self._timers.next_ns()
                if due_ns is None or due_ns > now:
                    break
                self._timers.pop()[1]()
        finally:
            self._arm()  # a callback that raises is the loop's to tell; the others come all the same


class SimulatedClock:
    """Time that jumps from one callback to the next: as fast as the work is done, and the same in every run."""

    simulated = True

    def __init__(self, start_ns: int) -> None:
        """Start at this time."""
        self._now = start_ns
        self._timers = Timers()

    def now(self) -> int:
        """Give the time, in nanoseconds since 1970."""
        return self._now

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> None:
        """Call back at this time."""
        self._timers.add(max(at_ns, self._now), callback)

    def next_ns(self) -> int | None:
        """Give when the next callback is due, None where nothing is planned any more."""
        return self._timers.next_ns()

    def advance(self) -> bool:
        """Jump to the next callback and run it; False where nothing is planned any more."""
        if self._timers.next_ns() is None:
            return False
        at_ns, callback = self._timers.pop()
        self._now = max(self._now, at_ns)
        callback()
        return True


def utc_ns() -> int:
    """Give the wall clock, in nanoseconds since 1970."""
    return time.time_ns()


def synchronised() -> bool:
    """Say whether the kernel believes that something (NTP, PTP) keeps the wall clock right: adjtimex(2), read only."""
    asked = ctypes.create_string_buffer(TIMEX_BYTES)  # modes = 0: nothing is set
    state = ctypes.CDLL(None).adjtimex(asked)
    return state not in (-1, TIME_ERROR)


def boot_ns() -> int:
    """Give the time since boot, suspends included, in nanoseconds."""
    return clock_gettime_ns(CLOCK_BOOTTIME)


def stopwatch_ns() -> int:
    """Give a reading for measuring how long something took; it means nothing by itself."""
    return time.perf_counter_ns()
