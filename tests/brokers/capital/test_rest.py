"""joed.brokers.capital.rest: one attempt a request, permission at its bytes, and what a failure proves."""

import asyncio
import gzip
import json

import pytest
from aiohttp import web

from joed.brokers.capital.faults import Doubted, Gone, NotSent, Refused, TooMany
from joed.brokers.capital.limiter import Lane
from joed.brokers.capital.shapes import Reference
from joed.brokers.capital.wire import decode
from joed.errors import BadMessage
from tests.brokers.capital.scripted import PORT, SECRETS, Scripted, application, play
from tests.faults.measure import measured

BODY = b'{"epic":"GOLD"}'


def post(place, **more):
    """Send one order."""
    return place.rest.call("POST", "/positions", lane=Lane.ORDER, body=BODY, **more)


def fault_of(script=None, act=post, **settings):
    """Give the fault that an order meets, and the service's record."""

    async def main(place):
        place.script.says = script or {}
        with pytest.raises(Exception) as raised:  # noqa: PT011 - which fault it is, is the case's own
            await act(place)
        return raised.value, place.script

    return play(main, **settings)


def test_an_answer_is_its_body_and_headers():
    """Nothing is looked at that nobody asked for."""

    async def act(place):
        place.script.says = {"/positions": (200, {"dealReference": "o_1"}, {"CST": "new"})}
        return await post(place)

    body, headers = play(act)

    assert json.loads(body) == {"dealReference": "o_1"}
    assert headers["cst"] == "new"


def test_a_kill_while_an_order_waits_for_its_turn_lets_no_byte_leave():
    """Permission is asked at the write: latched during the wait, nothing reaches the wire."""

    async def act(place):
        killed = False
        for _ in range(2):
            await place.rest.call("GET", "/warm", lane=Lane.ORDER)
        place.script.heard.clear()
        before = sum(link.up.carried_bytes for link in place.loop.network.links_to(PORT))
        for _ in range(6):
            await place.limiter.turn(Lane.ORDER)  # the second is full: the order has to wait
        async with asyncio.TaskGroup() as group:
            task = group.create_task(_told(post(place, permit=lambda: "killed" if killed else "")))
            await asyncio.sleep(0.5)
            killed = True
        after = sum(link.up.carried_bytes for link in place.loop.network.links_to(PORT))
        return task.result(), place.script.heard, after - before

    fault, heard, carried = play(act)

    assert isinstance(fault, NotSent)
    assert (str(fault), heard, carried) == ("killed", [], 0)


def test_a_kill_while_an_order_waits_for_a_connection_lets_no_byte_leave():
    """The pool's connections all wait for answers; when one is free the kill is there already."""

    async def act(place):
        killed = False

        async def slow(_request):
            await asyncio.sleep(3)
            return web.Response(body=b"{}")

        place.script.says = {"/slow": slow}
        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(place.rest.call("GET", "/slow", lane=Lane.KILL))
            await asyncio.sleep(1.5)
            task = group.create_task(_told(post(place, permit=lambda: "killed" if killed else "")))
            await asyncio.sleep(1)
            killed = True
        return task.result(), place.script.heard

    fault, heard = play(act)

    assert isinstance(fault, NotSent)
    assert ("POST", "/positions") not in heard
    assert len(heard) == 8


def test_a_kill_between_the_headers_and_the_body_lets_no_byte_leave():
    """Aiohttp writes both together, on some Pythons a turn of the loop later: the last look is directly before that."""

    async def act(place):
        asked = []

        def permit():
            asked.append(place.loop.time())
            return "killed"

        fault = await _told(post(place, permit=permit))
        links = place.loop.network.links_to(PORT)
        return fault, len(asked), sum(link.up.carried_bytes for link in links), place.script.heard

    fault, asked, carried, heard = play(act)

    assert isinstance(fault, NotSent)
    assert (asked, carried, heard) == (1, 0, [])


@pytest.mark.parametrize("method", ["DELETE", "PUT", "POST"])
def test_no_write_is_ever_sent_twice_however_its_connection_ends(method):
    """Aiohttp would send what it holds for idempotent anew over another connection; here that is in doubt."""

    async def act(place):
        async def reset(request):
            request.transport.abort()
            return web.Response()

        await place.rest.call("GET", "/warm", lane=Lane.ORDER)
        place.script.says = {(method, "/positions/1"): reset}
        body = b"" if method == "DELETE" else BODY
        fault = await _told(place.rest.call(method, "/positions/1", lane=Lane.ORDER, body=body))
        return fault, place.script.count(method, "/positions/1")

    fault, times = play(act)

    assert type(fault) is Doubted
    assert times == 1


def test_a_refused_connection_proves_that_nothing_left():
    """NOT_SENT: before the first byte."""

    async def act(place):
        place.loop.network.route(("127.0.0.1", PORT)).refused = True
        return await _told(post(place))

    assert type(play(act)) is NotSent


def test_an_answer_that_does_not_come_is_in_doubt():
    """A time-out after the bytes have left proves nothing."""

    async def never(_request):
        await asyncio.sleep(60)
        return web.Response()

    fault, _ = fault_of({"/positions": never}, request_timeout_s=5.0)

    assert type(fault) is Doubted
    assert str(fault) == "no answer in time"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ((502, b"<html><h1>502 Bad Gateway</h1></html>"), Doubted),
        ((502, b""), Doubted),
        ((500, {"errorCode": "java.util.concurrent.TimeoutException"}), Doubted),
        ((400, {"errorCode": "error.invalid.size"}), Refused),
        ((400, b"{"), Doubted),
        ((404, {"errorCode": "error.not-found.dealId"}), Gone),
        ((429, {"errorCode": "error.too-many.requests"}), TooMany),
        ((307, b"", {"Location": "http://127.0.0.1:8080/elsewhere"}), Doubted),
    ],
)
def test_an_answer_that_is_none_is_told_by_what_it_proves(said, kind):
    """HTML, nothing, a Java class, a code, a redirect: each by its kind; nothing is followed."""
    fault, script = fault_of({"/positions": said})

    assert type(fault) is kind
    assert script.heard == [("POST", "/positions")]


@pytest.mark.parametrize("said", [b"x" * (8 << 20), b"[" * (1 << 20)])
def test_a_body_that_is_a_bomb_is_read_to_its_bound(said):
    """Eight MiB where a reference was expected: the write is in doubt, the memory is not."""

    async def act(place):
        place.script.says = {"/positions": (200, said)}
        began = place.loop.time()
        fault = await _told(post(place))
        detected_s = place.loop.time() - began
        await place.rest.call("GET", "/accounts", lane=Lane.ORDER)
        measured("S28", detected_s=detected_s, recovered_s=place.loop.time() - began)
        return fault

    fault = play(act, answer_max_kb=512)

    assert type(fault) is Doubted
    assert "more than 524288 bytes" in str(fault)


def test_what_is_packed_is_never_unpacked():
    """Nobody asked for it: 64 MiB of nothing stay the 64 KiB that came, and are no answer."""
    packed = gzip.compress(bytes(64 << 20))

    async def act(place):
        place.script.says = {"/positions": (200, packed, {"Content-Encoding": "gzip"})}
        return await post(place)

    body, _ = play(act, answer_max_kb=512)

    assert (len(body), body == packed) == (len(packed), True)
    with pytest.raises(BadMessage):
        decode(Reference, body)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_nowhere_and_takes_no_token_along(status):
    """Neither an order nor a question is told to another host, whoever says that it lives there now."""
    other = Scripted()

    async def act(place):
        runner = web.AppRunner(application(other), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", PORT + 1).start()
        moved = (status, b"", {"Location": f"http://127.0.0.1:{PORT + 1}/api/v1/positions"})
        place.script.says = {"/positions": moved}
        began = place.loop.time()
        given = {"lane": Lane.ORDER, "headers": lambda: {"CST": SECRETS[0]}}
        faults = [
            await _told(place.rest.call(method, "/positions", body=body, **given))
            for method, body in (("POST", BODY), ("GET", b""))
        ]
        detected_s = place.loop.time() - began
        await place.rest.call("GET", "/accounts", lane=Lane.ORDER)
        measured("S32", detected_s=detected_s, recovered_s=place.loop.time() - began)
        await runner.cleanup()
        return faults, place.script.heard

    faults, heard = play(act)

    assert [type(fault) for fault in faults] == [Doubted, Doubted]
    assert heard == [("POST", "/positions"), ("GET", "/positions"), ("GET", "/accounts")]
    assert other.heard == []


def test_a_429_slows_down_what_does_not_protect():
    """The next question waits a second; nobody told us for how long it should."""

    async def act(place):
        place.script.says = {"/a": (429, {"errorCode": "error.too-many.requests"})}
        await _told(place.rest.call("GET", "/a", lane=Lane.MARKET))
        began = place.loop.time()
        await place.rest.call("GET", "/b", lane=Lane.MARKET)
        return place.loop.time() - began

    waited_s = play(act)
    measured("F54", recovered_s=waited_s)
    assert 1.0 <= waited_s < 1.1


def test_no_fault_shows_a_secret():
    """Neither what was sent nor what came back, which may be the same."""

    async def echo(request):
        return web.Response(status=400, body=await request.read())

    async def act(place):
        place.script.says = {"/positions": echo}
        body = json.dumps({"errorCode": None, "password": SECRETS[2]}).encode()
        call = place.rest.call("POST", "/positions", lane=Lane.ORDER, body=body, headers=lambda: {"CST": SECRETS[0]})
        return await _told(call)

    fault = play(act)

    assert not any(secret in str(fault) + repr(fault) for secret in SECRETS)


def test_a_service_that_tells_back_our_tokens_is_not_repeated():
    """The headers of the very request, in an errorCode: the fault says that there was one, and no more."""

    async def echo(request):
        return web.json_response({"errorCode": f"error.odd {request.headers['CST']}"}, status=400)

    async def act(place):
        place.script.says = {"/positions": echo}
        return await _told(
            place.rest.call("GET", "/positions", lane=Lane.ORDER, headers=lambda: {"CST": "token-of-now"})
        )

    assert str(play(act)) == "error.odd ??? (HTTP 400)"


async def _told(call):
    """Give what a call raises, or what it gives."""
    try:
        return await call
    except Exception as error:  # noqa: BLE001 - which it is, is the case's own
        return error
