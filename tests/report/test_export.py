"""Tables for the tax office and for thought: exact money, first in first out, rates as recorded, nothing guessed."""

from decimal import Decimal

import pytest

from joed.daemon.store import Store
from joed.errors import ConfigError
from joed.model.events import OrderFilled
from joed.model.values import SECOND, Side
from joed.report.export import COLUMNS, TABLES, Rates, _matched, _worths, table_of, when
from joed.report.rows import Fill, Ledger, Mark
from tests.small_days import played

D = Decimal


@pytest.fixture(scope="module")
def ledger():
    """Open the journal of two short days."""
    _, state_dir = played()
    with Ledger(state_dir / "joed.db") as found:
        yield found


def fill(side, quantity, price, fee="0", at=1):
    """Build an execution."""
    return Fill(at, at * SECOND, "2026-01-02", "o", f"x{at}", "AAPL", Side(side), D(quantity), D(price), D(fee), "")


def test_trades_add_up_to_the_result_with_their_regime_and_slippage(ledger):
    """Each has its fees, currency, rate and decision price; in base currency they are the run's result."""
    report, _ = played()
    rows = table_of("trades", ledger, "2018")

    assert sum(row["gained_base"] for row in rows) == pytest.approx(report.pnl, abs=D("0.05"))
    assert sum(row["fees"] for row in rows) == report.fees
    assert {(row["currency"], row["rate"]) for row in rows} == {("USD", 1)}
    assert all(row["regime"] for row in rows)
    assert all(row["decision"] > 0 and abs(row["slippage"]) < 0.01 for row in rows)


def test_lots_gain_what_the_trades_gained(ledger):
    """The same executions, matched by age: the same sum."""
    rows = table_of("lots", ledger, "2018")

    assert rows
    assert sum(row["gain_base"] for row in rows) == pytest.approx(played()[0].pnl, abs=D("0.10"))
    assert all(row["acquired"] <= row["disposed"] for row in rows)


def test_a_lot_gains_what_its_proceeds_are_over_its_cost_to_the_cent(tmp_path):
    """Rounded once, as a tax form adds it up: a fee of half a cent on each side makes no row that does not."""
    store = Store.open(tmp_path / "joed.db")
    for seq, (side, price) in enumerate(((Side.BUY, "97.49"), (Side.SELL, "98.17")), 1):
        event = OrderFilled("o", f"x{seq}", "XOM", side, D(255), D(price), D("1.275"))
        store.add(seq, seq * SECOND, "2026-09-01", event, [])
    store.commit()
    store.close()

    with Ledger(tmp_path / "joed.db") as found:
        [row] = table_of("lots", found, "")

    assert (row["cost"], row["proceeds"], row["gain"]) == (D("24861.22"), D("25032.08"), D("170.86"))


def test_equity_has_each_session_once_and_its_change(ledger):
    """The last mark of each."""
    rows = table_of("equity", ledger, "")

    assert [row["session"] for row in rows] == ["2018-11-23", "2018-12-24"]
    assert rows[1]["change"] == rows[1]["equity"] - rows[0]["equity"]


def test_the_changes_of_equity_add_up_to_what_the_trades_gained(ledger):
    """The first session's too: it is measured against what there was before its first trade, and falls from there."""
    rows = table_of("equity", ledger, "")
    start = ledger.marks()[0].equity

    assert sum(row["change"] for row in rows) == rows[-1]["equity"] - start
    assert sum(row["change"] for row in rows) == sum(row["gained_base"] for row in table_of("trades", ledger, ""))
    assert rows[0]["fall"] == pytest.approx(min(0.0, float(rows[0]["equity"] / start) - 1.0))


def test_a_year_starts_from_the_worth_that_the_last_one_ended_with():
    """And not from nothing."""
    marks = [Mark(1, "2025-12-30", D(100)), Mark(2, "2025-12-31", D(120)), Mark(3, "2026-01-02", D(90))]

    rows = [(row["equity"], row["change"], row["fall"]) for row in _worths(marks, "2026", "USD")]

    assert rows == [(D(90), D(-30), -0.25)]


@pytest.mark.parametrize("what", TABLES)
def test_the_heads_are_those_of_the_rows(ledger, what):
    """A year without a row is written with them, so what is written here must be what a row has."""
    assert tuple(table_of(what, ledger, "")[0]) == COLUMNS[what]


def test_figures_by_strategy_and_by_regime_count_every_trade_once(ledger):
    """Two views of the same trades."""
    rows, whole = table_of("figures", ledger, "2018"), table_of("trades", ledger, "2018")

    for by in ("strategy", "regime"):
        assert sum(row["trades"] for row in rows if row["by"] == by) == len(whole)
    assert all(row["rate_unknown"] == 0 for row in rows)


@pytest.mark.parametrize("what", TABLES)
def test_another_year_is_empty_and_no_year_is_refused(ledger, what):
    """What is asked for is what is given."""
    assert table_of(what, ledger, "2017") == []
    with pytest.raises(ConfigError, match="four digits"):
        table_of(what, ledger, "17")


def test_the_oldest_units_go_first_with_their_fees():
    """Ten at 10 and ten at 20, then fifteen sold: ten of the first, five of the second; five are left."""
    held = []
    assert _matched(held, fill("BUY", "10", "10", "1", 1)) == []
    assert _matched(held, fill("BUY", "10", "20", "2", 2)) == []
    found = [(lot.each, units) for lot, units in _matched(held, fill("SELL", "15", "30", "3", 3))]

    assert found == [(D("10.1"), 10), (D("20.2"), 5)]
    assert [(lot.units, lot.side) for lot in held] == [(5, Side.BUY)]


def test_a_sale_beyond_what_is_held_is_a_short_lot_that_a_purchase_closes():
    """Turned round in one execution: five close, five open the other way, with the fee off what they brought."""
    held = []
    _matched(held, fill("BUY", "5", "10", "0", 1))
    (closed,) = _matched(held, fill("SELL", "10", "12", "1", 2))

    assert closed[1] == 5
    assert [(lot.units, lot.side, lot.each) for lot in held] == [(5, Side.SELL, D("11.9"))]
    assert [units for _, units in _matched(held, fill("BUY", "5", "11", "0", 3))] == [5]
    assert held == []


def test_a_rate_is_the_last_one_recorded_before_or_unknown():
    """One's own currency is worth one; what nobody recorded is left empty."""
    rates = Rates("USD", {"CHF": D("1.1")}, {"EUR": [(10, D("1.05")), (20, D("1.07"))]})

    assert [rates.at("EUR", at) for at in (9, 10, 19, 20)] == [None, D("1.05"), D("1.05"), D("1.07")]
    assert (rates.at("USD", 0), rates.at("CHF", 0), rates.at("JPY", 0)) == (1, D("1.1"), None)


def test_times_are_written_in_utc():
    """To the second."""
    assert when(1_700_000_000 * SECOND) == "2023-11-14T22:13:20Z"
