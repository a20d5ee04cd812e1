"""Quotes are judged before anything acts on them, and folded into bars that end when their minute does."""

import pytest

from joed.engine.markets import SILENCE_NS, empty_bands, tick_of
from joed.engine.step import step
from joed.model.events import Quote, Tick
from joed.model.settings import Feed
from joed.model.values import MINUTE, SECOND, Bar
from tests.engine.build import START, D, armed, quote, trading_state, trigger

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("bid", "ask", "last", "volume"),
    [
        (NAN, 200.0, None, None),
        (200.0, NAN, None, None),
        (200.0, INF, None, None),
        (-INF, 200.0, None, None),
        (0.0, 200.0, None, None),
        (-1.0, 200.0, None, None),
        (201.0, 200.0, None, None),
        (200.0, 200.02, NAN, None),
        (200.0, 200.02, INF, None),
        (200.0, 200.02, 0.0, None),
        (200.0, 200.02, -5.0, None),
    ],
)
def test_numbers_that_are_no_prices_never_reach_a_decision(bid, ask, last, volume):
    """NaN, infinity, zero, negative and crossed quotes are counted and left out, whatever waits for them."""
    state = armed(trigger(level="100.00", stop=D("90"), target=D("300")))
    step(state, START, quote("AAPL", 99.0))
    before = state.markets["AAPL"].quote
    empty_bands(state)

    commands = step(state, START, Quote("AAPL", bid, ask, last, volume, START, broker="paper"))

    assert commands == []
    assert (state.markets["AAPL"].quote, state.markets["AAPL"].rejected) == (before, 1)
    assert state.quotes_rejected == {"crossed" if bid == 201.0 else "no_price": 1}


@pytest.mark.parametrize("last", [NAN, INF, 0.0])
def test_nonsense_as_the_first_quote_is_no_anchor(last):
    """Nothing was there to judge it by, and it is still no price."""
    state = trading_state()

    step(state, START, Quote("AAPL", 200.0, 200.02, last, received_ns=START))
    step(state, START, quote("AAPL", 100.0, 100.0))

    assert (state.markets["AAPL"].anchor, state.markets["AAPL"].rejected) == (100.0, 1)


def test_equal_bid_and_ask_are_a_price():
    """A locked market is a market."""
    state = trading_state()

    step(state, START, quote("AAPL", 200.0, 200.0))

    assert state.markets["AAPL"].quotes == 1


def test_a_name_that_is_not_in_the_universe_makes_no_market():
    """What State remembers is bounded by the settings, not by what a broker sends."""
    state = trading_state()

    assert step(state, START, quote("ZZZZ", 10.0)) == []
    assert "ZZZZ" not in state.markets
    assert tick_of(state, "ZZZZ") is None


def test_a_single_jump_is_left_out_and_a_second_print_that_agrees_is_believed():
    """A tenth is the bound: within it at once, beyond it only by the second print near the first."""
    state = trading_state()
    step(state, START, quote("AAPL", 100.0, 100.0))

    step(state, START, quote("AAPL", 109.9, 109.9))
    inside = state.markets["AAPL"].quote.bid
    step(state, START, quote("AAPL", 110.1, 110.1))
    doubted = state.markets["AAPL"].quote.bid
    step(state, START, quote("AAPL", 111.0, 111.0))

    assert (inside, doubted, state.markets["AAPL"].quote.bid) == (109.9, 109.9, 111.0)
    assert (state.markets["AAPL"].rejected, state.markets["AAPL"].anchor) == (1, 111.0)


def test_two_wrong_prints_that_disagree_confirm_nothing():
    """Ten times too high, then ten times too low: neither speaks for the other."""
    state = trading_state()
    step(state, START, quote("AAPL", 100.0, 100.0))

    step(state, START, quote("AAPL", 1000.0, 1000.0))
    step(state, START, quote("AAPL", 10.0, 10.0))

    assert (state.markets["AAPL"].quote.bid, state.markets["AAPL"].rejected) == (100.0, 2)


def test_a_good_print_between_two_wrong_ones_clears_the_doubt():
    """Wrong prints count only in a row."""
    state = trading_state()
    for price in (100.0, 150.0, 100.0, 150.0, 100.0):
        step(state, START, quote("AAPL", price, price))

    assert (state.markets["AAPL"].rejected, state.markets["AAPL"].suspects) == (2, 0)


def test_how_many_prints_confirm_is_a_setting():
    """With three, the second is still doubted."""
    state = trading_state(feed=Feed(prints=3))
    taken = []
    for price in (100.0, 150.0, 150.0, 150.0):
        step(state, START, quote("AAPL", price, price))
        taken.append(state.markets["AAPL"].quote.bid)

    assert taken == [100.0, 100.0, 100.0, 150.0]


@pytest.mark.parametrize(("silence_ns", "believed"), [(SILENCE_NS, False), (SILENCE_NS + 1, True)])
def test_after_a_long_silence_the_old_price_judges_nothing(silence_ns, believed):
    """The first quote after half an hour without one is taken as it is."""
    state = trading_state()
    step(state, START, quote("AAPL", 100.0, 100.0))

    step(state, START + silence_ns, quote("AAPL", 150.0, 150.0, at=START + silence_ns))

    assert (state.markets["AAPL"].quote.bid == 150.0) is believed


def test_the_last_second_of_a_minute_belongs_to_it():
    """A Tick at the full minute folds the second before it into the old bar, then hands that bar out."""
    state = trading_state()
    first = START + 58 * SECOND
    step(state, first, quote("AAPL", 100.0, 100.0, at=first))
    step(state, first + SECOND, Tick())
    step(state, first + SECOND, quote("AAPL", 103.0, 103.0, at=first + SECOND))

    step(state, START + MINUTE, Tick())

    assert state.finished == [Bar("AAPL", START, 100.0, 103.0, 100.0, 103.0, 0.0)]
    assert (state.markets["AAPL"].minute, state.markets["AAPL"].anchor) == (None, 103.0)


def test_a_tick_that_comes_a_little_late_still_ends_the_minute_rightly():
    """Ticks are stamped when they are handled: three milliseconds past the minute change nothing."""
    state = trading_state()
    at = START + 59 * SECOND
    step(state, at, quote("AAPL", 100.0, 100.0, at=at))

    step(state, START + MINUTE + 3_000_000, Tick())

    assert [bar.at_ns for bar in state.finished] == [START]


def test_volume_is_counted_from_the_minutes_beginning():
    """The broker's total runs through the day; a total that falls, or is no number, counts as nothing."""
    state = trading_state()
    totals = {1: 1000.0, 2: 1500.0, 61: 1700.0, 62: 1900.0, 121: NAN, 181: 5.0}
    bars = []
    for second in range(1, 242):
        at = START + second * SECOND
        step(state, at, Tick())
        bars += state.finished
        if second in totals:
            step(state, at, quote("AAPL", 100.0, 100.0, at=at, volume=totals[second]))

    assert [bar.volume for bar in bars] == [500.0, 400.0, 0.0, 0.0]


def test_a_minute_without_a_quote_makes_no_bar():
    """Silence is not a price."""
    state = trading_state()
    step(state, START, quote("AAPL", 100.0, 100.0))
    step(state, START + MINUTE, Tick())

    step(state, START + 2 * MINUTE, Tick())

    assert state.finished == []
