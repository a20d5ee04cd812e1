"""The paper exchange as a process of its own."""

import asyncio
from types import SimpleNamespace

import pytest

from joed import venue
from joed.brokers.paper_remote import read_hello
from joed.daemon.clock import SimulatedClock
from joed.errors import BrokerUnavailable
from joed.market.day import Day
from joed.market.thinker import market_of
from joed.model.values import HOUR, SECOND
from tests.demos import quiet

OPEN = 1_788_269_400 * SECOND
CLOSE = OPEN + 6 * HOUR + HOUR // 2
WORDS = ("--day", "2026-09-01", str(OPEN), str(CLOSE), "--speed", "60")


def options_of(folder, origin_ns, *more):
    """Read a command line."""
    where = [str(folder / "x.sock"), str(folder / "paper.db")]
    return venue.parser().parse_args([*where, *WORDS, "--origin-ns", str(origin_ns), *more])


async def test_it_serves_its_time_and_its_account(tmp_path):
    """A daemon takes both over from its Hello, and the day's quotes come."""
    options = options_of(tmp_path, OPEN - SECOND, "--config", str(quiet(tmp_path)))
    server = venue.server_of(options)
    running = asyncio.ensure_future(server.run())
    hello = None
    while hello is None:
        await asyncio.sleep(0.01)
        try:
            hello = await asyncio.to_thread(read_hello, options.socket, 1.0)
        except BrokerUnavailable:
            continue

    server.stop()
    await running

    assert (hello.origin_ns, hello.speed, hello.account) == (OPEN - SECOND, 60.0, "PAPER-1")
    assert hello.now_ns >= OPEN - SECOND
    assert {"KO", "SPY", "VIX"} <= set(server.broker.exchange.instruments)


def test_the_markets_halts_stop_its_exchange():
    """Some seeds have one; the exchange is told at its beginning and its end."""
    markets = (market_of(Day(seed, "2026-09-01", OPEN, CLOSE)) for seed in range(1, 60))
    market = next(market for market in markets if market.halts)
    clock, heard = SimulatedClock(market.halts[0][1] - SECOND), []

    class Exchange:
        """Notes its halts."""

        def halt(self, instrument, *, halted):
            """Note one."""
            heard.append((clock.now(), instrument, halted))

    server = SimpleNamespace(broker=Exchange())
    venue.HaltingFeed(market, lambda: server).start(clock, lambda quote: None)
    while len(heard) < 2:
        assert clock.advance()

    symbol, from_ns, to_ns = market.halts[0]
    assert heard == [(from_ns, symbol, True), (to_ns, symbol, False)]


def test_a_command_line_without_its_day_is_refused(capsys):
    """It is spoken by joed alone, and whole."""
    with pytest.raises(SystemExit):
        venue.parser().parse_args(["a", "b", "--origin-ns", "1"])
    assert "--day" in capsys.readouterr().err
