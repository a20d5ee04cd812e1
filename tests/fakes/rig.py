"""What the tests of the fake TWS share: a market of two stocks and VIX, a TWS on loopback, and an ib_insync client.

`settle` is how a test waits: the answer to a question comes behind everything that the TWS sent before it.
"""

import asyncio
import importlib
import os
import random
from contextlib import asynccontextmanager
from decimal import Decimal

from joed.daemon.clock import RealClock
from joed.model.events import Quote
from joed.model.settings import Instrument, Paper
from joed.model.values import SECOND
from joed.sim.odd import OddExchange
from tests.brokers.rigs import START_NS, OwnClock
from tests.fakes.tws import FakeTws

UNIVERSE = {name: Instrument(name) for name in ("AAPL", "MSFT")} | {
    "VIX": Instrument("VIX", kind="index", tradable=False)
}
PAPER = Paper(partial_share=0.0, slippage=Decimal(0), fee_min=Decimal("1.00"))
CLIENT = 17
lib = importlib.import_module(os.environ.get("JOED_IB_LIBRARY", "ib_insync"))
"""The client's library: ib_insync, or ib_async in the environment that has it."""


def exchange_of(instruments=None):
    """Give an exchange, odd where it is told to be, with AAPL and MSFT to trade, and VIX to look at."""
    return OddExchange(instruments or UNIVERSE, PAPER, random.Random(7), "tws")


@asynccontextmanager
async def house(clock=None, **options):
    """Give a TWS on a port of its own, where AAPL stands at 99.90 to 100.00, by real time or a clock of the test's."""
    tws = FakeTws(exchange_of(), clock or RealClock(), **options)
    await tws.listen()
    tws.quote(Quote("AAPL", 99.9, 100.0, 99.95, 1000.0))
    try:
        yield tws
    finally:
        tws.stop()


@asynccontextmanager
async def client(tws, client_id=CLIENT, **options):
    """Give a client that is connected and synchronised."""
    ib = lib.IB()
    await ib.connectAsync("127.0.0.1", tws.port, clientId=client_id, timeout=10, **options)
    try:
        yield ib
    finally:
        ib.disconnect()


@asynccontextmanager
async def desk(**options):
    """Give a TWS, a client of it and AAPL as the client knows it."""
    async with house(**options) as tws, client(tws) as ib:
        (contract,) = await ib.qualifyContractsAsync(lib.Stock("AAPL", "SMART", "USD"))
        yield tws, ib, contract


def still():
    """Give a clock that stands until a test lets it go on (`pass_s`)."""
    return OwnClock(START_NS)


async def pass_s(tws, ib, seconds):
    """Let so many seconds pass at the TWS, and what is due arrive."""
    tws.clock.pass_to(tws.clock.now() + int(seconds * SECOND))
    if ib.isConnected():
        await settle(ib)


async def settle(ib):
    """Wait until everything that was said so far has arrived, both ways."""
    for _ in range(2):
        await ib.reqCurrentTimeAsync()


def bracket(ib, ref="E1", quantity=10, level=100.0, stop=95.0, target=110.0):
    """Give a parent, its target and its stop, which transmits all three."""
    parent, take, protect = ib.bracketOrder("BUY", quantity, level, target, stop, tif="GTC")
    for order, name in ((parent, ref), (take, f"{ref}-T"), (protect, f"{ref}-S")):
        order.orderRef = name
    for order in (take, protect):
        order.ocaGroup, order.ocaType = f"{ref}-oca", 2
    return parent, take, protect


async def traded(ib, contract, orders):
    """Place orders, let their words arrive, and give their trades."""
    trades = [ib.placeOrder(contract, order) for order in orders]
    await settle(ib)
    return trades


def errors_of(ib):
    """Collect what is said as errors from here on: request, code."""
    found = []
    ib.errorEvent += lambda request, code, words, contract: found.append((request, code))
    return found


async def ended(ib):
    """Wait until the client knows that its connection is gone."""
    done = asyncio.get_running_loop().create_future()
    ib.disconnectedEvent += lambda: done.done() or done.set_result(None)
    if ib.isConnected():
        await asyncio.wait_for(done, 10)
