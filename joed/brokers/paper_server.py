"""The paper exchange as a process of its own: it trades on, and stays true, whatever becomes of its client.

One client trades at a time, over a Unix socket that only its owner can open; the newest one that attaches is it.
Quotes that a slow client does not take give way to newer ones; words about orders never do: a client that leaves too
many of them unread loses its link, and reads the whole book over the next.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, cast

from msgspec import Struct
from msgspec.structs import replace

from joed.brokers.base import Clock, Emit, Feed
from joed.brokers.paper import PaperBroker
from joed.brokers.paper_wire import VERSION, Attach, Frames, Hello, Shutdown, Subscribe, ToServer, frame
from joed.errors import BadMessage, BrokerUnavailable
from joed.model.commands import AmendOrder, CancelForeign, CancelOrder, Command, ReadBroker, SubmitOrder
from joed.model.events import BrokerRead, Event, Quote

LINKS_MAX = 8
UNREAD_BYTES_MAX = 16 << 20
"""How much a client may leave unread of what concerns its orders."""
IDLE_CHECK_S = 1.0


class OwnClock(Clock, Protocol):
    """The clock of this process, whose time the client takes over (`joed.daemon.clock.RealClock`)."""

    origin_ns: int
    base_ns: int
    speed: float


class PaperServer:
    """Exchange, store and feed on a clock of their own, serving one client."""

    def __init__(
        self,
        make_broker: Callable[[Emit], PaperBroker],
        feed: Feed,
        clock: OwnClock,
        path: Path,
        *,
        ends_ns: int = 0,
        idle_s: float = 600.0,
    ) -> None:
        """Serve at `path`; end by itself `idle_s` after the last client left, once `ends_ns` has passed (0: never)."""
        self.broker = make_broker(self._emit)
        self.bad_messages = 0
        self._feed = feed
        self._clock = clock
        self._path = path
        self._ends_ns = ends_ns
        self._idle_s = idle_s
        self._ended = asyncio.Event()
        self._links: list[_Link] = []
        self._client: _Link | None = None

    def stop(self) -> None:
        """End in order."""
        self._ended.set()

    async def run(self) -> None:
        """Serve until `stop`, a Shutdown frame, SIGTERM, or idleness after the market's end."""
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: _Link(self), sock=bound(self._path))
        with suppress(ValueError, RuntimeError):  # only the main thread hears signals
            loop.add_signal_handler(signal.SIGTERM, self.stop)
        try:
            self.broker.open()
            self._feed.start(self._clock, self.broker.quote)
            await self._wait()
        finally:
            server.close()
            for link in list(self._links):
                link.transport.abort()
            self.broker.stop()
            self._path.unlink(missing_ok=True)

    async def _wait(self) -> None:
        """Wait for the end, counting the seconds without a client after the market's."""
        idle_s = 0.0
        while not self._ended.is_set() and idle_s < self._idle_s:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), IDLE_CHECK_S)
            over = 0 < self._ends_ns <= self._clock.now()
            idle_s = idle_s + IDLE_CHECK_S if over and self._client is None else 0.0

    def _emit(self, event: Event) -> None:
        if self._client is not None:
            self._client.tell(event)

    def greet(self, link: "_Link") -> None:
        """Say who we are to a new connection; refuse one too many."""
        self._links.append(link)
        if len(self._links) > LINKS_MAX:
            link.transport.abort()
            return
        broker, clock = self.broker, self._clock
        link.send(
            Hello(
                protocol=VERSION,
                name=broker.name,
                account=broker.account,
                mode=broker.mode,
                now_ns=clock.now(),
                origin_ns=clock.origin_ns,
                base_ns=clock.base_ns,
                speed=clock.speed,
                pid=os.getpid(),
            )
        )

    def take(self, link: "_Link", message: Struct) -> None:
        """Act on one message; who has not attached may only attach, or end us."""
        if isinstance(message, Attach):
            self._attach(link, message)
        elif isinstance(message, Shutdown):
            self.stop()
        elif link is not self._client:
            raise BadMessage(f"{type(message).__name__} before Attach")
        elif isinstance(message, Subscribe):
            self.broker.subscribe(message.instruments)
        else:
            self._command(message)

    def _command(self, message: Struct) -> None:
        """Pass a command on; the client has asked for permission where it let go of the bytes."""
        if isinstance(message, SubmitOrder):
            self.broker.submit(message, _permitted)
        elif isinstance(message, AmendOrder):
            self.broker.amend(message, _permitted)
        elif isinstance(message, CancelOrder):
            self.broker.cancel(message, _permitted)
        elif isinstance(message, CancelForeign):
            self.broker.cancel_foreign(message, _permitted)
        elif isinstance(message, ReadBroker):
            self.broker.read(message)

    def _attach(self, link: "_Link", message: Attach) -> None:
        """Make a connection the one that trades, in place of an older one."""
        if message.protocol != VERSION:
            raise BadMessage(f"the client speaks version {message.protocol}, not {VERSION}")
        if self._client is not None and self._client is not link:
            self._client.transport.abort()
        self._client = None
        self.broker.disconnect("another client attached")
        self._client = link
        self.broker.subscribe(tuple(message.instruments or self.broker.exchange.instruments))
        self.broker.connect()

    def lost(self, link: "_Link") -> None:
        """Note that a connection is gone; the exchange goes on."""
        self._links.remove(link)
        if link is self._client:
            self._client = None
            self.broker.disconnect("the client is gone")


class _Link(asyncio.Protocol):
    """One connection: its frames in, its messages out, the quotes that wait while it is slow."""

    transport: asyncio.Transport

    def __init__(self, server: PaperServer) -> None:
        self._server = server
        self._frames = Frames(ToServer)
        self._paused = False
        self._waiting: dict[str, Quote] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._server.greet(self)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._frames.feed(data):
                self._server.take(self, message)
        except BadMessage:
            self._server.bad_messages += 1
            self.transport.abort()

    def connection_lost(self, _reason: Exception | None) -> None:
        self._server.lost(self)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        waiting, self._waiting = self._waiting, {}
        for quote in waiting.values():
            self.tell(quote)

    def tell(self, event: Event) -> None:
        """Send an event; while the client is slow, a quote waits and gives way to the next of its instrument."""
        if self._paused and isinstance(event, Quote):
            self._waiting[event.instrument] = event
            return
        try:
            self.send(event)
        except BadMessage:
            assert isinstance(event, BrokerRead)  # nothing else grows
            self.send(replace(event, complete=False, executions=(), ended={}))

    def send(self, message: Struct) -> None:
        """Write a message, or end a connection that does not read."""
        self.transport.write(frame(message))
        if self.transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            self.transport.abort()


def _permitted(_command: Command) -> str:
    return ""


def bound(path: Path) -> socket.socket:
    """Give a socket bound to a path, in place of one that nobody serves any more; raise BrokerUnavailable if it is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            path.unlink(missing_ok=True)
        except OSError as error:
            raise BrokerUnavailable(f"{path}: {error}") from error
        else:
            raise BrokerUnavailable(f"{path} is served by another process")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise BrokerUnavailable(f"{path}: {error}") from error
    finally:
        os.umask(mask)
    return listener
