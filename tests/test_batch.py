"""The batch that trades: one round of thinking through the daemon's own gate, record and end."""

import json
import sqlite3
from contextlib import closing

import pytest

from joed.batch import FIRE_NS, IDLE_NS, PATIENCE_NS, Batch
from joed.model.state import Job
from joed.model.values import SECOND
from tests.demos import joed, quiet
from tests.engine.build import CLOSE, OPEN, START, trading_state


def once(tmp_path, at, *more):
    """Trade once as of a time, as fast as it goes, on the day of seed 7."""
    words = ("--once", "--trade", "--config", quiet(tmp_path), "--state-dir", tmp_path / "s", "--clock", f"{at}@max")
    return joed(*words, "--seed", "7", *more)


def test_twice_a_minute_apart_gives_no_second_order_for_the_same_signal(tmp_path):
    """The first run enters and leaves its stop at the broker; the second knows the signal from the record."""
    first = once(tmp_path, "2026-09-01T17:30:00Z", "--json")
    second = once(tmp_path, "2026-09-01T17:31:30Z", "--json")
    runs = [json.loads(done.stdout) for done in (first, second)]

    assert [first.returncode, second.returncode] == [0, 0], first.stderr + second.stderr
    assert runs[0]["entries"]
    assert runs[0]["fills"]
    assert runs[1]["triggers"]
    with closing(sqlite3.connect(tmp_path / "s" / "joed.db")) as db:
        query = "SELECT json_extract(json, '$.signal') FROM commands WHERE type = 'SubmitOrder'"
        query += " AND json_extract(json, '$.opens')"
        signals = [signal for (signal,) in db.execute(query)]
    assert len(signals) == len(set(signals))
    assert {row["signal"] for row in runs[0]["entries"]}.isdisjoint(row["signal"] for row in runs[1]["entries"])


def test_before_the_open_it_thinks_and_enters_nothing(tmp_path):
    """In words: the watchlist is there, and it says why it ended."""
    done = once(tmp_path, "2026-09-01T13:00:00Z")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Session 2026-09-01: the market is not open yet")
    assert "Entered" not in done.stdout


def test_a_day_without_a_session_is_no_failure(tmp_path):
    """For a scheduler that fires every day: status 0, and said."""
    done = once(tmp_path, "2026-09-06T15:00:00Z", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ended"] == "no session is due"


def test_trade_goes_with_once_alone(tmp_path):
    """Anything else trades, or does not, by its own rules: a usage error."""
    assert joed("--daemon", "--trade").returncode == 64


def batch_at(state, begun=START):
    """Begin a batch beside this State."""
    state.jobs = {}
    return Batch(begun_ns=begun)


@pytest.mark.parametrize(("waited", "over"), [(FIRE_NS - 1, ""), (FIRE_NS, "the triggers had their time")])
def test_triggers_have_a_minute_to_fire(waited, over):
    """Counted from the first answer of the strategies in this run."""
    state = trading_state()
    batch = batch_at(state)
    state.jobs["strategies"] = Job("strategies", ended_ns=START + SECOND)

    assert batch.over(state, START + SECOND + waited) == over


def test_an_answer_of_an_earlier_run_does_not_count():
    """The strategies' last answer is older than this run: it waits, and is given up as failed in the end."""
    state = trading_state()
    batch = batch_at(state)
    state.jobs["strategies"] = Job("strategies", ended_ns=START)

    assert batch.over(state, START + PATIENCE_NS - 1) == ""
    assert batch.over(state, START + PATIENCE_NS) == "given up"
    assert batch.failed == ["not thought through within 300 s"]


def test_where_no_session_is_due_it_waits_half_a_minute_to_be_sure():
    """The books may not be read yet; after the close it is the same."""
    state = trading_state()
    late = batch_at(state, CLOSE)

    assert late.over(state, CLOSE + IDLE_NS - 1) == ""
    assert late.over(state, CLOSE + IDLE_NS) == "no session is due"
    early = batch_at(state, OPEN - IDLE_NS)
    state.scanned_ns = OPEN - SECOND
    assert early.over(state, OPEN - 1) == "the market is not open yet"
