"""What each mode is made of: settings, clock, brokers, worker, put together in one place."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib import resources
from pathlib import Path
from random import Random
from typing import Literal

from joed import __version__
from joed.brokers.base import Broker
from joed.brokers.paper import PaperBroker
from joed.brokers.paper_store import PaperStore
from joed.config import digest
from joed.daemon.calendars import load_calendars
from joed.daemon.clock import Clock, RealClock, SimulatedClock, utc_ns
from joed.daemon.daemon import Emit, Plan, Work
from joed.daemon.inline import InlineJobs
from joed.daemon.places import Places
from joed.daemon.trading import Worker
from joed.engine import sessions
from joed.errors import ConfigError
from joed.exchange import Exchange
from joed.market import EmbeddedMarket
from joed.model.calendars import Calendar
from joed.model.settings import EndOfDay, Settings
from joed.model.values import MINUTE, SECOND, Bar, Mode

DEMO_DATE_NS = 1_788_264_000_000_000_000
"""2026-09-01 12:00 UTC: the demo's day is the first session after it, the same for everybody."""
PAPER_SEED = 20_260_901


@dataclass(frozen=True)
class Choices:
    """What the command line chose for a run of the daemon."""

    settings: Settings
    calendars: dict[str, Calendar]
    places: Places
    seed: int = 1
    speed: float | None = 1.0
    confirm: Literal["auto", "manual"] = "manual"
    exchange: Literal["inline", "process"] = "inline"
    origin_ns: int | None = None
    reason: str = "manual"


def calendars_for(settings: Settings, directory: Path | None) -> dict[str, Calendar]:
    """Load the calendars that the settings and the universe name, with the operator's overrides."""
    names = dict.fromkeys([settings.calendar, *(row.calendar for row in settings.universe.values())])
    return load_calendars(tuple(names), directory)


def demo_settings(settings: Settings, market: EmbeddedMarket) -> Settings:
    """Give the settings of a demo: the embedded market's universe, and a day that ends flat."""
    eod = replace(settings.eod, close_positions=True) if settings.eod == EndOfDay() else settings.eod
    session = replace(settings.session, lead_s=600.0, after_close_s=120.0)
    return replace(settings, mode=Mode.PAPER, universe=market.universe(), eod=eod, session=session)


def demo_market(seed: int, calendar: Calendar, at_ns: int = DEMO_DATE_NS) -> EmbeddedMarket:
    """Make the embedded market of the first session at or after a time."""
    session = sessions.session_at(calendar, at_ns)
    return EmbeddedMarket.for_session(seed, session.date.isoformat(), session.open_ns, session.close_ns)


def code_digest() -> str:
    """Give the hash of our own source, so that a record says which code decided."""
    found = sha256()
    root = resources.files("joed")
    with resources.as_file(root) as folder:
        for path in sorted(Path(folder).rglob("*.py")):
            found.update(path.relative_to(folder).as_posix().encode())
            found.update(path.read_bytes())
    return found.hexdigest()[:16]


def paper_plan(choices: Choices, market: EmbeddedMarket) -> Plan:
    """Plan a run on the embedded market and the paper account."""
    settings = choices.settings

    def clock(last_ns: int) -> Clock:
        origin_ns = choices.origin_ns if choices.origin_ns is not None else utc_ns()
        start_ns = max(last_ns, origin_ns)
        return SimulatedClock(start_ns) if choices.speed is None else RealClock(start_ns, choices.speed)

    def connect(at: Clock, emit: Emit) -> tuple[Mapping[str, Broker], list[Work]]:
        exchange = Exchange(settings.universe, settings.paper, Random(f"{PAPER_SEED}:{choices.seed}"))
        store = PaperStore(choices.places.paper)
        broker = PaperBroker("paper", exchange, at, emit, settings.paper, store, closes=(market.close_ns,))
        return {"paper": broker}, []

    def feed(at: Clock, brokers: Mapping[str, Broker]) -> None:
        broker = brokers["paper"]
        assert isinstance(broker, PaperBroker)
        market.start(at, broker.quote)
        for symbol, from_ns, to_ns in market.halts:
            at.call_at(from_ns, _halting(broker, symbol, halted=True))
            at.call_at(to_ns, _halting(broker, symbol, halted=False))

    return Plan(
        settings=settings,
        digest=digest(settings),
        calendars=choices.calendars,
        clock=clock,
        connect=connect,
        feed=feed,
        worker=lambda at, root: _worker(settings, market, at, root),
        version=__version__,
        code=code_digest(),
        reason=choices.reason,
        auto_confirm=choices.confirm == "auto",
    )


def _halting(broker: PaperBroker, symbol: str, *, halted: bool) -> Callable[[], None]:
    return lambda: broker.halt(symbol, halted=halted)


def _worker(settings: Settings, market: EmbeddedMarket, at: Clock, root: Path) -> tuple[Worker, list[Work]]:
    """Give where jobs run: in this process when time is simulated, else in one of their own."""
    daily = {symbol: [_bar(symbol, row) for row in market.daily_history(symbol)] for symbol in market.symbols}
    if at.simulated:
        from joed.daemon.worker_main import InlineWorker  # noqa: PLC0415 - numpy stays out of the daemon that has a child

        inline = InlineWorker(root / "bars.db")
        for symbol, bars in daily.items():
            inline.daily(symbol, bars)
        return InlineJobs(at, lambda command, context: inline.run(command, context), inline.bars), []
    from joed.daemon.worker import Worker as Child  # noqa: PLC0415 - as above

    child = Child(root / "bars.db", settings.daemon.worker_memory_mb)
    for symbol, bars in daily.items():
        child.daily(symbol, bars)
    return child, [child.serve]


def _bar(symbol: str, row: object) -> Bar:
    at_ns, *values = (float(value) for value in row)  # type: ignore[attr-defined]  # a row of numbers
    return Bar(symbol, int(at_ns), *values)
