"""What each broker is asked to stream, told again whenever it changes.

A broker serves so many lines; where the universe is longer than that, the order of need decides who has one.
"""

import asyncio
from collections.abc import Mapping

from joed.brokers.base import Broker, Clock
from joed.engine.subjects import held_or_watched
from joed.model.state import State
from joed.model.values import SECOND


class Subscriber:
    """One task of the daemon: looks each second, and tells a broker where what is wanted is not what it was told."""

    def __init__(self, brokers: Mapping[str, Broker], state: State, clock: Clock) -> None:
        """Serve these brokers; `state` is only read."""
        self._brokers, self._state, self._clock = brokers, state, clock
        self._told: dict[str, tuple[str, ...]] = {}

    def look(self) -> None:
        """Tell each broker what has changed."""
        for name, broker in self._brokers.items():
            names = held_or_watched(self._state, name)
            if names != self._told.get(name):
                self._told[name] = names
                broker.subscribe(names)

    async def run(self) -> None:
        """Look each second of the clock, until cancelled."""
        while True:
            self.look()
            now, arrived = self._clock.now(), asyncio.Event()
            self._clock.call_at(now - now % SECOND + SECOND, arrived.set)
            await arrived.wait()
