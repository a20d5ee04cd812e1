"""The fake TWS as a program of its own: open at once, unconfigured; from a file; with faults by script."""

import asyncio
import sys
from contextlib import asynccontextmanager

import ib_insync
import pytest

from joed.market.listings import LISTINGS
from tests.fakes.rig import ended, settle
from tests.fakes.tws.__main__ import build, main, parser

BARS = """\
timestamp,symbol,open,high,low,close,volume
2019-01-02 14:30:00,AAPL,154.00,154.60,153.90,154.50,40000
2019-01-02 14:30:00,TSLA,306.00,306.60,305.90,306.50,20000
2019-01-02 14:31:00,AAPL,154.50,155.10,154.40,155.00,44000
2019-01-02 14:31:00,TSLA,306.50,307.10,306.40,307.00,22000
"""


@asynccontextmanager
async def running(*words):
    """Give the port of a TWS that runs as a process, once it says that it listens."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "tests.fakes.tws", "--port", "0", *map(str, words))
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe)
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        yield int(line.split(b" as ")[0].rpartition(b":")[2])
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def visitor(port):
    """Give an ib_insync that is connected to it."""
    ib = ib_insync.IB()
    await ib.connectAsync("127.0.0.1", port, clientId=17, timeout=20)
    try:
        yield ib
    finally:
        ib.disconnect()


async def test_unconfigured_it_streams_twenty_stocks_and_vix_at_once(tmp_path):
    """Whatever the day is: each line opens with a price, and the prices move."""
    async with running("--port-file", tmp_path / "port") as port, visitor(port) as ib:
        assert (tmp_path / "port").read_text() == f"{port}\n"
        stocks = [ib_insync.Stock(row.symbol, "SMART", "USD") for row in LISTINGS]
        contracts = await ib.qualifyContractsAsync(*stocks, ib_insync.Index("VIX", "CBOE", "USD"))
        tickers = [ib.reqMktData(contract) for contract in contracts]
        await settle(ib)

        assert len(tickers) == 21
        assert all(ticker.bid > 0 < ticker.ask for ticker in tickers[:20])
        assert tickers[20].last > 5
        assert len(await ib.reqHistoricalDataAsync(contracts[0], "", "30 D", "1 day", "TRADES", 1)) >= 15
        moved = asyncio.get_running_loop().create_future()
        ib.pendingTickersEvent += lambda some: moved.done() or moved.set_result(some)
        assert await asyncio.wait_for(moved, 20)


async def test_it_plays_a_file_by_a_clock_that_runs_faster(tmp_path):
    """Four prices a bar in the file's order, to the last close."""
    (tmp_path / "bars.csv").write_text(BARS)
    words = ("--data", tmp_path / "bars.csv", "--clock", "2019-01-02T14:29:30Z@50", "--account", "U42")
    async with running(*words) as port, visitor(port) as ib:
        assert ib.managedAccounts() == ["U42"]
        (contract,) = await ib.qualifyContractsAsync(ib_insync.Stock("AAPL", "SMART", "USD"))
        ticker, lasts = ib.reqMktData(contract), []
        done = asyncio.get_running_loop().create_future()

        def note(one):
            if one.last == one.last and (not lasts or lasts[-1] != one.last):
                lasts.append(one.last)
            if one.last == 155.0:
                done.done() or done.set_result(None)

        ticker.updateEvent += note
        await asyncio.wait_for(done, 20)

        walk = [154.0, 153.9, 154.6, 154.5, 154.4, 155.1, 155.0]
        assert lasts == walk[walk.index(lasts[0]) :]


async def test_it_fails_by_script(tmp_path):
    """From the command line and from a file."""
    (tmp_path / "faults").write_text("# soon\n0.3 close\n")
    async with running("--fault", "0.1 say 2104 hello", "--faults", tmp_path / "faults") as port, visitor(port) as ib:
        await ended(ib)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--clock", "yesterday"], "--clock takes ORIGIN@SPEED"),
        (["--clock", "2026-09-01T13:20:00Z@max"], "cannot run at speed max"),
        (["--data", "/nowhere.csv"], "no such file"),
        (["--fault", "5 cabel"], "line 1 of the faults"),
    ],
)
def test_what_it_cannot_do_it_says(words, complaint, capsys):
    """78, and the sentence."""
    assert main(["--port", "0", *words]) == 78
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--clock", "2026-09-01T15:00:00Z@1"]])
async def test_every_symbol_has_a_price_before_the_first_client(words):
    """The quotes since the open are folded into one of each; the exchange has them too, and the day's close before."""
    tws, market, clock = build(parser().parse_args(words))
    market.start(clock, tws)
    market.market.stop()

    assert set(tws.exchange.quotes) == set(market.market.symbols)
    assert all(tws.market.board(name).bid and tws.market.board(name).close for name in market.market.symbols)
