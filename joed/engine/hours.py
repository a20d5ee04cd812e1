"""A broker's own market hours beside our calendar: where they differ a person hears of it, and the shorter ones hold.

A calendar is a table made months ago; the broker knows of the half day that was announced yesterday. Entries stay
within both, the end of the day comes with the earlier close; nothing is ever longer because the broker says so.
"""

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from joed.engine.reconcile import broker_of
from joed.engine.sessions import Session, session_on
from joed.model.calendars import Calendar
from joed.model.commands import Command, RaiseAlert
from joed.model.feeds import HoursTold
from joed.model.state import Finding, Hours, State
from joed.model.values import DAY, HOUR, MINUTE, SECOND, Severity

NAME = "hours"
"""The row of status and doctor."""
APART_NS = {"session": MINUTE, "24x5": 2 * HOUR, "24x7": 2 * HOUR}
"""What counts as a difference, by the kind of calendar: markets around the clock pause at their broker's own time."""
SHOWN_MAX = 3
WORDS_MAX = 300
DAYS_MAX = 14
KEPT_MAX = 2_000


def note_told(state: State, now: int, event: HoursTold) -> None:
    """Keep the hours, and what of them differs from the calendar as a finding (part of `apply`)."""
    broker = broker_of(state, event.broker)
    found = Hours(event.spans, event.from_ns, event.until_ns)
    for instrument in event.instruments:
        if instrument in broker.hours or len(broker.hours) < KEPT_MAX:
            broker.hours[instrument] = found
    words = list(differences(state, event.broker, now))
    if not words:
        broker.findings[NAME] = Finding(ok=True, words="as our calendar has them", halts=False, since_ns=now)
        return
    more = f" and {len(words) - SHOWN_MAX} more" if len(words) > SHOWN_MAX else ""
    fix = "; the shorter hours hold: see joectl calendar, and put the right ones into calendar.d"
    told = f"{'; '.join(words[:SHOWN_MAX])}{more}"[: WORDS_MAX - len(fix)]
    broker.findings[NAME] = Finding(ok=False, words=told + fix, halts=False, since_ns=now)


def on_told(state: State, now: int, event: HoursTold, commands: list[Command]) -> None:
    """Tell a person where they differ, once a session."""
    finding = state.brokers[event.broker].findings[NAME]
    alert = f"{NAME}:{event.broker}:{state.day.session}:{finding.words}"[:WORDS_MAX]
    if not finding.ok and alert not in state.alerts:
        commands.append(RaiseAlert(alert, Severity.WARNING, f"{event.broker} {NAME}: {finding.words}"))


def differences(state: State, broker: str, now: int) -> Iterator[str]:
    """Give in words each day ahead on which a broker's hours are others than our calendar's, the nearest first."""
    groups: dict[tuple[str, Hours], str] = {}
    extended = state.settings.session.extended_hours
    for instrument, told in state.brokers[broker].hours.items():
        row = state.settings.universe.get(instrument)
        if row is not None and row.calendar in state.calendars:
            groups.setdefault((row.calendar, told), instrument)
    found = [
        (session_ns, words)
        for (name, told), instrument in groups.items()
        for session_ns, words in _of_calendar(state.calendars[name], told, instrument, now, extended=extended)
    ]
    yield from dict.fromkeys(words for _, words in sorted(found))


def _of_calendar(
    calendar: Calendar, told: Hours, instrument: str, now: int, *, extended: bool
) -> Iterator[tuple[int, str]]:
    """Compare one calendar with one broker's hours, day by day as far as these reach."""
    zone = ZoneInfo(calendar.timezone)
    first = dt.datetime.fromtimestamp(max(told.from_ns, now - DAY) // SECOND, zone).date()
    for date in (first + dt.timedelta(days=days) for days in range(DAYS_MAX)):
        noon_ns = int(dt.datetime.combine(date, dt.time(12), zone).timestamp()) * SECOND
        if not told.from_ns <= noon_ns < told.until_ns:
            continue
        ours = _edges(session_on(calendar, date), extended=extended)
        words = _of_day(calendar, told, ours, noon_ns)
        if words and (ours is None or ours[1] > now):
            yield noon_ns, f"{date} {calendar.name} ({instrument} …): {words}"


def _edges(session: Session | None, *, extended: bool) -> tuple[int, int] | None:
    """Give when a session begins and ends, with the hours before and after it where these are traded too."""
    if session is None:
        return None
    return (session.pre_open_ns, session.after_close_ns) if extended else (session.open_ns, session.close_ns)


def _of_day(calendar: Calendar, told: Hours, ours: tuple[int, int] | None, noon_ns: int) -> str:
    """Say how a day differs, "" where it does not."""
    if ours is None:
        day = (noon_ns - DAY // 2, noon_ns + DAY // 2)
        here = [span for span in told.spans if span[0] < day[1] and day[0] < span[1] and calendar.kind == "session"]
        return f"the broker opens {_clock(calendar, here[0])}, our calendar has no session" if here else ""
    theirs = [span for span in told.spans if span[0] < ours[1] and ours[0] < span[1]]
    if not theirs:
        return f"the broker is closed, our calendar opens {_clock(calendar, ours)}"
    span, apart = (theirs[0][0], theirs[-1][1]), APART_NS[calendar.kind]
    if max(abs(span[0] - ours[0]), abs(span[1] - ours[1])) < apart:
        return ""
    return f"{_clock(calendar, span)} at the broker, {_clock(calendar, ours)} in our calendar"


def _clock(calendar: Calendar, span: tuple[int, int]) -> str:
    zone = ZoneInfo(calendar.timezone)
    return " to ".join(f"{dt.datetime.fromtimestamp(edge // SECOND, zone):%H:%M}" for edge in span)


def hours_of(state: State, instrument: str) -> Hours | None:
    """Give what its broker told of an instrument's hours, None where nothing."""
    row = state.settings.universe.get(instrument)
    broker = state.brokers.get(row.broker) if row is not None else None
    return broker.hours.get(instrument) if broker is not None else None


def outside(state: State, now: int, instrument: str) -> str:
    """Say that an instrument's broker does not trade it at this hour, or ""; a day it told nothing of is our own."""
    told = hours_of(state, instrument)
    if told is None or not told.from_ns <= now < told.until_ns:
        return ""
    if any(begin <= now < end for begin, end in told.spans):
        return ""
    return f"{instrument} is not traded now by its broker's own hours"


def close_of(state: State, instrument: str) -> int:
    """Give when the session ends for an instrument: by our calendar, or earlier where its broker closes earlier."""
    day, told = state.day, hours_of(state, instrument)
    if told is None or not told.from_ns <= day.open_ns < told.until_ns:
        return day.close_ns
    ends = [end for begin, end in told.spans if begin < day.close_ns and day.open_ns < end]
    return min(day.close_ns, max(ends, default=day.close_ns))
