"""A hand at the exchange: a client of its process that does what joed did not, and reads what is there."""

import asyncio

from joed.brokers.paper_remote import RemotePaperBroker, read_hello
from joed.daemon.clock import RealClock
from joed.model import ids
from joed.model.commands import ReadBroker, SubmitOrder
from joed.model.events import BrokerRead, Quote
from joed.model.values import Kind, Leg, Side


class Hand:
    """A link to the exchange of a state directory; `async with` holds it."""

    def __init__(self, where):
        self.where = where
        self.heard = []
        self.news = asyncio.Event()
        hello = read_hello(where.exchange)
        clock = RealClock(hello.origin_ns, hello.speed, hello.base_ns)
        self.broker = RemotePaperBroker("paper", where.exchange, clock, self.hear)

    def hear(self, event):
        """Keep what is said."""
        self.heard.append(event)
        self.news.set()

    async def __aenter__(self):
        self.task = asyncio.create_task(self.broker.run())
        await self.until(lambda: self.broker.up)
        return self

    async def __aexit__(self, *_):
        self.broker.stop()
        await self.task

    async def until(self, holds):
        """Wait until it holds, and give it."""
        async with asyncio.timeout(30):
            while not (found := holds()):
                self.news.clear()
                await self.news.wait()
        return found

    async def read(self):
        """Give the whole book."""
        self.heard = [event for event in self.heard if not isinstance(event, BrokerRead)]
        self.broker.read(ReadBroker("paper", "test"))
        return await self.until(lambda: next((e for e in self.heard if isinstance(e, BrokerRead)), None))

    async def price(self, instrument):
        """Give a bid."""
        found = await self.until(
            lambda: next((e for e in self.heard if isinstance(e, Quote) and e.instrument == instrument), None)
        )
        return found.bid


def entry(key, instrument, quantity, level, stop, begun="j1-20260901-1-999999.0"):
    """Give an entry with its stop, as joed would have sent it."""
    order = ids.made(key, begun, Leg.ENTRY)
    return SubmitOrder(
        order, "paper", instrument, Side.BUY, quantity, Kind.LIMIT, Leg.ENTRY, True,
        level=level, stop_order=ids.made(key, begun, Leg.STOP), stop=stop, group=order, signal=order,
    )  # fmt: skip
