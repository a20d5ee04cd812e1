"""joed.brokers.ibkr.outbox: words keep their order, and a fill has its fee where that comes soon."""

from decimal import Decimal as Money

import pytest

from joed.brokers.ibkr.outbox import HOLD_NS, Outbox
from joed.daemon.clock import SimulatedClock
from joed.model.events import OrderCancelled, OrderFilled
from joed.model.values import Side


def maker(name):
    """Give what makes a fill of this order."""

    def make(fee):
        priced = (Money(1), Money(2), fee or Money(0), int(fee is not None))
        return OrderFilled(name, f"x-{name}", "AAA", Side.BUY, *priced)

    return make


@pytest.fixture
def house():
    """Give a clock, what was told, and the outbox."""
    clock, told = SimulatedClock(0), []
    return clock, told, Outbox(clock, told.append)


def test_a_fee_that_comes_at_once_is_told_with_its_fill(house):
    """One word, not two."""
    _clock, told, outbox = house
    outbox.put_fill("x.01", maker("E1"))
    outbox.put_fee("x.01", Money("1.00"))

    assert [(fill.fee, fill.revision) for fill in told] == [(Money("1.00"), 1)]


def test_what_follows_a_fill_waits_with_it(house):
    """The end of the other leg is never heard before the fill that caused it."""
    clock, told, outbox = house
    outbox.put_fill("x.01", maker("E1-S"))
    outbox.put(OrderCancelled("E1-T"))
    assert told == []

    clock.advance()

    assert clock.now() == HOLD_NS
    assert [event.order for event in told] == ["E1-S", "E1-T"]


def test_a_fee_that_comes_late_is_a_second_word_on_the_same_execution(house):
    """The fill was told without; the newer revision takes its place in the books."""
    clock, told, outbox = house
    outbox.put_fill("x.01", maker("E1"))
    clock.advance()
    outbox.put_fee("x.01", Money("0.35"))

    assert [(fill.execution, fill.fee, fill.revision) for fill in told] == [
        ("x-E1", Money(0), 0),
        ("x-E1", Money("0.35"), 1),
    ]


def test_a_fee_that_comes_before_its_fill_is_kept_for_it(house):
    """TWS promises no order between the two."""
    _clock, told, outbox = house
    outbox.put_fee("x.01", Money("0.35"))
    outbox.put_fill("x.01", maker("E1"))

    assert [(fill.fee, fill.revision) for fill in told] == [(Money("0.35"), 1)]


def test_an_end_waits_for_the_words_that_tell_what_it_was(house):
    """With them at once, without them after a moment; what follows keeps its place behind it."""
    clock, told, outbox = house
    outbox.put_end("E1", lambda words: OrderCancelled("E1", words))
    outbox.put(OrderCancelled("E2"))
    assert told == []
    outbox.put_words("E1", "by the broker")
    assert told == [OrderCancelled("E1", "by the broker"), OrderCancelled("E2")]

    outbox.put_end("E3", lambda words: OrderCancelled("E3", words))
    clock.advance()

    assert told[2:] == [OrderCancelled("E3")]


def test_a_link_that_goes_has_its_words_told_first(house):
    """What was heard is told before BrokerDown, with or without its fee."""
    _clock, told, outbox = house
    outbox.put_fill("x.01", maker("E1"))
    outbox.flush()

    assert [fill.revision for fill in told] == [0]


def test_after_the_end_nothing_is_told(house):
    """`stop` is silent, also about a fill that waited."""
    clock, told, outbox = house
    outbox.put_fill("x.01", maker("E1"))
    outbox.forget()
    clock.advance()

    assert told == []
