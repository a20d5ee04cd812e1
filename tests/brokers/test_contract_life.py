"""The rest of the contract, by number: an order's whole life, the read, the link and the end; base.py says why.

For an adapter's author: add a rig to rigs.py and run both files. A case that your broker cannot show (its exchange has
no such order) is a difference to be written down in the adapter, not a case to be skipped.
"""

from decimal import Decimal as Money

import pytest
from msgspec.structs import replace

from joed.model.commands import AmendOrder, CancelOrder, ReadBroker
from joed.model.events import (
    AmendRejected,
    BrokerDown,
    BrokerRead,
    BrokerUp,
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderWorking,
    Quote,
)
from joed.model.values import Side, Status
from tests.brokers.rigs import RIGS, bracket, close, having, permitted
from tests.brokers.test_contract import of, read


@pytest.fixture(params=RIGS)
def rig(request, tmp_path):
    """Give an adapter that is connected to an exchange where AAA is quoted at 99.90 to 100.00."""
    rig = RIGS[request.param](tmp_path)
    rig.quote(99.9, 100.0)
    yield rig
    rig.close()


@pytest.fixture
def quoted(rig):
    """Give it with nothing left to be heard."""
    rig.take()
    return rig


@pytest.fixture
def resting(quoted):
    """Give it with an entry for ten AAA that rests at 99."""
    assert quoted.broker.submit(bracket(level="99.00"), permitted) == ""
    quoted.wait()
    quoted.take()
    return quoted


@pytest.fixture
def holding(quoted):
    """Give it with ten AAA bought at 100, a stop at 95 and a target at 110."""
    assert quoted.broker.submit(bracket(), permitted) == ""
    quoted.wait()
    quoted.take()
    return quoted


def test_tc_26_nothing_of_a_burst_is_sent_after_a_kill(quoted):
    """Permission is asked for each order at its own write: those after the kill stay here, pacer or none."""
    killed = []

    def permit(command):
        killed.append(command.order)
        return "killed" if len(killed) > 2 else ""

    said = [quoted.broker.submit(bracket(f"E{n}", level="99.00"), permit) for n in range(1, 5)]
    quoted.wait(30.0)

    left = [f"E{n}" for n, word in enumerate(said, 1) if not word]
    assert tuple(said) == quoted.burst
    assert [event.order for event in of(quoted.take(), OrderAccepted) if "-" not in event.order] == left


def test_tc_27_a_refusal_here_says_nothing_later(quoted):
    """What `submit` refused with a reason is over: no event ever speaks of it, no read shows it."""
    quoted.broker.submit(bracket(), lambda _command: "expired")
    quoted.wait(30.0)

    assert quoted.take() == []
    seen = read(quoted)
    assert (seen.orders, seen.ended) == ((), {})


def test_tc_28_a_refused_order_may_be_sent_anew_under_another_id(quoted):
    """The broker's refusal ends that id alone."""
    quoted.broker.submit(bracket(quantity="0.5"), permitted)
    quoted.broker.submit(bracket("E2"), permitted)
    quoted.wait()

    events = quoted.take()
    assert {event.order for event in of(events, OrderRejected)} == {"E1", "E1-S", "E1-T"}
    assert [fill.order for fill in of(events, OrderFilled)] == ["E2"]


def test_tc_29_an_id_that_has_ended_is_never_taken_again(resting):
    """Cancelled, and sent once more: refused as a duplicate, for an id is one order for ever."""
    resting.broker.cancel(CancelOrder("E1"), permitted)
    resting.wait()
    resting.take()
    resting.broker.submit(bracket(), permitted)
    resting.wait()

    assert [(event.order, event.code) for event in of(resting.take(), OrderRejected)] == [("E1", "duplicate")]
    assert resting.exchange.position("AAA") == 0


def test_tc_30_words_come_in_the_brokers_order(quoted):
    """Accepted, working, filled, and then the children's: a fill is never heard before its acceptance."""
    quoted.broker.submit(bracket(), permitted)
    quoted.wait()

    words = [type(event) for event in quoted.take() if getattr(event, "order", "") == "E1"]
    assert words == [OrderAccepted, OrderWorking, OrderFilled]


def test_tc_31_children_wait_for_their_entry(resting):
    """Before the first fill they are known and do not work: neither can open a position."""
    seen = {order.order: order for order in read(resting).orders}

    assert seen["E1"].status is Status.WORKING
    assert {seen[name].status for name in ("E1-S", "E1-T")} == {Status.ACKED}
    resting.quote(94.0, 99.5)
    assert of(resting.take(), OrderFilled) == []


@pytest.mark.parametrize("rig", having("TC-32"), indirect=True)
def test_tc_32_children_work_for_what_has_filled(resting):
    """Four of ten bought: the stop works for four, in the same breath as the fill."""
    resting.quote(98.8, 98.9, ask_size=4.0)

    events = resting.take()
    assert [fill.quantity for fill in of(events, OrderFilled)] == [Money(4)]
    working = {event.order: event.quantity for event in of(events, OrderWorking)}
    assert (working["E1-S"], working["E1-T"]) == (Money(4), Money(4))
    assert resting.exchange.protection("AAA") == Money(4)


@pytest.mark.parametrize("rig", having("TC-33"), indirect=True)
def test_tc_33_a_partial_fill_that_is_cancelled_keeps_its_protection(resting):
    """The rest of the entry ends, what was bought and its stop stay."""
    resting.quote(98.8, 98.9, ask_size=4.0)
    resting.quote(99.9, 100.0)
    resting.take()
    resting.broker.cancel(CancelOrder("E1"), permitted)
    resting.wait()

    assert [event.order for event in of(resting.take(), OrderCancelled)] == ["E1"]
    seen = read(resting)
    assert [(held.instrument, held.quantity) for held in seen.positions] == [("AAA", Money(4))]
    stops = [order for order in seen.orders if order.order == "E1-S"]
    assert [(order.status, order.quantity) for order in stops] == [(Status.WORKING, Money(4))]


def test_tc_34_a_cancel_that_loses_the_race_is_refused_and_the_fill_is_told(resting):
    """Filled while the cancel was under way: both words come, and the position is there."""
    resting.broker.cancel(CancelOrder("E1"), permitted)
    resting.exchange.quote(resting.clock.now(), Quote("AAA", 98.8, 98.9))
    resting.wait()

    assert [event.order for event in of(resting.take(), CancelRejected)] == ["E1"]
    assert read(resting).ended["E1"] is Status.FILLED


def test_tc_35_a_cancel_asked_twice_ends_the_order_once(resting):
    """The second is refused: there is nothing left to cancel."""
    resting.broker.cancel(CancelOrder("E1"), permitted)
    resting.broker.cancel(CancelOrder("E1"), permitted)
    resting.wait()

    events = resting.take()
    assert [event.order for event in of(events, OrderCancelled)] == ["E1", "E1-S", "E1-T"]
    assert [event.order for event in of(events, CancelRejected)] == ["E1"]


def test_tc_36_an_amendment_to_what_is_no_price_is_refused_and_changes_nothing(holding):
    """Off the tick, zero, negative: AmendRejected, and the stop stands where it stood."""
    for level in ("97.001", "0", "-1"):
        holding.broker.amend(AmendOrder("E1-S", Money(level)), permitted)
        holding.wait()
        assert [event.order for event in of(holding.take(), AmendRejected)] == ["E1-S"]

    assert {order.order: order.level for order in read(holding).orders}["E1-S"] == Money("95.00")


def test_tc_37_an_amendment_of_what_is_unknown_is_refused_by_event(quoted):
    """No exception, no silence."""
    quoted.broker.amend(AmendOrder("E9", Money("97.00")), permitted)
    quoted.wait()

    assert [(type(event), event.order) for event in quoted.take()] == [(AmendRejected, "E9")]


@pytest.mark.parametrize("rig", having("TC-38"), indirect=True)
def test_tc_38_an_amended_quantity_is_the_whole(holding):
    """A stop for ten that is to be six works for six, and the rest of the bracket stands."""
    holding.broker.amend(AmendOrder("E1-S", quantity=Money(6)), permitted)
    holding.wait()

    assert of(holding.take(), OrderWorking) == [OrderWorking("E1-S", Money(6), Money("95.00"))]


def test_tc_39_a_marketable_target_closes_and_ends_the_stop(holding):
    """How a position is closed by its own group: no second closer, nothing left that could open the other way."""
    holding.broker.amend(AmendOrder("E1-T", Money("99.00")), permitted)
    holding.wait()

    events = holding.take()
    assert [(fill.order, fill.quantity) for fill in of(events, OrderFilled)] == [("E1-T", Money(10))]
    assert [event.order for event in of(events, OrderCancelled)] == ["E1-S"]
    assert read(holding).positions == ()


def test_tc_40_two_closes_cannot_flip_a_position(holding):
    """The second finds nothing of its group left: whatever was asked for, the position ends at zero."""
    holding.broker.submit(close("C1"), permitted)
    holding.broker.submit(close("C2"), permitted)
    holding.wait()

    assert [fill.order for fill in of(holding.take(), OrderFilled)] == ["C1"]
    assert holding.exchange.position("AAA") == 0


def test_tc_41_a_short_is_protected_from_above(quoted):
    """A sell opens, its stop buys above and its target buys below."""
    command = bracket(level="99.00", stop="105.00", target="90.00")
    quoted.broker.submit(replace(command, side=Side.SELL), permitted)
    quoted.wait()

    quoted.take()
    seen = read(quoted)
    assert [held.quantity for held in seen.positions] == [Money(-10)]
    assert {order.side for order in seen.orders} == {Side.BUY}


def test_tc_42_executions_since_the_sessions_start_are_all_in_a_read(holding):
    """Oldest first, each under a name of its own, those of ended orders too."""
    holding.broker.submit(close(), permitted)
    holding.wait()
    holding.quote(99.89, 99.99)
    holding.broker.submit(bracket("E2"), permitted)
    holding.wait()
    holding.take()

    seen = read(holding).executions
    assert [fill.order for fill in seen] == ["E1", "C1", "E2"]
    assert len({fill.execution for fill in seen}) == 3
    assert [fill.at_ns for fill in seen] == sorted(fill.at_ns for fill in seen)


def test_tc_43_cash_in_a_read_is_what_the_executions_leave(holding):
    """To the last digit, fees included: a number that is wrong is worse than none."""
    seen = read(holding)
    spent = sum(fill.quantity * fill.price + fill.fee for fill in seen.executions)

    assert seen.cash == holding.exchange.settings.cash - spent


def test_tc_44_reads_that_are_asked_for_together_are_each_answered_whole(holding):
    """In the order in which they were asked, none of them a mixture."""
    for _ in range(3):
        holding.broker.read(ReadBroker("paper"))
    holding.wait()

    seen = of(holding.take(), BrokerRead)
    assert len(seen) == 3
    assert [one.complete for one in seen] == [True] * 3
    assert [one.from_ns for one in seen] == sorted(one.from_ns for one in seen)
    assert len({one.orders for one in seen}) == 1


def test_tc_45_what_was_on_the_wire_when_the_link_went_comes_never(quoted):
    """Neither the acceptance nor the fill is told over the next link; the read over it has both."""
    quoted.broker.submit(bracket(), permitted)
    quoted.cut()
    quoted.wait()
    quoted.mend()

    told = [type(event) for event in quoted.take() if not isinstance(event, quoted.unsure)]
    assert told == [BrokerDown, BrokerUp]
    seen = read(quoted)
    found = {order.order for order in seen.orders} | set(seen.ended)
    assert found in ({"E1", "E1-S", "E1-T"}, set())


def test_tc_46_amend_and_cancel_without_a_link_are_refused_at_once(holding):
    """With a reason and without asking: what a dead link swallows was never sent."""
    holding.cut()
    asked = []

    def permit(command):
        asked.append(command)
        return ""

    assert holding.broker.amend(AmendOrder("E1-S", Money("97.00")), permit)
    assert holding.broker.cancel(CancelOrder("E1-S"), permit)
    assert asked == []
    assert holding.exchange.protection("AAA") == Money(10)


def test_tc_47_a_lost_link_is_told_once_however_long_it_is_away(rig):
    """BrokerUp and BrokerDown alternate: a Block that is raised once is lifted once."""
    rig.cut()
    rig.wait(5.0)
    rig.mend()

    assert [type(event) for event in rig.take()] == [BrokerUp, BrokerDown, BrokerUp]


def test_tc_48_what_is_streamed_is_exactly_what_was_asked_for_last(rig):
    """A new list takes the place of the old one, over this link and over the next."""
    rig.broker.subscribe(("AAA", "BBB"))
    rig.broker.subscribe(("BBB",))
    rig.wait()
    rig.take()
    rig.cut()
    rig.mend()
    rig.events.clear()

    rig.quote(99.9, 100.0)
    rig.quote(49.9, 50.0, instrument="BBB")

    assert [quote.instrument for quote in of(rig.events, Quote)] == ["BBB"]
    assert rig.broker.streams == ("BBB",)


@pytest.mark.parametrize(("bid", "ask"), [(101.0, 100.0), (0.0, 100.0), (float("nan"), 100.0), (99.0, float("inf"))])
def test_tc_49_a_price_that_is_none_fills_nothing(resting, bid, ask):
    """Crossed, zero, no number, infinite: the order rests as before."""
    resting.quote(bid, ask)

    assert of(resting.take(), OrderFilled) == []
    assert {order.order: order.status for order in read(resting).orders}["E1"] is Status.WORKING


def test_tc_50_what_is_asked_after_stop_is_refused_and_nothing_follows(holding):
    """Stop is final: no order leaves, no read is answered, protection stays at the broker."""
    holding.broker.stop()

    assert holding.broker.submit(bracket("E2"), permitted)
    assert holding.broker.cancel(CancelOrder("E1-S"), permitted)
    holding.broker.read(ReadBroker("paper"))
    holding.wait(30.0)

    assert holding.take() == []
    assert holding.exchange.protection("AAA") == Money(10)
