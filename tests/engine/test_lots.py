"""Lots add up to the position that they are of, each with its own price."""

from joed.engine.lots import lots_of
from joed.engine.step import step
from joed.model.events import OrderCancelled
from tests.engine.build import START, D, bracket, fill, holding, submitted


def test_two_entries_of_one_strategy_are_one_lot_at_their_common_price():
    """Ten at 200 and five at 203: fifteen at 201; a group that holds nothing has no part in it."""
    state = holding("AAPL")
    submitted(state, bracket("AAPL", tag="2"))
    step(state, START, fill("AAPL2-e", "5", "203", execution="x2"))
    step(state, START, OrderCancelled("AAPL2-e"))

    assert lots_of(state, state.positions["AAPL"]) == [("breakout", D(15), D(201), ("AAPL-e", "AAPL2-e"))]


def test_each_strategy_has_a_lot_of_its_own():
    """By the entry that made it."""
    state = holding("AAPL")
    submitted(state, bracket("AAPL", tag="2"))
    state.orders["AAPL2-e"].strategy = "momentum"
    step(state, START, fill("AAPL2-e", "5", "203", execution="x2"))

    lots = lots_of(state, state.positions["AAPL"])

    assert [(lot.strategy, lot.quantity, lot.average) for lot in lots] == [
        ("breakout", 10, 200),
        ("momentum", 5, 203),
    ]
