"""joed.brokers.capital.feed: each price by the way that serves, and what cannot be served by name."""

from dataclasses import replace
from decimal import Decimal as Money

import pytest

from joed.brokers.capital.feed import epic_of
from joed.model.events import Quote, RateSeen
from joed.model.feeds import POLL, STREAM, FeedChanged, InstrumentServed, InstrumentSetAside
from joed.model.settings import Capital, Instrument
from tests.brokers.capital.place import Place
from tests.brokers.rigs import bracket, close, permitted


class Watching(Place):
    """An account whose feed is watched as it is by default."""

    capital = Capital(orders_poll_s=0.5)


@pytest.fixture
def place(tmp_path):
    """Give an account that is connected, with a price."""
    place = Watching(tmp_path)
    place.quote(99.8, 100.0)
    place.events.clear()
    yield place
    place.close()


def feeds(place):
    """Give each change of source, with the seconds since `begin`."""
    return [(event.source, event.reason) for event in place.of(FeedChanged)]


def keep_quoting(place, seconds, instrument="AAA"):
    """Let the price move each second."""
    for n in range(seconds):
        place.fake.quote(Quote(instrument, 99.5 + n % 10 / 100, 100.0))
        place.spin(1.0)


def test_an_instrument_without_an_epic_goes_by_its_symbol():
    """Most are called there what we call them."""
    assert epic_of(Instrument("GOLD")) == "GOLD"
    assert epic_of(Instrument("EURUSD", epic="EUR_USD")) == "EUR_USD"


def test_polling_takes_over_within_ten_seconds_of_a_cut_and_hands_back(place):
    """Each quote says how it came; both changes are told, once."""
    keep_quoting(place, 10)
    place.events.clear()
    place.fake.stream.refused = True
    place.fake.stream.cut()
    began_ns = place.clock.now()
    keep_quoting(place, 30)
    polled = [quote for quote in place.of(Quote) if quote.source == POLL]

    assert [source for source, _ in feeds(place)] == [POLL]
    assert polled[0].received_ns - began_ns <= 10 * 10**9
    assert place.read().complete
    place.events.clear()
    place.fake.stream.refused = False
    keep_quoting(place, 60)
    assert feeds(place)[-1][0] == STREAM
    assert {quote.source for quote in place.of(Quote)[-5:]} == {""}


def test_a_feed_that_is_silent_while_pings_are_answered_is_polled_for(place):
    """A healthy pipe without a feed: the prices that the market really has are told, by asking."""
    place.fake.stream.silent = True
    keep_quoting(place, 12)
    polled = [quote for quote in place.of(Quote) if quote.source == POLL]

    assert feeds(place)[0][0] == POLL
    assert polled[-1].bid == pytest.approx(99.5, abs=0.1)


def test_a_market_that_is_shut_has_no_quotes_to_miss(place):
    """No alarm all weekend, and no price that nobody can trade at."""
    place.fake.listings["AAA"].status = place.fake.listings["BBB"].status = "CLOSED"
    place.loop.run_until_complete(place.broker.feed.refresh())
    place.events.clear()
    place.spin(300.0)

    assert place.of(Quote, FeedChanged) == []


def test_what_capital_com_does_not_list_is_set_aside_by_name(tmp_path):
    """One typo in a universe costs one instrument; the others trade."""

    class Mistyped(Place):
        def universe(self):
            return {**super().universe(), "ZZZ": Instrument("ZZZ", epic="NO.SUCH")}

        def begin(self):
            self.quoted = False
            super().begin()

    place = Mistyped(tmp_path)

    assert [(event.instrument, event.code) for event in place.of(InstrumentSetAside)] == [("ZZZ", "unknown")]
    place.quote(99.9, 100.0)
    place.submit(bracket())
    place.wait()
    assert place.filled() == ["E1"]
    place.close()


def test_close_only_blocks_entries_and_never_exits(place):
    """Set aside by name, and served again when it is over."""
    place.submit(bracket())
    place.wait()
    place.fake.listings["AAA"].modes = ["CLOSE_ONLY"]
    place.loop.run_until_complete(place.broker.feed.refresh())

    assert [(event.instrument, event.code) for event in place.of(InstrumentSetAside)] == [("AAA", "close_only")]
    assert place.broker.submit(bracket("E2"), permitted) == "AAA is CLOSE_ONLY at Capital.com"
    place.submit(close())
    place.wait()
    assert place.filled() == ["E1", "C1"]

    place.fake.listings["AAA"].modes = ["REGULAR"]
    place.loop.run_until_complete(place.broker.feed.refresh())
    assert place.of(InstrumentServed) == [InstrumentServed("paper", "AAA")]


def test_null_and_crossed_prices_are_no_quotes(place):
    """Dropped and counted, by stream and by polling."""
    bad = place.broker.feed.stream.bad
    place.fake.listings["AAA"].null_bid = True
    place.quote(99.7, 100.0)
    place.fake.stream.push_raw('{"status":"OK","destination":"quote","payload":{"epic":"AAA","bid":101,"ofr":100}}')
    place.wait(3.0)

    assert place.of(Quote) == []
    assert place.broker.feed.stream.bad >= bad + 2


def test_a_currency_pairs_quote_tells_its_rate_once_a_minute(place):
    """In base currency, with its age and its source."""
    feed = place.broker.feed
    feed.instruments = {"EURUSD": replace(Instrument("EURUSD"), kind="currency")}
    feed.names, feed.wanted = {"EURUSD": "EURUSD"}, ("EURUSD",)
    for bid in (1.08, 1.09):
        feed._on_tick("EURUSD", bid, bid + 0.02, None, None)

    assert [(event.currency, event.rate) for event in place.of(RateSeen)] == [("EUR", Money("1.09"))]


def test_a_listing_that_changes_is_seen_within_its_time(place):
    """Rules are no older than five minutes, a market that is shut is looked at each minute."""
    place.fake.listings["AAA"].status = "CLOSED"
    place.spin(301.0)
    assert not place.broker.feed.is_open("AAA")

    place.fake.listings["AAA"].status = ""
    place.spin(61.0)
    assert place.broker.feed.is_open("AAA")


def test_a_market_that_shuts_and_opens_again_is_believed_open_as_soon_as_it_quotes(place):
    """Between two readings of the rules lie five minutes: a halt of one is not taken for a closed market till then."""
    listing = place.fake.listings["AAA"]
    place.spin(90.0)
    listing.status = "CLOSED"
    place.loop.run_until_complete(place.broker.feed.refresh())
    place.spin(10.0)
    assert not place.broker.feed.is_open("AAA")

    listing.status = ""
    place.quote(101.0, 101.1)
    place.spin(6.0)

    assert place.broker.feed.is_open("AAA")
