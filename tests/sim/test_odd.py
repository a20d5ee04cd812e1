"""An odd exchange is an exchange until an oddity is armed, and its memory stays whole whatever it does."""

from decimal import Decimal
from random import Random

import pytest

from joed.daemon.clock import SimulatedClock
from joed.model.book import unbalanced
from joed.model.commands import AmendOrder, CancelOrder
from joed.model.events import AmendRejected, CancelRejected, OrderFilled, OrderRejected, Quote
from joed.model.values import Leg, Status
from joed.sim.odd import OddBroker, OddExchange
from tests.brokers.rigs import SETTINGS, START_NS, UNIVERSE, bracket, close, exchange_of

D = Decimal


@pytest.fixture
def exchange():
    """Give an odd exchange with a price."""
    found = OddExchange(UNIVERSE, SETTINGS, Random(7))
    found.quote(START_NS, Quote("AAA", 100.0, 100.0))
    return found


@pytest.fixture
def held(exchange):
    """Give one that holds the bracket E1, filled."""
    exchange.submit(START_NS, bracket())
    return exchange


def whole(exchange):
    """Say whether cash, positions and orders are the sum of the executions."""
    return list(unbalanced(exchange.to_state())) == []


def test_with_nothing_armed_it_is_the_exchange():
    """Line by line."""
    plain, odd = exchange_of(), OddExchange(UNIVERSE, SETTINGS, Random(7))
    for one in (plain, odd):
        one.quote(START_NS, Quote("AAA", 100.0, 100.0))
        one.submit(START_NS, bracket())
        one.quote(START_NS + 1, Quote("AAA", 90.0, 90.0))

    assert odd.log == plain.log
    assert odd.executions == plain.executions


def test_a_stop_may_be_refused_while_its_entry_works(exchange):
    """The position is bare, and a repair is refused as often as was armed."""
    exchange.armed["stop_rejected"] = 1

    reports = exchange.submit(START_NS, bracket())

    assert [r.order for r in reports if isinstance(r, OrderRejected)] == ["E1-S"]
    assert (exchange.own("AAA"), exchange.protection("AAA")) == (D(10), D(0))
    assert "AAA" in exchange.shaken
    assert exchange.orders["E1-S"].status is Status.REJECTED


def test_an_entry_may_fill_more_than_was_asked_for(exchange):
    """Its stop does not grow with it (I12)."""
    exchange.armed["overfill"] = 1
    exchange.submit(START_NS, bracket())

    assert (exchange.own("AAA"), exchange.protection("AAA")) == (D(20), D(10))
    assert whole(exchange)


def test_a_target_and_a_stop_may_both_fill(held):
    """The position is turned round (F69)."""
    held.armed["both_fill"] = 1
    held.quote(START_NS + 1, Quote("AAA", 80.0, 80.0))

    assert held.own("AAA") == D(-10)
    assert held.orders["E1-S"].status is held.orders["E1-T"].status is Status.FILLED
    assert whole(held)


def test_what_was_cancelled_may_fill(exchange):
    """Its bracket is gone (F62)."""
    exchange.armed["late_fill"] = 1
    exchange.submit(START_NS, bracket(level=D(99)))
    exchange.cancel(START_NS, CancelOrder("E1"))
    exchange.fill_ghosts(START_NS + 1)

    assert (exchange.own("AAA"), exchange.protection("AAA")) == (D(10), D(0))
    assert exchange.orders["E1"].status is Status.FILLED
    assert whole(exchange)


@pytest.mark.parametrize("oddity", ["cancel_rejected", "amend_rejected", "close_rejected"])
def test_it_may_refuse_what_it_should_not(held, oddity):
    """Once for each that was armed, and then no more."""
    held.armed[oddity] = 1
    tries = {
        "cancel_rejected": lambda: held.cancel(START_NS, CancelOrder("E1-S")),
        "amend_rejected": lambda: held.amend(START_NS, AmendOrder("E1-S", D(91))),
        "close_rejected": lambda: held.submit(START_NS, close()),
    }
    refused = CancelRejected | AmendRejected | OrderRejected

    assert isinstance(tries[oddity]()[0], refused)
    if oddity != "close_rejected":  # the id of a refused order is known
        assert not isinstance(tries[oddity]()[0], refused)


@pytest.mark.parametrize(("bust", "left"), [(False, 10), (True, 0)])
def test_an_execution_may_be_corrected_or_taken_back(held, bust, left):
    """The same execution, revised; cash and position follow it (F61)."""
    reports = held.correct(START_NS + 1, 0.0, bust=bust)

    assert [(r.revision, r.quantity) for r in reports if isinstance(r, OrderFilled)] == [(1, D(left))]
    assert held.own("AAA") == D(left)
    assert whole(held)


def test_a_person_trades_beside_us_and_takes_it_back(held):
    """What joed's orders hold and what its stops guard stay apart from that (F70)."""
    held.by_hand(START_NS, "AAA", D(-15))
    assert (held.position("AAA"), held.own("AAA"), held.protection("AAA")) == (D(-5), D(10), D(10))
    assert [fill.order for fill in held.snapshot(START_NS).executions] == ["E1", ""]

    held.rest_by_hand(START_NS, "AAA")
    assert [order.order for order in held.snapshot(START_NS).orders].count("") == 1

    held.undo(START_NS)
    assert held.position("AAA") == held.own("AAA") == D(10)
    assert "" not in {order.order for order in held.snapshot(START_NS).orders}
    assert whole(held)


def test_a_split_changes_a_position_without_an_execution(held):
    """And is set right (F72)."""
    held.split(START_NS, "AAA", D(10))
    assert (held.position("AAA"), held.own("AAA"), whole(held)) == (D(20), D(10), False)

    held.unsplit(START_NS, "AAA")
    assert (held.position("AAA"), whole(held)) == (D(10), True)


@pytest.mark.parametrize("status", [Status.EXPIRED, Status.REJECTED])
def test_a_live_order_may_end_for_the_exchange_s_own_reasons(held, status):
    """A stop too."""
    reports = held.drop(START_NS, 0.0, status)

    assert held.orders["E1-S"].status is status
    assert reports[0].order == "E1-S"
    assert held.protection("AAA") == D(0)


def test_an_order_may_come_late():
    """The broker of such an exchange has it act, and tells of it."""
    got, clock = [], SimulatedClock(START_NS)
    exchange = OddExchange(UNIVERSE, SETTINGS, Random(7))
    broker = OddBroker("paper", exchange, clock, got.append, SETTINGS)
    broker.start()
    broker.quote(Quote("AAA", 100.0, 100.0))
    broker.arrive(bracket())
    while clock.advance():
        pass

    assert exchange.own("AAA") == D(10)
    assert "late_entry" in exchange.happened
    assert any(isinstance(event, OrderFilled) for event in got)
    assert bracket().leg is Leg.ENTRY


def test_an_entry_that_rests_without_its_stop_is_unguarded_until_it_ends(exchange):
    """What it fills will be bare; one with its stop is guarded."""
    exchange.slow_until_ns = START_NS + 10
    exchange.submit(START_NS, bracket())
    assert not exchange.unguarded("AAA")

    exchange.armed["stop_rejected"] = 1
    exchange.submit(START_NS, bracket("E2"))
    assert exchange.unguarded("AAA")

    exchange.cancel(START_NS + 1, CancelOrder("E2"))
    assert not exchange.unguarded("AAA")
