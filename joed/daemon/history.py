"""The bars that thinking stands on: days and minutes by instrument, in arrays that grow to a bound.

Bars come one way, oldest first; what cannot be a bar, or comes again, is left out and counted. A cache (SQLite, never
the source of truth) gives a restarted process its bars back. Arrays are as in joed.analysis.indicators.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from joed.analysis.indicators import AT, CLOSE, COLUMNS, HIGH, LOW, NO_BARS, OPEN, VOLUME, Floats, rows, sound
from joed.model.values import HOUR, MINUTE, Bar

MINUTES_MAX = 2048
"""Minute bars kept of an instrument: five regular days, or more than one round the clock."""
DAYS_MAX = 600
INSTRUMENTS_MAX = 2000
SESSIONS_MAX = 600

SAME_DAY_NS = 20 * HOUR
"""A day's bar starts at its midnight, in whatever zone, or at its open: at most 20 h before that open; the day before
it lies at least 23 h back, also when clocks change."""


class Series:
    """One instrument's bars in an array with room to grow; when full the oldest quarter makes way."""

    def __init__(self, limit: int) -> None:
        """Begin empty; hold at most `limit` bars."""
        self.limit = limit
        self.count = 0
        self.room = np.empty((min(limit, 64), COLUMNS))

    @property
    def rows(self) -> Floats:
        """Give the bars, a view that stays right until the next `append`."""
        return self.room[: self.count]

    def append(self, row: Sequence[float]) -> bool:
        """Take one bar; say False, and take nothing, unless it is newer than the last."""
        if self.count and row[AT] <= self.room[self.count - 1, AT]:
            return False
        if self.count == len(self.room):
            self._make_room()
        self.room[self.count] = row
        self.count += 1
        return True

    def _make_room(self) -> None:
        """Double, or at the limit drop the oldest quarter; views handed out before keep the old array."""
        kept = self.rows[self.limit // 4 :] if self.count >= self.limit else self.rows
        room = np.empty((min(2 * len(self.room), self.limit), COLUMNS))
        room[: len(kept)] = kept
        self.room, self.count = room, len(kept)

    def merge(self, rows: Floats) -> None:
        """Take rows in where they belong in time, in place of those at the same time; the newest stay, to the limit."""
        both = np.concatenate((rows, self.rows))
        _, places = np.unique(both[:, AT], return_index=True)  # of equal times the first: the rows that come in
        self.room = both[places][-self.limit :]
        self.count = len(self.room)

    def between(self, from_ns: int, to_ns: int) -> Floats:
        """Give the bars that start at `from_ns` or later and before `to_ns`."""
        first, end = np.searchsorted(self.rows[:, AT], (from_ns, to_ns))
        return self.rows[first:end]


class History:
    """All bars of all instruments, the session that is under way, and the equity at the end of those before.

    `rejected` counts what was left out, by reason: unsound, stale (not newer than what is there), full.
    """

    def __init__(self, cache: Path | None = None) -> None:
        """Begin with what the cache holds; None keeps nothing beyond this process."""
        self.minutes: dict[str, Series] = {}
        self.days: dict[str, Floats] = {}
        self.session = ""
        self.open_ns = 0
        self.close_ns = 0
        self.equity: dict[str, float] = {}
        self.marks: list[float] = []
        self.rejected: dict[str, int] = {}
        self._cache: BarCache | None = None
        if cache is not None:
            self._remember(BarCache(cache))

    def _remember(self, cache: "BarCache") -> None:
        """Take in what the cache holds, through the same checks, and write to it from now on."""
        for session, open_ns, close_ns, equity in cache.kept.sessions:
            self.session, self.open_ns, self.close_ns = session, open_ns, close_ns
            if equity is not None:
                self.equity[session] = equity
        self.load_daily({instrument: np.array(bars, np.float64) for instrument, bars in cache.kept.days.items()})
        self.add(cache.kept.minutes)
        cache.kept = Kept()
        self._cache = cache

    def add(self, bars: Sequence[Bar]) -> None:
        """Take completed minute bars, each instrument's oldest first."""
        kept = [bar for bar in bars if self._take(bar)]
        if kept and self._cache is not None:
            self._cache.keep("minute", [(bar.instrument, *row_of(bar)) for bar in kept])

    def fill(self, bars: Sequence[Bar]) -> None:
        """Take minute bars of the past, a broker's whole word in place of what was folded from a part of its quotes."""
        kept: dict[str, list[Bar]] = {}
        for bar in bars:
            if not possible(bar):
                self._reject("unsound")
            elif bar.instrument not in self.minutes and len(self.minutes) >= INSTRUMENTS_MAX:
                self._reject("full")
            else:
                kept.setdefault(bar.instrument, []).append(bar)
        for instrument, found in kept.items():
            self.minutes.setdefault(instrument, Series(MINUTES_MAX)).merge(rows(found))
            if self._cache is not None:
                self._cache.keep("filled", [(instrument, *row_of(bar)) for bar in found])

    def _take(self, bar: Bar) -> bool:
        """Take one bar in, or count why not."""
        if not possible(bar):
            return self._reject("unsound")
        series = self.minutes.get(bar.instrument)
        if series is None:
            if len(self.minutes) >= INSTRUMENTS_MAX:
                return self._reject("full")
            series = self.minutes[bar.instrument] = Series(MINUTES_MAX)
        return series.append(row_of(bar)) or self._reject("stale")

    def _reject(self, reason: str) -> bool:
        """Count what is left out."""
        self.rejected[reason] = self.rejected.get(reason, 0) + 1
        return False

    def load_daily(self, daily: dict[str, Floats]) -> None:
        """Take whole daily histories; days that ended since, made of our own minutes, stay behind them."""
        for instrument, bars in daily.items():
            if instrument not in self.days and len(self.days) >= INSTRUMENTS_MAX:
                self._reject("full")
                continue
            kept = self._in_order(bars)
            own = self.days.get(instrument, NO_BARS)
            newest = kept[-1, AT] if len(kept) else 0.0
            self._set_days(instrument, np.concatenate((kept, own[own[:, AT] > newest + SAME_DAY_NS])))

    def _in_order(self, bars: Floats) -> Floats:
        """Give the sound bars, each newer than all before it; count the others."""
        whole = bars[sound(bars)]
        newest = np.maximum.accumulate(whole[:, AT]) if len(whole) else whole[:, AT]
        rising = np.ones(len(whole), np.bool_)
        rising[1:] = whole[1:, AT] > newest[:-1]
        for reason, count in (("unsound", len(bars) - len(whole)), ("stale", len(whole) - int(rising.sum()))):
            if count:
                self.rejected[reason] = self.rejected.get(reason, 0) + count
        return whole[rising]

    def _set_days(self, instrument: str, bars: Floats) -> None:
        """Hold an instrument's days, the newest DAYS_MAX, here and in the cache."""
        self.days[instrument] = bars[-DAYS_MAX:]
        if self._cache is not None:
            self._cache.replace_days(instrument, self.days[instrument])

    def turn_to(self, session: str, open_ns: int, close_ns: int) -> None:
        """Make this the session under way; the one before, if another, becomes daily bars first."""
        if self.session not in {"", session}:
            self.roll(self.session)
        if (session, open_ns, close_ns) != (self.session, self.open_ns, self.close_ns):
            self.session, self.open_ns, self.close_ns = session, open_ns, close_ns
            if self._cache is not None:
                self._cache.keep("session", [(session, open_ns, close_ns, self.equity.get(session))])

    def roll(self, session: str) -> None:
        """End a session: its regular hours' minutes become a daily bar at its open, unless that day is there."""
        if session != self.session:
            return
        for instrument, series in self.minutes.items():
            minutes = series.between(self.open_ns, self.close_ns)
            days = self.days.get(instrument, NO_BARS)
            if len(minutes) and not (len(days) and days[-1, AT] > self.open_ns - SAME_DAY_NS):
                self._set_days(instrument, np.vstack((days, day_of(minutes, self.open_ns))))
        if self._cache is not None:
            self._cache.forget_minutes(self.open_ns)
        self.session, self.open_ns, self.close_ns, self.marks = "", 0, 0, []

    def mark(self, equity: float) -> None:
        """Note what the account is worth now; the last of a session is that session's."""
        if not self.session or not 0.0 < equity < np.inf:
            return
        self.marks = [*self.marks[-MINUTES_MAX:], equity]
        self.equity[self.session] = equity
        while len(self.equity) > SESSIONS_MAX:
            del self.equity[next(iter(self.equity))]
        if self._cache is not None:
            self._cache.keep("session", [(self.session, self.open_ns, self.close_ns, equity)])

    def today(self, instrument: str, now_ns: int) -> Floats:
        """Give the minute bars of the session's regular hours that are complete at `now_ns`."""
        # A whole minute is exact as a float, `now_ns` would not be.
        return self._between(instrument, self.open_ns, min(self.close_ns, now_ns - now_ns % MINUTE))

    def earlier(self, instrument: str) -> Floats:
        """Give the minute bars from before this session that are still kept."""
        return self._between(instrument, 0, self.open_ns)

    def daily(self, instrument: str) -> Floats:
        """Give the daily bars of the sessions before this one: today's own, should a file hold it, is never shown."""
        days = self.days.get(instrument, NO_BARS)
        if not self.open_ns:
            return days
        return days[: int(np.searchsorted(days[:, AT], self.open_ns - SAME_DAY_NS, side="right"))]

    def _between(self, instrument: str, from_ns: int, to_ns: int) -> Floats:
        """Give an instrument's minute bars of a time, none where nothing is known of it."""
        series = self.minutes.get(instrument)
        return NO_BARS if series is None else series.between(from_ns, to_ns)

    def close(self) -> None:
        """Let go of the cache's file."""
        if self._cache is not None:
            self._cache.close()


def possible(bar: Bar) -> bool:
    """Say whether a bar can be one: finite, positive prices, high and low outermost, no volume below 0."""
    inside = bar.low <= bar.open <= bar.high and bar.low <= bar.close <= bar.high
    return bool(inside and bar.low > 0.0 and bar.high < np.inf and 0.0 <= bar.volume < np.inf)


def row_of(bar: Bar) -> tuple[float, float, float, float, float, float]:
    """Give a bar as the columns of an array."""
    return (float(bar.at_ns), bar.open, bar.high, bar.low, bar.close, bar.volume)


def day_of(minutes: Floats, at_ns: int) -> Floats:
    """Fold a session's minutes into its daily bar."""
    high, low = minutes[:, HIGH].max(), minutes[:, LOW].min()
    return np.array([at_ns, minutes[0, OPEN], high, low, minutes[-1, CLOSE], minutes[:, VOLUME].sum()])


SCHEMA = """
CREATE TABLE IF NOT EXISTS minute (instrument TEXT, at_ns INTEGER, open REAL, high REAL, low REAL, close REAL,
    volume REAL, PRIMARY KEY (instrument, at_ns)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS daily (instrument TEXT, at_ns INTEGER, open REAL, high REAL, low REAL, close REAL,
    volume REAL, PRIMARY KEY (instrument, at_ns)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (session TEXT PRIMARY KEY, open_ns INTEGER, close_ns INTEGER, equity REAL);
"""
KEEP = {
    "minute": "INSERT OR IGNORE INTO minute VALUES (?, ?, ?, ?, ?, ?, ?)",
    "filled": "INSERT OR REPLACE INTO minute VALUES (?, ?, ?, ?, ?, ?, ?)",
    "daily": "INSERT OR REPLACE INTO daily VALUES (?, ?, ?, ?, ?, ?, ?)",
    "session": "INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?)",
}


class Kept(NamedTuple):
    """What a cache's file held: sessions (name, open, close, equity or None), days by instrument, minutes in order."""

    sessions: Sequence[tuple[str, int, int, float | None]] = ()
    days: Mapping[str, list[tuple[float, ...]]] = {}
    minutes: Sequence[Bar] = ()


class BarCache:
    """Bars on disk for the next start, and what they were at this one (`kept`).

    A file that cannot be read is thrown away; one that fails later is let be.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the file and read it."""
        self.base: sqlite3.Connection | None = None
        try:
            self.kept = self._open(path)
        except sqlite3.Error:
            self.close()
            for ending in ("", "-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
            self.kept = self._open(path)

    def _open(self, path: Path) -> Kept:
        """Open the file and give what it holds."""
        self.base = sqlite3.connect(path)
        # Lost with the power, at worst: brokers and files have these bars too.
        self.base.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;" + SCHEMA)
        days: dict[str, list[tuple[float, ...]]] = {}
        for instrument, *row in self.base.execute("SELECT * FROM daily ORDER BY instrument, at_ns"):
            days.setdefault(instrument, []).append(tuple(row))
        sessions = self.base.execute("SELECT * FROM session ORDER BY open_ns").fetchall()
        minutes = self.base.execute("SELECT * FROM minute ORDER BY instrument, at_ns")
        return Kept(sessions, days, [Bar(*row) for row in minutes])

    def keep(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Write rows; a full or failing disk ends the caching, never the thinking."""
        self._write(KEEP[table], rows)

    def replace_days(self, instrument: str, days: Floats) -> None:
        """Write an instrument's days in place of those there."""
        self._write("DELETE FROM daily WHERE instrument = ?", [(instrument,)])
        self.keep("daily", [(instrument, int(at_ns), *prices) for at_ns, *prices in days.tolist()])

    def forget_minutes(self, before_ns: int) -> None:
        """Drop minutes that started before this time."""
        self._write("DELETE FROM minute WHERE at_ns < ?", [(before_ns,)])

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        """Run one statement for each row in a transaction of its own."""
        if self.base is None:
            return
        try:
            with self.base:
                self.base.executemany(statement, rows)
        except sqlite3.Error:
            self.close()

    def close(self) -> None:
        """Let go of the file; nothing is written from here on."""
        if self.base is not None:
            self.base.close()
            self.base = None
