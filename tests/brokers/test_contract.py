"""What any broker's adapter must do, by number; joed/brokers/base.py says why, rigs.py how an adapter joins.

The catalogue goes on in test_contract_life.py. Which cases hold which guarantee of base.py's table:

| guarantee | cases |
|---|---|
| nothing slips past a kill | TC-03, TC-04, TC-26 |
| ours are never among them | TC-24, TC-25 |
| nothing is queued | TC-14, TC-26, TC-27 |
| a refusal is proven | TC-03, TC-27, TC-46 |
| "" proves nothing | TC-22, TC-45 |
| one order for one id | TC-05, TC-23, TC-29, TC-35 |
| a submit has one of four outcomes | TC-02, TC-13, TC-14, TC-22, TC-28 |
| what cannot be proven is AMBIGUOUS | TC-22, TC-45 |
| results are events | TC-07, TC-09, TC-10, TC-11, TC-21, TC-30 to TC-41 |
| a link has a number | TC-01, TC-16, TC-19, TC-45, TC-47 |
| a read is whole | TC-12, TC-15, TC-31, TC-42, TC-43, TC-44 |
| a failed read is none | TC-14, TC-19 |
| quotes carry their age | TC-17, TC-48, TC-49 |
| everything ends | TC-20, TC-22, TC-50 |
| bad bytes are no guess | TC-36, TC-49; the bytes themselves are each adapter's own wire test |
"""

from decimal import Decimal as Money
from pathlib import Path

import pytest

from joed.model.commands import AmendOrder, CancelForeign, CancelOrder, ReadBroker
from joed.model.events import (
    AmendRejected,
    BrokerDown,
    BrokerRead,
    BrokerUp,
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderDoubted,
    OrderFilled,
    OrderRejected,
    OrderWorking,
    Quote,
)
from joed.model.values import Status
from tests.brokers.rigs import LACKS, RIGS, bracket, close, having, permitted


@pytest.fixture(params=RIGS)
def rig(request, tmp_path):
    """Give an adapter that is connected to an exchange where AAA is quoted."""
    rig = RIGS[request.param](tmp_path)
    yield rig
    rig.close()


@pytest.fixture
def quoted(rig):
    """Give the rig with AAA at 99.90 to 100.00."""
    rig.quote(99.9, 100.0)
    rig.take()
    return rig


@pytest.fixture
def holding(quoted):
    """Give the rig with ten AAA bought at 100, a stop at 95 and a target at 110."""
    assert quoted.broker.submit(bracket(), permitted) == ""
    quoted.wait()
    quoted.take()
    return quoted


def of(events, kind):
    """Give the events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def read(rig):
    """Give the broker's whole book."""
    rig.broker.read(ReadBroker("paper"))
    rig.wait()
    return of(rig.take(), BrokerRead)[-1]


def test_each_case_that_a_broker_lacks_is_a_case_and_has_its_reason():
    """A row that names none would hide nothing today and something tomorrow."""
    cases = "".join(file.read_text() for file in Path(__file__).parent.glob("test_contract*.py"))
    for case, reason in (row for rows in LACKS.values() for row in rows.items()):
        assert f"def test_{case.lower().replace('-', '_')}_" in cases, case
        assert len(reason.split()) > 3


def test_tc_01_a_link_is_announced_once_with_its_account_and_number(rig):
    """BrokerUp is the first word, says whose money it is, and counts from one."""
    assert rig.take() == [BrokerUp("paper", rig.account, "paper", 1)]


def test_tc_02_a_bracket_is_accepted_filled_and_protected(quoted):
    """Each leg is accepted under a number of its own; the children work for what the entry filled."""
    quoted.broker.submit(bracket(), permitted)
    quoted.wait()

    events = quoted.take()
    assert [event.order for event in of(events, OrderAccepted)] == ["E1", "E1-S", "E1-T"]
    assert [(fill.quantity, fill.price) for fill in of(events, OrderFilled)] == [(Money(10), Money("100.0"))]
    assert {event.order: event.quantity for event in of(events, OrderWorking)} == {
        "E1": Money(10),
        "E1-S": Money(10),
        "E1-T": Money(10),
    }


def test_tc_03_what_is_not_permitted_never_reaches_the_broker(quoted):
    """The reason comes back, and the exchange has heard nothing."""
    assert quoted.broker.submit(bracket(), lambda _command: "killed") == "killed"
    assert quoted.broker.amend(AmendOrder("E1", Money(1)), lambda _command: "killed") == "killed"
    assert quoted.broker.cancel(CancelOrder("E1"), lambda _command: "killed") == "killed"

    quoted.wait()
    assert quoted.take() == []
    assert quoted.exchange.orders == {}


def test_tc_04_permission_is_asked_once_for_the_very_command(quoted):
    """Within the call, not before; after it only where the bytes leave later, and then once, there."""
    asked = []

    quoted.broker.submit(bracket(), lambda command: asked.append(command) or "")
    at_once = list(asked)
    quoted.wait()

    assert at_once == [bracket()]
    assert asked == [bracket()] * quoted.asks


def test_tc_05_a_command_handed_over_twice_makes_one_order(quoted):
    """The repeat is refused as a duplicate, the order itself goes on."""
    quoted.broker.submit(bracket(), permitted)
    quoted.broker.submit(bracket(), permitted)
    quoted.wait()

    events = quoted.take()
    assert len(of(events, OrderFilled)) == 1
    assert [(event.order, event.code) for event in of(events, OrderRejected)] == [("E1", "duplicate")]


def test_tc_06_a_cancelled_entry_takes_its_children_with_it(quoted):
    """Nothing of an unfilled bracket is left."""
    quoted.broker.submit(bracket(level="99.00"), permitted)
    quoted.broker.cancel(CancelOrder("E1"), permitted)
    quoted.wait()

    assert [event.order for event in of(quoted.take(), OrderCancelled)] == ["E1", "E1-S", "E1-T"]


def test_tc_07_cancelling_what_is_gone_is_refused_by_event(holding):
    """Filled or unknown: CancelRejected, no exception."""
    holding.broker.cancel(CancelOrder("E1"), permitted)
    holding.broker.cancel(CancelOrder("E9"), permitted)
    holding.wait()

    assert [(type(event), event.order) for event in holding.take()] == [(CancelRejected, "E1"), (CancelRejected, "E9")]


def test_tc_08_an_amended_stop_answers_with_the_terms_the_broker_holds(holding):
    """OrderWorking with the new level and what is left."""
    holding.broker.amend(AmendOrder("E1-S", Money("97.00")), permitted)
    holding.wait()

    assert holding.take() == [OrderWorking("E1-S", Money(10), Money("97.00"))]


def test_tc_09_amending_what_is_gone_is_refused_by_event(holding):
    """AmendRejected; the order stays what it was."""
    holding.broker.amend(AmendOrder("E1", Money("97.00")), permitted)
    holding.wait()

    assert [(type(event), event.order) for event in holding.take()] == [(AmendRejected, "E1")]


def test_tc_10_a_stop_closes_the_position_and_ends_the_target(holding):
    """At the bid, never better than it."""
    holding.quote(94.0, 94.1)

    events = holding.take()
    assert [(fill.order, fill.price) for fill in of(events, OrderFilled)] == [("E1-S", Money("94.0"))]
    assert [event.order for event in of(events, OrderCancelled)] == ["E1-T"]


@pytest.mark.parametrize("rig", having("TC-11"), indirect=True)
def test_tc_11_a_partial_target_shrinks_the_stop(holding):
    """Four sold: the stop works for six."""
    holding.quote(110.0, 110.1, bid_size=4.0)

    events = holding.take()
    assert [fill.quantity for fill in of(events, OrderFilled)] == [Money(4)]
    assert [(event.order, event.quantity) for event in of(events, OrderWorking)] == [("E1-S", Money(6))]


def test_tc_12_a_read_shows_the_whole_book(holding):
    """Open orders, positions, executions, what ended, cash, and the span of time that it speaks of."""
    asked_ns = holding.clock.now()
    seen = read(holding)

    assert (seen.broker, seen.connection, seen.complete) == ("paper", 1, True)
    assert asked_ns <= seen.from_ns <= seen.to_ns <= holding.clock.now()
    assert [(order.order, order.status, order.quantity) for order in seen.orders] == [
        ("E1-S", Status.WORKING, Money(10)),
        ("E1-T", Status.WORKING, Money(10)),
    ]
    assert [(held.instrument, held.quantity) for held in seen.positions] == [("AAA", Money(10))]
    assert [fill.order for fill in seen.executions] == ["E1"]
    assert seen.ended == {"E1": Status.FILLED}
    assert seen.cash == holding.exchange.book.cash


def test_tc_13_a_refusal_of_the_broker_is_an_event_with_a_code(quoted):
    """For each leg of the bracket."""
    quoted.broker.submit(bracket(quantity="0.5"), permitted)
    quoted.wait()

    events = quoted.take()
    assert {(event.order, event.code) for event in of(events, OrderRejected)} == {
        ("E1", "quantity"),
        ("E1-S", "quantity"),
        ("E1-T", "quantity"),
    }


def test_tc_14_without_a_link_nothing_is_handed_over(quoted):
    """A reason at once, and permission is not even asked."""
    quoted.cut()

    asked = []
    assert quoted.broker.submit(bracket(), lambda command: asked.append(command) or "")
    quoted.broker.read(ReadBroker("paper"))
    quoted.wait()

    assert asked == []
    assert [type(event) for event in quoted.take()] == [BrokerDown]
    assert quoted.exchange.orders == {}


def test_tc_15_what_happened_without_a_link_comes_by_the_next_read_alone(holding):
    """The stop worked while we were away: no late event, but the read has it."""
    holding.cut()
    holding.quote(94.0, 94.1)
    holding.mend()

    assert [type(event) for event in holding.take()] == [BrokerDown, BrokerUp]
    seen = read(holding)
    assert [fill.order for fill in seen.executions] == ["E1", "E1-S"]
    assert seen.positions == ()
    assert seen.ended["E1-T"] is Status.CANCELLED


def test_tc_16_each_link_has_a_number_of_its_own(rig):
    """Up, down, up: the second link is not the first."""
    rig.cut()
    rig.mend()

    up, down, again = rig.take()
    assert (type(up), type(down), type(again)) == (BrokerUp, BrokerDown, BrokerUp)
    assert up.connection != again.connection


def test_tc_17_quotes_carry_their_age_and_only_what_was_subscribed(rig):
    """`received_ns` is our clock, the broker is named; BBB was not asked for."""
    rig.broker.subscribe(("AAA",))
    rig.wait()
    now = rig.clock.now()

    rig.quote(99.9, 100.0)
    rig.quote(49.9, 50.0, instrument="BBB")

    quotes = of(rig.events, Quote)
    assert [quote.instrument for quote in quotes] == ["AAA"]
    assert now <= quotes[0].received_ns <= rig.clock.now()
    assert quotes[0].broker == "paper"
    assert rig.broker.streams == ("AAA",)


def test_tc_18_a_close_in_the_group_leaves_nothing_working(holding):
    """Flat, and neither stop nor target can open the other way."""
    holding.broker.submit(close(), permitted)
    holding.wait()

    seen = read(holding)
    assert (seen.positions, seen.orders) == ((), ())
    assert seen.ended["C1"] is Status.FILLED


def test_tc_19_a_read_over_a_lost_link_never_comes_over_the_next(holding):
    """The answer to the first link's question would not be from one unbroken connection."""
    holding.broker.read(ReadBroker("paper"))
    holding.cut()
    holding.wait()
    holding.mend()

    assert of(holding.take(), BrokerRead) == []


def test_tc_20_after_stop_nothing_is_emitted(holding):
    """The end is silent; what is at the exchange lives on."""
    holding.broker.stop()
    holding.wait()

    assert holding.take() == []
    assert holding.exchange.protection("AAA") == Money(10)


def test_tc_21_an_execution_is_named_alike_as_event_and_in_a_read(quoted):
    """So that a fill that comes both ways counts once."""
    quoted.broker.submit(bracket(), permitted)
    quoted.wait()

    told = of(quoted.take(), OrderFilled)
    assert list(read(quoted).executions) == told


def test_tc_22_an_answer_that_will_not_come_is_doubted_at_once(quoted):
    """AMBIGUOUS is told as such and never as a refusal; the next whole read says what became of the order."""
    quoted.doubt()
    quoted.broker.submit(bracket(), permitted)
    quoted.wait()

    told = quoted.take()
    assert [(type(event), event.order) for event in told] == [(OrderDoubted, "E1")]
    assert read(quoted).ended["E1"] is Status.FILLED


def test_tc_23_a_cancel_by_another_number_touches_nothing(quoted):
    """Where a broker holds two orders of one id, the number says which is to go; a number it lacks is refused."""
    quoted.broker.submit(bracket(level="99.00"), permitted)
    quoted.broker.cancel(CancelOrder("E1", "twin", "no such number"), permitted)
    quoted.wait()

    assert [event.order for event in of(quoted.take(), CancelRejected)] == ["E1"]
    assert [seen.order for seen in read(quoted).orders][:1] == ["E1"]


def test_tc_24_what_is_not_ours_is_cancelled_by_its_number_and_nothing_else_is(holding):
    """A kill of the account clears strangers' orders; the stop and the target of our position work on."""
    stranger = bracket("TWS-1", level="90.00", stop="85.00", target="99.00")
    holding.exchange.submit(holding.clock.now(), stranger)
    numbers = tuple(row.broker_id for row in read(holding).orders if row.order not in {"E1-S", "E1-T"})

    assert holding.broker.cancel_foreign(CancelForeign("paper", numbers), permitted) == ""
    holding.wait()

    assert len(numbers) == holding.stranger_rows
    assert {row.order for row in read(holding).orders} == {"E1-S", "E1-T"}


def test_tc_25_cancels_of_what_is_not_ours_are_idempotent_and_ask_permission(holding):
    """Twice is once, an unknown number is none; and whoever may not, does not."""
    holding.exchange.submit(holding.clock.now(), bracket("TWS-1", level="90.00", stop="85.00", target="99.00"))
    rows = read(holding).orders
    asked = CancelForeign("paper", (next(row.broker_id for row in rows if row.order not in {"E1-S", "E1-T"}), "999"))

    assert holding.broker.cancel_foreign(asked, lambda _command: "no") == "no"
    holding.wait()
    assert read(holding).orders == rows
    for _ in (1, 2):
        assert holding.broker.cancel_foreign(asked, permitted) == ""
        holding.wait()

    assert {row.order for row in read(holding).orders} == {"E1-S", "E1-T"}
    holding.cut()
    assert holding.broker.cancel_foreign(asked, permitted) != ""
