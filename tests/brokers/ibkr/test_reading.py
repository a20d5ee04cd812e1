"""joed.brokers.ibkr.reading: the whole book or none, from a TWS that speaks the wire."""

from decimal import Decimal as Money
from types import SimpleNamespace

import pytest

from joed.brokers.ibkr.reading import QUESTIONS, WAITING_MAX, balances_of
from joed.model.commands import ReadBroker
from joed.model.events import BrokerDown, BrokerRead, BrokerUp
from joed.model.values import Status
from tests.brokers.rigs import bracket, permitted
from tests.fakes.tws.tampering import NAMES

ENDS = ("openOrderEnd", "completedOrdersEnd", "execDetailsEnd", "positionEnd", "accountUpdateMultiEnd")


def read(rig, seconds=1.0):
    """Ask for the book, and give what came."""
    rig.broker.read(ReadBroker("paper"))
    rig.wait(seconds)
    return [event for event in rig.take() if isinstance(event, BrokerRead)]


@pytest.mark.parametrize("end", ENDS)
def test_a_reading_without_one_of_its_end_markers_is_none(rig, end):
    """The link that cannot tell its book ends by itself, and says which part was missing."""
    rig.fault(f"drop {end}")
    rig.broker.read(ReadBroker("paper"))
    rig.wait(15.0)
    (down,) = rig.take()

    assert isinstance(down, BrokerDown)
    assert QUESTIONS[ENDS.index(end)][0] in down.reason
    rig.fault("pass")
    rig.wait(30.0)
    assert [type(event) for event in rig.take()] == [BrokerUp]
    assert [seen.complete for seen in read(rig)] == [True]


def test_each_end_marker_of_the_questions_is_held_here():
    """A question that is added has a row here."""
    assert len(ENDS) == len(QUESTIONS)
    assert set(ENDS) <= set(NAMES)


def test_questions_go_one_after_the_other(rig):
    """Two of a kind at a time, and one of them would never end."""
    asked = []
    rig.tws.journal = lambda way, _client, fields: way == "<<" and asked.append(fields[0])
    rig.broker.read(ReadBroker("paper"))
    rig.broker.read(ReadBroker("paper"))
    rig.wait()

    questions = [number for number in asked if number in {"16", "99", "7", "61", "76"}]
    assert questions == ["16", "99", "7", "61", "76"] * 2


def test_readings_that_wait_have_a_bound(rig):
    """Whoever asks a thousand times at once is answered by the last of those that wait."""
    for _ in range(1000):
        rig.broker.read(ReadBroker("paper"))
    rig.wait(30.0)

    assert len([event for event in rig.take() if isinstance(event, BrokerRead)]) == WAITING_MAX + 1


def test_other_sub_accounts_of_the_login_are_not_ours(rig):
    """Their positions, their cash: none of it is in our books."""
    rig.tws.accounts.append("DU7654321")
    rig.tws.other_positions["DU7654321"] = {"AAA": (Money(500), Money(50))}
    rig.broker.submit(bracket(), permitted)
    rig.wait()
    rig.take()

    (seen,) = read(rig)
    assert [(held.instrument, held.quantity) for held in seen.positions] == [("AAA", Money(10))]
    assert seen.cash == rig.exchange.book.cash


def test_an_execution_of_another_account_is_not_ours_even_where_tws_tells_it(rig):
    """A master login hears of all."""
    reader = rig.broker._link.reader
    rig.broker.read(ReadBroker("paper"))
    for account in ("DU7654321", rig.account):
        one = SimpleNamespace(acctNumber=account, execId=f"{account}.01", orderRef="E1")
        reader.executed(SimpleNamespace(conId=1, secType="STK", symbol="AAA", currency="USD"), one)

    assert list(reader._book.executions) == [rig.account]
    reader.abort()


def test_an_order_made_by_hand_is_seen_and_is_nobodys(rig):
    """Counted, never touched: it has no id of ours."""
    rig.fault("manual BUY 5 AAA 90.0")
    rig.wait()
    rig.take()

    (seen,) = read(rig)
    assert [(order.order, order.instrument, order.quantity) for order in seen.orders] == [("", "AAA", Money(5))]


def test_buying_power_and_day_trades_reach_the_gate(rig):
    """What the broker says of them, and nothing where it says -1, which is no bound."""
    (seen,) = read(rig)
    assert (seen.buying_power, seen.day_trades_left) == (rig.exchange.book.cash * 4, None)

    rig.tws.overrides["DayTradesRemaining"] = "3"

    assert read(rig)[0].day_trades_left == 3


def test_an_order_that_expired_and_one_that_was_refused_end_as_such(rig):
    """From the words of the completed order: there is no status for either."""
    rig.quote(49.9, 50.0, instrument="BBB")
    rig.broker.submit(bracket(level="99.00"), permitted)
    rig.broker.submit(bracket("E2", quantity="0.5"), permitted)
    rig.wait()
    rig.run(_end_of_day(rig))
    rig.take()

    (seen,) = read(rig)
    assert (seen.ended["E1"], seen.ended["E2"]) == (Status.EXPIRED, Status.REJECTED)


async def _end_of_day(rig):
    rig.tws.desk.settle(rig.exchange.end_of_day(rig.clock.now()))


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({("CashBalance", "USD"): "100.5", ("CashBalance", "BASE"): "150"}, (Money("100.5"), {})),
        ({("$LEDGER-CashBalance", "USD"): "7", ("$LEDGER-CashBalance", "EUR"): "3"}, (Money(7), {"EUR": Money(3)})),
        ({("TotalCashValue", "USD"): "12"}, (Money(12), {})),
        ({("CashBalance", "EUR"): "3", ("TotalCashValue", "USD"): "12"}, (None, {"EUR": Money(3)})),
        ({("CashBalance", "USD"): "", ("CashBalance", "EUR"): "nan"}, (None, {})),
    ],
)
def test_cash_is_told_by_currency_under_the_old_names_and_the_new(figures, expected):
    """TWS 10.47 has a prefix for new users; a total stands in only where no balance is told at all."""
    assert balances_of(figures, "USD") == expected
