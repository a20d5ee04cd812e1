"""Tests of joed.report.text: what a person reads."""

import json
from decimal import Decimal

import msgspec
import pytest

from joed.report import day_of
from joed.report.day import BlockTime
from joed.report.text import as_json, book_rows, counts, of_day, of_run, result, share, sparkline
from tests.small_days import DAYS, played

D = Decimal


def day():
    """Give the first day of the shared run."""
    root = played()[1]
    return day_of(root / "joed.db", DAYS[0], root / "paper.db")


def test_what_is_unknown_is_said_so_and_nothing_is_not_zero():
    """No figure stands for one that there is not."""
    assert result(None, D(1), "USD") == share(None) == "unknown"
    assert result(D("-5"), D(1000), "USD") == "-5.00 USD (-0.50%)"
    assert counts({}) == "nothing"
    assert counts({"a": 1, "c": 2, "b": 2}) == "b 2, c 2, a 1"


@pytest.mark.parametrize(
    ("values", "drawn"), [((), ""), ((5.0, 5.0), "▁▁"), ((1.0, 8.0), "▁█"), ((1.0, 4.5, 8.0), "▁▅█")]
)
def test_a_sparkline_goes_from_the_lowest_to_the_highest(values, drawn):
    """The lowest value is the lowest bar, the highest the highest; without any difference all are low."""
    assert sparkline(values) in {drawn, drawn.replace("▅", "▄")}


def test_a_day_reads_as_a_trader_wants_it():
    """The result first, then how it came about, then whether every position was protected."""
    words = of_day(day())

    assert words.splitlines()[1].lstrip().startswith("Result")
    assert "in the exchange's book" in words
    assert "Protected    yes: every position had its stop" in words
    assert "the same in both" in words
    assert words.endswith("\n")


def test_a_book_that_breaks_a_law_says_no():
    """A missing fill, an unknown one and each breach have their line."""
    book = msgspec.structs.replace(day().book, protected=False, missing=("x1",), unknown=("x2",), breaches=("bad",))
    words = dict(book_rows(book))

    assert words["Protected"] == "NO"
    assert ("Books", "x1 is not in the exchange's book as it is in ours") in book_rows(book)
    assert ("Books", "x2 is not in ours") in book_rows(book)
    assert words["Breach"] == "bad"
    assert book_rows(None)[0][1].startswith("unknown")


def test_blocks_of_one_reason_are_one_line_and_market_hours_none():
    """What forbade entries a dozen times is said once, with how often."""
    rows = [BlockTime(f"instrument:{name}", "quote_stale", "old", 0, 10**9) for name in "ABC"]
    hours = BlockTime("calendar:XNYS", "market_closed", "closed", 0, None)

    words = of_day(msgspec.structs.replace(day(), blocks=(*rows, hours)))

    assert "3 times, 3 scopes: old" in words
    assert "closed" not in words.split("Protected")[0].replace("opened   closed", "")


def test_json_is_sorted_and_money_is_exact():
    """Equal reports give equal bytes; a Decimal comes as the number it is."""
    said = as_json(played()[0])
    found = json.loads(said, parse_float=D)

    assert found["pnl"] == played()[0].pnl
    assert list(found) == sorted(found)
    assert found["sharpe_daily_252"] is None
    assert said.endswith("\n")


def test_a_backtest_reads_with_its_data_its_days_and_its_assumptions():
    """The account of the rows, a line a day, the path inside a bar and who survived."""
    report, _ = played()
    words = of_run(report)

    assert f"{report.rows_held} rows of bars: {report.rows_read} read, 0 rejected" in words
    assert all(f"  {name}" in words for name in DAYS)
    assert "Sharpe unknown" in words
    assert "survivorship" in words
    assert "pessimistic" in words
