"""What each broker is asked to stream."""

import asyncio
from contextlib import suppress

from joed.daemon.clock import SimulatedClock
from joed.daemon.subscribing import Subscriber
from joed.model.events import Candidate
from joed.model.values import SECOND
from tests.engine.test_subjects import state_of


class Ear:
    """Notes what it is told to stream."""

    def __init__(self):
        self.told = []

    def subscribe(self, instruments):
        """Note it."""
        self.told.append(instruments)


async def test_a_broker_is_told_when_what_is_wanted_changes_and_only_then():
    """At once at the start, then within a second."""
    state, clock, ear = state_of(), SimulatedClock(SECOND), Ear()
    task = asyncio.create_task(Subscriber({"ibkr": ear}, state, clock).run())
    await asyncio.sleep(0)
    for _ in range(3):
        clock.advance()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert len(ear.told) == 1

    state.watchlist = (Candidate("AAPL", 1.0),)
    clock.advance()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    assert ear.told[1:] == [("KO", "VIX", "SPY", "AAPL", "MSFT")]
