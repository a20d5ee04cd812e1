"""The control socket itself: how it is made, how many may hold it, and the lane that is kept free for a kill.

A connection carries one request and ends: nothing is pipelined, and whoever stalls is dropped.
"""

import asyncio
import os
import resource
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from joed.daemon.peer import Peer, peer_of
from joed.errors import ConfigError, JoedError
from joed.protocol import Role, in_reach, link_state

SOCKET_MODE = 0o660
BACKLOG = 256
REFUSED_AT_ONCE = 64
"""Connections closed at the door in one turn of the loop: a millisecond."""
RESERVED = 48
"""Descriptors that no client gets: reconnecting brokers, the journal read back, a new worker, alerts' commands."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one peer, and all together, may take of the daemon."""

    header_bytes: int = 8192
    header_count: int = 32
    body_bytes: int = 65536
    connections: int = 64
    connections_uid: int = 4
    kill_connections: int = 8
    head_s: float = 5.0
    handler_s: float = 10.0
    kill_s: float = 2.0
    body_s: float = 5.0
    kill_body_s: float = 1.0
    write_s: float = 5.0
    write_bytes: int = 262_144
    piece_bytes: int = 32_768
    watchers: int = 16
    watch_page: int = 256
    watch_poll_s: float = 0.2
    ping_s: float = 5.0
    mutations_s: int = 20
    uids: int = 256
    why_records: int = 500


def fitted(limits: Limits, descriptors: int, in_use: int) -> Limits:
    """Give limits whose connections leave the descriptors free that brokers, journal and worker may need (F13)."""
    free = descriptors - in_use - RESERVED - limits.kill_connections - 2 * limits.connections_uid
    return replace(limits, connections=max(1, min(limits.connections, free)))


def here() -> Limits:
    """Give the limits that fit this process."""
    return fitted(Limits(), resource.getrlimit(resource.RLIMIT_NOFILE)[0], len(os.listdir("/proc/self/fd")))  # noqa: PTH208 - names only


class SocketTaken(JoedError):
    """Another process answers on this socket."""


def answers(address: Path) -> bool:
    """Say whether somebody serves at this address."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, in_reach(address) as near:
        return probe.connect_ex(near) == 0


def listen(path: Path, state_dir: Path, viewers: int | None = None) -> socket.socket:
    """Bind the control socket, mode 0660 from its first moment, for the viewers' group where there is one.

    Beside it a link leads to the state directory, so that a kill finds the latch when nobody answers.
    A socket that nobody answers on is a dead daemon's and is replaced; anything else in its place is refused.
    """
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    _refuse_foreign(path.parent)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with in_reach(path) as address:
            _clear(path, address)
            os.fchmod(listening.fileno(), SOCKET_MODE)  # on Linux the file takes over this mode, less the umask
            listening.bind(address)
        if viewers is not None:
            os.chown(path, -1, viewers)
        path.chmod(SOCKET_MODE)  # under a unit's umask the group would be shut out
        link_state(path, state_dir)
        listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise
    listening.setblocking(False)  # noqa: FBT003 - the standard library's only way
    return listening


def _refuse_foreign(directory: Path) -> None:
    """Raise ConfigError where somebody else could put another socket in ours's place at any moment."""
    found = directory.stat()
    if found.st_uid not in {os.geteuid(), 0}:
        raise ConfigError(f"{directory} belongs to somebody else, uid {found.st_uid}")
    if found.st_mode & stat.S_IWOTH:
        raise ConfigError(f"{directory} is a directory in which anybody may write")


def _clear(path: Path, address: str) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid not in {os.geteuid(), 0}:
        raise ConfigError(f"{path} is in the way: not a socket of ours")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # its backlog is full: alive, and busy
    raise SocketTaken(f"{path} is answered by another process")


class Sieve(socket.socket):
    """A listening socket that hands out only whom there is a lane for; the others it closes before they cost anything.

    A crowd is refused faster than it can come, so that the kernel's queue at the door stays short for everybody else.
    """

    refuses: Callable[[socket.socket], bool]

    @classmethod
    def over(cls, listening: socket.socket, refuses: Callable[[socket.socket], bool]) -> "Sieve":
        """Take a listening socket over; `refuses` looks at each that has come, and may raise OSError for one gone."""
        made = cls(fileno=listening.detach())
        made.setblocking(False)  # noqa: FBT003 - the standard library's only way
        made.refuses = refuses
        return made

    def accept(self) -> tuple[socket.socket, Any]:
        """Give the next who may come in; raise BlockingIOError where there is none, or the loop shall have its turn."""
        for _ in range(REFUSED_AT_ONCE):
            found, address = super().accept()
            with suppress(OSError):  # it is gone again
                if not self.refuses(found):
                    return found, address
            found.close()
        raise BlockingIOError


class Connection(web.RequestHandler):
    """One accepted connection: its peer, its lane, and the timer that ends it when it stalls."""

    def __init__(self, lanes: "Lanes", **options: Any) -> None:  # noqa: ANN401 - aiohttp's own options, handed on
        super().__init__(lanes, **options)
        self.lanes = lanes
        self.peer: Peer | None = None
        self.kill_only = False
        self.asked = False
        self._timer: asyncio.TimerHandle | None = None
        self._wire: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read the kernel's word on the peer before its first byte, and give it a lane or none."""
        super().connection_made(transport)
        transport = cast("asyncio.Transport", transport)  # uvloop's are none of asyncio's classes
        self._wire = transport
        limits = self.lanes.limits
        # aiohttp looks at the buffer after each 64 KiB that it put there: so much may come on top of the mark.
        transport.set_write_buffer_limits(high=limits.write_bytes - 4 * limits.piece_bytes)
        try:
            self.peer = peer_of(transport.get_extra_info("socket"))
        except OSError:
            self.end()
            return
        if not self.lanes.admit(self, self.peer.uid):
            self.end()
            return
        self._end_in(self.lanes.limits.head_s)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the lane back."""
        self.stay()
        self.lanes.leave(self)
        super().connection_lost(exc)

    def answer_within(self, seconds: float) -> None:
        """Note that the request came whole; its answer must have left by then."""
        self.asked = True
        self._end_in(seconds)

    def stay(self) -> None:
        """Take the timer away: a watcher may stay, its writes have time limits of their own."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def end(self) -> None:
        """Drop the connection, whatever is unsent."""
        self.force_close()
        if self._wire is not None:
            self._wire.abort()

    def _end_in(self, seconds: float) -> None:
        self.stay()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.end)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is not HTTP in the form of everything else; our own handler raises nothing."""
        answer = self.lanes.malformed(status)
        answer.force_close()
        return answer


class Lanes(web.Server):
    """All connections, counted: some for everyone, at most a few a user, and a lane that only takes kills."""

    def __init__(
        self,
        handler: Any,  # noqa: ANN401 - aiohttp's handler types
        malformed: Callable[[int], web.StreamResponse],
        limits: Limits,
        role: Callable[[Peer], Role],
    ) -> None:
        """Serve by `handler`; `role` says what a peer may, before anything is read of it."""
        self.limits = limits
        self._role = role
        self.malformed = malformed
        self._uids: dict[Connection, int] = {}
        super().__init__(
            handler,
            request_factory=self._request,
            access_log=None,
            keepalive_timeout=limits.head_s,
            lingering_time=1.0,
            max_line_size=limits.header_bytes // 2,
            max_field_size=limits.header_bytes // 2,
            max_headers=limits.header_count,
        )

    def __call__(self) -> Connection:
        """Make the protocol of the next connection."""
        return Connection(self, loop=self._loop, **self._kwargs)

    def full(self, uid: int) -> bool:
        """Say whether this user can have no ordinary lane more; root and our own have a few of their own."""
        ordinary = [other for other in self._uids if not other.kill_only]
        mine = sum(self._uids[other] == uid for other in ordinary)
        crowded = len(ordinary) >= self.limits.connections and uid not in {0, os.geteuid()}
        return crowded or mine >= self.limits.connections_uid

    def refuses(self, found: socket.socket) -> bool:
        """Say whether a connection is of no use: its user has no lane more, and may not kill either."""
        peer = peer_of(found)
        return self.full(peer.uid) and peer.groups is not None and self._role(peer) < Role.OPERATOR

    def admit(self, connection: Connection, uid: int) -> bool:
        """Give a connection its lane; beyond the limits it may only bring a kill, beyond those it is dropped."""
        connection.kill_only = self.full(uid)
        self._uids[connection] = uid
        if not connection.kill_only:
            return True
        waiting = [other for other in self._uids if other.kill_only]
        if len(waiting) > self.limits.kill_connections:
            idle = next((other for other in waiting if not other.asked), connection)
            with suppress(KeyError):
                del self._uids[idle]
            idle.end()
            return idle is not connection
        return True

    def leave(self, connection: Connection) -> None:
        """Forget a connection that ended."""
        self._uids.pop(connection, None)

    def _request(
        self,
        message: Any,  # noqa: ANN401 - a private type of aiohttp
        payload: Any,  # noqa: ANN401 - as above
        protocol: Any,  # noqa: ANN401 - as above
        writer: Any,  # noqa: ANN401 - as above
        task: "asyncio.Task[None]",
    ) -> web.BaseRequest:
        limit = self.limits.body_bytes
        return web.BaseRequest(message, payload, protocol, writer, task, self._loop, client_max_size=limit)
