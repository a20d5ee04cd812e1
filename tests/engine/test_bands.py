"""A band is the tightest interval in which nothing can act; it lets pass what it may, and no more."""

import pytest

from joed.engine.bands import tighten
from joed.engine.markets import empty_bands
from joed.engine.step import inside_band, refold, step
from joed.model.blocks import Block
from joed.model.commands import RaiseBlock
from joed.model.events import OrderCancelled, OrderRejected, OrderWorking, RegimeJudged, RegimeRead, Tick, TriggersMade
from joed.model.state import EMPTY_HI, EMPTY_LO
from joed.model.values import MINUTE, SECOND, Crossing, Side
from tests.engine.build import START, D, armed, holding, quote, stop_of, target_of, trading_state, trigger


def band(state, symbol="AAPL"):
    """Give the interval of an instrument."""
    market = state.markets[symbol]
    return market.lo, market.hi


def rounded(state, symbol="AAPL"):
    """Give it to the cent."""
    low, high = band(state, symbol)
    return round(low, 2), round(high, 2)


def test_without_a_rule_the_band_is_the_bound_of_sanity():
    """A tenth to either side of the anchor, for the last trade too."""
    state = trading_state()
    step(state, START, quote("AAPL", 200.0, 200.0))

    assert rounded(state) == (180.0, 220.0)
    assert inside_band(state, START, quote("AAPL", 219.9, 219.95))
    assert not inside_band(state, START, quote("AAPL", 219.9, 220.0))
    assert not inside_band(state, START, quote("AAPL", 200.0, 200.0, last=220.0))
    assert inside_band(state, START, quote("AAPL", 200.0, 200.0, last=219.9))


def test_a_trigger_above_bounds_from_above_and_one_below_from_below():
    """The nearest of several counts; a spent one not."""
    state = armed(
        trigger(level="203"), trigger(level="205"), trigger(level="195", crossing=Crossing.BELOW, stop=D(190))
    )
    step(state, START, quote("AAPL", 200.0, 200.0))
    waiting = rounded(state)
    state.signals["signal-AAPL-203"] = "entered"
    tighten(state, state.markets["AAPL"])

    assert (waiting, rounded(state)) == ((195.0, 203.0), (195.0, 205.0))


def test_a_trigger_whose_time_is_over_bounds_nothing():
    """It cannot fire any more."""
    state = armed(trigger(level="203", valid_until_ns=START + 5))
    step(state, START + 5, quote("AAPL", 200.0, 200.0))

    assert rounded(state) == (180.0, 220.0)


def test_a_position_bounds_at_its_first_r_and_then_where_the_trail_moves():
    """At 204; then at stop plus step plus distance, empty while a raise waits; not at all while an exit is at work."""
    state = holding("AAPL", trail="2")
    step(state, START, quote("AAPL", 200.0, 200.0))
    first = rounded(state)
    step(state, START, quote("AAPL", 204.0, 204.0))
    step(state, START, quote("AAPL", 201.0, 201.0))
    waiting = rounded(state)
    step(state, START, OrderWorking(stop_of("AAPL"), D(10), D(202)))
    step(state, START, quote("AAPL", 201.0, 201.0))
    trailing = rounded(state)
    state.positions["AAPL"].closing = target_of("AAPL")
    tighten(state, state.markets["AAPL"])
    closing = rounded(state)

    assert waiting == (EMPTY_LO, EMPTY_HI)
    assert (first[1], trailing[1], closing[1]) == (204.0, 204.2, 219.99)


def test_a_short_positions_trail_bounds_from_below():
    """It acts on a falling ask."""
    state = holding("AAPL", trail="2", side=Side.SELL, stop="204", target="180")
    step(state, START, quote("AAPL", 200.0, 200.0))

    assert rounded(state) == (196.0, 219.99)


def test_vix_bounds_at_its_threshold_and_lets_nothing_pass_while_prints_are_counted():
    """No rise of it is a jump; a fall is."""
    state = trading_state()
    step(state, START, quote("VIX", 20.0, 20.0))
    calm = rounded(state, "VIX")
    step(state, START, quote("VIX", 36.0, 36.0))

    assert calm == (18.0, 35.0)
    assert band(state, "VIX")[1] == EMPTY_HI


NEWS = {
    "triggers": lambda state: step(state, START, TriggersMade(2, (trigger(),))),
    "a stop's terms": lambda state: step(state, START, OrderWorking(stop_of("AAPL"), D(10), D(197))),
    "a stop's end": lambda state: step(state, START, OrderCancelled(stop_of("AAPL"))),
    "a stop's refusal": lambda state: step(state, START, OrderRejected(stop_of("AAPL"), "no")),
    "the last closes": lambda state: step(state, START, RegimeJudged(1, RegimeRead("bull", 1.0))),
    "a full minute": lambda state: (step(state, START, Tick()), step(state, START + MINUTE, Tick())),
}


@pytest.mark.parametrize("news", NEWS)
def test_news_that_touch_an_instrument_empty_its_band(news):
    """The next quote is looked at anew, whatever its price."""
    state = holding("AAPL")
    step(state, START, quote("AAPL", 200.0, 200.0))

    NEWS[news](state)

    assert band(state) == (EMPTY_LO, EMPTY_HI)


def test_a_block_empties_every_band():
    """Any instrument's rules may look at it."""
    state = trading_state()
    for symbol in ("AAPL", "MSFT"):
        step(state, START, quote(symbol, 200.0))

    refold(state, START, Tick(), [RaiseBlock(Block("all", "paused", ""))])

    assert band(state, "AAPL") == band(state, "MSFT") == (EMPTY_LO, EMPTY_HI)


def test_while_a_jump_is_doubted_every_quote_is_looked_at():
    """The good print that clears the doubt must be seen."""
    state = trading_state()
    for price in (200.0, 300.0):
        step(state, START, quote("AAPL", price, price))

    assert band(state) == (EMPTY_LO, EMPTY_HI)


def test_while_quotes_are_stale_every_quote_is_looked_at():
    """The first one lifts the Block."""
    state = trading_state()
    step(state, START, quote("AAPL", 200.0, 200.0))
    state.markets["AAPL"].blocked = True
    tighten(state, state.markets["AAPL"])

    assert band(state) == (EMPTY_LO, EMPTY_HI)


def test_the_fast_road_does_to_state_what_the_slow_one_does():
    """Sequence, time, quote, count and the second's range: nothing else, nothing less."""
    fast, slow = trading_state(), trading_state()
    for state in (fast, slow):
        step(state, START, quote("AAPL", 200.0, 200.0))
    empty_bands(slow)
    later = quote("AAPL", 201.0, 201.5, at=START + SECOND)

    assert inside_band(fast, START + SECOND, later)
    step(slow, START + SECOND, later)

    for name in ("quote", "quotes", "high", "low", "anchor", "suspects"):
        assert getattr(fast.markets["AAPL"], name) == getattr(slow.markets["AAPL"], name)
    assert (fast.seq, fast.now, fast.finished) == (slow.seq, slow.now, [])
