"""The one function that decides, from a quote to an order and back."""

import pytest

from joed.engine.step import decide, refold, step
from joed.model.commands import AmendOrder, RaiseAlert, RaiseBlock, SubmitOrder
from joed.model.events import FailsafeRan, OrderFilled, OrderRejected, OrderWorking, Quote, StopAsked, Tick
from joed.model.state import State
from joed.model.values import SECOND, Kind, Leg, Side
from tests.engine.build import (
    START,
    D,
    armed,
    bracket,
    fill,
    holding,
    kinds,
    of_kind,
    quote,
    stop_of,
    submitted,
    trading_state,
    trigger,
    whole_read,
    without_bands,
)


def test_trail_raises_the_brokers_stop_with_the_high_and_never_lowers_it():
    """Four under the highest bid, moved by at least the step; a falling bid moves nothing."""
    state = holding("AAPL", quantity="10", stop="196.00", trail="4")
    step(state, START, quote("AAPL", 204.00))

    raised = step(state, START + SECOND, quote("AAPL", 206.00))
    step(state, START + SECOND, OrderWorking(stop_of("AAPL"), D(10), D("202.00")))
    kept = step(state, START + 3 * SECOND, quote("AAPL", 203.00))

    assert raised == [AmendOrder(stop_of("AAPL"), level=D("202.00"), reason="trail")]
    assert kept == []


def test_a_quote_that_no_rule_cares_for_decides_nothing():
    """Nearly every quote is one of these."""
    state = armed(trigger())

    assert [step(state, START + n, quote("AAPL", 190.0 + n)) for n in range(9)] == [[]] * 9
    assert state.markets["AAPL"].quotes == 9


def test_deciding_reads_and_writes_nothing():
    """Asked twice, the same answer; State as before."""
    state = armed(trigger())
    refold(state, START, quote("AAPL", 200.0), [])
    before = without_bands(state)
    seen = state.markets["AAPL"].quote

    first, second = decide(state, START, seen), decide(state, START, seen)

    assert first == second
    assert kinds(first) == ["SubmitOrder"]
    assert without_bands(state) == before


def test_sequence_and_time_are_those_of_the_last_event():
    """Each step counts one, the fast road too."""
    state = trading_state()
    at = state.seq
    step(state, START + 1, quote("AAPL", 200.0))
    step(state, START + 2, quote("AAPL", 200.0))
    step(state, START + 3, Tick())

    assert (state.seq, state.now) == (at + 3, START + 3)


def test_recovery_applies_what_was_recorded_and_decides_nothing():
    """With other commands in the record than today's code would give, the record holds."""
    state = armed(trigger())

    refold(state, START, quote("AAPL", 200.0), [])

    assert state.orders == {}
    assert state.signals == {}


def test_a_rejected_bracket_is_told_and_its_instrument_free_again():
    """The refusal is the broker's word; the next signal may try."""
    state = trading_state()
    submitted(state, bracket("AAPL"))

    commands = step(state, START, OrderRejected("AAPL-e", "margin", "not enough"))

    assert [command.words for command in of_kind(commands, RaiseAlert)] == [
        "the broker refused AAPL-e (AAPL): margin not enough"
    ]
    assert state.resting == {}


def test_a_refusal_of_an_order_of_nobody_is_told():
    """It may be what an older journal sent."""
    [alert] = step(trading_state(), START, OrderRejected("x", "1"))

    assert "an unknown order" in alert.words


def test_a_fill_that_a_read_brings_is_judged_like_one_that_came_by_itself():
    """Too much is too much."""
    state = trading_state()
    submitted(state, bracket("AAPL"))

    commands = step(state, START + 1, whole_read(START + 1, executions=(fill("AAPL-e", "12", "200"),)))

    assert "instrument:AAPL/overfill" in [command.block.key for command in of_kind(commands, RaiseBlock)]


def test_a_whole_trade_from_its_trigger_to_its_stop():
    """Crossing, order, fill, first R, trail, stop: the commands of a day in one place."""
    state = armed(trigger(trail=D(2)))

    [entry] = step(state, START, quote("AAPL", 199.98, 200.0))
    submitted_at = state.seq
    for order in (entry.order, entry.stop_order, entry.target_order):
        assert state.orders[order].armed_ns == START
    step(state, START, OrderFilled(entry.order, "x1", "AAPL", Side.BUY, D(10), D(200)))
    step(state, START, OrderWorking(entry.stop_order, D(10), D(196)))
    step(state, START, OrderWorking(entry.target_order, D(10), D(220)))
    started = step(state, START + SECOND, quote("AAPL", 204.5))
    raised = step(state, START + SECOND, quote("AAPL", 204.5))
    step(state, START + SECOND, OrderWorking(entry.stop_order, D(10), D("202.50")))
    quiet = step(state, START + 2 * SECOND, quote("AAPL", 202.6))
    closed = step(state, START + 2 * SECOND, OrderFilled(entry.stop_order, "x2", "AAPL", Side.SELL, D(10), D("202.5")))

    assert submitted_at == state.seq - 8
    assert kinds(started) == ["RatchetTrail"]
    assert raised == [AmendOrder(entry.stop_order, D("202.5"), reason="trail")]
    assert (quiet, closed) == ([], [])
    assert (state.day.trades, state.day.wins, state.realised, state.cash) == (1, 1, 25, 100_025)


@pytest.mark.parametrize("event", [Quote("VIX", 20.0, 20.0, received_ns=START), Tick(), StopAsked("x")], ids=repr)
def test_an_empty_state_survives_any_first_event(event):
    """Before settings, brokers and sessions nothing is looked at that is not there."""
    step(State(), START, event)


def test_recovery_takes_a_quiet_quote_in_as_it_was_taken():
    """Inside its band a quote is folded without a rule, then as now: the whole State comes out the same, bands too."""
    lived, recovered = armed(trigger()), armed(trigger())
    for at in range(9):
        event = quote("AAPL", 190.0 + at)
        assert step(lived, START + at, event) == []
        refold(recovered, START + at, event, [])

    assert recovered == lived


def test_what_a_failsafe_sent_is_in_the_books_of_the_next_joed_decided_again_or_folded():
    """A replay finds the same orders beside the event; recovery folds them, and the broker's fills are then known."""
    decided, folded = holding("AAPL"), holding("AAPL")
    close = SubmitOrder("j1-c", "paper", "AAPL", Side.SELL, D(10), Kind.MARKET, Leg.CLOSE, opens=False)
    event = FailsafeRan(7, "0.1", (close,))

    commands = step(decided, START, event)
    refold(folded, START, event, [close])

    assert commands == [close]
    assert decided == folded
    assert folded.positions["AAPL"].closing == "j1-c"
    step(folded, START + SECOND, OrderFilled("j1-c", "x9", "AAPL", Side.SELL, D(10), D(200)))
    assert folded.positions["AAPL"].quantity == 0
