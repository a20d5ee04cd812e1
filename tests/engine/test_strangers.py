"""What a broker holds that our books do not name: counted, parted, or adopted with a halt."""

import pytest
from msgspec.structs import replace

from joed.engine import strangers
from joed.engine.exits import ratchet
from joed.engine.orders import order_ids, sibling
from joed.engine.step import step
from joed.engine.verdicts import RECOVERED, TWINS
from joed.engine.view import view
from joed.model.commands import AmendOrder, CancelOrder, JudgeBooks, LatchKill, RaiseAlert, RaiseBlock, SubmitOrder
from joed.model.events import BrokerDown, OrderCancelled, OrderSeen, PositionSeen, Tick
from joed.model.values import SECOND, Leg, Scope, Side, Status
from tests.engine.build import (
    START,
    D,
    bracket,
    fill,
    holding,
    kinds,
    of_kind,
    stop_of,
    submitted,
    trading_state,
    whole_read,
)
from tests.faults.measure import measured

LATER = START + SECOND


def shown(order, quantity="10", *, number="b9", side=Side.BUY, status=Status.WORKING, **more):
    """Give one open order as a broker shows it."""
    return OrderSeen(order, number, "AAPL", side, D(quantity), status, **more)


def broker(state):
    """Give what is known of the paper broker."""
    return state.brokers["paper"]


def test_orders_of_others_are_counted_shown_and_left_alone():
    """By the broker's own numbers, several without an id too (F71); gone when a whole read lacks them."""
    state = trading_state()
    orders = (shown("manual", number="1"), shown("", number="2"), shown("", number="3"), shown("old", number="4"))
    ended = replace(orders[3], status=Status.CANCELLED)

    first = step(state, LATER, whole_read(LATER, cash="100000", orders=(*orders[:3], ended)))
    count, difference = view(state).brokers[0].foreign, broker(state).differences
    again = step(state, LATER + 1, whole_read(LATER + 1, cash="100000", orders=orders[:3]))
    calm = broker(state).differences
    step(state, LATER + 2, whole_read(LATER + 2, cash="100000"))

    assert (first, again, count) == ([], [], 3)
    assert (difference, calm) == (1, 0)
    assert (broker(state).foreign, broker(state).foreign_count) == ({}, 0)


def test_a_read_that_stops_halfway_adds_strangers_and_takes_none_away():
    """It proves no absence."""
    state = trading_state()
    step(state, LATER, whole_read(LATER, cash="100000", orders=(shown("", number="1"),)))

    step(state, LATER + 1, replace(whole_read(LATER + 1, orders=(shown("", number="2"),)), complete=False))

    assert broker(state).foreign == {"1": "AAPL", "2": "AAPL"}


def test_more_strangers_than_are_kept_are_still_counted(monkeypatch):
    """The table has a bound, and says that it was reached."""
    monkeypatch.setattr(strangers, "FOREIGN_MAX", 2)
    state = trading_state()

    step(state, LATER, whole_read(LATER, orders=tuple(shown("", number=str(number)) for number in range(5))))

    assert (len(broker(state).foreign), broker(state).foreign_count) == (2, 5)


def test_of_two_orders_under_one_id_both_count_and_one_is_cancelled():
    """B6: the one with fills is kept, else the lower number; its instrument is frozen, nothing of it is amended."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    rest = (shown(stop_of("AAPL"), side=Side.SELL), shown("AAPL-t", number="t", side=Side.SELL))
    twins = (shown("AAPL-e", "10", number="12"), shown("AAPL-e", "7", number="101", filled=D(3)))

    first = step(state, LATER, whole_read(LATER, cash="100000", orders=(*twins, *rest)))
    left, order = state.orders["AAPL-e"].left, state.orders["AAPL-e"]
    again = step(state, LATER + 1, whole_read(LATER + 1, cash="100000", orders=(*twins, *rest)))
    step(state, LATER + 2, whole_read(LATER + 2, cash="100000", orders=(*twins[1:], *rest)))

    assert (order.broker_id, left) == ("101", 20)
    assert (TWINS, "AAPL-e") in [(one.what, one.order) for one in of_kind(first, JudgeBooks)]
    assert of_kind(first, CancelOrder) == [CancelOrder("AAPL-e", "its twin is kept", "12")]
    assert [one.block.key for one in of_kind(first, RaiseBlock)] == ["instrument:AAPL/two_orders"]
    assert len(of_kind(first, RaiseAlert)) == 1
    assert kinds(again) == ["CancelOrder"]
    assert order.twin == ""
    assert order.status is not Status.CANCEL_ASKED
    measured("F44", detected_s=0)  # by the first read that shows both


def test_of_two_unfilled_orders_the_lower_number_is_kept():
    """Numbers are compared as numbers."""
    rows = [shown("AAPL-e", number="101"), shown("AAPL-e", number="12")]

    assert strangers.merged(rows) == (replace(rows[1], quantity=D(20)), "101")
    assert strangers.merged(rows[:1]) == (rows[0], "")


def test_a_twin_is_asked_to_go_a_bounded_number_of_times_and_an_incomplete_read_ends_none():
    """Every retry has a bound; the Block stays."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    legs = (shown(stop_of("AAPL"), side=Side.SELL), shown("AAPL-t", side=Side.SELL))
    twins = (shown("AAPL-e", number="1"), shown("AAPL-e", number="2"), *legs)

    cancels = []
    for second in range(1, 20):
        at = START + second * SECOND
        cancels += of_kind(step(state, at, whole_read(at, cash="100000", orders=twins)), CancelOrder)
    step(state, at + 1, replace(whole_read(at + 1, orders=twins[:1]), complete=False))

    assert len(cancels) == state.settings.cancel_tries
    assert state.orders["AAPL-e"].twin == "2"


def test_a_stop_that_stands_twice_is_not_amended():
    """Nobody knows which of the two would move."""
    state = holding("AAPL", trail="1")
    position = state.positions["AAPL"]
    position.trailing, position.best = True, 210.0
    now = START + 10 * SECOND
    moved, still = [], []

    ratchet(state, now, position, moved)
    state.orders[stop_of("AAPL")].twin = "77"
    ratchet(state, now, position, still)

    assert (kinds(moved), still) == (["AmendOrder"], [])


def lost_bracket(state):
    """Give the ids of a bracket that a life of joed made which this State has never heard of."""
    other = trading_state(now=START)
    other.seq = state.seq + 500
    return order_ids(other, 0, (Leg.ENTRY, Leg.STOP, Leg.TARGET))


def lost_read(state, at, **more):
    """Give a read that shows a position of ours with its stop and target, unknown to the journal."""
    entry, stop, target = lost_bracket(state)
    return whole_read(
        at,
        cash="98000",
        orders=(
            shown(stop, number="2", side=Side.SELL, level=D("196")),
            shown(target, number="3", side=Side.SELL, level=D("220")),
        ),
        positions=(PositionSeen("AAPL", D(10), D(200)),),
        executions=(fill(entry, "10", "200", execution="x7"),),
        ended={entry: Status.FILLED},
        **more,
    )


def test_what_an_older_journal_forgot_is_adopted_whole_with_its_stop_and_entries_are_killed():
    """B9: the position is ours again, protected by its own stop, and a person must look before anything opens."""
    state = trading_state()
    entry, stop, target = lost_bracket(state)

    read = lost_read(state, LATER)

    first = step(state, LATER, read)
    again = step(state, LATER + 1, replace(read, from_ns=LATER + 1))

    position = state.positions["AAPL"]
    assert (position.quantity, position.average, position.strategy) == (10, 200, "recovered")
    assert (position.stop_order, position.target_order, position.risk) == (stop, target, 4)
    assert (position.unprotected_ns, state.external) == (0, {})
    assert state.orders[entry].status is Status.FILLED
    assert [one.scope for one in of_kind(first, LatchKill)] == [Scope.ENTRIES]
    assert {one.order for one in of_kind(first, JudgeBooks) if one.what == RECOVERED} == {stop, target}
    assert of_kind(again, LatchKill | JudgeBooks) == []


def test_a_recovered_position_without_its_stop_is_given_one():
    """Its stop is checked like any other's: the target alone protects nothing."""
    state = trading_state()
    read = lost_read(state, LATER)
    naked = replace(read, orders=read.orders[1:])

    step(state, LATER, naked)
    commands = [command for second in range(2, 9) for command in step(state, START + second * SECOND, Tick())]

    assert state.positions["AAPL"].quantity == 10
    assert state.positions["AAPL"].unprotected_ns == LATER
    assert any(isinstance(command, RaiseAlert) and "unprotected" in command.key for command in commands)


def test_a_lost_repair_of_a_stop_guards_the_entry_that_it_was_made_for():
    """Placed for a lost one while the journal could not say so: it has a name of its own, and none goes beside it."""
    state = holding("AAPL")
    _, repair, _ = lost_bracket(state)
    step(state, START + SECOND, OrderCancelled(stop_of("AAPL")))
    orders = (shown(repair, number="8", side=Side.SELL, level=D("196")),)
    held = (PositionSeen("AAPL", D(10), D(200)),)

    read = whole_read(LATER, cash=str(state.cash), orders=orders, positions=held, ended={"AAPL-e": Status.FILLED})
    commands = step(state, LATER, read)
    for second in range(1, 30):
        commands += step(state, LATER + second * SECOND, Tick())

    assert state.orders[repair].group == "AAPL-e"
    assert [one for one in commands if isinstance(one, SubmitOrder)] == []
    assert state.positions["AAPL"].unprotected_ns == 0


def test_an_entry_of_a_lost_journal_that_still_works_is_adopted_with_its_exits():
    """Its risk is reserved at once; the stop waits for it."""
    state = trading_state()
    entry, stop, target = lost_bracket(state)
    orders = (
        shown(stop, number="2", side=Side.SELL, status=Status.ACKED),
        shown(entry, "6", number="1", filled=D(4), level=D("200")),
        shown(target, number="3", side=Side.SELL, status=Status.ACKED),
    )
    executions = (fill(entry, "4", "200", execution="x7"),)
    held = (PositionSeen("AAPL", D(4), D(200)),)

    step(state, LATER, whole_read(LATER, cash="99200", orders=orders, executions=executions, positions=held))

    assert list(state.resting) == [entry]
    assert state.orders[entry].left == 6
    assert state.orders[entry].children == (stop, target)
    assert state.positions["AAPL"].quantity == 4


def test_an_exit_of_a_lost_journal_whose_entry_nobody_knows_is_ours_and_left_working():
    """It may guard what we cannot explain: nothing cancels it while the books differ."""
    state = trading_state()
    _, stop, _ = lost_bracket(state)
    order = shown(stop, side=Side.SELL, level=D("196"))
    held = (PositionSeen("AAPL", D(10), D(200)),)

    commands = []
    for second in range(1, 9):
        at = START + second * SECOND
        commands += step(state, at, whole_read(at, cash="100000", orders=(order,), positions=held))

    assert (state.orders[stop].group, state.orders[stop].status) == ("", Status.WORKING)
    assert state.external == {"AAPL": 10}
    assert of_kind(commands, CancelOrder | AmendOrder | SubmitOrder) == []


@pytest.mark.parametrize("damage", ["incomplete", "no number", "other link", "not ours"])
def test_nothing_is_adopted_on_less_than_proof(damage):
    """Half a read, a quantity that is none, another link's read, another key's id."""
    state = trading_state()
    read = lost_read(state, LATER)
    orders = {
        "no number": tuple(replace(seen, quantity=D("NaN")) for seen in read.orders),
        "not ours": tuple(replace(seen, order=f"{seen.order[:-1]}x") for seen in read.orders),
    }
    read = replace(read, complete=damage != "incomplete", orders=orders.get(damage, read.orders))
    if damage == "other link":
        step(state, START, BrokerDown("paper", "cut"))
        read = replace(read, connection=9)

    step(state, LATER, read)

    assert (state.orders, state.positions, state.killed) == ({}, {}, None)


def test_the_legs_of_a_bracket_name_one_another():
    """By the id alone, with the key."""
    state = trading_state()
    entry, stop, target = order_ids(state, 3, (Leg.ENTRY, Leg.STOP, Leg.TARGET))

    assert sibling(state, stop, Leg.ENTRY) == sibling(state, target, Leg.ENTRY) == entry
    assert sibling(state, entry, Leg.STOP) == stop


def test_a_close_that_left_while_the_journal_had_failed_is_booked_as_ours_after_a_crash():
    """The broker alone knows of it: its executions close the position, nothing is external, and entries are killed."""
    state = holding("AAPL")
    [close] = order_ids(state, 0, (Leg.CLOSE,))
    bought = fill("AAPL-e", "10", "200", execution="x-AAPL")
    sold = fill(close, "10", "198", side=Side.SELL, execution="c")
    read = whole_read(LATER, cash="101980", executions=(bought, sold))

    told = step(state, LATER, read)

    assert state.positions["AAPL"].quantity == 0
    assert state.positions["AAPL"].realised == -20
    assert (state.orders[close].status, state.orders[close].group) == (Status.FILLED, "AAPL-e")
    assert close in state.orders["AAPL-e"].children
    assert state.external == {}
    assert [one.what for one in of_kind(told, JudgeBooks)][:1] == [RECOVERED]
    assert of_kind(told, LatchKill) == [] or of_kind(told, LatchKill)[0].scope is Scope.ENTRIES
    assert step(state, LATER + SECOND, replace(read, from_ns=LATER + 1, to_ns=LATER + 1)) is not None
    assert state.positions["AAPL"].quantity == 0


def test_a_forged_close_of_a_lost_journal_is_nobodys():
    """Without our tag an execution stays external."""
    state = holding("AAPL")
    sold = fill("j1-20260901-1-7.0-C-ffff", "10", "198", side=Side.SELL, execution="c")

    step(state, LATER, whole_read(LATER, executions=(sold,)))

    assert "j1-20260901-1-7.0-C-ffff" not in state.orders
    assert state.positions["AAPL"].quantity == 10


def test_what_an_earlier_session_ended_and_forgot_is_not_lost():
    """A broker that goes on showing yesterday's executions has them booked once, when they came."""
    state = holding("AAPL")
    [close] = order_ids(state, 0, (Leg.CLOSE,))
    state.day.session = "2031-01-02"
    sold = fill(close, "10", "198", side=Side.SELL, execution="c")

    step(state, LATER, whole_read(LATER, executions=(sold,)))

    assert close not in state.orders
    assert state.positions["AAPL"].quantity == 10
