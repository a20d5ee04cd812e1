"""Tests of joed.rerun: a recorded day's quotes traded by other settings."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from joed.daemon.places import places
from joed.errors import ConfigError
from joed.model.settings import Settings
from joed.model.values import DAY
from joed.rerun import Tape, days_before, rerun, run_with
from tests.small_days import DAYS, options, played, settings


def test_the_tape_gives_a_sessions_quotes_and_no_other_days():
    """All quotes of the day, those that led to a decision among them, in order of time."""
    _, state_dir = played()
    tapes = [Tape(places(state_dir), day) for day in DAYS]

    assert [tape.tally.rows for tape in tapes] == [4_200, 4_200]
    times = [at_ns for at_ns, _ in tapes[1].quotes()]
    assert times == sorted(times)
    assert {quote.instrument for _, quote in tapes[0].quotes()} == {"AAA", "BBB", "CCC", "SPY", "VIX"}


def test_the_same_settings_make_the_same_first_day():
    """The first day knew nothing before it: over its own tape it comes out as it did."""
    report, state_dir = played()

    again = rerun(state_dir, DAYS[0], settings(), seed=3)

    assert again.days[0] == report.days[0]
    assert again.data == f"session {DAYS[0]}"


def test_other_settings_trade_otherwise_and_the_record_stays():
    """A strategy that is off trades nothing; the journal is as it was."""
    _, state_dir = played()
    before = (state_dir / "joed.db").read_bytes()
    quiet = replace(Settings().strategies.breakout, enabled=False)

    report = rerun(state_dir, DAYS[0], replace(settings(), strategies=replace(Settings().strategies, breakout=quiet)))

    assert (report.fills, report.pnl) == (0, 0)
    assert (state_dir / "joed.db").read_bytes() == before


def test_a_session_that_was_not_recorded_is_refused(tmp_path):
    """No journal, no session, another calendar: each is named."""
    _, state_dir = played()

    with pytest.raises(ConfigError, match="no journal"):
        rerun(tmp_path, DAYS[0], settings())
    with pytest.raises(ConfigError, match="no quotes of session '1999-01-04'"):
        rerun(state_dir, "1999-01-04", settings())
    with pytest.raises(ConfigError, match="none of calendar 'CMES'"):
        rerun(state_dir, DAYS[0], replace(settings(), calendar="CMES"))


def test_the_days_before_come_from_the_workers_cache(tmp_path):
    """Only days that ended before the session's open: the day itself would be knowledge of the future."""
    cache = tmp_path / "bars.db"
    with closing(sqlite3.connect(cache)) as base:
        base.execute("CREATE TABLE daily (instrument, at_ns, open, high, low, close, volume)")
        rows = [("AAA", 5 * DAY, 1, 2, 1, 2, 9), ("AAA", 10 * DAY, 2, 3, 2, 3, 9)]
        base.executemany("INSERT INTO daily VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        base.commit()

    found = days_before(cache, 10 * DAY + DAY // 2)

    assert found["AAA"].tolist() == [[5 * DAY, 1, 2, 1, 2, 9]]
    assert days_before(tmp_path / "none.db", 10 * DAY) == {}


def test_the_report_is_printed_as_a_backtests(capsys):
    """The same words as a backtest's, with the session in the place of a file."""
    status = run_with(played()[1], DAYS[0], settings(), options())

    assert status == 0
    assert capsys.readouterr().out.startswith(f"Backtest of session {DAYS[0]}: ")
