"""Each fault switch of the fake Capital.com by a test of its name."""

import asyncio

import aiohttp
import pytest
from websockets.exceptions import ConnectionClosed

from joed.daemon.clock import RealClock
from joed.exchange import laws
from joed.model.values import HOUR
from joed.sim.loop import START_NS
from tests.fakes.capital import FakeCapital
from tests.fakes.capital.faults import BOMB_BYTES
from tests.fakes.capital_rig import Client, exchange_of, gold, with_client

ORDER = {"epic": "GOLD", "direction": "BUY", "size": 1, "stopLevel": 2_380}
POST = ("POST", "/positions")


def test_the_answer_to_a_post_is_lost_and_the_order_is_carried_out():
    """The connection is reset before a byte of it; the position is there."""

    async def scenario(fake, client):
        trick = fake.faults.lose_answer(*POST)
        with pytest.raises(aiohttp.ClientOSError, match="Connection reset by peer"):
            await client.call(*POST, ORDER)
        return trick.seen, len(await client.positions()), fake.asked(*POST)

    assert with_client(scenario) == (1, 1, 1)


async def test_on_real_sockets_a_lost_answer_is_a_reset_too():
    """As on the virtual loop: an error of the connection, not its end."""
    fake = FakeCapital(exchange_of(), RealClock())
    await fake.listen()
    gold(fake)
    async with aiohttp.ClientSession() as http:
        client = Client(fake, http)
        await client.login()
        fake.faults.lose_answer(*POST)
        with pytest.raises(aiohttp.ClientOSError, match="Connection reset by peer"):
            await client.call(*POST, ORDER)
        count = len(await client.positions())
        async with client.stream() as frames:
            fake.stream.cut()
            with pytest.raises(ConnectionClosed):
                await frames.socket.recv()
    await fake.stop()

    assert count == 1


def test_the_request_is_lost_and_nothing_is_carried_out():
    """To the client both look the same."""

    async def scenario(fake, client):
        fake.faults.lose_request(*POST)
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.call(*POST, ORDER)
        return await client.positions()

    assert with_client(scenario) == []


def test_an_answer_is_torn_in_its_body():
    """The head promised more."""

    async def scenario(fake, client):
        fake.faults.tear(*POST)
        with pytest.raises(aiohttp.ClientError):
            await client.call(*POST, ORDER)
        return len(await client.positions())

    assert with_client(scenario) == 1


def test_an_answer_is_whole_http_with_half_the_json():
    """Nothing but the JSON tells."""

    async def scenario(fake, client):
        fake.faults.truncate(*POST)
        with pytest.raises(ValueError, match="Unterminated string"):
            await client.call(*POST, ORDER)
        return len(await client.positions())

    assert with_client(scenario) == 1


def test_an_answer_comes_late():
    """Carried out at once."""

    async def scenario(fake, client):
        fake.faults.delay(*POST, seconds=8)
        before = fake.clock.now()
        status, _ = await client.call(*POST, ORDER)
        return status, round((fake.clock.now() - before) / 1e9)

    assert with_client(scenario) == (200, 8)


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_request_hangs(carried_out):
    """Whether it was carried out only the account can tell."""

    async def scenario(fake, client):
        fake.faults.hang(*POST, carried_out=carried_out)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(15):
                await client.call(*POST, ORDER)
        return len(await client.positions())

    assert with_client(scenario) == carried_out


@pytest.mark.parametrize(
    ("throw", "status", "body"),
    [
        (lambda faults: faults.html(*POST), 502, "<html>"),
        (lambda faults: faults.empty(*POST), 504, ""),
        (lambda faults: faults.java(*POST), 500, {"errorCode": "java.util.concurrent.TimeoutException"}),
        (lambda faults: faults.too_many(*POST), 429, {"errorCode": "error.too-many.requests"}),
        (lambda faults: faults.error(*POST, "error.new.code", status=418), 418, {"errorCode": "error.new.code"}),
    ],
)
@pytest.mark.parametrize("carried_out", [True, False])
def test_an_error_is_answered_whether_or_not_the_order_was_carried_out(throw, status, body, carried_out):
    """A proxy's page, an empty body, a Java class, a storm's 429, a code that nobody knows."""

    async def scenario(fake, client):
        throw(fake.faults).carried_out = carried_out
        found, text = await client.call(*POST, ORDER)
        return found, text[: len(body)] if isinstance(text, str) else text, len(await client.positions())

    assert with_client(scenario) == (status, body, carried_out)


def test_a_storm_of_429_lasts_as_many_requests_as_it_was_given():
    """And then it is over."""

    async def scenario(fake, client):
        fake.faults.too_many("GET", "/positions", times=3)
        return [(await client.call("GET", "/positions"))[0] for _ in range(4)]

    assert with_client(scenario) == [429, 429, 429, 200]


def test_a_bomb_is_large():
    """Eight MiB of JSON where a few bytes were expected."""

    async def scenario(fake, client):
        fake.faults.bomb("GET", "/accounts")
        return len((await client.get("/accounts"))["x"])

    assert with_client(scenario) == BOMB_BYTES


def test_all_of_rest_is_dead_until_it_is_not():
    """Logins too; the stream goes on."""

    async def scenario(fake, client):
        fake.faults.dead()
        async with client.stream(ping_interval=None) as frames:
            pong = await frames.say("ping")
            for method, path in (("GET", "/time"), ("POST", "/session"), ("DELETE", "/positions/1")):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(60):
                        await client.call(method, path)
        fake.faults.clear()
        return pong["status"], (await client.call("GET", "/time"))[0]

    assert with_client(scenario) == ("OK", 200)


def test_a_confirm_is_unknown_for_a_while_after_the_deal():
    """404 proves nothing: the position is there."""

    async def scenario(fake, client):
        fake.faults.confirm_delay_s = 90
        _, answer = await client.call(*POST, ORDER)
        path = f"/confirms/{answer['dealReference']}"
        early = await client.call("GET", path)
        there = len(await client.positions())
        await asyncio.sleep(90)
        return early, there, (await client.get(path))["dealStatus"]

    early = (404, {"errorCode": "error.not-found.dealReference"})
    assert with_client(scenario) == (early, 1, "ACCEPTED")


def test_a_confirm_shows_the_action_before_until_the_new_one_is_there():
    """One reference for all amendments and the close of a position."""

    async def scenario(fake, client):
        await client.buy(1, stopLevel=2_380)
        deal = (await client.positions())[0]["dealId"]
        await client.deal("PUT", f"/positions/{deal}", stopLevel=2_385)
        fake.faults.confirm_delay_s = 5
        stale = await client.deal("DELETE", f"/positions/{deal}")
        await asyncio.sleep(5)
        return stale["status"], (await client.get(f"/confirms/p_{deal}"))["status"]

    assert with_client(scenario) == ("AMENDED", "CLOSED")


def test_a_confirm_is_forgotten_after_its_time():
    """It outlives nothing."""

    async def scenario(fake, client):
        fake.faults.confirm_ttl_s = 60
        confirm = await client.buy(1)
        await asyncio.sleep(61)
        return (await client.call("GET", f"/confirms/{confirm['dealReference']}"))[0]

    assert with_client(scenario) == 404


def test_positions_lag_behind_both_ways():
    """A new one is not listed yet, a closed one still is."""

    async def scenario(fake, client):
        fake.faults.positions_lag_s = 4
        confirm = await client.buy(1)
        early = len(await client.positions())
        await asyncio.sleep(4)
        listed = len(await client.positions())
        await client.deal("DELETE", f"/positions/{confirm['affectedDeals'][0]['dealId']}")
        late = len(await client.positions())
        await asyncio.sleep(4)
        return early, listed, late, len(await client.positions())

    assert with_client(scenario) == (0, 1, 1, 0)


def test_working_orders_lag_behind():
    """As positions do."""

    async def scenario(fake, client):
        fake.faults.orders_lag_s = 4
        await client.deal("POST", "/workingorders", epic="GOLD", direction="BUY", size=1, type="LIMIT", level=2_390)
        early = len(await client.orders())
        await asyncio.sleep(4)
        return early, len(await client.orders())

    assert with_client(scenario) == (0, 1)


def test_activity_comes_a_minute_late_and_its_level_later_still():
    """Level nought first, then what it was."""

    async def scenario(fake, client):
        fake.faults.activity_delay_s, fake.faults.activity_level_delay_s = 60, 10
        await client.buy(1)
        seen = [await client.activity()]
        await asyncio.sleep(60)
        rows = [(await client.get("/history/activity", detailed="true"))["activities"]]
        await asyncio.sleep(10)
        rows.append((await client.get("/history/activity", detailed="true"))["activities"])
        return seen, [found[0]["details"]["level"] for found in rows]

    assert with_client(scenario) == ([[]], [0, 2_400])


def test_an_amendment_may_leave_what_it_does_not_name():
    """The other reading of their PUT."""

    async def scenario(fake, client):
        fake.faults.put_keeps_omitted = True
        await client.buy(1, stopLevel=2_380, profitLevel=2_450)
        deal = (await client.positions())[0]["dealId"]
        await client.deal("PUT", f"/positions/{deal}", stopLevel=2_390)
        (row,) = await client.positions()
        return row["stopLevel"], row["profitLevel"]

    assert with_client(scenario) == (2_390, 2_450)


def test_orders_that_come_too_fast_may_be_refused_by_confirm():
    """THROTTLING instead of 429."""

    async def scenario(fake, client):
        fake.faults.throttles_at_confirm = True
        answers = [await client.call(*POST, ORDER) for _ in range(2)]
        confirms = [await client.get(f"/confirms/{body['dealReference']}") for _, body in answers]
        return [status for status, _ in answers], [confirm.get("rejectReason") for confirm in confirms]

    assert with_client(scenario) == ([200, 200], [None, "THROTTLING"])


def test_orders_that_come_too_fast_get_429():
    """Within a tenth of a second of the last."""

    async def scenario(fake, client):
        return [(await client.call(*POST, ORDER))[0] for _ in range(2)]

    assert with_client(scenario) == [200, 429]


def test_the_next_order_is_rejected_for_a_reason_of_the_scenario():
    """Any word of theirs, or one that nobody knows."""

    async def scenario(fake, client):
        fake.faults.rejects = ["RISK_CHECK", "NEW_REASON"]
        first, second, third = await client.buy(1), await client.buy(1), await client.buy(1)
        return first["rejectReason"], second["rejectReason"], third["dealStatus"], laws(fake.exchange)[:1] == []

    assert with_client(scenario) == ("RISK_CHECK", "NEW_REASON", "ACCEPTED", False)


@pytest.mark.parametrize("source", ["USER", "CLOSE_OUT", "DEALER"])
def test_a_position_is_closed_from_elsewhere(source):
    """By hand in the app, for want of margin, by the dealer: activity says which."""

    async def scenario(fake, client):
        confirm = await client.buy(1, stopLevel=2_380)
        fake.close_externally(confirm["affectedDeals"][0]["dealId"], source)
        return await client.positions(), (await client.activity())[-1]

    assert with_client(scenario) == ([], (source, "POSITION", "ACCEPTED"))


def test_rules_widen_and_a_stop_that_was_good_is_refused():
    """The bound in the code is the new one."""

    async def scenario(fake, client):
        fake.widen("GOLD", 5)
        return await client.call(*POST, ORDER)

    assert with_client(scenario) == (400, {"errorCode": "error.invalid.stoploss.maxvalue: 2279.525"})


def test_the_market_closes_while_an_order_is_under_way():
    """It was taken, and is refused by confirm; the same for a close."""

    async def scenario(fake, client):
        held = await client.buy(1, stopLevel=2_380)
        fake.desk.settle_s = 1
        _, opening = await client.call(*POST, ORDER)
        _, closing = await client.call("DELETE", f"/positions/{held['affectedDeals'][0]['dealId']}")
        pending = (await client.call("GET", f"/confirms/{opening['dealReference']}"))[0]
        fake.listings["GOLD"].status = "CLOSED"
        await asyncio.sleep(1)
        paths = [f"/confirms/{body['dealReference']}" for body in (opening, closing)]
        return pending, [(await client.get(path))["rejectReason"] for path in paths], len(await client.positions())

    assert with_client(scenario) == (404, ["CLOSED_MARKET", "CLOSED_MARKET"], 1)


def test_the_hours_shift_with_the_season():
    """A client that keeps them is an hour off."""

    async def scenario(fake, client):
        listing = fake.listings["GOLD"]
        listing.hours = listing.hours | {"tue": ["01:00 - 21:00"]}
        return (await client.get("/markets/GOLD"))["snapshot"]["marketStatus"]

    assert with_client(scenario) == "CLOSED"


def test_a_bid_is_null():
    """In the snapshot, the rows and the stream."""

    async def scenario(fake, client):
        fake.listings["GOLD"].null_bid = True
        await client.buy(1)
        async with client.stream(ping_interval=None) as frames:
            await frames.say("marketData.subscribe", epics=["GOLD"])
            gold(fake, 2_401.0, 2_401.5)
            quote = (await frames.next())["payload"]
        snapshot = (await client.get("/markets/GOLD"))["snapshot"]
        row = (await client.get("/positions"))["positions"][0]["market"]
        return quote["bid"], quote["ofr"], snapshot["bid"], row["bid"]

    assert with_client(scenario) == (None, 2_401.5, None, None)


def test_fields_that_nobody_knows_are_there():
    """At the top of every answer."""

    async def scenario(fake, client):
        fake.faults.unknown_fields = True
        return "newField" in await client.get("/accounts")

    assert with_client(scenario)


def test_the_stream_is_half_open():
    """Nothing comes, not even a pong to the library's own ping, and nobody says goodbye."""

    async def scenario(fake, client):
        async with client.stream(ping_interval=20, ping_timeout=20, close_timeout=5) as frames:
            await frames.say("marketData.subscribe", epics=["GOLD"])
            fake.stream.freeze()
            gold(fake, 2_401.0, 2_401.5)
            before = fake.clock.now()
            with pytest.raises(ConnectionClosed):
                await frames.socket.recv()
            return round((fake.clock.now() - before) / 1e9)

    assert 20 <= with_client(scenario) <= 60


def test_a_stream_that_was_half_open_goes_on():
    """What was sent meanwhile is answered then."""

    async def scenario(fake, client):
        async with client.stream(ping_interval=None) as frames:
            fake.stream.freeze()
            asking = asyncio.ensure_future(frames.say("ping"))
            await asyncio.sleep(30)
            before = asking.done()
            fake.stream.thaw()
            return before, (await asking)["status"]

    assert with_client(scenario) == (False, "OK")


def test_the_feed_is_silent_while_pings_are_answered():
    """A healthy pipe for fourteen hours, and no price."""

    async def scenario(fake, client):
        fake.stream.silent = True
        async with client.stream() as frames:
            await frames.say("marketData.subscribe", epics=["GOLD"])
            for number in range(14 * 12):
                await asyncio.sleep(300)
                gold(fake, 2_401.0 + number, 2_402.0 + number)
                await client.get("/ping")
                assert (await frames.say("ping"))["status"] == "OK"
            return fake.stream.sent, round((fake.clock.now() - START_NS) / HOUR)

    assert with_client(scenario) == (0, 14)


def test_a_switch_of_accounts_silences_the_stream():
    """The socket stays; nothing comes."""

    async def scenario(fake, client):
        async with client.stream(ping_interval=None) as frames:
            await frames.say("marketData.subscribe", epics=["GOLD"])
            fake.switch_account("987654321098765432")
            gold(fake, 2_401.0, 2_401.5)
            return await frames.next(), (await frames.say("ping"))["status"]

    assert with_client(scenario) == (None, "OK")


def test_after_a_switch_the_other_accounts_deals_are_not_there():
    """Neither to be seen nor to be closed, until somebody switches back."""

    async def scenario(fake, client):
        deal = (await client.buy(1, stopLevel=2_380))["affectedDeals"][0]["dealId"]
        fake.switch_account("987654321098765432")
        path = f"/positions/{deal}"
        answers = [await client.call(method, path) for method in ("GET", "PUT", "DELETE")]
        opening = await client.call(*POST, ORDER)
        fake.switch_account(next(iter(fake.accounts)))
        return answers, opening[0], len(await client.positions())

    gone = (404, {"errorCode": "error.not-found.dealId"})
    assert with_client(scenario) == ([gone] * 3, 400, 1)


def test_the_stream_is_cut_and_refused_and_let_in_again():
    """A reset, a 503, and then as before."""

    async def scenario(fake, client):
        async with client.stream(ping_interval=None) as frames:
            fake.stream.cut()
            with pytest.raises(ConnectionClosed):
                await frames.socket.recv()
        fake.stream.refused = True
        with pytest.raises(Exception, match="503"):
            await client.stream().__aenter__()
        fake.stream.refused = False
        async with client.stream() as frames:
            return (await frames.say("ping"))["status"]

    assert with_client(scenario) == "OK"


def test_a_frame_may_say_anything():
    """Crossed prices, text that is no JSON, a hundred megabytes: what a hostile server might send."""

    async def scenario(fake, client):
        async with client.stream(ping_interval=None, max_size=1_000) as frames:
            await frames.say("marketData.subscribe", epics=["GOLD"])
            fake.stream.push_quote("GOLD", bid=2, ofr=1)
            crossed = (await frames.next())["payload"]
            fake.stream.push_raw("{")
            half = await frames.socket.recv()
            fake.stream.push_raw("x" * 100_000)
            with pytest.raises(ConnectionClosed, match="1009"):
                await frames.socket.recv()
            return crossed["bid"], half

    assert with_client(scenario) == (2, "{")
