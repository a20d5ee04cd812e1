"""What joed has its eyes on, in the order of its need."""

from decimal import Decimal

from joed.engine.subjects import held_or_watched
from joed.model.events import Candidate
from joed.model.orders import Position
from joed.model.settings import Instrument, Settings
from joed.model.state import State
from tests.engine.build import holding, trading_state

UNIVERSE = {name: Instrument(name, "ibkr") for name in ("AAPL", "KO", "MSFT", "SPY", "VIX")} | {
    "GOLD": Instrument("GOLD", "capital")
}


def state_of():
    """Give a State that holds KO and watches MSFT."""
    state = State(settings=Settings(universe=UNIVERSE, brokers=("ibkr", "capital")))
    state.watchlist = (Candidate("MSFT", 1.0), Candidate("GOLD", 0.5))
    state.positions["KO"] = Position("KO", "ibkr", quantity=Decimal(5))
    state.positions["AAPL"] = Position("AAPL", "ibkr")
    return state


def test_what_is_held_comes_first_then_fear_and_the_index_then_the_watchlist():
    """Each once, all of the broker's own, none of another's."""
    assert held_or_watched(state_of(), "ibkr") == ("KO", "VIX", "SPY", "MSFT", "AAPL")
    assert held_or_watched(state_of(), "capital") == ("GOLD",)


def test_what_is_held_is_streamed_though_the_universe_names_it_no_more():
    """A position must be seen, whatever a person took out of a file."""
    state = state_of()
    state.positions["OLD"] = Position("OLD", "ibkr", quantity=Decimal(1))

    assert held_or_watched(state, "ibkr")[:2] == ("KO", "OLD")


def test_an_instrument_with_a_pending_entry_is_streamed_before_the_rest():
    """Its fill makes a position."""
    state = holding("AAPL", quantity="10", stop="196.00")
    assert held_or_watched(state, "paper")[0] == "AAPL"
    assert set(held_or_watched(trading_state(), "paper")) == {"AAPL", "MSFT", "KO", "VIX"}


def test_without_a_broker_it_is_all_of_them():
    """For whoever shows prices."""
    assert held_or_watched(state_of()) == ("KO", "VIX", "SPY", "MSFT", "GOLD", "AAPL")
