"""What is held is the sum of executions, whatever the order in which they are told."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.engine.positions import equity, sums_of, unrealised
from joed.engine.step import step
from joed.model.commands import RaiseAlert, RaiseBlock
from joed.model.events import OrderCancelled, OrderWorking, Tick
from joed.model.values import SECOND, Side, Status
from tests.engine.build import START, D, bracket, fill, holding, kinds, of_kind, quote, submitted, trading_state

SELL = Side.SELL


def bought(*executions, **terms):
    """Give a State in which one entry has had these executions."""
    state = trading_state()
    submitted(state, bracket("AAPL", **terms))
    for event in executions:
        step(state, START, event)
    return state


def books(state):
    """Give the sums that may not depend on the order of arrival."""
    held = state.positions["AAPL"]
    money = (state.cash, state.fees, state.realised, state.day.realised, state.day.fees)
    trades = (state.day.trades, state.day.wins, state.day.losses)
    return (held.quantity, held.average, held.realised, held.fees, *money, *trades)


def test_a_first_fill_begins_a_position_bound_to_its_bracket():
    """Group, stop, target and first R come from the entry; the cash pays price and fee."""
    state = bought(fill("AAPL-e", "4", "200", fee="0.35"))

    held = state.positions["AAPL"]
    assert (held.quantity, held.average, held.group) == (4, 200, "AAPL-e")
    assert (held.stop_order, held.target_order, held.risk) == ("AAPL-s", "AAPL-t", 4)
    assert (state.cash, state.fees, state.day.trades) == (D("99199.65"), D("0.35"), 1)
    assert state.orders["AAPL-e"].status is Status.PARTIAL


def test_a_repeated_execution_counts_once():
    """The same id with the same revision is no news (I10)."""
    first = fill("AAPL-e", "4", "200")
    state = bought(first)
    before = books(state)

    step(state, START, first)

    assert books(state) == before
    assert state.day.fills == 1


def test_a_correction_replaces_what_it_corrects():
    """Ten at 100 and ten at 102, the first corrected to 100.50: average 101.25, and nothing realised by it."""
    state = bought(
        fill("AAPL-e", "10", "100", execution="x1"),
        fill("AAPL-e", "10", "102", execution="x2"),
        fill("AAPL-e", "10", "100.5", execution="x1", revision=1),
        quantity="20",
    )

    held = state.positions["AAPL"]
    assert (held.quantity, held.average, held.realised) == (20, D("101.25"), 0)
    assert state.cash == D(100_000) - 1005 - 1020


def test_an_older_revision_that_comes_late_is_no_news():
    """The highest revision stands, whichever came last."""
    state = bought(
        fill("AAPL-e", "8", "100", execution="x1", revision=2), fill("AAPL-e", "10", "100", execution="x1", revision=1)
    )

    assert state.positions["AAPL"].quantity == 8


def test_a_bust_takes_the_whole_execution_back():
    """Quantity 0: cash, position and trade are as before; the order may work again, if the broker says so."""
    state = bought(fill("AAPL-e", "10", "200", fee="1"), fill("AAPL-e", "0", "0", revision=1))

    assert (state.cash, state.positions["AAPL"].quantity) == (100_000, 0)
    assert state.orders["AAPL-e"].status is Status.ACKED


def test_a_closed_trade_is_won_or_lost_after_its_fees():
    """One cent of profit under two cents of fees is a loss; the result is the exact flow of money."""
    for price, fee, result in (("200.01", "0", (1, 0)), ("200.01", "0.02", (0, 1)), ("199", "0", (0, 1))):
        state = bought(fill("AAPL-e", "1", "200"), quantity="1")
        step(state, START, fill("AAPL-s", "1", price, side=SELL, execution="x2", fee=fee))

        assert (state.day.wins, state.day.losses) == result
        assert state.realised == D(price) - 200
        assert state.cash == D(100_000) + D(price) - 200 - D(fee)


def test_a_late_correction_turns_a_win_into_a_loss_and_counts_it_once():
    """The trade is over; its profit and its count follow the latest word."""
    state = bought(fill("AAPL-e", "10", "200"))
    step(state, START, fill("AAPL-s", "10", "201", side=SELL, execution="x2"))

    step(state, START, fill("AAPL-s", "10", "199", side=SELL, execution="x2", revision=1))

    assert (state.day.wins, state.day.losses, state.realised) == (0, 1, -10)


def test_a_correction_of_a_trade_before_the_present_one_books_its_profit_alone():
    """The position that is held now keeps its own sums."""
    state = bought(fill("AAPL-e", "10", "200"))
    step(state, START, fill("AAPL-s", "10", "201", side=SELL, execution="x2"))
    submitted(state, bracket("AAPL", tag="2"))
    step(state, START, fill("AAPL2-e", "10", "205", execution="x3"))

    step(state, START, fill("AAPL-s", "10", "202", side=SELL, execution="x2", revision=1))

    held = state.positions["AAPL"]
    assert (held.quantity, held.average, held.realised, held.group) == (10, 205, 0, "AAPL2-e")
    assert (state.realised, state.cash) == (20, D(100_000) + 20 - 2050)


EXECUTIONS = (
    fill("AAPL-e", "3", "200.10", execution="x1", fee="0.35"),
    fill("AAPL-e", "7", "200.30", execution="x2", fee="0.1"),
    fill("AAPL-t", "4", "220", side=SELL, execution="x3", fee="0.2"),
    fill("AAPL-s", "6", "196.40", side=SELL, execution="x4", fee="0.3"),
)


@pytest.mark.parametrize("order", list(permutations(EXECUTIONS)), ids=lambda order: "".join(x.execution for x in order))
def test_the_order_of_arrival_does_not_matter(order):
    """An exit may be told before its entry: quantities, averages, profit, cash and counts come out the same (I10)."""
    expected = books(bought(*EXECUTIONS))

    assert books(bought(*order)) == expected


revisions = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 2), st.integers(1, 12), st.integers(19_000, 21_000), st.integers(0, 99)
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda row: row[:2],
)


@given(revisions, st.randoms(use_true_random=False))
def test_each_execution_counts_once_however_it_is_repeated_revised_and_mixed(rows, chance):
    """The latest revision of each counts, once: the same as if only those had been told."""
    told = [
        fill(
            "AAPL-e", str(quantity), str(D(cents) / 100), execution=f"x{name}", revision=revision, fee=str(D(fee) / 100)
        )
        for name, revision, quantity, cents, fee in rows
    ]
    mixed = [*told, *chance.sample(told, len(told) // 2)]
    chance.shuffle(mixed)
    last = {one.execution: one for one in sorted(told, key=lambda one: one.revision)}

    assert books(bought(*mixed, quantity="100")) == books(bought(*last.values(), quantity="100"))


def test_a_fill_after_the_cancel_is_booked_and_told():
    """Cancels race fills: the position is what the broker filled, and a person hears of it (I11)."""
    state = bought()
    step(state, START, OrderCancelled("AAPL-e"))
    step(state, START, OrderCancelled("AAPL-s"))
    step(state, START, OrderCancelled("AAPL-t"))

    commands = step(state, START, fill("AAPL-e", "10", "200"))

    assert state.positions["AAPL"].quantity == 10
    assert state.orders["AAPL-e"].status is Status.FILLED
    assert [command.key for command in commands] == ["late_fill:x1"]
    assert state.positions["AAPL"].unprotected_ns == START


def test_a_late_fill_of_an_older_group_joins_what_is_held_now():
    """Two groups, one position: the sum is right, it is told, and protection is asked for the part that has none."""
    state = bought(fill("AAPL-e", "6", "200"))
    step(state, START, OrderCancelled("AAPL-e"))
    step(state, START, OrderWorking("AAPL-s", D(6), D(196)))
    step(state, START, fill("AAPL-s", "6", "196", side=SELL, execution="x2"))
    submitted(state, bracket("AAPL", tag="2", entry="210", stop="206", target="230"))
    step(state, START, fill("AAPL2-e", "10", "210", execution="x3"))
    step(state, START, OrderWorking("AAPL2-s", D(10), D(206)))

    commands = step(state, START, fill("AAPL-e", "4", "201", execution="x4"))

    held = state.positions["AAPL"]
    assert (held.quantity, held.groups, held.group) == (14, ("AAPL2-e", "AAPL-e"), "AAPL2-e")
    assert abs(held.average * 14 - (10 * 210 + 4 * sums_of(state, "AAPL-e").average)) < D("1E-8")
    assert state.cash == D(100_000) - 6 * 200 + 6 * 196 - 2100 - 4 * 201
    assert kinds(commands) == ["RaiseAlert"]
    assert held.unprotected_ns == START


def test_when_the_first_group_is_closed_the_position_looks_after_the_other():
    """Stop and target are those of the group that still holds something."""
    state = bought(fill("AAPL-e", "6", "200"))
    step(state, START, OrderCancelled("AAPL-e"))
    step(state, START, fill("AAPL-s", "6", "196", side=SELL, execution="x2"))
    submitted(state, bracket("AAPL", tag="2"))
    step(state, START, fill("AAPL2-e", "10", "200", execution="x3"))
    step(state, START, fill("AAPL-e", "4", "200", execution="x4"))

    step(state, START, fill("AAPL2-s", "10", "196", side=SELL, execution="x5"))

    held = state.positions["AAPL"]
    assert (held.quantity, held.group, held.stop_order) == (4, "AAPL-e", "AAPL-s")


def test_an_entry_that_fills_more_than_was_asked_stops_its_instrument():
    """It is booked as it is, never clipped; entries wait for a person (I12)."""
    state = bought()

    commands = step(state, START, fill("AAPL-e", "12", "200"))

    assert state.positions["AAPL"].quantity == 12
    assert [command.block.key for command in of_kind(commands, RaiseBlock)] == ["instrument:AAPL/overfill"]
    assert of_kind(commands, RaiseBlock)[0].block.latched
    assert len(of_kind(commands, RaiseAlert)) == 1


def test_a_position_that_two_exits_turned_round_is_shown_and_stops_its_instrument():
    """Stop and target both filled: ten short, booked so, told, and nothing crashes."""
    state = bought(fill("AAPL-e", "10", "200"))
    step(state, START, fill("AAPL-s", "10", "196", side=SELL, execution="x2"))

    commands = step(state, START, fill("AAPL-t", "10", "220", side=SELL, execution="x3"))

    held = state.positions["AAPL"]
    assert (held.quantity, held.average) == (-10, 208)
    assert kinds(commands) == ["RaiseBlock", "RaiseAlert", "ReadBroker"]
    assert state.cash == D(100_000) - 2000 + 1960 + 2200


@pytest.mark.parametrize(
    "nonsense",
    [
        fill("AAPL-e", "NaN", "200"),
        fill("AAPL-e", "Infinity", "200"),
        fill("AAPL-e", "-5", "200"),
        fill("AAPL-e", "5", "NaN"),
        fill("AAPL-e", "5", "0"),
        fill("AAPL-e", "5", "-1"),
        fill("AAPL-e", "5", "200", fee="NaN"),
        fill("AAPL-e", "5", "200", side=SELL),
        fill("AAPL-e", "5", "200", symbol="MSFT"),
    ],
    ids=repr,
)
def test_a_senseless_execution_is_told_and_not_booked(nonsense):
    """A number that is wrong may not become a position; it may not vanish either."""
    state = bought()

    commands = step(state, START, nonsense)

    assert [command.key for command in commands] == ["bad_fill:x1"]
    assert (state.positions, state.cash) == ({}, 100_000)


def test_a_fill_of_no_order_of_ours_touches_nothing_and_is_told_once():
    """A person trades beside us: the next read counts it as external."""
    state = trading_state()
    manual = fill("", "5", "200")

    first, second = step(state, START, manual), step(state, START, manual)

    assert [command.key for command in first] == ["unknown_fill:x1"]
    assert (second, state.cash, state.positions) == ([], 100_000, {})


def test_worth_is_cash_and_positions_at_their_last_price():
    """Middle of the quote; without a quote, what it cost."""
    state = holding("AAPL")
    step(state, START, quote("AAPL", 209.0, 211.0))

    assert (equity(state), unrealised(state)) == (D(100_100), D(100))
    step(state, START + SECOND, Tick())
    assert (state.worth, state.exposure) == (D(100_100), D(2100))

    state.markets["AAPL"].quote = None
    assert (equity(state), unrealised(state)) == (100_000, 0)


def test_profit_comes_out_even_though_an_average_does_not():
    """A third has no end in decimals; money that was gained has."""
    state = bought(fill("AAPL-e", "3", "100", execution="a"), fill("AAPL-e", "4", "101", execution="b"), quantity="7")
    assert state.positions["AAPL"].average == D("100.5714285714")
    for number, price in enumerate(("103", "99", "105")):
        quantity = "2" if number < 2 else "3"
        step(state, START, fill("AAPL-t", quantity, price, side=SELL, execution=f"s{number}"))

    assert state.realised == 2 * 103 + 2 * 99 + 3 * 105 - 300 - 404
    assert state.cash - 100_000 == state.realised
