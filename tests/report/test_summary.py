"""The report of a session: words, day, charts, as Markdown and as one page, written whole."""

import msgspec
import pytest

from joed.daemon.places import places
from joed.errors import ConfigError
from joed.report.chart import Track, label
from joed.report.day import day_of
from joed.report.rows import Ledger
from joed.report.summary import TRADES_DRAWN_MAX, bars, main, markdown, page, write_report
from joed.report.trades import trades_of
from tests.small_days import DAYS, played


def test_both_files_are_there_with_the_words_their_origin_and_the_day():
    """Nothing half written stays beside them; a second writing replaces the first."""
    _, state_dir = played()
    where = places(state_dir)
    for words in ("First words.", "Up 1 < 2 & so on."):
        page_path = write_report(where, DAYS[0], words, "written by the template")

    folder = state_dir / "reports"
    assert sorted(path.name for path in folder.iterdir()) == [f"{DAYS[0]}.html", f"{DAYS[0]}.md"]
    assert page_path == folder / f"{DAYS[0]}.html"
    text = (folder / f"{DAYS[0]}.md").read_text()
    assert text.startswith(f"# {DAYS[0]}\n\nUp 1 < 2 & so on.\n\n*written by the template*")
    assert "Up 1 &lt; 2 &amp; so on." in page_path.read_text()
    assert "<script" not in page_path.read_text()
    assert "http" not in page_path.read_text()


def test_equity_and_every_trade_are_drawn_inline():
    """A line and one bar a trade, each with its label."""
    _, state_dir = played()
    day = day_of(state_dir / "joed.db", DAYS[0])
    found = [part.partition("</svg>")[0] for part in page(day, "words", "origin").split("<svg")[1:]]
    closed = [trade for trade in day.positions if trade.closed_ns is not None]

    assert len(found) == 2
    assert found[0].count("<polyline") == 1
    assert found[1].count("<rect") == found[1].count("<title>") == len(closed) > 0
    assert markdown(day, "words", "origin").endswith("```\n")


def test_many_trades_are_drawn_up_to_a_bound_and_none_says_so():
    """The rest is counted."""
    _, state_dir = played()
    with Ledger(state_dir / "joed.db") as ledger:
        trades = trades_of(ledger) * 100

    assert bars(trades).count("<rect") == TRADES_DRAWN_MAX
    assert bars(trades).endswith(f"<p>and {len(trades) - TRADES_DRAWN_MAX} more</p>")
    assert bars([]) == "<p>no trade was closed</p>"


def test_a_session_that_there_is_not_is_refused(tmp_path):
    """No journal, no report."""
    with pytest.raises(ConfigError):
        write_report(places(tmp_path), "2026-01-01", "words", "origin")


def test_the_price_around_each_trade_is_drawn_where_the_worker_kept_it():
    """In both files, the same words under each."""
    _, state_dir = played()
    day = day_of(state_dir / "joed.db", DAYS[0])
    closed = [trade for trade in day.positions if trade.closed_ns is not None]
    tracks = [Track(trade, ((trade.opened_ns, trade.entry), (trade.closed_ns, trade.exit))) for trade in closed]

    assert page(day, "words", "origin", tracks).count("<figure>") == len(closed) > 0
    assert markdown(day, "words", "origin", tracks).count(label(closed[0])) == 1
    assert "<figure>" not in page(day, "words", "origin")


def test_it_runs_as_a_program_and_says_why_it_cannot(tmp_path, capsys):
    """Told by its standard input; the reason is one line."""
    told = msgspec.json.encode(("2026-01-01", "words", "origin"))

    assert main([str(tmp_path)], told) == 1
    assert "no journal in" in capsys.readouterr().err
