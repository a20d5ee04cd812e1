"""The stream: JSON over a WebSocket at /connect, tokens in every message, quotes on change, bars as they close."""

import asyncio
import json
from collections import deque

from aiohttp import WSMsgType, web

from joed.model.values import MINUTE, SECOND
from tests.fakes.capital.tape import RESOLUTIONS
from tests.fakes.capital.words import Refused, encoded, reset

EPICS_MAX = 40
IDLE_S = 600.0
FRAMES_MAX = 50_000
"""What waits for a client that does not read; one more ends its connection."""
MESSAGE_MAX = 1 << 20
TYPES = ("classic", "heikin-ashi")
TOO_MANY_EPICS = "error.invalid.max.epics"


class Connection:
    """One client of the stream."""

    def __init__(self, ws, transport):
        self.ws, self.transport = ws, transport
        self.epics, self.bars = {}, {}
        self.frames, self.wake = deque(), asyncio.Event()
        self.heard_ns = 0
        self.open = True

    def send(self, text):
        """Have a frame sent, in its turn."""
        if len(self.frames) >= FRAMES_MAX:
            self.abort()
            return
        self.frames.append(text)
        self.wake.set()

    async def write(self):
        """Send what there is, as long as the connection lives."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.frames:
                await self.ws.send_str(self.frames.popleft())

    def hold(self):
        """Hear nothing more of what it sends."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self):
        """Hear what waited."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def abort(self):
        """End it without a goodbye: the client sees 1006."""
        self.open = False
        if self.transport is not None:
            self.transport.abort()


class Stream:
    """All connections, and the stream's switches."""

    def __init__(self, fake):
        self.fake = fake
        self.connections = []
        self.silent = False
        """No quote and no bar comes, while pings are answered: a healthy pipe without a feed."""
        self.frozen = False
        """Nothing is sent or heard, not even a pong: half open (`freeze`, `thaw`)."""
        self.refused = False
        """New connections are turned away."""
        self.bars_dead = False
        self.bars_dropped = 0
        """How many of the next bars never come."""
        self.bars_late_s = 0.0
        """How long after its close a bar comes; negative is before it, while it is still forming."""
        self.errors_on_top = False
        """The errorCode of an error frame stands beside its payload, not in it."""
        self.edge_idle_s = None
        """After so long without a frame from a client the edge cuts it off."""
        self.sent = 0
        self.subscribes = 0
        self._ticking = set()
        self._last_bars = deque(maxlen=100)

    async def accept(self, request):
        """Serve one connection to its end."""
        if self.refused:
            return web.Response(status=503)
        ws = web.WebSocketResponse(autoping=False, max_msg_size=MESSAGE_MAX)
        await ws.prepare(request)
        connection = Connection(ws, request.transport)
        self.connections.append(connection)
        if self.frozen:
            connection.hold()
        self.heard(connection)
        self.watch(connection)
        writer = asyncio.create_task(connection.write())
        try:
            async for message in ws:
                await self.take(connection, message)
        except ConnectionError:
            pass
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            connection.open = False
            self.connections.remove(connection)
        return ws

    def freeze(self):
        """Be half open: the connections stand, and nothing goes either way."""
        self.frozen = True
        for connection in self.connections:
            connection.hold()

    def thaw(self):
        """Hear again, what waited first."""
        self.frozen = False
        for connection in self.connections:
            connection.resume()

    async def take(self, connection, message):
        """Take one frame."""
        self.heard(connection)
        if message.type == WSMsgType.PING:
            await connection.ws.pong(message.data)
        elif message.type == WSMsgType.TEXT:
            self.hear(connection, message.data)

    def hear(self, connection, text):
        """Answer a message; an error's payload repeats the whole request, tokens and all."""
        try:
            request = json.loads(text)
            destination = request["destination"]
        except (ValueError, TypeError, KeyError):
            connection.send(encoded({"status": "ERROR", "payload": {"errorCode": "error.invalid.request"}}).decode())
            return
        answer = {"destination": destination, "correlationId": str(request.get("correlationId", ""))}
        try:
            payload = self.answered(connection, destination, request)
            answer |= {"status": "OK", "payload": payload}
        except Refused as refusal:
            payload = dict(request) if self.errors_on_top else {"errorCode": refusal.code, **request}
            answer |= {"status": "ERROR", "payload": payload}
            answer |= {"errorCode": refusal.code} if self.errors_on_top else {}
        connection.send(encoded(answer).decode())

    def answered(self, connection, destination, request):
        """Carry a message out and give its payload."""
        session = self.fake.door.find(request.get("cst"), request.get("securityToken"), keeps=False)
        payload = request.get("payload") or {}
        if destination == "ping":
            return {}
        verbs = {
            "marketData.subscribe": self.subscribe,
            "marketData.unsubscribe": self.unsubscribe,
            "OHLCMarketData.subscribe": self.subscribe_bars,
            "OHLCMarketData.unsubscribe": self.unsubscribe_bars,
        }
        if destination not in verbs:
            raise Refused(400, "error.invalid.destination")
        limits = self.fake.door.limits
        limits.check(self.fake.clock.now(), limits.requests)
        epics = payload.get("epics")
        if not isinstance(epics, list) or not epics:
            raise Refused(400, "error.null.epics")
        return {"subscriptions": verbs[destination](connection, epics, payload, session)}

    def subscribe(self, connection, epics, payload, session):
        """Stream the quotes of these too; more than 40 in all are refused together."""
        self.subscribes += 1
        if len({*connection.epics, *epics}) > EPICS_MAX:
            raise Refused(400, TOO_MANY_EPICS)
        return {epic: self.add(connection.epics, epic, epic, session) for epic in epics}

    def add(self, kept, epic, key, session):
        """Note one subscription and give its outcome."""
        if epic not in self.fake.listings:
            return "error.invalid.epic"
        kept[key] = session
        return "PROCESSED"

    def unsubscribe(self, connection, epics, payload, session):
        """Stream the quotes of these no more."""
        for epic in epics:
            connection.epics.pop(epic, None)
        return dict.fromkeys(epics, "PROCESSED")

    def subscribe_bars(self, connection, epics, payload, session):
        """Stream bars as they close, each twice."""
        resolutions, kind = payload.get("resolutions") or ["MINUTE"], payload.get("type", "classic")
        if kind not in TYPES or any(name not in RESOLUTIONS for name in resolutions):
            raise Refused(400, "error.invalid.resolution")
        keys = {f"{epic}:{name}:{kind}": (epic, name) for epic in epics for name in resolutions}
        for name in resolutions:
            self.tick_from(name)
        if len({key.partition(":")[0] for key in (*connection.bars, *keys)}) > EPICS_MAX:
            raise Refused(400, TOO_MANY_EPICS)
        return {key: self.add(connection.bars, epic, key, session) for key, (epic, _) in keys.items()}

    def unsubscribe_bars(self, connection, epics, payload, session):
        """Stream these bars no more."""
        names, kinds = payload.get("resolutions") or tuple(RESOLUTIONS), payload.get("types") or TYPES
        keys = [f"{epic}:{name}:{kind}" for epic in epics for name in names for kind in kinds]
        gone = [key for key in keys if connection.bars.pop(key, None) is not None]
        return dict.fromkeys(gone, "PROCESSED")

    def quote(self, listing, quote):
        """Push a price to whoever has subscribed to it."""
        if not self.connections or self.silent or self.frozen:
            return
        text = None
        for connection in self.connections:
            if listing.epic in connection.epics:
                text = text or self.quote_text(listing, quote)
                self.push(connection, text)

    def quote_text(self, listing, quote):
        """Give a quote's frame; note `ofr`."""
        payload = {
            "epic": listing.epic,
            "product": "CFD",
            "bid": None if listing.null_bid else quote.bid,
            "bidQty": quote.bid_size if quote.bid_size is not None else 1_000_000.0,
            "ofr": quote.ask,
            "ofrQty": quote.ask_size if quote.ask_size is not None else 1_000_000.0,
            "timestamp": self.fake.clock.now() // 1_000_000,
        }
        return encoded({"status": "OK", "destination": "quote", "payload": payload}).decode()

    def push(self, connection, text):
        """Send something that nobody asked for."""
        self.sent += 1
        connection.send(text)

    def push_quote(self, epic, **payload):
        """Push a quote's payload as it is, whatever it says, to whoever has subscribed to the epic."""
        text = encoded({"status": "OK", "destination": "quote", "payload": {"epic": epic, **payload}}).decode()
        for connection in self.connections:
            if epic in connection.epics:
                self.push(connection, text)

    def push_raw(self, text):
        """Push any text to everybody: what a broken or hostile server might send."""
        for connection in tuple(self.connections):
            connection.send(text)

    def tick_from(self, name):
        """Begin to close the bars of a resolution."""
        if name in self._ticking:
            return
        self._ticking.add(name)
        span_ns = RESOLUTIONS[name]
        end_ns = self.fake.clock.now() // span_ns * span_ns + span_ns
        self.fake.clock.call_at(end_ns + int(self.bars_late_s * SECOND), lambda: self.tick(name, end_ns))

    def tick(self, name, end_ns):
        """Push the bars that end now, to each who wants them, and wait for the next."""
        self._ticking.discard(name)
        span_ns = RESOLUTIONS[name]
        wanted = {key for connection in self.connections for key in connection.bars if key.split(":")[1] == name}
        if not wanted:
            return
        for key in sorted(wanted):
            epic, _, kind = key.split(":")
            for row in self.fake.tape.bars(epic, span_ns, end_ns - span_ns, end_ns - span_ns):
                self.bar(key, epic, name, kind, row)
        self._ticking.add(name)
        next_ns = end_ns + span_ns
        self.fake.clock.call_at(next_ns + int(self.bars_late_s * SECOND), lambda: self.tick(name, next_ns))

    def bar(self, key, epic, name, kind, row):
        """Push one bar, its bids and its asks."""
        if self.bars_dead or self.silent or self.frozen:
            return
        if self.bars_dropped:
            self.bars_dropped -= 1
            return
        for word, prices in zip(("bid", "ask"), row[1:3], strict=True):
            payload = {"resolution": name, "epic": epic, "type": kind, "priceType": word, "t": row[0] // 1_000_000}
            payload |= dict(zip("ohlc", prices, strict=True))
            text = encoded({"status": "OK", "destination": "ohlc.event", "payload": payload}).decode()
            self._last_bars.append((key, text))
            self.push_bar(key, text)

    def push_bar(self, key, text):
        """Push a bar's frame."""
        for connection in self.connections:
            if key in connection.bars:
                self.push(connection, text)

    def replay_bars(self):
        """Push the last bars once more, as after a reconnect."""
        for key, text in tuple(self._last_bars):
            self.push_bar(key, text)

    def account_switched(self):
        """Stop all subscriptions: the connections stay, and nothing comes."""
        for connection in self.connections:
            connection.epics.clear()
            connection.bars.clear()

    def heard(self, connection):
        """Note that a client is there."""
        connection.heard_ns = self.fake.clock.now()

    def watch(self, connection):
        """End a connection whose client says nothing for ten minutes, or the edge's limit."""
        limit_s = IDLE_S if self.edge_idle_s is None else self.edge_idle_s
        due_ns = connection.heard_ns + int(limit_s * SECOND)
        if not connection.open:
            return
        if self.fake.clock.now() >= due_ns:
            connection.abort()
            return
        self.fake.clock.call_at(min(due_ns, self.fake.clock.now() + MINUTE), lambda: self.watch(connection))

    def cut(self):
        """Reset every connection."""
        for connection in tuple(self.connections):
            connection.open = False
            reset(connection.transport)
