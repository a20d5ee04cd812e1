"""One connection to TWS or Gateway, from its first byte to its last: handshake, sign of life, and what ends it.

Each has a fresh client of the library, which encodes and decodes; the socket, the framing and the time-outs are ours.
Whatever ends it is named once: the port refused, the client id taken, nobody logged in, bytes that are no message, no
sign of life. What a session carried never reaches the next.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

from joed.brokers.base import Clock
from joed.brokers.ibkr import lib
from joed.brokers.ibkr.frames import Frames, prefixed
from joed.brokers.ibkr.lib import VERSION_MAX, VERSION_MIN, Listeners, client_of, handlers_of
from joed.brokers.ibkr.pacer import Pacer, Urgency
from joed.errors import BadMessage, BrokerUnavailable
from joed.model.settings import Ibkr
from joed.model.values import SECOND

log = logging.getLogger(__name__)

HELLO = b"API\0" + prefixed(b"v%d..%d" % (VERSION_MIN, VERSION_MAX))
GREETING = 2
"""How many fields the server's greeting has: its version and its time."""
RETRY_BEAT_NS = SECOND // 4
CLOCK_OFF_S = 30
"""By how many seconds the gateway's clock and ours may differ before a person should look."""


class Session(asyncio.Protocol):
    """A connection. `on_end` hears its reason, once; `on_read` comes after all messages of one read of the socket."""

    def __init__(
        self,
        library: Any,
        settings: Ibkr,
        clock: Clock,
        pacer: Pacer,
        listeners: Listeners,
        on_read: Callable[[], None],
        on_end: Callable[["Session", str], None],
    ) -> None:
        """Prepare one; `open` connects."""
        self.ended = False
        self.reason = ""
        self.bad = False
        self.ignored = 0
        self.heard_ns = clock.now()
        self.offset_s = 0
        self.accounts: tuple[str, ...] = ()
        own: dict[str, Callable[..., None]] = {
            "nextValidId": self._take_id,
            "managedAccounts": self._take_accounts,
            "currentTime": self._take_beat,
        }
        self.client = client_of(library, {**listeners, **own})
        self._handlers = handlers_of(self.client)
        self._settings = settings
        self._clock = clock
        self._pacer = pacer
        self._on_read, self._on_end = on_read, on_end
        self._frames = Frames()
        self._asked_ns = 0
        self._has_id = False
        self._version = 0
        self._ready: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    async def open(self) -> None:
        """Connect, and come back once the gateway has told the accounts and the next order id; BrokerUnavailable."""
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        where = f"{self._settings.host}:{self._settings.port}"
        try:
            async with asyncio.timeout(self._settings.connect_s):
                await loop.create_connection(lambda: self, self._settings.host, self._settings.port)
                await self._ready
        except TimeoutError:
            self.end(self._stage(where))
        except OSError as error:
            self.end(f"{where} cannot be reached: {error.strerror or error}")
        if self.ended:
            raise BrokerUnavailable(self.reason)
        self._beat()

    def _stage(self, where: str) -> str:
        """Say how far a connection came that was not ready in time."""
        waited = f"within {self._settings.connect_s:g} s"
        if self._transport is None:
            return f"{where} does not answer {waited}"
        if not self._version:
            return f"{where} takes the connection and says nothing {waited}: is it TWS or Gateway?"
        return f"{where} is up and tells no account {waited}: is somebody logged in?"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)
        lib.begin(self.client, transport, self._settings.client_id)
        self._transport.write(HELLO)

    def data_received(self, data: bytes) -> None:
        """Take bytes; one that cannot be ends the connection."""
        self.heard_ns = self._clock.now()
        try:
            for fields in self._frames.feed(data):
                if self.ended:
                    return
                self._take(fields)
        except Exception as error:
            self.bad = True
            if not isinstance(error, BadMessage):
                log.exception("a message of the gateway could not be read")
            self.end(f"a bad message: {error}" if isinstance(error, BadMessage) else f"a bad message: {error!r}")
        if not self.ended:
            self._on_read()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, by the other side's wish or the network's."""
        self.end(str(exc) if exc else "the gateway closed the connection")

    def end(self, reason: str) -> None:
        """End it now; the first reason stays."""
        if self.ended:
            return
        self.ended, self.reason = True, reason
        self.client.conn.transport = None
        if self._transport is not None:
            self._transport.abort()
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)
        self._on_end(self, reason)

    @property
    def clogged(self) -> bool:
        """Say whether bytes still wait in this process: nothing may be handed over behind them."""
        return self._transport is None or self._transport.get_write_buffer_size() > 0

    def send(self, request: str, *values: object) -> None:
        """Write one request, by the name that the library has for it; who calls has asked the pacer."""
        getattr(self.client, request)(*values)
        assert not lib.holds_back(self.client), "the library holds a message back: our pace is to be below its own"

    def next_id(self) -> int:
        """Give a number for an order or a request, above any that was seen on this connection."""
        found: int = self.client.getReqId()
        return found

    def pass_id(self, seen: int) -> None:
        """Use no number up to this one any more."""
        self.client.updateReqId(seen + 1)

    def _take(self, fields: list[str]) -> None:
        """Take one message."""
        if not self._version:
            self._agree(fields)
            return
        handler = self._handlers.get(fields[0])
        if handler is not None:
            handler(fields)
        elif fields[0].isdigit():
            self.ignored += 1
        else:
            raise BadMessage(f"no message has the number {fields[0][:20]!r}")

    def _agree(self, fields: list[str]) -> None:
        """Take the server's version, and log in."""
        if len(fields) != GREETING or not fields[0].isdigit():
            raise BadMessage(f"no greeting: {fields[:3]!r}")
        version = int(fields[0])
        if not VERSION_MIN <= version <= VERSION_MAX:
            raise BadMessage(f"server version {version}, ours are {VERSION_MIN} to {VERSION_MAX}: update TWS")
        self._version = version
        lib.agree(self.client, version)
        self.send("startApi")

    def _take_id(self, next_id: int) -> None:
        """Go on numbering from here; a gateway that restarted may tell a lower one, which changes nothing."""
        self.client.updateReqId(next_id)
        self._has_id = True
        self._settle()

    def _take_accounts(self, names: str) -> None:
        """Learn whose login this is; Gateway tells none while nobody is logged in."""
        self.accounts = tuple(name.strip() for name in names.split(",") if name.strip())
        self._settle()

    def _settle(self) -> None:
        """Be ready once both are told."""
        if self._has_id and self.accounts and self._ready is not None and not self._ready.done():
            lib.release(self.client)
            self._ready.set_result(None)

    def _beat(self) -> None:
        """Ask for the time, and expect it: a link that is half open still looks alive, and answers nothing."""
        if self.ended:
            return
        if self._asked_ns or not self._pacer.take(Urgency.BEAT):
            self._clock.call_at(self._clock.now() + RETRY_BEAT_NS, self._beat)
            return
        self._asked_ns = asked_ns = self._clock.now()
        self.send("reqCurrentTime")
        self._clock.call_at(asked_ns + int(self._settings.silence_s * SECOND), lambda: self._expect(asked_ns))
        self._clock.call_at(asked_ns + int(self._settings.beat_s * SECOND), self._beat)

    def _expect(self, asked_ns: int) -> None:
        """End a connection that did not answer."""
        if self._asked_ns == asked_ns and not self.ended:
            self.end(f"no sign of life for {self._settings.silence_s:g} s")

    def _take_beat(self, time_s: int) -> None:
        """Take the sign of life, and how far the two clocks are apart."""
        self._asked_ns = 0
        self.offset_s = time_s - self._clock.now() // SECOND
