"""The past, from the brokers that tell of it: asked for once a link is up, checked, handed to the worker, or named.

Days first, for all names: the regime and the scan stand on them. Then this session's minutes, once the minute in which
the link came up is over, so that no half minute stays in the bars. After a break only the gap is asked for again. What
does not come is tried again, later and later, a bounded number of times; meanwhile it is known by name as missing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import isfinite
from typing import Protocol, runtime_checkable

from joed.brokers.base import Broker, Clock, Emit, Historian
from joed.daemon.log import Log
from joed.engine import sessions
from joed.errors import BadMessage, BrokerUnavailable
from joed.model.feeds import BarsAsked, BarsFetched
from joed.model.settings import Instrument
from joed.model.state import State
from joed.model.values import MINUTE, SECOND, Bar

DAILY, MINUTES = "daily", "minute"
SETTLING_S = (1.0, 3.0)
"""How soon a new link is asked again before anything is called missing: it may still look its contracts up."""
PAUSES_S = (5.0, 30.0, 120.0, 600.0)
"""How long before what is missing is asked for again; after the last it stays missing until the next link or day."""
WHOLE_NS = 3 * SECOND
"""How long after a full minute its bar is asked for: brokers need a moment to close it."""
BARS_MAX = 4_096
"""More bars than this in one answer are not looked at: no day has so many minutes, no account needs so many days."""


@runtime_checkable
class Pupil(Protocol):
    """Who is taught: the worker."""

    def daily(self, instrument: str, bars: Sequence[Bar]) -> None:
        """Take an instrument's whole daily history, oldest first."""
        ...

    def fill(self, bars: Sequence[Bar]) -> None:
        """Take minute bars of the past, each instrument's oldest first, in place of what is there of these minutes."""
        ...


class Kind:
    """One kind of bars of one broker: whose are missing and why, and what came so far."""

    def __init__(self, name: str) -> None:
        """Begin with nothing asked."""
        self.name = name
        self.missing: dict[str, str] = {}
        self.empty: dict[str, None] = {}
        self.rejected: dict[str, int] = {}
        self.instruments = self.bars = 0
        self.told = (-1, -1)

    def ask(self, names: Sequence[str]) -> None:
        """Let all of these be missing."""
        self.missing, self.empty = dict.fromkeys(names, "it was not asked for yet"), {}
        self.rejected, self.instruments, self.bars, self.told = {}, 0, 0, (-1, -1)

    def take(self, instrument: str, kept: Sequence[Bar], rejected: Mapping[str, int]) -> None:
        """Note what came of one name."""
        for reason, count in rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        if kept:
            self.missing.pop(instrument, None)
            self.instruments += 1
            self.bars += len(kept)
        else:
            self.missing[instrument] = "none of its bars could be true" if rejected else "it has none"
            self.empty[instrument] = None

    def asks(self) -> list[str]:
        """Name those that are still to be asked for: an empty answer is an answer, until the next link."""
        return [name for name in self.missing if name not in self.empty]


class Link:
    """One broker's link as the backfill knows it: its number, its session's names, since when each lacks minutes."""

    def __init__(self) -> None:
        """Begin with none."""
        self.connection = 0
        self.session = ""
        self.from_ns: dict[str, int] = {}
        self.kinds = {kind: Kind(kind) for kind in (DAILY, MINUTES)}

    def begin(self, session: str, names: Sequence[str]) -> None:
        """Lack everything of a session."""
        self.session, self.from_ns = session, dict.fromkeys(names, 0)
        for kind in self.kinds.values():
            kind.ask(names)

    def lose(self, at_ns: int) -> None:
        """Lack the minutes from here on of every name that lacked none."""
        self.connection = 0
        for kind in self.kinds.values():
            kind.empty = {}
        missing = self.kinds[MINUTES].missing
        for name in self.from_ns:
            if name not in missing:
                missing[name], self.from_ns[name] = "the link was lost", at_ns - at_ns % MINUTE


class Backfill:
    """One task of the daemon: for each broker with a past, at each link and each session."""

    def __init__(
        self, brokers: Mapping[str, Broker], state: State, *, clock: Clock, worker: object, emit: Emit, log: Log
    ) -> None:
        """Serve those of the brokers that are Historians; `state` is read for the links and settings in force."""
        self._historians = {name: one for name, one in brokers.items() if isinstance(one, Historian)}
        self._links = {name: Link() for name in self._historians}
        self._state, self._clock, self._emit, self._log = state, clock, emit, log
        assert isinstance(worker, Pupil) or not self._historians, "history needs a worker that takes it"
        self._worker: Pupil | None = worker if isinstance(worker, Pupil) else None

    async def run(self) -> None:
        """Fetch for all brokers at once, until cancelled; done at once where none of them tells of a past."""
        async with asyncio.TaskGroup() as group:
            for name in self._historians:
                group.create_task(self._serve(name))

    async def _serve(self, name: str) -> None:
        """Look each second whether the link or the session is another; if so, fetch."""
        link = self._links[name]
        while True:
            now = self._clock.now()
            known = self._state.brokers.get(name)
            if known is not None and link.connection and not self._holds(name, link.connection):
                link.lose(known.changed_ns)
            if (
                known is not None
                and known.up
                and (known.connection, self._session()) != (link.connection, link.session)
            ):
                link.connection = known.connection
                await self._fetch(name, link, known.changed_ns)
            await self._sleep_until(now - now % SECOND + SECOND)

    async def _fetch(self, name: str, link: Link, up_ns: int) -> None:
        """Fetch what this link and this session want, then what is missing, until nothing is or it was asked enough."""
        connection, rows = link.connection, self.rows_of(name)
        daily, minutes = link.kinds[DAILY], link.kinds[MINUTES]
        if link.session != (session := self._session()):
            link.begin(session, [row.symbol for row in rows])
            self._emit(BarsAsked(name, len(rows)))
        for pause_s in SETTLING_S:
            if daily.asks() and self._holds(name, connection):
                await self._ask(name, connection, daily)
                await self._sleep_until(self._clock.now() + int(pause_s * SECOND) * bool(daily.asks()))
        await self._round(name, connection, daily)
        await self._sleep_until(up_ns - up_ns % MINUTE + MINUTE + WHOLE_NS)
        for row in rows:
            open_ns = self._open_ns(row)
            link.from_ns[row.symbol] = max(open_ns, link.from_ns.get(row.symbol, 0))
            if open_ns + MINUTE > self._clock.now():
                minutes.missing.pop(row.symbol, None)  # there are none yet: our own quotes will make them
        await self._round(name, connection, minutes)
        for pause_s in PAUSES_S:
            if not (daily.asks() or minutes.asks()) or not self._holds(name, connection):
                return
            await self._sleep_until(self._clock.now() + int(pause_s * SECOND))
            await self._round(name, connection, daily)
            await self._round(name, connection, minutes)

    def _holds(self, name: str, connection: int) -> bool:
        """Say whether this is still the link it was."""
        known = self._state.brokers.get(name)
        return known is not None and known.up and known.connection == connection

    async def _round(self, name: str, connection: int, kind: Kind) -> None:
        """Ask for each name that is missing, and tell what came of it where there is news."""
        lacked = len(kind.missing)
        await self._ask(name, connection, kind)
        if (kind.bars, len(kind.missing)) == kind.told or not (lacked or kind.bars):
            return
        kind.told = (kind.bars, len(kind.missing))
        words = {"broker": name, "kind": kind.name, "bars": kind.bars, "missing": len(kind.missing)}
        self._log.put("warning" if kind.missing else "info", "bars_fetched", words)
        told = (dict(kind.missing), dict(kind.rejected))
        self._emit(BarsFetched(name, kind.name, kind.instruments, kind.bars, *told))

    async def _ask(self, name: str, connection: int, kind: Kind) -> None:
        """Ask for each name that is missing, once, at the pace of the settings, as long as the link holds."""
        link = self._links[name]
        pace_ns = int(self._state.settings.history.pace_s * SECOND)
        for symbol in kind.asks():
            if not self._holds(name, connection):
                return
            await self._one(self._historians[name], kind, symbol, link.from_ns.get(symbol, 0))
            await self._sleep_until(self._clock.now() + pace_ns)

    async def _one(self, historian: Historian, kind: Kind, symbol: str, from_ns: int) -> None:
        """Ask for one name, and hand on what can be true of the answer."""
        history = self._state.settings.history
        try:
            async with asyncio.timeout(history.wait_s):
                if kind.name == DAILY:
                    found = await historian.daily(symbol, history.days)
                else:
                    found = await historian.minutes(symbol, from_ns)
        except (BrokerUnavailable, BadMessage) as error:
            kind.missing[symbol] = str(error)
            return
        except TimeoutError:
            kind.missing[symbol] = f"no answer within {history.wait_s:g} s"
            return
        kept, rejected = sift(symbol, found, self._clock.now() - (MINUTE if kind.name == MINUTES else 0))
        kind.take(symbol, kept, rejected)
        assert self._worker is not None
        if kept and kind.name == DAILY:
            self._worker.daily(symbol, kept)
        elif kept:
            self._worker.fill(kept)

    def rows_of(self, name: str) -> list[Instrument]:
        """Give a broker's instruments, those first on which the regime stands."""
        settings = self._state.settings
        rows = [row for row in settings.universe.values() if row.broker == name]
        return sorted(rows, key=lambda row: row.symbol not in (settings.index, settings.vix.instrument))

    def _session(self) -> str:
        """Name the session that is on, or the next; "none" where no calendar is known."""
        calendar = self._state.calendars.get(self._state.settings.calendar)
        return "none" if calendar is None else sessions.session_at(calendar, self._clock.now()).date.isoformat()

    def _open_ns(self, row: Instrument) -> int:
        """Give when an instrument's session opened or will open."""
        calendar = self._state.calendars.get(row.calendar)
        return self._clock.now() if calendar is None else sessions.session_at(calendar, self._clock.now()).open_ns

    async def _sleep_until(self, at_ns: int) -> None:
        """Wait until the clock says so; not at all where it does already."""
        if at_ns <= self._clock.now():
            return
        arrived = asyncio.get_running_loop().create_future()

        def arrive() -> None:
            with suppress(asyncio.InvalidStateError):  # nobody waits any more
                arrived.set_result(None)

        self._clock.call_at(at_ns, arrive)
        await arrived


def sift(instrument: str, bars: Sequence[Bar], until_ns: int) -> tuple[list[Bar], dict[str, int]]:
    """Give the bars that can be true, oldest first, none that begins after `until_ns`; count the others by reason."""
    kept: list[Bar] = []
    rejected: dict[str, int] = {}
    for bar in bars[:BARS_MAX]:
        reason = fault_of(bar, instrument, kept[-1].at_ns if kept else 0, until_ns)
        if reason:
            rejected[reason] = rejected.get(reason, 0) + 1
        else:
            kept.append(bar)
    if len(bars) > BARS_MAX:
        rejected["too_many"] = len(bars) - BARS_MAX
    return kept, rejected


def fault_of(bar: Bar, instrument: str, after_ns: int, until_ns: int) -> str:
    """Say in one word, of those that files are judged by (data/checks), why a bar cannot be; "" where it can."""
    prices = (bar.open, bar.high, bar.low, bar.close)
    if bar.instrument != instrument:
        return "no_symbol"
    if not all(map(isfinite, (*prices, bar.volume))):
        return "nan"
    if min(prices) <= 0 or bar.volume < 0:
        return "negative"
    if bar.high < max(prices) or bar.low > min(prices):
        return "crossed"
    if bar.at_ns <= after_ns:
        return "unsorted"
    return "future" if bar.at_ns > until_ns else ""
