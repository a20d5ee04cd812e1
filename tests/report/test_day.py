"""Tests of joed.report.day: the day's report, against the exchange's own book."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from joed.brokers.paper_store import PaperStore, whole
from joed.daemon.places import places
from joed.errors import ConfigError
from joed.report import day_of, day_report
from joed.report.day import checked, thinned
from joed.report.rows import Ledger
from joed.report.trades import TRAILING
from tests.small_days import DAYS, played


def report_of(session=DAYS[0], root=None):
    """Give the report of a day of the shared run."""
    where = places(root or played()[1])
    return day_of(where.journal, session, where.paper)


def test_a_day_adds_up_to_the_backtests_line():
    """Both read the same record."""
    for row in played()[0].days:
        day = report_of(row.session)

        assert (day.pnl, day.fees, day.fills, day.trades, day.wins) == (
            row.pnl,
            row.fees,
            row.fills,
            row.trades,
            row.wins,
        )
        assert day.equity_end == row.equity
        assert sum(day.exits.values()) == day.trades


def test_every_trailing_exit_is_found_in_the_exchanges_book():
    """By its execution's id; the book's own log says that every position was protected at every moment."""
    day = report_of()

    assert day.trailing
    assert all(row.matched for row in day.trailing)
    assert len(day.trailing) == sum(end.kind == TRAILING for trade in day.positions for end in trade.exits)
    assert day.book is not None
    assert day.book.protected
    assert (day.book.missing, day.book.unknown, day.book.breaches) == ((), (), ())


def test_a_fill_that_the_exchange_does_not_have_is_named(tmp_path):
    """A book that lost an execution, or has other words on it, does not pass for the same."""
    shutil.copy(played()[1] / "paper.db", tmp_path / "paper.db")
    with closing(sqlite3.connect(tmp_path / "paper.db")) as base:
        (gone,) = base.execute("SELECT data ->> 'execution' FROM executions WHERE n = 5").fetchone()
        base.execute("DELETE FROM executions WHERE n = 5")
        base.execute("UPDATE executions SET data = json_set(data, '$.price', '1.00') WHERE n = 6")
        base.commit()
    with Ledger(played()[1] / "joed.db") as ledger:
        found = checked(whole(tmp_path / "paper.db"), ledger.fills())

    assert len(found.missing) == 2
    assert gone in found.missing
    assert found.breaches


def test_a_moment_without_a_stop_is_no_protection(tmp_path):
    """One turn after which stops and position differed, and the answer is no."""
    shutil.copy(played()[1] / "paper.db", tmp_path / "paper.db")
    with closing(sqlite3.connect(tmp_path / "paper.db")) as base:
        base.execute("UPDATE log SET data = json_set(data, '$.protection', '0') WHERE data ->> 'position' <> '0'")
        base.commit()
    with Ledger(played()[1] / "joed.db") as ledger:
        assert not checked(whole(tmp_path / "paper.db"), ledger.fills()).protected


def test_without_a_book_nothing_is_claimed():
    """No exchange's file: what it would say is unknown, not yes."""
    day = day_of(played()[1] / "joed.db", DAYS[0])

    assert day.book is None
    assert {row.matched for row in day.trailing} == {None}


def test_an_account_that_never_had_an_order_has_no_book(tmp_path):
    """A file without a word in it is told as none, not as a failure."""
    PaperStore(tmp_path / "paper.db").close()

    assert day_of(played()[1] / "joed.db", DAYS[0], tmp_path / "paper.db").book is None


def test_the_newest_session_is_the_default_and_an_unknown_one_refused():
    """The words name the sessions that there are."""
    journal = played()[1] / "joed.db"

    assert day_of(journal).session == DAYS[1]
    with pytest.raises(ConfigError, match=f"there are: {DAYS[0]}, {DAYS[1]}"):
        day_of(journal, "1999-01-04")


def test_the_report_comes_as_text_or_as_json():
    """The same day in both; the paper account's book is found by itself."""
    where = places(played()[1])

    assert day_report(where, DAYS[0], as_json=False).startswith(f"Session {DAYS[0]}, paper account")
    assert json.loads(day_report(where, DAYS[0], as_json=True))["book"]["protected"] is True


@pytest.mark.parametrize("count", [0, 1, 59, 60, 61, 1_000])
def test_a_thinned_curve_keeps_its_ends(count):
    """At most so many points, the first and the last among them."""
    values = [float(value) for value in range(count)]

    found = thinned(values, 60)

    assert len(found) == min(count, 60)
    assert found[:1] == tuple(values[:1])
    assert found[-1:] == tuple(values[-1:])
