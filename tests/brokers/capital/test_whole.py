"""joed.brokers.capital.whole: one look at an account, in our words."""

from decimal import Decimal as Money

import pytest

from joed.brokers.capital.shapes import Activities, OrderRow, PositionRow, Positions, Transactions, WorkingOrders
from joed.brokers.capital.whole import act_of, held_of, resting_of, trade_of
from joed.brokers.capital.wire import decode, utc_ns
from joed.errors import BadMessage
from joed.model.values import Side
from tests.brokers.capital.recorded import POSITIONS, TRANSACTIONS, WORKING
from tests.brokers.capital.rows import act, closing, held, resting, whole

UTC_NS = utc_ns("2026-01-05T14:22:18.473")


def test_a_position_is_its_own_deal_and_names_the_order_that_it_came_of():
    """Two ids: one closes it, the other links it to what we sent."""
    row = held_of(decode(Positions, POSITIONS).positions[0], 7200)

    assert (row.deal, row.working, row.at_ns) == ("position-1", "order-1", UTC_NS)
    assert (row.stop, row.target) == (Money("4000.5"), Money(4100))


def test_a_time_without_its_twin_is_local():
    """The offset of the account takes it back to UTC."""
    text = POSITIONS.replace(b'"createdDateUTC":"2026-01-05T14:22:18.473",', b"")

    assert held_of(decode(Positions, text).positions[0], 7200).at_ns == UTC_NS


def test_levels_of_a_working_order_are_made_of_distances_whatever_their_signs():
    """A recorded BUY has stopDistance -3 and profitDistance 3; the direction says where they lie."""
    row = resting_of(decode(WorkingOrders, WORKING).working_orders[0], 0)
    short = WORKING.replace(b'"direction":"BUY"', b'"direction":"SELL"')

    assert (row.stop, row.target) == (Money("21.5"), Money("27.5"))
    assert resting_of(decode(WorkingOrders, short).working_orders[0], 0).stop == Money("27.5")


@pytest.mark.parametrize(
    ("shape", "read", "text"),
    [
        (
            PositionRow,
            held_of,
            b'{"position":{"dealId":"d","size":0,"direction":"BUY","level":1},"market":{"epic":"A"}}',
        ),
        (
            PositionRow,
            held_of,
            b'{"position":{"dealId":"d","size":1,"direction":"BUY","level":"NaN"},"market":{"epic":"A"}}',
        ),
        (
            OrderRow,
            resting_of,
            b'{"workingOrderData":{"dealId":"d","direction":"BUY","epic":"A","orderSize":-1,"orderLevel":1}}',
        ),
    ],
)
def test_a_row_whose_numbers_are_none_spoils_the_look(shape, read, text):
    """A position of nothing is no position: the look has failed, and a failed look is no empty account."""
    with pytest.raises(BadMessage):
        read(decode(shape, text), 0)


def test_a_level_of_zero_is_one_that_is_not_known_yet():
    """Activity may come before its price."""
    text = b"""{"activities":[{"date":"2026-01-05T16:22:18.473","dateUTC":"2026-01-05T14:22:18.473","epic":"A",
    "dealId":"d","source":"SL","type":"POSITION","status":"ACCEPTED","details":{"size":1,"level":0,"direction":"SELL"}},
    {"dealId":"e"}]}"""
    first, bare = (act_of(row, 0) for row in decode(Activities, text).activities)

    assert (first.level, first.size, first.side, first.at_ns) == (None, Money(1), Side.SELL, UTC_NS)
    assert (bare.level, bare.side, bare.at_ns) == (None, None, 0)


@pytest.mark.parametrize(
    ("row", "opens", "closes"),
    [
        (act(), True, False),
        (closing("SL"), False, True),
        (closing("USER"), False, True),
        (closing("SL", side=Side.BUY), False, True),  # seen once: a stop that reports the position's own side
        (act(source="SYSTEM"), True, False),
        (act(status="REJECTED"), False, False),
        (act(kind="WORKING_ORDER"), False, False),
    ],
)
def test_who_did_it_says_whether_an_activity_opens_or_closes(row, opens, closes):
    """Direction alone is not to be trusted; the source is asked first."""
    assert (row.opens(Side.BUY), row.closes(Side.BUY)) == (opens, closes)


def test_the_money_of_a_trade_is_text_and_its_currency_has_a_letter_too_many():
    """`size` of a TRADE is its result; the demo host writes USDd."""
    row = trade_of(decode(Transactions, TRANSACTIONS).transactions[0], 0)

    assert (row.amount, row.currency, row.deal) == (Money("-12.34"), "USD", "position-1")


def test_a_before_image_is_everything_that_lives():
    """Positions and working orders."""
    assert whole(held(), resting()).deals == {"d1", "w1"}
