"""Which rows of the order table were reached is counted by what an order was before its word."""

from collections import Counter

from joed.engine.life import AFTER_FILL, NEXT
from joed.model.events import CommandSent, OrderAccepted, OrderFilled, Tick
from joed.model.values import Side, Status
from joed.sim.cover import UNREACHED, Cover, rows
from tests.engine.build import bracket, submitted, trading_state


def test_every_row_of_both_tables_has_a_name():
    """And no two share one."""
    ends = sum(len(set(after)) for after in AFTER_FILL.values())

    assert len(rows()) == len(set(rows())) == len(NEXT) + ends


def test_what_is_excused_stands_in_the_table_and_says_why():
    """A row that is gone needs no excuse."""
    assert set(UNREACHED) <= set(rows())
    assert all(len(reason) > 20 for reason in UNREACHED.values())


def test_a_word_counts_for_the_status_that_it_found():
    """The entry was armed, then sent, then accepted, then filled."""
    state, counts = trading_state(), Counter()
    submitted(state, bracket("AAPL"))
    order = state.orders["AAPL-e"]
    order.status = Status.ARMED
    cover = Cover(counts)
    cover.begin(state)
    words = (
        (CommandSent(1, 0, order.order), Status.SENT),
        (OrderAccepted(order.order, "7"), Status.ACKED),
        (OrderFilled(order.order, "x1", order.instrument, Side.BUY, order.quantity, order.terms), Status.FILLED),
        (Tick(), Status.FILLED),
    )
    for word, after in words:
        order.status = after
        cover.saw(state, word, [])

    assert counts == {
        "row ARMED CommandSent": 1,
        "row SENT OrderAccepted": 1,
        "row ACKED OrderFilled FILLED": 1,
    }
