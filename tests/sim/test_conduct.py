"""Each law of joed's conduct finds its breach, and is silent beside it."""

from decimal import Decimal
from random import Random

import pytest

from joed.model.blocks import Block
from joed.model.commands import AmendOrder, CancelOrder, LatchKill, LiftBlock, RaiseBlock, RefuseEntry
from joed.model.events import BrokerDown, BrokerRead, BrokerUp, OperatorAsked, Quote, Tick
from joed.model.values import SECOND, Scope
from joed.sim import conduct
from joed.sim.conduct import Conduct
from joed.sim.odd import OddExchange
from tests.brokers.rigs import SETTINGS, UNIVERSE, bracket, close

START_NS = 1_000 * SECOND
UP, DOWN = BrokerUp("paper", "PAPER-1", "paper", 1), BrokerDown("paper", "cut")
READ = BrokerRead("paper", 1, 1, 2, complete=True)
RELEASE = OperatorAsked("release", "r", 1000, 1000, 1, "why", {"block": "all/killed"})
LIFTED = [LiftBlock("all/killed")]
REFUSED = RefuseEntry("AAA", "s", "n", "orders_minute_max", "too many")


@pytest.fixture
def exchange():
    """Give an exchange where AAA is quoted at 100."""
    exchange = OddExchange(UNIVERSE, SETTINGS, Random(7))
    exchange.quote(START_NS, Quote("AAA", 100.0, 100.0))
    return exchange


@pytest.fixture
def holding(exchange):
    """Give it with ten AAA held under a stop and a target."""
    exchange.submit(START_NS, bracket())
    return exchange


def test_facts_are_recorded_as_they_came():
    """One that overtakes another is found; what joed says to itself is no fact, and quotes may give way."""
    found = Conduct()
    for event in (UP, Quote("AAA", 1.0, 1.0), DOWN, READ):
        found.heard(event)

    assert [found.in_order(event) for event in (Tick(), UP, Quote("AAA", 2.0, 2.0))] == ["", "", ""]
    assert "came before it" in found.in_order(READ)
    assert [found.in_order(event) for event in (DOWN, READ, Tick())] == ["", "", ""]


def test_each_start_has_an_epoch_of_its_own_and_hears_nothing_of_the_last_ones_queue():
    """An epoch that was used is found; what waited when the power went is not missed."""
    found = Conduct()
    assert found.begin(1, 0) == ""
    found.heard(UP)

    assert found.begin(2, 10) == ""
    found.heard(DOWN)
    assert found.in_order(DOWN) == ""
    assert "epoch 2" in found.begin(2, 10)


def test_a_release_needs_a_link_that_was_read():
    """Half a reading is none; whoever asks for something else needs no reading."""
    found = Conduct()
    half = BrokerRead("paper", 1, 1, 2, complete=False)

    assert "not read" in found.evident(RELEASE, LIFTED)
    assert [found.evident(event, []) for event in (UP, half)] == ["", ""]
    assert "not read" in found.evident(RELEASE, LIFTED)
    assert found.evident(RELEASE, []) == ""
    assert found.evident(READ, []) == ""
    assert found.evident(RELEASE, LIFTED) == ""
    found.evident(DOWN, [])
    assert "not read" in found.evident(RELEASE, LIFTED)


def test_a_breaker_holds_until_it_is_lifted():
    """Whatever else is lifted meanwhile; an exit passes, and so does an entry after another limit's refusal."""
    found = Conduct()
    assert found.breakers(1, [RefuseEntry("AAA", "s", "n", "collar", "far"), bracket()]) == ""
    assert found.breakers(2, [REFUSED, RaiseBlock(Block("all", "orders_minute_max", "too many"))]) == ""
    assert found.breakers(3, [LiftBlock("all/paused"), close()]) == ""
    assert "orders_minute_max" in found.breakers(4, [bracket()])
    assert found.breakers(5, [LiftBlock("all/orders_minute_max"), bracket()]) == ""


def test_a_breaker_that_no_disk_knows_of_is_forgotten_with_its_life():
    """What the power took away was never decided; and so was its release."""
    found = Conduct()
    found.breakers(5, [REFUSED])
    found.begin(1, 4)
    assert found.breakers(5, [bracket()]) == ""

    found.breakers(6, [REFUSED])
    found.breakers(7, [LiftBlock("all/orders_minute_max")])
    found.begin(2, 6)
    assert "orders_minute_max" in found.breakers(7, [bracket()])


def test_the_record_that_latches_a_kill_cancels_what_rests(holding):
    """From `orders` on; what was asked before need not be asked again, and an order that has filled has no end."""
    holding.submit(START_NS, bracket("E2", level="90.00", stop="80.00"))
    found = Conduct()

    assert found.cancels(holding, []) == found.cancels(holding, [LatchKill(Scope.ENTRIES, "")]) == ""
    assert "E2 may go on" in found.cancels(holding, [LatchKill(Scope.ORDERS, "")])
    assert found.cancels(holding, [LatchKill(Scope.FLATTEN, ""), CancelOrder("E2")]) == ""
    found.asked(START_NS, CancelOrder("E2"))
    assert found.cancels(holding, [LatchKill(Scope.ORDERS, "")]) == ""


def test_a_kill_reaches_what_is_held(holding):
    """Under `flatten` a close has been decided since; a narrower kill needs none."""
    found, later = Conduct(), START_NS + 1

    assert found.reaches(holding, later, Scope.ORDERS) == ""
    assert "nobody closes them" in found.reaches(holding, later, Scope.FLATTEN)
    found.asked(later - 1, AmendOrder("E1-T", Decimal(90)))
    assert "nobody closes them" in found.reaches(holding, later, Scope.FLATTEN)
    found.asked(later, close())
    assert found.reaches(holding, later, Scope.ACCOUNT) == ""


def test_a_moved_target_is_a_close(holding):
    """It trades at once, and shrinks the stop with it."""
    found = Conduct()
    found.asked(START_NS, AmendOrder("E1-T", Decimal(90)))

    assert found.reaches(holding, START_NS, Scope.FLATTEN) == ""


@pytest.mark.parametrize(
    ("bid", "ask"), [(100.0, 99.0), (0.0, 1.0), (-1.0, 1.0), (float("nan"), 1.0), (1.0, float("inf"))]
)
def test_what_is_no_price_does_not_come_to_the_engine(bid, ask):
    """A crossed market, nothing, less than nothing, no number, too much; other events have no price."""
    assert "was given" in conduct.sound_price(Quote("AAA", bid, ask))
    assert conduct.sound_price(Quote("AAA", 99.0, 100.0)) == conduct.sound_price(Tick()) == ""


def test_no_stop_goes_to_where_no_price_is(holding):
    """Thirty percent from the market is no trail; a target may go anywhere, a quantity has no place."""
    assert conduct.near_the_market(holding, AmendOrder("E1-S", Decimal("99.00"))) == ""
    assert "1000" in conduct.near_the_market(holding, AmendOrder("E1-S", Decimal(1000)))
    assert "69" in conduct.near_the_market(holding, AmendOrder("E1-S", Decimal(69)))
    assert conduct.near_the_market(holding, AmendOrder("E1-S", quantity=Decimal(5))) == ""
    assert conduct.near_the_market(holding, AmendOrder("E1-T", Decimal(1000))) == ""
    assert conduct.near_the_market(holding, AmendOrder("E9", Decimal(1000))) == ""


def test_one_entry_at_a_time(exchange):
    """Not while one may fill, not while something is held; another instrument and a reduction are free."""
    assert conduct.one_entry_at_a_time(exchange, bracket("E2")) == ""
    exchange.submit(START_NS, bracket(level="99.00"))
    assert "E1 could still fill" in conduct.one_entry_at_a_time(exchange, bracket("E2"))
    assert conduct.one_entry_at_a_time(exchange, bracket("E2", instrument="BBB")) == ""
    exchange.quote(START_NS, Quote("AAA", 99.0, 99.0))
    assert "were held" in conduct.one_entry_at_a_time(exchange, bracket("E2"))
    assert conduct.one_entry_at_a_time(exchange, close()) == ""


def test_one_close_at_a_time(holding):
    """A second market close of the instrument waits for the end of the first."""
    assert conduct.one_close_at_a_time(holding, close()) == ""
    holding.halt(START_NS, "AAA", halted=True)
    holding.submit(START_NS, close())
    assert "C1 was closing" in conduct.one_close_at_a_time(holding, close("C2"))
    assert conduct.one_close_at_a_time(holding, bracket("E2")) == ""
    holding.cancel(START_NS, CancelOrder("C1"))
    assert conduct.one_close_at_a_time(holding, close("C2")) == ""


def test_patience_grows_by_refused_closes_and_by_a_market_in_which_nobody_trades(holding):
    """Not while the market trades, not without a close; and it is forgotten once the position has its stop again."""
    holding.slow_until_ns = START_NS + SECOND  # the exchange takes the close, and matches nothing
    usual_s = conduct.patience_s(holding, "AAA")
    holding.wait("AAA", 5 * SECOND)
    assert conduct.patience_s(holding, "AAA") == usual_s

    holding.submit(START_NS, close("C1", quantity=10))
    holding.wait("AAA", 5 * SECOND)
    assert conduct.patience_s(holding, "AAA") == usual_s + 5

    holding.quote(START_NS + 1, Quote("AAA", 100.0, 100.0, received_ns=START_NS + 1))
    holding.wait("AAA", 5 * SECOND)
    assert conduct.patience_s(holding, "AAA") == usual_s + 5

    holding.refused["AAA"] = 2
    assert conduct.patience_s(holding, "AAA") == usual_s + 5 + 18
    holding.settle("AAA")
    assert conduct.patience_s(holding, "AAA") == usual_s
