"""Messages on their way by the channels: each in a process of its own that has a deadline, what became of it an event.

The policy is the engine's (`joed/engine/channels.py`): it has one message under way in each channel, so the queue here
is short, and nothing is tried again by itself. Addresses are read from the credentials when a message leaves, told to
its process through memory, and blotted out of every word, of the log as of the message.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable

from joed.daemon import errand
from joed.daemon.courier_main import blotted, pieces
from joed.daemon.credentials import Secrets
from joed.daemon.log import Log
from joed.errors import ConfigError
from joed.model.commands import RaiseAlert, SendAlert
from joed.model.events import AlertDelivered, Event
from joed.model.settings import Alerts
from joed.model.values import Severity

QUEUE_MAX = 32
"""Two for each channel that there may be: its message, and a test."""
AT_ONCE_MAX = 4
PROGRAM = (sys.executable, "-P", "-W", "ignore", "-m", "joed.daemon.courier_main")
HIDDEN_CHARS_MIN = 8
"""A shorter piece of an address may be a word of every day; the log would lose it everywhere."""
SEVERITIES = tuple(Severity)


class Courier:
    """Carries messages: `send` from the loop, `run` as a task, `join` until all have left or failed.

    `emit` takes an AlertDelivered for each. `settings` may be replaced at any time; `results` counts by outcome.
    """

    def __init__(
        self,
        settings: Alerts,
        log: Log,
        emit: Callable[[Event], None] | None = None,
        secrets: Callable[[], Secrets] = Secrets.of,
    ) -> None:
        self.results: Counter[str] = Counter()
        self.settings = settings
        self._log = log
        self._emit = emit
        self._secrets = secrets
        self._hidden: set[str] = set()
        self._queue: asyncio.Queue[SendAlert] = asyncio.Queue(QUEUE_MAX)

    def send(self, message: SendAlert) -> None:
        """Queue a message; never waits, never raises."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self._ended(message, f"{QUEUE_MAX} messages are waiting", "dropped")

    def spread(self, alert: RaiseAlert) -> None:
        """Send an alert by every channel that is for it, at once: no engine lives to keep quiet hours or limits."""
        for name, row in self.settings.channels.items():
            if SEVERITIES.index(alert.severity) >= SEVERITIES.index(row.at_least):
                title = f"joed: {alert.severity.upper()}"
                self.send(SendAlert(name, 0, (alert.key,), alert.severity, title, alert.words))

    async def run(self) -> None:
        """Carry until cancelled; what is under way then is ended."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE_MAX):
                group.create_task(self._serve())

    async def join(self) -> None:
        """Wait until nothing waits and nothing is under way."""
        await self._queue.join()

    async def _serve(self) -> None:
        while True:
            message = await self._queue.get()
            try:
                self._ended(message, await self._carry(message))
            finally:
                self._queue.task_done()

    async def _carry(self, message: SendAlert) -> str:
        row = self.settings.channels.get(message.channel)
        if row is None:
            return "it is not set up any more"
        words, title = self._log.blot(message.words), self._log.blot(message.title)
        return await self.post("tell", row.credential, title=title, words=words, severity=message.severity)

    async def post(self, what: str, credential: str, **more: str) -> str:
        """Have one thing done with the address in a credential, by the deadline; give what went wrong, or ""."""
        try:
            address = self._secrets().get(credential)
        except ConfigError as error:
            return str(error)
        if address not in self._hidden:
            self._hidden.add(address)
            self._log.hide(piece for piece in pieces(address) if len(piece) >= HIDDEN_CHARS_MIN)
        timeout_s = self.settings.timeout_s
        order = json.dumps({"do": what, "address": address, "timeout_s": timeout_s, **more}).encode()
        failed = await errand.run(PROGRAM, timeout_s, order, bare=True)
        return blotted(failed, address)

    def _ended(self, message: SendAlert, failed: str, result: str = "failed") -> None:
        self.results[result if failed else "delivered"] += 1
        if failed:
            keys = ",".join(message.keys)
            self._log.error("alert_not_delivered", key=keys, channel=message.channel, result=result, reason=failed)
        if self._emit is not None:
            key = next(iter(message.keys), "test")
            self._emit(AlertDelivered(key, message.channel, message.severity, failed, message.message))


def read_addresses(settings: Alerts, secrets: Secrets) -> None:
    """Read the credential of every channel and of the dead man, as a check does; raises ConfigError where one lacks."""
    names = [row.credential for row in settings.channels.values()]
    for name in (*names, *filter(None, (settings.dead_man.credential,))):
        secrets.get(name)
