"""What a second writes, and what one in which nothing was heard need not."""

from decimal import Decimal

import msgspec

from joed.engine.step import step
from joed.model.events import RateSeen, Tick
from joed.model.values import SECOND, Side
from tests.engine.build import START, fill, holding, quote, stop_of

HEARD = {
    3: quote("AAPL", 203.0, at=START + 3 * SECOND),
    4: quote("MSFT", 400.0, at=START + 4 * SECOND),
    58: quote("AAPL", 204.5, at=START + 58 * SECOND),
    61: RateSeen("EUR", Decimal("1.1"), START + 61 * SECOND, "paper"),
    65: quote("AAPL", 205.5, at=START + 65 * SECOND),
    70: fill(stop_of("AAPL"), "4", "203.50", side=Side.SELL, execution="x9"),
    130: quote("AAPL", 202.0, at=START + 130 * SECOND),
}
"""What is heard in a second, before its Tick; the others are quiet."""


def lived(*, thorough):
    """Live three minutes; `thorough` looks at everything in each second."""
    state = holding("AAPL", trail="4.00")
    commands, worth = [], []
    for second in range(1, 181):
        now = START + second * SECOND
        if (event := HEARD.get(second)) is not None:
            commands += step(state, now - 1, event)
        if thorough:
            state.ticked_seq = -1
        commands += step(state, now, Tick())
        worth.append((state.worth, state.exposure, state.unrealised, [bar.close for bar in state.finished]))
    return msgspec.to_builtins(state), commands, worth


def test_a_quiet_second_leaves_nothing_behind_that_a_thorough_look_would_have_written():
    """Worth, exposure, bars, commands and the whole State are the same, second by second, fills and rates included."""
    quick, thorough = lived(thorough=False), lived(thorough=True)

    assert quick == thorough
    assert len(quick[1]) > 1
    assert len({worth for worth, *_ in quick[2]}) > 3


def test_a_minute_ends_though_nothing_is_heard():
    """Its bar is handed out at the first Tick after it, with the market silent since."""
    state = holding("AAPL")
    step(state, START + SECOND, quote("AAPL", 201.0, at=START + SECOND))
    ended = []
    for second in range(2, 130):
        step(state, START + second * SECOND, Tick())
        ended += [(second, bar.instrument, bar.close) for bar in state.finished]

    assert ended == [(60, "AAPL", 201.01)]


def test_what_was_done_is_valued_at_the_next_tick():
    """Cash that a test's hand took away unseen is not noticed in a quiet second; after a command it is."""
    state = holding("AAPL")
    step(state, START + SECOND, Tick())
    step(state, START + 2 * SECOND, Tick())
    before = state.worth
    state.cash -= 100
    step(state, START + 3 * SECOND, Tick())
    quiet = state.worth
    state.ticked_seq = -1  # as every command leaves it (changes.touch)
    step(state, START + 4 * SECOND, Tick())

    assert (quiet, state.worth) == (before, before - 100)
