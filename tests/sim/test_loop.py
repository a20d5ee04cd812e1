"""The loop in virtual time: what it runs, in which order, and how it says that nothing comes any more."""

import asyncio
import struct
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from ib_insync import IB, LimitOrder, Stock
from msgspec.structs import replace
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from joed.model.values import SECOND
from joed.sim import stage
from joed.sim.loop import START_NS, LoopClock, Stuck, VirtualLoop, run
from joed.sim.world import play, scenario_of

ROOT = Path(__file__).resolve().parents[2]
DAY_S = 86_400


def test_a_day_of_sleep_takes_no_time():
    """Nothing is ready, so time jumps; it stands where the sleeper asked for, to the nanosecond."""
    loop = VirtualLoop()

    async def main(loop):
        await asyncio.sleep(DAY_S)
        return loop.time()

    assert run(main, loop) == DAY_S
    assert loop.now_ns == START_NS + DAY_S * SECOND


def test_equal_times_come_in_the_order_in_which_they_were_asked_for():
    """A heap alone would shuffle them; joed's clock and asyncio's timers stand in one row."""

    async def main(loop):
        seen, clock = [], LoopClock(loop)
        for number in range(50):
            if number % 2:
                loop.call_at(1.0, seen.append, number)
            else:
                clock.call_at(START_NS + SECOND, lambda number=number: seen.append(number))
        await asyncio.sleep(2)
        return seen

    assert run(main) == list(range(50))


@pytest.mark.parametrize("when", [0.1, 1 / 3, 12_345.678_901_234_567, 86_399.999_999_999])
def test_a_timer_never_comes_before_its_time(when):
    """Libraries compare `loop.time()` with what they asked for; too early would send them to sleep again."""

    async def main(loop):
        at = loop.create_future()
        loop.call_at(when, lambda: at.set_result(loop.time()))
        return await at

    assert when <= run(main) < when + 2e-9


def test_a_time_that_has_passed_comes_at_once_and_time_never_goes_back():
    """`call_at` promises it; a callback for yesterday is no time machine."""
    loop = VirtualLoop()
    clock, seen = LoopClock(loop), []
    clock.call_at(START_NS + SECOND, lambda: clock.call_at(START_NS, lambda: seen.append(clock.now())))

    while clock.advance():
        pass

    assert seen == [START_NS + SECOND]
    loop.close()


def test_a_cancelled_timer_moves_no_time():
    """A timeout that was not needed leaves no trace, and a million of them no heap."""
    loop = VirtualLoop()

    async def main(loop):
        for _ in range(1_000):
            async with asyncio.timeout(300):
                await asyncio.sleep(0.001)
        return len(loop._heap)

    assert run(main, loop) < 250
    assert loop.now_ns < START_NS + 2 * SECOND


SCRIPT = """
import asyncio, hashlib
from joed.sim.loop import run

async def main(loop):
    seen = []
    async def work(name, delay_s):
        try:
            await asyncio.sleep(delay_s)
            seen.append((loop.time(), name))
            await loop.create_future()
        except asyncio.CancelledError:
            seen.append((loop.time(), name, "cancelled"))
            raise
    async def fail():
        await asyncio.sleep(5)
        raise ValueError
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(40):
                group.create_task(work(f"w{number}", number * 0.37 % 2))
            group.create_task(fail())
    except* ValueError:
        pass
    done, _ = await asyncio.wait([asyncio.ensure_future(asyncio.sleep(1, n)) for n in range(20)])
    seen.append([task.result() for task in done])
    seen.append(sorted(task.get_name() for task in done))
    return seen

print(hashlib.sha256(repr(run(main)).encode()).hexdigest())
"""


def test_the_order_is_the_same_in_every_process():
    """Tasks live in sets of asyncio: their order is their number here, neither a hash seed nor an address."""
    seen = set()
    for seed in ("0", "1", "4242"):
        environment = {"PYTHONHASHSEED": seed, "PATH": "", "PAD": "x" * int(seed)}
        command = [sys.executable, "-c", SCRIPT]
        done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
        seen.add(done.stdout)

    assert len(seen) == 1


def test_what_can_never_happen_is_told_with_the_line_that_waits():
    """A test that would hang fails, and says who waits where."""

    async def main(loop):
        await loop.create_future()

    with pytest.raises(Stuck, match=r"nothing left to do at 0\.000000 s: 1 tasks wait: task-1 at test_loop\.py:\d+"):
        run(main)


def test_a_loop_that_only_goes_round_ends_at_its_limit():
    """A heartbeat never runs out of timers; the limit says that nothing else came."""

    async def main(loop):
        def tick():
            loop.call_later(1, tick)

        tick()
        await loop.create_future()

    with pytest.raises(Stuck, match=r"nothing ended by 60\.000000 s, the limit of this loop: 1 tasks wait: task-1 at"):
        run(main, VirtualLoop(limit_s=60))


def test_callbacks_that_only_wake_one_another_are_found(monkeypatch):
    """Time that stands still is a hang like any other."""
    monkeypatch.setattr("joed.sim.loop.AT_ONCE_MAX", 1_000)

    async def main(loop):
        def again():
            loop.call_soon(again)

        again()
        await loop.create_future()

    with pytest.raises(Stuck, match=r"time stands still at 0\.000000 s: 1000 callbacks at once"):
        run(main)


def test_the_clock_drives_the_loop_one_callback_at_a_time():
    """A world settles after each callback: two of one moment are two steps, and a task's steps are among them."""
    loop = VirtualLoop()
    clock, seen = LoopClock(loop), []

    async def library():
        await asyncio.sleep(1)
        seen.append("library")

    clock.call_at(START_NS + SECOND, lambda: seen.append("first"))
    task = loop.create_task(library())
    clock.call_at(START_NS + SECOND, lambda: seen.append("second"))
    steps = []
    while clock.next_ns() is not None and clock.advance():
        steps.append((clock.now() - START_NS, tuple(seen)))

    assert [seen for at, seen in steps if at][:2] == [("first",), ("first", "second")]
    assert seen == ["first", "second", "library"]
    assert task.done()
    assert not clock.advance()
    loop.close()


@pytest.mark.parametrize("outside", [True, False])
def test_a_clocks_callback_that_raises_ends_the_run(outside):
    """A broken law is no line in a log: it comes out of `advance`, and out of a loop that runs by itself."""
    loop = VirtualLoop()

    def broken():
        raise ValueError("a law is broken")

    LoopClock(loop).call_at(START_NS + SECOND, broken)
    with pytest.raises(ValueError, match="a law is broken"):
        LoopClock(loop).advance() if outside else loop.run_forever()
    loop.close()


async def test_a_virtual_loop_may_be_driven_from_within_a_real_one():
    """A demo at full speed drives simulated time from its own loop, which stays the running one."""
    real, loop = asyncio.get_running_loop(), VirtualLoop()
    seen = []

    async def inner():
        await asyncio.sleep(3_600)
        seen.append(asyncio.get_running_loop())

    task = loop.create_task(inner())
    while loop.advance():
        assert asyncio.get_running_loop() is real

    assert seen == [loop]
    assert task.done()
    loop.close()


def test_the_seeded_world_is_the_same_world_on_the_loop(monkeypatch):
    """A whole day with its faults comes out event for event as on `SimulatedClock`: a world may swap its clock."""
    scenario = replace(scenario_of(4), safe_s=240.0)
    plain = play(scenario)
    loops = []

    def clock_at(start_ns):
        loops.append(VirtualLoop(start_ns))
        return LoopClock(loops[-1])

    monkeypatch.setattr(stage, "SimulatedClock", clock_at)
    looped = play(scenario)
    for loop in loops:
        loop.close()

    assert len(loops) == 1
    assert looped.trace == plain.trace
    assert looped.events == plain.events > 1_000


def test_no_thread_is_ever_needed():
    """What a library hands to a thread runs here and now; an executor of its own is refused."""

    async def main(loop):
        with pytest.raises(RuntimeError, match="no threads in virtual time"):
            await loop.run_in_executor(object(), int)
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(divmod, 1, 0)
        return await asyncio.to_thread(divmod, 7, 2)

    assert run(main) == (3, 1)


@pytest.mark.parametrize(
    "ask",
    [
        lambda loop: loop.create_connection(asyncio.Protocol, "localhost", 1, ssl=True),
        lambda loop: loop.create_server(asyncio.Protocol, "localhost", 1, ssl=True),
        lambda loop: loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("127.0.0.1", 1)),
    ],
)
def test_what_virtual_time_has_not_is_refused_by_name(ask):
    """Better than a socket that leaves the world."""

    async def main(loop):
        with pytest.raises(NotImplementedError, match="in virtual time"):
            await ask(loop)

    run(main)


class ToyTws(asyncio.Protocol):
    """As much of TWS as a client needs to connect and to have an order acknowledged."""

    def connection_made(self, transport):
        """Wait for the greeting."""
        self.transport, self.bytes, self.greeted = transport, b"", False

    def data_received(self, data):
        """Answer each whole message."""
        self.bytes += data
        if not self.greeted and len(self.bytes) >= 8:
            size = struct.unpack(">I", self.bytes[4:8])[0]
            self.bytes, self.greeted = self.bytes[8 + size :], True
            self.send(176, "20260901 09:30:00 EST")
        while self.greeted and len(self.bytes) >= 4:
            size = struct.unpack(">I", self.bytes[:4])[0]
            if len(self.bytes) < 4 + size:
                return
            fields, self.bytes = self.bytes[4 : 4 + size].decode().split("\0"), self.bytes[4 + size :]
            for answer in self.answers(fields):
                self.send(*answer)

    def answers(self, fields):
        """Give the messages that answer one."""
        return {
            "71": [(15, 1, "DU1"), (9, 1, 100)],
            "61": [(62, 1)],
            "5": [(53, 1)],
            "99": [(102,)],
            "6": [(54, 1, "DU1")],
            "76": [(74, 1, *fields[2:3])],
            "7": [(55, 1, *fields[2:3])],
            "3": [(3, *fields[1:2], "Submitted", "0", "1", "0", 555, 0, "0", 7, "", "0")],
            "49": [(49, 1, START_NS // SECOND)],
        }.get(fields[0], [])

    def send(self, *fields):
        """Send one message."""
        body = "".join(f"{field}\0" for field in fields).encode()
        self.transport.write(struct.pack(">I", len(body)) + body)


def test_an_unmodified_ib_insync_connects_and_has_an_order_acknowledged():
    """The library of one broker, as it is installed, over a day of virtual time."""

    async def main(loop):
        await loop.create_server(ToyTws, "127.0.0.1", 4002)
        ib = IB()
        await ib.connectAsync("127.0.0.1", 4002, clientId=7, timeout=5)
        trade = ib.placeOrder(Stock("AAPL", "SMART", "USD"), LimitOrder("BUY", 1, 100))
        await asyncio.sleep(DAY_S)
        seen = ib.client.isConnected(), trade.orderStatus.status
        ib.disconnect()
        await asyncio.sleep(1)
        return seen, ib.client.isConnected(), len(loop.network.links)

    assert run(main) == ((True, "Submitted"), False, 0)


def test_an_unmodified_aiohttp_client_asks_an_aiohttp_server():
    """Request, answer, a body larger than any buffer, and a timeout in virtual seconds."""

    async def hello(request):
        await asyncio.sleep(3)
        return web.json_response({"q": request.query["q"]})

    async def large(request):
        return web.Response(body=b"x" * 3_000_000)

    async def main(loop):
        app = web.Application()
        app.add_routes([web.get("/hello", hello), web.get("/large", large)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 8080).start()
        async with aiohttp.ClientSession("http://localhost:8080") as session:
            async with session.get("/hello", params={"q": "1"}) as response:
                answer = await response.json()
            before = loop.time()
            async with session.get("/large") as response:
                size = len(await response.read())
            with pytest.raises(TimeoutError):
                await session.get("/hello", params={"q": "2"}, timeout=aiohttp.ClientTimeout(total=1))
            took = loop.time() - before
        await runner.cleanup()
        return answer, size, round(took, 1)

    assert run(main) == ({"q": "1"}, 3_000_000, 1.0)


def test_an_unmodified_websockets_client_talks_to_a_websockets_server():
    """With its own keep-alive, over an hour of silence."""

    async def echo(connection):
        async for message in connection:
            await asyncio.sleep(1)
            await connection.send(f"echo {message}")

    async def main(loop):
        async with serve(echo, "localhost", 8765), connect("ws://localhost:8765", proxy=None) as client:
            await client.send("a")
            first = await client.recv()
            await asyncio.sleep(3_600)
            await client.send("b")
            return first, await client.recv(), loop.time() > 3_602

    assert run(main) == ("echo a", "echo b", True)


def test_a_socket_at_a_path_works_as_one_at_a_port(tmp_path):
    """The control socket is one; nothing of it appears on the disk."""
    path = tmp_path / "control.sock"

    async def main(loop):
        async def serve_one(reader, writer):
            writer.write(await reader.readline())
            writer.close()

        server = await asyncio.start_unix_server(serve_one, path)
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"hello\n")
        answer = await reader.read()
        writer.close()
        server.close()
        return answer

    assert run(main) == b"hello\n"
    assert not path.exists()
