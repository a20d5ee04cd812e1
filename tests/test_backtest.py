"""Tests of joed.backtest: two short days of made-up bars, and the real week where it is there."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal

import pytest

from joed.backtest import Playback, assumptions_of, backtest, journal_at, run_backtest, settings_for
from joed.daemon.clock import SimulatedClock
from joed.data import Reading, read
from joed.errors import ConfigError
from joed.model.events import Quote
from joed.model.settings import EndOfDay, Own, Settings, Strategies
from joed.report.text import as_json
from tests.small_days import DAYS, NOW, bars, data_file, options, played, settings


def test_the_account_of_the_data_adds_up():
    """Rows read and rejected are what the file holds; every quote was played or counted as left out."""
    report, _ = played()

    assert report.rows_held == 2 * 210 * 5 == report.rows_read + report.rows_rejected
    assert report.quotes == 4 * report.rows_read == report.quotes_played + report.quotes_outside
    assert report.sessions == DAYS
    assert report.watched == ("VIX",)


def test_each_day_is_traded_and_ends_flat():
    """Positions are closed at the end of each day by default, and every day has its own line."""
    report, _ = played()

    assert [day.trades > 0 for day in report.days] == [True, True]
    assert report.held == {}
    assert sum(day.pnl for day in report.days) == report.pnl
    assert {"trailing stop", "target", "end of day"} <= set(report.exits)
    assert sum(report.exits.values()) == report.trades == report.wins + report.losses


def test_the_result_is_the_cash_of_the_fills_in_the_journal():
    """P&L after costs is what the SQL view `fills` adds up to, and the counts are those of the views."""
    report, state_dir = played()
    with closing(sqlite3.connect(state_dir / "joed.db")) as db:
        cash, fills, fees = db.execute("SELECT sum(cash), count(*), sum(fee) FROM fills").fetchone()
        (orders,) = db.execute("SELECT count(*) FROM orders").fetchone()

    assert report.pnl == Decimal(str(round(cash, 6)))
    assert report.pnl == report.equity_end - report.equity_start
    assert (report.fills, report.orders) == (fills, orders)
    assert report.fees == Decimal(str(round(fees, 6)))


def test_a_second_run_says_the_same_bytes(tmp_path):
    """Nothing of the clock, the machine or the directory is in a report: a kept state changes none of it either."""
    again = backtest(data_file(), settings(), seed=3, now=NOW)

    assert as_json(again) == as_json(played()[0])


def test_a_state_directory_with_a_journal_is_refused():
    """A backtest begins at the beginning; it does not add to what is there."""
    _, state_dir = played()

    with pytest.raises(ConfigError, match="holds a journal already"):
        backtest(data_file(), settings(), state_dir=state_dir, now=NOW)


def test_a_temporary_state_goes_at_the_end():
    """Where no directory is named nothing is left behind."""
    with journal_at(None) as where:
        assert where.root.is_dir()

    assert not where.root.exists()


def test_days_that_the_config_keeps_open_stay_open():
    """An end of day that the user set otherwise is the user's; without a word of it a backtest closes."""
    market = read(data_file(), NOW, Reading())
    held = EndOfDay(close_positions=False, at_s=600.0)

    assert settings_for(Settings(), market).eod.close_positions
    assert settings_for(replace(Settings(), eod=held), market).eod == held


def test_limits_of_silence_are_widened_to_the_bars():
    """Quotes of one-minute bars come a quarter of a minute apart, and a minute without a row is no dead feed."""
    market = read(data_file(), NOW, Reading())
    made = settings_for(Settings(), market)

    assert made.feed.stale_s == made.health.broker_silence_s == 180.0
    assert any("180 s" in words for words in assumptions_of(made, market.bias))


def test_a_day_without_a_session_is_named_and_not_played(tmp_path):
    """A Sunday's rows are read and left out, not traded."""
    file = tmp_path / "sunday.csv"
    file.write_text("\n".join(bars(("2018-11-25",), minutes=30)) + "\n")

    report = backtest(file, settings(), now=NOW)

    assert report.sessions == ()
    assert report.days_without_session == ("2018-11-25",)
    assert (report.quotes_played, report.quotes_outside) == (0, report.quotes)
    assert (report.fills, report.pnl) == (0, 0)


def test_bad_rows_are_counted_by_name_and_lose_nothing_else(tmp_path):
    """A row that cannot be true costs itself only; the sum still is what the file holds."""
    file = tmp_path / "dirty.csv"
    rows = list(bars(DAYS[:1], minutes=30))
    bad = ["2018-11-23T14:31:00+00:00,AAA,1,-1,1,1,1", "never,AAA,1,1,1,1,1", "2018-11-23T14:32:00+00:00,AAA,1,2,3,1,1"]
    file.write_text("\n".join([*rows, *bad]) + "\n")

    report = backtest(file, settings(), now=NOW)

    assert report.rejected == {"bad_time": 1, "crossed": 1, "negative": 1}
    assert report.rows_read == len(rows) - 1
    assert report.rows_read + report.rows_rejected == report.rows_held == len(rows) - 1 + len(bad)


def test_quotes_are_played_in_their_time_and_older_ones_left_out():
    """Each quote is handed over right after the Tick of its time, as by a wire; what lies before the start is not."""
    clock = SimulatedClock(10)
    heard = []
    rows = [(at, Quote("AAA", 1.0, 1.1, received_ns=at)) for at in (5, 10, 20, 20, 30)]

    feed = Playback(clock, iter(rows), lambda quote: heard.append((clock.now(), quote.received_ns)))
    while clock.advance():
        pass

    assert heard == [(11, 10), (21, 20), (21, 20), (31, 30)]
    assert feed.played == 4


def test_the_report_is_printed_as_asked_for(tmp_path, capsys):
    """JSON on stdout, a page in the file that was named, nothing on stderr, which is no terminal."""
    file, page = tmp_path / "one.csv", tmp_path / "page.html"
    file.write_text("\n".join(bars(DAYS[:1], minutes=40)) + "\n")

    status = run_backtest(file, settings(), options(json=True, html=page))

    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    assert json.loads(out)["rows_held"] == 200
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.market_data
def test_a_real_week_trades_and_adds_up(data_dir):
    """Five real days, 24 symbols and VIX: every row accounted for, trades made, the laws of money kept."""
    report = backtest(data_dir / "intraday" / "eqker_us_1min_2019.parquet", Settings())

    assert (report.rows_held, report.rows_rejected, report.quotes_played) == (43_164, 0, 172_656)
    assert len(report.sessions) == 5
    assert report.trades > 5
    assert report.held == {}
    assert report.pnl == report.equity_end - report.equity_start


def test_a_strategy_of_the_users_own_is_tried_here_and_its_digest_told():
    """Untried as it is, it is asked in a backtest; the report says what lets it trade."""
    own = Own(file="mine.py", digest="3fa9c2d1" + "0" * 56)
    given = replace(settings(), strategies=Strategies(own={"mine": own}))
    market = read(data_file(), NOW, Reading(untradable=("VIX",)))
    found = settings_for(given, market)

    assert found.strategies.own["mine"].tried == own.digest
    assert any("`tried: 3fa9c2d100000000`" in words for words in assumptions_of(found, ""))
