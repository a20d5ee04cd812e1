"""What an order's numbers say."""

from decimal import Decimal

import pytest

from joed.model.orders import Order
from joed.model.values import Kind, Leg, Side, Status

D = Decimal


def order(status=Status.WORKING):
    """Give an order of ten, three of them filled."""
    made = Order(
        "a-e",
        "paper",
        "AAPL",
        Side.BUY,
        D(10),
        Kind.LIMIT,
        Leg.ENTRY,
        opens=True,
        status=status,
        group="",
        strategy="",
        signal="",
    )  # fmt: skip - one order, one paragraph
    made.filled = D(3)
    return made


def test_what_is_left_may_still_fill():
    """Ten less three."""
    assert order().left == 7


@pytest.mark.parametrize("status", Status)
def test_an_order_lives_until_it_is_known_to_have_ended(status):
    """Doubt is life: the broker may still hold something of it."""
    assert order(status).live is not status.ended


def test_two_orders_share_no_executions():
    """A default is each one's own."""
    first, second = order(), order()

    first.executions["x"] = None

    assert second.executions == {}
