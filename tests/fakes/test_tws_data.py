"""What the fake TWS tells of the market and the account: lines and their limits, history, its pacing, contracts."""

import asyncio
import math

import ib_insync
import pytest

from joed.model.events import Quote
from joed.model.values import DAY, SECOND
from tests.fakes.rig import UNIVERSE, client, desk, errors_of, house, settle, traded
from tests.fakes.tws.faults import act
from tests.fakes.tws.history import BARS_MAX, Pacing


async def test_without_permission_there_are_no_prices_and_three_of_twenty_are_named():
    """354 where live was asked for, 10168 where delayed was: a number for the one symbol, prices for the others."""
    async with desk() as (tws, ib, contract):
        errors = errors_of(ib)
        act(tws, "permit AAPL none")
        ib.reqMktData(contract)
        await settle(ib)
        ib.reqMarketDataType(3)
        ib.cancelMktData(contract)
        ib.reqMktData(contract)
        await settle(ib)

        assert [code for _, code in errors] == [354, 300, 10168]
        assert tws.market.count() == 0


async def test_delayed_prices_say_that_they_are():
    """The same fields of the ticker, another type: 10167 and the type 3 tell them apart."""
    async with desk() as (tws, ib, contract):
        errors = errors_of(ib)
        act(tws, "permit AAPL delayed")
        ib.reqMarketDataType(3)
        ticker = ib.reqMktData(contract)
        await settle(ib)

        assert ([code for _, code in errors], ticker.marketDataType, ticker.bid) == ([10167], 3, 99.9)


async def test_frozen_prices_are_given_when_the_market_is_closed():
    """Type 2, for a client that asked for it."""
    async with desk() as (tws, ib, contract):
        tws.market.frozen = True
        ib.reqMarketDataType(2)
        ticker = ib.reqMktData(contract)
        await settle(ib)

        assert (ticker.marketDataType, ticker.bid) == (2, 99.9)


async def test_a_price_that_is_not_there_is_minus_one():
    """After hours: bid and ask -1, no size; the last one stays."""
    async with desk() as (tws, ib, contract):
        ticker = ib.reqMktData(contract)
        await settle(ib)
        act(tws, "no-prices AAPL")
        await settle(ib)

        assert (ticker.bid, ticker.ask, ticker.bidSize, ticker.last) == (-1, -1, 0, 99.95)


async def test_a_halt_is_told_on_the_line():
    """Tick 49, and nothing matches until it is over."""
    async with desk() as (tws, ib, contract):
        ticker = ib.reqMktData(contract)
        await settle(ib)
        act(tws, "halt AAPL")
        await settle(ib)
        assert ticker.halted == 1
        errors = errors_of(ib)
        await traded(ib, contract, [ib_insync.MarketOrder("BUY", 1)])
        assert [code for _, code in errors] == [201]

        act(tws, "halt AAPL off")
        await settle(ib)
        assert ticker.halted == 0


async def test_vix_is_an_index_that_has_a_last_price_only():
    """No bid, no ask, no size."""
    async with desk() as (tws, ib, _contract):
        (vix,) = await ib.qualifyContractsAsync(ib_insync.Index("VIX", "CBOE", "USD"))
        ticker = ib.reqMktData(vix)
        tws.quote(Quote("VIX", 15.2, 15.3, 15.25))
        await settle(ib)

        assert vix.conId == 13455763
        assert ticker.last == 15.25
        assert math.isnan(ticker.bid)
        assert math.isnan(ticker.ask)


async def test_a_symbol_without_a_price_yet_opens_a_line_that_says_nothing():
    """What nobody has quoted stays NaN until somebody does."""
    async with desk() as (tws, ib, _contract):
        (msft,) = await ib.qualifyContractsAsync(ib_insync.Stock("MSFT", "SMART", "USD"))
        ticker = ib.reqMktData(msft)
        await settle(ib)
        assert math.isnan(ticker.bid)

        tws.quote(Quote("MSFT", 411.0, 411.1))
        await settle(ib)
        assert (ticker.bid, math.isnan(ticker.last)) == (411.0, True)


async def test_lines_are_limited_over_all_clients():
    """101 beyond the limit; a line that was given back is free again."""
    async with desk() as (tws, ib, contract), client(tws, 18) as other:
        act(tws, "lines 1")
        errors = errors_of(other)
        ib.reqMktData(contract)
        await settle(ib)
        other.reqMktData(contract)
        await settle(other)
        assert [code for _, code in errors] == [101]

        ib.cancelMktData(contract)
        await settle(ib)
        other.reqMktData(ib_insync.Stock(conId=contract.conId, exchange="SMART"))
        await settle(other)
        assert tws.market.count() == 1


async def test_a_line_of_a_client_that_went_is_free():
    """Lines belong to connections."""
    async with desk() as (tws, ib, contract):
        ib.reqMktData(contract)
        await settle(ib)
        ib.disconnect()
        async with client(tws) as back:
            await settle(back)
            assert tws.market.count() == 0


async def test_a_snapshot_ends_and_leaves_no_line():
    """The prices, then the end."""
    async with desk() as (tws, ib, contract):
        (ticker,) = await ib.reqTickersAsync(contract)

        assert (ticker.bid, tws.market.count()) == (99.9, 0)


async def test_tick_by_tick_is_for_a_few_and_not_for_an_index():
    """BidAsk and Last as they come; 10190 beyond the few, 10189 for VIX."""
    async with desk() as (tws, ib, contract):
        (vix,) = await ib.qualifyContractsAsync(ib_insync.Index("VIX", "CBOE", "USD"))
        quotes, trades = ib.reqTickByTickData(contract, "BidAsk"), ib.reqTickByTickData(contract, "Last")
        await settle(ib)
        seen = []
        quotes.updateEvent += lambda ticker: seen.extend(ticker.tickByTicks)
        tws.quote(Quote("AAPL", 101.0, 101.1, 101.1, 2000.0))
        await settle(ib)
        assert {type(tick).__name__ for tick in seen} == {"TickByTickBidAsk", "TickByTickAllLast"}
        assert trades is quotes

        errors = errors_of(ib)
        ib.reqTickByTickData(vix, "Last")
        for _ in range(4):
            ib.client.reqTickByTickData(ib.client.getReqId(), contract, "MidPoint", 0, False)
        await settle(ib)
        assert [code for _, code in errors] == [10189, 10190]


async def test_a_ticker_id_is_one_line_and_a_line_that_is_not_there_cannot_be_closed():
    """102 and 300."""
    async with desk() as (_tws, ib, contract):
        errors = errors_of(ib)
        ib.client.reqMktData(900, contract, "", False, False, [])
        ib.client.reqMktData(900, contract, "", False, False, [])
        ib.client.cancelMktData(901)
        await settle(ib)

        assert errors == [(900, 102), (901, 300)]


async def test_unknown_and_ambiguous_contracts_are_none():
    """200 for both where something is asked of them; a list of two where only a description was asked for."""
    async with desk() as (tws, ib, _contract):
        errors = errors_of(ib)
        tws.directory.ambiguous.add("MSFT")
        two = await ib.reqContractDetailsAsync(ib_insync.Stock("MSFT", "SMART", "USD"))
        none = await ib.reqContractDetailsAsync(ib_insync.Stock("NOPE", "SMART", "USD"))
        ib.reqMktData(ib_insync.Stock("MSFT", "SMART", "USD"))
        ib.placeOrder(ib_insync.Stock("MSFT", "SMART", "USD"), ib_insync.MarketOrder("BUY", 1))
        one = await ib.qualifyContractsAsync(ib_insync.Stock("MSFT", "SMART", "USD", primaryExchange="NASDAQ"))

        assert (len(two), len(none), len(one)) == (2, 0, 1)
        assert [code for _, code in errors] == [200, 200, 200]


def daily(name, from_ns, to_ns, interval_ns):
    """Give bars of an interval, all alike."""
    first = -(-from_ns // interval_ns) * interval_ns
    return [(at, 1.0, 2.0, 0.5, 1.5, 100.0) for at in range(first, to_ns, interval_ns)]


async def test_history_comes_in_bars_of_the_size_that_was_asked_for():
    """Ten days of days; the last ends before now."""
    async with house(bars=daily) as tws, client(tws) as ib:
        bars = await ib.reqHistoricalDataAsync(
            ib_insync.Stock("AAPL", "SMART", "USD"), "", "10 D", "1 day", "TRADES", 1
        )

        assert len(bars) == 10
        assert (bars[0].open, bars[0].close, bars[0].volume) == (1.0, 1.5, 100)
        assert bars[-1].date.toordinal() * DAY - bars[0].date.toordinal() * DAY == 9 * DAY


async def test_history_is_bounded_and_dated_in_seconds_where_that_was_asked_for():
    """As formatDate 2 has it; never more than the longest answer."""
    async with house(bars=daily) as tws, client(tws) as ib:
        stock = ib_insync.Stock("AAPL", "SMART", "USD")
        bars = await ib.reqHistoricalDataAsync(stock, "", "3 D", "30 secs", "TRADES", 1, formatDate=2)

        assert len(bars) == BARS_MAX
        assert int((bars[1].date - bars[0].date).total_seconds()) * SECOND == 30 * SECOND


async def asked(ib, count, **more):
    """Ask for history so often and give the codes that came."""
    errors, stock = errors_of(ib), ib_insync.Stock("AAPL", "SMART", "USD")
    for n in range(count):
        days = more.get("days") or f"{n + 1} D"
        await asyncio.wait_for(ib.reqHistoricalDataAsync(stock, "", days, "1 day", more.get("what", "TRADES"), 1), 5)
    return [code for _, code in errors]


async def test_history_that_is_asked_for_too_often_is_refused():
    """The same within 15 s, or six of one contract within 2 s: 162, and the text says pacing."""
    async with house(bars=daily) as tws, client(tws) as ib:
        assert await asked(ib, 2, days="5 D") == [162]
    async with house(bars=daily) as tws, client(tws) as ib:
        assert await asked(ib, 6) == [162]


@pytest.mark.parametrize(("what", "allowed"), [("TRADES", 60), ("BID_ASK", 30)])
def test_sixty_requests_in_ten_minutes_are_enough(what, allowed):
    """BID_ASK counts twice; after ten minutes they are forgotten."""
    pacing = Pacing()
    refused = [pacing.breach(n * 3.0, (n, what), "AAPL") for n in range(allowed)]
    assert refused == [False] * allowed

    assert pacing.breach(allowed * 3.0, (-1, what), "AAPL")
    assert not pacing.breach(allowed * 3.0 + 600.0, (-2, what), "AAPL")


async def test_history_of_nothing_says_so():
    """162 as well: the text decides; a size that is none is 321."""
    async with house() as tws, client(tws) as ib:
        said = []
        ib.errorEvent += lambda _request, code, words, _contract: said.append((code, "no data" in words))
        stock = ib_insync.Stock("AAPL", "SMART", "USD")
        assert not await ib.reqHistoricalDataAsync(stock, "", "5 D", "1 day", "TRADES", 1)
        assert not await ib.reqHistoricalDataAsync(stock, "", "5 D", "1 fortnight", "TRADES", 1)
        ib.client.cancelHistoricalData(77)
        await settle(ib)

        assert said == [(162, True), (321, False), (366, False)]


async def test_the_account_is_told_to_the_cent():
    """Summary, values and profit are the exchange's own; the third summary at a time is refused."""
    async with desk() as (tws, ib, contract):
        await traded(ib, contract, [ib_insync.MarketOrder("BUY", 10)])
        tws.quote(Quote("AAPL", 101.9, 102.1))
        summary = {row.tag: row.value for row in await ib.accountSummaryAsync()}

        assert summary["TotalCashValue"] == str(tws.exchange.book.cash) == "98999.00"
        assert summary["NetLiquidation"] == "100019.00"
        profit = ib.reqPnL("DU1234567")
        await settle(ib)
        assert (profit.unrealizedPnL, profit.realizedPnL) == (20.0, 0.0)
        errors = errors_of(ib)
        for request in (901, 902):
            ib.client.reqAccountSummary(request, "All", "NetLiquidation")
        await settle(ib)
        assert errors == [(902, 322)]


async def test_with_several_accounts_each_order_names_its_own():
    """435 without one, 321 with a stranger's; the other account's positions are told too, and are not ours."""
    async with house() as tws:
        tws.accounts.append("DU7654321")
        tws.other_positions["DU7654321"] = {"MSFT": (5, 400.0)}
        async with client(tws) as ib:
            assert ib.managedAccounts() == ["DU1234567", "DU7654321"]
            errors = errors_of(ib)
            stock = ib_insync.Stock("AAPL", "SMART", "USD")
            for account in ("", "U1", "DU1234567"):
                ib.placeOrder(stock, ib_insync.MarketOrder("BUY", 1, account=account))
            await settle(ib)

            assert [code for _, code in errors] == [435, 321]
            held = {(row.account, row.contract.symbol): row.position for row in await ib.reqPositionsAsync()}
            assert held == {("DU1234567", "AAPL"): 1, ("DU7654321", "MSFT"): 5}


async def test_the_market_may_be_any_that_an_exchange_lists():
    """Currencies go by their pair, stocks by SMART, each under an id of its own."""
    async with house() as tws, client(tws) as ib:
        found = await ib.reqContractDetailsAsync(ib_insync.Contract(conId=265598))
        assert found[0].contract.symbol == "AAPL"
        assert set(tws.directory.by_name) == set(UNIVERSE)


@pytest.mark.parametrize("words", ["API\0", "GET / HTTP/1.1\r\n\r\n", "API\0\xff\xff\xff\xf0", "API\0\0\0\0\3abc"])
async def test_who_does_not_speak_the_wire_is_hung_up_on(words):
    """No answer, no crash; the next client is served."""
    async with house() as tws:
        reader, writer = await asyncio.open_connection("127.0.0.1", tws.port)
        writer.write(words.encode("latin-1"))
        if words != "API\0":
            assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        async with client(tws) as ib:
            await settle(ib)
