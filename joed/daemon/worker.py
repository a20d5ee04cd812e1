"""The daemon's side of its one thinking process: bars and runs go out, answers come back, whatever becomes of it.

The child starts with `serve`, and anew for the next run after it died or ran over its deadline, RESPAWNS_MAX times
within RESPAWN_WINDOW_S; beyond that each run fails at once. Nothing here imports numpy: that memory is the child's.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

import joed
from joed.daemon.job_context import JobContext
from joed.daemon.worker_wire import FROM_CHILD, LENGTH_BYTES, Daily, Filled, Message, Minutes, Run, frame, length_of
from joed.model.commands import RunJob
from joed.model.events import Event, JobFailed
from joed.model.values import SECOND, Bar

RESPAWNS_MAX = 5
RESPAWN_WINDOW_S = 600.0
WAITING_MAX = 16
FRAMES_MAX = 4096
"""Messages of bars kept until an answer proves that the child had them."""
DELIVERY_S = 30.0
STOP_S = 2.0
PROGRAM = ("-P", "-m", "joed.daemon.worker_main")
PRIVATE = {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID", "CREDENTIALS_DIRECTORY"}
"""What systemd tells the daemon and no strategy needs to know."""

LOST = (OSError, EOFError, ValueError, msgspec.MsgspecError)
"""What a dead, silent or babbling child looks like from here."""


class Waiting(NamedTuple):
    """A run that is to be done, and who wants to know."""

    command: RunJob
    context: JobContext
    done: Callable[[Event], None]


class Worker:
    """One spawned process that thinks; `bars`, `daily` and `run` only take note, `serve` carries out."""

    def __init__(self, cache: Path | None, memory_mb: int, program: Sequence[str] = PROGRAM) -> None:
        """Keep bars at `cache` across children and restarts; `program` is what Python is started with."""
        self.lost_frames = 0
        self._arguments = (*program, str(cache or ""), str(memory_mb))
        self._process: Process | None = None
        self._waiting: deque[Waiting] = deque()
        self._frames: deque[bytes] = deque()
        self._sent = 0
        self._wake = asyncio.Event()
        self._respawns = 0

    @property
    def pid(self) -> int | None:
        """Give the child's process id while it lives."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def bars(self, bars: Sequence[Bar]) -> None:
        """Send completed minute bars, each instrument's oldest first."""
        if bars:
            self._post(Minutes(tuple(bars)))

    def daily(self, instrument: str, bars: Sequence[Bar]) -> None:
        """Send an instrument's whole daily history, oldest first."""
        self._post(Daily(instrument, tuple(bars)))

    def fill(self, bars: Sequence[Bar]) -> None:
        """Send minute bars of the past, each instrument's oldest first, in place of what is there of these minutes."""
        if bars:
            self._post(Filled(tuple(bars)))

    def run(self, command: RunJob, context: JobContext, done: Callable[[Event], None]) -> None:
        """Have a job done; `done` gets its answer or JobFailed, once, unless `serve` is cancelled first."""
        if len(self._waiting) >= WAITING_MAX:
            done(failed(command, f"{WAITING_MAX} jobs are waiting already"))
            return
        self._waiting.append(Waiting(command, context, done))
        self._wake.set()

    def _post(self, message: Message) -> None:
        """Put a message in line; the oldest gives way when too many wait for an answer's proof."""
        if len(self._frames) >= FRAMES_MAX:
            self._frames.popleft()
            self.lost_frames += not self._sent
            self._sent = max(0, self._sent - 1)
        self._frames.append(frame(message))
        self._wake.set()

    async def serve(self) -> None:
        """Start the child and carry out, until cancelled; the child is gone when this ends."""
        try:
            await self._spawn()
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._deliver()
                while self._waiting:
                    waiting = self._waiting.popleft()
                    waiting.done(await self._answer(waiting.command, waiting.context))
        finally:
            await self._end(STOP_S)

    async def _answer(self, command: RunJob, context: JobContext) -> Event:
        """Give a job's answer, or why there is none."""
        if self.pid is None and not await self._respawn():
            return failed(command, f"the worker was lost {RESPAWNS_MAX} times within {RESPAWN_WINDOW_S:.0f} s")
        await self._deliver()
        allowed_s = max(0.0, (command.deadline_ns - context.now_ns) / SECOND)
        try:
            async with asyncio.timeout(allowed_s):
                await self._write(frame(Run(command, context, allowed_s)))
                event = FROM_CHILD.decode(await self._read())
        except TimeoutError:
            await self._end(0.0)
            return failed(command, f"ran over its {allowed_s:g} s")
        except LOST as error:
            return failed(command, f"the worker was lost, exit {await self._end(STOP_S)} ({type(error).__name__})")
        for _ in range(self._sent):
            self._frames.popleft()
        self._sent = 0
        return event

    async def _deliver(self) -> None:
        """Send the bars in line to a living child; a dead one's successor gets them with the next run."""
        if self.pid is None:
            return
        try:
            async with asyncio.timeout(DELIVERY_S):
                while self._sent < len(self._frames):
                    data = self._frames[self._sent]
                    self._sent += 1
                    await self._write(data)
        except LOST:
            await self._end(STOP_S)

    async def _respawn(self) -> bool:
        """Start another child; say False when that was too often, or cannot be done."""
        if self._respawns >= RESPAWNS_MAX:
            return False
        self._respawns += 1
        asyncio.get_running_loop().call_later(RESPAWN_WINDOW_S, self._forgive)
        await self._end(STOP_S)
        return await self._spawn()

    def _forgive(self) -> None:
        """Forget one respawn."""
        self._respawns -= 1

    async def _spawn(self) -> bool:
        """Start a child that knows nothing yet beyond its cache; say False when the system refuses."""
        self._sent = 0
        root = str(Path(joed.__file__).parent.parent)
        env = {name: value for name, value in os.environ.items() if name not in PRIVATE}
        env["PYTHONPATH"] = os.pathsep.join(filter(None, (root, env.get("PYTHONPATH"))))
        env["OPENBLAS_NUM_THREADS"] = "1"  # each of its threads would take address space from the budget
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *self._arguments, stdin=PIPE, stdout=PIPE, env=env
            )
        except OSError:
            return False
        return True

    async def _end(self, patience_s: float) -> int | None:
        """End the child, by the end of its pipe within `patience_s`, else by force; give its exit status.

        A child that is dying needs patience too: to kill what has just ended makes asyncio lose its status.
        """
        process, self._process = self._process, None
        if process is None:
            return None
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(patience_s):
                return await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):  # it ended by itself just now
                process.kill()
            return await process.wait()

    async def _write(self, data: bytes) -> None:
        """Write a frame and wait until the pipe has room again."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def _read(self) -> bytes:
        """Read one frame."""
        assert self._process is not None
        assert self._process.stdout is not None
        return await self._process.stdout.readexactly(length_of(await self._process.stdout.readexactly(LENGTH_BYTES)))


def failed(command: RunJob, reason: str) -> JobFailed:
    """Give the answer of a job that has none."""
    return JobFailed(command.job, command.run, reason)
