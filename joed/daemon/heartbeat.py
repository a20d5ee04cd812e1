"""The proof of life: a heartbeat goes down the whole road, to a durable commit, or the watchdog hears nothing.

A broker that does not answer is a Block, not a reason to be restarted: it does not keep the watchdog waiting.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from joed.daemon.clock import Clock, RealClock, stopwatch_ns, utc_ns
from joed.daemon.plan import Plan
from joed.daemon.systemd import Notifier, watchdog_s
from joed.daemon.trading import Trading
from joed.model.events import ClockStepped, HeartbeatMeasured
from joed.model.values import SECOND

STATM = Path("/proc/self/statm")
LAG_EVERY_S = 1.0
LAG_TOLD_NS = SECOND
"""Lateness that is told at once and not with the next beat."""
PROOF_WAIT_S = 5.0
"""How long a heartbeat may take from the intake to durability."""
PROOF_LOOKS = 100
CLOCK_STEP_NS = SECOND // 2
"""By how much the wall clock must have been set to be told: less is how it is kept right."""


class Heartbeat:
    """Measures, sends the measure down the road, and pings when it has arrived at the other end."""

    def __init__(
        self,
        trading: Trading,
        notifier: Notifier,
        *,
        every_s: float,
        failed: Callable[[], str],
        offset_ns: Callable[[], int] | None = None,
    ) -> None:
        """Prove life each `every_s`.

        `failed` says whether the journal has, for then step and carry-out must do; `offset_ns` how far the wall clock
        is from ours, None where time is not the wall's.
        """
        self._trading = trading
        self._notifier = notifier
        self._every_s = every_s
        self._failed = failed
        self._offset_ns = offset_ns
        self._worst_lag_ns = 0
        self.missing = ""

    async def run(self) -> None:
        """Beat until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._measure_lag())
            group.create_task(self._beat())

    async def _measure_lag(self) -> None:
        while True:
            before = stopwatch_ns()
            await asyncio.sleep(LAG_EVERY_S)
            late_ns = stopwatch_ns() - before - int(LAG_EVERY_S * SECOND)
            self._worst_lag_ns = max(self._worst_lag_ns, late_ns)
            self._trading.counters.loop_lag.observe(max(0, late_ns) / SECOND)
            if late_ns >= LAG_TOLD_NS:
                self._trading.emit(self.measure())
                self._worst_lag_ns = 0

    async def _beat(self) -> None:
        while True:
            self.look_at_clock()
            if await self.prove():
                self._trading.counters.watchdog_pings += 1
                self._trading.counters.pinged_ns = utc_ns()
                self._notifier.ping()
            await asyncio.sleep(self._every_s)

    async def prove(self) -> bool:
        """Say whether a heartbeat that enters now comes out at the other end in time: it, and no other event."""
        loop, measured = self._trading.loop, self.measure()
        loop.proof, loop.proof_seq = measured, 0
        self._trading.emit(measured)
        self._worst_lag_ns = 0
        until = stopwatch_ns() + int(PROOF_WAIT_S * SECOND)
        while stopwatch_ns() < until:
            await asyncio.sleep(PROOF_WAIT_S / PROOF_LOOKS)
            if loop.proof_seq and (loop.released >= loop.proof_seq or self._failed()):
                self._trading.counters.heartbeat_ns, self.missing = utc_ns(), ""
                return True
        self.missing = "journal" if loop.proof_seq else "step"
        return False

    def unwell(self) -> str:
        """Say what keeps the proof of life from coming through, "" while it does."""
        if failed := self._failed():
            return f"the journal cannot commit: {failed}"
        return f"a heartbeat got no further than the {self.missing}" if self.missing else ""

    def look_at_clock(self) -> None:
        """Tell of a wall clock that was set."""
        if self._offset_ns is None:
            return
        offset_ns = self._offset_ns()
        if abs(offset_ns - self._trading.state.utc_offset_ns) >= CLOCK_STEP_NS:
            self._trading.emit(ClockStepped(offset_ns))

    def measure(self) -> HeartbeatMeasured:
        """Give what is seen of ourselves now."""
        return HeartbeatMeasured(len(self._trading.intake), memory_bytes(), self._worst_lag_ns)


def memory_bytes() -> int:
    """Give the resident memory of this process, in bytes (proc(5), statm)."""
    return int(STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGESIZE")


def beating(trading: Trading, notifier: Notifier, plan: Plan, clock: Clock, failed: Callable[[], str]) -> Heartbeat:
    """Give the heartbeat of a daemon with this plan: often enough for the service manager's patience."""
    patience_s = watchdog_s()
    trading.counters.watchdog_s = patience_s or 0.0
    every_s = min(plan.settings.health.heartbeat_s, (patience_s or 90.0) / 3)
    offset_ns = clock.offset_ns if plan.wall_time and isinstance(clock, RealClock) else None
    return Heartbeat(trading, notifier, every_s=every_s, failed=failed, offset_ns=offset_ns)
