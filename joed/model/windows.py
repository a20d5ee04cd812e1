"""Stretches of each day in a zone: when the servers or the gateway restart, and when no entry is sent."""

from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from joed.model.values import SECOND

DAY_MINUTES = 24 * 60


class Window(NamedTuple):
    """From a minute of the day until another; past midnight where the end is the smaller one."""

    words: str
    zone: ZoneInfo
    start: int
    end: int

    def holds(self, now: int) -> bool:
        """Say whether this moment, in nanoseconds since 1970, lies within."""
        moment = datetime.fromtimestamp(now / SECOND, UTC).astimezone(self.zone)
        minute = moment.hour * 60 + moment.minute
        return (minute - self.start) % DAY_MINUTES < (self.end - self.start) % DAY_MINUTES


def window_of(words: str) -> Window:
    """Read `HH:MM-HH:MM Zone`; the settings' check has seen that it is one."""
    stretch, _, zone = words.partition(" ")
    start, _, end = stretch.partition("-")
    return Window(words, ZoneInfo(zone), _minute(start), _minute(end))


def windows_of(rows: tuple[str, ...]) -> tuple[Window, ...]:
    """Read several."""
    return tuple(map(window_of, rows))


def within(windows: tuple[Window, ...], now: int) -> str:
    """Name the first window that holds this moment, "" where none does."""
    return next((window.words for window in windows if window.holds(now)), "")


def _minute(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
