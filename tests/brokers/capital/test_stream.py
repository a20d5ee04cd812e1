"""joed.brokers.capital.stream: one socket, tokens in every frame, and two watchdogs."""

import asyncio
import json
from dataclasses import replace

import pytest

from joed.brokers.capital.stream import EPICS_MAX
from joed.model.events import Quote
from joed.model.settings import Capital
from joed.model.values import SECOND
from tests.brokers.capital.place import Place
from tests.faults.measure import measured


class Watching(Place):
    """An account whose stream is watched as it is by default."""

    capital = Capital(orders_poll_s=5.0)


@pytest.fixture
def place(tmp_path):
    """Give an account that is connected, with a price."""
    place = Watching(tmp_path)
    yield place
    place.close()


def stream(place):
    """Give the adapter's stream."""
    return place.broker.feed.stream


def test_quotes_come_as_they_are_pushed(place):
    """With their sizes, our time and the broker's name."""
    now = place.clock.now()
    place.quote(99.7, 99.9, bid_size=3.0, ask_size=4.0)
    quote = place.of(Quote)[0]

    assert (quote.instrument, quote.bid, quote.ask, quote.broker, quote.source) == ("AAA", 99.7, 99.9, "paper", "")
    assert 0 <= quote.received_ns - now <= SECOND // 10


def test_a_socket_that_sends_nothing_is_made_again(tmp_path):
    """Half open: not even a pong; a new one within the silence that is allowed, before the library's pings give up."""

    class Impatient(Place):
        capital = Capital(orders_poll_s=5.0, silence_s=30.0)

    place = Impatient(tmp_path)
    place.fake.stream.freeze()
    before = stream(place).reconnects
    place.spin(35.0)
    assert stream(place).reconnects > before
    assert stream(place).reason == "no frame for 30 s"

    place.fake.stream.thaw()
    place.spin(40.0)
    place.events.clear()
    place.quote(99.6, 100.0)
    assert place.of(Quote)
    place.close()


def test_an_open_market_without_quotes_is_subscribed_to_again_then_connected_to_again_more_and_more_patiently(place):
    """A healthy pipe proves no feed; and a feed that is silent for a night is not asked for each minute of it."""
    place.fake.stream.silent = True
    subscribes, before = place.fake.stream.subscribes, stream(place).reconnects
    place.spin(130.0)
    assert place.fake.stream.subscribes == subscribes + 1
    place.spin(300.0)
    assert stream(place).reconnects == before + 1
    place.spin(3600.0)
    assert stream(place).reconnects <= before + 6


def test_a_market_that_is_shut_may_be_silent_all_weekend(place):
    """The watch for quotes looks at open markets alone; pings keep the socket."""
    for listing in place.fake.listings.values():
        listing.status = "CLOSED"
    place.loop.run_until_complete(place.broker.feed.refresh())
    before = stream(place).reconnects
    place.spin(6 * 3600.0)

    assert stream(place).reconnects == before
    assert stream(place).round_trip_ns > 0


def test_an_edge_that_cuts_idle_sockets_is_never_idle_for_us(place):
    """A minute without a frame ends it there; ours pings each quarter of one."""
    place.fake.stream.edge_idle_s = 60.0
    for listing in place.fake.listings.values():
        listing.status = "CLOSED"
    place.loop.run_until_complete(place.broker.feed.refresh())
    before = stream(place).reconnects
    place.spin(900.0)

    assert stream(place).reconnects == before
    measured("F52", recovered_s=0)  # never unwell


def test_a_reconnect_uses_tokens_that_a_request_has_just_proven(place):
    """A stream never hears that its tokens are dead: asked for over REST first."""
    place.fake.log.clear()
    place.fake.stream.cut()
    place.spin(5.0)

    assert ("GET", "/session") in [(method, path) for _, method, path in place.fake.log]
    place.events.clear()
    place.quote(99.6, 100.0)
    assert place.of(Quote)


def test_dead_tokens_on_the_stream_make_it_new(place):
    """An error frame says so; a login, a socket, the subscriptions again."""
    place.fake.stream.push_raw(
        '{"status":"ERROR","destination":"ping","payload":{"errorCode":"error.invalid.session.token"}}'
    )
    before = stream(place).reconnects
    place.spin(5.0)

    assert stream(place).reconnects == before + 1
    place.events.clear()
    place.quote(99.6, 100.0)
    assert place.of(Quote)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"destination":"quote","payload":{"epic":"AAA","bid":"x"}}',
        '{"destination":"quote","payload":{"bid":1,"ofr":2}}',
        '{"destination":"quote","payload":{"epic":"AAA","bid":null,"ofr":2}}',
        '{"destination":"quote","payload":{"epic":"AAA","bid":2,"ofr":1}}',
        '{"destination":"quote","payload":{"epic":"AAA","bid":1e999,"ofr":1e999}}',
        '{"destination":"quote","payload":[' + "[" * 2000 + "]" * 2000 + "]}",
    ],
)
def test_a_frame_that_cannot_be_what_it_claims_is_counted_and_left_out(place, text):
    """No guess, no exception, and the stream goes on."""
    place.events.clear()
    bad = stream(place).bad
    stream(place).take(text)

    assert stream(place).bad == bad + 1
    assert place.of(Quote) == []


def test_an_error_frame_shows_its_code_and_nothing_that_it_carries(place):
    """The server echoes our request, tokens and all."""
    tokens = place.broker.session.tokens
    echo = {"errorCode": "error.unknown\n", "cst": tokens.client, "securityToken": tokens.account}
    stream(place).take(json.dumps({"status": "ERROR", "destination": "x", "payload": echo}))

    assert stream(place).reason == "error.unknown?"

    stream(place).take(json.dumps({"status": "ERROR", "destination": "x", "errorCode": f"odd {tokens.client}"}))

    assert stream(place).reason == "odd ???"


def test_a_frame_of_a_hundred_megabytes_ends_the_socket_and_not_the_memory(place):
    """It is refused by its length; the stream is made again."""
    before, began_ns = stream(place).reconnects, place.clock.now()
    place.fake.stream.push_raw('{"destination":"quote","payload":"' + "x" * (2 << 20) + '"}')
    detected_s = after_s(place, began_ns, lambda: stream(place).reconnects == before + 1)
    recovered_s = after_s(place, began_ns, lambda: stream(place).up)

    place.events.clear()
    place.quote(99.6, 100.0)
    assert place.of(Quote)
    assert stream(place).reconnects == before + 1
    measured("S34", detected_s=detected_s, recovered_s=recovered_s)


def test_a_flood_of_frames_holds_up_no_later_price(place):
    """Twenty thousand at once, half of them impossible: each is read or counted, and the price behind them comes."""
    before, bad, began_ns = stream(place).reconnects, stream(place).bad, place.clock.now()
    frame = '{"status":"OK","destination":"quote","payload":{"epic":"AAA","bid":%s,"ofr":100}}'
    for number in range(20_000):
        place.fake.stream.push_raw(frame % ("99.5" if number % 2 else '"x"'))
    detected_s = after_s(place, began_ns, lambda: stream(place).bad == bad + 10_000)
    place.events.clear()
    place.quote(99.6, 100.0)

    assert place.of(Quote)[-1].bid == 99.6
    recovered_s = (place.of(Quote)[-1].received_ns - began_ns) / SECOND
    assert (stream(place).reconnects, stream(place).up) == (before, True)
    measured("S34", detected_s=detected_s, recovered_s=recovered_s)


def after_s(place, began_ns, holds):
    """Give after how many seconds from then on this held, of at most a minute."""
    while not holds():
        assert place.clock.now() - began_ns < 60 * SECOND
        place.spin(0.1)
    return (place.clock.now() - began_ns) / SECOND


def test_a_stream_that_is_told_to_go_elsewhere_stays(place):
    """The first frame holds our tokens: no other host gets it, and where the redirect ends the stream is back."""
    knocks = []

    async def elsewhere(reader, writer):
        knocks.append(await reader.read(4096))
        writer.close()

    async def moved(reader, writer):
        await reader.read(4096)
        place_elsewhere = "ws://127.0.0.1:7999/connect"
        writer.write(f"HTTP/1.1 307 x\r\nLocation: {place_elsewhere}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async def listen(handler, port):
        return await asyncio.start_server(handler, "127.0.0.1", port)

    servers = [place.loop.run_until_complete(listen(*one)) for one in ((elsewhere, 7999), (moved, 7998))]
    settings = stream(place)._settings
    began_ns = place.clock.now()
    stream(place)._settings = replace(settings, stream_url="ws://127.0.0.1:7998")
    place.fake.stream.push_raw("x" * (2 << 20))  # ends the socket of now
    detected_s = after_s(place, began_ns, lambda: stream(place).reason == "InvalidStatus")
    stream(place)._settings = settings
    recovered_s = after_s(place, began_ns, lambda: stream(place).up)

    assert knocks == []
    measured("S32", detected_s=detected_s, recovered_s=recovered_s)
    for server in servers:
        server.close()


def test_an_epic_that_is_not_streamed_is_known_by_name(place):
    """Any word but PROCESSED refuses that epic alone."""
    answer = {"subscriptions": {"AAA": "PROCESSED", "BBB": "NO_SUCH"}}
    stream(place).take(json.dumps({"status": "OK", "destination": "marketData.subscribe", "payload": answer}))

    assert stream(place).refused == {"BBB": "NO_SUCH"}


def test_a_stream_carries_forty_and_no_more(place):
    """What is beyond comes by polling."""
    stream(place).want(tuple(map(str, range(50))))

    assert len(stream(place)._wanted) == EPICS_MAX
