"""A connection in memory: what it carries, and each thing that a scenario may do to it."""

import asyncio

import pytest

from joed.sim.link import HIGH_BYTES, WINDOW_BYTES
from joed.sim.loop import VirtualLoop, run

PORT = 7_001


class Recorder(asyncio.Protocol):
    """Writes down what it is told, with the time."""

    def __init__(self):
        self.told, self.bytes = [], b""

    def connection_made(self, transport):
        """Keep the end."""
        self.transport = transport
        self.loop = asyncio.get_running_loop()

    def data_received(self, data):
        """Note bytes."""
        self.bytes += data
        self.note("data", bytes(data))

    def eof_received(self):
        """Note the end of the other's stream."""
        self.note("eof")

    def connection_lost(self, exc):
        """Note the end."""
        self.note("lost", type(exc).__name__)

    def pause_writing(self):
        """Note that the buffer is full."""
        self.note("pause")

    def resume_writing(self):
        """Note that it has room again."""
        self.note("resume")

    def note(self, *what):
        """Write a line with its time."""
        self.told.append((round(self.loop.time(), 6), *what))

    @property
    def words(self):
        """Give what was told, without times and bytes."""
        return [line[1] for line in self.told]


def over_a_link(scenario):
    """Run a scenario with a loop, a link that takes 10 ms each way, and the two who hold its ends."""

    async def main(loop):
        served = Recorder()
        server = await loop.create_server(lambda: served, "127.0.0.1", PORT)
        loop.network.route(("127.0.0.1", PORT)).latency_s = 0.010
        _, client = await loop.create_connection(Recorder, "127.0.0.1", PORT)
        await asyncio.sleep(0)
        link = loop.network.links[0]
        await scenario(loop, link, client, served)
        server.close()
        return client, served, link

    return run(main, VirtualLoop())


def test_bytes_arrive_late_and_in_order():
    """20 ms for the handshake, 10 ms for each way; nothing overtakes, even where the delay shrinks."""

    async def scenario(loop, link, client, served):
        client.transport.write(b"a")
        link.slow(0.001)
        client.transport.write(b"b")
        await asyncio.sleep(1)

    _, served, _ = over_a_link(scenario)

    assert served.told == [(0.030, "data", b"a"), (0.030, "data", b"b")]


def test_jitter_is_drawn_from_the_loops_seed():
    """Equal seeds give equal delays, others do not; the order of bytes stays."""

    def arrivals(seed):
        async def main(loop):
            served = Recorder()
            await loop.create_server(lambda: served, "127.0.0.1", PORT)
            loop.network.route(("127.0.0.1", PORT)).jitter_s = 0.050
            _, client = await loop.create_connection(Recorder, "127.0.0.1", PORT)
            for number in range(20):
                client.transport.write(bytes([number]))
            await asyncio.sleep(1)
            return served

        return run(main, VirtualLoop(seed=seed))

    first, again, other = arrivals(1), arrivals(1), arrivals(2)

    assert first.told == again.told != other.told
    assert first.bytes == bytes(range(20))


def test_a_cut_link_is_half_open_and_a_mended_one_has_lost_nothing():
    """Neither end hears of the cut, not even when it says goodbye; the stream goes on where it stood."""

    async def scenario(loop, link, client, served):
        client.transport.write(b"a")
        await asyncio.sleep(0.005)  # on its way
        link.cut()
        client.transport.write(b"b")
        await asyncio.sleep(3_600)
        assert served.told == []
        link.mend()
        client.transport.write(b"c")
        await asyncio.sleep(1)

    client, served, _ = over_a_link(scenario)

    assert served.bytes == b"abc"
    assert client.words == []


def test_a_goodbye_does_not_pass_a_cut():
    """The end that closes is done; the other believes in the link until it asks for proof."""

    async def scenario(loop, link, client, served):
        link.cut()
        client.transport.close()
        await asyncio.sleep(3_600)

    client, served, _ = over_a_link(scenario)

    assert client.words == ["lost"]
    assert served.words == []


def test_a_reset_ends_both_ends_and_loses_what_was_under_way():
    """As a router that forgot the connection."""

    async def scenario(loop, link, client, served):
        client.transport.write(b"a")
        link.reset()
        client.transport.write(b"b")
        await asyncio.sleep(1)
        assert loop.network.links == []

    client, served, _ = over_a_link(scenario)

    assert [line[1:] for line in client.told] == [("lost", "ConnectionResetError")]
    assert [line[1:] for line in served.told] == [("lost", "ConnectionResetError")]


def test_an_aborted_end_loses_what_waits_in_its_process_and_no_more():
    """What the kernels took arrives, then the end of the stream: an abort is no reset."""

    async def scenario(loop, link, client, served):
        client.transport.write(b"x" * WINDOW_BYTES)
        client.transport.write(b"y" * 1_000)
        client.transport.abort()
        await asyncio.sleep(1)

    client, served, _ = over_a_link(scenario)

    assert client.told == [(0.020, "lost", "NoneType")]
    assert served.words == ["data", "eof", "lost"]
    assert served.bytes == b"x" * WINDOW_BYTES


def test_a_close_sends_what_was_written_and_then_the_end():
    """A graceful goodbye: data, end of stream, and the other end closes too."""

    async def scenario(loop, link, client, served):
        client.transport.write(b"last words")
        client.transport.close()
        client.transport.write(b"too late")
        await asyncio.sleep(1)
        assert loop.network.links == []

    client, served, _ = over_a_link(scenario)

    assert served.words == ["data", "eof", "lost"]
    assert served.bytes == b"last words"
    assert client.told == [(0.020, "lost", "NoneType")]


def test_half_a_stream_may_end_before_the_other():
    """`write_eof` ends one way only; what the other end still has to say arrives."""

    class Answers(Recorder):
        def eof_received(self):
            self.transport.write(b"answer")
            return True

    async def main(loop):
        await loop.create_server(Answers, "127.0.0.1", PORT)
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        writer.write_eof()
        with pytest.raises(RuntimeError, match="after write_eof"):
            writer.write(b"more")
        answer = await reader.readexactly(6)
        writer.close()
        return answer

    assert run(main) == b"answer"


def test_bytes_for_an_end_that_is_gone_come_back_as_a_reset():
    """As from a kernel that knows no such socket."""

    async def scenario(loop, link, client, served):
        link.down.hold()  # the goodbye stays on the way
        served.transport.close()
        client.transport.write(b"order")
        await asyncio.sleep(1)
        assert client.words == []
        link.down.release()
        client.transport.write(b"order")
        await asyncio.sleep(1)

    client, served, _ = over_a_link(scenario)

    assert served.bytes == b""
    assert client.words[-1] == "lost"


def test_an_end_that_vanishes_tells_nobody():
    """A machine without power: its protocol hears nothing more, and the other end believes in the link."""

    async def scenario(loop, link, client, served):
        served.transport.write(b"a")
        client.transport.vanish()
        served.transport.write(b"b")
        await asyncio.sleep(3_600)

    client, served, _ = over_a_link(scenario)

    assert client.told == served.told == []


def test_a_flow_can_break_after_so_many_bytes():
    """An answer that is cut in its middle: what came before has come, what follows has not."""

    async def scenario(loop, link, client, served):
        link.down.after(6, link.reset)
        served.transport.write(b"HTTP")
        served.transport.write(b"/1.1 200 OK")
        await asyncio.sleep(1)

    client, _, _ = over_a_link(scenario)

    assert client.bytes == b"HTTP/1"
    assert client.words == ["data", "data", "lost"]


@pytest.mark.parametrize(
    ("mangle", "seen"),
    [
        (lambda data: [], []),
        (lambda data: [data[:1], data[1:]], [b"o", b"rder"]),
        (lambda data: [data, data], [b"order", b"order"]),
        (lambda data: [data.replace(b"r", b"\0")], [b"o\0de\0"]),
    ],
)
def test_bytes_can_be_lost_torn_doubled_and_changed(mangle, seen):
    """Whatever a proxy may do to them."""

    async def scenario(loop, link, client, served):
        link.up.mangle = mangle
        client.transport.write(b"order")
        await asyncio.sleep(1)

    _, served, _ = over_a_link(scenario)

    assert [line[2] for line in served.told] == seen


def test_a_writer_behind_a_cut_is_told_to_pause_and_later_to_go_on():
    """The kernels take so much; what is beyond waits in the writer's process and can be seen there."""

    async def scenario(loop, link, client, served):
        link.cut()
        client.transport.write(b"x" * WINDOW_BYTES)
        assert client.transport.get_write_buffer_size() == 0
        client.transport.write(b"x" * (HIGH_BYTES + 1))
        assert client.transport.get_write_buffer_size() == HIGH_BYTES + 1
        assert client.words == ["pause"]
        client.transport.close()
        await asyncio.sleep(60)
        assert client.words == ["pause"]  # it has not left this process, so it is not closed
        link.mend()
        await asyncio.sleep(1)

    client, served, _ = over_a_link(scenario)

    assert client.words == ["pause", "resume", "lost"]
    assert len(served.bytes) == WINDOW_BYTES + HIGH_BYTES + 1


def test_a_reader_that_pauses_gets_what_waited_in_order():
    """Nothing is lost between pause and resume."""

    async def scenario(loop, link, client, served):
        served.transport.pause_reading()
        client.transport.write(b"a")
        client.transport.write(b"b")
        await asyncio.sleep(1)
        assert served.bytes == b""
        assert not served.transport.is_reading()
        served.transport.resume_reading()
        await asyncio.sleep(1)

    _, served, _ = over_a_link(scenario)

    assert served.bytes == b"ab"


def test_the_marks_of_the_writers_buffer_are_as_asyncio_sets_them():
    """A library that sets one gets the other."""

    async def scenario(loop, link, client, served):
        transport = client.transport
        seen = [transport.get_write_buffer_limits()]
        transport.set_write_buffer_limits(high=1_000)
        seen.append(transport.get_write_buffer_limits())
        transport.set_write_buffer_limits(low=1_000)
        seen.append(transport.get_write_buffer_limits())
        assert seen == [(16_384, 65_536), (250, 1_000), (1_000, 4_000)]

    over_a_link(scenario)
