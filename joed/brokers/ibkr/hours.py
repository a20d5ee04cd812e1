"""Market hours in TWS's words: `20261123:0930-20261123:1600;20261126:CLOSED`, in a zone that may have an old name.

Pure, and tolerant of the forms that were seen: an end without its date, several spans of a day with commas between.
What it cannot read it does not guess at: then TWS has told nothing.
"""

import re
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from joed.brokers.ibkr.translate import ZONES
from joed.model.values import SECOND

DAY = re.compile(r"(\d{8}):(CLOSED|[\d:,-]+)")
SPAN = re.compile(r"(?:(\d{8}):)?(\d{4})-(?:(\d{8}):)?(\d{4})")
DAYS_MAX = 30
MIDNIGHT = "2400"


class Told(NamedTuple):
    """Spans of time in which a market is open, complete from `from_ns` to `until_ns`."""

    spans: tuple[tuple[int, int], ...]
    from_ns: int
    until_ns: int


def told_of(hours: str, zone: str) -> Told | None:
    """Give the hours that TWS told, None where it told none or in words that cannot be read."""
    where = zone_of(zone)
    days = [part.strip() for part in hours.split(";") if part.strip()][:DAYS_MAX]
    if where is None or not days:
        return None
    dates: list[str] = []
    spans: list[tuple[int, int]] = []
    for part in days:
        match = DAY.fullmatch(part)
        if match is None:
            return None
        try:
            dates.append(f"{datetime.strptime(match[1], '%Y%m%d'):%Y%m%d}")  # noqa: DTZ007 - a date alone
            spans += [] if match[2] == "CLOSED" else _spans(match[1], match[2], where)
        except ValueError:
            return None
    first, last = min(dates), max(dates)
    return Told(tuple(sorted(set(spans))), _at(first, "0000", where), _at(last, MIDNIGHT, where))


def _spans(date: str, text: str, where: ZoneInfo) -> list[tuple[int, int]]:
    """Read the spans of one day; one that would end before it begins began on the day before. ValueError if none."""
    found = []
    for part in text.split(","):
        match = SPAN.fullmatch(part)
        if match is None:
            raise ValueError(part)
        begin, end = _at(match[1] or date, match[2], where), _at(match[3] or match[1] or date, match[4], where)
        if end <= begin and not match[3]:
            begin = _at(match[1] or date, match[2], where, days=-1)
        if end <= begin:
            raise ValueError(part)
        found.append((begin, end))
    return found


def _at(date: str, time: str, where: ZoneInfo, days: int = 0) -> int:
    """Give an instant from a date and a time of the day there; 2400 is the end of it."""
    day = datetime.strptime(date, "%Y%m%d").replace(tzinfo=where) + timedelta(days=days + (time == MIDNIGHT))
    hour, minute = (0, 0) if time == MIDNIGHT else (int(time[:2]), int(time[2:]))
    return int(day.replace(hour=hour, minute=minute).timestamp()) * SECOND


def zone_of(zone: str) -> ZoneInfo | None:
    """Give a zone by the name that TWS has for it, None where nobody knows it."""
    try:
        return ZoneInfo(ZONES.get(zone, zone)) if zone else None
    except (ZoneInfoNotFoundError, ValueError):
        return None
