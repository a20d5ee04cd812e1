"""The wire carries in order, loses what it is told to lose, and shows the laws what leaves."""

from collections import Counter
from decimal import Decimal
from random import Random

import pytest

from joed.daemon.clock import SimulatedClock
from joed.model.commands import ReadBroker
from joed.model.events import BrokerDown, BrokerRead, BrokerUp, OrderFilled, Quote
from joed.model.values import SECOND
from joed.sim.odd import OddBroker, OddExchange
from joed.sim.wire import Wire
from tests.brokers.rigs import SETTINGS, START_NS, UNIVERSE, bracket, permitted


class Onlooker:
    """What a wire needs of the laws."""

    def __init__(self):
        self.seen = []
        self.read_since_up = False
        self.handing = self.seen.append


class Rig:
    """A wire with an exchange behind it and a list in the place of joed."""

    def __init__(self):
        self.clock, self.got, self.points = SimulatedClock(START_NS), [], []
        self.watch, self.counts = Onlooker(), Counter()
        self.wire = Wire(self.clock, self.watch, self.counts, self.points.append)
        exchange = OddExchange(UNIVERSE, SETTINGS, Random(7))
        self.wire.broker = self.broker = OddBroker("paper", exchange, self.clock, self.wire.receive, SETTINGS)
        self.wire.attach(lambda event: self.got.append((self.clock.now() - START_NS, event)))
        self.wire.start()
        self.broker.quote(Quote("AAA", 100.0, 100.0))
        self.got.clear()

    def run(self):
        """Let everything happen that is planned."""
        while self.clock.advance():
            pass
        return [type(event) for _, event in self.got]


@pytest.fixture
def rig():
    """Give a wire that is up, with a price behind it."""
    return Rig()


def test_the_laws_see_an_order_in_the_moment_it_is_handed_over(rig):
    """One that is not permitted they never see."""
    assert rig.wire.submit(bracket(), permitted) == ""
    assert rig.wire.submit(bracket("E2"), lambda command: "killed") == "killed"

    assert [command.order for command in rig.watch.seen] == ["E1"]
    assert rig.points == ["handed"]
    assert rig.counts["SubmitOrder"] == 1


def test_a_lost_command_was_handed_over_and_never_arrives(rig):
    """It counts as sent; the exchange never hears of it."""
    rig.wire.lost_commands = 1

    assert rig.wire.submit(bracket(), permitted) == ""
    assert rig.run() == []
    assert not rig.broker.exchange.orders
    assert [command.order for command in rig.watch.seen] == ["E1"]


def test_lost_reports_are_gone_and_repeated_fills_come_twice(rig):
    """Prices are no reports."""
    rig.wire.lost_reports, rig.wire.repeats = 2, 1
    rig.wire.receive(Quote("AAA", 1.0, 1.1))
    rig.wire.submit(bracket(), permitted)

    kinds = rig.run()

    assert kinds.count(Quote) == 1
    assert kinds.count(OrderFilled) == 2
    assert (rig.counts["lost_reports"], rig.counts["repeats"]) == (2, 1)


def test_a_slow_wire_is_late_and_keeps_the_order(rig):
    """What comes after it is fast again does not overtake."""
    rig.wire.lag_ns = 3 * SECOND
    rig.wire.receive(Quote("AAA", 1.0, 1.1))
    rig.wire.lag_ns = 0
    rig.wire.receive(Quote("AAA", 2.0, 2.1))
    rig.run()

    times, bids = zip(*[(at, event.bid) for at, event in rig.got], strict=True)
    assert bids == (1.0, 2.0)
    assert min(times) >= 3 * SECOND


def test_an_outage_loses_what_was_under_way_and_ends(rig):
    """Down, then up with another number; the answer of the old link never comes."""
    rig.wire.read(ReadBroker("paper"))
    rig.wire.outage(5.0, "cut")

    assert rig.run() == [BrokerDown, BrokerUp]
    assert rig.got[-1][1].connection == 2
    assert rig.got[-1][0] == 5 * SECOND


def test_a_partial_read_says_that_it_is(rig):
    """Marked incomplete, it lacks orders; only a whole one lets the laws allow entries."""
    rig.wire.partial_reads = 1
    rig.wire.submit(bracket(), permitted)
    rig.clock.call_at(START_NS + SECOND, lambda: rig.wire.read(ReadBroker("paper")))
    rig.run()
    half = rig.got[-1][1]
    assert isinstance(half, BrokerRead)
    assert (half.complete, len(half.orders), rig.watch.read_since_up) == (False, 1, False)

    rig.wire.read(ReadBroker("paper"))
    rig.run()
    assert (rig.got[-1][1].complete, rig.watch.read_since_up) == (True, True)


def test_a_dead_life_hears_nothing_and_the_exchange_goes_on(rig):
    """What was handed over before the cut still arrives there."""
    rig.wire.submit(bracket(), permitted)
    rig.wire.cut()

    assert rig.run() == []
    assert rig.broker.exchange.position("AAA") == Decimal(10)
