"""Each record told once, as soon as it is durable: how a demo shows its day."""

import asyncio
from collections.abc import Callable

from joed.daemon.desk import Desk
from joed.daemon.reads import Record

TELL_EVERY_S = 0.1
"""How long what becomes durable gathers, before it is told together."""
RECORDS_AT_ONCE = 10_000

Tell = Callable[[Record], None]
"""Hears each record once it is durable."""


class Teller:
    """Tells the records after the one that was durable when it was made."""

    def __init__(self, desk: Desk, tell: Callable[[Record], None]) -> None:
        """Read at this desk, and hand each record to `tell`."""
        self._desk = desk
        self._tell = tell
        self._told = desk.durable
        self._news = asyncio.Event()

    def notice(self) -> None:
        """Hear that something has become durable."""
        self._news.set()

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self.tell()
            await asyncio.sleep(TELL_EVERY_S)

    async def tell(self) -> None:
        """Tell what has become durable since the last time."""
        while found := await self._desk.records(self._told, RECORDS_AT_ONCE):
            for record in found:
                self._told = record.seq
                self._tell(record)


def both(first: Tell | None, second: Tell) -> Tell:
    """Give what hands each record to both: what is there already goes on hearing."""

    def tell(record: Record) -> None:
        if first is not None:
            first(record)
        second(record)

    return tell
