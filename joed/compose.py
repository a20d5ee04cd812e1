"""What each mode is made of: settings, clock, brokers, worker, put together in one place.

numpy comes in only where the market itself is played in this process: a daemon whose exchange and worker live in
processes of their own has none.
"""

import datetime as dt
import os
import sqlite3
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib import resources
from pathlib import Path
from random import Random

from joed import __version__
from joed.brokers.base import Broker
from joed.brokers.paper import PaperBroker
from joed.brokers.paper_remote import RemotePaperBroker, read_hello, shut_down
from joed.brokers.paper_store import PaperStore
from joed.brokers.paper_wire import Hello
from joed.config import digest
from joed.daemon.calendars import load_calendars
from joed.daemon.clock import Clock, RealClock, SimulatedClock, boot_ns, utc_ns
from joed.daemon.inline import InlineJobs
from joed.daemon.places import Places
from joed.daemon.plan import Emit, Plan
from joed.daemon.supervise import Work
from joed.daemon.trading import Worker
from joed.daemon.worker import PRIVATE
from joed.daemon.worker import Worker as Child
from joed.engine.directions import differences, in_force
from joed.errors import BrokerUnavailable, ConfigError
from joed.exchange import Exchange
from joed.market.day import PAPER_SEED, Day, day_at, plan_halts, thinker
from joed.market.listings import universe_of
from joed.model.calendars import Calendar
from joed.model.events import SettingsLoaded
from joed.model.settings import Settings
from joed.model.values import MINUTE, SECOND, Mode

VENUE_LOG = "exchange.log"
VENUE_WAIT_S = 15.0
PROBE_S = 0.5
SOCKET_BYTES_MAX = 107
LEFT_OVER_NS = MINUTE
"""An exchange whose time is so far behind our day's beginning was left over from an earlier day."""


@dataclass(frozen=True)
class Choices:
    """What the command line chose for a run of the daemon; `speed` None is as fast as it goes."""

    settings: Settings
    calendars: dict[str, Calendar]
    places: Places
    day: Day
    speed: float | None = 1.0
    confirm: str = "manual"
    exchange: str = "inline"
    origin_ns: int = 0
    config: Path | None = None
    reason: str = "manual"
    wall_time: bool = False


def calendars_for(settings: Settings, directory: Path | None) -> dict[str, Calendar]:
    """Load the calendars that the settings and the universe name, with the operator's overrides."""
    names = dict.fromkeys([settings.calendar, *(row.calendar for row in settings.universe.values())])
    return load_calendars(tuple(names), directory)


def refuse_unknown(settings: Settings) -> None:
    """Refuse a broker that this joed has no adapter for, and live mode where all that there is is paper."""
    unknown = sorted(set(settings.brokers) - {"paper"})
    if unknown:
        raise ConfigError(f"broker {unknown[0]!r} is not known to this joed; there is: paper")
    if settings.mode is Mode.LIVE:
        raise ConfigError("mode is live, and the only broker is paper: set mode: paper")


def live_choices(options: Namespace, settings: Settings, folder: Path | None, where: Places) -> Choices:
    """Give what the daemon runs with: today's session, the paper account, the clock that was asked for."""
    refuse_unknown(settings)
    confirm = options.confirm or "manual"
    if confirm == "auto" and settings.mode is Mode.LIVE:
        raise ConfigError("--confirm auto is for paper accounts; this one is live")
    calendars = calendars_for(settings, folder)
    origin_ns, speed = clock_of(options.clock, settings)
    seed = 1 if options.seed is None else options.seed
    return Choices(
        settings=replace(settings, universe={**universe_of(), **settings.universe}),
        calendars=calendars,
        places=where,
        day=day_at(seed, calendars[settings.calendar], max(origin_ns, newest_ns(where))),
        speed=speed,
        confirm=confirm,
        exchange=options.exchange,
        origin_ns=origin_ns,
        config=options.config,
        wall_time=options.clock is None,
    )


def reload_of(
    read: Callable[[], tuple[Settings, Path | None]],
) -> Callable[[Settings], SettingsLoaded]:
    """Give what reads the files again, and leaves as it was what only a start puts in force."""

    def load(running: Settings) -> SettingsLoaded:
        settings, folder = read()
        loaded = replace(settings, universe={**universe_of(), **settings.universe})
        found = in_force(running, loaded)
        held = differences(found, loaded)
        return SettingsLoaded(found, digest(found), calendars_for(found, folder), "reload", held=held)

    return load


def clock_of(text: str | None, settings: Settings) -> tuple[int, float | None]:
    """Read ORIGIN@SPEED ("2026-09-01T13:20:00Z@60", speed "max" as fast as it goes): the origin in ns, the speed.

    A third part is `base_of`'s.
    """
    if text is None:
        return utc_ns(), 1.0
    if settings.mode is Mode.LIVE:
        raise ConfigError("--clock is for paper accounts; this one is live")
    origin, speed, *_ = (*text.split("@", 2), "")
    try:
        moment = dt.datetime.fromisoformat(origin)
        rate = None if speed == "max" else float(speed or 1.0)
    except ValueError:
        raise ConfigError(f"--clock takes ORIGIN@SPEED, as 2026-09-01T13:20:00Z@60, not {text!r}") from None
    if moment.tzinfo is None or (rate is not None and not 0 < rate <= 10_000):
        raise ConfigError(f"--clock needs a time with its zone and a speed above 0 (10000 at most), not {text!r}")
    return int(moment.timestamp()) * SECOND, rate


def base_of(text: str | None) -> int | None:
    """Read the third part of ORIGIN@SPEED@BASE, for two processes that share a clock: the boot time (ns) of ORIGIN."""
    parts = (text or "").split("@", 2)
    if len(parts) < 3:
        return None
    if not parts[2].isdigit():
        raise ConfigError(f"--clock ORIGIN@SPEED@BASE takes a boot time in ns as its BASE, not {parts[2]!r}")
    return int(parts[2])


def code_digest() -> str:
    """Give the hash of our own source, so that a record says which code decided."""
    found = sha256()
    root = resources.files("joed")
    with resources.as_file(root) as folder:
        for path in sorted(Path(folder).rglob("*.py")):
            found.update(path.relative_to(folder).as_posix().encode())
            found.update(path.read_bytes())
    return found.hexdigest()[:16]


def paper_plan(choices: Choices) -> Plan:
    """Plan a run on the embedded market and the paper account, in this process or beside it."""
    house = _Beside(choices) if choices.exchange == "process" else _Inside(choices)
    settings = choices.settings
    return Plan(
        settings=settings,
        digest=digest(settings),
        calendars=choices.calendars,
        clock=house.clock,
        connect=house.connect,
        feed=house.feed,
        worker=lambda at, root: _worker(choices, at, root),
        version=__version__,
        code=code_digest(),
        reason=choices.reason,
        auto_confirm=choices.confirm == "auto",
        wall_time=choices.wall_time,
        prepare=house.prepare,
    )


class _Inside:
    """The exchange in this process."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices

    def prepare(self) -> None:
        """Make the market of the day, which takes numpy and a while."""
        from joed.market.thinker import market_of

        self._market = market_of(self._choices.day)
        next(self._market.quotes(), None)

    def clock(self, last_ns: int) -> Clock:
        """Go on from the newest record, or from the exchange's last turn, or begin at the origin."""
        choices = self._choices
        start_ns = max(last_ns, newest_ns(choices.places), choices.origin_ns)
        return SimulatedClock(start_ns) if choices.speed is None else RealClock(start_ns, choices.speed)

    def connect(self, at: Clock, emit: Emit) -> Mapping[str, Broker]:
        """Make the broker; `paper.db` has its account."""
        choices, settings = self._choices, self._choices.settings
        chance = Random(f"{PAPER_SEED}:{choices.day.seed}")  # noqa: S311 - a market's chance, not a secret
        exchange = Exchange(settings.universe, settings.paper, chance, base=settings.base_currency)
        store = PaperStore(choices.places.paper)
        closes = (choices.day.close_ns,)
        return {"paper": PaperBroker("paper", exchange, at, emit, settings.paper, store, closes=closes)}

    def feed(self, at: Clock, brokers: Mapping[str, Broker]) -> None:
        """Start the quotes and plan the halts."""
        broker = brokers["paper"]
        assert isinstance(broker, PaperBroker)
        self._market.start(at, broker.quote)
        plan_halts(at, self._market.halts, broker)


class _Beside:
    """The exchange in a process of its own, which a killed daemon finds again."""

    def __init__(self, choices: Choices) -> None:
        if choices.speed is None:
            raise ConfigError("--exchange process runs in real time: give it a --speed that is a number")
        refuse_long(choices.places.exchange)
        self._choices, self._speed = choices, choices.speed

    def prepare(self) -> None:
        """Nothing: the market is the exchange's."""

    def clock(self, last_ns: int) -> Clock:
        """Take over the exchange's time."""
        choices = self._choices
        hello = find_or_start(choices, max(last_ns, newest_ns(choices.places), choices.origin_ns), self._speed)
        return RealClock(hello.origin_ns, hello.speed, hello.base_ns)

    def connect(self, at: Clock, emit: Emit) -> Mapping[str, Broker]:
        """Make the link's keeper."""
        return {"paper": RemotePaperBroker("paper", self._choices.places.exchange, at, emit)}

    def feed(self, at: Clock, brokers: Mapping[str, Broker]) -> None:
        """Leave the quotes to the exchange."""


def refuse_long(socket: Path) -> None:
    """Refuse a path that no Unix socket can have (unix(7): 108 bytes with the zero at their end)."""
    size = len(os.fsencode(socket))
    if size > SOCKET_BYTES_MAX:
        raise ConfigError(
            f"the exchange's socket would have a path of {size} bytes, at most {SOCKET_BYTES_MAX} fit:"
            f" take a shorter --state-dir ({socket})"
        )


def find_or_start(choices: Choices, origin_ns: int, speed: float) -> Hello:
    """Give the greeting of the exchange that serves here: the one that is alive, or a new one."""
    where = choices.places.exchange
    with suppress(BrokerUnavailable, OSError):
        hello = read_hello(where, PROBE_S)
        if hello.now_ns + LEFT_OVER_NS >= choices.origin_ns:
            return hello
        shut_down(where)
    day = choices.day
    words = [sys.executable, "-P", "-m", "joed.venue", str(where), str(choices.places.paper), "--seed", str(day.seed)]
    words += ["--day", day.session, str(day.open_ns), str(day.close_ns)]
    words += ["--origin-ns", str(origin_ns), "--speed", str(speed)]
    words += ["--config", str(choices.config)] if choices.config is not None else []
    environment = {name: value for name, value in os.environ.items() if name not in PRIVATE}
    with (
        (choices.places.root / VENUE_LOG).open("ab") as log,
        subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment
        ) as child,
    ):
        until_ns = boot_ns() + int(VENUE_WAIT_S * SECOND)
        while boot_ns() < until_ns and child.poll() is None:
            with suppress(BrokerUnavailable, OSError):
                hello = read_hello(where, PROBE_S)
                child.returncode = 0  # it is on its own from here: `with` shall not wait for it
                return hello
            with suppress(subprocess.TimeoutExpired):
                child.wait(0.05)
        child.kill()
    raise BrokerUnavailable(f"the paper exchange did not start within {VENUE_WAIT_S:g} s ({VENUE_LOG} may say why)")


def end_venue(where: Places) -> None:
    """Have the exchange's process end in order, if there is one."""
    with suppress(BrokerUnavailable, OSError):
        shut_down(where.exchange)


def _worker(choices: Choices, at: Clock, root: Path) -> tuple[Worker, list[Work]]:
    """Give where jobs run: in this process when time is simulated, else in one of their own."""
    cache = root / "bars.db"
    if not at.simulated:
        child = Child(cache, choices.settings.daemon.worker_memory_mb, thinker(choices.day))
        return child, [child.serve]
    from joed.daemon.worker_main import InlineWorker
    from joed.market.thinker import market_of, teach

    inline = InlineWorker(cache)
    teach(inline, market_of(choices.day))
    return InlineJobs(at, inline.run, inline.bars), []


def newest_ns(where: Places) -> int:
    """Give the newest time that a state directory knows: of joed's record, of its exchange's log; 0 for none."""
    record = _number(where.journal, "SELECT max(at_ns) FROM records")
    return max(record, _number(where.paper, "SELECT max(at_ns) FROM log"))


def _number(path: Path, query: str) -> int:
    """Ask a database for a number, 0 where it has none; damage is for whoever opens it to tell."""
    if path.exists():
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as base:
            return int(base.execute(query).fetchone()[0] or 0)
    return 0
