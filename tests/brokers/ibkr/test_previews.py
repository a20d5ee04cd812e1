"""joed.brokers.ibkr.previews: what a lot would need, asked where it is configured, and never an order."""

from decimal import Decimal as Money

import pytest

from joed.model.commands import ReadBroker
from joed.model.events import BrokerRead
from joed.model.feeds import BrokerExamined, MarginTold
from joed.model.values import Side
from tests.brokers.rigs import bracket, permitted


def told(rig):
    """Give what was told of margins so far."""
    return [event for event in rig.events if isinstance(event, MarginTold)]


@pytest.fixture
def asking(make_rig):
    """Give the adapter with previews on, AAA streamed at 99.90 to 100.00."""
    rig = make_rig(margin_preview=True, preview_s=60.0)
    rig.broker.subscribe(("AAA",))
    rig.quote(99.9, 100.0)
    return rig


def test_by_default_nothing_is_asked(rig):
    """Off: no byte of it leaves."""
    messages = []
    rig.tws.journal = lambda way, *rest: way == "<<" and messages.append(rest[1][0])
    rig.broker.subscribe(("AAA",))
    rig.wait(120.0)

    assert "3" not in messages
    assert told(rig) == []


def test_a_lot_of_what_is_streamed_is_previewed_and_nothing_is_placed(asking):
    """Its margin, and what the account has; the exchange, the orders and a reading know of no order."""
    asking.wait(8.0)
    asking.broker.read(ReadBroker("paper"))
    asking.wait()

    (first,) = told(asking)
    (read,) = [event for event in asking.events if isinstance(event, BrokerRead)]
    assert (first.instrument, first.side, first.quantity) == ("AAA", Side.BUY, Money(1))
    assert first.change > 0
    assert first.available > first.change
    assert (asking.exchange.orders, asking.broker._link.orders.by_ref, read.orders) == ({}, {}, ())


def test_it_is_asked_again_after_its_time_and_over_a_new_link(asking):
    """The figures are of a moment."""
    asking.wait(70.0)
    assert len(told(asking)) == 2
    asking.fault("reset")
    asking.wait(15.0)

    assert len(told(asking)) == 3


def test_a_preview_under_way_holds_nothing_back(asking):
    """An order leaves in the same moment, and its fill is told."""
    asking.fault("drop openOrder 1")
    asking.wait(5.5)

    assert asking.broker.submit(bracket(), permitted) == ""
    asking.wait(20.0)
    assert asking.exchange.position("AAA") == 10
    assert told(asking) == []


def test_a_preview_that_is_answered_during_a_reading_is_in_no_book(asking):
    """The reading listens for open orders; what was only asked about is none."""
    asking.fault("late openOrder 0.5 1")
    asking.wait(4.9)
    asking.fault("late openOrderEnd 2 1")
    asking.broker.read(ReadBroker("paper"))
    asking.wait(5.0)

    (read,) = [event for event in asking.events if isinstance(event, BrokerRead)]
    assert read.orders == ()
    assert len(told(asking)) == 1


def test_a_refusal_is_a_finding_told_once(asking):
    """A read-only gateway: the row of the doctor names it, and goes when answers come."""
    asking.tws.desk.read_only = True
    asking.wait(70.0)
    findings = [event for event in asking.events if isinstance(event, BrokerExamined)]
    asking.tws.desk.read_only = False
    asking.wait(60.0)
    well = [event for event in asking.events if isinstance(event, BrokerExamined)][len(findings) :]

    assert [(row.name, row.ok) for row in findings] == [("margin previews", False)]
    assert "Read-Only" in findings[0].words
    assert [(row.name, row.ok) for row in well] == [("margin previews", True)]
