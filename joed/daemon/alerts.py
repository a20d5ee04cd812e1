"""Alerts on their way to a person: the system log at once, and the command that the settings name.

Nothing here holds up trading: an alert waits in a bounded queue, few commands run at once, each has a deadline, and
one that cannot be told elsewhere still stands in the log.
"""

import asyncio
import fcntl
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from joed.daemon.log import SEVERITY, Log
from joed.model.commands import RaiseAlert
from joed.model.events import AlertDelivered, Event
from joed.model.settings import Alerts

QUEUE_MAX = 64
COMMANDS_MAX = 4
"""How many commands run at once."""
WORDS_CHARS_MAX = 4_000
COMPLAINT_BYTES_MAX = 2_000
OURS = ("CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_", "JOURNAL_STREAM", "INVOCATION_ID")
"""What of our environment is nobody else's: the way to credentials, and to the service manager in our name."""

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

    def reload(self, settings: Alerts) -> None:
        """Use these settings from the next alert on."""
        self._settings = settings

    def deliver(self, alert: RaiseAlert) -> None:
        """Log an alert and queue its command; never waits, never raises."""
        self._log.put(SEVERITY[alert.severity], "alert", {"key": alert.key, "words": alert.words})
        if not self._settings.command:
            return
        try:
            self._queue.put_nowait(alert)
        except asyncio.QueueFull:
            self._ended(alert, "dropped", f"{QUEUE_MAX} alerts are waiting")

    async def run(self) -> None:
        """Run commands until cancelled; what runs then is ended."""
        async with asyncio.TaskGroup() as group:
            for _ in range(COMMANDS_MAX):
                group.create_task(self._serve())

    async def drain(self, timeout_s: float) -> bool:
        """Wait until all is delivered; False when the time is over first."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._queue.join()
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
        with _complaints() as complaints:
            try:
                process = await asyncio.create_subprocess_exec(
                    *settings.command,
                    alert.severity,
                    spoken(alert.words),
                    stdin=DEVNULL,
                    stdout=DEVNULL,
                    stderr=complaints,
                    env=environment(),
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:  # ValueError: a NUL in the settings' own words
                return f"cannot be started: {getattr(error, 'strerror', None) or error}"
            code = await _code(process, settings.timeout_s)
            if code is None:
                return f"did not end within {settings.timeout_s:g} s"
            return _reason(code, os.pread(complaints, COMPLAINT_BYTES_MAX, 0).rstrip(b"\0"))

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


def environment() -> dict[str, str]:
    """Give our environment without what is nobody else's."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


@contextmanager
def _complaints() -> Iterator[int]:
    """Give a file in memory for a command's standard error: no pipe that fills, or that its children keep open.

    It cannot grow; a command that complains more is told that it may not.
    """
    descriptor = os.memfd_create("alert", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, COMPLAINT_BYTES_MAX)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
        yield descriptor
    finally:
        os.close(descriptor)


async def _code(process: Process, timeout_s: float) -> int | None:
    """Wait for a command's end and give its status, None when its time was over; it never outlives this call."""
    try:
        async with asyncio.timeout(timeout_s):
            return await process.wait()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _reason(code: int, complaint: bytes) -> str:
    """Say how a command failed, with the last line of its complaint; "" where it did not."""
    if code == 0:
        return ""
    how = f"ended with status {code}" if code > 0 else f"was ended by signal {-code}"
    lines = complaint.decode(errors="replace").split("\n")
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"{how}: {said}" if said else how
