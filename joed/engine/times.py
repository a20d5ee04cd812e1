"""When each job runs: one table, anchored to the session, with the person's own rows in place of ours.

A job is due at `next_ns`: noted when a session opens, when settings change and when it runs, so the Tick compares one
number. What was missed meanwhile is one run, however often it was due; what is due and cannot make sense yet waits.
"""

from collections.abc import Callable
from typing import NamedTuple

from joed.engine import feeds
from joed.model import anchors
from joed.model.settings import Jobs, Settings
from joed.model.state import Job, State
from joed.model.values import SECOND

LATER_NS = 1 << 62
"""Not any more in this session."""
SPAN_MAX_S = 999_999


def is_open(state: State, now: int) -> bool:
    """Say whether the session's market is open."""
    return state.day.open_ns <= now < state.day.close_ns


def _with_bars(state: State, now: int) -> str:
    if now >= state.day.close_ns:
        return "the next session"
    return "daily bars" if feeds.waits(state, now) else ""


def _after_regime(state: State, now: int) -> str:
    return _with_bars(state, now) if state.regime is not None else "a regime"


def _with_watchlist(state: State, now: int) -> str:
    return _open(state, now) or ("" if state.watchlist else "a watchlist")


def _open(state: State, now: int) -> str:
    return "" if is_open(state, now) else "the market to open"


def _begun(state: State, now: int) -> str:
    return "the market to open" if now < state.day.open_ns else ""


def _alone(state: State, now: int) -> str:
    return ""


def _day_over(state: State, now: int) -> str:
    if now < state.day.close_ns:
        return "the close"
    return "the next session" if state.summarised == state.day.session else ""


class Row(NamedTuple):
    """One job: its time, in which {scan} stands for the setting `jobs.scan_s`; how long it may take; what it needs.

    `waits` says what it waits for although it is due, "" for nothing. With `only`, it is planned where the universe
    has an instrument of that kind.
    """

    time: str
    deadline_s: float
    waits: Callable[[State, int], str]
    only: str = ""


TABLE: dict[str, Row] = {
    "regime": Row("every {regime} from open-65m to close", 30.0, _with_bars),
    "scan": Row("every {scan} from open-65m to close", 30.0, _after_regime),
    "watchlist": Row("every {watchlist} while open", 20.0, _with_watchlist),
    "strategies": Row("every {strategies} from open+1s to close", 20.0, _with_watchlist),  # the minute's bar is whole
    "analytics": Row("every {analytics} while open, close+20s", 30.0, _begun),  # the day whole, for its summary
    "crypto": Row("every {crypto} from open-65m to close", 30.0, _alone, only="crypto"),
    "summary": Row("close+1m", 30.0, _day_over),
}
"""The jobs in the order in which they start: the request's six, and the strategies, which make the Triggers."""


def time_of(settings: Jobs, job: str) -> str:
    """Say when a job runs: the row that is in force, "" for no job of ours."""
    own = settings.times.get(job)
    if own is not None or job not in TABLE:
        return own or ""
    return TABLE[job].time.format(**{job: span(getattr(settings, f"{job}_s", 0.0))})


def span(seconds: float) -> str:
    """Write an interval as a row has it: 3600.0 is 1h, 90.0 is 90s; a second at least."""
    whole = min(max(1, round(seconds)), SPAN_MAX_S)
    unit = next(unit for unit in ("h", "m", "s") if whole * SECOND % anchors.UNITS[unit] == 0)
    return f"{whole * SECOND // anchors.UNITS[unit]}{unit}"


def deadline_ns(settings: Jobs, job: str) -> int:
    """Give how long a job may take: the person's own word, else the table's, at most `jobs.deadline_s`."""
    own = settings.deadlines.get(job)
    return int((min(TABLE[job].deadline_s, settings.deadline_s) if own is None else own) * SECOND)


def planned(settings: Settings, job: str) -> bool:
    """Say whether a job has anything to look at under these settings."""
    only = TABLE[job].only
    return not only or any(instrument.kind == only for instrument in settings.universe.values())


def plan(state: State, now: int) -> None:
    """Note when each job is due in this session: at once where it was due since its last run (part of `apply`)."""
    if not state.day.session:
        return
    for name in TABLE:
        job = state.jobs.setdefault(name, Job(name))
        row = time_of(state.settings.jobs, name)
        last = anchors.last_due(row, now, state.day.open_ns, state.day.close_ns)
        due = last if last > job.started_ns else following(state, name, now)
        if job.failed and job.next_ns:
            due = min(due, job.next_ns)
        job.next_ns = due if planned(state.settings, name) else LATER_NS


def following(state: State, job: str, now: int) -> int:
    """Give when a job is due after `now`, LATER_NS where it is not in this session."""
    row = time_of(state.settings.jobs, job)
    if not row:
        return LATER_NS  # another build's job
    return anchors.next_due(row, now, state.day.open_ns, state.day.close_ns) or LATER_NS


def next_of(job: Job) -> int:
    """Give when a job is due next as people read it: 0 where it is not planned."""
    return job.next_ns if job.next_ns < LATER_NS else 0


def waits_for(state: State, job: Job) -> str:
    """Say what a job that is due waits for, "" where it is not due, runs, or waits for nothing."""
    if job.running or state.now < job.next_ns or job.name not in TABLE:
        return ""
    return TABLE[job.name].waits(state, state.now)
