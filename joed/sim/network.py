"""The virtual loop's network: its addresses, names, listeners and links, all in memory.

What a connection itself can suffer is in `joed.sim.link`.
"""

import asyncio
import ipaddress
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from errno import ECONNREFUSED, ETIMEDOUT
from typing import TYPE_CHECKING, Any, Protocol

from joed.sim.link import End, Key, Link, Route

if TYPE_CHECKING:
    from joed.sim.loop import VirtualLoop

SYN_TIMEOUT_S = 127.0
"""When Linux gives up on an address that does not answer."""
FIRST_PORT, LAST_PORT = 49_152, 65_535
LOOPBACK = "127.0.0.1"
HERE = ("", "localhost", "0.0.0.0", "::", "::1")  # noqa: S104 - names that all mean this loop


class UnusedSocket(Protocol):
    """What is looked at of a real socket: some libraries make one before they ask the loop; no byte goes over it."""

    def fileno(self) -> int:
        """Give its descriptor."""
        ...

    def getsockname(self) -> Any:  # noqa: ANN401 - a pair, or a path
        """Give what it is bound to."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class BoundName:
    """What is looked at of a listening socket."""

    def __init__(self, key: Key) -> None:
        self.family = socket.AF_UNIX if isinstance(key, str) else socket.AF_INET
        self.type, self.proto = socket.SOCK_STREAM, 0
        self._key = key

    def getsockname(self) -> Key:
        """Give its address."""
        return self._key


class Listener(asyncio.AbstractServer):
    """A server of the virtual loop, as asyncio's own."""

    def __init__(self, network: "Network", key: Key, factory: Callable[[], asyncio.Protocol]) -> None:
        self.key, self.factory = key, factory
        self.serving = False
        self._network, self._closed = network, False

    @property
    def sockets(self) -> tuple[BoundName, ...]:
        """Name where it listens."""
        return () if self._closed else (BoundName(self.key),)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Give its loop."""
        return self._network.loop

    def is_serving(self) -> bool:
        """Say whether it takes connections."""
        return self.serving

    async def start_serving(self) -> None:
        """Take connections from here on."""
        self.serving = not self._closed

    async def serve_forever(self) -> None:
        """Take connections until the task is cancelled."""
        await self.start_serving()
        try:
            await self._network.loop.create_future()
        finally:
            self.close()

    def close(self) -> None:
        """Listen no more; the connections live on."""
        self.serving, self._closed = False, True
        self._network.unlisten(self)

    async def wait_closed(self) -> None:
        """Wait for nothing: a close takes effect at once."""


@dataclass
class Network:
    """All addresses of one loop. `names` maps host names to addresses; a name that is not there does not exist."""

    loop: "VirtualLoop"
    seed: int = 0
    names: dict[str, str] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    """Those that live, the oldest first."""
    opened: Callable[[Link], None] | None = None
    """Sees each new link before either end does, so that it can be given its faults."""
    taken: dict[int, Key] = field(default_factory=dict)
    """What a real socket that carries nothing stands for, by its descriptor, until it is taken up."""

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self._routes: dict[Key, Route] = {}
        self._listeners: dict[Key, Listener] = {}
        self._next_port = FIRST_PORT

    def route(self, key: Key) -> Route:
        """Give how an address is reached, to be read or changed."""
        return self._routes.setdefault(key, Route())

    def links_to(self, port: int) -> list[Link]:
        """Give the living links to servers at a port, the oldest first."""
        return [link for link in self.links if link.key[1] == port]

    def resolve(self, host: bytes | str | None, port: bytes | str | int | None) -> list[Any]:
        """Give where a name leads, as getaddrinfo does; gaierror where it does not exist."""
        name = host.decode() if isinstance(host, bytes) else host or ""
        address = LOOPBACK if name in HERE else self.names.get(name, name)
        try:
            address = str(ipaddress.IPv4Address(address))
        except ValueError:
            raise socket.gaierror(socket.EAI_NONAME, f"Name or service not known: {name}") from None
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, int(port or 0)))]

    def key(self, address: tuple[str, int] | str) -> Key:
        """Give an address in its one spelling."""
        if isinstance(address, str):
            return address
        host, port = address[:2]
        return (LOOPBACK if host in HERE else host, int(port))

    def listen(self, key: Key, factory: Callable[[], asyncio.Protocol], *, serving: bool) -> Listener:
        """Bind a server."""
        if not isinstance(key, str) and key[1] == 0:
            key = (key[0], self._free_port())
        if key in self._listeners:
            raise OSError(98, f"error while attempting to bind on address {key}: address already in use")
        self._listeners[key] = listener = Listener(self, key, factory)
        listener.serving = serving
        return listener

    def unlisten(self, listener: Listener) -> None:
        """Let go of a server's address."""
        if self._listeners.get(listener.key) is listener:
            del self._listeners[listener.key]

    async def reach(self, key: Key) -> None:
        """Wait as long as a handshake takes; OSError where nobody listens, or nothing answers."""
        route = self.route(key)
        if route.silent:
            await asyncio.sleep(SYN_TIMEOUT_S)
            raise TimeoutError(ETIMEDOUT, f"Connect call failed {key}")
        await asyncio.sleep(2 * (route.latency_s + (self.rng.uniform(0.0, route.jitter_s) if route.jitter_s else 0.0)))
        self._server_at(key)

    def connect(self, key: Key, factory: Callable[[], asyncio.Protocol]) -> tuple[End, asyncio.Protocol]:
        """Make the link to a server that was reached, and tell both protocols."""
        listener = self._server_at(key)
        ours: object = "" if isinstance(key, str) else (LOOPBACK, self._free_port())
        link = Link(self.loop, self.rng, self.route(key), key, (ours, key))
        link.over = self.forget
        self.links.append(link)
        if self.opened is not None:
            self.opened(link)
        served, protocol = listener.factory(), factory()
        link.server.set_protocol(served)
        link.client.set_protocol(protocol)
        self.loop.call_soon(served.connection_made, link.server)
        protocol.connection_made(link.client)
        return link.client, protocol

    def forget(self, link: Link) -> None:
        """Let go of a link that has ended."""
        if link in self.links:
            self.links.remove(link)

    def _server_at(self, key: Key) -> Listener:
        listener = self._listeners.get(key)
        if listener is None or not listener.serving or self.route(key).refused:
            raise ConnectionRefusedError(ECONNREFUSED, f"Connect call failed {key}")
        return listener

    def _free_port(self) -> int:
        port = self._next_port
        self._next_port = port + 1 if port < LAST_PORT else FIRST_PORT
        return port
