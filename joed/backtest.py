"""Bars or quotes through the core: each day a life of the engine in simulated time, on the paper exchange; a report.

The same loop, jobs, risk and journal as live. What differs is said in the report, under "assumed".
"""

import datetime as dt
import shutil
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Protocol

from joed import __version__
from joed.brokers.paper import PaperBroker
from joed.brokers.paper_store import PaperStore
from joed.config import digest
from joed.daemon import schema
from joed.daemon.calendars import load_calendars
from joed.daemon.clock import SimulatedClock, utc_ns
from joed.daemon.drive import drive
from joed.daemon.inline import InlineJobs, InlineJournal
from joed.daemon.places import Places, places
from joed.daemon.record import encode_state
from joed.daemon.sidecars import Ballast
from joed.daemon.store import Store
from joed.daemon.trading import Silence, Trading
from joed.daemon.worker_main import InlineWorker
from joed.data import Reading, read
from joed.data.checks import Tally
from joed.data.marketfile import UNTRADABLE
from joed.engine.sessions import Session, session_on
from joed.errors import ConfigError
from joed.exchange import Exchange
from joed.model.calendars import Calendar
from joed.model.commands import Answer, RaiseAlert, SendAlert, Stop
from joed.model.events import EpochStarted, Quote, SettingsLoaded
from joed.model.settings import Confirm, EndOfDay, Instrument, Own, Settings
from joed.model.state import State
from joed.model.values import MINUTE, SECOND, Mode
from joed.report.page import page_of
from joed.report.rows import Ledger
from joed.report.run import Played, RunReport, run_of
from joed.report.text import as_json, of_run

LEAD_S = 300.0
"""So long before the open a day begins at the latest: earlier there is nothing in a file that could be looked at."""
READ_S = 60.0
"""How often the books are read at least: an exchange in this process loses no message."""
SILENCE_BARS = 3
"""A feed of bars is silent after so many of them without a row."""
OVERRUN_NS = 15 * MINUTE
"""A day that does not end by itself so long after its close is ended."""
AFTER_TICK_NS = 1
"""By so much a quote comes after a Tick of the same time, as over a wire it would."""
KEY = bytes(32)
"""The key of order ids where no state directory keeps one: two runs make the same ids."""

SURVIVORS = (
    "The instruments are those that the file holds: names that failed or were left out before it was made are missing, "
    "which flatters every result (survivorship)."
)

Progress = Callable[[str], object]
"""Takes words on how far it is, now and then."""


class Source(Protocol):
    """Where a backtest's quotes come from, day by day (`joed.data.MarketFile` is one); `bias`: what it assumes."""

    instruments: dict[str, Instrument]
    days: tuple[str, ...]
    tally: Tally
    shape: str
    bias: str
    interval_ns: int

    def quotes(self, day: str | None = None) -> Iterator[tuple[int, Quote]]:
        """Give a day's quotes with their times, in order."""
        ...


class Desk:
    """Stands where the daemon's shell is: notes that the engine wants to stop; nobody is there to be told."""

    def __init__(self) -> None:
        """Begin with a day that goes on."""
        self.stopped = ""

    def alert(self, command: RaiseAlert | SendAlert) -> None:
        """Leave it to the record."""

    def answered(self, command: Answer) -> None:
        """Leave it to the record."""

    def stop(self, command: Stop) -> None:
        """End the day."""
        self.stopped = command.reason


class Playback:
    """A day's quotes on a clock, one callback outstanding at a time."""

    def __init__(
        self, clock: SimulatedClock, quotes: Iterator[tuple[int, Quote]], take: Callable[[Quote], None]
    ) -> None:
        """Play from the clock's now on; what is older is left out."""
        self.played = 0
        self._clock, self._quotes, self._take = clock, quotes, take
        start_ns = clock.now()
        self._next = next((row for row in quotes if row[0] >= start_ns), None)
        self._plan()

    def _plan(self) -> None:
        """Ask for the next moment, after the Tick of its second: a quote of 10:31:00 is none of the minute before."""
        if self._next is not None:
            self._clock.call_at(self._next[0] + AFTER_TICK_NS, self._deliver)

    def _deliver(self) -> None:
        """Hand over all quotes of this moment, and wait for the next moment."""
        now = self._clock.now()
        while self._next is not None and self._next[0] <= now:
            self._take(self._next[1])
            self.played += 1
            self._next = next(self._quotes, None)
        self._plan()


class Run:
    """One backtest on its way: the State, the journal, the account and the worker go from day to day."""

    def __init__(self, settings: Settings, calendar: Calendar, where: Places, seed: int, *, kept: bool) -> None:
        """Begin in this directory; `kept`: its files are to stay and are made durable."""
        self.settings, self.calendar, self.where, self.seed, self.kept = settings, calendar, where, seed, kept
        self.store = open_store(where.journal, kept=kept)
        self.state = State(id_key=where.key() if kept else KEY)
        self.worker = InlineWorker()
        self.loaded = SettingsLoaded(settings, digest(settings), {calendar.name: calendar}, "backtest")
        self.played: dict[str, int] = {}
        self._exchange = self._new_exchange()

    def _new_exchange(self) -> Exchange:
        chance = Random(self.seed)  # noqa: S311 - chance of fills, no secret
        return Exchange(self.settings.universe, self.settings.paper, chance, base=self.settings.base_currency)

    def _broker(self, trading: Trading, clock: SimulatedClock, close_ns: int) -> PaperBroker:
        """Give the paper broker of a day; the account goes on, in its file or in the exchange itself."""
        store = PaperStore(self.where.paper) if self.kept else None
        exchange = self._new_exchange() if self.kept else self._exchange
        paper = self.settings.paper
        return PaperBroker("paper", exchange, clock, trading.emit, paper, store, closes=(close_ns,))

    def day(self, session: Session, quotes: Iterator[tuple[int, Quote]]) -> None:
        """Live through one session: from the lead before its open until the engine stops after its close."""
        lead_ns = int(self.settings.session.lead_s * SECOND)
        clock = SimulatedClock(max(session.open_ns - lead_ns, self.state.now + 1))
        journal, desk = InlineJournal(self.store), Desk()
        if self.state.seq:
            journal.snapshot(self.state, kept=True)
        trading = Trading(
            self.state,
            self.settings,
            clock=clock,
            recorder=journal,
            worker=InlineJobs(clock, self.worker.run, self.worker.bars),
            shell=desk,
            latch=Silence(),
            wake=lambda: None,
            conflates=False,
        )
        broker = self._broker(trading, clock, session.close_ns)
        trading.loop.shown = False  # nobody looks on, and a picture a second costs a third of the time
        epoch = EpochStarted(self.store.next_epoch(self.state.epoch + 1), "backtest", __version__, "")
        trading.begin(epoch, self.loaded, {broker.name: broker})
        feed = Playback(clock, quotes, broker.quote)
        latest_ns = session.close_ns + int(self.settings.session.after_close_s * SECOND) + OVERRUN_NS
        drive(clock, trading, journal, lambda: bool(desk.stopped) or clock.now() > latest_ns)
        trading.seal(desk.stopped or f"session {session.date} did not end by itself")
        journal.commit()
        broker.stop()
        self.played[session.date.isoformat()] = feed.played
        if self.kept:
            self.store.move_tape(session.date.isoformat())

    def close(self) -> None:
        """Store the State and let the files go."""
        if self.state.seq:
            self.store.add_snapshot(self.state.seq, self.state.now, encode_state(self.state))
            self.store.commit()
        self.store.close()


def open_store(path: Path, *, kept: bool) -> Store:
    """Open the journal; one that is thrown away afterwards need not survive a power cut."""
    if kept:
        return Store.open(path)
    db = schema.connect(path)
    db.execute("PRAGMA synchronous = OFF")
    return Store(path, db, Ballast(path.with_name("ballast"), 0))


def settings_for(settings: Settings, source: Source) -> Settings:
    """Give the settings of a backtest: the data's instruments, the paper account, days that end flat by default.

    Nobody is there to confirm; limits of silence are widened to what bars of this length can keep.
    """
    silence_s = SILENCE_BARS * source.interval_ns / SECOND
    eod = replace(settings.eod, close_positions=True) if settings.eod == EndOfDay() else settings.eod
    return replace(
        settings,
        mode=Mode.PAPER,
        brokers=("paper",),
        confirm=Confirm(),
        universe={name: replace(row, broker="paper") for name, row in source.instruments.items()},
        eod=eod,
        strategies=replace(settings.strategies, own=tried(settings.strategies.own)),
        session=replace(settings.session, lead_s=min(settings.session.lead_s, LEAD_S)),
        feed=replace(settings.feed, stale_s=max(settings.feed.stale_s, silence_s)),
        health=replace(
            settings.health,
            orders_read_s=max(settings.health.orders_read_s, READ_S),
            broker_silence_s=max(settings.health.broker_silence_s, silence_s),
        ),
    )


def tried(own: Mapping[str, Own]) -> dict[str, Own]:
    """Give the user's own strategies as if each had been tried: here is where that happens."""
    return {name: replace(row, tried=row.digest) for name, row in own.items()}


def assumptions_of(settings: Settings, bias: str) -> tuple[str, ...]:
    """Say what is assumed, and whom it favours."""
    paper, eod = settings.paper, settings.eod
    return (
        bias,
        SURVIVORS,
        "Times without a zone are taken for UTC.",
        f"Orders take {paper.latency_s:g} s each way and move no price; all but limits slip by {paper.slippage:%}.",
        f"Fees are {paper.fee_share} a unit, at least {paper.fee_min} an order.",
        f"Positions are closed from {eod.at_s:g} s before each close."
        if eod.close_positions
        else "Positions are held over night; a gap past a stop fills at the first price of the day.",
        "Days before the first one in the data are unknown: rules that need more history withhold their vote.",
        f"Quotes older than {settings.feed.stale_s:g} s forbid entries.",
        *(
            f"The strategy {name} of your own is {row.digest[:16]}: `tried: {row.digest[:16]}` lets it trade."
            for name, row in settings.strategies.own.items()
        ),
        f"Each day begins {settings.session.lead_s:g} s before its open; earlier quotes are left out.",
    )


def backtest(
    path: Path,
    settings: Settings,
    *,
    state_dir: Path | None = None,
    seed: int = 1,
    now: int | None = None,
    progress: Progress | None = None,
) -> RunReport:
    """Run a file of bars or quotes through the core, as it is known at `now` (ns; None: UTC now).

    `state_dir` keeps the journal, for `--replay` and `--audit`; it must hold none yet. Raises ConfigError.
    """
    watched = tuple(dict.fromkeys((*UNTRADABLE, settings.vix.instrument)))
    market = read(path, utc_ns() if now is None else now, Reading(untradable=watched, universe=settings.universe))
    calendar = load_calendars([settings.calendar])[settings.calendar]
    with journal_at(state_dir) as where:
        run = Run(settings_for(settings, market), calendar, where, seed, kept=state_dir is not None)
        return finished(run, path.name, market, progress or (lambda _words: None))


def finished(run: Run, name: str, source: Source, progress: Progress) -> RunReport:
    """Live through a source's days and report on them."""
    sessions, closed = live(run, source, progress)
    with Ledger(run.where.journal) as ledger:
        return run_of(ledger, account(name, source, run, sessions, closed))


@contextmanager
def journal_at(state_dir: Path | None) -> Iterator[Places]:
    """Give the places of a fresh state directory, or of a temporary one that goes at the end."""
    if state_dir is not None:
        where = places(state_dir)
        if where.journal.exists():
            raise ConfigError(f"{where.root} holds a journal already; a backtest begins a new one")
        where.make()
        yield where
        return
    root = Path(tempfile.mkdtemp(prefix="joed-backtest-"))
    try:
        yield places(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def live(run: Run, source: Source, progress: Progress) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Live through the source's days, and give those with a session and those without."""
    sessions: list[str] = []
    closed: list[str] = []
    try:
        for number, day in enumerate(source.days, start=1):
            progress(f"day {number} of {len(source.days)}: {day}")
            session = session_on(run.calendar, dt.date.fromisoformat(day))
            if session is None:
                closed.append(day)
                continue
            run.day(session, source.quotes(day))
            sessions.append(day)
    finally:
        run.close()
    return tuple(sessions), tuple(closed)


def account(name: str, source: Source, run: Run, sessions: tuple[str, ...], closed: tuple[str, ...]) -> Played:
    """Give the account of what went in."""
    tally, played = source.tally, sum(run.played.values())
    return Played(
        data=name,
        shape=source.shape,
        sessions=sessions,
        days_without_session=closed,
        instruments=tuple(sorted(source.instruments)),
        watched=tuple(sorted(name for name, row in source.instruments.items() if not row.tradable)),
        rows_held=tally.rows,
        rows_read=tally.accepted,
        rejected=tally.rejected,
        quotes=tally.quotes,
        quotes_played=played,
        quotes_outside=tally.quotes - played,
        assumptions=assumptions_of(run.settings, source.bias),
        cash=run.settings.paper.cash,
        seed=run.seed,
        settings=run.loaded.digest,
    )


def run_backtest(path: Path, settings: Settings, options: Namespace) -> int:
    """Run a backtest, print its report, write its page, and give the exit status."""
    with progress_line() as progress:
        report = backtest(path, settings, state_dir=options.state_dir, seed=options.seed or 1, progress=progress)
    show(report, options)
    return 0


def show(report: RunReport, options: Namespace) -> None:
    """Print a report as it was asked for, and write its page where one was."""
    sys.stdout.write(as_json(report) if options.json else of_run(report))
    if options.html is not None:
        options.html.write_text(page_of(report), "utf-8")


@contextmanager
def progress_line() -> Iterator[Progress]:
    """Give what shows progress on a terminal, in one line that goes at the end; elsewhere what shows nothing."""
    if not sys.stderr.isatty():
        yield lambda _words: None
        return
    try:
        yield lambda words: sys.stderr.write(f"\r\033[K{words}") and sys.stderr.flush()
    finally:
        sys.stderr.write("\r\033[K")
