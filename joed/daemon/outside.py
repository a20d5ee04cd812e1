"""Readings of the crypto market from outside sources: fetched by the daemon, held to limits, handed to the worker.

The network is the daemon's; the worker gets numbers. A source that is down, slow or lying leaves the last good reading
with its age; when that is too old there is none, and the reading is said to be unknown.
"""

import asyncio
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from msgspec.structs import replace

from joed.daemon.clock import Clock
from joed.daemon.job_context import JobContext
from joed.daemon.log import Log
from joed.daemon.trading import Worker
from joed.model.commands import RunJob
from joed.model.events import Event
from joed.model.thinking import SOURCES, Crypto, Source
from joed.model.values import SECOND

ANSWER_BYTES_MAX = 1 << 20
JOB = "crypto"
LYING = (aiohttp.ClientError, OSError, ValueError, TimeoutError)

Reading = tuple[int, float]
"""When a number was read (ns, the daemon's time), and the number."""


async def fetched(source: Source, timeout_s: float) -> float:
    """Give a source's number; raise one of LYING, with words, where there is none that can be believed."""
    async with (
        asyncio.timeout(timeout_s),
        aiohttp.ClientSession(trust_env=False) as session,
        session.get(source.url, allow_redirects=False) as response,
    ):
        if response.status != 200:
            raise ValueError(f"status {response.status}")
        body = b""
        async for part in response.content.iter_chunked(1 << 16):
            body += part
            if len(body) > ANSWER_BYTES_MAX:
                raise ValueError(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
    return number_at(json.loads(body), source)


def number_at(body: Any, source: Source) -> float:  # noqa: ANN401 - whatever a source sends
    """Give the number at a source's path; raise ValueError where there is none within its range."""
    found = body
    for step in source.path.split("."):
        try:
            found = found[int(step)] if isinstance(found, list) else found[step]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ValueError(f"nothing at {source.path}") from error
    try:
        value = float(found)
    except (TypeError, ValueError) as error:
        raise ValueError(f"no number at {source.path}") from error
    if not (math.isfinite(value) and source.low <= value <= source.high):
        raise ValueError(f"{value:g} is not between {source.low:g} and {source.high:g}")
    return value


def place_of(name: str, own: Source) -> Source:
    """Give where a reading comes from: a person's own place, else the built-in one."""
    return own if own.url else SOURCES[name]


class Outside:
    """A worker that knows what the sources said last; everything else it hands on to the one behind it."""

    def __init__(self, worker: Worker, rules: Crypto, clock: Clock, cache: Path, log: Log) -> None:
        """Stand before this worker, with the readings that the cache still has."""
        self._worker, self._rules, self._clock, self._cache, self._log = worker, rules, clock, cache, log
        self.bars = worker.bars
        self.readings: dict[str, Reading] = kept(cache)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the worker's own
        return getattr(self._worker, name)

    def run(self, command: RunJob, context: JobContext, done: Callable[[Event], None]) -> None:
        """Run a job; the crypto job's context has the readings that are young enough."""
        if command.job == JOB:
            young = self.young()
            context = replace(context, outside=young, outside_ns={name: self.readings[name][0] for name in young})
        self._worker.run(command, context, done)

    def young(self) -> dict[str, float]:
        """Give the readings that are not too old."""
        oldest = self._clock.now() - int(self._rules.stale_s * SECOND)
        return {name: value for name, (at_ns, value) in self.readings.items() if at_ns >= oldest}

    async def serve(self) -> None:
        """Ask each source again and again, until cancelled."""
        while True:
            await self.ask()
            await asyncio.sleep(self._rules.every_s)

    async def ask(self) -> None:
        """Ask each source once; what fails keeps its last reading, and is told."""
        for name, own in self._rules.sources.items():
            source = place_of(name, own)
            try:
                self.readings[name] = (self._clock.now(), await fetched(source, self._rules.timeout_s))
            except LYING as error:
                last = self.readings.get(name)
                age_s = None if last is None else (self._clock.now() - last[0]) // SECOND
                words = f"{type(error).__name__}: {error}"[:200]
                self._log.warning("source_failed", reading=name, reason=words, last_good_s=age_s)
        await asyncio.to_thread(keep, self._cache, dict(self.readings))


def kept(cache: Path) -> dict[str, Reading]:
    """Give the readings of a cache; none where it is absent or no longer makes sense."""
    try:
        found = json.loads(cache.read_text("utf-8"))
        return {str(name): (int(at_ns), float(value)) for name, (at_ns, value) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def keep(cache: Path, readings: dict[str, Reading]) -> None:
    """Write the readings whole or not at all; a full disk loses a cache and nothing else."""
    fresh = cache.with_name(f".{cache.name}")
    try:
        fresh.write_text(json.dumps(readings), "utf-8")
        fresh.replace(cache)
    except OSError:
        fresh.unlink(missing_ok=True)
