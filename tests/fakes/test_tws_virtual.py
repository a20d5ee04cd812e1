"""The fake TWS inside the virtual-time loop: the same code, no socket, no waiting, and the same bytes in every run."""

import asyncio
from contextlib import asynccontextmanager

import ib_insync
import pytest

from joed.exchange import laws
from joed.model.events import Quote
from joed.sim.loop import LoopClock, run
from tests.fakes.rig import bracket, ended, errors_of, exchange_of
from tests.fakes.tws import FakeTws
from tests.fakes.tws.faults import act, play

PORT = 4002
DAY = """
10   quote AAPL 98.8 98.9      # the entry fills
20   1100
21   quote AAPL 110.0 110.1    # the target fills, unheard
30   1102 silent
60   restart 20 2
90   manual BUY 3 AAPL
100  late execDetails 0.5 1
100  quote AAPL 97.0 97.1
"""


@asynccontextmanager
async def house(loop, **options):
    """Give a TWS on the loop's network and by its time."""
    tws = FakeTws(exchange_of(), LoopClock(loop), **options)
    await tws.listen(PORT)
    tws.quote(Quote("AAPL", 99.9, 100.0, 99.95, 1000.0))
    try:
        yield tws
    finally:
        tws.stop()
        await asyncio.sleep(1)  # of the loop's time: both ends hear of it


async def visitor(client_id=17, timeout_s=10):
    """Give a connected ib_insync."""
    ib = ib_insync.IB()
    await ib.connectAsync("127.0.0.1", PORT, clientId=client_id, timeout=timeout_s)
    return ib


def test_an_order_takes_the_latency_and_its_report_takes_it_again():
    """50 ms there, 50 ms back, in the loop's own time."""

    async def main(loop):
        async with house(loop, latency_s=0.05) as tws:
            ib = await visitor()
            (contract,) = await ib.qualifyContractsAsync(ib_insync.Stock("AAPL", "SMART", "USD"))
            sent = loop.time()
            trade = ib.placeOrder(contract, ib_insync.MarketOrder("BUY", 1))
            await trade.filledEvent
            took = loop.time() - sent
            ib.disconnect()
            return took, tws.exchange.position("AAPL")

    took, held = run(main)
    assert 0.1 <= took < 0.11
    assert held == 1


def test_an_open_port_promises_nothing():
    """Accepted and left alone, shaken hands with and left alone, or up without a login: never ready."""

    async def main(loop, state):
        async with house(loop) as tws:
            heard = []
            act(tws, f"gateway {state}")
            tws.journal = lambda way, _client, fields: heard.append((way, fields[0]))
            with pytest.raises(asyncio.TimeoutError):
                await visitor()
            return heard

    assert run(lambda loop: main(loop, "mute")) == []
    assert run(lambda loop: main(loop, "silent")) == [("<<", "71")]
    assert run(lambda loop: main(loop, "login")) == [("<<", "71"), (">>", 15)]


ENDS = ("positionEnd", "openOrderEnd", "completedOrdersEnd", "accountDownloadEnd")


@pytest.mark.parametrize("name", [*ENDS, "execDetailsEnd"])
def test_an_end_that_never_comes_leaves_a_client_that_believes(name):
    """ib_insync says it is connected all the same, but for the executions' end: the adapter has to look for itself."""

    async def main(loop):
        async with house(loop) as tws:
            act(tws, f"drop {name}")
            ib = await visitor()
            believes = ib.isConnected()
            ib.disconnect()
            return believes

    if name in ENDS:
        assert run(main)
    else:
        with pytest.raises(asyncio.TimeoutError):
            run(main)


@pytest.mark.parametrize("gone", [False, True])
def test_a_client_id_in_use_is_refused_by_its_number(gone):
    """326, and the connection ends; it is in use too while TWS believes in a connection whose cable was pulled."""

    async def main(loop):
        async with house(loop) as tws:
            first, second = await visitor(), ib_insync.IB()
            if gone:
                act(tws, "cable 60")
            errors = errors_of(second)
            with pytest.raises((asyncio.TimeoutError, ConnectionError)):
                await second.connectAsync("127.0.0.1", PORT, clientId=17, timeout=10)
            await asyncio.sleep(60)
            alive = tws.clients.get(17) is not None
            if gone:
                (await visitor()).disconnect()
            first.disconnect()
            return errors, alive

    assert run(main) == ([(-1, 326)], not gone)


def test_a_pulled_cable_is_seen_by_nothing_but_a_question():
    """An hour passes and the client believes; the question of 5 s is what tells."""

    async def main(loop):
        async with house(loop) as tws:
            ib = await visitor()
            act(tws, "cable 60")
            await asyncio.sleep(3600)
            assert ib.isConnected()
            asked = loop.time()
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(ib.reqCurrentTimeAsync(), 5)
            ib.disconnect()
            again = await visitor()
            again.disconnect()
            return loop.time() - asked

    assert 5.0 <= run(main) < 5.1


def test_a_gateway_that_restarts_refuses_and_comes_back():
    """Down for 20 s: refused until then, and after it the orders are there."""

    async def main(loop):
        async with house(loop) as tws:
            ib = await visitor()
            (contract,) = await ib.qualifyContractsAsync(ib_insync.Stock("AAPL", "SMART", "USD"))
            for order in bracket(ib, level=99.0):
                ib.placeOrder(contract, order)
            await asyncio.sleep(1)
            act(tws, "restart 20 3")
            await ended(ib)
            with pytest.raises(ConnectionRefusedError):
                await visitor()
            await asyncio.sleep(20.1)
            back = await visitor()
            found = sorted(order.orderRef for order in back.openOrders())
            back.disconnect()
            return found, tws.desk.next_id

    found, next_id = run(main)
    assert found == ["E1", "E1-S", "E1-T"]
    assert next_id <= 6


def played():
    """Play a day of faults and give every message that was seen, with its time."""
    said = []

    async def main(loop):
        async with house(loop) as tws:
            tws.journal = lambda *words: said.append((loop.time(), *words))
            play(tws, DAY)
            ib = await visitor()
            (contract,) = await ib.qualifyContractsAsync(ib_insync.Stock("AAPL", "SMART", "USD"))
            ib.reqMktData(contract)
            for order in bracket(ib, level=99.0):
                ib.placeOrder(contract, order)
            await asyncio.sleep(85)
            back = await visitor()
            await asyncio.sleep(60)
            back.disconnect()
            return [fill.execution.orderRef for fill in back.fills()], tws

    return (*run(main), said)


def test_a_day_of_faults_is_the_same_day_again():
    """Message for message, to the nanosecond; and the exchange's laws hold whatever was said on the wire."""
    fills, tws, first = played()
    *_, second = played()

    assert first == second
    assert len(first) > 100
    assert fills[:2] == ["E1", "E1-T"]
    assert tws.exchange.own("AAPL") == 0
    assert laws(tws.exchange) == []
