"""From a quote that fires to the order: up to the broker's hand without the commit, and up to the durable record."""

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter_ns

from joed.daemon.clock import RealClock
from joed.daemon.journal import Hooks, Journal
from joed.daemon.latch import Latches
from joed.daemon.record import encode_commands, encode_event, kind_of
from joed.model.commands import SubmitOrder
from joed.model.events import TriggersMade
from joed.model.values import Kind, Leg, Side
from tests.bench.measure import Row, Scale, frozen, percentile
from tests.bench.scene import PRICE, QUANTITY, House, names_of, quote_of, scene, trigger_of

FIRES = 4.5
"""How far above the quiet price the Triggers lie, and then the quote that fires one."""
DURABLE_WAIT_S = 10.0


def rows(scale: Scale, room: Path) -> Iterator[Row]:
    """Give the rows of an order's way."""
    yield from submits(scale, room)
    yield from durables(scale, room)


class Immediate:
    """A recorder that makes a record's bytes, as the journal does, and calls it durable."""

    durable = 0

    def append(self, seq, now, session, event, commands):
        """Make the bytes."""
        self.bytes = (kind_of(event), encode_event(event), encode_commands(commands))
        self.durable = seq

    def tape(self, seq, now, event):
        """Keep nothing."""
        self.durable = seq


class Firing:
    """A house whose instruments fire, one at a time, as often as is asked for; half of the others are held."""

    def __init__(self, scale: Scale, recorder, room: Path, broker=None) -> None:
        names = names_of(scale.instruments)
        self.names = names[scale.instruments // 2 :]
        state = scene(scale.instruments, held=scale.instruments // 2, triggers=0)
        state.seq = recorder.durable
        latches = Latches(room / "latch")
        latches.directory.mkdir(exist_ok=True)
        self.house = House(state, RealClock(state.now), recorder, perf_counter_ns, latches.present, broker)
        self.house.loop.shown = False  # pictures are drawn after the orders have left
        self.runs = 0

    def quotes(self, count: int):
        """Give quotes each of which fires a Trigger of its own; they come in rounds of all instruments."""
        given = 0
        while given < count:
            self.arm()
            for name in self.names[: count - given]:
                yield quote_of(name, FIRES)
            given += len(self.names)

    def arm(self) -> None:
        """Put new Triggers in place, and bring prices and bands back to rest."""
        self.runs += 1
        triggers = tuple(trigger_of(name, f"{name}-{self.runs}") for name in self.names)
        self.house.loop.turn(TriggersMade(self.runs, triggers))
        for _ in range(2):
            for name in self.names:
                self.house.loop.turn(quote_of(name, 0.0))
        self.settle()

    def settle(self) -> None:
        """Handle what the broker said, and what follows from it."""
        loop, recorder = self.house.loop, self.house.loop.recorder
        while len(self.house.intake) or len(self.house.carry_out):
            loop.drain()
            loop.release(recorder.durable)


def submits(scale: Scale, room: Path) -> Iterator[Row]:
    """Time a firing quote from the loop's hand to the broker's, record encoded, `permit` asked, nothing committed."""
    firing = Firing(scale, Immediate(), room)
    loop, taken = firing.house.loop, firing.house.broker.taken_ns
    took_us: list[float] = []
    bare_us: list[float] = []
    with frozen():
        for quote in firing.quotes(scale.orders):
            bare_us.append(bare(quote.instrument))
            begun = perf_counter_ns()
            loop.turn(quote)
            loop.release(loop.recorder.durable)
            took_us.append((taken.pop() - begun) / 1e3)
            firing.settle()
    assert len(took_us) == scale.orders
    for share, budget in ((0.5, 12), (0.99, 40)):
        name = f"quote to broker.submit, no commit, p{share:.0%}".rstrip("%")
        yield Row(name, percentile(took_us, share), "us", budget, floor=percentile(bare_us, share))


def bare(name: str) -> float:
    """Give how long it takes to make the order alone, as bytes: no engine, no rule, no record of the cause."""
    begun = perf_counter_ns()
    order = SubmitOrder(
        f"{name}-1", "paper", name, Side.BUY, QUANTITY, Kind.LIMIT, Leg.ENTRY, opens=True, level=PRICE, stop=PRICE
    )
    encode_commands([order])
    return (perf_counter_ns() - begun) / 1e3


def durables(scale: Scale, room: Path) -> Iterator[Row]:
    """Time a firing quote until its record is durable and the order is in the broker's hand, beside a bare sync."""
    ours_us, bare_us = asyncio.run(_durables(scale, room))
    for share, budget, ratio in ((0.5, 400.0, 3.0), (0.99, 2_000.0, None)):
        name = f"durable intent, quote to broker.submit, p{share:.0%}".rstrip("%")
        floor = percentile(bare_us, share)
        yield Row(name, percentile(ours_us, share), "us", budget, floor=floor, ratio_budget=ratio)


async def _durables(scale: Scale, room: Path) -> tuple[list[float], list[float]]:
    """Take turns: one order through the journal, one append and fdatasync of the same bytes in the same folder."""
    ours, bare_us = list[float](), list[float]()
    loop = asyncio.get_running_loop()
    durable = asyncio.Event()

    def release(seq: int) -> None:
        house.loop.release(seq)
        durable.set()

    journal = Journal(room / "durable.db", Hooks(notify=loop.call_soon_threadsafe, on_durable=release))
    journal.stretch()  # as the daemon does at its start
    firing = Firing(scale, journal, room)
    house = firing.house

    async def settled(until: Callable[[], bool]) -> None:
        async with asyncio.timeout(DURABLE_WAIT_S):
            while not until():
                durable.clear()
                journal.push()
                if journal.durable < journal.appended:
                    await durable.wait()
                house.loop.release(journal.durable)
                while house.loop.drain():
                    pass

    with Appended(room / "bare") as appended:
        for quote in firing.quotes(scale.commits):
            await settled(lambda: journal.durable == journal.appended and not house.intake and not house.carry_out)
            house.broker.taken_ns.clear()
            begun = perf_counter_ns()
            house.loop.turn(quote)
            async with asyncio.timeout(DURABLE_WAIT_S):
                while not house.broker.taken_ns:
                    durable.clear()
                    await durable.wait()
            ours.append((house.broker.taken_ns[0] - begun) / 1e3)
            bare_us.append(appended.once())
    await settled(lambda: journal.durable == journal.appended)
    journal.close()
    return ours, bare_us


class Appended:
    """A file that gets a record's bytes, appended and synced, each time."""

    DATA = bytes(1_000)
    """As long as the record of a firing quote with its order."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self):
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return self

    def __exit__(self, *_error):
        os.close(self._file)

    def once(self) -> float:
        """Give how long it took, in microseconds."""
        begun = perf_counter_ns()
        os.write(self._file, self.DATA)
        os.fdatasync(self._file)
        return (perf_counter_ns() - begun) / 1e3
