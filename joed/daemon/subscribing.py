"""Which instruments each broker streams, most needed first: what is held, fear and the index, the watchlist, the rest.

A broker serves so many lines; where the universe is longer than that, the order decides who has one.
"""

import asyncio
from collections.abc import Mapping

from joed.brokers.base import Broker, Clock
from joed.model.state import State
from joed.model.values import SECOND


def wanted(state: State, broker: str) -> tuple[str, ...]:
    """Give a broker's instruments in the order of their need; each once."""
    settings = state.settings
    held = [name for name, position in state.positions.items() if position.quantity and position.broker == broker]
    pending = [order.instrument for order in state.orders.values() if order.live and order.broker == broker]
    first = [settings.vix.instrument, settings.index]
    watched = [row.instrument for row in state.watchlist]
    named = {name: row for name, row in settings.universe.items() if row.broker == broker}
    theirs = [name for name in (*first, *watched, *named) if name in named]
    return tuple(dict.fromkeys((*held, *pending, *theirs)))


class Subscriber:
    """One task of the daemon: looks each second, and tells a broker where what is wanted is not what it was told."""

    def __init__(self, brokers: Mapping[str, Broker], state: State, clock: Clock) -> None:
        """Serve these brokers; `state` is only read."""
        self._brokers, self._state, self._clock = brokers, state, clock
        self._told: dict[str, tuple[str, ...]] = {}

    def look(self) -> None:
        """Tell each broker what has changed."""
        for name, broker in self._brokers.items():
            names = wanted(self._state, name)
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
