"""The exchange's process: it serves one client, outlives it, keeps its bounds, and ends when it is told to."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from joed.brokers import paper_server
from joed.brokers.paper import PaperBroker
from joed.brokers.paper_remote import read_hello, shut_down
from joed.brokers.paper_server import PaperServer, bound
from joed.brokers.paper_store import PaperStore, whole
from joed.brokers.paper_wire import VERSION, Attach, Frames, Hello, Shutdown, Subscribe, ToClient, frame
from joed.errors import BrokerUnavailable
from joed.model.commands import ReadBroker
from joed.model.events import BrokerRead, BrokerUp, OrderFilled, Quote
from joed.model.values import SECOND
from tests.brokers.rigs import SETTINGS, START_NS, OwnClock, Silence, bracket, exchange_of

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 20


class Client:
    """The other end of the socket, spoken by hand."""

    @classmethod
    async def to(cls, path):
        """Connect, and hear the Hello."""
        client = cls()
        client.reader, client.writer = await asyncio.open_unix_connection(str(path))
        client.frames, client.got = Frames(ToClient), []
        assert isinstance(await client.next(), Hello)
        return client

    def say(self, *messages):
        """Write messages at once."""
        self.writer.write(b"".join(map(frame, messages)))

    async def next(self):
        """Give the next message, or None where the connection has ended."""
        while not self.got:
            try:
                data = await asyncio.wait_for(self.reader.read(65536), WAIT_S)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.got += self.frames.feed(data)
        return self.got.pop(0)

    async def next_of(self, kind):
        """Give the next message of a kind."""
        while not isinstance(message := await self.next(), kind):
            assert message is not None, f"the link ended before {kind.__name__}"
        return message

    def close(self):
        """Hang up."""
        self.writer.transport.abort()


@asynccontextmanager
async def served(directory, **words):
    """Serve an exchange whose clock and quotes are the test's."""
    clock = OwnClock(START_NS)
    store = PaperStore(directory / "paper.db")

    def make_broker(emit):
        return PaperBroker("paper", exchange_of(), clock, emit, SETTINGS, store)

    server = PaperServer(make_broker, Silence(), clock, directory / "paper.sock", **words)
    server.clock, server.path = clock, directory / "paper.sock"
    async with asyncio.TaskGroup() as group:
        running = group.create_task(server.run())
        await turns()
        server.running = running
        try:
            yield server
        finally:
            server.stop()


async def turns(count=40):
    """Let what is under way on Unix sockets arrive."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until_ended(task):
    """Wait for the end of a task, not for ever."""
    async with asyncio.timeout(WAIT_S):
        await asyncio.wait([task])


async def test_the_first_word_tells_whose_exchange_it_is_and_its_time(tmp_path):
    """Version, account, mode, and a clock that another process can build."""
    async with served(tmp_path) as server:
        hello = await asyncio.to_thread(read_hello, server.path)

    assert hello == Hello(VERSION, "paper", "PAPER-1", "paper", START_NS, START_NS, 0, 1.0, os.getpid())


async def test_only_the_owner_can_open_the_socket(tmp_path):
    """0600: who may connect may trade."""
    async with served(tmp_path) as server:
        mode = stat.S_IMODE(server.path.stat().st_mode)

    assert mode == 0o600


async def test_the_exchange_outlives_its_client(tmp_path):
    """The order of a client that died fills, is protected, and is there for the next one to read."""
    async with served(tmp_path) as server:
        client = await Client.to(server.path)
        client.say(Attach(VERSION))
        await client.next_of(BrokerUp)
        client.say(bracket(level="99.00"))
        server.broker.quote(Quote("AAA", 99.9, 100.0))
        await turns()
        server.clock.pass_to(START_NS + SECOND)
        client.close()
        await turns()
        server.broker.quote(Quote("AAA", 98.9, 99.0))

        again = await Client.to(server.path)
        again.say(Attach(VERSION), ReadBroker("paper"))
        up = await again.next_of(BrokerUp)
        await turns()
        server.clock.pass_to(START_NS + 2 * SECOND)
        seen = await again.next_of(BrokerRead)
        again.close()

    assert up.connection == seen.connection == 2
    assert [fill.order for fill in seen.executions] == ["E1"]
    assert [order.quantity for order in seen.orders] == [10, 10]


async def test_the_newest_client_that_attaches_is_the_one_that_trades(tmp_path):
    """The older link ends; whoever only says hello displaces nobody."""
    async with served(tmp_path) as server:
        first = await Client.to(server.path)
        first.say(Attach(VERSION))
        await first.next_of(BrokerUp)
        looking = await Client.to(server.path)
        await turns()
        still = server.broker.connection
        second = await Client.to(server.path)
        second.say(Attach(VERSION))
        await second.next_of(BrokerUp)
        ended = await first.next()

        assert (still, server.broker.connection, ended) == (1, 2, None)
        for client in (first, looking, second):
            client.close()


@pytest.mark.parametrize(
    "words",
    [[ReadBroker("paper")], [Attach(VERSION + 1)], [Subscribe(("AAA",))], [b"\0\0\0\x02no"], [b"\xff\xff\xff\xff"]],
)
async def test_a_word_out_of_place_ends_the_connection_and_is_counted(tmp_path, words):
    """A command before Attach, another version, noise, a frame too long: nothing of it is acted on."""
    async with served(tmp_path) as server:
        client = await Client.to(server.path)
        client.writer.write(b"".join(word if isinstance(word, bytes) else frame(word) for word in words))

        assert await client.next() is None
        assert server.bad_messages == 1
        assert server.broker.exchange.orders == {}
        client.close()


async def test_connections_beyond_the_bound_are_refused(tmp_path):
    """Eight may look; the ninth is hung up on, and a place that became free can be had."""
    async with served(tmp_path) as server:
        clients = [await Client.to(server.path) for _ in range(paper_server.LINKS_MAX)]
        reader, writer = await asyncio.open_unix_connection(str(server.path))
        try:
            refused = await asyncio.wait_for(reader.read(), WAIT_S)
        except ConnectionResetError:
            refused = b""
        writer.transport.abort()
        clients.pop().close()
        await turns()

        assert refused == b""
        clients.append(await Client.to(server.path))
        for client in clients:
            client.close()


async def test_quotes_give_way_to_newer_ones_while_the_client_is_slow(tmp_path):
    """What it gets after a pause is the newest of each instrument; memory stays bounded."""
    async with served(tmp_path) as server:
        client = await Client.to(server.path)
        client.say(Attach(VERSION))
        await client.next_of(BrokerUp)
        for number in range(40_000):
            server.broker.quote(Quote("AAA", 99.9, 100.0, volume=float(number)))
        kept = server._client.transport.get_write_buffer_size()

        volume = 0.0
        count = 0
        while volume < 39_999:
            volume = (await client.next_of(Quote)).volume
            count += 1

        assert kept < paper_server.UNREAD_BYTES_MAX // 16
        assert count < 40_000
        client.close()


async def test_a_client_that_reads_no_word_about_its_orders_loses_its_link(tmp_path, monkeypatch):
    """Words about orders are not dropped: the link is."""
    monkeypatch.setattr(paper_server, "UNREAD_BYTES_MAX", 100_000)
    async with served(tmp_path) as server:
        client = await Client.to(server.path)
        client.say(Attach(VERSION))
        await client.next_of(BrokerUp)
        for number in range(20_000):
            server._emit(OrderFilled("E1", f"x-{number}", "AAA", "BUY", 1, 1))
        await turns()

        assert server._client is None
        assert not server.broker.up
        client.close()


async def test_a_book_too_large_for_a_frame_is_read_as_incomplete(tmp_path):
    """It shows orders and positions, and says that it proves no absence."""
    async with served(tmp_path) as server:
        client = await Client.to(server.path)
        client.say(Attach(VERSION))
        await client.next_of(BrokerUp)
        fills = tuple(OrderFilled("E1", f"x-{number}", "AAA", "BUY", 1, 1) for number in range(20_000))
        server._emit(BrokerRead("paper", 1, 0, 0, complete=True, executions=fills))
        seen = await client.next_of(BrokerRead)

        assert (seen.complete, seen.executions) == (False, ())
        client.close()


async def test_it_ends_by_a_word_and_lets_socket_and_file_go(tmp_path):
    """Shutdown needs no Attach; after it both can be taken again."""
    async with served(tmp_path) as server:
        client = await Client.to(server.path)
        client.say(Shutdown())
        await until_ended(server.running)

        assert await client.next() is None
        assert not server.path.exists()
        PaperStore(tmp_path / "paper.db").close()
        client.close()


async def test_it_ends_by_itself_when_idle_after_its_market(tmp_path, monkeypatch):
    """Only once the market is over, and only while nobody is there."""
    monkeypatch.setattr(paper_server, "IDLE_CHECK_S", 0.001)
    async with served(tmp_path, ends_ns=START_NS + SECOND, idle_s=0.005) as server:
        await asyncio.sleep(0.05)
        during = server.running.done()
        client = await Client.to(server.path)
        client.say(Attach(VERSION))
        await client.next_of(BrokerUp)
        server.clock.pass_to(START_NS + SECOND)
        await asyncio.sleep(0.05)
        attended = server.running.done()
        client.close()
        await until_ended(server.running)

        assert (during, attended) == (False, False)


def test_a_socket_that_is_served_is_not_taken_and_a_stale_one_is(tmp_path):
    """The file that a killed process left behind is in nobody's way."""
    path = tmp_path / "paper.sock"
    with bound(path) as first:
        first.listen()
        with pytest.raises(BrokerUnavailable, match="is served by another process"):
            bound(path)
    bound(path).close()
    with pytest.raises(BrokerUnavailable, match="no-such-place"):
        bound(tmp_path / "no-such-place" / "paper.sock")


def started(directory, *arguments):
    """Start an exchange's process and wait for its hello."""
    path = directory / "paper.sock"
    command = [sys.executable, "-m", "tests.brokers.paper_process", str(path), str(directory / "paper.db"), *arguments]
    process = subprocess.Popen(command, cwd=ROOT)
    for _ in range(2000):
        try:
            read_hello(path)
            break
        except BrokerUnavailable:
            with suppress(subprocess.TimeoutExpired):
                raise AssertionError(f"it ended with {process.wait(0.01)}") from None
    return process, path


def test_a_process_ends_in_order_by_sigterm_and_by_a_word(tmp_path):
    """Exit 0, and no socket left behind."""
    process, path = started(tmp_path)
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_S) == 0
    assert not path.exists()

    process, path = started(tmp_path)
    shut_down(path)
    assert process.wait(WAIT_S) == 0


async def test_a_killed_process_resumes_its_account_with_what_it_acknowledged(tmp_path):
    """After kill -9 behind a fill that was told, the next process on the file has position, stop and target."""
    process, path = await asyncio.to_thread(started, tmp_path)
    client = await Client.to(path)
    client.say(Attach(VERSION))
    await client.next_of(BrokerUp)
    await client.next_of(Quote)
    client.say(bracket())
    told = await client.next_of(OrderFilled)
    process.kill()
    process.wait()
    client.close()

    process, path = await asyncio.to_thread(started, tmp_path)
    client = await Client.to(path)
    client.say(Attach(VERSION), ReadBroker("paper"))
    seen = await client.next_of(BrokerRead)
    client.close()
    await asyncio.to_thread(shut_down, path)
    process.wait(WAIT_S)

    assert told in seen.executions
    assert [order.order for order in seen.orders] == ["E1-S", "E1-T"]
    assert whole(tmp_path / "paper.db").book.positions["AAA"].quantity == 10
