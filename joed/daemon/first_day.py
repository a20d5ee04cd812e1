"""What the first live day needs beyond a healthy daemon: looked at once, by `joectl doctor --live`, and recorded."""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from joed.daemon.calendars import age, load_table
from joed.daemon.clock import synchronised, utc_ns
from joed.daemon.credentials import Secrets
from joed.daemon.doctor import Check
from joed.daemon.doctor import checks as daily
from joed.daemon.systemd import watchdog_s
from joed.engine.confirming import FAILED, PASSED
from joed.engine.health import JOURNAL
from joed.errors import JoedError
from joed.model.values import DAY, SECOND, Mode
from joed.model.view import View

ALERT_AGE_DAYS_MAX = 1
DRILL_AGE_DAYS_MAX = 30


def checks(shown: View, state_dir: Path, drilled: str, environ: Mapping[str, str] = os.environ) -> list[Check]:
    """Look at everything; this asks the disk: call it off the loop. `drilled` is a paper account's state directory."""
    healthy = [Check(str(row["name"]), bool(row["ok"]), str(row["words"])) for row in daily(shown, state_dir)]
    return [
        *healthy,
        _journal(shown),
        _account(shown),
        _calendar(shown),
        _clock(),
        _watchdog(environ),
        _credentials(Secrets.of(environ)),
        _drill(shown, drilled),
        _alerts(shown),
    ]


def outcome(found: list[Check]) -> dict[str, str]:
    """Give what the engine is told of it: how many passed, or which did not."""
    failed = [check.name for check in found if not check.ok]
    return {FAILED: ", ".join(failed)} if failed else {PASSED: str(len(found))}


def _journal(shown: View) -> Check:
    failed = any(block.reason == JOURNAL for block in shown.blocks)
    return Check("journal", not failed, "it cannot commit" if failed else f"durable to seq {shown.seq}")


def _account(shown: View) -> Check:
    if shown.mode is not Mode.LIVE:
        return Check("account", ok=False, words=f"mode is {shown.mode}: there is nothing to pass")
    bound = ", ".join(shown.signing.bound.values())
    return Check("account", bool(bound), f"bound to {bound}" if bound else "no broker has announced one yet")


def _calendar(shown: View) -> Check:
    try:
        found = age(load_table(shown.clock.calendar), utc_ns())
    except JoedError as error:
        return Check("calendar", ok=False, words=str(error))
    return Check("calendar", found.state != "expired", found.words)


def _clock() -> Check:
    well = synchronised()
    return Check("clock", well, "synchronised" if well else "the kernel says that nothing keeps the clock right")


def _watchdog(environ: Mapping[str, str]) -> Check:
    asked = watchdog_s(dict(environ))
    if asked is None:
        return Check("watchdog", ok=False, words="nobody watches this process: start it as a service")
    return Check("watchdog", ok=True, words=f"a ping is wanted each {asked:g} s")


def _credentials(secrets: Secrets) -> Check:
    if secrets.directory is None:
        return Check("credentials", ok=True, words="none are given")
    try:
        count, loose = secrets.count(), secrets.loose()
    except OSError as error:
        return Check("credentials", ok=False, words=f"they cannot be looked at: {error.strerror}")
    words = f"others may read {', '.join(loose)}" if loose else f"{count} of them, nobody else may read them"
    return Check("credentials", not loose, words)


def _drill(shown: View, drilled: str) -> Check:
    """Look for a kill drill: this account's, or that of the paper account at `drilled`; real money drills nothing."""
    here = shown.drilled.passed_ns if shown.drilled is not None else 0
    at_ns = max(here, _drilled_ns(Path(drilled))) if drilled else here
    days = (utc_ns() - at_ns) // DAY
    if not at_ns:
        return Check("drill", ok=False, words="no kill drill has passed: joectl kill --drill on the paper account")
    return Check("drill", days <= DRILL_AGE_DAYS_MAX, f"a kill drill passed {days} days ago")


def _drilled_ns(root: Path) -> int:
    """Give when a drill last passed in another state directory, 0 for never."""
    query = "SELECT at_ns, json FROM commands WHERE type = 'EndDrill' ORDER BY seq DESC LIMIT 1"
    try:
        with closing(sqlite3.connect(f"{(root / 'joed.db').absolute().as_uri()}?mode=ro", uri=True)) as base:
            row = base.execute(query).fetchone()
    except sqlite3.Error:
        return 0
    return int(row[0]) if row is not None and msgspec.json.decode(row[1]).get("passed") else 0


def _alerts(shown: View) -> Check:
    at_ns = shown.signing.delivered_ns
    if not at_ns or shown.now_ns - at_ns > ALERT_AGE_DAYS_MAX * DAY:
        return Check("alerts", ok=False, words="no alert has reached anybody today: a test is on its way, look again")
    return Check("alerts", ok=True, words=f"one was delivered {(shown.now_ns - at_ns) // SECOND} s ago")
