"""The road in one process: the step alone, the whole of it with a real journal, and a recorded session again."""

from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from time import perf_counter_ns, sleep

from joed.daemon.clock import RealClock
from joed.daemon.inline import InlineJournal
from joed.daemon.journal import Journal
from joed.daemon.places import places
from joed.daemon.store import Store
from joed.engine.step import step
from joed.model.events import HeartbeatMeasured, Quote, Tick
from joed.model.values import HOUR, MINUTE
from joed.replay import replay
from tests.bench.measure import HIGHER, Row, Scale, frozen, interleaved, timed_s
from tests.bench.scene import OPEN_NS, SESSION, House, names_of, quiet_quotes, quote_of, scene

BATCH = 100
"""Quotes that wait together when the loop comes round."""
TICK_EACH = 10_000
SPEED = 40.0
"""At 400,000 quotes a second these make 10,000 quotes a second of the engine's own time, and a Tick for each of them.
"""
TRAIL_EACH = 9_973
"""Every so many quotes one raises its trail: an order is amended, recorded, and confirmed by the broker.

At 400,000 quotes a second these are 40 orders a second, as many as a broker takes.
"""
DEPTH_MAX = 40_000
BEFORE = "2026-08-31"
"""A session before the one that is replayed: a replay begins with the State that it left."""


def rows(scale: Scale, room: Path) -> Iterator[Row]:
    """Give the rows of the road."""
    yield from steps(scale)
    yield from roads(scale, room)
    yield from replays(scale, room)


def kept(last: dict[str, Quote], now: int, quote: Quote) -> None:
    """Do the least that can be done with a quote: compare its prices, and keep it by its name."""
    before = last.get(quote.instrument)
    if before is None or 0.0 < quote.bid <= quote.ask < 1e9:
        last[quote.instrument] = quote


def steps(scale: Scale) -> Iterator[Row]:
    """Time `step` on quotes inside their bands, beside a function that only keeps them."""
    state = scene(scale.instruments, held=scale.instruments, triggers=scale.instruments * 2 // 5)
    quotes = quiet_quotes(names_of(scale.instruments), scale.quotes)
    last: dict[str, Quote] = {}
    now = state.now

    def stepped() -> float:
        begun = perf_counter_ns()
        for quote in quotes:
            step(state, now, quote)
        return (perf_counter_ns() - begun) / len(quotes) / 1e3

    def bare() -> float:
        begun = perf_counter_ns()
        for quote in quotes:
            kept(last, now, quote)
        return (perf_counter_ns() - begun) / len(quotes) / 1e3

    found = interleaved(scale.rounds, {"step": stepped, "bare": bare})
    yield Row("step on a quote inside its band", found["step"], "us", 1.0, floor=found["bare"])


def roads(scale: Scale, room: Path) -> Iterator[Row]:
    """Time intake, stamp, step, tape, journal and counters, until the last record is durable."""
    journal = Journal(room / "road.db")
    state = scene(scale.instruments, held=scale.instruments, triggers=scale.instruments * 2 // 5)
    state.seq = 0
    house = House(state, RealClock(state.now, SPEED), journal, perf_counter_ns)
    names = names_of(scale.instruments)
    quotes, last = quiet_quotes(names, scale.quotes), dict[str, Quote]()
    marks = Marks(names)

    def road() -> float:
        marks.plant(quotes)
        return len(quotes) / timed_s(lambda: through(house, journal, quotes))

    def bare() -> float:
        begun = perf_counter_ns()
        for quote in quotes:
            kept(last, perf_counter_ns(), quote)
        return len(quotes) / (perf_counter_ns() - begun) * 1e9

    journal.stretch()
    try:
        through(house, journal, quotes)
        with frozen():
            found = interleaved(scale.rounds, {"road": road, "bare": bare})
    finally:
        journal.close()
    yield Row("whole road in process", found["road"], "quotes/s", 400_000, HIGHER, found["bare"])


class Marks:
    """Quotes that leave their bands: each raises the trail of its instrument by one more step."""

    def __init__(self, names: list[str]) -> None:
        self._shift = dict.fromkeys(names, 0.0)

    def plant(self, quotes: list[Quote]) -> None:
        """Put one in the place of each so many quotes."""
        for index in range(TRAIL_EACH // 2, len(quotes), TRAIL_EACH):
            name = quotes[index].instrument
            self._shift[name] += 0.12
            quotes[index] = quote_of(name, self._shift[name])


def through(house: House, journal: Journal, quotes: list[Quote]) -> None:
    """Send quotes down the road in batches, a Tick now and then, and wait until all are durable."""
    put, loop = house.intake.put, house.loop
    for begin in range(0, len(quotes), BATCH):
        if begin % TICK_EACH == 0:
            put(Tick())
        for quote in quotes[begin : begin + BATCH]:
            put(quote)
        while loop.drain():
            pass
        if len(house.carry_out):
            journal.push()
            loop.release(journal.durable)
        if journal.depth > DEPTH_MAX:
            journal.push()
            sleep(0.001)
    journal.flush()
    loop.release(journal.durable)
    while loop.drain():
        pass
    journal.flush()


def replays(scale: Scale, room: Path) -> Iterator[Row]:
    """Time `joed.replay` on a recorded session, beside reading its records."""
    where = room / "replay"
    count = recorded(scale, where)

    def again() -> float:
        found = []
        took = timed_s(lambda: found.append(replay(where, SESSION)))
        assert found[0].difference is None, found[0].difference
        return (found[0].decisions + found[0].quiet) / took

    def read() -> float:
        store = Store.open(places(where).journal)
        try:
            return count / timed_s(lambda: sum(1 for _ in store.read()))
        finally:
            store.close()

    found = interleaved(max(3, scale.rounds - 2), {"replay": again, "read": read})
    rmtree(where)
    yield Row("replay of a recorded session", found["replay"], "events/s", 300_000, HIGHER, found["read"])


def recorded(scale: Scale, where: Path) -> int:
    """Record a session: quotes, a Tick a second, a trail now and then; give how many events that are."""
    place = places(where)
    place.make()
    names = names_of(scale.instruments)
    state = scene(scale.instruments, held=scale.instruments, triggers=scale.instruments * 2 // 5)
    state.id_key, state.seq = place.key(), 0
    store = Store.open(place.journal)
    journal = InlineJournal(store)
    house = House(state, Stepping(), journal, perf_counter_ns)
    state.day.session = BEFORE
    house.loop.turn(HeartbeatMeasured(0, 0))
    state.day.session = SESSION
    journal.snapshot(state, kept=True)
    journal.commit()
    house.loop.turn(HeartbeatMeasured(0, 0))
    record(house, journal, names, scale.quotes)
    store.close()
    return state.seq


def record(house: House, journal: InlineJournal, names: list[str], count: int) -> None:
    """Run quotes and Ticks through the loop; the journal is committed when something must leave."""
    quotes = quiet_quotes(names, count)
    Marks(names).plant(quotes)
    for begin in range(0, count, BATCH):
        if begin % TICK_EACH == 0:
            house.intake.put(Tick())
        for quote in quotes[begin : begin + BATCH]:
            house.intake.put(quote)
        while house.loop.drain():
            if len(house.carry_out):
                house.loop.release(journal.commit())
    journal.commit()


class Stepping:
    """A clock that goes on by a tenth of a millisecond at each look."""

    simulated = True

    def __init__(self, start_ns: int = OPEN_NS + HOUR + MINUTE) -> None:
        self._now = start_ns

    def now(self) -> int:
        """Give the time."""
        self._now += 100_000
        return self._now

    def call_at(self, at_ns: int, callback: object) -> None:
        """Plan nothing."""
