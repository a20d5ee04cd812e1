"""A day for somebody who wants to see one: the embedded market, a paper account, told line by line, and its report."""

import asyncio
import json
import os
import sys
from argparse import Namespace
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from joed import compose, narrate, venue
from joed.daemon.clock import utc_ns
from joed.daemon.daemon import Daemon, Plan
from joed.daemon.log import Log, adopt, pick_format
from joed.daemon.places import Places, places
from joed.daemon.systemd import Notifier
from joed.errors import ConfigError
from joed.market.day import DEMO_DATE_NS, demo_settings, market_at
from joed.model.settings import Settings
from joed.model.values import SECOND
from joed.protocol import announce_demo

LEAD_NS = 600 * SECOND
TELL_EVERY_S = 0.2
LINES_AT_ONCE = 100_000
NAME = "demo.json"


def run_demo(options: Namespace, settings: Settings, folder: Path | None, root: Path) -> int:
    """Run the demo and print the day's report."""
    where = places(root)
    where.make()
    seed = _seed(where, options.seed)
    calendars = compose.calendars_for(settings, folder)
    last_ns = compose.last_record_ns(where)
    market = market_at(seed, calendars[settings.calendar], max(last_ns, DEMO_DATE_NS))
    settings = demo_settings(settings, market)
    choices = compose.Choices(
        settings,
        calendars,
        where,
        seed=seed,
        speed=options.speed,
        confirm=options.confirm or "auto",
        exchange=options.exchange,
        origin_ns=market.open_ns - LEAD_NS,
        config=options.config,
        reason="demo",
    )
    if choices.confirm == "manual":
        choices = replace(choices, settings=replace(settings, confirm=replace(settings.confirm, paper=True)))
    plan = compose.paper_plan(choices, market)
    try:
        status = _live(plan, where, options)
    finally:
        venue.end(where.run / compose.VENUE_SOCKET)
    if status == 0:
        _report(where, market.session, as_json=options.json)
    return status


def _seed(where: Places, asked: int | None) -> int:
    """Give the seed of this state directory's world: the one it began with, else what was asked for, else 1."""
    file = where.root / NAME
    if file.exists():
        known = int(json.loads(file.read_text("utf-8"))["seed"])
        if asked is not None and asked != known:
            raise ConfigError(f"{where.root} is the world of seed {known}; take another --state-dir for seed {asked}")
        return known
    seed = 1 if asked is None else asked
    file.write_text(json.dumps({"seed": seed}) + "\n", "utf-8")
    return seed


def _live(plan: Plan, where: Places, options: Namespace) -> int:
    log = Log(pick_format(options.log_format), utc_ns, level="warning")
    adopt(log)

    async def live() -> int:
        daemon = Daemon(plan, where, Notifier(), log)
        address = announce_demo(os.environ, where.socket)
        try:
            return await _told(daemon)
        finally:
            with suppress(FileNotFoundError):
                address.unlink()

    try:
        return asyncio.run(live())
    finally:
        log.close()


async def _told(daemon: Daemon) -> int:
    """Run the daemon, and tell its records as they become durable."""
    teller = Teller(daemon)
    telling = asyncio.ensure_future(teller.run())
    try:
        return await daemon.run()
    finally:
        telling.cancel()
        await teller.tell()


class Teller:
    """Tells each durable record once."""

    def __init__(self, daemon: Daemon) -> None:
        """Tell this daemon's records, from its next one on."""
        self._daemon = daemon
        self._told = 0

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            await self.tell()

    async def tell(self) -> None:
        """Tell what has become durable since the last time."""
        if self._daemon.desk is None:
            return
        for record in await self._daemon.desk.records(self._told, LINES_AT_ONCE):
            self._told = record.seq
            for line in narrate.lines(record):
                sys.stderr.write(line + "\n")


def _report(where: Places, session: str, *, as_json: bool) -> None:
    from joed.report import day_report

    sys.stdout.write(day_report(where, session, as_json=as_json))
