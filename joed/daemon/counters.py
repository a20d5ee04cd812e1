"""What the shell counts as it goes: plain numbers, each with one writer, read by whoever wants to without a lock."""

import gc
from bisect import bisect_left
from collections.abc import Callable
from typing import Self, get_args

from joed.model import events

FAST = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Bounds of latencies in seconds; the budgets and alerts stand on them."""
NET = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bounds of what a broker's answer takes, in seconds."""
SLOW = (0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0)
"""Bounds of what the market takes, in seconds."""
BPS = (1.0, 2.5, 5.0, 10.0, 25.0, 100.0)
"""Bounds of slippage, in hundredths of a percent."""
KINDS = tuple(str(kind.__struct_config__.tag) for kind in get_args(events.ANY))
GENERATIONS = ("0", "1", "2")


class Buckets:
    """A histogram of plain numbers, for one writer: some 0.2 µs an observation."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = FAST) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Counters:
    """All counts of one process, from 0."""

    def __init__(self) -> None:
        self.events = dict.fromkeys(KINDS, 0)
        self.conflated = self.faults = self.sent = self.dropped = self.records = 0
        self.queue_high_watermark = 0
        self.heartbeat_ns = self.snapshot_ns = 0
        """When the last proof of life came through, and when State was last stored: UTC, in ns."""
        self.watchdog_pings = self.pinged_ns = 0
        self.watchdog_s = 0.0
        """The service manager's patience, 0 where nobody watches."""
        self.tick_to_decision = Buckets()
        self.decision_to_send = Buckets()
        self.commit = Buckets()
        self.loop_lag = Buckets()
        self.kill_answer = Buckets()
        self.order_ack = Buckets(NET)
        self.order_cancel = Buckets(NET)
        self.order_fill = Buckets(SLOW)
        self.slippage_favourable = Buckets(BPS)
        self.slippage_adverse = Buckets(BPS)
        self.orders: dict[tuple[str, str], int] = {}
        """Orders by broker and by each state that they came to."""
        self.fills: dict[tuple[str, str], int] = {}
        """Executions by broker and side."""
        self.reads: dict[tuple[str, str], int] = {}
        """Readings of a broker's book by what they found."""
        self.read_s: dict[str, float] = {}
        """How long the last reading of each broker's book took."""
        self.losses: dict[str, int] = {}
        """How often each broker stopped answering."""
        self.quotes: dict[str, int] = {}
        """Quotes by broker, as of the last picture."""
        self.gc_pauses = {generation: Buckets() for generation in GENERATIONS}


class GcWatch:
    """Counts how long each collection holds everything up; `stopwatch_ns` is read at its begin and end."""

    def __init__(self, counters: Counters, stopwatch_ns: Callable[[], int]) -> None:
        self._pauses = counters.gc_pauses
        self._stopwatch_ns = stopwatch_ns
        self._begun_ns: int | None = None

    def start(self) -> Self:
        """Watch from now on."""
        gc.callbacks.append(self._note)
        return self

    def stop(self) -> None:
        """Watch no more."""
        if self._note in gc.callbacks:
            gc.callbacks.remove(self._note)

    def _note(self, phase: str, info: dict[str, int]) -> None:
        now = self._stopwatch_ns()
        if phase == "start":
            self._begun_ns = now
        elif self._begun_ns is not None:
            self._pauses[str(info["generation"])].observe((now - self._begun_ns) / 1e9)
