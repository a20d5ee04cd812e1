"""Waiting by joed's clock: an accelerated day waits as many of its own seconds as a live one."""

import asyncio
from contextlib import suppress

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
