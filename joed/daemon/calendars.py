"""Calendars from the disk: the shipped tables, the operator's overrides folded in, and how long a table still holds.

An override file that cannot be read to the last word is refused whole: half of what an operator meant is not safer than
none. All its scalars are read as text, for YAML would make 780 of an unquoted 13:00.
"""

import datetime as dt
import re
from collections.abc import Iterable
from difflib import get_close_matches
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from joed.engine.sessions import due, local_date, session_on, with_overrides
from joed.errors import ConfigError
from joed.model.calendars import Calendar, Override

FRESH_DAYS_MIN = 60
"""A table with fewer days left is ageing: time for a new release, or for overrides."""
CLOSED_DAYS_MAX = 200
"""How many days overrides may close in one calendar: a search for the next session stays inside its bound."""
FILE_BYTES_MAX = 65_536
FILES_MAX = 100
YEAR_MIN, YEAR_MAX = 1990, 2100

GATE_DUE, GATE_NONE, GATE_UNUSABLE = 0, 1, 255

KEYS = ("calendar", "closed", "hours", "reason")
HOURS_KEYS = ("open", "close", "reason")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")

Overrides = dict[str, tuple[Override, ...]]


class Age(msgspec.Struct, frozen=True):
    """How long a calendar's table still holds; `days_left` is None where it never ends."""

    calendar: str
    state: Literal["fresh", "ageing", "expired"]
    days_left: int | None
    words: str


def shipped() -> tuple[str, ...]:
    """Name the calendars that come with joed, sorted."""
    return tuple(
        sorted(file.name[: -len(".json")].upper() for file in _tables().iterdir() if file.name.endswith(".json"))
    )


def load_table(name: str) -> Calendar:
    """Read one shipped calendar, without overrides."""
    if name not in shipped():
        raise ConfigError(f"no calendar is called {name!r}{_meant(name.upper(), shipped())}")
    return parse_table(name, (_tables() / f"{name.lower()}.json").read_bytes())


def parse_table(name: str, text: bytes) -> Calendar:
    """Give the calendar that this JSON holds, once it is sound: its name, its zone, its order."""
    try:
        calendar = msgspec.json.decode(text, type=Calendar)
        ZoneInfo(calendar.timezone)
    except ZoneInfoNotFoundError as error:
        raise ConfigError(f"calendar {name} needs a time zone that this machine lacks: {error}") from error
    except ValueError as error:  # msgspec's errors are such, and so is a zone's name that is no name
        raise ConfigError(f"the table of calendar {name} is broken: {error}") from error
    if calendar.name != name:
        raise ConfigError(f"the table of calendar {name} is broken: it calls itself {calendar.name!r}")
    for key in ("holidays", "early_closes", "late_opens"):
        rows = getattr(calendar, key)
        if list(rows) != sorted(set(rows)):
            raise ConfigError(f"the table of calendar {name} is broken: {key} is not sorted")
    return calendar


def load_calendars(names: Iterable[str], directory: Path | None = None) -> dict[str, Calendar]:
    """Give these calendars with the operator's overrides from `directory` folded in; all its files must be sound."""
    overrides = load_overrides(directory) if directory else {}
    return {name: with_overrides(load_table(name), overrides.get(name, ())) for name in names}


def load_overrides(directory: Path) -> Overrides:
    """Read every `*.yaml` of the directory: calendar -> its overrides by date; none where it is absent."""
    found: dict[str, dict[dt.date, Override]] = {}
    for file in _files(directory):
        name, overrides = parse_overrides(str(file), _read(file))
        dates = found.setdefault(name, {})
        for override in overrides:
            if earlier := dates.get(override.date):
                raise ConfigError(
                    f"{name} {override.date} is set twice, in {earlier.source} and in {override.source} ({file})"
                )
            dates[override.date] = override
    folded = {name: tuple(dates[day] for day in sorted(dates)) for name, dates in sorted(found.items()) if dates}
    for name, days in folded.items():
        if (closed := sum(override.closed for override in days)) > CLOSED_DAYS_MAX:
            raise ConfigError(f"{closed} days of {name} are closed, at most {CLOSED_DAYS_MAX} may be ({directory})")
        _refuse_overlap(with_overrides(load_table(name), days), directory)
    return folded


def parse_overrides(where: str, text: str) -> tuple[str, tuple[Override, ...]]:
    """Give the calendar's name and the overrides that one file's YAML says; ("", ()) where it says nothing."""
    return _File(where).overrides(text)


def age(calendar: Calendar, now: int) -> Age:
    """Give how long the table still holds, counted in days of its own zone."""
    if calendar.valid_until is None:
        return Age(calendar.name, "fresh", None, f"{calendar.name}: rules without an end")
    left = (calendar.valid_until - local_date(calendar, now)).days
    table = f"{calendar.name}: table ends {calendar.valid_until} ({calendar.source}, generated {calendar.generated_on})"
    if left < 0:
        return Age(calendar.name, "expired", left, f"{table}, {-left} days ago")
    return Age(calendar.name, "ageing" if left < FRESH_DAYS_MIN else "fresh", left, f"{table}, {left} days left")


def gate(calendars: Iterable[Calendar], now: int, lead_ns: int) -> int:
    """Give the gate's exit code: 0 a session is due, 1 none is, 255 no calendar is fit to say.

    One sound calendar with a session due is enough to start; the daemon itself blocks and reports the expired ones.
    """
    known = {calendar.name: calendar for calendar in calendars}
    usable = [calendar for calendar in known.values() if age(calendar, now).state != "expired"]
    if any(due(calendar, now, lead_ns) for calendar in usable):
        return GATE_DUE
    return GATE_NONE if known and len(usable) == len(known) else GATE_UNUSABLE


def _refuse_overlap(calendar: Calendar, directory: Path) -> None:
    """Refuse hours that reach into the day before or after, as 17:00 to 18:00 would for currencies."""
    for override in calendar.overrides:
        days = [session_on(calendar, override.date + dt.timedelta(days=n)) for n in (-1, 0, 1)]
        open_days = [session for session in days if session]
        for before, after in pairwise(open_days):
            if before.close_ns > after.open_ns:
                file = directory / override.source
                raise ConfigError(
                    f"{calendar.name} {before.date} closes after {after.date} opens, hours.{override.date} ({file})"
                )


def _tables() -> Traversable:
    return resources.files("joed") / "calendars"


def _files(directory: Path) -> list[Path]:
    """List the override files in the order of their names, and refuse one that only looks like it."""
    try:
        files = sorted(directory.iterdir()) if directory.exists() else []
    except OSError as error:
        raise ConfigError(f"the overrides cannot be listed: {error.strerror} ({directory})") from error
    if misnamed := [file for file in files if file.suffix.lower() in {".yml", ".yaml"} and file.suffix != ".yaml"]:
        raise ConfigError(f"an override file's name ends in .yaml ({misnamed[0]})")
    files = [file for file in files if file.suffix == ".yaml" and not file.name.startswith(".")]
    if len(files) > FILES_MAX:
        raise ConfigError(f"{len(files)} override files, at most {FILES_MAX} are read ({directory})")
    return files


def _read(file: Path) -> str:
    try:
        if not file.is_file():  # a pipe would keep the start waiting
            raise ConfigError(f"the overrides cannot be read: not a file ({file})")
        with file.open("rb") as stream:
            text = stream.read(FILE_BYTES_MAX + 1)
        if len(text) > FILE_BYTES_MAX:
            raise ConfigError(f"an override file has at most {FILE_BYTES_MAX} bytes ({file})")
        return text.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"the overrides cannot be read: {error.strerror} ({file})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 at byte {error.start} ({file})") from error


def _meant(word: str, known: Iterable[str]) -> str:
    """Give ", did you mean …" where a known word is near, else the known words."""
    known = tuple(known)
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    return f", did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"


class _File:
    """One file of overrides, read node by node, so that each refusal names the file, the line and the key."""

    def __init__(self, where: str) -> None:
        self.where = where

    def overrides(self, text: str) -> tuple[str, tuple[Override, ...]]:
        root = self._compose(text)
        if root is None:
            return "", ()
        parts = {self._known(key, KEYS, ""): value for key, value in self._pairs(root, "the file")}
        if "calendar" not in parts:
            raise self._wrong(root, "calendar", f"is missing; known are {', '.join(shipped())}")
        name = self._text(parts["calendar"], "calendar")
        if name not in shipped():
            raise self._wrong(
                parts["calendar"], "calendar", f"is no calendar: {name!r}{_meant(name.upper(), shipped())}"
            )
        reason = self._text(parts["reason"], "reason") if "reason" in parts else ""
        closed = self._closed(parts["closed"], reason) if "closed" in parts else []
        hours = self._hours(parts["hours"], reason, load_table(name)) if "hours" in parts else []
        if both := {override.date for override in closed} & {override.date for override in hours}:
            raise self._wrong(parts["hours"], "hours", f"and closed both name {min(both)}")
        source = Path(self.where).name
        return name, tuple(msgspec.structs.replace(override, source=source) for override in (*closed, *hours))

    def _closed(self, node: yaml.Node, reason: str) -> list[Override]:
        """Read a list of dates, or a mapping of dates to their reasons."""
        if isinstance(node, yaml.MappingNode):
            rows = [(key, self._text(value, "closed")) for key, value in self._pairs(node, "closed")]
        elif isinstance(node, yaml.SequenceNode):
            rows = [(item, "") for item in node.value]
        else:
            raise self._wrong(node, "closed", "must be a list of dates, or dates with a reason each")
        dates = [self._date(item, "closed") for item, _ in rows]
        for at, (item, _) in enumerate(rows):
            if dates[at] in dates[:at]:
                raise self._wrong(item, "closed", f"names {dates[at]} twice")
        reasons = [why or reason for _, why in rows]
        return [Override(date=date, closed=True, reason=why) for date, why in zip(dates, reasons, strict=True)]

    def _hours(self, node: yaml.Node, reason: str, table: Calendar) -> list[Override]:
        """Read a mapping of dates to opening and closing times, and see that each day opens before it closes."""
        found = []
        for day, value in self._pairs(node, "hours"):
            key = f"hours.{day.value}"
            parts = {self._known(name, HOURS_KEYS, f"{key}."): part for name, part in self._pairs(value, key)}
            times = {name: self._time(parts[name], f"{key}.{name}") for name in ("open", "close") if name in parts}
            if not times:
                raise self._wrong(value, key, "needs open, close or both")
            why = self._text(parts["reason"], f"{key}.reason") if "reason" in parts else reason
            override = Override(
                date=self._date(day, "hours"), open=times.get("open", ""), close=times.get("close", ""), reason=why
            )
            session = session_on(with_overrides(table, [override]), override.date)
            assert session is not None
            if session.open_ns >= session.close_ns:
                raise self._wrong(
                    value, key, f"closes before it opens, with {' and '.join(map(' '.join, times.items()))}"
                )
            found.append(override)
        return found

    def _compose(self, text: str) -> yaml.Node | None:
        try:
            return yaml.compose(text, Loader=yaml.BaseLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise ConfigError(f"not YAML: {error.problem} ({self.where}:{line})") from error
        except (yaml.YAMLError, RecursionError) as error:
            raise ConfigError(f"not YAML: {error} ({self.where})") from error

    def _pairs(self, node: yaml.Node, key: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        """Give a mapping's keys and values; a key that stands twice is refused, for YAML would keep the last."""
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong(node, key, "must be a mapping")
        seen = set()
        for name, _ in node.value:
            if not isinstance(name, yaml.ScalarNode):
                raise self._wrong(name, key, "has a key that is not text")
            if name.value in seen:
                raise self._wrong(name, key, f"names {name.value!r} twice")
            seen.add(name.value)
        return list(node.value)

    def _known(self, node: yaml.ScalarNode, known: tuple[str, ...], prefix: str) -> str:
        if node.value not in known:
            raise self._wrong(node, f"{prefix}{node.value}", f"is no key{_meant(node.value, known)}")
        return str(node.value)

    def _text(self, node: yaml.Node, key: str) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._wrong(node, key, "must be text")
        return str(node.value).strip()

    def _date(self, node: yaml.Node, key: str) -> dt.date:
        text = self._text(node, key)
        try:
            if DATE.fullmatch(text):
                date = dt.date.fromisoformat(text)
                if YEAR_MIN <= date.year <= YEAR_MAX:
                    return date
        except ValueError:
            pass  # refused below, with the forms that are not dates at all
        raise self._wrong(node, key, f"must name dates as YYYY-MM-DD from {YEAR_MIN} to {YEAR_MAX}, has {text!r}")

    def _time(self, node: yaml.Node, key: str) -> str:
        text = self._text(node, key)
        if not TIME.fullmatch(text):
            raise self._wrong(node, key, f'must be a time as "HH:MM", was {text!r}')
        return text

    def _wrong(self, node: yaml.Node, key: str, words: str) -> ConfigError:
        return ConfigError(f"{key} {words} ({self.where}:{node.start_mark.line + 1})")
