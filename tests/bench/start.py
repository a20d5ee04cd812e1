"""A daemon's start with much to recover, its idleness, and `joectl status` as a person runs it."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree, rmtree
from statistics import median

from joed.daemon.places import places
from joed.daemon.record import encode_state
from joed.daemon.store import Store
from joed.engine.step import step
from joed.model.events import Event, HeartbeatMeasured, Quote, Tick
from tests.bench.measure import Row, Scale
from tests.bench.process import on_cpu_s, piped, ran_s, running, settle
from tests.bench.scene import SESSION, names_of, quiet_quotes, scene

NEEDS = "asyncio, sqlite3, msgspec, yaml, pydantic, numpy, aiohttp.web, prometheus_client"
"""What a daemon imports that is not ours."""
CLOSED_DAY = "2026-09-05T12:00:00Z@1"
"""A Saturday: the market is closed, nothing is quoted."""
EMBEDDED = 20
IDLE_MIN_S = 1.5
"""Long enough for one timer a second to have fired."""
FACT_EACH, TICK_EACH, COMMIT_EACH = 100, 3_333, 20_000
"""One record in a hundred is a fact; 3,333 quotes a second are what a minute's snapshot leaves behind it."""


def rows(scale: Scale, room: Path) -> Iterator[Row]:
    """Give the rows of the start and of a daemon at rest."""
    yield started(scale, room)
    yield from rested(scale, room)


def config(room: Path) -> Path:
    """Give a configuration of embedded defaults, without a port of its own."""
    file = room / "joed.yaml"
    file.write_text("daemon: {metrics_port: 0}\n", "utf-8")
    return file


def daemon(room: Path, state_dir: Path) -> tuple[str, ...]:
    """Give the words that start the daemon itself."""
    words = ("joed", "--daemon", "--config", str(config(room)), "--state-dir", str(state_dir))
    return (*words, "--clock", CLOSED_DAY)


def started(scale: Scale, room: Path) -> Row:
    """Time the start of a daemon from its process to READY=1, beside Python with the bare imports."""
    prepared(scale.records, room / "prepared")
    ours, floor = list[float](), list[float]()
    for number in range(max(1, scale.runs - 2)):
        state_dir = room / f"state{number}"
        copytree(room / "prepared", state_dir)
        with running(room, *daemon(room, state_dir), gently=False) as found:
            ours.append(found.ready_s)
        rmtree(state_dir)
        floor.append(ran_s("-c", f"import {NEEDS}"))
    return Row(f"start to READY=1, {scale.records:,} records", median(ours), "s", 0.7, floor=median(floor))


def prepared(records: int, state_dir: Path) -> None:
    """Write a journal with a snapshot and so many records after it."""
    where = places(state_dir)
    where.make()
    names = names_of(EMBEDDED)
    state = scene(EMBEDDED, held=EMBEDDED // 2, triggers=EMBEDDED // 2)
    state.id_key, state.seq = where.key(), 0
    store = Store.open(where.journal)

    def record(event: Event) -> None:
        commands = step(state, state.now, event)
        if commands or not isinstance(event, Quote | Tick):
            store.add(state.seq, state.now, SESSION, event, commands)
        else:
            store.add_tape(state.seq, state.now, event)

    record(HeartbeatMeasured(0, 0))
    store.add_snapshot(state.seq, state.now, encode_state(state))
    for count, quote in enumerate(quiet_quotes(names, records)):
        state.now += 300_000
        due = HeartbeatMeasured(0, count) if count % FACT_EACH == 0 else quote
        record(Tick() if count % TICK_EACH == 0 else due)
        if count % COMMIT_EACH == 0:
            store.commit()
    store.commit()
    store.close()


def rested(scale: Scale, room: Path) -> Iterator[Row]:
    """Time what a daemon with a closed market costs, beside a bare loop; then ask it for its status."""
    state_dir = room / "idle"
    with running(room, *daemon(room, state_dir)) as ours, piped("tests.bench.bare") as bare:
        pids = (ours.process.pid, bare.process.pid)
        settle(scale.warm_s)
        before, seconds = [on_cpu_s(pid) for pid in pids], max(IDLE_MIN_S, scale.seconds)
        settle(seconds)
        used, floor = (100 * (on_cpu_s(pid) - begun) / seconds for pid, begun in zip(pids, before, strict=True))
        yield Row("idle CPU", used, "% of a core", 0.1, floor=floor)
        yield status(scale, state_dir)


def status(scale: Scale, state_dir: Path) -> Row:
    """Time a whole `joectl status`, beside a Python that does nothing."""
    ours, floor = list[float](), list[float]()
    for _ in range(scale.runs + 2):
        ours.append(ran_s("-m", "joectl", "--state-dir", str(state_dir), "status") * 1e3)
        floor.append(ran_s("-c", "pass") * 1e3)
    return Row("joectl status, whole process, p50", median(ours), "ms", 60.0, floor=median(floor))
