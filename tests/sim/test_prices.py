"""Prices come by their seed alone."""

from joed.daemon.clock import SimulatedClock
from joed.model.values import SECOND
from joed.sim.prices import Prices
from joed.sim.scenario import VIX, traits_of


def quotes_of(seed, seconds=120, touch=lambda prices: None):
    """Give all quotes of some time from second 1000 on."""
    clock, found = SimulatedClock(1_000 * SECOND), []
    prices = Prices(clock, seed, traits_of(seed), lambda quote: found.append((clock.now(), quote)))
    prices.start(1_010 * SECOND)
    touch(prices)
    while (due := clock.next_ns()) is not None and due <= (1_000 + seconds) * SECOND:
        clock.advance()
    return found


def test_a_seed_gives_the_same_prices_each_time():
    """To the nanosecond and the cent."""
    assert quotes_of(3) == quotes_of(3)
    assert quotes_of(3) != quotes_of(4)


def test_each_quote_has_bid_under_ask_on_the_tick():
    """At least one tick apart, whatever the spread."""
    for _, quote in quotes_of(5):
        assert 0 < quote.bid < quote.ask
        assert round(quote.bid, 2) == quote.bid


def test_a_silent_instrument_leaves_the_others_as_they_were():
    """A fault of one walk moves no other."""

    def silence(prices):
        prices.walks["AAA"].silent_until_ns = 1_060 * SECOND

    loud = [(at, quote) for at, quote in quotes_of(3) if quote.instrument != "AAA"]
    quiet = quotes_of(3, touch=silence)

    assert [(at, quote) for at, quote in quiet if quote.instrument != "AAA"] == loud
    assert all(at >= 1_060 * SECOND for at, quote in quiet if quote.instrument == "AAA")


def test_frozen_prices_stand_still():
    """Quotes go on, each the same as the last of its instrument but for its volume."""

    def freeze(prices):
        prices.frozen = True

    seen = {}
    for _, quote in quotes_of(3, touch=freeze):
        seen.setdefault(quote.instrument, set()).add((quote.bid, quote.ask))

    assert {len(prices) for prices in seen.values()} == {1}
    assert VIX in seen
