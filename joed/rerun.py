"""Another config over a recorded session's prices: a backtest whose quotes come from the tape, no replay of orders."""

import datetime as dt
import sqlite3
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from joed.backtest import Progress, Run, finished, journal_at, progress_line, settings_for, show
from joed.daemon.history import SAME_DAY_NS
from joed.daemon.places import Places, places
from joed.daemon.store import Store
from joed.data.checks import Tally
from joed.engine.sessions import session_on
from joed.errors import ConfigError
from joed.model.calendars import Calendar
from joed.model.events import Quote, SettingsLoaded
from joed.model.settings import Instrument, Settings
from joed.report.run import RunReport

BIAS = (
    "The quotes are the session's own, as they were recorded: a feed that conflated them has left some out. Our orders "
    "of that day moved these prices where they did; the orders of this run do not. Depth is what the tape holds."
)
BARS = "bars.db"
"""The worker's bars, in the state directory: the days before the session."""


class Tape:
    """A session's quotes from the journal, and the instruments and calendars that held then (a Source)."""

    shape = "quotes"
    bias = BIAS
    interval_ns = 0

    def __init__(self, where: Places, session: str) -> None:
        """Read the session; raise ConfigError where there is none, or its tape holds no quotes."""
        self.days: tuple[str, ...] = (session,)
        self.instruments: dict[str, Instrument] = {}
        self.calendars: dict[str, Calendar] = {}
        if not where.journal.is_file():
            raise ConfigError(f"no journal in {where.root}")
        store = Store.open(where.journal)
        try:
            self._quotes = self._read(store, session)
        finally:
            store.close()
        count = len(self._quotes)
        if not count:
            raise ConfigError(f"{where.root} holds no quotes of session {session!r}")
        self.tally = Tally(count, count, {}, count)

    def _read(self, store: Store, session: str) -> list[tuple[int, Quote]]:
        """Give the quotes from the earlier sessions' end to this one's, and note what was listed then."""
        ends = {name: last for name, _, last in store.sessions() if name}
        last = ends.get(session, 0)
        before = max((end for end in ends.values() if end < last), default=0)
        quotes: list[tuple[int, Quote]] = []
        for seq, now, event, _ in store.read():
            if seq > last:
                break
            if type(event) is SettingsLoaded:
                self.instruments, self.calendars = dict(event.settings.universe), event.calendars
            elif type(event) is Quote and seq > before and event.instrument in self.instruments:
                quotes.append((now, event))
        return quotes

    def quotes(self, day: str | None = None) -> Iterator[tuple[int, Quote]]:
        """Give the quotes with the times at which they were handled."""
        return iter(self._quotes)


def rerun(
    state_dir: Path, session: str, settings: Settings, *, seed: int = 1, progress: Progress | None = None
) -> RunReport:
    """Trade a recorded session's quotes by these settings, on a fresh paper account; the record is not touched.

    The worker begins with the days before the session that its cache still holds. Raises ConfigError.
    """
    where = places(state_dir)
    tape = Tape(where, session)
    calendar = tape.calendars.get(settings.calendar)
    found = None if calendar is None else session_on(calendar, dt.date.fromisoformat(session))
    if calendar is None or found is None:
        raise ConfigError(f"session {session!r} is none of calendar {settings.calendar!r} as it was recorded")
    with journal_at(None) as scratch:
        run = Run(settings_for(settings, tape), calendar, scratch, seed, kept=False)
        run.worker.history.load_daily(days_before(where.root / BARS, found.open_ns))
        return finished(run, f"session {session}", tape, progress or (lambda _words: None))


def days_before(cache: Path, open_ns: int) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Give the daily bars that a worker's cache holds from before a session's open; none where there is no cache."""
    if not cache.is_file():
        return {}
    query = (
        "SELECT instrument, at_ns, open, high, low, close, volume FROM daily WHERE at_ns < ? ORDER BY instrument, at_ns"
    )
    days: dict[str, list[tuple[float, ...]]] = {}
    with closing(sqlite3.connect(f"{cache.resolve().as_uri()}?mode=ro", uri=True)) as base:
        for instrument, *row in base.execute(query, (open_ns - SAME_DAY_NS,)):
            days.setdefault(instrument, []).append(tuple(row))
    return {instrument: np.array(rows, np.float64) for instrument, rows in days.items()}


def run_with(state_dir: Path, session: str, settings: Settings, options: Namespace) -> int:
    """Rerun a session by other settings, print the report as a backtest does, and give the exit status."""
    with progress_line() as progress:
        report = rerun(state_dir, session, settings, seed=options.seed or 1, progress=progress)
    show(report, options)
    return 0
