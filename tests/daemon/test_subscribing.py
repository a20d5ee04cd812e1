"""What is streamed, in the order of its need."""

import asyncio
from contextlib import suppress
from decimal import Decimal

from joed.daemon.clock import SimulatedClock
from joed.daemon.subscribing import Subscriber, wanted
from joed.model.events import Candidate
from joed.model.orders import Position
from joed.model.settings import Instrument, Settings
from joed.model.state import State
from joed.model.values import SECOND
from tests.engine.build import trading_state

UNIVERSE = {name: Instrument(name, "ibkr") for name in ("AAPL", "KO", "MSFT", "SPY", "VIX")} | {
    "GOLD": Instrument("GOLD", "capital")
}


class Ear:
    """Notes what it is told to stream."""

    def __init__(self):
        self.told = []

    def subscribe(self, instruments):
        """Note it."""
        self.told.append(instruments)


def state_of():
    """Give a State that holds KO and watches MSFT."""
    state = State(settings=Settings(universe=UNIVERSE, brokers=("ibkr", "capital")))
    state.watchlist = (Candidate("MSFT", 1.0), Candidate("GOLD", 0.5))
    state.positions["KO"] = Position("KO", "ibkr", quantity=Decimal(5))
    state.positions["AAPL"] = Position("AAPL", "ibkr")
    return state


def test_what_is_held_comes_first_then_fear_and_the_index_then_the_watchlist():
    """Each once, all of the broker's own, none of another's."""
    assert wanted(state_of(), "ibkr") == ("KO", "VIX", "SPY", "MSFT", "AAPL")
    assert wanted(state_of(), "capital") == ("GOLD",)


def test_what_is_held_is_streamed_though_the_universe_names_it_no_more():
    """A position must be seen, whatever a person took out of a file."""
    state = state_of()
    state.positions["OLD"] = Position("OLD", "ibkr", quantity=Decimal(1))

    assert wanted(state, "ibkr")[:2] == ("KO", "OLD")


def test_an_instrument_with_a_pending_entry_is_streamed_before_the_rest():
    """Its fill makes a position."""
    from tests.engine.build import holding

    state = holding("AAPL", quantity="10", stop="196.00")
    assert wanted(state, "paper")[0] == "AAPL"
    assert set(wanted(trading_state(), "paper")) == {"AAPL", "MSFT", "KO", "VIX"}


async def test_a_broker_is_told_when_what_is_wanted_changes_and_only_then():
    """At once at the start, then within a second."""
    state, clock, ear = state_of(), SimulatedClock(SECOND), Ear()
    task = asyncio.create_task(Subscriber({"ibkr": ear}, state, clock).run())
    await asyncio.sleep(0)
    for _ in range(3):
        clock.advance()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert len(ear.told) == 1

    state.watchlist = (Candidate("AAPL", 1.0),)
    clock.advance()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    assert ear.told[1:] == [("KO", "VIX", "SPY", "AAPL", "MSFT")]
