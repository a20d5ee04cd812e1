"""Each mode of the command line: what it needs is imported when it is chosen, so that none pays for the others."""

import gc
import shutil
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from joed.config import load
from joed.contradictions import BROKERS
from joed.daemon.clock import utc_ns
from joed.daemon.own_settings import CALENDARS, load_own
from joed.daemon.places import Places, default_root, places
from joed.errors import ConfigError
from joed.model.settings import Settings
from joed.model.values import SECOND

if TYPE_CHECKING:
    from joed.daemon.clock import Clock
    from joed.daemon.credentials import Secrets
    from joed.daemon.log import Log
    from joed.daemon.plan import Plan
    from joed.daemon.supervise import Work
    from joed.daemon.trading import Worker

OK, FAILED, TEMPORARY, CONFIG, UNUSABLE = 0, 1, 75, 78, 255
DEFAULT_CONFIG = Path("/etc/joed/joed.yaml")


def run(options: Namespace) -> int:
    """Run the chosen mode and give its exit status."""
    name = next((mode for mode in MODES if getattr(options, mode, None)), "daemon")
    if name in SECRET:
        from joed.daemon.fence import hide_memory

        hide_memory()
    return MODES[name](options)


def settings_of(options: Namespace, *, needed: bool) -> tuple[Settings, Path | None]:
    """Load the configuration: the file that was named, the system's, or the defaults where a mode can do with them."""
    path = options.config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    if path is None and needed:
        raise ConfigError(f"there is no {DEFAULT_CONFIG}; name a file with --config, or try joed --demo")
    settings = load_own(path) if needed and path is not None else load(path)
    if options.broker:
        settings = _only(settings, options.broker)
    return settings, path.parent / CALENDARS if path is not None else None


def _only(settings: Settings, names: list[str]) -> Settings:
    """Trade at these brokers, whatever the file says."""
    unknown = sorted(set(names) - set(BROKERS))
    if unknown:
        raise ConfigError(f"broker {unknown[0]!r} is not known to this joed; there are: {', '.join(BROKERS)}")
    return replace(settings, brokers=tuple(dict.fromkeys(names)))


def check(options: Namespace) -> int:
    """Check the configuration and the calendars' age, and say what was found: in words, or as JSON."""
    from joed.brokerage import checked, is_real
    from joed.compose import calendars_for, refuse_unknown
    from joed.daemon.calendars import age
    from joed.daemon.courier import read_addresses
    from joed.daemon.credentials import Secrets

    try:
        settings, folder = settings_of(options, needed=True)
        if is_real(settings):
            settings, _ = checked(settings, Secrets.of())
        else:
            refuse_unknown(settings)
        read_addresses(settings.alerts, Secrets.of())
        calendars = calendars_for(settings, folder)
    except ConfigError as error:
        if options.json:
            _say({"ok": False, "error": str(error), "exit": CONFIG}, "", as_json=True)
        raise
    ages = [(calendar.name, age(calendar, utc_ns())) for calendar in calendars.values()]
    expired = [found.words for _, found in ages if found.state == "expired"]
    sound = f"the configuration is sound: {settings.mode} mode, brokers {', '.join(settings.brokers)}"
    body = {
        "ok": not expired,
        "mode": settings.mode,
        "brokers": settings.brokers,
        "calendars": [{"name": name, "state": found.state, "words": found.words} for name, found in ages],
        "error": expired[0] if expired else "",
        "exit": CONFIG if expired else OK,
    }
    lines = [found.words for _, found in ages] + ([] if expired else [sound])
    _say(body, "\n".join(lines), as_json=options.json)
    if expired:
        raise ConfigError(expired[0])
    return OK


def gate(options: Namespace) -> int:
    """Say whether a session is due, 0, 1, or 255, and of which market; now, or at the origin of --clock."""
    from joed.compose import calendars_for, clock_of
    from joed.daemon.calendars import age
    from joed.daemon.calendars import gate as gate_of
    from joed.engine.sessions import due

    try:
        settings, folder = settings_of(options, needed=False)
        calendars = calendars_for(settings, folder)
        now, _ = clock_of(options.clock, settings)
    except ConfigError as error:
        if options.json:
            _say({"gate": "unusable", "exit": UNUSABLE, "calendars": [], "error": str(error)}, "", as_json=True)
        sys.stderr.write(f"joed: {error}\n")
        return UNUSABLE
    lead_ns = int(settings.session.lead_s * SECOND)
    rows = [(calendar.name, age(calendar, now), due(calendar, now, lead_ns)) for calendar in calendars.values()]
    status = gate_of(calendars.values(), now, lead_ns)
    found = [{"name": name, "due": is_due, "state": old.state, "words": old.words} for name, old, is_due in rows]
    words = [
        f"{name}: {'a session is due' if is_due else 'no session is due'}; {old.words}" for name, old, is_due in rows
    ]
    body = {"gate": GATES[status], "exit": status, "calendars": found, "error": ""}
    _say(body, "\n".join([*words, f"the gate says {status}: {GATES[status]}"]), as_json=options.json)
    return status


GATES = {0: "due", 1: "none", 255: "unusable"}
"""What each of the gate's exit codes means."""


def _say(body: dict[str, Any], words: str, *, as_json: bool) -> None:
    """Print what was found, as JSON or in words."""
    import msgspec

    sys.stdout.write(f"{msgspec.json.encode(body).decode() if as_json else words}\n")


def demo(options: Namespace) -> int:
    """Run a day on the embedded market, tell it line by line, and print its report."""
    gc.disable()  # until READY, as for the daemon
    from joed.demo import run_demo

    settings, folder = settings_of(options, needed=False)
    with _state_dir(options.state_dir) as root:
        return run_demo(options, settings, folder, root)


@contextmanager
def _state_dir(asked: Path | None) -> Iterator[Path]:
    """Give the state directory that was named, or a temporary one that goes at the end."""
    if asked is not None:
        yield asked
        return
    root = Path(tempfile.mkdtemp(prefix="joed-demo-"))
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def daemon(options: Namespace) -> int:
    """Trade until the session ends, in the foreground."""
    gc.disable()  # until READY: what a start makes stays, so a collection would only cost time
    from joed.daemon.credentials import Secrets
    from joed.daemon.daemon import Daemon
    from joed.daemon.log import Log, adopt, pick_format
    from joed.daemon.order_lines import order_lines
    from joed.daemon.runner import run
    from joed.daemon.systemd import Notifier
    from joed.daemon.upkeep import upkeep

    settings, folder = settings_of(options, needed=True)
    where = places(options.state_dir or default_root(), witness=options.witness)
    where.make()
    secrets = Secrets.of()
    plan = replace(_plan(options, settings, folder, where, secrets), upkeep=upkeep(settings, where))
    key = secrets.maybe("summary_key")
    log = Log(pick_format(options.log_format), utc_ns, secrets=secrets.values)
    adopt(log)
    plan = replace(plan, tell=order_lines(log))
    try:
        plan = _with_reports(plan, where, key, log)
        return run(settings.daemon.loop, Daemon(plan, where, Notifier(), log).run)
    finally:
        log.close()


def _plan(options: Namespace, settings: Settings, folder: Path | None, where: Places, secrets: "Secrets") -> "Plan":
    """Plan the daemon's run: at real brokers, or on the embedded market."""
    where.refuse_demo()
    read = partial(settings_of, options, needed=True)
    if settings.brokers == ("paper",):
        from joed.compose import live_choices, paper_plan, reload_of

        return replace(paper_plan(live_choices(options, settings, folder, where)), reload=reload_of(read))
    from joed.brokerage import real_plan
    from joed.brokerage import reload_of as reload_real

    return replace(real_plan(options, settings, folder, where, secrets), reload=reload_real(read))


def _with_reports(plan: "Plan", where: Places, key: str, log: "Log") -> "Plan":
    """Have each day's summary written into `reports/`, by a program of its own."""
    from joed.daemon.reporter import Reporter, written
    from joed.daemon.telling import both

    reporter = Reporter(plan.settings.summary, key, partial(written, where.root), log)

    def worker(at: "Clock", root: Path) -> "tuple[Worker, list[Work]]":
        made, works = plan.worker(at, root)
        if any(row.kind == "crypto" for row in plan.settings.universe.values()) and plan.settings.crypto.sources:
            from joed.daemon.outside import Outside

            made = outside = Outside(made, plan.settings.crypto, at, where.root / "outside.json", log)
            works = [*works, outside.serve]
        return made, [*works, reporter.run]

    return replace(plan, worker=worker, tell=both(plan.tell, reporter.tell))


def failsafe(options: Namespace) -> int:
    """Do what a dead daemon cannot: cancel entries, look after stops, tell what is left. Imports no engine."""
    from joed.daemon.credentials import Secrets
    from joed.daemon.failsafe import run_failsafe, words_of
    from joed.daemon.log import Log, adopt, pick_format

    try:
        fallback = settings_of(options, needed=True)[0]
    except ConfigError:
        fallback = None  # the record has the settings; a broken file must not keep the failsafe
    log = Log(pick_format(options.log_format), utc_ns, secrets=Secrets.of().every())
    adopt(log)
    try:
        report = run_failsafe(places(options.state_dir or default_root()), log, fallback)
    finally:
        log.close()
    if options.json:
        import msgspec

        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        sys.stdout.write(f"{words_of(report)}\n")
    return OK if report.safe else FAILED


def once(options: Namespace) -> int:
    """Analyse once and print what would be watched and what would open a position; with --trade let it."""
    if options.trade:
        return _trade_once(options)
    from joed.once import run_once

    settings, folder = settings_of(options, needed=True)
    return run_once(options, settings, folder)


def _trade_once(options: Namespace) -> int:
    """Live as the daemon does until the triggers of one round of thinking had their time."""
    from joed.batch import trade_once, with_the_morning
    from joed.daemon.credentials import Secrets
    from joed.daemon.log import Log, adopt, pick_format

    settings, folder = settings_of(options, needed=True)
    where = places(options.state_dir or default_root(), witness=options.witness)
    where.make()
    secrets = Secrets.of()
    log = Log(pick_format(options.log_format), utc_ns, secrets=secrets.values)
    adopt(log)
    try:
        plan = _plan(options, settings, folder, where, secrets)
        log.hide(secrets.values)
        if settings.brokers == ("paper",):
            plan = with_the_morning(plan, options, settings, folder, where)
        return trade_once(plan, where, log, as_json=options.json)
    finally:
        log.close()


def audit(options: Namespace) -> int:
    """Check or print the record of a state directory, with or without a daemon."""
    from joed.daemon.audit import export, verify

    root = options.state_dir or default_root()
    if options.audit == "export":
        export(root, options.format, sys.stdout)
        return OK
    verdict = verify(root, anchors=_anchors(options))
    return _tell_verdict(verdict, as_json=options.json)


def export(options: Namespace) -> int:
    """Print a table of the record, with or without a daemon: CSV, or JSON."""
    import csv

    from joed.report.export import COLUMNS, table_of
    from joed.report.rows import Ledger

    root = options.state_dir or default_root()
    with Ledger(places(root).journal) as ledger:
        rows = table_of(options.export, ledger, options.year)
    if options.json:
        import msgspec

        sys.stdout.write(msgspec.json.format(msgspec.json.encode(rows), indent=2).decode() + "\n")
    else:
        out = csv.DictWriter(sys.stdout, COLUMNS[options.export], lineterminator="\n")
        out.writeheader()
        out.writerows(rows)
    return OK


def _anchors(options: Namespace) -> list[Any]:
    """Give the anchors to hold the journal against: those that were named, and those of a log."""
    from joed.daemon.anchor import anchors_in, asked

    try:
        found = [asked(words) for words in options.anchor or ()]
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if options.journal is not None:
        with options.journal.open(encoding="utf-8", errors="replace") as lines:
            in_log = list(anchors_in(lines))
        if not in_log:
            raise ConfigError(f"there is no anchor in {options.journal}")
        found += in_log
    return found


def _tell_verdict(verdict: Any, *, as_json: bool) -> int:  # noqa: ANN401 - audit.Verdict
    import msgspec

    if as_json:
        sys.stdout.write(msgspec.json.encode(verdict).decode() + "\n")
    else:
        sys.stdout.write(f"{verdict.words}\n")
    return OK if verdict.whole else FAILED


def backtest(options: Namespace) -> int:
    """Run bars or quotes through the core and print the report."""
    from joed.backtest import run_backtest
    from joed.data import read
    from joed.walkforward import is_daily, run_forward

    settings, _ = settings_of(options, needed=False)
    file = read(options.backtest, utc_ns())
    if is_daily(file):
        return run_forward(options.backtest, file, settings, options)
    return run_backtest(options.backtest, settings, options)


def replay(options: Namespace) -> int:
    """Decide a recorded session again."""
    from joed.replay import run_replay

    root = options.state_dir or default_root()
    if options.other is not None:
        from joed.rerun import run_with

        return run_with(root, options.replay, load(options.other), options)
    settings = load(options.config) if options.config is not None else None
    return run_replay(root, options.replay, settings, options)


def simulate(options: Namespace) -> int:
    """Run seeded worlds."""
    from joed.sim.world import run_seeds

    return run_seeds(options.simulate, as_json=options.json)


MODES: dict[str, Callable[[Namespace], int]] = {
    "once": once,
    "demo": demo,
    "replay": replay,
    "backtest": backtest,
    "simulate": simulate,
    "audit": audit,
    "export": export,
    "check": check,
    "gate": gate,
    "failsafe": failsafe,
    "daemon": daemon,
}
"""Name of the flag -> what runs."""
SECRET = ("daemon", "once", "check", "failsafe")
"""The modes that read credentials: nobody of the same user looks into them."""
