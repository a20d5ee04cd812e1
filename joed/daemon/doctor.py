"""What the daemon finds when it looks at itself; joectl looks at the rest, and knows the remedies."""

import shutil
from pathlib import Path
from typing import NamedTuple

from joed.daemon.backups import newest
from joed.daemon.places import places
from joed.model.feeds import STREAM
from joed.model.values import DAY
from joed.model.view import BrokerView, View
from joed.protocol import read_latch

BACKUP_DAYS_MAX = 5
"""A long weekend with a holiday at each end."""
FREE_BYTES_MIN = 256 * 1024 * 1024

ASIDE_SHOWN = 8
"""Instruments that are named in one row; status names all."""


class Check(NamedTuple):
    """One thing looked at: its name, whether it is well, and what was found."""

    name: str
    ok: bool
    words: str


def checks(shown: View, state_dir: Path) -> list[dict[str, str | bool]]:
    """Look at everything; this asks the disk: call it off the loop."""
    return [check._asdict() for check in (*_shown(shown), _latch(state_dir), _disk(state_dir), _backup(state_dir))]


def _shown(shown: View) -> list[Check]:
    silent = [broker.name for broker in shown.brokers if not broker.up]
    unread = [broker.name for broker in shown.brokers if broker.up and not broker.reconciled]
    naked = [row.instrument for row in shown.positions if not row.protected]
    failed = [f"{job.name}: {job.failed}" for job in shown.jobs if job.failed]
    return [
        Check("health", shown.health == "ok", f"{shown.health}: {shown.phase}"),
        Check("brokers", bool(shown.brokers) and not silent, f"down: {', '.join(silent)}" if silent else "all up"),
        Check("books", not unread, f"not reconciled: {', '.join(unread)}" if unread else "reconciled"),
        Check("stops", not naked, f"without a stop: {', '.join(naked)}" if naked else "every position has its stop"),
        Check("jobs", not failed, "; ".join(failed) or "none failed"),
        *(check for broker in shown.brokers for check in of_broker(broker)),
        _drill(shown),
        _channels(shown),
        Check("queue", shown.queue_depth < 1000, f"{shown.queue_depth} events waiting"),
    ]


def of_broker(broker: BrokerView) -> list[Check]:
    """Look at one broker: its link and account, what its adapter found, what it cannot serve, what history lacks."""
    link = f"up, account {broker.account}" if broker.up else "it does not answer"
    came = f"{link}, prices by {broker.source}" if broker.source else link
    checks = [Check(f"{broker.name}: connection", broker.up and broker.source in ("", STREAM), came)]
    checks += [Check(f"{broker.name}: {found.name}", found.ok, found.words) for found in broker.findings]
    if broker.aside:
        words = "; ".join(f"{name} ({why})" for name, why in list(broker.aside.items())[:ASIDE_SHOWN])
        checks.append(Check(f"{broker.name}: instruments", False, f"{len(broker.aside)} set aside: {words}"))  # noqa: FBT003 - a Check's own word
    for kind, bars in broker.bars.items():
        names = ", ".join(list(bars.missing)[:ASIDE_SHOWN])
        lacking = f"none of {len(bars.missing)}: {names}" if bars.missing else f"{bars.instruments} names"
        checks.append(Check(f"{broker.name}: {kind} bars", not bars.missing, lacking))
    return checks


def _drill(shown: View) -> Check:
    """Tell how old the last drill is; one that failed is a fault."""
    found = shown.drilled
    if found is None:
        return Check("kill_drill", ok=True, words="never held: joectl kill --drill rehearses it on paper")
    if not found.passed:
        return Check("kill_drill", ok=False, words=f"the last one failed: {found.words}")
    return Check("kill_drill", ok=True, words=f"passed {(shown.now_ns - found.passed_ns) // DAY} days ago")


def _channels(shown: View) -> Check:
    """Tell which ways to a person fail, and which were never tried."""
    failing = [f"{row.name}: {row.failed}" for row in shown.channels if row.failed]
    untried = [row.name for row in shown.channels if not row.delivered_ns]
    if failing:
        return Check("alert_channels", ok=False, words="; ".join(failing))
    if untried:
        return Check("alert_channels", ok=True, words=f"never tried: {', '.join(untried)} (joectl alerts test CHANNEL)")
    names = ", ".join(row.name for row in shown.channels)
    return Check(
        "alert_channels", ok=True, words=f"{names} deliver" if names else "none: alerts stand in the log alone"
    )


def _latch(state_dir: Path) -> Check:
    found = read_latch(state_dir)
    return Check(
        "latch", found is None, f"killed: {found.scope}, by uid {found.uid}" if found else "no kill is latched"
    )


def _disk(state_dir: Path) -> Check:
    free = shutil.disk_usage(state_dir).free
    return Check("disk", free >= FREE_BYTES_MIN, f"{free // (1024 * 1024)} MiB free")


def _backup(state_dir: Path) -> Check:
    """Tell how old the newest backup is; a record that has none yet is no fault on its first day."""
    found = newest(places(state_dir).backup)
    if found is None:
        return Check("backup", ok=True, words="none yet: one is made after each session")
    session, age_ns = found
    days = age_ns // DAY
    return Check("backup", days <= BACKUP_DAYS_MAX, f"{session}, {days} days ago")
