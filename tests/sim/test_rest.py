"""At rest the books are compared field by field."""

from decimal import Decimal
from random import Random

import pytest
from msgspec.structs import replace

from joed.model.blocks import Block
from joed.model.events import Quote
from joed.model.orders import Order, Position
from joed.model.state import Broker, Day, State
from joed.model.values import SECOND, Side
from joed.sim.odd import OddExchange
from joed.sim.rest import REST_LAWS, tally
from tests.brokers.rigs import SETTINGS, UNIVERSE, bracket

D = Decimal
NOW = 1_000 * SECOND


@pytest.fixture
def exchange():
    """Give an exchange that holds 10 AAA, bought at 100, with their bracket."""
    found = OddExchange(UNIVERSE, SETTINGS, Random(7))
    found.quote(NOW, Quote("AAA", 100.0, 100.0))
    found.submit(NOW, bracket())
    return found


@pytest.fixture
def state(exchange):
    """Give a State that agrees with it."""
    orders = {}
    for order in exchange.orders.values():
        orders[order.order] = Order(
            order=order.order,
            broker="paper",
            instrument=order.instrument,
            side=order.side,
            quantity=order.quantity,
            kind=order.kind,
            leg=order.leg,
            opens=order.opens,
            status=order.status,
            group=order.group,
            strategy="",
            signal=order.signal,
            terms=order.level,
            filled=order.filled,
        )
    found = tally(exchange)
    day = Day(trades=1, fills=1, fees=found["fees"], realised=found["realised"])
    return State(
        orders=orders,
        positions={"AAA": Position("AAA", "paper", D(10), D(100))},
        cash=exchange.book.cash,
        brokers={"paper": Broker("paper", up=True, reconciled=True)},
        day=day,
    )


def broken(state, exchange):
    """Name the laws that are broken."""
    return [name for name, law in REST_LAWS.items() if law(state, exchange)]


def test_books_that_agree_break_nothing(state, exchange):
    """Position, cash, orders, counters."""
    assert broken(state, exchange) == []


@pytest.mark.parametrize(
    ("law", "change"),
    [
        ("positions agree", lambda state: setattr(state.positions["AAA"], "quantity", D(9))),
        ("positions agree", lambda state: setattr(state.positions["AAA"], "average", D("100.01"))),
        ("positions agree", lambda state: state.external.update(AAA=D(1))),
        ("cash agrees", lambda state: setattr(state, "cash", state.cash + D("0.01"))),
        ("orders agree", lambda state: setattr(state.orders["E1-S"], "terms", D("95.01"))),
        ("orders agree", lambda state: state.orders.pop("E1-T")),
        ("brokers are reconciled", lambda state: setattr(state.brokers["paper"], "reconciled", False)),
        ("brokers are reconciled", lambda state: setattr(state.orders["E1-S"], "asked", D(96))),
        ("counters agree", lambda state: setattr(state.day, "trades", 2)),
        ("counters agree", lambda state: setattr(state.day, "realised", D("0.01"))),
        ("entries are allowed again", lambda state: state.blocks.update(x=Block("all", "paused", "x"))),
        ("ends agree", lambda state: setattr(state.orders["E1"], "filled", D(9))),
    ],
)
def test_books_that_differ_in_one_thing_break_one_law(state, exchange, law, change):
    """Each by the sentence that names it."""
    change(state)

    assert broken(state, exchange) == [law]


def test_a_round_trip_is_one_trade_with_its_profit_after_fees(exchange):
    """Bought at 100, sold at 111: a win."""
    exchange.quote(NOW + SECOND, Quote("AAA", 111.0, 111.1))

    found = tally(exchange)

    fees = sum(fill.fee for fill in exchange.executions)
    assert {name: found[name] for name in ("trades", "fills", "wins", "losses")} == {
        "trades": 1,
        "fills": 2,
        "wins": 1,
        "losses": 0,
    }
    assert (found["realised"], found["fees"]) == (D(110), fees)


def test_a_trade_that_only_pays_its_fees_is_a_loss(exchange):
    """The profit is counted after them."""
    exchange.orders["E1-T"].level = D(100)
    sold = replace(exchange.executions[0], side=Side.SELL, execution="x", order="E1-T")
    exchange.executions.append(sold)

    assert tally(exchange)["losses"] == 1
