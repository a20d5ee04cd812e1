"""Interactive Brokers' quotes through a real socket into the engine, on Python's event loop and on uvloop.

What one costs of a core, for other programs share this machine: where they are pushed as fast as they are taken, which
is decoding and no loop's work, and where each comes in a packet of its own, as on most days. uvloop's floor is
Python's own loop in the same run, and there it has to be faster.
"""

from asyncio import Event
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import process_time

from joed.brokers.ibkr import lib
from joed.brokers.ibkr.broker import IbkrBroker
from joed.brokers.ibkr.contracts import Listed
from joed.brokers.ibkr.session import Session
from joed.daemon.clock import RealClock
from joed.daemon.runner import runner
from joed.engine.step import step
from joed.model.events import Quote
from joed.model.settings import Ibkr, Instrument, Settings
from joed.model.values import EventLoop
from tests.bench.capital import child
from tests.bench.ibkr_flood import ACCOUNT, LAST_BID
from tests.bench.measure import Row, Scale
from tests.bench.scene import names_of, scene

LINES = 40
PAUSE_US = 100
SHARE = 20
"""One packet a quote is measured with this part of the quotes."""


def rows(scale: Scale, room: Path) -> Iterator[Row]:
    """Measure both loops, in turn, so many rounds."""
    flood, packets = scale.quotes // 4, max(100, scale.quotes // SHARE)
    pushed: dict[EventLoop, list[float]] = {loop: [] for loop in EventLoop}
    single: dict[EventLoop, list[float]] = {loop: [] for loop in EventLoop}
    with pushing(flood, 0) as busy, pushing(packets, PAUSE_US) as quiet:
        for _ in range(scale.rounds):
            for loop in EventLoop:
                pushed[loop].append(measured(loop, busy) / flood * 1e6)
                single[loop].append(measured(loop, quiet) / packets * 1e6)
    for what, costs, budget in (("pushed", pushed, None), ("one a packet", single, 1.0)):
        plain, fast = median(costs[EventLoop.ASYNCIO]), median(costs[EventLoop.UVLOOP])
        yield Row(f"a quote from TWS's socket, {what}, CPU, asyncio", plain, "us")
        yield Row(f"a quote from TWS's socket, {what}, CPU, uvloop", fast, "us", floor=plain, ratio_budget=budget)


class pushing:  # noqa: N801 - it is used as a function
    """Run the flood beside this process, and give its port."""

    def __init__(self, count: int, pause_us: int) -> None:
        self._child = child("tests.bench.ibkr_flood", str(count), str(LINES), str(pause_us))

    def __enter__(self) -> int:
        """Start it."""
        process = self._child.__enter__()
        assert process.stdout is not None
        return int(process.stdout.readline())

    def __exit__(self, *raised: object) -> None:
        """End it."""
        self._child.__exit__(None, None, None)


def measured(loop: EventLoop, port: int) -> float:
    """Give the seconds of this process's processor time that all quotes took, from the first."""
    with runner(loop) as running:
        return running.run(stream(port))


async def stream(port: int) -> float:
    """Open the lines, take every quote into the engine's step, and give the processor time of it."""
    library, names = lib.load("ib_insync"), names_of(LINES)
    state, done = scene(LINES, held=0, triggers=0), Event()
    begun: list[float] = []
    now = state.now

    def take(event: object) -> None:
        if isinstance(event, Quote):
            if not begun:
                begun.append(process_time())
            step(state, now, event)
            if event.bid == LAST_BID:
                done.set()

    ibkr = Ibkr(port=port, beat_s=30, silence_s=600)  # nobody answers: the flood only pushes
    settings = Settings(account=ACCOUNT, universe={name: Instrument(name) for name in names}, ibkr=ibkr)
    broker = IbkrBroker("paper", settings, RealClock(), take)
    link = broker._link
    link.library = library
    session = Session(
        library, ibkr, RealClock(), link.pacer, link._listeners(), link.lines.flush, lambda *_: done.set()
    )
    await session.open()
    link.session, link.account, link.mode, link.up = session, ACCOUNT, "paper", True
    link.lines.begin(session)
    for number, name in enumerate(names, 1):
        contract = library.Contract(conId=number, symbol=name, secType="STK", exchange="SMART", currency="USD")
        link.contracts.listed[name] = Listed(contract, number, 0, None, "", "", 0)
        link.lines.wanted = (*link.lines.wanted, name)
        link.lines._open(name, 1)
    await done.wait()
    passed = process_time() - begun[0]
    assert not session.ended, session.reason
    session.end("measured")
    return passed
