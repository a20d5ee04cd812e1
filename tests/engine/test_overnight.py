"""What is held over the night: seen protected before anything opens, and a gap booked at the price that was got."""

import pytest
from msgspec.structs import replace

from joed.engine.overnight import UNVERIFIED, unverified, watch
from joed.engine.risk import refuse
from joed.engine.step import refold, step
from joed.model.blocks import ALL, key
from joed.model.commands import LiftBlock, OpenSession, RaiseBlock
from joed.model.events import BrokerUp, EpochStarted, OrderSeen, PositionSeen, Tick
from joed.model.values import DAY, HOUR, MINUTE, SECOND, Side, Status
from tests.engine.build import OPEN, D, fill, holding, of_kind, quote, stop_of, target_of, whole_read
from tests.engine.test_risk import request

MORNING = OPEN + DAY - HOUR
AT = key(ALL, UNVERIFIED)


def next_day(**more):
    """Give a State that kept ten AAPL over the night and has just opened the next session in a new process."""
    state = holding("AAPL", trail="2", **more)
    position = state.positions["AAPL"]
    position.trailing, position.best = True, 210.0
    return morning(state)


def morning(state):
    """Let the next session open in a new process."""
    refold(state, MORNING, EpochStarted(2, "start", "0", "code"), [])
    step(state, MORNING, BrokerUp("paper", "DEMO", "paper", 2))
    opened = OpenSession("2026-09-22", OPEN + DAY, OPEN + DAY + 390 * MINUTE, D(100_000))
    commands = [opened]
    watch(state, MORNING, commands)
    refold(state, MORNING, Tick(), commands)
    return state


def shown(state, at, *, quantity="10", stop="10", status=Status.WORKING):
    """Give the broker's whole book: the position, its stop and its target."""
    orders = (
        OrderSeen(stop_of("AAPL"), "s", "AAPL", Side.SELL, D(stop), status, D(196)),
        OrderSeen(target_of("AAPL"), "t", "AAPL", Side.SELL, D(10), Status.WORKING, D(220)),
    )
    held = (PositionSeen("AAPL", D(quantity), D(200)),)
    return whole_read(at, connection=2, orders=orders, positions=held, cash=str(state.cash))


def test_entries_wait_until_a_whole_read_has_shown_the_stop_of_what_was_kept():
    """Forbidden in the very record that opens the session; the trail's base is kept."""
    state = next_day()
    forbidden = refuse(state, MORNING, request(state, at=MORNING)).code, AT in state.blocks

    read = step(state, MORNING + 1, shown(state, MORNING + 1))
    lifted = step(state, MORNING + SECOND, Tick())

    assert forbidden == ("blocked", True)
    assert of_kind(read, RaiseBlock) == []
    assert [one.key for one in of_kind(lifted, LiftBlock)] == [AT]
    assert (state.positions["AAPL"].trailing, state.positions["AAPL"].best) == (True, 210.0)


@pytest.mark.parametrize("damage", ["too small", "only accepted", "incomplete", "other link", "gone"])
def test_anything_less_than_a_working_stop_of_its_size_keeps_entries_off(damage):
    """A stop for six of ten, one that waits, half a read, an older link's, none."""
    state = next_day()
    at = MORNING + 1
    read = shown(state, at, stop="6" if damage == "too small" else "10")
    if damage == "only accepted":
        read = shown(state, at, status=Status.ACKED)
    elif damage == "gone":
        read = replace(read, orders=read.orders[1:])
    read = replace(read, complete=damage != "incomplete", connection=1 if damage == "other link" else 2)

    step(state, at, read)
    step(state, MORNING + SECOND, Tick())

    assert AT in state.blocks
    assert [position.instrument for position in unverified(state)] == ["AAPL"]


def test_a_gap_through_the_stop_while_joed_slept_is_booked_at_the_price_that_was_got():
    """The morning's read has the execution: flat at the gap, and nothing is left to verify."""
    state = next_day()
    gap = fill(stop_of("AAPL"), "10", "180", side=Side.SELL, execution="gap")
    at = MORNING + 1
    ended = {stop_of("AAPL"): Status.FILLED, target_of("AAPL"): Status.CANCELLED}

    step(state, at, whole_read(at, connection=2, executions=(gap,), ended=ended, cash=str(state.cash + 1800)))
    step(state, MORNING + SECOND, Tick())

    assert (state.positions["AAPL"].quantity, state.realised, state.external) == (0, -200, {})
    assert AT not in state.blocks


def test_a_session_that_begins_flat_has_nothing_to_verify():
    """And what this session opened is watched by the law itself."""
    state = holding("AAPL")
    commands = step(state, state.now + SECOND, Tick())
    flat = holding("MSFT")
    step(flat, flat.now, fill(stop_of("MSFT"), "10", "196", side=Side.SELL, symbol="MSFT", execution="s"))
    opened = [OpenSession("2026-09-22", OPEN + DAY, OPEN + DAY + HOUR, D(1))]
    watch(flat, MORNING, opened)

    assert (of_kind(commands, RaiseBlock), unverified(state)) == ([], [])
    assert len(opened) == 1


def test_the_block_is_raised_again_where_a_record_without_it_opened_the_session():
    """A record of an older build opened the session: the next second forbids what it had allowed."""
    state = next_day()
    del state.blocks[AT]

    raised = step(state, MORNING + SECOND, Tick())
    step(state, MORNING + SECOND, quote("AAPL", 205.0, at=MORNING + SECOND))

    assert [one.block.key for one in of_kind(raised, RaiseBlock)] == [AT]
