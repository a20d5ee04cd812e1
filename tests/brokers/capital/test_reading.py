"""joed.brokers.capital.reading: the whole book as the engine reads it."""

from decimal import Decimal as Money

import pytest

from joed.brokers.capital.ledger import Ledger, Stage
from joed.brokers.capital.reading import money_of, read_of
from joed.model.events import OrderFilled, OrderSeen, PositionSeen
from joed.model.values import Leg, Side, Status
from tests.brokers.capital.rows import entry, held, opened, resting, whole

NAMES = {"AAA.X": "AAA"}


def read(look, *rows, hands=frozenset()):
    """Give the whole book."""
    ledger = Ledger()
    for row in rows:
        ledger.put(row)
    return read_of("capital", 3, look, ledger, NAMES, hands, "USD")


def test_a_positions_stop_and_target_are_the_working_orders_that_they_are_to_everyone_else():
    """Each under a number of its own, for all of the position."""
    found = read(whole(held()), opened(ended={"E1": Status.FILLED}))

    assert (found.broker, found.connection, found.complete) == ("capital", 3, True)
    assert found.orders == (
        OrderSeen("E1-S", "d1:S", "AAA", Side.SELL, Money(10), Status.WORKING, Money(95)),
        OrderSeen("E1-T", "d1:T", "AAA", Side.SELL, Money(10), Status.WORKING, Money(110)),
    )
    assert found.positions == (PositionSeen("AAA", Money(10), Money(100)),)
    assert found.ended == {"E1": Status.FILLED}


@pytest.mark.parametrize(
    ("row", "look", "in_hand", "statuses"),
    [
        (entry(), whole(), True, ["SENT"] * 3),
        (entry(), whole(), False, ["UNCERTAIN"] * 3),
        (entry(stage=Stage.SENT), whole(), False, ["UNCERTAIN"] * 3),
        (entry(stage=Stage.RESTING, working="w1"), whole(resting()), False, ["WORKING", "ACKED", "ACKED"]),
        (entry(stage=Stage.RESTING, working="w1"), whole(), False, ["UNCERTAIN", "ACKED", "ACKED"]),
        (opened(), whole(), False, ["UNCERTAIN", "UNCERTAIN"]),
        (entry(stage=Stage.ABSENT), whole(), False, []),
        (entry(stage=Stage.QUARANTINED, candidates=("w9",)), whole(resting("w9")), False, []),
        (entry("C1", leg=Leg.CLOSE, opens=False), whole(), False, ["UNCERTAIN"]),
        (entry("C1", leg=Leg.CLOSE, opens=False, stage=Stage.ENDED), whole(), False, []),
    ],
)
def test_what_nobody_knows_is_shown_as_uncertain_and_never_as_absent(row, look, in_hand, statuses):
    """Absence retires an order: only what is proven never to have been made is left out, and what a person settles."""
    hands = frozenset({row.order}) if in_hand else frozenset()

    assert [seen.status.value for seen in read(look, row, hands=hands).orders] == statuses


@pytest.mark.parametrize(
    ("row", "look", "strangers"),
    [
        (entry(), resting(), 0),
        (entry(stage=Stage.SENT), resting(), 0),
        (entry(before=frozenset({"w1"})), resting(), 1),
        (entry(), resting(side=Side.SELL), 1),
        (entry(), resting(size=Money(11)), 1),
        (entry(), resting(epic="BBB.X"), 1),
        (entry(stage=Stage.ABSENT), resting(), 1),
    ],
)
def test_what_may_be_our_own_order_in_doubt_is_no_strangers(row, look, strangers):
    """Between a POST and its confirmation a working order has a number that we do not know: it is told once, as ours.

    One that was there before, or is of another shape, is somebody else's.
    """
    assert sum(seen.order == "" for seen in read(whole(look), row).orders) == strangers


def test_a_working_order_of_nobody_is_a_strangers():
    """By its number, without a name of ours."""
    assert read(whole(resting("w9"))).orders == (
        OrderSeen("", "w9", "AAA", Side.BUY, Money(10), Status.WORKING, Money(100)),
    )


def test_rows_of_one_instrument_add_up():
    """Longs less shorts, the average of what is left; what is even is nothing; a stranger's epic goes by itself."""
    look = whole(
        held("d1", level=Money(100)),
        held("d2", level=Money(103)),
        held("d3", epic="BBB.X", size=Money(5)),
        held("d4", epic="BBB.X", size=Money(5), side=Side.SELL),
        held("d5", epic="CCC.X", side=Side.SELL, level=Money(7)),
    )

    assert read(look).positions == (
        PositionSeen("AAA", Money(20), Money("101.5")),
        PositionSeen("CCC.X", Money(-10), Money(7)),
    )


def test_executions_come_oldest_first_an_opening_before_its_closing():
    """Also where both carry one time."""
    first = OrderFilled("E1", "d1:open", "AAA", Side.BUY, Money(10), Money(100), at_ns=5)
    last = OrderFilled("E1-S", "d1:close", "AAA", Side.SELL, Money(10), Money(95), at_ns=5)

    assert read(whole(), entry(stage=Stage.ENDED, fills=(last, first))).executions == (first, last)


MONEY = {"deposit": Money(1000), "profit_loss": Money("12.5"), "available": Money(800), "balance": Money("1012.5")}


def test_cash_and_positions_together_are_the_equity():
    """A contract is not paid for: its cost is taken off, so that cash + quantity x price = deposit + open profit."""
    cash, balances, power = money_of(whole(held(), balance=MONEY), "USD")

    assert (cash, balances, power) == (Money(0), {}, Money(800))
    assert cash + 10 * Money("101.25") == MONEY["balance"]


def test_what_a_position_costs_is_in_its_own_currency():
    """The engine values each at its rate."""
    look = whole(held(currency="EUR"), held("d2", side=Side.SELL, size=Money(1), level=Money(7)), balance=MONEY)

    assert money_of(look, "USD") == (Money(1007), {"EUR": Money(-1000)}, Money(800))


def test_an_account_in_another_currency_has_no_buying_power_in_ours():
    """A number that is wrong is worse than none."""
    assert money_of(whole(balance=MONEY), "EUR") == (Money(0), {"USD": Money(1000)}, None)


@pytest.mark.parametrize("balance", [None, {"deposit": Money("NaN")}, {"deposit": None}])
def test_an_account_that_tells_no_money_has_none_that_is_known(balance):
    """None is not zero."""
    assert money_of(whole(balance=balance), "USD") == (None, {}, None)
