"""What each mode is made of: settings, clock, brokers, worker, put together in one place."""

import datetime as dt
import sqlite3
from argparse import Namespace
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib import resources
from pathlib import Path
from random import Random

from joed import __version__, venue
from joed.brokers.base import Broker
from joed.brokers.paper import PaperBroker
from joed.brokers.paper_remote import RemotePaperBroker
from joed.brokers.paper_store import PaperStore
from joed.config import digest
from joed.daemon.calendars import load_calendars
from joed.daemon.clock import Clock, RealClock, SimulatedClock, utc_ns
from joed.daemon.daemon import Emit, Plan, Work
from joed.daemon.inline import InlineJobs
from joed.daemon.places import Places
from joed.daemon.trading import Worker
from joed.errors import ConfigError
from joed.exchange import Exchange
from joed.market import EmbeddedMarket
from joed.market.day import PAPER_SEED, market_at
from joed.model.calendars import Calendar
from joed.model.settings import Settings
from joed.model.values import SECOND, Bar, Mode

VENUE_SOCKET = "exchange.sock"


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
    origin_ns: int = 0
    config: Path | None = None
    reason: str = "manual"


def calendars_for(settings: Settings, directory: Path | None) -> dict[str, Calendar]:
    """Load the calendars that the settings and the universe name, with the operator's overrides."""
    names = dict.fromkeys([settings.calendar, *(row.calendar for row in settings.universe.values())])
    return load_calendars(tuple(names), directory)


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
    market = market_at(seed, calendars[settings.calendar], origin_ns)
    settings = replace(settings, universe={**market.universe(), **settings.universe})
    confirm = options.confirm or "manual"
    if confirm == "auto" and settings.mode is Mode.LIVE:
        raise ConfigError("--confirm auto is for paper accounts; this one is live")
    return Choices(
        settings, calendars, where, seed, speed, confirm, options.exchange, origin_ns, options.config
    ), market


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
    """Plan a run on the embedded market and the paper account, in this process or beside it."""
    house = _Beside(choices) if choices.exchange == "process" else _Inside(choices, market)
    settings = choices.settings
    return Plan(
        settings=settings,
        digest=digest(settings),
        calendars=choices.calendars,
        clock=house.clock,
        connect=house.connect,
        feed=house.feed,
        worker=lambda at, root: _worker(settings, market, at, root),
        version=__version__,
        code=code_digest(),
        reason=choices.reason,
        auto_confirm=choices.confirm == "auto",
    )


class _Inside:
    """The exchange in this process."""

    def __init__(self, choices: Choices, market: EmbeddedMarket) -> None:
        self._choices, self._market = choices, market

    def clock(self, last_ns: int) -> Clock:
        """Go on from the last record, or begin at the origin."""
        start_ns = max(last_ns, self._choices.origin_ns)
        return SimulatedClock(start_ns) if self._choices.speed is None else RealClock(start_ns, self._choices.speed)

    def connect(self, at: Clock, emit: Emit) -> tuple[Mapping[str, Broker], list[Work]]:
        """Make the broker; `paper.db` has its account."""
        choices, settings = self._choices, self._choices.settings
        chance = Random(f"{PAPER_SEED}:{choices.seed}")  # noqa: S311 - a market's chance, not a secret
        exchange = Exchange(settings.universe, settings.paper, chance)
        store = PaperStore(choices.places.paper)
        closes = (self._market.close_ns,)
        return {"paper": PaperBroker("paper", exchange, at, emit, settings.paper, store, closes=closes)}, []

    def feed(self, at: Clock, brokers: Mapping[str, Broker]) -> None:
        """Start the quotes and plan the halts."""
        broker = brokers["paper"]
        assert isinstance(broker, PaperBroker)
        self._market.start(at, broker.quote)
        venue.plan_halts(at, self._market, broker)


class _Beside:
    """The exchange in a process of its own, which a killed daemon finds again."""

    def __init__(self, choices: Choices) -> None:
        if choices.speed is None:
            raise ConfigError("--exchange process runs in real time: give it a --speed that is a number")
        self._choices, self._speed = choices, choices.speed

    def clock(self, last_ns: int) -> Clock:
        """Take over the exchange's time."""
        choices = self._choices
        hello = venue.find_or_start(
            choices.places.run / VENUE_SOCKET,
            choices.places.paper,
            seed=choices.seed,
            origin_ns=max(last_ns, choices.origin_ns),
            speed=self._speed,
            config=choices.config,
        )
        return RealClock(hello.origin_ns, hello.speed, hello.base_ns)

    def connect(self, at: Clock, emit: Emit) -> tuple[Mapping[str, Broker], list[Work]]:
        """Make the link's keeper."""
        remote = RemotePaperBroker("paper", self._choices.places.run / VENUE_SOCKET, at, emit)
        return {"paper": remote}, [remote.run]

    def feed(self, at: Clock, brokers: Mapping[str, Broker]) -> None:
        """Leave the quotes to the exchange."""


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
