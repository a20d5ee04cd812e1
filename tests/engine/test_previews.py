"""A broker's preview of what an entry would need: the gate refuses what the account does not have."""

import pytest

from joed.engine.previews import beyond, used_since
from joed.engine.risk import refuse
from joed.engine.step import step
from joed.model.events import EpochStarted
from joed.model.feeds import MarginTold
from joed.model.values import SECOND, Side
from tests.engine.build import START, D, bracket, holding, submitted, trading_state
from tests.engine.test_risk import request


def told(change, available, *, quantity="1", instrument="AAPL", side=Side.BUY):
    """Give a preview."""
    return MarginTold("paper", instrument, side, D(quantity), D(change), D(available))


def test_an_entry_that_needs_more_than_the_account_has_is_refused_by_its_code():
    """Ten at fifty each: five hundred pass, a cent less does not."""
    state = trading_state()
    step(state, START, told("50", "500"))
    passes = refuse(state, START, request(state, quantity="10"))
    step(state, START, told("50", "499.99"))

    refusal = refuse(state, START, request(state, quantity="10"))

    assert passes is None
    assert refusal.code == "margin_preview"
    assert "500.00 of margin would be needed" in refusal.words


def test_what_nothing_was_told_of_passes_this_check():
    """Another instrument, the other side, a new process."""
    state = trading_state()
    step(state, START, told("50", "1"))
    universe = state.settings.universe

    assert beyond(state, universe["MSFT"], Side.BUY, D(10)) == ""
    assert beyond(state, universe["AAPL"], Side.SELL, D(10)) == ""
    step(state, START, EpochStarted(2, "start", "0", "code"))
    assert beyond(state, universe["AAPL"], Side.BUY, D(10)) == ""


def test_what_was_opened_since_counts_against_it():
    """A position by its own preview, a pending entry without one by all that it costs; older ones are in the figure."""
    state = trading_state()
    old = holding("KO", state=state)
    state.now += SECOND
    step(state, state.now, told("50", "1000"))
    holding("AAPL", state=old)
    submitted(state, bracket("MSFT", quantity="2"), state.now)

    assert used_since(state, state.brokers["paper"], START + SECOND) == 10 * 50 + 2 * 200


@pytest.mark.parametrize(("change", "available", "quantity"), [("NaN", "1", "1"), ("1", "NaN", "1"), ("1", "1", "0")])
def test_figures_that_are_none_are_not_kept(change, available, quantity):
    """NaN passes no edge."""
    state = trading_state()
    step(state, START, told(change, available, quantity=quantity))

    assert state.brokers["paper"].margins == {}
