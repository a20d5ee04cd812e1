"""The remote paper broker: one write for each command, and a link that is made again within bounds."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from joed.brokers import paper_remote
from joed.brokers.paper_remote import RemotePaperBroker, read_hello, shut_down
from joed.brokers.paper_wire import VERSION, Attach, Frames, Hello, ToServer, frame
from joed.errors import BrokerUnavailable
from joed.model.commands import ReadBroker
from joed.model.events import BrokerDown, BrokerUp, Quote
from tests.brokers.rigs import START_NS, OwnClock, bracket, permitted

HELLO = Hello(VERSION, "paper", "PAPER-1", "paper", START_NS, START_NS, 0, 1.0, 1)
UP = BrokerUp("paper", "PAPER-1", "paper", 1)
GREETING = frame(HELLO)
WAIT_S = 20


class Exchange:
    """The server's end, spoken by hand: what it says at once, what it heard."""

    def __init__(self, path, first):
        self.path = path
        self.first = first
        self.heard = []
        self.writers = []
        self.links = 0

    async def serve(self, reader, writer):
        """Speak first, then listen."""
        self.links += 1
        self.writers.append(writer)
        writer.write(self.first)
        frames = Frames(ToServer)
        while data := await reader.read(65536):
            for message in frames.feed(data):
                self.heard.append(message)
                if isinstance(message, Attach):
                    writer.write(frame(UP))

    def hang_up(self):
        """End all connections."""
        while self.writers:
            self.writers.pop().transport.abort()


@asynccontextmanager
async def linked(directory, monkeypatch, first=GREETING):
    """Give a client that runs before an exchange spoken by hand."""
    monkeypatch.setattr(paper_remote, "DELAYS_S", (0.001, 0.002))
    exchange = Exchange(directory / "paper.sock", first)
    server = await asyncio.start_unix_server(exchange.serve, str(exchange.path))
    events, changed = [], asyncio.Event()

    def emit(event):
        events.append(event)
        changed.set()

    broker = RemotePaperBroker("paper", exchange.path, OwnClock(START_NS), emit)
    broker.start()
    async with asyncio.TaskGroup() as group:
        group.create_task(broker.run())
        yield broker, exchange, events
        broker.stop()
    server.close()
    exchange.hang_up()


async def until(condition):
    """Wait until something holds, not for ever."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - the condition is of another task's making
            await asyncio.sleep(0.001)


async def test_it_attaches_and_is_up_when_the_exchange_says_so(tmp_path, monkeypatch):
    """The subscription made before is part of the Attach; a later one is sent."""
    async with linked(tmp_path, monkeypatch) as (broker, exchange, events):
        broker.subscribe(("AAA",))
        await until(lambda: broker.up)
        broker.subscribe(("BBB",))
        await until(lambda: len(exchange.heard) == 2)

        assert events == [UP]
        assert exchange.heard[0] == Attach(VERSION, ("AAA",))
        assert broker.streams == ("BBB",)


async def test_a_lost_link_is_told_once_and_made_again(tmp_path, monkeypatch):
    """Down, up; what is asked in between is refused with a reason."""
    async with linked(tmp_path, monkeypatch) as (broker, exchange, events):
        await until(lambda: broker.up)
        exchange.hang_up()
        await until(lambda: not broker.up)
        refused = broker.submit(bracket(), permitted)
        broker.read(ReadBroker("paper"))
        await until(lambda: broker.up)

        assert [type(event) for event in events] == [BrokerUp, BrokerDown, BrokerUp]
        assert refused == "not connected"


async def test_a_bad_message_ends_the_link_with_its_words_and_is_counted(tmp_path, monkeypatch):
    """Nothing is guessed: the whole link is made anew."""
    async with linked(tmp_path, monkeypatch) as (broker, exchange, events):
        await until(lambda: broker.up)
        exchange.writers[0].write(b"\xff\xff\xff\xff")
        await until(lambda: len(events) == 3)

        assert events[1] == BrokerDown("paper", "a frame of 4294967295 bytes, at most 1048576")
        assert broker.bad_messages == 1


@pytest.mark.parametrize(
    "hello",
    [
        Hello(VERSION + 1, "paper", "P", "paper", 0, 0, 0, 1.0, 1),
        Hello(VERSION, "other", "P", "paper", 0, 0, 0, 1.0, 1),
    ],
)
async def test_an_exchange_that_is_not_ours_is_never_attached_to(tmp_path, monkeypatch, hello):
    """Another version, another name: tried again, never up."""
    async with linked(tmp_path, monkeypatch, first=frame(hello)) as (broker, exchange, events):
        await until(lambda: broker.bad_messages >= 3)

        assert events == []
        assert exchange.heard == []


async def test_an_exchange_that_does_not_say_hello_is_given_up_on(tmp_path, monkeypatch):
    """It is tried again; silence is no link."""
    monkeypatch.setattr(paper_remote, "ANSWER_S", 0.02)
    async with linked(tmp_path, monkeypatch, first=b"") as (broker, exchange, events):
        await until(lambda: exchange.links >= 3)

        assert events == []
        assert not broker.up


async def test_no_order_is_handed_over_behind_bytes_that_still_wait(tmp_path, monkeypatch):
    """What waits in our own buffer could slip past a kill: permission is not even asked."""
    async with linked(tmp_path, monkeypatch) as (broker, _exchange, _events):
        await until(lambda: broker.up)
        broker._link.transport.write(b"\0" * (8 << 20))
        asked = []

        assert broker.submit(bracket(), lambda command: asked.append(command) or "") == "the exchange does not read"
        assert asked == []


async def test_a_command_too_long_for_a_frame_is_refused(tmp_path, monkeypatch):
    """Proven: no byte has left."""
    async with linked(tmp_path, monkeypatch) as (broker, exchange, _events):
        await until(lambda: broker.up)

        assert broker.submit(bracket("x" * (1 << 20)), permitted).startswith("SubmitOrder of ")
        assert len(exchange.heard) == 1


async def test_quotes_are_stamped_with_our_time(tmp_path, monkeypatch):
    """Their age counts from when we had them."""
    async with linked(tmp_path, monkeypatch) as (broker, exchange, events):
        await until(lambda: broker.up)
        exchange.writers[0].write(frame(Quote("AAA", 1.0, 2.0, received_ns=5)))
        await until(lambda: len(events) == 2)

        assert events[1] == Quote("AAA", 1.0, 2.0, received_ns=START_NS, broker="paper")


async def test_tries_grow_apart_and_begin_anew_after_a_steady_link(tmp_path, monkeypatch):
    """Where nothing answers, the waits are the delays in turn, the last for ever; a steady link resets them."""
    waits, steady = [], iter([False, False, False, False, True, False])
    broker = RemotePaperBroker("paper", tmp_path / "absent.sock", OwnClock(START_NS), lambda _event: None)

    async def held():
        return next(steady)

    async def within(awaited, seconds):
        awaited.close()
        waits.append(seconds)
        if len(waits) == 6:
            broker.stop()

    monkeypatch.setattr(broker, "_hold_link", held)
    monkeypatch.setattr(paper_remote, "_within", within)
    monkeypatch.setattr(paper_remote, "DELAYS_S", (1.0, 2.0, 3.0))
    await broker.run()

    assert waits == [2.0, 3.0, 3.0, 3.0, 1.0, 2.0]


async def test_where_nobody_serves_it_waits_and_says_nothing(tmp_path, monkeypatch):
    """No BrokerDown without a BrokerUp before."""
    monkeypatch.setattr(paper_remote, "DELAYS_S", (0.001,))
    events = []
    broker = RemotePaperBroker("paper", tmp_path / "absent.sock", OwnClock(START_NS), events.append)
    async with asyncio.TaskGroup() as group:
        group.create_task(broker.run())
        await asyncio.sleep(0.02)
        broker.stop()

    assert events == []


def test_asking_an_exchange_that_is_not_there_says_so(tmp_path):
    """By name of the socket; also where it hangs up at once, or says nothing."""
    with pytest.raises(BrokerUnavailable, match=r"absent\.sock"):
        read_hello(tmp_path / "absent.sock")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        with pytest.raises(BrokerUnavailable, match=r"silent\.sock"):
            shut_down(tmp_path / "silent.sock", timeout_s=0.05)
