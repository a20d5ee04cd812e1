"""Alerts on their way to a person: the system log at once, the command that the settings name, and the channels.

Nothing here holds up trading: an alert waits in a bounded queue, few commands run at once, each has a deadline, and
one that cannot be told elsewhere still stands in the log.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from joed.daemon import errand
from joed.daemon.courier import Courier
from joed.daemon.log import SEVERITY, Log
from joed.model.commands import RaiseAlert, SendAlert
from joed.model.events import AlertDelivered, Event
from joed.model.settings import Alerts

QUEUE_MAX = 64
COMMANDS_MAX = 4
"""How many commands run at once."""
WORDS_CHARS_MAX = 4_000

CHANNEL = "command"
RESULTS = ("delivered", "failed", "dropped")


class Alerter:
    """Tells people: `deliver` from the loop, `run` as a task of the daemon, `drain` before it ends.

    `emit` takes an AlertDelivered for each alert that left by the command or failed to. `results` counts them.
    """

    def __init__(self, settings: Alerts, log: Log, emit: Callable[[Event], None] | None = None) -> None:
        self.results: Counter[str] = Counter(dict.fromkeys(RESULTS, 0))
        self._settings = settings
        self._log = log
        self._emit = emit
        self._queue: asyncio.Queue[RaiseAlert] = asyncio.Queue(QUEUE_MAX)
        self.courier = Courier(settings, log, emit)
        self.courier.results = self.results

    def reload(self, settings: Alerts) -> None:
        """Use these settings from the next alert on."""
        self._settings = self.courier.settings = settings

    def deliver(self, alert: RaiseAlert | SendAlert) -> None:
        """Log an alert and queue its command, or queue a channel's message; never waits, never raises."""
        if isinstance(alert, SendAlert):
            self.courier.send(alert)
            return
        self._log.put(SEVERITY[alert.severity], "alert", {"key": alert.key, "words": alert.words})
        if not self._settings.command:
            return
        try:
            self._queue.put_nowait(alert)
        except asyncio.QueueFull:
            self._ended(alert, "dropped", f"{QUEUE_MAX} alerts are waiting")

    async def run(self) -> None:
        """Run commands and send messages until cancelled; what runs then is ended."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.courier.run())
            for _ in range(COMMANDS_MAX):
                group.create_task(self._serve())

    async def drain(self, timeout_s: float) -> bool:
        """Wait until all is delivered; False when the time is over first."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._queue.join()
                await self.courier.join()
        except TimeoutError:
            return False
        return True

    async def _serve(self) -> None:
        while True:
            alert = await self._queue.get()
            try:
                failed = await self._command(alert)
                self._ended(alert, "failed" if failed else "delivered", failed)
            finally:
                self._queue.task_done()

    async def _command(self, alert: RaiseAlert) -> str:
        """Run the command for one alert; give what went wrong, or ""."""
        settings = self._settings
        return await errand.run((*settings.command, alert.severity, spoken(alert.words)), settings.timeout_s)

    def _ended(self, alert: RaiseAlert, result: str, failed: str) -> None:
        self.results[result] += 1
        if failed:
            self._log.error("alert_not_delivered", key=alert.key, channel=CHANNEL, result=result, reason=failed)
        if self._emit is not None:
            self._emit(AlertDelivered(alert.key, CHANNEL, alert.severity, failed))


def spoken(words: str) -> str:
    """Give words as one argument of a command: bounded, without NUL, and never read as an option."""
    text = words.replace("\0", " ")[:WORDS_CHARS_MAX].encode(errors="replace").decode()
    return f" {text}" if text.startswith("-") else text
