"""The end of orders that are not ours, for a kill of the whole account: TWS lets only their own client cancel them.

So joed comes as that client for a moment: as number 0 for what was made by hand in TWS, which hands those over, as
another program's number for its orders. Where that program is connected TWS refuses, and the next reading shows that
they live. An order of ours is never among them.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from joed.brokers.base import Clock
from joed.brokers.ibkr.pacer import Pacer, Urgency
from joed.brokers.ibkr.session import Session
from joed.errors import BrokerUnavailable
from joed.model.settings import Ibkr
from joed.model.values import SECOND

MANUAL = 0
"""The client that TWS gives the orders that were made by hand."""
WAITING_MAX = 100
PARTING_NS = SECOND // 2
"""How long the cancels have until joed leaves again."""

Ask = Callable[[], str]
"""Says why the cancels may not leave now, or "" where they may; asked at each write."""


class Sweep:
    """Visits to TWS under other clients' numbers, one after the other."""

    def __init__(self, settings: Ibkr, clock: Clock, on_failure: Callable[[str], None]) -> None:
        """Wait for something to do."""
        self._settings, self._clock, self._on_failure = settings, clock, on_failure
        self._visits: asyncio.Queue[tuple[int, frozenset[int], Ask] | None] = asyncio.Queue(WAITING_MAX)

    def add(self, client: int, perms: frozenset[int], ask: Ask) -> bool:
        """Cancel these orders of a client, by their permIds, as soon as it can be; False where too much waits."""
        with suppress(asyncio.QueueFull):
            self._visits.put_nowait((client, perms, ask))
            return True
        return False

    def stop(self) -> None:
        """Make no visit any more."""
        while not self._visits.empty():
            self._visits.get_nowait()
        self._visits.put_nowait(None)

    async def run(self, library: Any) -> None:
        """Make the visits, until `stop`."""
        while (visit := await self._visits.get()) is not None:
            client, perms, ask = visit
            try:
                await self._visit(library, client, perms, ask)
            except BrokerUnavailable as error:
                self._on_failure(f"orders of client {client} cannot be cancelled: {error}")

    async def _visit(self, library: Any, client: int, perms: frozenset[int], ask: Ask) -> None:
        """Come as this client, cancel what it has of these, and leave."""
        found: dict[int, int] = {}
        told = asyncio.Event()

        def take(number: int, _contract: Any, order: Any, _state: Any) -> None:
            if order.permId in perms and order.clientId == client:
                found[order.permId] = number

        def refuse(about: int, code: int, words: str, _advanced: str = "") -> None:
            if about <= 0 and code == IN_USE:
                session.end(f"{code}: {words}")

        session = Session(
            library,
            replace(self._settings, client_id=client),
            self._clock,
            Pacer(self._settings.messages_s, self._clock),
            {"openOrder": take, "openOrderEnd": told.set, "error": refuse},
            lambda: None,
            lambda _session, _reason: told.set(),
        )
        await session.open()
        try:
            session.send("reqOpenOrders")
            async with asyncio.timeout(self._settings.answer_s):
                await told.wait()
            await self._cancel(session, tuple(found.values()), ask)
        except TimeoutError:
            raise BrokerUnavailable(f"open orders not told within {self._settings.answer_s:g} s") from None
        finally:
            session.end("done")

    async def _cancel(self, session: Session, numbers: tuple[int, ...], ask: Ask) -> None:
        """Write the cancels, each with permission of its own, and let them arrive."""
        pacer = Pacer(self._settings.messages_s, self._clock)
        for number in numbers:
            while not pacer.take(Urgency.CANCEL):
                await self._pause()
            if session.ended or ask():
                return
            session.send("cancelOrder", number)
        await self._pause()

    async def _pause(self) -> None:
        passed = asyncio.Event()
        self._clock.call_at(self._clock.now() + PARTING_NS, passed.set)
        await passed.wait()


IN_USE = 326
