"""The page's server: a thread and a loop of its own, so that it neither waits for the trading loop nor holds it up.

It reads the View that the loop swaps and the records that memory has, five times a second at most; all that it asks for
is that the journal commit so often while somebody looks. A loop that hangs leaves it answering with a View that does
not move, and the page says since when.
"""

import asyncio
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from importlib import resources
from traceback import format_exc
from typing import Any, NamedTuple, Protocol

import msgspec
from aiohttp import web

from joed.daemon.log import Log
from joed.daemon.metrics import HINT
from joed.daemon.reads import Record
from joed.daemon.web.curves import Curves
from joed.daemon.web.gate import HEADERS, judge
from joed.daemon.web.snapshot import snapshot
from joed.model.view import View

ADDRESS = "127.0.0.1"
BACKLOG = 1024
ACCEPTED_AT_ONCE = 16
STOP_WAIT_S = 5.0
GOODBYE_S = 1.0
BYE = b"event: bye\ndata: {}\n\n"
TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "json": "application/json",
    "events": "text/event-stream; charset=utf-8",
    "text": "text/plain; charset=utf-8",
}


class Side(Protocol):
    """What is shown; all of it may be asked from any thread."""

    def view(self) -> View:
        """Give the latest durable View."""
        ...

    def recent(self) -> Sequence[Record]:
        """Give the newest durable records that memory has, oldest first."""
        ...

    def marks(self, session: str) -> Sequence[tuple[int, Decimal]]:
        """Give what a session has made so far, as far as it is on the disk: engine time, and the amount."""
        ...

    def hurry(self) -> None:
        """Ask that what is recorded become durable now, so that it can be shown."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What all who look may take together; whoever reads too slowly is dropped."""

    connections: int = 64
    streams: int = 24
    head_s: float = 5.0
    write_s: float = 5.0
    write_bytes: int = 131_072
    turn_s: float = 0.2
    ping_s: float = 5.0
    head_bytes: int = 8_192
    header_count: int = 48


class File(NamedTuple):
    """One of the page's own files."""

    kind: str
    body: bytes


def files() -> dict[str, File]:
    """Read the page's files once: the table of paths is all that can be asked for."""
    folder = resources.files("joed.daemon.web") / "static"
    found = {f"/{item.name}": File(item.name.rpartition(".")[2], item.read_bytes()) for item in folder.iterdir()}
    return {"/": found.pop("/index.html"), **found}


def build_of(found: dict[str, File]) -> str:
    """Name this set of files: an open page of another one loads itself again."""
    return sha256(b"".join(path.encode() + file.body for path, file in sorted(found.items()))).hexdigest()[:16]


class Server:
    """The port on this machine where a browser looks; closed by `close`, from any thread."""

    def __init__(self, side: Side, port: int, log: Log, limits: Limits | None = None) -> None:
        """Listen; raise OSError where the port is taken."""
        self.dropped = 0
        """Readers that were too slow."""
        self.streams = 0
        self._side, self._log = side, log
        self._limits = limits or Limits()
        self._files = files()
        self._build = build_of(self._files)
        self._curves = Curves()
        self._shown: View | None = None
        self._message = b"{}"
        self._listening = socket.create_server((ADDRESS, port), backlog=BACKLOG)
        self.port = int(self._listening.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._stopping, self._news, self._left = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Say goodbye and answer no more; twice is once."""
        with suppress(RuntimeError):  # it is closed already
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(STOP_WAIT_S)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it, and trading goes on without a page
            self._log.put("error", "web_failed", {"error": repr(error)}, format_exc())

    async def _serve(self) -> None:
        gate = Gate(self._answer, self._limits)
        runner = web.ServerRunner(gate, shutdown_timeout=1.0)
        await runner.setup()
        await web.SockSite(runner, self._listening, backlog=ACCEPTED_AT_ONCE).start()
        self._listening.listen(BACKLOG)  # the kernel's queue is long; what is taken from it in one turn is not
        try:
            while not self._stopping.is_set():
                self._look()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._limits.turn_s)
        finally:
            self._news.set()
            if self.streams:
                self._left.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._left.wait(), GOODBYE_S)
            await runner.cleanup()

    def _look(self) -> None:
        """Take the View, and tell those who watch where it is another one; while they do, prices do not wait."""
        if self.streams:
            self._side.hurry()
        shown = self._side.view()
        if shown is self._shown:
            return
        self._shown = shown
        self._curves.look(shown, self._side.marks)
        if self.streams:
            self._tell(shown)

    def _tell(self, shown: View) -> None:
        """Make the next message, once for all, and wake who waits for it."""
        self._message = snapshot(shown, self._side.recent(), self._build)
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request: judged first, looked up in a table of fixed paths after."""
        visitor = request.protocol
        assert isinstance(visitor, Visitor)
        visitor.answer_within(self._limits.write_s)
        headers = {name.lower(): value for name, value in request.headers.items()}
        if refused := judge(request.method, request.path, headers, self.port):
            return _whole("text", f"{refused.words}\n".encode(), refused.status)
        path = request.path
        if path == "/events":
            return await self._stream(request, visitor)
        if path == "/view.json":
            return _whole("json", snapshot(self._side.view(), self._side.recent(), self._build))
        if path == "/curves.json":
            return _whole("json", msgspec.json.encode(self._curves.rows()))
        if file := self._files.get(path):
            return _whole(file.kind, file.body)
        return _whole("text", b"there is no such thing here\n", 404)

    async def _stream(self, request: web.BaseRequest, visitor: "Visitor") -> web.StreamResponse:
        """Send each new snapshot until somebody ends it; a reader that is slow misses some, one that stalls is dropped.

        Nothing waits for a reader but the newest message: that is all the memory it can cost.
        """
        if self.streams >= self._limits.streams:
            return _whole("text", b"enough pages are open: close one\n", 503)
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": TYPES["events"]})
        response.force_close()
        self.streams += 1
        visitor.stay()
        try:
            await asyncio.wait_for(response.prepare(request), self._limits.write_s)
            self._tell(self._side.view())  # also to the others: a fresh one costs them nothing
            data = b"retry: 1000\n" + self._line()
            while data != BYE:
                await asyncio.wait_for(response.write(data), self._limits.write_s)
                data = BYE if self._stopping.is_set() else await self._next()
            await asyncio.wait_for(response.write(BYE), self._limits.write_s)
            await asyncio.wait_for(response.write_eof(), self._limits.write_s)
        except TimeoutError:
            self.dropped += 1
            self._log.warning("web_reader_dropped", reason="it does not read", seconds=self._limits.write_s)
            visitor.end()
        except ConnectionError:
            visitor.end()  # it is gone
        finally:
            self.streams -= 1
            if not self.streams:
                self._left.set()
        return response

    async def _next(self) -> bytes:
        """Wait for the next message; where none comes, a ping keeps the line and finds out who is gone."""
        news = self._news
        try:
            await asyncio.wait_for(news.wait(), self._limits.ping_s)
        except TimeoutError:
            return b": ping\n\n"
        return BYE if self._stopping.is_set() else self._line()

    def _line(self) -> bytes:
        return b"data: " + self._message + b"\n\n"


def _whole(kind: str, body: bytes, status: int = 200) -> web.Response:
    answer = web.Response(body=body, status=status, headers={**HEADERS, "Content-Type": TYPES[kind]})
    if status == 405:
        answer.headers["Allow"] = "GET, HEAD"
    answer.force_close()
    return answer


class Visitor(web.RequestHandler):
    """One accepted connection: it carries one request, and is dropped when it stalls."""

    def __init__(self, gate: "Gate", **options: Any) -> None:  # noqa: ANN401 - aiohttp's own options, handed on
        super().__init__(gate, **options)
        self.gate = gate
        self._timer: asyncio.TimerHandle | None = None
        self._wire: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give it a place, or none."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._wire = transport
        limits = self.gate.limits
        transport.set_write_buffer_limits(high=limits.write_bytes)
        if not self.gate.admit(self):
            self.end()
            return
        self.answer_within(limits.head_s)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the place back."""
        self.stay()
        self.gate.leave(self)
        super().connection_lost(exc)

    def answer_within(self, seconds: float) -> None:
        """Be over by then: the head must have come, or the answer have left."""
        self.stay()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.end)

    def stay(self) -> None:
        """Take the timer away: a stream may stay, its writes have time limits of their own."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def end(self) -> None:
        """Drop it, whatever is unsent."""
        self.force_close()
        if self._wire is not None:
            self._wire.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is not HTTP, or what failed, in the form of everything else."""
        return _whole("text", b"this is not a request that joed can read\n", status)


class Gate(web.Server):
    """All connections, counted: beyond the limit they are dropped unread."""

    def __init__(self, handler: Any, limits: Limits) -> None:  # noqa: ANN401 - aiohttp's handler types
        self.limits = limits
        self._visitors: set[Visitor] = set()
        super().__init__(
            handler,
            handler_cancellation=True,  # a reader that is gone gives its place back at once
            access_log=None,
            keepalive_timeout=limits.head_s,
            lingering_time=1.0,
            max_line_size=limits.head_bytes,
            max_field_size=limits.head_bytes,
            max_headers=limits.header_count,
        )

    def __call__(self) -> Visitor:
        """Make the protocol of the next connection."""
        return Visitor(self, loop=self._loop, **self._kwargs)

    def admit(self, visitor: Visitor) -> bool:
        """Say whether there is a place for it."""
        if len(self._visitors) >= self.limits.connections:
            return False
        self._visitors.add(visitor)
        return True

    def leave(self, visitor: Visitor) -> None:
        """Forget a connection that ended."""
        self._visitors.discard(visitor)


def serve(side: Side, port: int, log: Log) -> Server | None:
    """Serve the page on this port; None, with a line in the log, where it is 0 or taken: trading goes on without."""
    if port == 0:
        log.info("web_off", reason="daemon.web_port is 0")
        return None
    try:
        server = Server(side, port, log)
    except OSError as error:
        log.warning("web_unavailable", address=ADDRESS, port=port, reason=error.strerror, hint=HINT % "web")
        return None
    log.info("web_ready", address=ADDRESS, port=server.port)
    return server
