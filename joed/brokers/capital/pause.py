"""Waiting by joed's clock: an accelerated day waits as many of its own seconds as a live one."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from joed.brokers.base import Clock
from joed.model.values import SECOND


async def pause(clock: Clock, seconds: float) -> None:
    """Wait so many of the clock's seconds."""
    woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not woken.done():
            woken.set_result(None)

    clock.call_at(clock.now() + round(seconds * SECOND), wake)
    await woken


async def pause_or(event: asyncio.Event, clock: Clock, seconds: float) -> None:
    """Wait for an event, for so many of the clock's seconds at most."""
    if event.is_set():
        return
    waits = True

    def end() -> None:
        if waits:
            limit.reschedule(0.0)  # a time that has passed: now

    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as limit:
                clock.call_at(clock.now() + round(seconds * SECOND), end)
                await event.wait()
    finally:
        waits = False


class Patience:
    """How long something may wait to begin: until a time of the clock, or until it is called off; then TimeoutError.

    Once it has begun nothing ends it. Both are said in one synchronous block each, so one of them is first.
    """

    def __init__(self, clock: Clock, until_ns: int) -> None:
        """Wait until then; 0 sets no time."""
        self.begun = False
        self.words = ""
        """Why it is over before it began, "" while it is not."""
        self._clock = clock
        self._until_ns = until_ns
        self._limit = asyncio.timeout(None)
        self._done = False

    async def __aenter__(self) -> Self:
        """Begin to wait."""
        await self._limit.__aenter__()
        if self._until_ns:
            self._clock.call_at(self._until_ns, lambda: self.end("expired"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait no more, whatever it came to."""
        self._done = True
        await self._limit.__aexit__(kind, error, trace)

    def begin(self) -> str:
        """Begin, and give ""; or why it is too late."""
        self.begun = not self.words
        return self.words

    def end(self, words: str) -> None:
        """Call it off, unless it has begun or is over."""
        if not self.begun and not self.words and not self._done:
            self.words = words
            self._limit.reschedule(0.0)  # a time that has passed: now
