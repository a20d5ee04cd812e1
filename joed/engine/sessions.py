"""Market hours: which session an instant belongs to, read from a table, its overrides and the weekday rules.

An operator's override comes before the shipped table, the table before the weekday rules; where the table ends the
weekday rules go on alone and the session says so (`guessed`). Instants are nanoseconds since 1970, UTC; times of day
are local "HH:MM" in the calendar's zone, so a change of clocks moves the instants and nothing else.
"""

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from joed.model.calendars import Calendar, Kind, Override
from joed.model.values import HOUR, SECOND


class Session(Struct, frozen=True, gc=False):
    """One trading session, named by its trading date: pre-market, the market's own hours, after-hours."""

    calendar: str
    date: dt.date
    pre_open_ns: int
    open_ns: int
    close_ns: int
    after_close_ns: int
    early: bool = False
    """It closes before the regular time."""
    guessed: bool = False
    """The table does not reach it: weekday rules only, so a holiday would be missed."""


class Phase(StrEnum):
    """Where a market stands in its day."""

    CLOSED = "closed"
    PRE_MARKET = "pre_market"
    OPEN = "open"
    AFTER_HOURS = "after_hours"
    HOLIDAY = "holiday"


WEEKDAYS: dict[Kind, range] = {"session": range(5), "24x5": range(5), "24x7": range(7)}
"""Which days have a session where neither table nor override speaks; Monday is 0."""

SEARCH_DAYS_MAX = 400
"""How far a search for a session goes: over any closure the loader lets through."""
SESSIONS_KEPT = 1024
"""Sessions remembered, about four years of one calendar."""

NEAR = 4
"""Sessions kept together for an hour: yesterday's, today's, and what follows over a day line within the hour."""

NOON = "12:00"
ONE_DAY = dt.timedelta(days=1)
ONE_SECOND = dt.timedelta(seconds=1)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def with_overrides(calendar: Calendar, overrides: Iterable[Override]) -> Calendar:
    """Give the calendar with these overrides added; a later word on the same date replaces an earlier one."""
    by_date = {override.date: override for override in (*calendar.overrides, *overrides)}
    return replace(calendar, overrides=tuple(by_date[day] for day in sorted(by_date)))


def with_rollover(calendar: Calendar, day_rollover: str, timezone: str = "") -> Calendar:
    """Give a 24x7 calendar whose day turns at this local time; a market that closes keeps its own days."""
    if calendar.kind != "24x7":
        return calendar
    return replace(calendar, open=day_rollover, close=day_rollover, timezone=timezone or calendar.timezone)


@lru_cache(maxsize=SESSIONS_KEPT)
def session_on(calendar: Calendar, date: dt.date) -> Session | None:
    """Give the session of this trading date, or None where the market stays closed."""
    hours = _hours_on(calendar, date)
    if hours is None:
        return None
    opening, closing = hours
    open_ns = _opening_ns(calendar, date, opening)
    close_ns = _closing_ns(calendar, date, closing)
    early = close_ns < _closing_ns(calendar, date, calendar.close)
    pre_open = calendar.pre_open
    after_close = calendar.after_close_early if early else calendar.after_close
    return Session(
        calendar=calendar.name,
        date=date,
        pre_open_ns=min(open_ns, _opening_ns(calendar, date, pre_open)) if pre_open else open_ns,
        open_ns=open_ns,
        close_ns=close_ns,
        after_close_ns=max(close_ns, _closing_ns(calendar, date, after_close)) if after_close else close_ns,
        early=early,
        guessed=not covers(calendar, date),
    )


def covers(calendar: Calendar, date: dt.date) -> bool:
    """Say whether an override or the table speaks for this date; else only the weekday rules do."""
    if _override_on(calendar, date):
        return True
    after_start = calendar.valid_from is None or date >= calendar.valid_from
    return after_start and (calendar.valid_until is None or date <= calendar.valid_until)


def why_closed(calendar: Calendar, date: dt.date) -> str:
    """Say in words why this trading date has no session; "" where it has one."""
    if session_on(calendar, date):
        return ""
    if override := _override_on(calendar, date):
        return override.reason or "closed by the operator"
    return "holiday" if _is_weekday(calendar, date) else "weekend"


def within(session: Session, now: int) -> bool:
    """Say whether this session's market is open; the opening instant is in, the closing instant is out."""
    return session.open_ns <= now < session.close_ns


def phase_in(session: Session, now: int) -> Phase:
    """Give the phase as this one session sees it: CLOSED before its pre-market and after its after-hours."""
    if session.open_ns <= now < session.close_ns:
        return Phase.OPEN
    if session.pre_open_ns <= now < session.open_ns:
        return Phase.PRE_MARKET
    if session.close_ns <= now < session.after_close_ns:
        return Phase.AFTER_HOURS
    return Phase.CLOSED


def is_open(calendar: Calendar, now: int) -> bool:
    """Say whether the market is open, regular hours only."""
    return within(session_at(calendar, now), now)


def phase(calendar: Calendar, now: int) -> Phase:
    """Give the market's phase; HOLIDAY through the whole local day that a weekday rule would have opened."""
    found = phase_in(session_at(calendar, now), now)
    if found is not Phase.CLOSED:
        return found
    today = _day_at(calendar, now)
    closed_weekday = _is_weekday(calendar, today) and session_on(calendar, today) is None
    return Phase.HOLIDAY if closed_weekday else Phase.CLOSED


def session_at(calendar: Calendar, now: int) -> Session:
    """Give the session that `now` belongs to, from its pre-market to the end of its after-hours, or else the next."""
    return _first_after(calendar, now, "after_close_ns")


def trading_date(calendar: Calendar, now: int) -> dt.date:
    """Give the date that `now` trades for; it turns when after-hours end, around the clock at the rollover."""
    return session_at(calendar, now).date


def next_open(calendar: Calendar, now: int) -> int:
    """Give the first opening after `now`, in ns."""
    return _first_after(calendar, now, "open_ns").open_ns


def next_close(calendar: Calendar, now: int) -> int:
    """Give the first close after `now`, in ns; around the clock that is the day's rollover (see `next_shut`)."""
    return _first_after(calendar, now, "close_ns").close_ns


def next_shut(calendar: Calendar, now: int) -> int | None:
    """Give the first close after `now` that no session follows at once, in ns; None where that never comes."""
    if calendar.kind == "24x7" and not calendar.overrides:
        return None
    sessions = _sessions_from(calendar, _local(calendar, now).date() - ONE_DAY)
    close_ns = 0
    for session in sessions:
        if close_ns > now and session.open_ns > close_ns:
            return close_ns
        close_ns = session.close_ns
    return None


def time_to_close_ns(calendar: Calendar, now: int) -> int | None:
    """Give the ns left until the close, None while the market is not open."""
    session = session_at(calendar, now)
    return session.close_ns - now if within(session, now) else None


def upcoming(calendar: Calendar, now: int, count: int) -> tuple[Session, ...]:
    """Give the session of `now` or the next, and those after it."""
    sessions = _sessions_from(calendar, session_at(calendar, now).date)
    return tuple(session for _, session in zip(range(count), sessions, strict=False))


def due(calendar: Calendar, now: int, lead_ns: int) -> bool:
    """Say whether a session is open, or opens within the lead: the gate's question."""
    return is_open(calendar, now) or next_open(calendar, now) - now <= lead_ns


def local_date(calendar: Calendar, now: int) -> dt.date:
    """Give the date on a wall clock in the calendar's zone."""
    return _local(calendar, now).date()


def _hours_on(calendar: Calendar, date: dt.date) -> tuple[str, str] | None:
    """Give the local opening and closing times: override over table over weekday rules."""
    override = _override_on(calendar, date)
    if override is None:
        if not _is_weekday(calendar, date) or _is_holiday(calendar, date):
            return None
        override = Override(date=date)
    if override.closed:
        return None
    return (
        override.open or _special(calendar.late_opens, date) or calendar.open,
        override.close or _special(calendar.early_closes, date) or calendar.close,
    )


def _override_on(calendar: Calendar, date: dt.date) -> Override | None:
    found = bisect_left(calendar.overrides, date, key=attrgetter("date"))
    if found < len(calendar.overrides) and calendar.overrides[found].date == date:
        return calendar.overrides[found]
    return None


def _is_weekday(calendar: Calendar, date: dt.date) -> bool:
    return date.weekday() in WEEKDAYS[calendar.kind]


def _is_holiday(calendar: Calendar, date: dt.date) -> bool:
    found = bisect_left(calendar.holidays, date)
    listed = found < len(calendar.holidays) and calendar.holidays[found] == date
    return listed or f"{date:%m-%d}" in calendar.yearly_holidays


def _special(times: tuple[tuple[dt.date, str], ...], date: dt.date) -> str:
    found = bisect_left(times, (date, ""))
    return times[found][1] if found < len(times) and times[found][0] == date else ""


def _goes_round_midnight(calendar: Calendar) -> bool:
    return calendar.open >= calendar.close


def _opens_the_evening_before(calendar: Calendar) -> bool:
    return _goes_round_midnight(calendar) and calendar.open >= NOON


def _opening_ns(calendar: Calendar, date: dt.date, time: str) -> int:
    evening = _opens_the_evening_before(calendar) and time >= NOON
    return _instant(calendar.timezone, date - ONE_DAY if evening else date, time)


def _closing_ns(calendar: Calendar, date: dt.date, time: str) -> int:
    # Only a market that goes round midnight may close on the day after: elsewhere 01:00 is a slip for 13:00.
    next_morning = _goes_round_midnight(calendar) and not _opens_the_evening_before(calendar) and time <= calendar.open
    return _instant(calendar.timezone, date + ONE_DAY if next_morning else date, time)


def _instant(timezone: str, date: dt.date, time: str) -> int:
    """Give the instant a clock in this zone shows this date and time: the first of two, or past a skipped hour."""
    local = dt.datetime(date.year, date.month, date.day, int(time[:2]), int(time[3:]), tzinfo=ZoneInfo(timezone))
    return (local - EPOCH) // ONE_SECOND * SECOND


def _local(calendar: Calendar, now: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(now // SECOND, ZoneInfo(calendar.timezone))


def _day_at(calendar: Calendar, now: int) -> dt.date:
    """Give the trading date that the clock alone tells, whether or not it has a session."""
    local = _local(calendar, now)
    evening = _opens_the_evening_before(calendar) and f"{local:%H:%M}" >= calendar.open
    return local.date() + ONE_DAY if evening else local.date()


def _sessions_from(calendar: Calendar, date: dt.date) -> Iterator[Session]:
    for offset in range(SEARCH_DAYS_MAX):
        if session := session_on(calendar, date + dt.timedelta(days=offset)):
            yield session


Edge = Literal["open_ns", "close_ns", "after_close_ns"]


def _first_after(calendar: Calendar, now: int, edge: Edge) -> Session:
    """Give the first session whose edge lies after `now`; from yesterday on, for days that go round midnight."""
    near = _near(calendar, now // HOUR)
    for session in near:
        if getattr(session, edge) > now:
            return session
    for session in _sessions_from(calendar, near[-1].date):
        if getattr(session, edge) > now:
            return session
    raise AssertionError(f"{calendar.name} has no session within {SEARCH_DAYS_MAX} days")


@lru_cache(maxsize=SESSIONS_KEPT)
def _near(calendar: Calendar, hour: int) -> tuple[Session, ...]:
    """Give the sessions around an hour (counted from 1970), from the day before it on: what each Tick asks for."""
    found = _sessions_from(calendar, _local(calendar, hour * HOUR).date() - ONE_DAY)
    return tuple(session for _, session in zip(range(NEAR), found, strict=False))
