"""A connection in memory: late, held, torn, mangled and reset as a scenario asks.

A `Link` is two `Flow`s, one each way, between two `End`s, which are asyncio transports. Bytes arrive in order. A held
flow loses nothing and brings nothing, not even the end of the stream: that is a cut cable, and both ends believe in
the connection. What is beyond the window waits in the writer's buffer, as behind a full kernel.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from errno import ECONNRESET
from typing import TYPE_CHECKING

from joed.model.values import SECOND

if TYPE_CHECKING:
    from joed.sim.loop import VirtualLoop

Key = tuple[str, int] | str
"""Where somebody listens: an address and port, or a path."""

LATENCY_S = 0.000_1
"""How long bytes are under way on a route that nobody has changed."""
WINDOW_BYTES = 262_144
"""What the two kernels would take before anything waits in the writer's process."""
HIGH_BYTES, LOW_BYTES = 65_536, 16_384
"""The writer's buffer, as asyncio sets it: above the one it is told to pause, below the other to go on."""
FIN = b""


@dataclass
class Route:
    """How one address is reached; new links begin with its delays."""

    latency_s: float = LATENCY_S
    jitter_s: float = 0.0
    refused: bool = False
    silent: bool = False
    """Nothing answers there, not even a refusal."""


class Flow:
    """One direction of a link."""

    def __init__(self, loop: "VirtualLoop", rng: random.Random, route: Route) -> None:
        self.latency_s, self.jitter_s = route.latency_s, route.jitter_s
        self.mangle: Callable[[bytes], Iterable[bytes]] | None = None
        """Takes what is written at once and gives the pieces that travel: none, other ones, or more."""
        self.held = False
        self.waiting_bytes = self.carried_bytes = 0
        self.reader: End
        self.writer: End
        self._loop, self._rng = loop, rng
        self._queue: deque[tuple[int, bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._fuse: tuple[int, Callable[[], None]] | None = None

    def send(self, data: bytes) -> None:
        """Let bytes travel; FIN is the end of the stream."""
        pieces = self.mangle(data) if self.mangle is not None and data else (data,)
        for piece in pieces:
            self._queue.append((self._loop.now_ns + self.delay_ns(), piece))
            self.waiting_bytes += len(piece)
        self.pump()

    def delay_ns(self) -> int:
        """Draw how long the next bytes are under way."""
        jitter_s = self._rng.uniform(0.0, self.jitter_s) if self.jitter_s else 0.0
        return int((self.latency_s + jitter_s) * SECOND)

    def hold(self) -> None:
        """Bring nothing from now on; what is sent waits."""
        self.held = True

    def release(self) -> None:
        """Bring what waited, and go on."""
        self.held = False
        self.pump()

    def after(self, count: int, action: Callable[[], None]) -> None:
        """Do something once so many more bytes have arrived and before the next one does."""
        self._fuse = (count, action)

    def trim(self, limit: int) -> None:
        """Forget what is beyond so many bytes, the newest first."""
        while self.waiting_bytes > limit:
            at_ns, data = self._queue.pop()
            kept = data[: max(0, len(data) - (self.waiting_bytes - limit))]
            self.waiting_bytes -= len(data) - len(kept)
            if kept:
                self._queue.append((at_ns, kept))

    def drop(self) -> None:
        """Forget what is under way."""
        self._queue.clear()
        self.waiting_bytes = 0
        self.held = True

    def pump(self) -> None:
        """Plan the next arrival."""
        if self._timer is None and self._queue and not self.held and not self.reader.reading_paused:
            self._timer = self._loop.call_at_ns(self._queue[0][0], self._arrive)

    def _arrive(self) -> None:
        self._timer = None
        while self._queue and self._queue[0][0] <= self._loop.now_ns and not (self.held or self.reader.reading_paused):
            at_ns, data = self._queue.popleft()
            if self._fuse is not None and len(data) >= self._fuse[0]:
                (count, action), self._fuse = self._fuse, None
                if data[count:]:
                    self._queue.appendleft((at_ns, data[count:]))
                self._deliver(data[:count])
                action()
            else:
                if self._fuse is not None:
                    self._fuse = (self._fuse[0] - len(data), self._fuse[1])
                self._deliver(data)
        self.pump()

    def _deliver(self, data: bytes) -> None:
        self.waiting_bytes -= len(data)
        self.carried_bytes += len(data)
        self.reader.take(data)
        self.writer.drained()


class End(asyncio.Transport):
    """One end of a link, an asyncio transport."""

    def __init__(self, loop: "VirtualLoop", link: "Link", out: Flow, extra: Mapping[str, object]) -> None:
        super().__init__(extra)
        self.link, self.out = link, out
        self.peer: End
        self.reading_paused = False
        self.closed = False
        self._loop = loop
        self._protocol: asyncio.Protocol
        self._closing = self._eof = self._told_to_pause = False
        self._high, self._low = HIGH_BYTES, LOW_BYTES

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; what comes after the close is dropped."""
        if self._eof and not self._closing:
            raise RuntimeError("Cannot call write() after write_eof()")
        if data and not self._closing:
            self.out.send(bytes(data))
            if self.get_write_buffer_size() > self._high and not self._told_to_pause:
                self._told_to_pause = True
                self._protocol.pause_writing()

    def write_eof(self) -> None:
        """End our half of the stream."""
        if not (self._eof or self._closing):
            self._eof = True
            self.out.send(FIN)

    def can_write_eof(self) -> bool:
        """Say that half a stream may end."""
        return True

    def close(self) -> None:
        """End the stream once what was written is out of this process."""
        if not self._closing:
            self._closing = True
            self.drained()

    def abort(self) -> None:
        """End at once: what still waits in this process is lost, what the kernel took travels, then the end."""
        if not self.closed:
            self._closing = True
            self.out.trim(WINDOW_BYTES)
            self._finish()

    def drained(self) -> None:
        """Hear that bytes have left: write again, or close at last."""
        size = self.get_write_buffer_size()
        if self._told_to_pause and size <= self._low:
            self._told_to_pause = False
            self._protocol.resume_writing()
        if self._closing and not size and not self.closed:
            self._finish()

    def _finish(self) -> None:
        if not self._eof:
            self._eof = True
            self.out.send(FIN)
        self._loop.call_soon(self.lose, None)

    def take(self, data: bytes) -> None:
        """Take what arrived; bytes for an end that is gone are answered by a reset."""
        if self._closing:
            if data:
                self._reset_peer()
        elif data:
            self._protocol.data_received(data)
        elif not self._protocol.eof_received():
            self.close()

    def lose(self, failure: Exception | None) -> None:
        """Tell the protocol, once, that it is over."""
        if not self.closed:
            self.closed = self._closing = True
            self.link.ended()
            self._protocol.connection_lost(failure)

    def vanish(self) -> None:
        """Be gone without a word to either side, as a process whose machine loses power."""
        self.closed = self._closing = True
        self.link.cut()

    def _reset_peer(self) -> None:
        if not self.out.held:
            at_ns = self._loop.now_ns + self.out.delay_ns()
            self._loop.call_at_ns(at_ns, self.peer.lose, ConnectionResetError(ECONNRESET, "Connection reset by peer"))

    def is_closing(self) -> bool:
        """Say whether it is closed or about to be."""
        return self._closing

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Give who is told."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another be told from here on."""
        assert isinstance(protocol, asyncio.Protocol), f"{protocol!r} takes no data_received"
        self._protocol = protocol

    def get_write_buffer_size(self) -> int:
        """Give how many bytes still wait in this process."""
        return max(0, self.out.waiting_bytes - WINDOW_BYTES)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Give the low and the high mark."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the marks as asyncio does."""
        self._high = high if high is not None else (4 * low if low is not None else HIGH_BYTES)
        self._low = low if low is not None else self._high // 4

    def is_reading(self) -> bool:
        """Say whether what arrives is handed on."""
        return not (self.reading_paused or self._closing)

    def pause_reading(self) -> None:
        """Leave what arrives where it is."""
        self.reading_paused = True

    def resume_reading(self) -> None:
        """Take what waited."""
        self.reading_paused = False
        self.peer.out.pump()


class Link:
    """One connection; `up` goes to the server, `down` comes from it."""

    def __init__(
        self, loop: "VirtualLoop", rng: random.Random, route: Route, key: Key, names: tuple[object, object]
    ) -> None:
        self.key = key
        self.over: Callable[[Link], None] | None = None
        """Hears, once, that neither end is left."""
        self.up, self.down = Flow(loop, rng, route), Flow(loop, rng, route)
        mine, theirs = names
        self.client = End(loop, self, self.up, {"sockname": mine, "peername": theirs})
        self.server = End(loop, self, self.down, {"sockname": theirs, "peername": mine})
        self.client.peer, self.server.peer = self.server, self.client
        self.up.writer, self.up.reader = self.client, self.server
        self.down.writer, self.down.reader = self.server, self.client

    def cut(self) -> None:
        """Bring nothing either way and tell nobody: half open, as behind a pulled cable."""
        self.up.hold()
        self.down.hold()

    def mend(self) -> None:
        """Bring what waited, and go on: the stream has lost nothing."""
        self.up.release()
        self.down.release()

    def reset(self) -> None:
        """End it at both ends at once, with whatever was under way."""
        for end in (self.client, self.server):
            end.out.drop()
            end.lose(ConnectionResetError(ECONNRESET, "Connection reset by peer"))

    def slow(self, latency_s: float, jitter_s: float = 0.0) -> None:
        """Give both ways another delay from here on."""
        for flow in (self.up, self.down):
            flow.latency_s, flow.jitter_s = latency_s, jitter_s

    def ended(self) -> None:
        """Be forgotten once neither end is left."""
        if self.client.closed and self.server.closed and self.over is not None:
            self.over(self)
