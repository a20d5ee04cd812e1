"""The first live sessions trade smaller."""

from dataclasses import replace
from decimal import Decimal

import pytest

from joed.engine import ramp
from joed.engine.step import step
from joed.model.commands import SubmitOrder
from joed.model.events import TriggersMade
from joed.model.settings import Ramp
from joed.model.state import State
from joed.model.values import Mode
from tests.engine.build import START, D, of_kind, quote, settings_of, trading_state, trigger


def state_in(mode=Mode.LIVE, *, sessions=4, first="0.2", counted=0):
    """Give a State with so many live sessions behind it."""
    state = State(mode=mode, settings=settings_of(mode=mode, ramp=Ramp(sessions, Decimal(first))))
    state.live_sessions, state.day.session = counted, "2026-09-21"
    return state


@pytest.mark.parametrize(("counted", "share"), [(0, "0.2"), (1, "0.4"), (2, "0.6"), (3, "0.8"), (4, "1"), (9, "1")])
def test_the_share_rises_by_equal_steps_to_the_whole(counted, share):
    """The first has `first`, the one after the last all of it."""
    assert ramp.share(state_in(counted=counted)) == Decimal(share)


def test_paper_and_a_ramp_of_none_trade_whole():
    """There is nothing to get used to."""
    assert ramp.share(state_in(Mode.PAPER)) == 1
    assert ramp.share(state_in(sessions=0)) == 1


def test_a_session_counts_once_whoever_signs_it_how_often():
    """And today's share is the same before and after it was counted: the card shows what will be traded."""
    state = state_in()
    before = ramp.share(state)

    ramp.count(state)
    ramp.count(state)

    assert (ramp.share(state), state.live_sessions, ramp.session_number(state)) == (before, 1, 1)
    state.day.session = "2026-09-22"
    assert (ramp.share(state), ramp.session_number(state)) == (Decimal("0.4"), 2)


def test_paper_sessions_are_not_counted():
    """Only real ones teach."""
    state = state_in(Mode.PAPER)

    ramp.count(state)

    assert state.live_sessions == 0


@pytest.mark.parametrize("quantity", [None, D(40)])
def test_an_entry_has_its_share_of_the_size_rounded_down(quantity):
    """By risk or by a strategy's own number alike."""
    sizes = []
    for sessions in (0, 4):
        state = trading_state(mode=Mode.LIVE, ramp=Ramp(sessions))
        step(state, START, TriggersMade(1, (trigger(quantity=quantity),)))
        commands = step(state, START, quote("AAPL", 200.0))
        sizes += [command.quantity for command in of_kind(commands, SubmitOrder)]

    whole, first = sizes
    assert first == (whole * D("0.2")).to_integral_value("ROUND_FLOOR")
    assert replace(Ramp(), sessions=4).first == D("0.2")
