"""What became of orders: each state and each execution counted once, whoever told it and how often."""

from decimal import Decimal

from joed.daemon.counters import Counters
from joed.daemon.tally import FORGET_AT, Tally, quotes_by_broker
from joed.engine.step import refold
from joed.model.commands import Basis, CancelOrder, RetireOrder
from joed.model.events import (
    BrokerDown,
    CommandSent,
    EpochStarted,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderWorking,
    Quote,
    Tick,
)
from joed.model.values import SECOND, ZERO, Side
from tests.engine.build import START, bracket, entry_of, fill, quote, stop_of, submitted, trading_state, whole_read

BASIS = Basis(0, Decimal(200), Decimal(10), Decimal(201), Decimal(1), ZERO, ZERO, ZERO, ZERO, 0, 0, 0)


class Told:
    """A State whose every step is tallied."""

    def __init__(self, state=None):
        self.state = state or trading_state()
        self.counters = Counters()
        self.tally = Tally(self.state, self.counters)

    def step(self, after_s, event, *commands):
        """Let this have happened so many seconds after the start."""
        now = START + int(after_s * SECOND)
        refold(self.state, now, event, list(commands))
        self.tally.note(now, event, commands)

    def enter(self, symbol="AAPL", **more):
        """Send a bracket, decided on at 200."""
        self.step(0, Tick(), bracket(symbol, basis=BASIS, **more))
        self.step(0, CommandSent(self.state.seq, 0, entry_of(symbol)))

    def orders(self, state):
        """Give how many came to this state."""
        return self.counters.orders.get(("paper", state), 0)


def observed(buckets):
    """Give how many were observed, and their sum."""
    return sum(buckets.counts), round(buckets.total, 6)


def test_each_order_of_a_bracket_is_counted_in_each_state_once():
    """Entry, stop and target are three orders; a word that comes twice moves nothing."""
    told = Told()
    told.enter()
    for _ in range(2):
        told.step(0.25, OrderAccepted(entry_of("AAPL"), "1"))
    told.step(0.25, OrderAccepted(stop_of("AAPL"), "2"))

    assert told.orders("armed") == told.orders("sent") == 3
    assert told.orders("acked") == 2
    assert observed(told.counters.order_ack) == (2, 0.5)


def test_an_execution_counts_once_and_by_its_side():
    """In parts, again, and corrected: what the fills view shows, it counts."""
    told = Told()
    told.enter()
    for execution, revision in (("a", 0), ("a", 0), ("a", 1), ("b", 0)):
        told.step(2, fill(entry_of("AAPL"), "5", "200", execution=execution, revision=revision))
    told.step(3, OrderWorking(stop_of("AAPL"), Decimal(10), Decimal(196)))
    told.step(9, fill(stop_of("AAPL"), "10", "196", side=Side.SELL, execution="c"))

    assert told.counters.fills == {("paper", "buy"): 2, ("paper", "sell"): 1}
    assert (told.orders("partial"), told.orders("filled")) == (1, 2)
    assert observed(told.counters.order_fill) == (1, 2.0)  # a stop rests as long as it must: its age is no latency


def test_slippage_is_told_against_the_price_that_was_meant():
    """An entry's is the one decided on, a stop's its level; better and worse are two histograms."""
    told = Told()
    told.enter()
    told.step(1, fill(entry_of("AAPL"), "4", "199.90", execution="a"))
    told.step(1, fill(entry_of("AAPL"), "6", "200.20", execution="b"))
    told.step(2, OrderWorking(stop_of("AAPL"), Decimal(10), Decimal(196)))
    told.step(3, fill(stop_of("AAPL"), "10", "195.902", side=Side.SELL, execution="c"))

    assert observed(told.counters.slippage_favourable) == (1, 5.0)
    assert observed(told.counters.slippage_adverse) == (2, 15.0)


def test_a_cancel_is_timed_from_when_it_was_asked():
    """Not from the order's begin."""
    told = Told()
    told.enter()
    told.step(0, OrderAccepted(entry_of("AAPL"), "1"))
    told.step(30, Tick(), CancelOrder(entry_of("AAPL"), "not filled"))
    told.step(30.5, OrderCancelled(entry_of("AAPL")))

    assert (told.orders("cancel_asked"), told.orders("cancelled")) == (1, 1)
    assert observed(told.counters.order_cancel) == (1, 0.5)


def test_a_refusal_is_told_of_the_whole_bracket():
    """The children were never taken either."""
    told = Told()
    told.enter()
    told.step(0.1, OrderRejected(entry_of("AAPL"), "201", "no"))

    assert told.orders("rejected") == 3


def test_what_only_a_reading_or_a_broken_link_told_counts_too():
    """A link that breaks puts in doubt what was not answered; a command may end it."""
    told = Told()
    told.enter()
    told.step(1, BrokerDown("paper", "cable"))
    told.step(9, Tick(), RetireOrder(entry_of("AAPL"), "in no book"))

    assert told.orders("uncertain") == told.orders("absent_proven") == 3
    assert told.counters.losses == {"paper": 1}


def test_readings_are_counted_by_what_they_found():
    """Whole and equal, whole and different, or not whole."""
    told = Told()
    told.step(1, whole_read(START))
    submitted(told.state, bracket("KO"))
    told.state.brokers["paper"].differences = 0
    partial = whole_read(START)
    told.tally.note(START, type(partial)("paper", 1, START, START + SECOND // 2, complete=False), ())
    told.state.brokers["paper"].differences = 2
    told.tally.note(START, partial, ())

    assert told.counters.reads == {("paper", "clean"): 1, ("paper", "partial"): 1, ("paper", "differs"): 1}
    assert told.counters.read_s["paper"] == (partial.to_ns - partial.from_ns) / SECOND


def test_what_was_there_before_is_not_counted_again():
    """A restart counts what it moves, not what it finds."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    told = Told(state)
    told.step(1, whole_read(START))
    assert told.counters.orders == {}
    told.step(2, EpochStarted(2, "start", "0", "code"))

    assert told.orders("uncertain") == sum(order.status == "UNCERTAIN" for order in state.orders.values())
    assert set(told.counters.orders) <= {("paper", "uncertain")}


def test_what_state_forgot_is_forgotten():
    """A year of orders leaves nothing behind."""
    told = Told()
    told.enter()
    told.tally._seen.update({f"old{number}": ("FILLED", 1) for number in range(FORGET_AT + 9)})
    told.enter("KO")

    assert set(told.tally._seen) == set(told.tally._decided) | set(told.state.orders)
    assert len(told.tally._seen) == 6


def test_quotes_are_counted_by_the_broker_they_come_from():
    """Of each instrument that has one."""
    state = trading_state()
    for symbol in ("AAPL", "AAPL", "KO"):
        one = quote(symbol, 100.0)
        refold(state, START, Quote(one.instrument, one.bid, one.ask, received_ns=START, broker="paper"), [])

    assert quotes_by_broker(state) == {"paper": 3}
