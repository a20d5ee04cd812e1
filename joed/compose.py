"""What each mode is made of: settings, clock, brokers, worker, put together in one place."""

import datetime as dt
import sqlite3
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib import resources
from pathlib import Path
from random import Random

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
from joed.model.values import SECOND, Bar, Mode

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
    confirm: str = "manual"
    exchange: str = "inline"
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


def live_choices(
    options: Namespace, settings: Settings, folder: Path | None, where: Places
) -> tuple[Choices, EmbeddedMarket]:
    """Give what the daemon runs with: today's session, the paper account, the clock that was asked for."""
    unknown = sorted(set(settings.brokers) - {"paper"})
    if unknown:
        raise ConfigError(f"broker {unknown[0]!r} is not known to this joed; there is: paper")
    calendars = calendars_for(settings, folder)
    origin_ns, speed = clock_of(options.clock, settings)
    seed = 1 if options.seed is None else options.seed
    market = demo_market(seed, calendars[settings.calendar], origin_ns)
    settings = replace(settings, universe={**market.universe(), **settings.universe})
    confirm = options.confirm or "manual"
    if confirm == "auto" and settings.mode is Mode.LIVE:
        raise ConfigError("--confirm auto is for paper accounts; this one is live")
    return Choices(settings, calendars, where, seed, speed, confirm, options.exchange, origin_ns), market


def clock_of(text: str | None, settings: Settings) -> tuple[int, float | None]:
    """Read ORIGIN@SPEED ("2026-09-01T13:20:00Z@60", speed "max" as fast as it goes): the origin in ns, the speed."""
    if text is None:
        return utc_ns(), 1.0
    if settings.mode is Mode.LIVE:
        raise ConfigError("--clock is for paper accounts; this one is live")
    origin, _, speed = text.partition("@")
    try:
        moment = dt.datetime.fromisoformat(origin)
        rate = None if speed == "max" else float(speed or 1.0)
    except ValueError:
        raise ConfigError(f"--clock takes ORIGIN@SPEED, as 2026-09-01T13:20:00Z@60, not {text!r}") from None
    if moment.tzinfo is None or (rate is not None and rate <= 0):
        raise ConfigError(f"--clock needs a time with its zone and a speed above 0, not {text!r}")
    return int(moment.timestamp()) * SECOND, rate


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
        exchange = Exchange(settings.universe, settings.paper, Random(f"{PAPER_SEED}:{choices.seed}"))  # noqa: S311 - a market's chance, not a secret
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


def daily_bars(market: EmbeddedMarket) -> dict[str, list[Bar]]:
    """Give the year before the session, by symbol."""
    return {symbol: [bar_of(symbol, row) for row in market.daily_history(symbol)] for symbol in market.symbols}


def _worker(settings: Settings, market: EmbeddedMarket, at: Clock, root: Path) -> tuple[Worker, list[Work]]:
    """Give where jobs run: in this process when time is simulated, else in one of their own."""
    daily = daily_bars(market)
    if at.simulated:
        from joed.daemon.worker_main import InlineWorker

        inline = InlineWorker(root / "bars.db")
        for symbol, bars in daily.items():
            inline.daily(symbol, bars)
        return InlineJobs(at, inline.run, inline.bars), []
    from joed.daemon.worker import Worker as Child

    child = Child(root / "bars.db", settings.daemon.worker_memory_mb)
    for symbol, bars in daily.items():
        child.daily(symbol, bars)
    return child, [child.serve]


def bar_of(symbol: str, row: object) -> Bar:
    """Give a row of numbers (at_ns, open, high, low, close, volume) as a bar."""
    at_ns, *values = (float(value) for value in row)  # type: ignore[attr-defined]  # a row of numbers
    return Bar(symbol, int(at_ns), *values)


def last_record_ns(where: Places) -> int:
    """Give the time of the newest record in a state directory, 0 where there is none."""
    if not where.journal.exists():
        return 0
    with suppress(sqlite3.Error):
        base = sqlite3.connect(f"file:{where.journal}?mode=ro", uri=True)
        try:
            return int(base.execute("SELECT max(at_ns) FROM records").fetchone()[0] or 0)
        finally:
            base.close()
    return 0
