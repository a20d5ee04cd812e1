"""When jobs run: at the table's times or a person's own, never twice at once, what was missed made up once."""

import pytest

from joed.contradictions import JOBS
from joed.engine.step import refold, step
from joed.engine.times import LATER_NS, TABLE, deadline_ns, plan, span, time_of
from joed.engine.view import view
from joed.model.anchors import parsed
from joed.model.commands import OpenSession, RunJob
from joed.model.events import EpochStarted, JobFailed, SettingsLoaded, Tick
from joed.model.settings import Instrument, Jobs
from joed.model.values import HOUR, MINUTE, SECOND
from tests.engine.build import CLOSE, OPEN, START, D, of_kind, settings_of, trading_state


def timed(now=START, **rows):
    """Give an open session at this moment whose jobs run at a person's own times; none has run."""
    state = trading_state(now=now, jobs=Jobs(times=rows))
    state.jobs = {}
    plan(state, now)
    return state


def ran(state, now):
    """Give the jobs that are started at a moment."""
    return [command.job for command in of_kind(step(state, now, Tick()), RunJob)]


def test_the_table_has_a_row_for_each_job_anchored_to_the_session():
    """Seven rows that the settings' words name too, each read by the same grammar as a person's own."""
    assert tuple(TABLE) == JOBS
    assert {job: time_of(Jobs(), job) for job in TABLE} == {
        "regime": "every 1h from open-65m to close",
        "scan": "every 30m from open-65m to close",
        "watchlist": "every 15m while open",
        "strategies": "every 1m from open+1s to close",
        "analytics": "every 1h while open, close+20s",
        "crypto": "every 4h from open-65m to close",
        "summary": "close+1m",
    }
    assert all(parsed(time_of(Jobs(), job)) for job in TABLE)


def test_a_session_that_opens_plans_its_jobs():
    """Each at its first time of the day; what was due already, at once; crypto only where there is any."""
    state = trading_state()

    refold(state, OPEN - 65 * MINUTE, Tick(), [OpenSession("2026-09-22", OPEN, CLOSE, D(1))])

    assert {name: job.next_ns for name, job in state.jobs.items()} == {
        "regime": OPEN - 65 * MINUTE,
        "scan": OPEN - 65 * MINUTE,
        "watchlist": OPEN,
        "strategies": OPEN + SECOND,
        "analytics": OPEN,
        "crypto": LATER_NS,
        "summary": CLOSE + MINUTE,
    }
    coins = settings_of()
    coins.universe["BTC"] = Instrument("BTC", kind="crypto")
    step(state, OPEN, SettingsLoaded(coins, "digest"))
    assert state.jobs["crypto"].next_ns == OPEN - 65 * MINUTE


def test_a_job_runs_at_the_persons_own_time_and_a_miss_is_made_up_once():
    """Every ten minutes from the open: an hour of silence is one run, then the next whole ten minutes."""
    state = timed(analytics="every 10m while open")

    assert "analytics" in ran(state, START + SECOND)
    state.jobs["analytics"].running = 0
    assert "analytics" not in ran(state, START + 10 * MINUTE - SECOND)
    assert "analytics" in ran(state, START + 10 * MINUTE)


def test_a_job_never_overlaps_itself():
    """It still runs when it is due again: nothing is started until it has ended, or is lost."""
    state = timed(analytics="every 1m while open")
    assert "analytics" in ran(state, START + SECOND)

    assert "analytics" not in ran(state, START + 60 * SECOND)
    assert "analytics" in ran(state, START + 2 * MINUTE)


def test_a_new_process_runs_what_the_last_one_left_and_keeps_to_the_table_for_the_rest():
    """A run that was under way is void; one that had its answer is not made again before its time."""
    state = timed()
    step(state, START + SECOND, Tick())
    state.jobs["analytics"].running = 0

    step(state, START + MINUTE, EpochStarted(2, "crash", "0", "c"))
    step(state, START + MINUTE, SettingsLoaded(state.settings, "digest"))

    assert state.jobs["regime"].next_ns <= START + MINUTE
    assert state.jobs["analytics"].next_ns == START + HOUR


def test_other_times_hold_from_the_reload_on():
    """The next run is by the new row, whatever the old one had planned; a retry that is due stays due."""
    state = timed(analytics="every 1m while open", regime="every 1h while open")
    step(state, START + SECOND, Tick())
    step(state, START + 2 * SECOND, JobFailed("regime", 1, "late"))

    own = Jobs(times={"analytics": "close-5m", "regime": "close-5m"})
    step(state, START + 3 * SECOND, SettingsLoaded(settings_of(jobs=own), "digest"))

    assert state.jobs["analytics"].next_ns == CLOSE - 5 * MINUTE
    assert state.jobs["regime"].next_ns == START + 2 * SECOND + MINUTE


@pytest.mark.parametrize(
    ("jobs", "seconds"),
    [
        (Jobs(), {"regime": 30, "strategies": 20}),
        (Jobs(deadline_s=5.0), {"regime": 5, "strategies": 5}),
        (Jobs(deadlines={"strategies": 40.0}), {"regime": 30, "strategies": 40}),
    ],
)
def test_each_job_has_a_deadline_of_its_own(jobs, seconds):
    """The person's word, else the table's, which the common one can only shorten."""
    assert {job: deadline_ns(jobs, job) // SECOND for job in seconds} == seconds


@pytest.mark.parametrize(
    ("seconds", "words"), [(3600.0, "1h"), (5400.0, "90m"), (15.0, "15s"), (0.2, "1s"), (1e9, "999999s")]
)
def test_an_interval_is_written_as_a_row_has_it(seconds, words):
    """In the largest unit that is whole, a second at least, never more digits than a row may have."""
    assert span(seconds) == words
    assert parsed(f"every {words} while open")


def test_people_are_told_each_jobs_time_next_run_and_how_long_it_took():
    """All of the table, whether it ran or not; in the person's own words where they have some; what waits says why."""
    state = timed(analytics="open+1h, close-5m")
    step(state, START + SECOND, Tick())
    step(state, START + 3 * SECOND, JobFailed("analytics", state.jobs["analytics"].runs, "x"))
    rows = {row.name: row for row in view(state).jobs}

    assert tuple(rows) == JOBS
    assert rows["analytics"].time == "open+1h, close-5m"
    assert rows["analytics"].took_ns == 2 * SECOND
    assert (rows["analytics"].next_ns, rows["analytics"].failed) == (START + 3 * SECOND + MINUTE, "x")
    assert (rows["scan"].waits, rows["strategies"].waits, rows["regime"].waits) == ("a regime", "a watchlist", "")
    assert (rows["crypto"].next_ns, rows["strategies"].deadline_s) == (0, 20.0)
    assert time_of(Jobs(), "astrology") == ""


def test_a_run_of_a_job_that_this_build_does_not_know_is_taken_from_the_record():
    """Another build's record is folded without an answer of ours to when it runs again."""
    state = timed()

    refold(state, START, Tick(), [RunJob("astrology", 1, START + SECOND, {}, ())])

    assert (state.jobs["astrology"].next_ns, view(state).jobs[-1].time) == (LATER_NS, "")
