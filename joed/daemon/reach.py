"""How a failsafe reaches a broker: its adapter without a daemon behind it, asked one question after the other."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import TypeVar

from joed.brokers.base import Broker, Clock, Emit
from joed.brokers.paper import PaperBroker
from joed.brokers.paper_remote import RemotePaperBroker, read_hello
from joed.brokers.paper_store import PaperStore
from joed.daemon.adapters import MAKERS, PAPER, make
from joed.daemon.clock import RealClock
from joed.daemon.credentials import Secrets
from joed.daemon.places import Places
from joed.errors import BrokerUnavailable
from joed.exchange import Exchange
from joed.model.commands import Command, ReadBroker, SubmitOrder
from joed.model.events import BrokerDown, BrokerRead, BrokerUp, Event
from joed.model.feeds import BrokerExamined
from joed.model.settings import Settings

T = TypeVar("T")
PROBE_S = 2.0
READINGS = 3
"""How often a book is asked for, within the time that a broker is given for each answer."""


def paper(name: str, settings: Settings, where: Places, emit: Emit) -> tuple[Broker, Clock]:
    """Give the paper account: its exchange's process where one serves, else the account's own file."""
    try:
        hello = read_hello(where.exchange, PROBE_S)
    except (BrokerUnavailable, OSError):
        if not where.paper.exists():
            raise BrokerUnavailable(f"there is no account in {where.paper}") from None
        clock = RealClock()
        exchange = Exchange(settings.universe, settings.paper, Random(0))  # noqa: S311 - a market's chance
        return PaperBroker(name, exchange, clock, emit, settings.paper, PaperStore(where.paper)), clock
    clock = RealClock(hello.origin_ns, hello.speed, hello.base_ns)
    return RemotePaperBroker(name, where.exchange, clock, emit), clock


def real(name: str, settings: Settings, where: Places, emit: Emit) -> tuple[Broker, Clock]:
    """Give the daemon's own adapter: the same client id and account, for the daemon that held them is dead."""
    clock = RealClock()
    return make(name, settings, clock, emit, MAKERS[name].credentials(Secrets.of()), where.root), clock


Adapter = Callable[[str, Settings, Places, Emit], tuple[Broker, Clock]]
ADAPTERS: dict[str, Adapter] = {PAPER: paper, **dict.fromkeys(MAKERS, real)}
"""How each broker is reached without a daemon."""


def permit(command: Command) -> str:
    """Let out what can only reduce; a failsafe opens nothing."""
    return "a failsafe opens nothing" if isinstance(command, SubmitOrder) and command.opens else ""


class Link:
    """One broker; `up` is its greeting while the link holds."""

    def __init__(self, name: str, settings: Settings, where: Places) -> None:
        """Reach this broker; raise BrokerUnavailable where there is no way to it."""
        if name not in ADAPTERS:
            raise BrokerUnavailable(f"this joed has no way to it; there is: {', '.join(ADAPTERS)}")
        self.name = name
        self.up: BrokerUp | None = None
        self._words = "it does not answer"
        self._wait_s = settings.failsafe.broker_wait_s
        self._news = asyncio.Event()
        self._seen: BrokerRead | None = None
        self.broker, self.clock = ADAPTERS[name](name, settings, where, self._hear)

    def _hear(self, event: Event) -> None:
        """Keep what an answer is made of; words on single orders are left to the next reading."""
        match event:
            case BrokerUp():
                self.up = event
            case BrokerDown():
                self.up, self._words = None, event.reason
            case BrokerExamined(ok=False):
                self._words = event.words  # refused credentials, a certificate: why there is no answer
            case BrokerRead(complete=True):
                self._seen = event
            case _:
                return
        self._news.set()

    async def connect(self) -> BrokerUp:
        """Connect and give the greeting; raise BrokerUnavailable where none comes in time."""
        self.broker.subscribe(())
        self.broker.start()
        found = await self._until(lambda: self.up, self._wait_s)
        if found is None:
            raise BrokerUnavailable(self._words)
        return found

    async def read(self) -> BrokerRead:
        """Give the whole book as it is now; raise BrokerUnavailable where it does not come in time."""
        for _ in range(READINGS):
            self._seen = None
            self.broker.read(ReadBroker(self.name, "failsafe"))
            found = await self._until(lambda: self._seen, self._wait_s / READINGS)
            if found is not None:
                return found
        raise BrokerUnavailable(f"its book cannot be read: {self._words}")

    async def _until(self, answer: Callable[[], T | None], wait_s: float) -> T | None:
        """Wait for an answer, None where the time is over first."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while answer() is None:
                    self._news.clear()
                    await self._news.wait()
        return answer()
