"""What people call the phase: derived from the Blocks and the session's clock at each look, never stored."""

import datetime as dt
from typing import NamedTuple
from zoneinfo import ZoneInfo

from joed.engine import sessions
from joed.model.blocks import ALL, Block
from joed.model.calendars import Calendar
from joed.model.state import State
from joed.model.values import SECOND
from joed.model.view import SessionClock

STARTING = "STARTING"
RECONCILING = "RECONCILING"
DISCONNECTED = "DISCONNECTED"
AWAITING_CONFIRMATION = "AWAITING CONFIRMATION"
CLOSED = "CLOSED"
HALTED = "HALTED"
DEFENSIVE = "DEFENSIVE"
PAUSED = "PAUSED"
BLOCKED = "BLOCKED"
CLOSING = "CLOSING"
STOPPING = "STOPPING"
TRADING = "TRADING"

UNCONFIRMED = "not_confirmed"
NO_SESSION = "no_session"

PHASE = {
    "killed": HALTED,
    "broker_down": DISCONNECTED,
    "feed_silent": DISCONNECTED,  # connected but blind is no better
    "reconciling": RECONCILING,
    NO_SESSION: CLOSED,
    "market_closed": CLOSED,
    UNCONFIRMED: AWAITING_CONFIRMATION,
    "vix": DEFENSIVE,
    "paused": PAUSED,
}
"""What a Block that stops all entries is called, by its reason. A latched one is HALTED, any other BLOCKED."""

RANK = (
    *(STOPPING, HALTED, STARTING, DISCONNECTED, RECONCILING, BLOCKED, AWAITING_CONFIRMATION, CLOSED, DEFENSIVE),
    *(PAUSED, CLOSING, TRADING),
)
"""Which name wins where several hold, first first: what a person must know before anything else."""

TROUBLED = frozenset({DISCONNECTED, BLOCKED, DEFENSIVE})
"""Phases that a monitor reports as degraded; waiting for a person or for the market is no trouble."""

OPEN_PHASES = frozenset({TRADING, CLOSING, DEFENSIVE, PAUSED, BLOCKED, AWAITING_CONFIRMATION})
"""Phases in which the time to the close is worth its place in the status line."""

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


class Phase(NamedTuple):
    """A name, the words for it, and the reasons of all Blocks that stop all entries."""

    name: str
    words: str
    reasons: tuple[str, ...]


def phase_of(state: State, clock: SessionClock) -> Phase:
    """Name what joed is doing, with every reason why it opens nothing."""
    total = [block for block in state.blocks.values() if stops_all(state, block)]
    over = state.day.session and state.now >= state.day.close_ns
    idle = over or any(block.reason == NO_SESSION for block in total)  # then there is no card to sign
    found = [(name_of(block), block.words) for block in total if not (idle and block.reason == UNCONFIRMED)]
    if state.stopping:
        found.append((STOPPING, state.stopping))
    if state.epoch == 0 or not state.brokers:
        found.append((STARTING, "no broker yet"))
    if not found:
        found.append(_by_the_clock(state, clock))
    name = min((name for name, _ in found), key=RANK.index)
    words = "; ".join(said for named, said in found if named == name and said)
    if name == CLOSED and clock.next_open_ns:
        words = f"next open {local(clock.next_open_ns, clock.timezone)}"
    return Phase(name, words, tuple(block.reason for block in total))


def name_of(block: Block) -> str:
    """Give the phase that one total Block amounts to."""
    return PHASE.get(block.reason, HALTED if block.latched else BLOCKED)


def stops_all(state: State, block: Block) -> bool:
    """Say whether a Block leaves nothing that could be opened: the whole, our calendar, or all of our brokers."""
    if block.scope in {ALL, f"calendar:{state.settings.calendar}"}:
        return True
    kind, _, name = block.scope.partition(":")
    if kind != "broker" or name not in state.settings.brokers:
        return False
    stopped = {other.scope for other in state.blocks.values()}
    return all(f"broker:{broker}" in stopped for broker in state.settings.brokers)


def _by_the_clock(state: State, clock: SessionClock) -> tuple[str, str]:
    """Name a phase that no Block tells: out of hours, near the close, or trading."""
    if clock.phase and clock.phase != sessions.Phase.OPEN:
        return CLOSED, ""
    if clock.to_close_s is not None and clock.to_close_s <= state.settings.eod.entries_until_s:
        return CLOSING, "no entries this near the close"
    return TRADING, ""


def clock_of(state: State) -> SessionClock:
    """Give the session's clock: from the calendar, or from the session alone where none is loaded."""
    day, now, name = state.day, state.now, state.settings.calendar
    calendar = state.calendars.get(name)
    if calendar is None:
        return _clock_without_calendar(state)
    session = sessions.session_at(calendar, now)
    is_open = sessions.within(session, now)
    next_open_ns = sessions.next_open(calendar, now)
    return SessionClock(
        session=day.session,
        calendar=name,
        timezone=calendar.timezone,
        phase=_market_phase(calendar, now),
        open_ns=session.open_ns,
        close_ns=session.close_ns,
        next_open_ns=next_open_ns,
        to_open_s=None if is_open else (next_open_ns - now) / SECOND,
        to_close_s=(session.close_ns - now) / SECOND if is_open else None,
    )


def _market_phase(calendar: Calendar, now: int) -> str:
    return str(sessions.phase(calendar, now))


def _clock_without_calendar(state: State) -> SessionClock:
    day, now = state.day, state.now
    is_open = day.open_ns <= now < day.close_ns
    phase = sessions.Phase.OPEN if is_open else sessions.Phase.CLOSED
    before = now < day.open_ns
    return SessionClock(
        session=day.session,
        calendar=state.settings.calendar,
        timezone="UTC",
        phase=str(phase) if day.session else "",
        open_ns=day.open_ns,
        close_ns=day.close_ns,
        next_open_ns=day.open_ns if before else 0,
        to_open_s=(day.open_ns - now) / SECOND if before else None,
        to_close_s=(day.close_ns - now) / SECOND if is_open else None,
    )


def local(at_ns: int, timezone: str) -> str:
    """Write an instant as a clock on the market's wall shows it: "Mon 09:30 EST"."""
    return f"{dt.datetime.fromtimestamp(at_ns // SECOND, ZoneInfo(timezone)):%a %H:%M %Z}"


def span(seconds: float) -> str:
    """Write a length of time in its two largest units: "45 s", "12 min", "2 h 5 min", "3 d 4 h"."""
    whole = max(0, int(seconds))
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min"
    if whole < DAY_S:
        return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S} min"
    return f"{whole // DAY_S} d {whole % DAY_S // HOUR_S} h"
