"""joed.brokers.capital.exits: what only reduces, by absolute levels and by numbers."""

from decimal import Decimal as Money

import pytest
from msgspec.structs import replace

from joed.brokers.capital.exits import choose
from joed.model.commands import AmendOrder, CancelOrder, SubmitOrder
from joed.model.events import (
    AmendRejected,
    OrderAccepted,
    OrderCancelled,
    OrderDoubted,
    OrderFilled,
    OrderRejected,
    OrderWorking,
    Quote,
)
from joed.model.values import Kind, Leg, Side
from tests.brokers.capital.place import Place
from tests.brokers.capital.rows import held, whole
from tests.brokers.rigs import bracket, close, permitted


@pytest.fixture
def place(tmp_path):
    """Give an account with ten AAA bought at 100, a stop at 95 and a target at 110."""
    place = Place(tmp_path)
    place.submit(bracket())
    place.wait()
    place.events.clear()
    yield place
    place.close()


def stop_for(order="S2", group="E1", level="96.00", **more):
    """Give a stop that replaces a lost one."""
    row = {"broker": "paper", "instrument": "AAA", "side": Side.SELL, "quantity": Money(10), "kind": Kind.STOP}
    return SubmitOrder(order, leg=Leg.STOP, opens=False, level=Money(level), group=group, **(row | more))


def levels(place):
    """Give the position's stop and target at the exchange."""
    orders = [order for order in place.exchange.orders.values() if not order.status.ended and not order.opens]
    return {order.leg.name: order.level for order in orders}


def test_an_amendment_sends_the_whole_bracket(place):
    """What a PUT leaves out is cleared: a stop that moves does not cost the target."""
    place.broker.amend(AmendOrder("E1-S", Money("97.00")), permitted)
    place.wait()

    assert place.events.count(OrderWorking("E1-S", Money(10), Money("97.00"))) == 1
    assert levels(place) == {"STOP": Money("97.00"), "TARGET": Money("110.00")}


def test_an_amendment_whose_answer_is_lost_is_proven_by_the_position(place):
    """Levels are absolute: it shows them or it does not, and nothing is sent again."""
    place.fake.faults.lose_answer("PUT", "/positions")
    place.broker.amend(AmendOrder("E1-S", Money("97.00")), permitted)
    place.wait(2.0)

    assert place.of(OrderWorking) == [OrderWorking("E1-S", Money(10), Money("97.00"))]
    assert place.fake.asked("PUT", "/positions") == 1


def test_an_amendment_that_was_never_carried_out_is_refused(place):
    """The position still shows the old level."""
    place.fake.faults.lose_request("PUT", "/positions")
    place.broker.amend(AmendOrder("E1-S", Money("97.00")), permitted)
    place.wait(2.0)

    assert [event.words for event in place.of(AmendRejected)] == ["the position still shows 95.00 and 110.00"]
    assert levels(place)["STOP"] == Money("95.00")


def test_an_amendment_that_a_storm_hides_for_a_moment_is_proven_after_it(place):
    """429 on the proof says nothing of the amendment: the position shows it when it may be asked again."""
    place.fake.faults.too_many("GET", "/positions/", 4)
    place.broker.amend(AmendOrder("E1-S", Money("97.00")), permitted)
    place.wait(6.0)

    assert OrderWorking("E1-S", Money(10), Money("97.00")) in place.events
    assert not place.running.done()


def test_two_amendments_at_once_go_one_after_the_other(place):
    """Each sends the whole bracket as it is then: neither takes the other's back."""
    place.broker.amend(AmendOrder("E1-S", Money("97.00")), permitted)
    place.broker.amend(AmendOrder("E1-T", Money("120.00")), permitted)
    place.wait(2.0)

    assert levels(place) == {"STOP": Money("97.00"), "TARGET": Money("120.00")}


def test_a_stop_is_for_all_of_its_position(place):
    """No part of it can be smaller; the same size is no change."""
    place.broker.amend(AmendOrder("E1-S", quantity=Money(6)), permitted)
    place.broker.amend(AmendOrder("E1-S", quantity=Money(10)), permitted)
    place.wait(2.0)

    assert [type(event) for event in place.of(AmendRejected, OrderWorking)] == [AmendRejected, OrderWorking]
    assert place.exchange.protection("AAA") == 10


def test_a_leg_that_is_cancelled_leaves_the_other(place):
    """The target goes, the stop stays."""
    place.broker.cancel(CancelOrder("E1-T", "not wanted"), permitted)
    place.wait()

    assert place.of(OrderCancelled) == [OrderCancelled("E1-T", "not wanted")]
    assert levels(place) == {"STOP": Money("95.00")}


def test_a_lost_stop_is_replaced_under_the_new_orders_id(place):
    """Somebody took it away: two looks tell it, and another is put where it is wanted."""
    deal = next(iter(place.fake.desk.deals.values()))
    place.fake.desk.set_leg(deal, "stop", None)
    place.wait()
    assert [event.order for event in place.of(OrderCancelled)] == ["E1-S"]

    place.submit(stop_for())
    place.wait()
    assert [type(event) for event in place.of(OrderAccepted, OrderWorking)] == [OrderAccepted, OrderWorking]
    assert levels(place)["STOP"] == Money("96.00")
    place.quote(94.0, 94.1)
    assert place.filled() == ["S2"]


def test_a_position_that_somebody_else_made_is_given_a_stop_of_ours(place):
    """Adopted by a person: its stop is an order of ours from then on, and its fill is that order's."""
    place.quote(49.9, 50.0, "BBB")
    manual = bracket("APP-1", level="50.00", stop="40.00", target="70.00", instrument="BBB")
    place.exchange.submit(place.clock.now(), manual)
    place.wait()
    place.submit(stop_for(group="", level="46.00", instrument="BBB", lot="adopted-1"))
    place.wait()
    place.quote(44.0, 44.1, "BBB")

    assert place.filled() == ["S2"]


def test_a_stop_for_what_is_not_held_is_refused_at_once(place):
    """With words, and no request."""
    assert "has a size of 7" in place.broker.submit(stop_for(group="", quantity=Money(7)), permitted)


def test_a_close_ends_the_whole_row_and_a_part_of_it_is_refused(place):
    """DELETE takes no size: what asked for less would close too much."""
    assert "closes whole positions: this one is 10, not 4" in place.broker.submit(close(quantity="4"), permitted)
    place.submit(close())
    place.wait()

    assert place.filled() == ["C1"]
    assert place.exchange.position("AAA") == 0
    assert place.read().orders == ()


def test_a_close_whose_answer_is_lost_is_in_doubt_and_told_by_the_books(place):
    """The position is gone and an activity says how: the close has the fill, once."""
    place.fake.faults.lose_answer("DELETE", "/positions")
    place.submit(close())
    place.wait(3.0)

    assert [event.order for event in place.of(OrderDoubted)] == ["C1"]
    assert place.filled() == ["C1"]
    assert place.fake.asked("DELETE", "/positions") == 1


def test_a_close_that_was_never_carried_out_is_given_up_and_may_be_asked_for_anew(place):
    """Its position lives: after twenty seconds no read shows the close any more."""
    place.fake.faults.lose_request("DELETE", "/positions")
    place.submit(close())
    place.wait(8.0)

    assert "C1" not in {row.order for row in place.read().orders}
    place.submit(close("C2"))
    place.wait()
    assert place.filled() == ["C2"]


def test_a_login_that_fails_before_a_close_leaves_the_close_refused_and_not_in_doubt(place):
    """Not one byte of it has left: it may be asked for anew at once, where a doubt has to be resolved before."""
    tokens = place.broker.session.tokens
    tokens.born_ns = tokens.used_ns = 0
    place.fake.faults.html("POST", "/session", 1)
    place.broker.submit(close(), permitted)
    place.spin(1.0)
    told = place.of(OrderRejected, OrderDoubted)
    place.broker.submit(close("C2"), permitted)
    place.wait()

    assert [(type(event), event.order, event.code) for event in told] == [(OrderRejected, "C1", "not_sent")]
    assert place.filled() == ["C2"]


def test_a_close_of_what_is_gone_is_refused(place):
    """404: closed already, by the stop; its fill is told as the stop's."""
    place.exchange.quote(place.clock.now(), Quote("AAA", 94.0, 94.1))
    place.submit(close())
    place.wait(2.0)

    assert [event.order for event in place.of(OrderRejected)] == ["C1"]
    assert place.filled() == ["E1-S"]


def test_a_target_that_is_to_trade_at_once_closes_its_position_by_its_number(place):
    """No price can be asked for that the market is past: DELETE, in the target's name."""
    place.broker.amend(AmendOrder("E1-T", closes=True), permitted)
    place.wait()

    assert place.filled() == ["E1-T"]
    assert [event.order for event in place.of(OrderCancelled)] == ["E1-S"]
    assert place.fake.asked("PUT", "/positions") == 0


def test_a_target_whose_close_was_refused_does_not_own_what_somebody_else_closes(place):
    """Refused once; then a hand in the app closes it: no fill of ours."""
    place.fake.faults.error("DELETE", "/positions", "error.of.tomorrow", status=400)
    place.broker.amend(AmendOrder("E1-T", closes=True), permitted)
    place.wait()
    place.fake.close_externally(place.fake.desk.deals and next(iter(place.fake.desk.deals)))
    place.wait(2.0)

    assert [event.order for event in place.of(AmendRejected)] == ["E1-T"]
    assert place.filled() == []


def test_what_nobody_of_ours_holds_is_closed_by_its_rows(place):
    """A close for what is not ours: its fill is its own."""
    place.quote(49.9, 50.0, "BBB")
    for name in ("APP-1", "APP-2"):
        manual = bracket(name, "5", level="50.00", stop="40.00", target="70.00", instrument="BBB")
        place.exchange.submit(place.clock.now(), manual)
    place.wait()
    place.events.clear()
    place.submit(replace(close(group=""), instrument="BBB", foreign=True))
    place.wait(2.0)

    assert [(fill.order, fill.quantity) for fill in place.of(OrderFilled)] == [("C1", 5), ("C1", 5)]
    assert place.exchange.position("BBB") == 0


def test_rows_are_chosen_that_sum_up_exactly_and_strangers_first():
    """Never a row of ours where others' make the sum; never more than was asked for."""
    command = replace(close(quantity="10"), group="")
    look = whole(held("d1", size=Money(10)), held("d2", size=Money(4)), held("d3", size=Money(6)))

    assert choose(look, "AAA.X", command, frozenset({"d1"})) == {"d2": 4, "d3": 6}
    assert choose(look, "AAA.X", command, frozenset({"d2", "d3"})) == {"d1": 10}
    assert choose(look, "AAA.X", replace(command, quantity=Money(7)), frozenset()) == {}
    assert choose(look, "AAA.X", replace(command, side=Side.BUY), frozenset()) == {}
    assert choose(None, "AAA.X", command, frozenset()) == {}
