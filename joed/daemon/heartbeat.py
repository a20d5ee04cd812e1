"""The proof of life: a heartbeat goes down the whole road, to a durable commit, or the watchdog hears nothing.

A broker that does not answer is a Block, not a reason to be restarted: it does not keep the watchdog waiting.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from joed.daemon.clock import stopwatch_ns, utc_ns
from joed.daemon.systemd import Notifier
from joed.daemon.trading import Trading
from joed.model.events import HeartbeatMeasured
from joed.model.values import SECOND

STATM = Path("/proc/self/statm")
LAG_EVERY_S = 0.5
PROOF_WAIT_S = 5.0
"""How long a heartbeat may take from the intake to durability."""


class Heartbeat:
    """Measures, sends the measure down the road, and pings when it has arrived at the other end."""

    def __init__(
        self,
        trading: Trading,
        notifier: Notifier,
        *,
        every_s: float,
        durable: Callable[[], int],
        failed: Callable[[], str],
    ) -> None:
        """Prove life each `every_s`; `failed` says whether the journal has, for then step and carry-out must do."""
        self._trading = trading
        self._notifier = notifier
        self._every_s = every_s
        self._durable = durable
        self._failed = failed
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

    async def _beat(self) -> None:
        while True:
            if await self._proof():
                self._trading.counters.watchdog_pings += 1
                self._notifier.ping()
            await asyncio.sleep(self._every_s)

    async def _proof(self) -> bool:
        """Say whether a heartbeat that entered now came out durable in time."""
        loop = self._trading.loop
        before = loop.events
        self._trading.emit(self.measure())
        self._worst_lag_ns = 0
        until = stopwatch_ns() + int(PROOF_WAIT_S * SECOND)
        seq = 0
        while stopwatch_ns() < until:
            await asyncio.sleep(PROOF_WAIT_S / 100)
            if not seq and loop.events > before:
                seq = loop.recorded
            if seq and (self._durable() >= seq or self._failed()):
                self._trading.counters.heartbeat_ns, self.missing = utc_ns(), ""
                return True
        self.missing = "step" if not seq else "journal"
        return False

    def measure(self) -> HeartbeatMeasured:
        """Give what is seen of ourselves now."""
        return HeartbeatMeasured(len(self._trading.intake), memory_bytes(), self._worst_lag_ns)


def memory_bytes() -> int:
    """Give the resident memory of this process, in bytes (proc(5), statm)."""
    return int(STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGESIZE")
