"""The embedded market of one session."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from itertools import islice, pairwise

import msgspec
import numpy as np
import pytest

from joed.daemon.clock import SimulatedClock
from joed.errors import ConfigError
from joed.market.embedded import BURST_MAX, EmbeddedMarket
from joed.market.listings import LISTINGS
from joed.model.values import MINUTE, SECOND

OPEN = 1_707_748_200 * SECOND
CLOSE = OPEN + 23_400 * SECOND
SESSION = ("2024-02-12", OPEN, CLOSE)
NEXT = ("2024-02-13", OPEN + 86_400 * SECOND, CLOSE + 86_400 * SECOND)
STOCKS = [listing.symbol for listing in LISTINGS]


@pytest.fixture(scope="module")
def market():
    """Give one day."""
    return EmbeddedMarket(3, SESSION)


@pytest.fixture(scope="module")
def quotes(market):
    """Give all its quotes."""
    return list(market.quotes())


def digest(seed):
    """Hash all quotes of a day, and the history before it."""
    market, found = EmbeddedMarket(seed, SESSION), hashlib.sha256()
    for symbol, bars in market.history().items():
        found.update(symbol.encode() + bars.tobytes())
    for at_ns, quote in market.quotes():
        found.update(b"%d" % at_ns + msgspec.msgpack.encode(quote))
    return found.hexdigest()


def minutes_of(market, symbol):
    """Give close-to-close log moves of a symbol's minutes."""
    return np.diff(np.log(market.minutes(symbol)[:, 4]))


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_another_process_gives_the_same_bytes(hash_seed):
    """A seed and a session are the whole cause, whatever the order of hashes."""
    code = "from tests.market.test_embedded import digest; print(digest(7))"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == digest(7)


def test_another_seed_and_another_session_give_other_quotes():
    """Neither is ignored."""
    first = next(iter(EmbeddedMarket(7, SESSION).quotes()))[1]

    assert next(iter(EmbeddedMarket(8, SESSION).quotes()))[1] != first
    assert next(iter(EmbeddedMarket(7, ("2024-02-13", OPEN, CLOSE)).quotes()))[1] != first


def test_a_day_is_some_two_hundred_thousand_sound_quotes_in_order_of_time(market, quotes):
    """Every symbol quotes, from before the open until after the close, bid under ask, in whole cents, stamped."""
    times = [at_ns for at_ns, _ in quotes]

    assert 150_000 <= len(quotes) <= 250_000
    assert times == sorted(times)
    assert times[0] < OPEN < CLOSE < times[-1]
    assert set(Counter(quote.instrument for _, quote in quotes)) == set(market.symbols) == set(market.universe())
    for at_ns, quote in quotes:
        assert 0 < quote.bid < quote.ask
        assert quote.received_ns == at_ns
        assert round(quote.bid, 2) == quote.bid
        assert round(quote.ask, 2) == quote.ask


def test_the_universe_trades_stocks_and_watches_the_index_and_vix(market):
    """Twenty names with sectors; the two that are only watched come first."""
    universe = market.universe()

    assert [name for name, row in universe.items() if row.tradable] == STOCKS
    assert [name for name, row in universe.items() if not row.tradable] == ["SPY", "VIX"]
    assert len(STOCKS) == 20
    assert all(universe[name].sector for name in STOCKS)


def test_quotes_and_volume_are_busier_at_the_open_and_the_close_than_at_noon(market, quotes):
    """By half hours, the first and the last have half as much again, in quotes and in shares."""
    halves = Counter((at_ns - OPEN) // (30 * MINUTE) for at_ns, quote in quotes if quote.instrument == "AAPL")
    shares = sum(market.minutes(name)[:, 5] for name in STOCKS).reshape(13, 30).sum(axis=1)

    assert halves[0] > 1.5 * halves[6] < halves[12]
    assert shares[0] > 1.5 * shares[6]
    assert shares[12] > 1.3 * shares[6]


def test_the_running_volume_never_falls_and_minutes_share_it_out(market, quotes):
    """What the minutes hold is what the session's quotes added."""
    volumes = [(at_ns, quote.volume) for at_ns, quote in quotes if quote.instrument == "KO"]
    before = [volume for at_ns, volume in volumes if at_ns < OPEN][-1]
    inside = [volume for at_ns, volume in volumes if at_ns < CLOSE][-1]

    assert all(first <= second for (_, first), (_, second) in pairwise(volumes))
    assert market.minutes("KO")[:, 5].sum() == inside - before


def test_vix_goes_against_the_index_and_has_no_volume(market, quotes):
    """The minutes of the two are negatively related."""
    assert np.corrcoef(minutes_of(market, "VIX"), minutes_of(market, "SPY"))[0, 1] < -0.5
    assert all(quote.volume is quote.bid_size is None for _, quote in quotes if quote.instrument == "VIX")


def test_a_spike_day_lifts_vix_by_fifteen_percent_within_five_minutes_and_no_other_day_does():
    """Over seeds 1 to 30 the days that say they spike do, and only they; it is about one in five."""
    spikes = 0
    for seed in range(1, 31):
        day = EmbeddedMarket(seed, SESSION, ["KO"])
        vix = day.minutes("VIX")
        highest = max(vix[at + 5, 4] / vix[at, 1] for at in range(len(vix) - 5))
        assert (highest > 1.15 or vix[:, 2].max() > 35) == (day.spike_ns is not None)
        spikes += day.spike_ns is not None

    assert 3 <= spikes <= 10


def test_a_bad_print_is_far_off_and_alone():
    """On days that have one the print before and the print after agree with each other, not with it."""
    day = next(day for seed in range(1, 60) if (day := EmbeddedMarket(seed, SESSION, ["KO"])).bad_prints)
    ((symbol, at_ns),) = day.bad_prints
    prints = [(at, quote.last) for at, quote in day.quotes() if quote.instrument == symbol]
    place = [at for at, _ in prints].index(at_ns)
    before, wrong, after = (last for _, last in prints[place - 1 : place + 2])

    assert wrong > 1.4 * before
    assert after == pytest.approx(before, rel=0.05)


def test_a_halted_name_is_silent_and_the_others_are_not():
    """From the halt's first moment to its end there is no quote of the name."""
    day = next(day for seed in range(1, 60) if (day := EmbeddedMarket(seed, SESSION)).halts)
    ((symbol, begin, end),) = day.halts
    during = {quote.instrument for at_ns, quote in day.quotes() if begin <= at_ns < end}

    assert during == set(day.symbols) - {symbol}


def test_history_ends_at_the_close_that_the_day_gaps_from(market):
    """The day's first price is near, and not at, the last close of the year before it."""
    gaps = [market.minutes(name)[0, 1] / market.daily_history(name)[-1, 4] - 1 for name in STOCKS]

    assert market.daily_history("AAPL") is market.history()["AAPL"]
    assert market.daily_history("AAPL").shape == (260, 6)
    assert all(0 < abs(gap) < 0.12 for gap in gaps)


def breakout_profit(minutes):
    """Give what a simple long breakout earns in R: above the first half hour's high, stop 2.5 ATR, trail 2 ATR."""
    high, low, close = minutes[:, 2], minutes[:, 3], minutes[:, 4]
    entries = np.flatnonzero(close[30:360] > high[:30].max())
    if not len(entries):
        return 0.0
    entry = int(entries[0]) + 30
    atr = float(np.mean((high - low)[entry - 13 : entry + 1]))
    paid = close[entry] * 1.0003
    stop, top = paid - 2.5 * atr, paid
    for at in range(entry + 1, 385):
        if low[at] <= stop:
            return (stop - paid) / (2.5 * atr)
        top = max(top, high[at])
        if top > paid + 2.5 * atr:
            stop = max(stop, top - 2 * atr)
    return (close[384] - paid) / (2.5 * atr)


def test_a_simple_breakout_wins_on_some_days_and_loses_on_others():
    """Over seeds 1 to 20 neither is rare, and single breakouts fail on most days: the market is no gift."""
    profits = []
    for seed in range(1, 21):
        day = EmbeddedMarket(seed, SESSION)
        profits.append([breakout_profit(day.minutes(name)) for name in STOCKS])
    days = np.sum(profits, axis=1)

    assert 4 <= np.sum(days > 0) <= 16
    assert np.sum(np.min(profits, axis=1) < -0.5) >= 15
    assert np.sum(np.max(profits, axis=1) > 1.0) >= 15


def test_a_market_of_few_names_is_the_same_market(quotes):
    """Leaving names out changes no quote of the others."""
    few = EmbeddedMarket(3, SESSION, ["TSLA", "KO"])

    assert few.symbols == ("SPY", "VIX", "TSLA", "KO")
    assert list(few.quotes()) == [(at, quote) for at, quote in quotes if quote.instrument in few.symbols]


def test_a_name_that_is_not_listed_is_an_error_that_names_it():
    """A typing error does not make an empty market."""
    with pytest.raises(ConfigError, match="does not list APPL"):
        EmbeddedMarket(3, SESSION, ["APPL"])


def test_quotes_from_the_middle_are_the_rest_of_the_same_day(market, quotes):
    """Who joins late sees what who was there from the start sees; a quote at the very moment is not missed."""
    moment = quotes[90_000][0]

    assert list(market.quotes(moment)) == [row for row in quotes if row[0] >= moment]
    assert list(market.quotes(quotes[-1][0] + 1)) == []


def played(market, clock, count):
    """Play at most this many callbacks of a market's feed; give what came, with the clock's time."""
    heard = []
    market.start(clock, lambda quote: heard.append((clock.now(), quote)))
    for _ in range(count):
        if not clock.advance():
            break
    return heard


def test_the_feed_plays_each_quote_at_its_time_until_the_day_ends(quotes):
    """In simulated time nothing is early, late or lost, and one callback is outstanding at a time."""
    market, clock = EmbeddedMarket(3, SESSION), SimulatedClock(CLOSE - 20 * SECOND)

    heard = played(market, clock, 100_000)

    assert heard == [row for row in quotes if row[0] >= CLOSE - 20 * SECOND]
    assert clock.next_ns() is None


def test_a_stopped_feed_is_silent_and_a_second_start_replaces_the_first(market):
    """After stop nothing comes; starting again does not double the quotes."""
    clock = SimulatedClock(OPEN)
    first = played(market, clock, 10)
    second = played(market, clock, 10)
    market.stop()
    while clock.advance():
        pass

    assert 0 < len(first) <= 11
    assert len(second) <= 11
    assert all(later >= first[-1][0] for later, _ in second)


class Lagging:
    """A clock that is called back late: it stands at one time until it is moved."""

    simulated = False

    def __init__(self, now):
        """Start here."""
        self.time, self.asked = now, []

    def now(self):
        """Give the time."""
        return self.time

    def call_at(self, at_ns, callback):
        """Keep the request."""
        self.asked.append((at_ns, callback))


def test_a_late_feed_catches_up_in_bursts_and_stamps_what_it_hands_over(market, quotes):
    """A quote's age counts from its arrival; at most BURST_MAX come in one callback, one callback is asked for."""
    clock, heard = Lagging(OPEN), []
    market.start(clock, heard.append)
    clock.time = OPEN + 60 * SECOND
    for _ in range(2):
        (request,) = clock.asked
        clock.asked.clear()
        request[1]()

    expected = [quote for at_ns, quote in islice((row for row in quotes if row[0] >= OPEN), 2 * BURST_MAX)]
    assert [msgspec.structs.replace(quote, received_ns=0) for quote in heard] == [
        msgspec.structs.replace(quote, received_ns=0) for quote in expected
    ]
    assert {quote.received_ns for quote in heard} == {clock.time}
    assert len(clock.asked) == 1


def test_a_following_session_goes_on_from_the_close(market):
    """Its year ends with the day that was, and its closes are that day's."""
    after = market.following(NEXT)

    assert after.closes == {symbol: market.minutes(symbol)[-1, 4] for symbol in market.symbols}
    assert np.array_equal(after.daily_history("KO")[:-1], market.daily_history("KO")[1:])
    low, high = market.minutes("KO")[:, 3].min(), market.minutes("KO")[:, 2].max()
    assert after.daily_history("KO")[-1, [0, 2, 3]].tolist() == [OPEN, high, low]


def test_a_session_can_go_on_from_known_closes(market):
    """What is known is kept to the cent; nothing known is a market of its own."""
    known = EmbeddedMarket.for_session(3, *SESSION, previous_closes={"KO": 77.77})

    assert known.closes == {**market.closes, "KO": 77.77}
    assert known.minutes("KO")[0, 1] == pytest.approx(77.77, rel=0.1)
    assert EmbeddedMarket.for_session(3, *SESSION).closes == market.closes


def test_a_half_day_is_a_day_of_fewer_quotes():
    """Three and a half hours have about their share of the quotes, and end soon after their close."""
    short = EmbeddedMarket(3, ("2024-07-03", OPEN, OPEN + 12_600 * SECOND))
    times = [at_ns for at_ns, _ in short.quotes()]

    assert 80_000 <= len(times) <= 140_000
    assert OPEN + 12_600 * SECOND < times[-1] < OPEN + 13_600 * SECOND
