"""Tests of joed.report.rows: a small journal, read by the views."""

from decimal import Decimal

import pytest

from joed.daemon.store import Store
from joed.errors import ConfigError
from joed.model import commands as c
from joed.model import events as e
from joed.model.blocks import Block
from joed.model.settings import Settings
from joed.model.values import Severity, Side
from joed.report.rows import Ledger

D = Decimal
REGIME = e.RegimeJudged(1, e.RegimeRead("bull", 1.0))
VIX = Block("all", "vix", "VIX at 40", 5)


def fill(execution, *, side=Side.BUY, price="10", revision=0):
    """An execution of 2 AAA."""
    return e.OrderFilled("j1-d-1-5.0-E-aaaa", execution, "AAA", side, D(2), D(price), D("0.5"), revision)


RECORDS = [
    ("", e.EpochStarted(1, "test", "9.9", ""), []),
    ("", e.SettingsLoaded(Settings(base_currency="EUR"), "d"), []),
    ("one", e.Tick(), [c.OpenSession("one", 1, 2, D(1000)), c.RaiseBlock(VIX)]),
    ("one", REGIME, [c.RaiseBlock(VIX)]),
    ("one", fill("x1"), [c.MarkEquity(D(999), D(979), D(0), D(0), D(0))]),
    ("one", fill("x1", price="11", revision=1), [c.RefuseEntry("AAA", "s", "g", "cash", "none left")]),
    ("one", e.OrderWorking("j1-S", D(2), D("9.50")), [c.AmendOrder("j1-S", D("9.60"), reason="trail")]),
    ("one", e.Tick(), [c.LiftBlock(VIX.key), c.RaiseAlert("k", Severity.WARNING, "look")]),
    ("two", e.Tick(), [c.OpenSession("two", 3, 4, D(990)), c.RaiseBlock(VIX)]),
    ("two", fill("x2", side=Side.SELL, price="12"), []),
    ("two", e.SessionEnded("two", "over", D(995), D(1), D(1), 1, 0), []),
]


@pytest.fixture
def ledger(tmp_path):
    """Give the journal of RECORDS, a record a second."""
    store = Store.open(tmp_path / "joed.db")
    for seq, (session, event, commands) in enumerate(RECORDS, start=1):
        store.add(seq, seq * 1_000, session, event, commands)
    store.commit()
    store.close()
    with Ledger(tmp_path / "joed.db") as opened:
        yield opened


def test_fills_are_the_latest_word_and_their_cash_is_exact(ledger):
    """A correction replaces what it corrects; a buy costs, a sell brings, both pay their fee."""
    first, second = ledger.fills()

    assert (first.price, first.cash, second.cash) == (D(11), D("-22.5"), D("23.5"))
    assert [found.execution for found in ledger.fills("two")] == ["x2"]


def test_a_session_is_read_alone_or_all_together(ledger):
    """None stands for all sessions."""
    assert ledger.sessions() == ["one", "two"]
    assert ledger.refusals() == ledger.refusals("one") == {"cash": 1}
    assert ledger.refusals("two") == {}
    assert [mark.equity for mark in ledger.marks()] == [D(999)]
    assert ledger.marks("two") == []
    assert ledger.alerts() == [(8_000, "warning", "look")]


def test_blocks_are_spans_from_their_raising_to_their_lifting(ledger):
    """Raised again while it stands it is one; not lifted it stands at the end."""
    (first,), (second,) = ledger.blocks("one"), ledger.blocks("two")

    assert (first.block.reason, first.from_ns, first.to_ns) == ("vix", 3_000, 8_000)
    assert (second.from_ns, second.to_ns) == (9_000, None)


def test_how_a_session_began_and_ended_is_read(ledger):
    """A session that was not sealed has no end."""
    opened = ledger.opened("two")

    assert opened is not None
    assert opened.equity == D(990)
    assert ledger.ended("one") is None
    assert ledger.ended("two").reason == "over"
    assert [found.regime.name for _, found in ledger.regimes("one")] == ["bull"]


def test_orders_words_and_who_wrote_them(ledger):
    """Levels as the broker confirmed them, amendments as they were decided, settings and version of the last life."""
    assert ledger.confirmed() == [(7, "j1-S", D("9.50"))]
    assert ledger.amendments() == [(7, c.AmendOrder("j1-S", D("9.60"), reason="trail"))]
    assert ledger.submits() == []
    assert ledger.settings().settings.base_currency == "EUR"
    assert ledger.version() == "9.9"


def test_a_directory_without_a_journal_is_refused(tmp_path):
    """Nothing is made where nothing is."""
    with pytest.raises(ConfigError, match="no journal"):
        Ledger(tmp_path / "joed.db")
    assert not list(tmp_path.iterdir())
