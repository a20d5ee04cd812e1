"""Capital.com's adapter: quotes from a loopback WebSocket to the engine, and an order's way from its hand-over out.

The floor of the first is a bare websockets client that decodes each frame with msgspec; both read the same server, a
process of its own. The orders go to the fake, another process, over a ledger on this disk; their floor, measured
between them, is a few hundred bytes synced, and a bare aiohttp POST to the same service up to the same moment.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, perf_counter_ns
from typing import NamedTuple

import aiohttp
import msgspec
from websockets.asyncio.client import connect

from joed.brokers.capital.broker import CapitalBroker
from joed.brokers.capital.feed import Feed
from joed.brokers.capital.limiter import Limiter
from joed.brokers.capital.session import Credentials
from joed.daemon.clock import RealClock
from joed.engine.step import step
from joed.model.events import BrokerUp, Quote
from joed.model.settings import Capital, Instrument, Settings
from tests.bench.measure import HIGHER, Row, Scale
from tests.bench.scene import scene
from tests.brokers.rigs import bracket

ROOT = Path(__file__).resolve().parents[2]
NAMES = [f"S{number:04}" for number in range(40)]
RATE_MIN, RATE_SHARE = 20_000, 0.5
P50_MS, P99_MS, LEAVES_RATIO = 1.5, 8.0, 3.0
ORDERS = 40
ROW_BYTES = 600
PAUSE_S = 1.5
"""Between two orders: with less the account's budget of requests would be measured."""
UP_S = 20.0


class Payload(msgspec.Struct):
    """What the bare client reads of a quote."""

    epic: str
    bid: float
    ofr: float


class Push(msgspec.Struct):
    """What the bare client reads of a frame."""

    destination: str
    payload: Payload


class Tokens(NamedTuple):
    """What the stream needs of a login."""

    client: str = "c"
    account: str = "a"
    stream_host: str = ""


class Login:
    """A session that is always good: the stream is measured, not the login."""

    tokens = Tokens()

    async def active(self, lane) -> None:
        """Be active."""

    async def ensure(self) -> None:
        """Be young."""


def rows(scale: Scale, room: Path) -> Iterator[Row]:
    """Measure both."""
    with flood(scale.quotes) as port:
        ours, bare = [], []
        for _ in range(scale.rounds):
            bare.append(asyncio.run(bare_rate(port, scale.quotes)))
            ours.append(asyncio.run(our_rate(port, scale.quotes)))
    rate, floor = median(ours), median(bare)
    yield Row("Capital.com: stream to engine", rate, "quotes/s", RATE_MIN, HIGHER, floor, RATE_SHARE)
    ours, bare = asyncio.run(orders(room, min(ORDERS, scale.orders // 20)))
    for name, of, budget, most in (("p50", median, P50_MS, LEAVES_RATIO), ("p99", highest, P99_MS, None)):
        yield Row(f"Capital.com: order leaves, {name}", of(ours), "ms", budget, floor=of(bare), ratio_budget=most)


def highest(took_ms: list[float]) -> float:
    """Give the 99th percentile of what was seen: of fewer than a hundred orders it is close to the slowest."""
    return quantiles(took_ms, n=100, method="inclusive")[98]


@contextmanager
def child(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Run one of our own programs beside this one."""
    command = [sys.executable, "-m", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def flood(count: int) -> Iterator[int]:
    """Serve `count` quotes to each client that subscribes, as fast as it takes them; give the port."""
    with child("tests.bench.capital_flood", str(count)) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


async def bare_rate(port: int, count: int) -> float:
    """Give the frames a second that a bare client decodes."""
    decoder = msgspec.json.Decoder(Push)
    async with connect(f"ws://127.0.0.1:{port}/connect", compression=None, proxy=None) as socket:
        await socket.send('{"destination":"marketData.subscribe"}')
        seen, begun = 0, perf_counter()
        async for frame in socket:
            decoder.decode(frame)
            seen += 1
            if seen == count:
                break
        return seen / (perf_counter() - begun)


async def our_rate(port: int, count: int) -> float:
    """Give the quotes a second that come through the adapter into the engine's step."""
    clock, state, done = RealClock(), scene(len(NAMES), held=0, triggers=0), asyncio.Event()
    seen, now = [0, 0.0], state.now
    settings = Settings(
        universe={name: Instrument(name, broker="capital") for name in NAMES},
        capital=Capital(stream_url=f"ws://127.0.0.1:{port}"),
    )

    def take(event) -> None:
        if isinstance(event, Quote):
            seen[1] = seen[1] or perf_counter()
            step(state, now, event)
            seen[0] += 1
            if seen[0] == count:
                done.set()

    feed = Feed("capital", settings, clock, Login(), Limiter(clock, 8), take)
    feed.subscribe(tuple(NAMES))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(feed.stream.run())
        await done.wait()
        took = perf_counter() - seen[1]
        task.cancel()
    return count / took


async def orders(room: Path, count: int) -> tuple[list[float], list[float]]:
    """Give, for each order, the milliseconds from its hand-over to the moment before its bytes; and the floor's."""
    with child("tests.fakes.capital", "--port", "0") as fake:
        told = address(fake)
        settings = Settings(
            brokers=("capital",),
            universe={"GOLD": Instrument("GOLD", broker="capital", kind="commodity", calendar="FX_24X5")},
            capital=Capital(rest_url=told["rest_url"], stream_url=told["stream_url"]),
        )
        up, last, took = asyncio.Event(), [0.0], []

        def take(event) -> None:
            if isinstance(event, BrokerUp):
                up.set()
            elif isinstance(event, Quote):
                last[0] = event.ask

        broker = CapitalBroker(
            "capital",
            settings,
            RealClock(),
            take,
            Credentials(told["key"], told["identifier"], told["password"]),
            directory=room,
        )
        broker.subscribe(("GOLD",))
        floor = Floor(room, told["rest_url"])
        async with asyncio.TaskGroup() as group, floor.client:
            group.create_task(broker.run())
            await asyncio.wait_for(up.wait(), UP_S)
            while len(took) < count:
                await asyncio.sleep(PAUSE_S / 2)
                await floor.one()
                await asyncio.sleep(PAUSE_S / 2)
                if last[0]:
                    one(broker, len(took), last[0], took)
            broker.stop()
    return took[:count], floor.took[:count]


class Floor:
    """The least that an order's way can be: bytes synced to this disk, then a POST by aiohttp alone."""

    def __init__(self, room: Path, url: str) -> None:
        """Open a file and a client."""
        self.took: list[float] = []
        self._begun = 0
        self._url = url + "/api/v1/floor"
        self._file = os.open(room / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        trace = aiohttp.TraceConfig()
        trace.on_request_chunk_sent.append(self._leaves)
        self.client = aiohttp.ClientSession(trace_configs=[trace])

    async def one(self) -> None:
        """Measure once."""
        self._begun = perf_counter_ns()
        os.write(self._file, b"x" * ROW_BYTES)
        os.fdatasync(self._file)
        async with self.client.post(self._url, data=b'{"size":1}') as answer:
            await answer.read()

    async def _leaves(self, *_of: object) -> None:
        self.took.append((perf_counter_ns() - self._begun) / 1e6)


def one(broker: CapitalBroker, number: int, ask: float, took: list[float]) -> None:
    """Hand one order over, and note how long it took until its bytes."""
    begun, asked = perf_counter_ns(), []

    def permit(command) -> str:
        asked.append(command)
        if len(asked) == 2:
            took.append((perf_counter_ns() - begun) / 1e6)
        return ""

    low, high = f"{ask * 0.9:.2f}", f"{ask * 1.2:.2f}"
    broker.submit(bracket(f"B{number}-{begun}", "1", f"{ask * 1.01:.2f}", low, high, "GOLD"), permit)


def address(fake: "subprocess.Popen[str]") -> dict[str, str]:
    """Read what the fake says of itself, by its words: its two addresses and its three credentials."""
    assert fake.stdout is not None
    said = f"{fake.stdout.readline()} {fake.stdout.readline()}".replace(",", " ").split()
    words = ("rest_url", "stream_url", "key", "identifier", "password")
    return {word: said[said.index(word) + 1] for word in words}
