"""The stream of the fake Capital.com, seen by a plain websockets client."""

import asyncio
import json
import random
from itertools import pairwise

import aiohttp
import pytest
from websockets.exceptions import ConnectionClosed

from joed.exchange import Exchange
from joed.market.embedded import Feed
from joed.model.values import SECOND
from joed.sim.loop import START_NS, LoopClock, VirtualLoop, run
from tests.fakes.capital import FakeCapital
from tests.fakes.capital.__main__ import FileMarket
from tests.fakes.capital_rig import PAPER, Client, gold, with_client


def watching(scenario, **options):
    """Run a scenario with a stream that has subscribed to gold."""

    async def outer(fake, client):
        async with client.stream(ping_interval=None, **options) as frames:
            answer = await frames.say("marketData.subscribe", epics=["GOLD"])
            assert answer["payload"] == {"subscriptions": {"GOLD": "PROCESSED"}}
            return await scenario(fake, client, frames)

    return with_client(outer)


def test_a_quote_is_pushed_as_it_changes():
    """`ofr`, quantities and milliseconds; the same price again is no news; nothing is sent at the start."""

    async def scenario(fake, client, frames):
        assert await frames.next(60) is None
        gold(fake, 2_401.0, 2_401.5)
        gold(fake, 2_401.0, 2_401.5)
        first, second = await frames.next(), await frames.next()
        return first, second

    first, second = watching(scenario)

    assert first["destination"] == "quote"
    assert "correlationId" not in first
    assert first["payload"] | {"timestamp": 0} == {
        "epic": "GOLD", "product": "CFD", "bid": 2_401.0, "bidQty": 1e6, "ofr": 2_401.5, "ofrQty": 1e6, "timestamp": 0,
    }  # fmt: skip
    assert first["payload"]["timestamp"] >= START_NS // 1_000_000 + 60_000
    assert second is None


def test_what_is_unsubscribed_is_pushed_no_more():
    """The answer repeats the epics."""

    async def scenario(fake, client, frames):
        answer = await frames.say("marketData.unsubscribe", epics=["GOLD"])
        gold(fake, 2_401.0, 2_401.5)
        return answer["payload"], await frames.next()

    assert watching(scenario) == ({"subscriptions": {"GOLD": "PROCESSED"}}, None)


def test_an_unknown_epic_fails_alone():
    """The others of its frame are PROCESSED."""

    async def scenario(fake, client, frames):
        return (await frames.say("marketData.subscribe", epics=["AAPL", "NONE"]))["payload"]["subscriptions"]

    assert watching(scenario) == {"AAPL": "PROCESSED", "NONE": "error.invalid.epic"}


def test_more_than_forty_epics_are_refused_together():
    """Forty are streamed, with the one that was there before thirty-nine more."""

    async def scenario(fake, client, frames):
        for number in range(40):
            fake.listings[f"E{number}"] = fake.listings["AAPL"]
        over = await frames.say("marketData.subscribe", epics=[f"E{number}" for number in range(40)])
        fits = await frames.say("marketData.subscribe", epics=[f"E{number}" for number in range(39)])
        return over["status"], over["payload"]["errorCode"], fits["status"]

    assert watching(scenario) == ("ERROR", "error.invalid.max.epics", "OK")


def test_subscriptions_count_with_the_requests():
    """Ten a second in all; the answer is an error frame."""

    async def scenario(fake, client, frames):
        answers = [await frames.say("marketData.subscribe", epics=["GOLD"]) for _ in range(10)]
        return answers[0]["status"], answers[-1]["payload"]["errorCode"]

    assert watching(scenario) == ("OK", "error.too-many.requests")


def test_an_error_repeats_the_request_with_its_tokens():
    """Which is why nobody may log it."""

    async def scenario(fake, client, frames):
        fake.door.revoke_all()
        refused = await frames.say("ping")
        fake.stream.errors_on_top = True
        return refused, await frames.say("ping"), client.tokens["CST"]

    inside, on_top, token = watching(scenario)

    assert inside["payload"]["errorCode"] == on_top["errorCode"] == "error.invalid.session.token"
    assert inside["payload"]["cst"] == on_top["payload"]["cst"] == token
    assert "errorCode" not in on_top["payload"]


def test_a_revoked_token_is_not_seen_by_a_stream_that_only_listens():
    """Quotes go on; every later subscription fails."""

    async def scenario(fake, client, frames):
        fake.door.revoke_all()
        gold(fake, 2_401.0, 2_401.5)
        quote = await frames.next()
        return quote["destination"], (await frames.say("marketData.subscribe", epics=["AAPL"]))["status"]

    assert watching(scenario) == ("quote", "ERROR")


@pytest.mark.parametrize("text", ["{", "[]", '{"correlationId": 1}'])
def test_what_is_no_message_is_answered_by_an_error(text):
    """And the connection stays."""

    async def scenario(fake, client, frames):
        await frames.socket.send(text)
        answer = await frames.next()
        return answer["status"], (await frames.say("ping"))["payload"], (await frames.say("nonsense"))["status"]

    assert watching(scenario) == ("ERROR", {}, "ERROR")


def test_a_stream_without_a_frame_for_ten_minutes_is_ended():
    """Pings keep it; the stream's pings do not keep the REST session."""

    async def scenario(fake, client, frames):
        for _ in range(3):
            await asyncio.sleep(590)
            await frames.socket.send(json.dumps({"destination": "ping", "correlationId": "x"}))
        rest = await client.call("GET", "/ping")
        await asyncio.sleep(700)
        for _ in range(3):
            assert await frames.next()
        with pytest.raises(ConnectionClosed):
            await frames.socket.recv()
        return rest[0], fake.stream.connections

    assert watching(scenario) == (401, [])


def test_the_edge_may_cut_a_quiet_stream_after_a_minute():
    """Without a goodbye: 1006."""

    async def scenario(fake, client):
        fake.stream.edge_idle_s = 60
        async with client.stream(ping_interval=None) as frames:
            await asyncio.sleep(59)
            await frames.say("ping")
            await asyncio.sleep(59)
            alive = (await frames.say("ping"))["status"]
            with pytest.raises(ConnectionClosed) as closed:
                await frames.socket.recv()
            return alive, closed.value.rcvd

    assert with_client(scenario) == ("OK", None)


def bars(scenario, **options):
    """Run a scenario with a stream that wants gold's minutes, half a minute into one."""

    async def outer(fake, client):
        vars(fake.stream).update(options)
        async with client.stream(ping_interval=None) as frames:
            answer = await frames.say("OHLCMarketData.subscribe", epics=["GOLD"], resolutions=["MINUTE"])
            assert answer["payload"] == {"subscriptions": {"GOLD:MINUTE:classic": "PROCESSED"}}
            await asyncio.sleep(30)
            gold(fake, 2_405.0, 2_405.5)
            return await scenario(fake, frames)

    return with_client(outer)


def at_s(fake):
    """Give the seconds since the beginning."""
    return round((fake.clock.now() - START_NS) / SECOND)


def test_a_bar_comes_at_its_close_for_bids_and_for_asks():
    """With the time of its open, and no volume; the next minute, without a quote, has none."""

    async def scenario(fake, frames):
        first, second = await frames.next(60), await frames.next(60)
        return at_s(fake), first["payload"], second["payload"]["priceType"], await frames.next(90)

    closed, first, other, later = bars(scenario)

    assert closed == 60
    assert first == {
        "resolution": "MINUTE", "epic": "GOLD", "type": "classic", "priceType": "bid", "t": START_NS // 1_000_000,
        "o": 2_399.5, "h": 2_405.0, "l": 2_399.5, "c": 2_405.0,
    }  # fmt: skip
    assert other == "ask"
    assert later is None


@pytest.mark.parametrize(("late_s", "closed"), [(7.0, 67), (-5.0, 55)])
def test_a_bar_may_come_late_or_before_its_close(late_s, closed):
    """Premature ones have not all of their quotes."""

    async def scenario(fake, frames):
        await frames.next(90)
        return at_s(fake)

    assert bars(scenario, bars_late_s=late_s) == closed


@pytest.mark.parametrize("switch", [{"bars_dead": True}, {"bars_dropped": 1}])
def test_bars_may_be_dropped_or_dead_while_quotes_flow(switch):
    """The subscription is silently gone, or one event is."""

    async def scenario(fake, frames):
        assert await frames.next(60) is None
        gold(fake, 2_406.0, 2_406.5)
        return (await frames.next(60) or {}).get("destination")

    assert bars(scenario, **switch) == (None if "bars_dead" in switch else "ohlc.event")


def test_old_bars_may_be_replayed():
    """As after a reconnect: the same `t` again."""

    async def scenario(fake, frames):
        first = [await frames.next(60), await frames.next(60)]
        fake.stream.replay_bars()
        return first == [await frames.next(1), await frames.next(1)]

    assert bars(scenario)


def test_bars_can_be_given_back():
    """By epic, for all resolutions and types."""

    async def scenario(fake, frames):
        answer = await frames.say("OHLCMarketData.unsubscribe", epics=["GOLD"])
        return answer["payload"]["subscriptions"], await frames.next(90)

    assert bars(scenario) == ({"GOLD:MINUTE:classic": "PROCESSED"}, None)


def test_a_client_that_does_not_read_is_cut_off(monkeypatch):
    """Its frames have a bound."""
    monkeypatch.setattr("tests.fakes.capital.stream.FRAMES_MAX", 5)

    async def scenario(fake, client, frames):
        for number in range(10):
            gold(fake, 2_401.0 + number, 2_402.0 + number)
        await asyncio.sleep(1)
        return fake.stream.connections

    assert watching(scenario) == []


def test_recorded_ticks_are_played_at_their_times(data_dir):
    """Five minutes of an ECB press conference: each change of a price is pushed once, when it happened."""
    market = FileMarket(data_dir / "fx_cfd" / "lean_oanda_eurusd_tick_2014-05-08_ECB.parquet", "2014-05-08")
    begin_ns, end_ns = 1_399_552_200 * SECOND, 1_399_552_500 * SECOND
    ticks = [(at_ns, quote) for at_ns, quote in market.file.quotes(market.day) if begin_ns <= at_ns < end_ns]
    changes = [new for old, new in pairwise([(0, None), *ticks]) if not old[1] or prices(old[1]) != prices(new[1])]

    async def main(loop):
        exchange = Exchange(market.universe(), PAPER, random.Random(7), "capital")
        fake = FakeCapital(exchange, LoopClock(loop))
        await fake.listen()
        Feed(fake.clock, iter(ticks), fake.quote).wait()
        seen = []
        async with aiohttp.ClientSession() as http:
            client = Client(fake, http)
            await client.login()
            async with client.stream(ping_interval=None) as frames:
                await frames.say("marketData.subscribe", epics=["EURUSD"])
                while frame := await frames.next(30):
                    seen.append((frame["payload"]["timestamp"], frame["payload"]["bid"], frame["payload"]["ofr"]))
        await fake.stop()
        return seen

    seen = run(main, VirtualLoop(begin_ns - SECOND, limit_s=3_600))

    assert len(seen) > 1_000
    assert seen == [(at_ns // 1_000_000, *prices(quote)) for at_ns, quote in changes]


def prices(quote):
    """Give a quote's two sides."""
    return quote.bid, quote.ask
