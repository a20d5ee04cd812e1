"""Interactive Brokers' wire: its bytes to the engine, and to an order's bytes, beside a program on the bare library.

Both sides are given the same bytes in the same pieces and write into the same transport; the kernel's part, which is
alike, is left out. The library's own brake on requests is off on both.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter_ns

from joed.brokers.ibkr import lib
from joed.brokers.ibkr.broker import IbkrBroker
from joed.brokers.ibkr.contracts import Listed
from joed.brokers.ibkr.frames import prefixed
from joed.brokers.ibkr.session import Session
from joed.model.events import OrderAccepted, OrderCancelled, Quote
from joed.model.settings import Ibkr, Instrument, Settings
from joed.model.values import HOUR
from tests.bench.measure import HIGHER, Row, Scale, frozen, interleaved, percentile
from tests.bench.orders import Firing, Immediate
from tests.bench.scene import OPEN_NS, names_of, quiet_quotes, quote_of

READ_BYTES = 1_400
"""What a busy socket gives at a time: a packet."""
ACCOUNT, CLIENT, VERSION = "DU1234567", 17, 176


def rows(scale: Scale, room: Path) -> Iterator[Row]:
    """Give the rows of the wire."""
    yield from asyncio.run(measured(scale, room))


async def measured(scale: Scale, room: Path) -> list[Row]:
    """Measure both roads on one loop."""
    library = lib.load("ib_insync")
    return [*quotes(scale, room, library), *orders(scale, room, library)]


def frame(*fields: object) -> bytes:
    """Give one message of TWS."""
    return prefixed("".join(f"{field}\0" for field in fields).encode())


def bytes_of(quote: Quote, request: int) -> bytes:
    """Give a quote as TWS tells it: each price with its size, and the size once more."""
    bid = frame(1, 6, request, 1, quote.bid, 100, 1) + frame(2, 6, request, 0, 100)
    return bid + frame(1, 6, request, 2, quote.ask, 200, 1) + frame(2, 6, request, 3, 200)


class Transport(asyncio.Transport):
    """Takes bytes, and keeps when."""

    def __init__(self) -> None:
        super().__init__()
        self.written_ns: list[int] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep when."""
        self.written_ns.append(perf_counter_ns())

    def get_write_buffer_size(self) -> int:
        """Hold nothing back."""
        return 0

    def abort(self) -> None:
        """Go."""

    write_eof = close = abort


class Ours:
    """The adapter before a house, connected without a socket, each instrument streamed."""

    def __init__(self, scale: Scale, room: Path, library) -> None:
        self.firing = Firing(scale, Immediate(), room, self.make)
        self.house = self.firing.house
        self.link = self.broker._link
        self.link.library = library
        self.transport = Transport()
        self.session = Session(
            library,
            Ibkr(),
            self.house.clock,
            self.link.pacer,
            self.link._listeners(),
            self.link.lines.flush,
            lambda _session, reason: print(reason),
        )
        self.session.connection_made(self.transport)
        self.session.client.MaxRequests = 0
        for message in ((VERSION, "20260901 09:30:00 EST"), (15, 1, ACCOUNT), (9, 1, 1)):
            self.session.data_received(frame(*message))
        self.session._ready = None
        lib.release(self.session.client)
        self.link.session, self.link.account, self.link.mode = self.session, ACCOUNT, "paper"
        self.link.orders.quiet, self.link.up = False, True
        self.link.lines.begin(self.session)
        self.requests = {name: self.stream(name, number, library) for number, name in enumerate(self.names, 1)}
        self.transport.written_ns.clear()

    def make(self, emit):
        """Give the adapter, which knows the scene's instruments."""
        self.names = names_of(500)
        self.emit = emit
        universe = {name: Instrument(name) for name in self.names}
        clock = StandingTime()
        self.broker = IbkrBroker("paper", Settings(account=ACCOUNT, universe=universe), clock, emit)
        return self.broker

    def stream(self, name: str, number: int, library) -> int:
        """Open one line, past the pacer, and give its number."""
        contract = library.Contract(conId=number, symbol=name, secType="STK", exchange="SMART", currency="USD")
        self.link.contracts.listed[name] = Listed(contract, number, 0, None, "", "", 0)
        lines = self.link.lines
        lines.wanted = (*lines.wanted, name)
        lines._open(name, 1)
        return lines.lines[name].request

    def answer(self) -> None:
        """Let TWS take the last order and end it, so that the scene is as before."""
        held = list(self.link.orders.by_ref.values())
        for one in held:
            one.ended = True
        entry = held[0].order
        self.link.orders.by_ref.clear()
        self.emit(OrderAccepted(entry, "1"))
        self.emit(OrderCancelled(entry))
        self.firing.settle()


class StandingTime:
    """A clock that stands still: nothing here waits."""

    simulated = True

    def now(self) -> int:
        """Give the scene's hour."""
        return OPEN_NS + HOUR

    def call_at(self, at_ns: int, callback) -> None:
        """Call nobody back."""


class Bare:
    """The library alone, with a ticker for each instrument and a listener on it."""

    def __init__(self, names: list[str], library) -> None:
        self.library = library
        self.ib = library.IB()
        client = self.ib.client
        client.MaxRequests = 0
        self.transport = client.conn.transport = Transport()
        lib.agree(client, VERSION)
        client.connState, client.clientId = client.CONNECTED, CLIENT
        client.updateReqId(1)
        lib.release(client)
        self.requests = {}
        self.last = {}
        for number, name in enumerate(names, 1):
            contract = library.Contract(conId=number, symbol=name, secType="STK", exchange="SMART", currency="USD")
            request = client.getReqId()
            ticker = self.ib.wrapper.startTicker(request, contract, "mktData")
            ticker.updateEvent += self.heard
            self.requests[name] = request
        self.fires = False

    def heard(self, ticker) -> None:
        """Keep the prices; where it is to fire, send a bracket."""
        self.last[ticker.contract.symbol] = (ticker.bid, ticker.ask)
        if self.fires:
            self.fires = False
            for order in self.ib.bracketOrder("BUY", 10, 104.5, 130.0, 96.0, tif="GTC", account=ACCOUNT):
                self.ib.placeOrder(ticker.contract, order)


def quotes(scale: Scale, room: Path, library) -> Iterator[Row]:
    """Time bytes to the engine's State, beside bytes to a listener of the library."""
    ours = Ours(scale, room, library)
    bare = Bare(ours.names, library)
    told = quiet_quotes(names_of(scale.instruments), scale.quotes // 4)
    data = b"".join(bytes_of(quote, ours.requests[quote.instrument]) for quote in told)
    same = b"".join(bytes_of(quote, bare.requests[quote.instrument]) for quote in told)

    def road() -> float:
        begun = perf_counter_ns()
        for at in range(0, len(data), READ_BYTES):
            ours.session.data_received(data[at : at + READ_BYTES])
            while ours.house.loop.drain():
                pass
        return len(told) / (perf_counter_ns() - begun) * 1e9

    def floor() -> float:
        begun = perf_counter_ns()
        for at in range(0, len(same), READ_BYTES):
            bare.ib.client._onSocketHasData(same[at : at + READ_BYTES])
        return len(told) / (perf_counter_ns() - begun) * 1e9

    with frozen():
        found = interleaved(scale.rounds, {"ours": road, "bare": floor})
    name = "quotes from TWS's bytes to the engine"
    yield Row(name, found["ours"], "quotes/s", None, HIGHER, found["bare"], 0.7)


def orders(scale: Scale, room: Path, library) -> Iterator[Row]:
    """Time a firing quote's bytes to the last byte of its bracket, beside a listener that sends one at once."""
    ours = Ours(scale, room, library)
    bare = Bare(ours.names, library)
    ours_us: list[float] = []
    bare_us: list[float] = []
    house = ours.house
    with frozen():
        for quote in ours.firing.quotes(scale.orders // 2):
            data = bytes_of(quote, ours.requests[quote.instrument])
            same = bytes_of(quote, bare.requests[quote.instrument])
            bare.ib.client._onSocketHasData(bytes_of(quote_of(quote.instrument, 0.0), bare.requests[quote.instrument]))
            bare.fires = True
            begun = perf_counter_ns()
            bare.ib.client._onSocketHasData(same)
            bare_us.append((bare.transport.written_ns[-1] - begun) / 1e3)
            ours.link.pacer._sent.clear()
            before = len(ours.transport.written_ns)
            begun = perf_counter_ns()
            ours.session.data_received(data)
            house.loop.drain()
            house.loop.release(house.loop.recorder.durable)
            assert len(ours.transport.written_ns) == before + 3
            ours_us.append((ours.transport.written_ns[-1] - begun) / 1e3)
            ours.answer()
    for share, budget, ratio in ((0.5, 110.0, 1.4), (0.99, 500.0, None)):
        name = f"quote's bytes to order's bytes, no commit, p{share:.0%}".rstrip("%")
        floor = percentile(bare_us, share)
        yield Row(name, percentile(ours_us, share), "us", budget, floor=floor, ratio_budget=ratio)
