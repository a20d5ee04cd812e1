"""The virtual loop's addresses: who listens, which names exist, and how an address refuses or says nothing."""

import asyncio
import socket

import aiohttp
import pytest

from joed.sim.loop import VirtualLoop, run


def test_loopback_is_resolved_at_once_and_no_other_name_exists():
    """No name leaves this process; the network's own names lead where the scenario says."""

    async def main(loop):
        loop.network.names["api.example"] = "10.0.0.7"
        found = [(await loop.getaddrinfo(host, 80))[0][4] for host in ("localhost", "::1", b"127.0.0.1", "api.example")]
        with pytest.raises(socket.gaierror):
            await loop.getaddrinfo("elsewhere.example", 80)
        return found, loop.time()

    assert run(main) == ([("127.0.0.1", 80), ("127.0.0.1", 80), ("127.0.0.1", 80), ("10.0.0.7", 80)], 0.0)


def test_port_nought_is_the_next_free_one_and_a_taken_one_is_refused():
    """As bind does, but the same in each run."""

    async def main(loop):
        first = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        second = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        ports = [server.sockets[0].getsockname()[1] for server in (first, second)]
        with pytest.raises(OSError, match="already in use"):
            await loop.create_server(asyncio.Protocol, "localhost", ports[0])
        first.close()
        await first.wait_closed()
        assert not first.sockets
        third = await loop.create_server(asyncio.Protocol, "localhost", ports[0])
        return ports, third.is_serving()

    assert run(main) == ([49_152, 49_153], True)


@pytest.mark.parametrize("refused", [True, False])
def test_an_address_refuses_or_says_nothing(refused):
    """A refusal takes one round trip; silence ends when Linux gives up, or the caller does."""

    async def main(loop):
        await loop.create_server(asyncio.Protocol, "127.0.0.1", 80)
        route = loop.network.route(("127.0.0.1", 80))
        route.refused, route.silent, route.latency_s = refused, not refused, 0.1
        with pytest.raises(ConnectionRefusedError if refused else TimeoutError, match="Connect call failed"):
            await loop.create_connection(asyncio.Protocol, "127.0.0.1", 80)
        return loop.time()

    assert run(main) == (0.2 if refused else 127.0)


def test_nobody_listens_where_no_server_is_or_it_does_not_serve_yet():
    """A server that was made but not started takes nobody."""

    async def main(loop):
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 80, start_serving=False)
        for port in (80, 81):
            with pytest.raises(ConnectionRefusedError):
                await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
        await server.start_serving()
        transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", 80)
        return transport.get_extra_info("peername"), transport.get_extra_info("sockname")

    assert run(main) == (("127.0.0.1", 80), ("127.0.0.1", 49_152))


def test_a_client_that_makes_a_socket_first_is_refused_by_name():
    """The connector of aiohttp does; the refusal reaches its caller as from a kernel, and no socket is left."""

    async def main(loop):
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorError, match="Connect call failed"):
                await session.get("http://localhost:81/")
        return loop.network.taken

    assert run(main) == {}


def test_a_link_is_seen_before_its_ends_are():
    """A scenario gives each new connection its faults before a byte has travelled."""

    async def main(loop):
        await loop.create_server(asyncio.Protocol, "127.0.0.1", 80)
        loop.network.opened = lambda link: link.cut()
        transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", 80)
        transport.write(b"a")
        await asyncio.sleep(1)
        (link,) = loop.network.links_to(80)
        assert loop.network.links_to(81) == []
        return link.up.waiting_bytes, link.up.carried_bytes

    assert run(main, VirtualLoop()) == (1, 0)


def test_serving_for_ever_ends_with_its_task():
    """`serve_forever` holds the address until it is cancelled."""

    async def main(loop):
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 80)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await server.serve_forever()
        return server.is_serving(), server.get_loop() is loop

    assert run(main) == (False, True)
