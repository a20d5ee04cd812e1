"""An exchange's memory and its laws: each law finds the breach that it names, and nothing in a true book."""

from decimal import Decimal

import pytest

from joed.model.book import Book, ExchangeState, Line, fault_of, is_price, laws, misfit_of, orders_of
from joed.model.commands import AmendOrder, SubmitOrder
from joed.model.events import OrderFilled, PositionSeen, Quote
from joed.model.settings import Instrument
from joed.model.values import Kind, Leg, Side, Status, Tif

D = Decimal
AAA = Instrument("AAA")


def entry(order="E1", signal="breakout", **words):
    """Give a bracket's command."""
    return SubmitOrder(
        order=order,
        broker="paper",
        instrument="AAA",
        side=words.pop("side", Side.BUY),
        quantity=D(10),
        kind=words.pop("kind", Kind.LIMIT),
        leg=Leg.ENTRY,
        opens=True,
        level=words.pop("level", D(100)),
        stop_order=f"{order}-S",
        stop=D(95),
        target_order=f"{order}-T",
        target=D(110),
        signal=signal,
    )


def fill(order, execution, side=Side.BUY, quantity=10, price=100):
    """Give one execution."""
    return OrderFilled(order, execution, "AAA", side, D(quantity), D(price), D(1), at_ns=5)


def true_state():
    """Give a book that bought ten at 100 and holds them behind a stop."""
    orders = orders_of(entry(), now=5)
    for order in orders:
        order.status = Status.WORKING
        order.quantity = D(10)
    orders[0].filled, orders[0].status = D(10), Status.FILLED
    book = Book(D(8_999), D(10_000), D(10_000), D(1), {"AAA": PositionSeen("AAA", D(10), D(100))})
    lines = [
        Line(5, "accepted", "E1", "AAA", D(10), None, D(10), D(10)),
        Line(5, "filled", "E1", "AAA", D(10), D(100), D(10), D(10)),
    ]
    return ExchangeState(book, orders, [fill("E1", "x-1")], lines)


def test_a_true_book_breaks_no_law():
    """An empty list is the proof."""
    assert laws(true_state()) == []


def test_an_order_accepted_twice_is_found():
    """One id, one order."""
    state = true_state()
    state.log.append(state.log[0])

    assert laws(state) == ["order E1 was accepted 2 times"]


def test_a_signal_that_made_two_entries_is_found_and_a_refused_one_does_not_count():
    """One intent, one order; a refusal is no order."""
    state = true_state()
    again = orders_of(entry("E2"), now=6)[0]
    state.orders.append(again)
    broken = laws(state)
    again.status = Status.REJECTED

    assert broken == ["signal breakout made 2 entries"]
    assert laws(state) == []


@pytest.mark.parametrize("protection", [0, 9, 11])
def test_a_turn_that_leaves_a_position_with_another_quantity_in_stops_is_found(protection):
    """Too little is naked, too much would turn the position."""
    state = true_state()
    state.log[1].protection = D(protection)

    assert laws(state) == [f"at 5 AAA held 10 with stops for {protection} (E1 filled)"]


def test_a_reducing_order_that_goes_through_zero_is_found():
    """Twelve sold of ten."""
    state = true_state()
    state.orders[1].filled = state.orders[1].quantity = D(12)
    state.executions.append(fill("E1-S", "x-2", Side.SELL, 12, 95))
    state.book.cash += D(12 * 95 - 1)
    state.book.positions = {"AAA": PositionSeen("AAA", D(-2), D(95))}

    assert laws(state) == ["x-2 of E1-S took AAA from 10 to -2"]


def test_a_reducing_order_that_makes_a_position_larger_is_found():
    """A close on the wrong side."""
    state = true_state()
    state.orders[1].filled = D(2)
    state.executions.append(fill("E1-S", "x-2", Side.BUY, 2, 95))
    state.book.cash -= D(2 * 95 + 1)
    state.book.positions = {"AAA": PositionSeen("AAA", D(12), D(99))}

    assert laws(state) == ["x-2 of E1-S took AAA from 10 to 12"]


def test_an_execution_of_an_unknown_order_is_found():
    """Nothing trades that was not asked for."""
    state = true_state()
    del state.orders[0]

    assert laws(state) == ["x-1 executes E1, which is unknown"]


def test_cash_positions_and_quantities_that_are_not_the_sum_are_found():
    """Each is named with what the executions make it."""
    state = true_state()
    state.executions.append(fill("E1", "x-1"))

    words = " ".join(laws(state))
    assert "cash is 8999, the executions make it 7998" in words
    assert "positions are" in words
    assert "execution ids repeat or go back" in words
    assert "order E1 has 10 of 10 filled, its executions say 20" in words


def test_a_cash_that_moved_by_itself_is_found():
    """To the cent."""
    state = true_state()
    state.book.cash += D("0.01")

    assert laws(state) == ["cash is 8999.01, the executions make it 8999"]


def test_an_order_filled_beyond_its_quantity_is_found():
    """Also where its executions agree."""
    state = true_state()
    state.orders[0].quantity = D(9)

    assert laws(state) == ["order E1 has 10 of 9 filled, its executions say 10"]


@pytest.mark.parametrize(
    ("side", "quantity", "price", "held", "average"),
    [
        (Side.BUY, 10, 110, 20, 105),
        (Side.SELL, 4, 110, 6, 100),
        (Side.SELL, 15, 110, -5, 110),
        (Side.SELL, 10, 110, 0, None),
    ],
)
def test_an_average_moves_only_as_a_position_grows_or_turns(side, quantity, price, held, average):
    """Ten at 100: ten more at 110 make 105, four sold leave 100, fifteen sold are short from 110."""
    book = true_state().book

    book.take(fill("E1", "x-2", side, quantity, price))

    expected = {} if average is None else {"AAA": PositionSeen("AAA", D(held), D(average))}
    assert book.positions == expected
    assert (book.cash, book.fees) == (D(8_999) - side.sign * quantity * price - 1, D(2))


def test_what_is_carried_keeps_the_sums_true():
    """An execution that is forgotten stays in cash and position."""
    state = true_state()
    state.book.carry(state.executions.pop())
    state.book.forgotten_ns = 5
    del state.orders[0]

    assert laws(state) == []


def test_a_command_makes_an_order_and_children_that_wait():
    """The children are on the closing side, good until cancelled, in the entry's group, with nothing to do yet."""
    order, stop, target = orders_of(entry(), now=5)

    assert (order.tif, order.group, order.left) == (Tif.DAY, "E1", D(10))
    for child, kind, level in ((stop, Kind.STOP, D(95)), (target, Kind.LIMIT, D(110))):
        assert (child.kind, child.level, child.side, child.tif) == (kind, level, Side.SELL, Tif.GTC)
        assert (child.parent, child.group, child.left, child.status) == ("E1", "E1", D(0), Status.ACKED)


@pytest.mark.parametrize(
    ("kind", "side", "quote", "reached"),
    [
        (Kind.LIMIT, Side.BUY, (99.0, 100.0), True),
        (Kind.LIMIT, Side.BUY, (100.0, 100.01), False),
        (Kind.LIMIT, Side.SELL, (100.0, 101.0), True),
        (Kind.LIMIT, Side.SELL, (99.99, 100.0), False),
        (Kind.STOP, Side.BUY, (99.0, 100.0), True),
        (Kind.STOP, Side.BUY, (99.0, 99.99), False),
        (Kind.STOP, Side.SELL, (100.0, 101.0), True),
        (Kind.STOP, Side.SELL, (100.01, 101.0), False),
        (Kind.MARKET, Side.SELL, (1.0, 2.0), True),
    ],
)
def test_an_order_is_reached_at_its_level_and_not_a_tick_before(kind, side, quote, reached):
    """A buy looks at the ask, a sell at the bid."""
    order = orders_of(entry(kind=kind, side=side), now=5)[0]

    assert order.reached_by(Quote("AAA", *quote)) is reached


@pytest.mark.parametrize(
    ("kind", "side", "quote", "price"),
    [
        (Kind.LIMIT, Side.BUY, (99.0, 99.5), "99.5"),
        (Kind.LIMIT, Side.BUY, (99.0, 99.996), "100.00"),
        (Kind.LIMIT, Side.SELL, (100.004, 101.0), "100.00"),
        (Kind.MARKET, Side.BUY, (99.0, 99.5), "99.60"),
        (Kind.MARKET, Side.SELL, (99.0, 99.5), "98.90"),
        (Kind.MARKET, Side.SELL, (0.004, 0.5), "0.004"),
    ],
)
def test_a_price_is_on_the_tick_against_us_and_never_free(kind, side, quote, price):
    """A limit pays no slippage; under the tick, what is quoted holds."""
    order = orders_of(entry(kind=kind, side=side), now=5)[0]

    assert order.price_at(Quote("AAA", *quote), AAA.tick, D("0.001")) == D(price)


def test_a_limit_is_never_rounded_beyond_its_level():
    """Where the quote is off the tick, it is paid as it is."""
    order = orders_of(entry(level=D("99.995")), now=5)[0]

    assert order.price_at(Quote("AAA", 99.0, 99.994), AAA.tick, D(0)) == D("99.994")


@pytest.mark.parametrize(("level", "can"), [("0.01", True), ("0", False), ("0.005", False), ("NaN", False)])
def test_a_price_is_positive_and_on_the_tick(level, can):
    """Nothing else stands in a book."""
    assert is_price(D(level), D("0.01")) is can
    assert not is_price(None, D("0.01"))


def test_faults_and_misfits_say_what_is_wrong():
    """With the value that was found."""
    orders = orders_of(entry(level=D("1.001")), now=5)
    stop = orders[1]
    stop.triggered = True

    assert fault_of(orders, AAA) == ("price", "1.001 is not a price of AAA")
    assert misfit_of(stop, AmendOrder(stop.order, D(96)), AAA) == "it executes at the market"
    assert misfit_of(orders[2], AmendOrder("E1-T", D("96.00"), D("0.5")), AAA) == "0.5 cannot be, with 0 filled"


def test_a_waiting_child_is_seen_with_what_was_asked_and_a_working_one_with_what_is_left():
    """So that a reader can count what will protect, and what does."""
    stop = orders_of(entry(), now=5)[1]
    waiting = stop.seen()
    stop.status, stop.quantity, stop.filled = Status.WORKING, D(8), D(3)

    assert (waiting.status, waiting.quantity) == (Status.ACKED, D(10))
    assert (stop.seen().quantity, stop.seen().filled) == (D(5), D(3))
