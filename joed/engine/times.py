"""When each job runs: the table, the person's own rows in place of it, and what follows from both for one job."""

from dataclasses import fields

from joed.engine import anchors
from joed.model.settings import Jobs
from joed.model.state import Job, State

TIMES: dict[str, str] = {
    "regime": "every {regime_s:g}s from the session's beginning to close",
    "scan": "every {scan_s:g}s, once there is a regime, to close",
    "watchlist": "every {watchlist_s:g}s while open",
    "strategies": "every {strategies_s:g}s while open, a second after the full minute",
    "analytics": "every {analytics_s:g}s while open",
    "crypto": "every {crypto_s:g}s",
    "summary": "close+1m",
}
"""When each job runs, as `joectl jobs` says it, where the person's own table (`jobs.times`) has no row for it."""
INTERVALS = tuple(row.name for row in fields(Jobs) if row.name.endswith("_s"))


def time_of(settings: Jobs, job: str) -> str:
    """Say when a job runs: the row of the table that is in force."""
    own = settings.times.get(job)
    return TIMES.get(job, "").format(**{name: getattr(settings, name) for name in INTERVALS}) if own is None else own


def next_of(state: State, job: Job) -> int:
    """Give when a job is due next, 0 where it is not in this session."""
    row = state.settings.jobs.times.get(job.name)
    if row is None or (job.failed and job.next_ns):
        return job.next_ns
    return anchors.next_due(row, state.now, state.day.open_ns, state.day.close_ns) if state.day.session else 0


def timely(state: State, job: Job, name: str, now: int) -> bool:
    """Say whether it is a job's time: by the person's own row where there is one, else so long after its last run.

    What was missed since its last run is one run, however often it was due.
    """
    row = state.settings.jobs.times.get(name)
    if row is None:
        return now >= job.next_ns
    retried = bool(job.failed) and now >= job.next_ns
    return retried or anchors.last_due(row, now, state.day.open_ns, state.day.close_ns) > job.started_ns
