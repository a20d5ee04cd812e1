"""Market hours for people: the days ahead with their source and age, a day that is closed by hand, timers for systemd.

`joectl calendar` runs this as a program of its own (`python -m joed.timetable`): it reads the files that a start would
read, needs no daemon, and says what a start would do. `close` writes one line of `calendar.d/`, whole or not at all.
"""

import argparse
import datetime as dt
import json
import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from joed.compose import calendars_for
from joed.config import load
from joed.daemon.calendars import age, load_calendars, parse_overrides
from joed.daemon.clock import utc_ns
from joed.engine.sessions import local_date, session_on, upcoming, why_closed
from joed.errors import ConfigError
from joed.model.calendars import Calendar
from joed.model.settings import Session, Settings
from joed.model.values import MINUTE, SECOND

OK, REFUSED = 0, 1
CONFIG, STATE = Path("/etc/joed/joed.yaml"), Path("/var/lib/joed")
DAYS, DAYS_MAX = 8, 400
HAND = "by-hand-{name}.yaml"
"""The file of calendar.d that this program writes; the others are a person's."""
CLOSE_SPARE_NS = 5 * MINUTE
"""How long after joed should have ended by itself the backstop comes."""
UNITS = ("joed-open.timer", "joed-close.timer")
WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
ALWAYS_OPEN = "{name} never closes: enable joed.service itself, and no timer (drop-in 30-around-the-clock.conf)"


def table(calendar: Calendar, now: int, days: int) -> dict[str, Any]:
    """Give a calendar's source, its age, what is overridden, and the days ahead from today on."""
    old = age(calendar, now)
    ended = str(calendar.valid_until) if calendar.valid_until else None
    made = str(calendar.generated_on) if calendar.generated_on else None
    return {
        "name": calendar.name,
        "timezone": calendar.timezone,
        "source": calendar.source,
        "generated_on": made,
        "valid_until": ended,
        "days_left": old.days_left,
        "state": old.state,
        "overrides": [
            {"date": str(day.date), "closed": day.closed, "reason": day.reason, "source": day.source}
            for day in calendar.overrides
        ],
        "days": list(islice(ahead(calendar, local_date(calendar, now)), days)),
    }


def ahead(calendar: Calendar, first: dt.date) -> Iterator[dict[str, Any]]:
    """Give each day from `first` on that a session or a closed weekday makes worth a line."""
    for offset in range(DAYS_MAX):
        date = first + dt.timedelta(days=offset)
        found = session_on(calendar, date)
        if found is not None:
            hours = {"open": clock(calendar, found.open_ns), "close": clock(calendar, found.close_ns)}
            yield {"date": str(date), **hours, "early": found.early, "guessed": found.guessed, "closed": ""}
        elif (why := why_closed(calendar, date)) != "weekend":
            yield {"date": str(date), "open": "", "close": "", "early": False, "guessed": False, "closed": why}


def clock(calendar: Calendar, at_ns: int) -> str:
    """Write an instant as a clock at the exchange shows it, with its zone: "2027-03-15 09:30 EDT"."""
    return f"{dt.datetime.fromtimestamp(at_ns // SECOND, ZoneInfo(calendar.timezone)):%Y-%m-%d %H:%M %Z}"


def words(found: dict[str, Any]) -> str:
    """Write a calendar for a person."""
    made = f", generated {found['generated_on']}" if found["generated_on"] else ""
    ends = f"; table ends {found['valid_until']}, {found['days_left']} days left" if found["valid_until"] else ""
    lines = [f"{found['name']}  {found['timezone']}  {found['source']}{made}{ends}  {found['state']}"]
    for day in found["days"]:
        date = dt.date.fromisoformat(day["date"])
        told = f"closed: {day['closed']}" if day["closed"] else f"{day['open'][11:16]} to {day['close'][11:]}"
        marks = "".join(f", {mark}" for mark in ("early", "guessed") if day[mark])
        lines.append(f"  {date:%a %d %b %Y}  {told}{marks}".replace(", early", ", closes early"))
    lines += [
        f"  override {day['date']}{' closed' if day['closed'] else ''}: {day['reason'] or '-'} ({day['source']})"
        for day in found["overrides"]
    ]
    return "\n".join(lines)


def close_day(folder: Path, calendar: Calendar, date: dt.date, reason: str) -> Path:
    """Say in calendar.d that a day has no session; give the file. Refuses what has none, or is said elsewhere.

    The file is written beside its name, read back as a start would read it, and then renamed.
    """
    if session_on(calendar, date) is None:
        raise ConfigError(f"{calendar.name} has no session on {date}: {why_closed(calendar, date)}")
    file = folder / HAND.format(name=calendar.name.lower())
    earlier = {day.date: day.reason for day in _by_hand(file)}
    if any(day.date == date for day in calendar.overrides):
        raise ConfigError(f"calendar.d has hours for {calendar.name} on {date} already ({folder})")
    rows = sorted({**earlier, date: reason or "closed by hand"}.items())
    lines = [f"# Written by joectl calendar close.\ncalendar: {calendar.name}\nclosed:\n"]
    lines += [f"  {day}: {json.dumps(why, ensure_ascii=False)}\n" for day, why in rows]
    text = "".join(lines)
    parse_overrides(str(file), text)
    folder.mkdir(exist_ok=True)
    part = file.with_suffix(".part")
    with part.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    part.chmod(0o644)
    part.replace(file)
    return file


def _by_hand(file: Path) -> Sequence[Any]:
    return parse_overrides(str(file), file.read_text("utf-8"))[1] if file.exists() else ()


def timers(calendar: Calendar, session: Session) -> dict[str, str]:
    """Give the drop-ins with which joed's timers keep this market's hours: path below /etc/systemd/system -> text.

    The opening timer rings `lead_s` before the open on each weekday that may have a session (the gate knows holidays),
    the closing one after the last moment at which joed should have ended. Both are in the exchange's own time, so a
    change of clocks moves them with it. Raises ConfigError for a market that never closes.
    """
    if calendar.kind == "24x7":
        raise ConfigError(ALWAYS_OPEN.format(name=calendar.name))
    opens = _ring(calendar, "open_ns", -int(session.lead_s * SECOND))
    closes = _ring(calendar, "after_close_ns", int(session.after_close_s * SECOND) + CLOSE_SPARE_NS)
    if calendar.kind == "24x5":  # one week without a pause: only its end is an end
        days, rest = closes.split(" ", 1)
        closes = f"{days.rpartition('..')[2]} {rest}"
    head = f"# {calendar.name}, by joectl calendar emit-timers.\n[Timer]\nOnCalendar=\n"
    rings = zip(UNITS, (opens, closes), strict=True)
    return {f"{unit}.d/50-calendar.conf": f"{head}OnCalendar={when}\n" for unit, when in rings}


def _ring(calendar: Calendar, edge: str, offset_ns: int) -> str:
    """Write when, in the week, something is before or after an edge of the regular sessions (systemd.time(7))."""
    plain = Calendar(**{name: getattr(calendar, name) for name in REGULAR})
    week = upcoming(plain, _monday_ns(), 5)
    local = [
        dt.datetime.fromtimestamp((getattr(day, edge) + offset_ns) // SECOND, ZoneInfo(calendar.timezone))
        for day in week
    ]
    return f"{WEEK[local[0].weekday()]}..{WEEK[local[-1].weekday()]} *-*-* {local[0]:%H:%M:%S} {calendar.timezone}"


REGULAR = ("name", "timezone", "kind", "open", "close", "pre_open", "after_close", "after_close_early")
"""What of a calendar is true in any week."""


def _monday_ns() -> int:
    """Give the middle of a Sunday in June, in a year without a change of clocks near it."""
    return int(dt.datetime(2027, 6, 6, 12, tzinfo=dt.UTC).timestamp()) * SECOND


def show(options: argparse.Namespace, settings: Settings, calendars: dict[str, Calendar]) -> int:
    """Print every calendar that the configuration needs, or the one that is named."""
    found = [table(calendar, utc_ns(), options.days) for calendar in calendars.values()]
    print(json.dumps({"calendars": found}) if options.json else "\n\n".join(map(words, found)))
    return OK


def close(options: argparse.Namespace, settings: Settings, calendars: dict[str, Calendar]) -> int:
    """Close a day by hand."""
    calendar = calendars[options.market or settings.calendar]
    try:
        date = dt.date.fromisoformat(options.date)
    except ValueError:
        raise ConfigError(f"a day is named as YYYY-MM-DD, not {options.date!r}") from None
    file = close_day(options.config.parent / "calendar.d", calendar, date, options.reason)
    said = f"{calendar.name} is closed on {date} ({file})"
    print(json.dumps({"calendar": calendar.name, "date": str(date), "file": str(file)}) if options.json else said)
    return OK


def emit_timers(options: argparse.Namespace, settings: Settings, calendars: dict[str, Calendar]) -> int:
    """Print the drop-ins, or write them below a folder."""
    calendar = calendars[options.market or settings.calendar]
    for name, text in timers(calendar, settings.session).items():
        if options.into is None:
            print(f"# /etc/systemd/system/{name}\n{text}")
            continue
        file = options.into / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        print(file)
    return OK


def textfile(options: argparse.Namespace, settings: Settings, calendars: dict[str, Calendar]) -> int:
    """Write for the node exporter's textfile collector what joed cannot say while it is down; whole or not at all."""
    text = exposition(calendars, utc_ns(), failsafe_ns(options.state_dir / "joed.db"))
    if options.into is None:
        print(text, end="")
        return OK
    part = options.into.with_suffix(".part")  # the collector reads what ends in .prom
    part.write_text(text, "utf-8")
    part.chmod(0o644)
    part.replace(options.into)
    return OK


def exposition(calendars: dict[str, Calendar], now: int, failsafe: int) -> str:
    """Give each market's session that is on or comes next, and the failsafe's last run (0: never), in UTC seconds."""
    sessions = {calendar.name: next(iter(upcoming(calendar, now, 1)), None) for calendar in calendars.values()}
    lines = []
    for edge in ("open", "close"):
        name = f"joed_calendar_session_{edge}_timestamp_seconds"
        lines += [f"# HELP {name} the {edge} of the session that is on or comes next", f"# TYPE {name} gauge"]
        for market, found in sessions.items():
            if found is not None:
                lines.append(f'{name}{{market="{market}"}} {getattr(found, f"{edge}_ns") // SECOND}')
    name = "joed_failsafe_last_run_timestamp_seconds"
    lines += [f"# HELP {name} when the failsafe last closed something", f"# TYPE {name} gauge"]
    return "\n".join([*lines, f"{name} {failsafe // SECOND}", ""])


def failsafe_ns(journal: Path) -> int:
    """Give when a failsafe last stood in the record, 0 for never or where there is none to read."""
    if not journal.exists():
        return 0
    there = f"{journal.absolute().as_uri()}?mode=ro"
    with suppress(sqlite3.Error), closing(sqlite3.connect(there, uri=True)) as base:
        return int(base.execute("SELECT max(at_ns) FROM records WHERE kind = 'FailsafeRan'").fetchone()[0] or 0)
    return 0


ACTIONS = {"show": show, "close": close, "emit-timers": emit_timers, "textfile": textfile}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was asked and give an exit status: 0, or 1 with the reason on standard error."""
    made = argparse.ArgumentParser(prog="joectl calendar", description="market hours")
    made.add_argument("action", choices=tuple(ACTIONS))
    made.add_argument("date", nargs="?", default="")
    made.add_argument("--market", default="")
    made.add_argument("--config", type=Path, default=CONFIG)
    made.add_argument("--days", type=int, default=DAYS)
    made.add_argument("--into", type=Path)
    made.add_argument("--state-dir", type=Path, default=STATE)
    made.add_argument("--reason", default="")
    made.add_argument("--json", action="store_true")
    options = made.parse_args(arguments)
    try:
        default = options.config == CONFIG and not CONFIG.exists()
        settings = load(None if default else options.config)
        folder = options.config.parent / "calendar.d"
        named = (options.market,) if options.market else ()
        calendars = load_calendars(named, folder) if named else calendars_for(settings, folder)
        return ACTIONS[options.action](options, settings, calendars)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: that is no fault
        return 0
    except (ConfigError, OSError) as error:
        sys.stderr.write(f"joectl: {error}\n")
        return REFUSED


if __name__ == "__main__":
    sys.exit(main())
