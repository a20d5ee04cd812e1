"""Each position gets one close, whatever the reasons for it."""

import pytest

from joed.engine.closing import REASONS
from joed.engine.step import step
from joed.model.commands import AmendOrder, SubmitOrder
from joed.model.events import OrderCancelled, Tick
from joed.model.settings import EndOfDay
from joed.model.values import SECOND, Scope
from tests.engine.build import CLOSE, START, holding, of_kind, quote, stop_of, target_of, trading_state

FOUR = ["killed", "unwanted", "unprotected", "end_of_day"]


def sent(state, now):
    """Give the orders that one Tick sends."""
    return of_kind(step(state, now, Tick()), AmendOrder | SubmitOrder)


@pytest.mark.parametrize(
    ("scope", "closes"), [(Scope.ENTRIES, 0), (Scope.ORDERS, 0), (Scope.FLATTEN, 1), (Scope.ACCOUNT, 1)]
)
def test_a_kill_closes_from_the_scope_flatten_on(scope, closes):
    """Narrower scopes keep what is held under its stop."""
    state = holding("AAPL")
    state.killed = scope

    assert len(sent(state, START + SECOND)) == closes


@pytest.mark.parametrize(("before_ns", "closes"), [(300 * SECOND + 1, 0), (300 * SECOND, 1), (0, 0)])
def test_the_day_ends_without_positions_where_the_settings_say_so(before_ns, closes):
    """From five minutes before the bell until the bell."""
    state = trading_state(eod=EndOfDay(close_positions=True), now=CLOSE - 600 * SECOND)
    holding("AAPL", state=state)

    assert len(sent(state, CLOSE - before_ns)) == closes


def test_by_default_positions_are_kept_over_night():
    """Closing at the end of the day is a choice."""
    state = holding("AAPL")

    assert sent(state, CLOSE - SECOND) == []


def test_all_reasons_at_once_make_one_close():
    """Killed, unwanted, unprotected and near the bell: two closes would turn the position round (I22)."""
    state = trading_state(eod=EndOfDay(close_positions=True), now=CLOSE - 200 * SECOND)
    holding("AAPL", state=state)
    step(state, state.now, quote("AAPL", 200.0, at=state.now))
    state.killed = Scope.FLATTEN
    state.positions["AAPL"].repairs, state.positions["AAPL"].unwanted = 3, "by hand"
    step(state, state.now, OrderCancelled(stop_of("AAPL")))
    now = state.now + 15 * SECOND

    assert [why.__name__ for why in REASONS if why(state, now, state.positions["AAPL"])] == FOUR
    assert [(command.order, command.reason) for command in sent(state, now)] == [(target_of("AAPL"), "killed")]
    assert sent(state, now + SECOND) == []


def test_what_is_flat_is_not_closed():
    """A remembered position of nothing is no position."""
    state = trading_state()
    state.killed = Scope.ACCOUNT

    assert sent(state, START + SECOND) == []
