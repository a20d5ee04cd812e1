"""When jobs run: at the table's times or a person's own, never twice at once, what was missed made up once."""

from joed.engine.schedule import DUE
from joed.engine.step import step
from joed.engine.times import TIMES, next_of, time_of
from joed.engine.view import view
from joed.model.commands import RunJob
from joed.model.events import JobFailed, Tick
from joed.model.settings import Jobs
from joed.model.values import MINUTE, SECOND
from tests.engine.build import CLOSE, START, of_kind, trading_state


def timed(**rows):
    """Give a State whose jobs run at a person's own times; all have run long ago."""
    return trading_state(jobs=Jobs(times=rows))


def ran(state, now):
    """Give the jobs that are started at a moment."""
    return [command.job for command in of_kind(step(state, now, Tick()), RunJob)]


def test_a_job_runs_at_the_persons_own_time_and_a_miss_is_made_up_once():
    """Every ten minutes from the open: an hour of silence is one run, then the next whole ten minutes."""
    state = timed(analytics="every 10m while open")

    assert "analytics" in ran(state, START + SECOND)
    step(state, START + 2 * SECOND, JobFailed("other", 1, ""))
    state.jobs["analytics"].running = 0
    assert "analytics" not in ran(state, START + 10 * MINUTE - SECOND)
    assert "analytics" in ran(state, START + 10 * MINUTE)


def test_a_job_at_its_own_time_never_overlaps_itself():
    """It still runs when it is due again: nothing is started until it has ended, or is lost."""
    state = timed(analytics="every 1m while open")
    assert "analytics" in ran(state, START + SECOND)

    assert "analytics" not in ran(state, START + 55 * SECOND)
    assert "analytics" in ran(state, START + 2 * MINUTE)


def test_people_are_told_each_jobs_time_next_run_and_how_long_it_took():
    """The table in words, in the person's own where there is a row of theirs."""
    state = timed(analytics="open+1h, close-5m")
    step(state, START + SECOND, Tick())
    state.now += SECOND
    step(state, START + 3 * SECOND, JobFailed("analytics", state.jobs["analytics"].runs, "x"))
    rows = {row.name: row for row in view(state).jobs}

    assert rows["analytics"].time == "open+1h, close-5m"
    assert rows["analytics"].took_ns == 2 * SECOND
    assert time_of(Jobs(), "scan") == "every 1800s, once there is a regime, to close"
    assert set(TIMES) == set(DUE)
    state.jobs["analytics"].failed = ""
    assert next_of(state, state.jobs["analytics"]) == CLOSE - 5 * MINUTE
