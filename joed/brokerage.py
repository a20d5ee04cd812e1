"""A run at real brokers, one or several at once: their adapters, the wall's clock, a worker without an embedded market.

No broker's library is imported here: that waits for the making of its adapter.
"""

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from joed import __version__
from joed.brokers.base import Broker
from joed.compose import base_of, calendars_for, clock_of, code_digest, newest_ns
from joed.config import digest
from joed.daemon.adapters import PAPER, credentials_of, make, maker_of
from joed.daemon.clock import Clock, RealClock
from joed.daemon.credentials import Secrets
from joed.daemon.installed import mixed
from joed.daemon.places import Places
from joed.daemon.plan import Emit, Plan
from joed.daemon.supervise import Work
from joed.daemon.trading import Worker
from joed.daemon.worker import Worker as Child
from joed.engine.directions import differences, in_force
from joed.errors import ConfigError
from joed.model.events import SettingsLoaded
from joed.model.settings import Settings
from joed.model.values import Mode


def is_real(settings: Settings) -> bool:
    """Say whether these settings trade anywhere but at the embedded exchange."""
    return settings.brokers != (PAPER,)


def assigned(settings: Settings) -> Settings:
    """Give the settings with each instrument at one of the brokers that are used, those of others left out.

    A row that names no broker belongs to the only one there is. Raises ConfigError where that cannot be told, where the
    embedded exchange is to stand beside real ones, or where nothing is left to trade.
    """
    names = settings.brokers
    for name in names:
        if name != PAPER:
            maker_of(name)
    if PAPER in names:
        raise ConfigError("the paper broker plays a market of its own: it stands alone among `brokers`")
    universe = {}
    for symbol, row in settings.universe.items():
        if row.broker == PAPER and len(names) > 1:
            raise ConfigError(f"universe.{symbol}: say at which broker it trades, with several: {', '.join(names)}")
        found = replace(row, broker=names[0]) if row.broker == PAPER else row
        if found.broker in names:
            universe[symbol] = found
    if not any(row.tradable for row in universe.values()):
        raise ConfigError(f"the universe has nothing to trade at {', '.join(names)}: name it in universe.yaml")
    for key, symbol in (("index", settings.index), ("vix.instrument", settings.vix.instrument)):
        if symbol and symbol not in universe:  # an empty vix.instrument watches nothing, and a config says so
            raise ConfigError(f"{key} is {symbol}, which the universe does not have at {', '.join(names)}")
    return replace(settings, universe=universe)


def checked(settings: Settings, secrets: Secrets) -> tuple[Settings, dict[str, Any]]:
    """Give the assigned settings and each broker's credentials; raise ConfigError for whatever lacks."""
    found = assigned(settings)
    named = [word for word in map(str.strip, found.account.split(",")) if word]
    if named and len(found.brokers) > 1 and len(named) != len(found.brokers):
        order = ", ".join(found.brokers)
        raise ConfigError(f"account names {len(named)}: name one for each broker, in their order ({order})")
    if found.mode is Mode.LIVE and not found.account:
        raise ConfigError("mode is live: `account` must name the account to trade in, at each broker one")
    if found.mode is Mode.LIVE and (words := mixed()):
        raise ConfigError(f"{words}: install joed again, half a deployment trades no live account")
    return found, credentials_of(found.brokers, secrets)


def real_plan(options: Namespace, settings: Settings, folder: Path | None, where: Places, secrets: Secrets) -> Plan:
    """Plan a run at the brokers that the settings name."""
    settings, credentials = checked(settings, secrets)
    if options.confirm == "auto" and settings.mode is Mode.LIVE:
        raise ConfigError("--confirm auto is for paper accounts; this one is live")
    origin_ns, speed = clock_of(options.clock, settings)
    base_ns = base_of(options.clock)
    if speed is None:
        raise ConfigError("a broker lives in real time: give --clock a speed that is a number")

    def clock(last_ns: int) -> Clock:
        if base_ns is not None:  # the time of another process, which a restart does not move
            return RealClock(origin_ns, speed, base_ns)
        return RealClock(max(last_ns, origin_ns, newest_ns(where)), speed)

    def connect(at: Clock, emit: Emit) -> Mapping[str, Broker]:
        return {name: make(name, settings, at, emit, credentials[name], where.root) for name in settings.brokers}

    def worker(at: Clock, root: Path) -> tuple[Worker, list[Work]]:
        child = Child(root / "bars.db", settings.daemon.worker_memory_mb)
        return child, [child.serve]

    return Plan(
        settings=settings,
        digest=digest(settings),
        calendars=calendars_for(settings, folder),
        clock=clock,
        connect=connect,
        feed=_feed,
        worker=worker,
        version=__version__,
        code=code_digest(),
        auto_confirm=options.confirm == "auto",
        wall_time=options.clock is None,
        streams=True,
    )


def _feed(at: Clock, brokers: Mapping[str, Broker]) -> None:
    """Leave the quotes to the brokers."""


def reload_of(read: Callable[[], tuple[Settings, Path | None]]) -> Callable[[Settings], SettingsLoaded]:
    """Give what reads the files again, and leaves as it was what only a start puts in force."""

    def load(running: Settings) -> SettingsLoaded:
        settings, folder = read()
        loaded = assigned(settings)
        found = in_force(running, loaded)
        held = differences(found, loaded)
        return SettingsLoaded(found, digest(found), calendars_for(found, folder), "reload", held=held)

    return load
