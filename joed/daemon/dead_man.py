"""The ping to who watches joed from outside: sent while joed is well, missed there if not, its failure seen here.

What is proven is the heartbeat's whole road, intake, step and durable journal (`heartbeat.py`): a loop that hangs, a
rule that raises, a disk that takes nothing more all end the pings, and so does a machine without power or network.
"""

import asyncio
from collections.abc import Callable

from joed.daemon.courier import Courier
from joed.engine.channels import DEAD_MAN
from joed.model.events import AlertDelivered, Event
from joed.model.settings import Alerts
from joed.model.values import SECOND, Severity

IDLE_S = 5.0
"""How often it is looked whether a reload has named an address."""
TOLD_EVERY_NS = 600 * SECOND
"""How often a ping that goes well is an event; one that does not is one each time."""


class DeadMan:
    """Asks for the address that the settings name, each `every_s`; `pinged_ns` is when it last answered."""

    def __init__(
        self, courier: Courier, unwell: Callable[[], str], emit: Callable[[Event], None], now: Callable[[], int]
    ) -> None:
        """Send by this courier while `unwell` says ""; `now` gives nanoseconds that only grow."""
        self._courier, self._unwell, self._emit, self._now = courier, unwell, emit, now
        self._told_ns: int | None = None
        self.pings = 0

    @property
    def settings(self) -> Alerts:
        """Give the settings in force."""
        return self._courier.settings

    async def run(self) -> None:
        """Ping until cancelled."""
        while True:
            row = self.settings.dead_man
            await asyncio.sleep(row.every_s if row.credential else IDLE_S)
            await self.look()

    async def look(self) -> None:
        """Ping once, or withhold it, and tell what came of it."""
        credential = self.settings.dead_man.credential
        if not credential:
            self._told_ns = None
            return
        why = self._unwell()
        failed = f"withheld: {why}" if why else await self._courier.post("ask", credential)
        self.pings += not failed
        if failed or self._told_ns is None or self._now() - self._told_ns >= TOLD_EVERY_NS:
            self._told_ns = None if failed else self._now()
            self._emit(AlertDelivered(DEAD_MAN, DEAD_MAN, Severity.INFO, failed))
