"""What people call the phase."""

import datetime as dt

import pytest

from joed.engine import phase
from joed.engine.phase import RANK, clock_of, phase_of, span
from joed.model.blocks import Block
from joed.model.calendars import Calendar
from joed.model.state import Broker, State
from joed.model.values import HOUR, MINUTE, SECOND
from tests.daemon.serving import CLOSE, OPEN, state_of_a_day

NEW_YORK = Calendar(name="XNYS", timezone="America/New_York", holidays=(dt.date(2025, 1, 9),))


def blocked(*blocks, now=OPEN + HOUR):
    """Give a State in an open market with these Blocks: (scope, reason, latched)."""
    state = state_of_a_day(now=now)
    for scope, reason, latched in blocks:
        block = Block(scope, reason, f"{reason} here", now, latched)
        state.blocks[block.key] = block
    return state


def name_of(state):
    """Give the phase's name."""
    return phase_of(state, clock_of(state)).name


@pytest.mark.parametrize(
    ("scope", "reason", "latched", "name"),
    [
        ("all", "killed", True, "HALTED"),
        ("all", "loss_day_max", True, "HALTED"),
        ("all", "not_confirmed", False, "AWAITING CONFIRMATION"),
        ("all", "vix", False, "DEFENSIVE"),
        ("all", "paused", False, "PAUSED"),
        ("all", "journal_failed", False, "BLOCKED"),
        ("all", "no_session", False, "CLOSED"),
        ("calendar:XNYS", "market_closed", False, "CLOSED"),
        ("broker:paper", "broker_down", False, "DISCONNECTED"),
        ("broker:paper", "feed_silent", False, "DISCONNECTED"),
        ("broker:paper", "reconciling", False, "RECONCILING"),
        ("instrument:AAPL", "quote_stale", False, "TRADING"),
        ("instrument:AAPL", "books_differ", True, "TRADING"),
        ("strategy:breakout", "rejects_max", True, "TRADING"),
        ("broker:other", "broker_down", False, "TRADING"),
        ("calendar:LSE", "market_closed", False, "TRADING"),
    ],
)
def test_a_block_that_stops_everything_names_the_phase(scope, reason, latched, name):
    """One table from reason to word; a Block that leaves something to open names nothing."""
    assert name_of(blocked((scope, reason, latched))) == name


def test_one_broker_of_two_that_is_down_does_not_stop_the_day():
    """Only when every broker is blocked is nothing left to open."""
    state = blocked(("broker:paper", "broker_down", False))
    state.settings = type(state.settings)(brokers=("paper", "ibkr"))
    assert name_of(state) == "TRADING"

    block = Block("broker:ibkr", "reconciling", "", state.now)
    state.blocks[block.key] = block
    assert name_of(state) == "DISCONNECTED"


def test_the_gravest_phase_wins_and_every_reason_is_kept():
    """Killed while VIX is high and the card waits: HALTED, and the three reasons stay readable."""
    state = blocked(("all", "not_confirmed", False), ("all", "vix", False), ("all", "killed", True))

    found = phase_of(state, clock_of(state))

    assert (found.name, found.words) == ("HALTED", "killed here")
    assert found.reasons == ("not_confirmed", "vix", "killed")


def test_a_card_that_waits_is_said_before_the_open_but_not_on_a_day_off():
    """An hour before the open the person is what is missing; without a session there is nothing to sign."""
    early = (("calendar:XNYS", "market_closed", False), ("all", "not_confirmed", False))

    assert name_of(blocked(*early)) == "AWAITING CONFIRMATION"
    assert name_of(blocked(*early, ("all", "no_session", False))) == "CLOSED"


def test_two_blocks_of_one_phase_are_both_said():
    """Nobody releases the one and wonders about the other."""
    state = blocked(("all", "killed", True), ("all", "loss_day_max", True))

    assert phase_of(state, clock_of(state)).words == "killed here; loss_day_max here"


@pytest.mark.parametrize(
    ("now", "name"),
    [
        (OPEN - SECOND, "CLOSED"),
        (OPEN, "TRADING"),
        (CLOSE - 30 * MINUTE - SECOND, "TRADING"),
        (CLOSE - 30 * MINUTE, "CLOSING"),
        (CLOSE - SECOND, "CLOSING"),
        (CLOSE, "CLOSED"),
    ],
)
def test_without_a_block_the_clock_tells(now, name):
    """Out of hours nothing opens, nor shortly before the close; each edge on its own side."""
    assert name_of(blocked(now=now)) == name
    with_calendar = blocked(now=now)
    with_calendar.calendars = {"XNYS": NEW_YORK}
    assert name_of(with_calendar) == name


def test_before_any_broker_it_is_starting_and_at_the_end_it_is_stopping():
    """The two ends of a process; stopping is said even when killed."""
    assert name_of(State()) == "STARTING"
    state = blocked(("all", "killed", True))
    state.stopping = "signal 15"

    assert phase_of(state, clock_of(state)) == ("STOPPING", "signal 15", ("killed",))


def test_the_next_open_is_said_in_the_markets_own_time():
    """After the close on a Wednesday before a closure: Friday morning, New York time."""
    state = State(now=OPEN + 5 * 24 * HOUR + 7 * HOUR, epoch=1, calendars={"XNYS": NEW_YORK})
    state.brokers["paper"] = Broker("paper", up=True)

    found = phase_of(state, clock_of(state))

    assert (found.name, found.words) == ("CLOSED", "next open Fri 09:30 EST")


def test_the_clock_counts_to_the_open_and_to_the_close():
    """One of the two is None, by whether the market is open; with and without a calendar the same."""
    for calendars in ({}, {"XNYS": NEW_YORK}):
        early = clock_of(blocked(now=OPEN - MINUTE)) if not calendars else clock_of(with_(calendars, OPEN - MINUTE))
        inside = clock_of(blocked(now=CLOSE - MINUTE)) if not calendars else clock_of(with_(calendars, CLOSE - MINUTE))
        assert (early.to_open_s, early.to_close_s) == (60.0, None)
        assert (inside.to_open_s, inside.to_close_s) == (None, 60.0)
        assert (inside.open_ns, inside.close_ns) == (OPEN, CLOSE)


def with_(calendars, now):
    """Give the same State with calendars."""
    state = blocked(now=now)
    state.calendars = calendars
    return state


def test_every_phase_has_a_rank():
    """A name without one could not be compared."""
    names = {value for name, value in vars(phase).items() if name.isupper() and isinstance(value, str)}

    assert names - {phase.UNCONFIRMED, phase.NO_SESSION, phase.ALL} == set(RANK)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h 0 min"), (90000, "1 d 1 h")],
)
def test_a_length_of_time_is_said_in_its_two_largest_units(seconds, words):
    """Nobody reads seconds in a day."""
    assert span(seconds) == words
