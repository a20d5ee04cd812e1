"""The embedded market as a day that anybody can trade: which session, and with which settings. Needs no numpy."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import NamedTuple, Protocol

from joed.brokers.base import Clock
from joed.engine import sessions
from joed.market.listings import universe_of
from joed.model.calendars import Calendar
from joed.model.settings import EndOfDay, Settings
from joed.model.values import SECOND, Mode

DEMO_DATE_NS = 1_788_264_000_000_000_000
"""2026-09-01 12:00 UTC: the demo's first day is the first session after it, the same for everybody."""
PAPER_SEED = 20_260_901
"""Keeps the paper exchange's chance apart from the market's."""
LEAD_S = 600.0
AFTER_CLOSE_S = 120.0
"""A demo's day begins and ends closer to the market's than a real one."""


class Day(NamedTuple):
    """One day of the embedded market: its seed, its date, its open and its close in ns."""

    seed: int
    session: str
    open_ns: int
    close_ns: int


def day_at(seed: int, calendar: Calendar, at_ns: int = DEMO_DATE_NS, *, after_s: float | None = None) -> Day:
    """Give the session that is on at a time, or the next; `after_s` past its close it is over, None: after-hours."""
    found = sessions.session_at(calendar, at_ns)
    if after_s is not None and at_ns >= found.close_ns + int(after_s * SECOND):
        found = sessions.session_at(calendar, sessions.next_open(calendar, at_ns))
    return Day(seed, found.date.isoformat(), found.open_ns, found.close_ns)


def thinker(day: Day) -> tuple[str, ...]:
    """Give what Python is started with for the worker of this day (`joed.market.thinker`); its own arguments follow."""
    return ("-P", "-m", "joed.market.thinker", str(day.seed), day.session, str(day.open_ns), str(day.close_ns))


def demo_settings(settings: Settings) -> Settings:
    """Give the settings of a demo: the embedded market's universe, and a day that ends flat."""
    eod = replace(settings.eod, close_positions=True) if settings.eod == EndOfDay() else settings.eod
    session = replace(settings.session, lead_s=LEAD_S, after_close_s=AFTER_CLOSE_S)
    return replace(settings, mode=Mode.PAPER, universe=universe_of(), eod=eod, session=session)


class Halting(Protocol):
    """An exchange that can stop trading one name."""

    def halt(self, instrument: str, *, halted: bool) -> None:
        """Halt trading of an instrument, or resume it."""
        ...


def plan_halts(clock: Clock, halts: Iterable[tuple[str, int, int]], exchange: Halting) -> None:
    """Have the exchange stop and resume trading when the market's day says so: symbol, from and to, in ns."""
    for symbol, from_ns, to_ns in halts:
        clock.call_at(from_ns, partial(exchange.halt, symbol, halted=True))
        clock.call_at(to_ns, partial(exchange.halt, symbol, halted=False))
