"""A day for somebody who wants to see one: the embedded market, a paper account, told line by line, and its report."""

import asyncio
import json
import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from joed import compose, narrate
from joed.daemon.clock import utc_ns
from joed.daemon.daemon import Daemon
from joed.daemon.lanes import answers
from joed.daemon.log import Log, adopt, pick_format
from joed.daemon.places import Places, places
from joed.daemon.plan import Plan
from joed.daemon.reads import Record
from joed.daemon.systemd import Notifier
from joed.errors import ConfigError
from joed.market.day import AFTER_CLOSE_S, DEMO_DATE_NS, LEAD_S, day_at, demo_settings
from joed.model.settings import Settings
from joed.model.values import SECOND
from joed.protocol import announce_demo, read_demo

TEMPORARY = 75
ANOTHER = "take another --state-dir"
WEB_PORT = 9465
"""Where a demo's page is, unless a configuration says otherwise."""


def run_demo(options: Namespace, settings: Settings, folder: Path | None, root: Path) -> int:
    """Run the demo and print the day's report."""
    where = places(root)
    where.make()
    choices = choose(options, settings, folder, where)
    status = TEMPORARY
    try:
        plan = replace(compose.paper_plan(choices), tell=tell, on_page=lambda url: tell_line(f"page      {url}"))
        status = live(plan, where, options)
    finally:
        if status != TEMPORARY or options.state_dir is None:  # else the next start finds a world that went on
            compose.end_venue(where)
    if status == 0:
        from joed.report import day_report

        sys.stdout.write(day_report(where, choices.day.session, as_json=options.json))
    return status


def choose(options: Namespace, settings: Settings, folder: Path | None, where: Places) -> compose.Choices:
    """Give what a demo runs with: the day that its state directory has come to, or the first."""
    seed = seed_of(where, options.seed)
    settings = demo_settings(settings)
    if options.config is None and not settings.daemon.web_port:
        settings = replace(settings, daemon=replace(settings.daemon, web_port=WEB_PORT))
    calendars = compose.calendars_for(settings, folder)
    newest_ns = max(compose.newest_ns(where), DEMO_DATE_NS)
    day = day_at(seed, calendars[settings.calendar], newest_ns, after_s=AFTER_CLOSE_S)
    confirm = options.confirm or "auto"  # the day's card is signed by the demo's own hand
    settings = replace(settings, confirm=replace(settings.confirm, paper=True))
    return compose.Choices(
        settings,
        calendars,
        where,
        day,
        speed=options.speed,
        confirm=confirm,
        exchange=options.exchange,
        origin_ns=day.open_ns - int(LEAD_S * SECOND),
        config=options.config,
        reason="demo",
    )


def seed_of(where: Places, asked: int | None) -> int:
    """Give the seed of this state directory's world: the one it began with, else what was asked for, else 1."""
    file = where.demo
    if file.exists():
        known = _seed_in(file)
        if asked is not None and asked != known:
            raise ConfigError(f"{where.root} is the world of seed {known}; take another --state-dir for seed {asked}")
        return known
    if where.journal.exists():
        raise ConfigError(f"{where.root} is a daemon's: a demo's prices would stand in its record; {ANOTHER}")
    seed = 1 if asked is None else asked
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps({"seed": seed}) + "\n", "utf-8")
    fresh.rename(file)  # a kill leaves the whole file or none
    return seed


def _seed_in(file: Path) -> int:
    try:
        return int(json.loads(file.read_text("utf-8"))["seed"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} does not name a seed; {ANOTHER}") from error


def live(plan: Plan, where: Places, options: Namespace) -> int:
    """Run the daemon in the foreground, where joectl finds it, and give its exit status."""
    log = Log(pick_format(options.log_format), utc_ns, level="warning")
    adopt(log)
    try:
        with announced(where):
            return asyncio.run(Daemon(plan, where, Notifier(), log).run())
    finally:
        log.close()


@contextmanager
def announced(where: Places) -> Iterator[None]:
    """Tell joectl where this demo is, until it is over."""
    other = read_demo(os.environ)
    if other is not None and answers(other):
        sys.stderr.write(f"another demo is running; this one answers to: joectl --state-dir {where.root}\n")
        yield
        return
    address = announce_demo(os.environ, where.socket)
    ours = address.read_bytes()
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            if address.read_bytes() == ours:  # another demo may have begun since
                address.unlink()


def tell(record: Record) -> None:
    """Tell a record to whoever watches; the report alone goes to standard output."""
    for line in narrate.lines(record):
        tell_line(line)


def tell_line(line: str) -> None:
    """Tell a line to whoever watches."""
    sys.stderr.write(line + "\n")
