"""One visit to the brokers without a daemon: connect, learn the past, leave. Nothing is sent but questions."""

import asyncio
from collections.abc import Mapping
from typing import Any

from joed.brokers.base import Clock, Historian
from joed.daemon.adapters import make
from joed.daemon.backfill import sift
from joed.daemon.worker_main import InlineWorker
from joed.engine import sessions
from joed.errors import BadMessage, BrokerUnavailable
from joed.model.events import BrokerDown, BrokerUp, Event
from joed.model.feeds import BrokerExamined, InstrumentSetAside
from joed.model.settings import Instrument
from joed.model.state import State
from joed.model.values import MINUTE

PAUSES_S = (1.0, 2.0, 3.0, 0.0)
"""How long before what did not come is asked for again; after the last it is missing."""


class Visit:
    """A connection to each of the brokers that the settings name, for as long as the questions take."""

    def __init__(self, state: State, worker: InlineWorker, clock: Clock) -> None:
        """Teach this worker what is asked for the instruments of these settings."""
        self._state, self._worker, self._clock = state, worker, clock
        self._missing: list[str] = []

    async def run(self, credentials: Mapping[str, Any]) -> list[str]:
        """Visit all, and give in words what could not be learned; raise BrokerUnavailable where none answers."""
        names = self._state.settings.brokers
        answered = await asyncio.gather(*(self._one(name, credentials[name]) for name in names))
        if not any(answered):
            raise BrokerUnavailable("; ".join(self._missing))
        return self._missing

    async def _one(self, name: str, credentials: object) -> bool:
        """Visit one broker; say whether it answered."""
        up = asyncio.Event()
        reason = "it does not answer"

        def hear(event: Event) -> None:
            nonlocal reason
            match event:
                case BrokerUp():
                    up.set()
                case BrokerDown():
                    reason = event.reason
                case BrokerExamined(ok=False):
                    reason = event.words
                case InstrumentSetAside():
                    self._missing.append(f"{name}: {event.instrument}: {event.words}")

        settings = self._state.settings
        broker = make(name, settings, self._clock, hear, credentials, None)
        rows = [row for row in settings.universe.values() if row.broker == name]
        broker.subscribe(tuple(row.symbol for row in rows))
        broker.start()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(broker.run())
            try:
                async with asyncio.timeout(settings.failsafe.broker_wait_s):
                    await up.wait()
                if isinstance(broker, Historian):
                    await self._learn_all(broker, rows)
            except TimeoutError:
                self._missing.append(f"{name}: {reason}")
            finally:
                broker.stop()
                running.cancel()
        return up.is_set()

    async def _learn_all(self, broker: Historian, rows: list[Instrument]) -> None:
        """Ask for every instrument, and again for what did not come: a new link looks its contracts up first."""
        missing = {row.symbol: "" for row in rows}
        for pause_s in PAUSES_S:
            for row in rows:
                if row.symbol in missing and not (said := await self._learn(broker, row)):
                    del missing[row.symbol]
                elif row.symbol in missing:
                    missing[row.symbol] = said
            if not missing:
                return
            await asyncio.sleep(pause_s)
        self._missing += [f"{broker.name}: no history of {symbol}: {why}" for symbol, why in missing.items()]

    async def _learn(self, broker: Historian, row: Instrument) -> str:
        """Ask for one instrument's days and this session's minutes; give why they did not come, or ""."""
        history, now = self._state.settings.history, self._clock.now()
        open_ns = sessions.session_at(self._state.calendars[row.calendar], now).open_ns
        try:
            async with asyncio.timeout(history.wait_s):
                days, _ = sift(row.symbol, await broker.daily(row.symbol, history.days), now)
                minutes = await broker.minutes(row.symbol, open_ns) if open_ns + MINUTE <= now else ()
        except (BrokerUnavailable, BadMessage, TimeoutError) as error:
            return str(error) or "no answer in time"
        self._worker.daily(row.symbol, days)
        self._worker.fill(sift(row.symbol, minutes, now - MINUTE)[0])
        return ""
