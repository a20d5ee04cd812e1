"""Each law finds its breach, and is silent beside it."""

from decimal import Decimal
from random import Random

import pytest
from msgspec.structs import replace

from joed.daemon.clock import SimulatedClock
from joed.daemon.store import Store
from joed.model.book import Line
from joed.model.commands import CancelOrder, RetireOrder, SubmitOrder
from joed.model.events import OrderFilled, Quote, Tick
from joed.model.settings import Risk
from joed.model.values import SECOND, Side
from joed.sim.laws import FILL_LAWS, HAND_LAWS, LINE_LAWS, Broken, Watch
from joed.sim.odd import OddExchange
from tests.brokers.rigs import SETTINGS, UNIVERSE, bracket, close

D = Decimal
START_NS = 1_000 * SECOND


@pytest.fixture
def watch(tmp_path):
    """Watch an exchange with a price, beside a journal with one record: the bracket E1, at seq 1."""
    exchange = OddExchange(UNIVERSE, SETTINGS, Random(7))
    exchange.quote(START_NS, Quote("AAA", 100.0, 100.0))
    found = Watch(exchange, SimulatedClock(START_NS), tmp_path / "joed.db", Risk(position_max=1))
    found.read_since_up = True
    found.fear = ("VIX", 30.0, 2)
    yield found
    found.close()


def entry(**changes):
    """Give an entry that may still leave."""
    return replace(bracket(), expires_at_ns=START_NS + SECOND, **changes)


def record(watch, tmp_path, command, *, commit=True):
    """Put a command into record 1 of the journal, on the disk or not yet."""
    store = Store.open(tmp_path / "joed.db")
    store.add(1, START_NS, "", Tick(), [command])
    watch.recorded(1, Tick(), [command])
    if commit:
        store.commit()
    store.close()
    return command


def broken_by(watch, command):
    """Give the law that an order breaks as it is handed over, "" for none."""
    try:
        watch.handing(command)
    except Broken as broken:
        return broken.law
    return ""


def test_an_order_whose_record_is_on_the_disk_may_leave(watch, tmp_path):
    """No law is broken, and every law was asked."""
    assert broken_by(watch, record(watch, tmp_path, entry())) == ""
    assert {name for name in HAND_LAWS if watch.checks[name] == 1} == set(HAND_LAWS)


def test_an_order_whose_record_is_not_on_the_disk_may_not_leave(watch, tmp_path):
    """What was added and not committed is not durable; what stands in no record never was."""
    assert broken_by(watch, record(watch, tmp_path, entry(), commit=False)) == "durable before sent"
    assert broken_by(watch, entry(quantity=D(7))) == "durable before sent"


def test_while_the_disk_is_full_only_what_reduces_leaves_unrecorded(watch, tmp_path):
    """Entries never do."""
    watch.unrecorded = True

    assert broken_by(watch, close()) == ""
    assert broken_by(watch, record(watch, tmp_path, entry(), commit=False)) == "durable before sent"


@pytest.mark.parametrize(
    ("law", "break_it"),
    [
        ("handed over once", lambda watch: watch.handed.update(E1=1)),
        ("killed means shut", lambda watch: setattr(watch, "killed_ns", START_NS - 1)),
        ("paused means shut", lambda watch: setattr(watch, "paused", True)),
        ("fear means shut", lambda watch: [watch.took(Quote("VIX", 31.0, 31.0)) for _ in range(2)]),
        ("read before entries", lambda watch: setattr(watch, "read_since_up", False)),
        ("expired stays here", lambda watch: watch.clock.call_at(START_NS + 2 * SECOND, watch.clock.advance)),
    ],
)
def test_an_entry_that_may_not_leave_is_found(watch, tmp_path, law, break_it):
    """One thing is wrong with it, and that law says so."""
    command = record(watch, tmp_path, entry())
    break_it(watch)
    watch.clock.advance()

    assert broken_by(watch, command) == law


def test_one_high_print_is_not_yet_fear_and_a_low_one_ends_it(watch, tmp_path):
    """The law is as strict as the setting, and no stricter."""
    for level in (31.0, 29.0, 31.0):
        watch.took(Quote("VIX", level, level))

    assert broken_by(watch, record(watch, tmp_path, entry())) == ""


def test_the_stop_of_an_open_position_is_not_to_be_cancelled(watch, tmp_path):
    """Of a flat one it may go."""
    watch.exchange.submit(START_NS, bracket())
    cancel = record(watch, tmp_path, CancelOrder("E1-S", "tidy"))
    assert broken_by(watch, cancel) == "stops stay"

    watch.exchange.submit(START_NS, close())
    watch.recorded(1, Tick(), [cancel])
    assert broken_by(watch, cancel) == ""


def test_an_order_that_was_at_the_exchange_is_not_to_be_given_up(watch):
    """Absence is proven, or it is none."""
    watch.recorded(1, Tick(), [RetireOrder("E9", "absent")])
    watch.exchange.submit(START_NS, bracket())

    with pytest.raises(Broken, match="absence is proven"):
        watch.recorded(2, Tick(), [RetireOrder("E1", "absent")])


def line(what, order="E1", price=None, position="0", protection="0"):
    """Give a line of the exchange's log."""
    return Line(START_NS, what, order, "AAA", D(10), price, D(position), D(protection))


@pytest.mark.parametrize(
    ("law", "lines"),
    [
        ("one order an intent", [line("accepted", "X"), line("accepted", "X")]),
        ("one order an intent", [line("duplicate", "X")]),
        ("always protected", [line("filled", "X", position="10", protection="9")]),
        ("always protected", [line("filled", "X", position="0", protection="9")]),
        ("stops never loosen", [line("accepted", "E1-S", D(95)), line("amended", "E1-S", D(94))]),
        ("one entry a signal", [line("accepted"), line("accepted", "E2")]),
    ],
)
def test_a_wrong_line_of_the_log_is_found(watch, law, lines):
    """Whatever joed thinks of it."""
    watch.exchange.submit(START_NS, bracket())
    watch.exchange.submit(START_NS, replace(bracket("E2"), signal="E1"))

    found = [name for one in lines for name, judge in LINE_LAWS.items() if judge(watch, one)]

    assert found == [law]


def test_a_stop_that_follows_the_price_breaks_nothing(watch):
    """A long position's stop goes up."""
    watch.exchange.submit(START_NS, bracket())

    for price in (95, 96, 96):
        for judge in LINE_LAWS.values():
            assert judge(watch, line("amended", "E1-S", D(price))) == ""


def fill(order, side, quantity, instrument="AAA"):
    """Give an execution."""
    return OrderFilled(order, f"x{order}{quantity}", instrument, side, D(quantity), D(100))


def test_an_exit_that_turns_the_position_is_found(watch):
    """Reducing is allowed, to nothing; beyond it is not."""
    watch.exchange.submit(START_NS, bracket())
    law = FILL_LAWS["reducing orders reduce"]

    assert law(watch, fill("E1", Side.BUY, 10)) == ""
    assert law(watch, fill("E1-T", Side.SELL, 4)) == ""
    assert "from 6 to -1" in law(watch, fill("E1-S", Side.SELL, 7))


def test_more_positions_than_the_limit_are_found(watch):
    """One is allowed here, two are not."""
    watch.held = {"AAA": D(10)}
    law = FILL_LAWS["position limit"]
    assert law(watch, fill("E1", Side.BUY, 1)) == ""

    watch.held["BBB"] = D(-1)
    assert law(watch, fill("E1", Side.BUY, 1)) == "AAA, BBB are held, the limit is 1"


def test_the_exchange_is_looked_at_line_by_line(watch):
    """Each line once, each fill once."""
    watch.exchange.submit(START_NS, bracket())
    watch.look()
    watch.look()

    assert watch.checks["always protected"] == len(watch.exchange.log)
    assert watch.checks["reducing orders reduce"] == len(watch.exchange.executions) == 1
    assert isinstance(bracket(), SubmitOrder)
