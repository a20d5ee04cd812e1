"""The markets that the fake TWS plays, in simulated time."""

import numpy as np
import pytest

from joed.daemon.clock import SimulatedClock
from joed.data import read
from joed.exchange import Exchange
from joed.market.embedded import EmbeddedMarket
from joed.model.events import Quote
from joed.model.settings import Paper
from joed.model.values import DAY, HOUR, MINUTE, SECOND
from joed.sim.loop import LoopClock, VirtualLoop, run
from tests.fakes.tws import FakeTws
from tests.fakes.tws.markets import FileMarket, SessionMarket, folded

NOW = 1_788_273_000 * SECOND  # 2026-09-01 14:30 UTC, an hour after the open
BARS = """\
timestamp,symbol,open,high,low,close,volume
2019-01-02 14:30:00,AAPL,154.00,154.60,153.90,154.50,40000
2019-01-03 14:30:00,AAPL,143.00,144.00,142.00,143.50,90000
"""


class Ear:
    """What a TWS is to a market: it hears quotes, halts and the day's end."""

    def __init__(self):
        self.quotes = []
        self.days = 0
        self.market = self
        self.boards = {}

    def board(self, name):
        """Give something that a close can be written on."""
        return self.boards.setdefault(name, type("Board", (), {})())

    def quote(self, quote):
        """Hear a quote."""
        self.quotes.append(quote)

    def halt(self, name, *, halted):
        """Hear of a halt."""

    def end_of_day(self):
        """Hear that the day is over."""
        self.days += 1


def test_one_session_follows_the_other_where_it_never_ends():
    """The next begins at the close, at the closing prices: a TWS that was told nothing streams on for ever."""
    clock, ear = SimulatedClock(NOW), Ear()
    market = SessionMarket.open_now(1, NOW)
    closes_ns = market.market.close_ns
    market.start(clock, ear)
    while clock.now() < closes_ns + HOUR:
        clock.advance()

    assert ear.days == 1
    assert market.market.open_ns == closes_ns
    assert ear.quotes[-1].received_ns > closes_ns
    assert {quote.instrument for quote in ear.quotes[-500:]} >= {"AAPL", "VIX"}


def test_with_a_clock_it_is_the_session_that_joeds_own_paper_market_plays():
    """Seed for seed and date for date the same quotes."""
    clock, ear = SimulatedClock(NOW), Ear()
    market = SessionMarket.of_calendar(3, NOW)
    market.start(clock, ear)
    primed = len(ear.quotes)
    for _ in range(50):
        clock.advance()

    same = EmbeddedMarket.for_session(3, "2026-09-01", market.market.open_ns, market.market.close_ns)
    expected = [quote for at_ns, quote in same.quotes() if at_ns >= NOW]
    assert ear.quotes[primed : primed + 40] == expected[:40]


def test_bars_are_of_the_year_before_and_of_the_session_so_far():
    """Days from history, minutes from the session, nothing that has not ended yet."""
    market = SessionMarket.of_calendar(1, NOW)
    opened = market.market.open_ns

    days = market.bars("AAPL", NOW - 30 * DAY, NOW, DAY)
    fives = market.bars("AAPL", opened, opened + 17 * MINUTE, 5 * MINUTE)

    assert 15 <= len(days) <= 23
    assert days[-1][0] < opened
    assert [int(row[0] - opened) // MINUTE for row in fives] == [0, 5, 10]


def test_minutes_fold_into_longer_bars():
    """First open, highest high, lowest low, last close, all of the volume; the last may be short."""
    minutes = np.array([[0, 1, 3, 0.5, 2, 10], [1, 2, 5, 1.5, 4, 20], [2, 4, 4.5, 3, 3.5, 30]], dtype=float)

    assert folded(minutes, 2).tolist() == [[0, 1, 5, 0.5, 4, 30], [2, 4, 4.5, 3, 3.5, 30]]


def test_a_file_is_a_market_of_one_of_its_days(tmp_path):
    """Its first where none is named, four prices a bar; the days before are history, and it has no shorter bars."""
    (tmp_path / "bars.csv").write_text(BARS)
    market = FileMarket(tmp_path / "bars.csv", "2019-01-03")
    clock, ear = SimulatedClock(market.first_ns), Ear()
    market.start(clock, ear)
    while clock.advance():
        pass

    assert [quote.last for quote in ear.quotes] == [143.0, 142.0, 144.0, 143.5]
    assert [row[4] for row in market.bars("AAPL", 0, clock.now(), DAY)] == [154.5]
    assert market.bars("AAPL", 0, clock.now(), MINUTE) == []
    assert FileMarket(tmp_path / "bars.csv").day == "2019-01-02"


@pytest.fixture(scope="module")
def minutes_of_2019(data_dir):
    """Give a week of minutes of real stocks."""
    return data_dir / "intraday" / "eqker_us_1min_2019.parquet"


def test_a_real_day_reaches_a_client_quote_for_quote(minutes_of_2019):
    """Every price of every minute, in its order, as a backtest of the same file sees them."""

    async def main(loop):
        import ib_insync

        market = FileMarket(minutes_of_2019)
        clock = LoopClock(loop)
        tws = FakeTws(Exchange(market.universe(), Paper(), loop), clock, bars=market.bars)
        await tws.listen(4002)
        ib = ib_insync.IB()
        await ib.connectAsync("127.0.0.1", 4002, clientId=17, timeout=10)
        heard = []
        for name in ("AAPL", "SPY", "TSLA"):
            (contract,) = await ib.qualifyContractsAsync(ib_insync.Stock(name, "SMART", "USD"))
            ticker = ib.reqMktData(contract)
            ticker.updateEvent += lambda one: heard.append(Quote(one.contract.symbol, one.bid, one.ask, one.last))
        market.start(clock, tws)
        end = loop.create_future()
        clock.call_at(market.first_ns + 7 * HOUR, lambda: end.set_result(None))
        await end
        ib.disconnect()
        tws.stop()
        return [quote for quote in heard if quote.bid == quote.bid]  # a line opens before the first price

    first_ns = FileMarket(minutes_of_2019).first_ns
    heard = run(main, VirtualLoop(first_ns - 60 * SECOND))

    file = read(minutes_of_2019, NOW)
    played = [quote for _, quote in file.quotes(file.days[0]) if quote.instrument in {"AAPL", "SPY", "TSLA"}]
    assert len(heard) == len(played) > 4000
    assert [(one.instrument, one.bid, one.ask, one.last) for one in heard] == [
        (one.instrument, one.bid, one.ask, one.last) for one in played
    ]
