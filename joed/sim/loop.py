"""An asyncio loop in virtual time: it jumps to the next timer when nothing is ready, and its network is memory.

The brokers' real adapters, with their libraries, run inside it unmodified: no socket carries a byte, no thread runs,
and the same code gives the same order of callbacks in each run. `LoopClock` is this time as joed's clock, so that a
day's schedule and a library's timeout stand in one row. Why so: docs/adr/0012-virtual-time.md.
"""

import asyncio
import heapq
import inspect
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from pathlib import Path
from typing import Any, NoReturn, TypeVar, TypeVarTuple, cast

from joed.errors import JoedError
from joed.model.values import SECOND
from joed.sim.link import End
from joed.sim.network import Listener, Network, UnusedSocket

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Coro = Coroutine[Any, Any, Any]

START_NS = 1_788_220_800_000_000_000
"""2026-09-01 00:00 UTC, where nothing else is asked for."""
LIMIT_S = 30 * 86_400.0
"""How far a loop's time goes: past that, what is waited for never comes, and only a timer goes round."""
AT_ONCE_MAX = 1_000_000
"""How many callbacks may run at one moment: more, and they only wake one another."""
CANCELLED_KEPT = 100
"""So many cancelled timers stay in the heap before it is looked at whether they are most of it."""
TASKS_NAMED = 12


class Stuck(JoedError):
    """What the loop was asked for can never happen."""


class NumberedFuture(asyncio.Future[Any]):
    """A future whose place in a set is its number, not its address: asyncio cancels and wakes what it keeps in sets."""

    def __init__(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self.number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.number


class NumberedTask(asyncio.Task[Any]):
    """A task whose place in a set is its number, not its address."""

    def __init__(self, number: int, coro: Coro, loop: "VirtualLoop", name: str, context: Context | None) -> None:
        self.number = number  # first: asyncio puts the task into a set of its own as it is made
        super().__init__(coro, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self.number


class Timer(asyncio.TimerHandle):
    """A callback at a nanosecond; at equal times the one asked for first comes first."""

    _scheduled: bool

    def __init__(
        self,
        at_ns: int,
        order: int,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: "VirtualLoop",
        context: Context | None,
    ) -> None:
        super().__init__(when, callback, args, loop, context)
        self.at_ns, self.order = at_ns, order

    def __lt__(self, other: asyncio.TimerHandle) -> bool:
        assert isinstance(other, Timer)
        return (self.at_ns, self.order) < (other.at_ns, other.order)


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop. `network` is its whole world of addresses, names, delays and faults."""

    _ready: deque[asyncio.Handle]
    _stopping: bool

    def __init__(self, start_ns: int = START_NS, *, limit_s: float = LIMIT_S, seed: int = 0) -> None:
        """Start at this time, in nanoseconds since 1970, with nothing to do; `seed` draws the network's jitter."""
        self._heap: list[Timer] = []
        self._cancelled = self._numbers = self._at_once = 0
        self._failure: Exception | None = None
        super().__init__()
        self.start_ns = self.now_ns = start_ns
        self._limit_ns = start_ns + int(limit_s * SECOND)
        self.network = Network(self, seed)

    def time(self) -> float:
        """Give the seconds since the loop's start."""
        return (self.now_ns - self.start_ns) / SECOND

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Timer:
        """Call back at this time, in seconds since the loop's start, and never before it."""
        at_ns = self.start_ns + round(when * SECOND)
        while (at_ns - self.start_ns) / SECOND < when:
            at_ns += 1
        return self.call_at_ns(at_ns, callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Timer:
        """Call back after so many seconds."""
        return self.call_at((self.now_ns - self.start_ns) / SECOND + delay, callback, *args, context=context)

    def call_at_ns(
        self, at_ns: int, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Timer:
        """Call back at this time, in nanoseconds since 1970, or at once if it has passed."""
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        self._numbers += 1
        at_ns = max(at_ns, self.now_ns)
        when = (at_ns - self.start_ns) / SECOND
        timer = Timer(at_ns, self._numbers, when, callback, args, self, context)
        timer._scheduled = True
        heapq.heappush(self._heap, timer)
        return timer

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call back in this turn or the next; there are no threads here."""
        return self.call_soon(callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        """Make a future."""
        self._numbers += 1
        return NumberedFuture(self._numbers, self)

    def create_task(  # type: ignore[override]  # a generator is no coroutine here
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[T]:
        """Make a task; nameless ones are numbered as they come, in each loop anew."""
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        self._numbers += 1
        number = self._numbers
        task = NumberedTask(number, coro, self, name or f"task-{number}", context)
        return cast("asyncio.Task[T]", task)

    def run_in_executor(self, executor: object, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Run it here and now: it takes no time and no thread."""
        if executor is not None:
            raise RuntimeError(f"no threads in virtual time: {func!r} was to run in {executor!r}")
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as failure:  # noqa: BLE001 - whoever waits for it gets it
            done.set_exception(failure)
        return done

    def next_ns(self) -> int | None:
        """Give when the next callback is due, None where nothing is planned any more."""
        return self.now_ns if any(not handle.cancelled() for handle in self._ready) else self._next_timer_ns()

    def advance(self) -> bool:
        """Run one callback, the next, whenever it is due; False where nothing is planned any more.

        This is how a world drives the loop from outside, one step at a time. A callback of `LoopClock` that raises
        raises here.
        """
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            while self._fill():
                handle = self._ready.popleft()
                if not handle.cancelled():
                    self._run(handle)
                    return True
            return False
        finally:
            asyncio._set_running_loop(outer)

    def strictly(self, callback: Callable[[], None]) -> None:
        """Run a callback whose failure is the run's, not a line in a log."""
        try:
            callback()
        except Exception as failure:  # noqa: BLE001 - raised again by whoever drives
            self._failure = failure

    def _run_once(self) -> None:
        """Run what is ready; where nothing is, what the next moment brings."""
        if not self._ready and self._stopping:
            return
        if not self._fill():
            raise Stuck(f"nothing left to do at {self._moment()}: {waiting_in(self)}")
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            if not handle.cancelled():
                self._run(handle)

    def _run(self, handle: asyncio.Handle) -> None:
        handle._run()
        self._at_once += 1
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        if self._at_once >= AT_ONCE_MAX:
            self._at_once = 0  # what is cancelled now must have its turn
            raise Stuck(f"time stands still at {self._moment()}: {AT_ONCE_MAX} callbacks at once; {waiting_in(self)}")

    def _fill(self) -> bool:
        """Make ready what is due now, after a jump where nothing else is ready; False where nothing is planned."""
        due_ns = self._next_timer_ns()
        if not self._ready:
            if due_ns is None:
                return False
            if due_ns > self.now_ns:
                self._jump(due_ns)
        while due_ns is not None and due_ns <= self.now_ns:
            timer = heapq.heappop(self._heap)
            timer._scheduled = False
            self._ready.append(timer)
            due_ns = self._next_timer_ns()
        return True

    def _jump(self, to_ns: int) -> None:
        if to_ns > self._limit_ns:
            raise Stuck(f"nothing ended by {self._moment()}, the limit of this loop: {waiting_in(self)}")
        self.now_ns, self._at_once = to_ns, 0

    def _next_timer_ns(self) -> int | None:
        while self._heap and self._heap[0].cancelled():
            heapq.heappop(self._heap)._scheduled = False
            self._cancelled -= 1
        return self._heap[0].at_ns if self._heap else None

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Keep the heap free of timers that nobody waits for any more."""
        if not handle._scheduled:  # type: ignore[attr-defined]  # asyncio's own word for "in the heap"
            return
        self._cancelled += 1
        if self._cancelled > CANCELLED_KEPT and self._cancelled * 2 > len(self._heap):
            for timer in self._heap:
                timer._scheduled = not timer.cancelled()
            self._heap = [timer for timer in self._heap if not timer.cancelled()]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def _moment(self) -> str:
        return f"{(self.now_ns - self.start_ns) / SECOND:.6f} s"

    def _write_to_self(self) -> None:
        """Wake nobody: no selector sleeps."""

    def close(self) -> None:
        """Let go of everything."""
        self._heap.clear()
        super().close()

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - asyncio's name
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """Answer at once for loopback and the network's names; no other name exists."""
        return self.network.resolve(host, port)

    async def sock_connect(  # type: ignore[override]  # a socket of which only the number is looked at
        self, sock: UnusedSocket, address: tuple[str, int] | str
    ) -> None:
        """Reach an address in memory; the socket stands for it until `create_connection` takes it up."""
        await self.network.reach(self.network.key(address))
        self.network.taken[sock.fileno()] = self.network.key(address)

    async def create_connection(  # type: ignore[override]  # what a socket would need is not used
        self,
        protocol_factory: Callable[[], asyncio.Protocol],
        host: str | None = None,
        port: int | None = None,
        *,
        sock: UnusedSocket | None = None,
        ssl: object = None,
        **options: object,
    ) -> tuple[End, asyncio.Protocol]:
        """Connect to a server of this loop."""
        _refuse_tls(ssl)
        if sock is not None:
            key = self.network.taken.pop(sock.fileno())
            sock.close()
        else:
            key = self.network.key(self.network.resolve(host, port)[0][4])
            await self.network.reach(key)
        return self.network.connect(key, protocol_factory)

    async def create_server(  # type: ignore[override]  # what a socket would need is not used
        self,
        protocol_factory: Callable[[], asyncio.Protocol],
        host: str | None = None,
        port: int | None = None,
        *,
        sock: UnusedSocket | None = None,
        ssl: object = None,
        start_serving: bool = True,
        **options: object,
    ) -> Listener:
        """Listen at an address of this loop; port 0 takes the next free one."""
        _refuse_tls(ssl)
        address = sock.getsockname() if sock is not None else (host or "127.0.0.1", port or 0)
        return self.network.listen(self.network.key(address), protocol_factory, serving=start_serving)

    async def create_unix_connection(  # type: ignore[override]  # as create_connection
        self, protocol_factory: Callable[[], asyncio.Protocol], path: str | None = None, **options: object
    ) -> tuple[End, asyncio.Protocol]:
        """Connect to a server at a path; nothing of it is on a disk."""
        await self.network.reach(str(path))
        return self.network.connect(str(path), protocol_factory)

    async def create_unix_server(  # type: ignore[override]  # as create_server
        self,
        protocol_factory: Callable[[], asyncio.Protocol],
        path: str | None = None,
        *,
        start_serving: bool = True,
        **options: object,
    ) -> Listener:
        """Listen at a path."""
        return self.network.listen(str(path), protocol_factory, serving=start_serving)

    async def create_datagram_endpoint(self, *args: object, **options: object) -> NoReturn:
        """Refuse: nothing of ours sends datagrams."""
        raise NotImplementedError("no datagrams in virtual time")


class LoopClock:
    """The loop's time as joed's clock: what `SimulatedClock` is without a loop, word for word."""

    simulated = True

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop

    def now(self) -> int:
        """Give the time, in nanoseconds since 1970."""
        return self.loop.now_ns

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> None:
        """Call back at this time, or at once if it has passed; equal times in the order they were asked for."""
        self.loop.call_at_ns(at_ns, self.loop.strictly, callback)

    def next_ns(self) -> int | None:
        """Give when the next callback is due, None where nothing is planned any more."""
        return self.loop.next_ns()

    def advance(self) -> bool:
        """Jump to the next callback and run it, a library's or ours; False where nothing is planned any more."""
        return self.loop.advance()


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]], loop: VirtualLoop | None = None) -> T:
    """Run a coroutine to its end on a loop, by default a new one, and close it; Stuck where it never ends."""
    virtual = loop or VirtualLoop()
    asyncio.set_event_loop(virtual)  # ib_insync asks the policy, not who is running
    try:
        with asyncio.Runner(loop_factory=lambda: virtual) as runner:
            return runner.run(main(virtual))
    finally:
        asyncio.set_event_loop(None)


def waiting_in(loop: asyncio.AbstractEventLoop) -> str:
    """Name the tasks that wait, each with the innermost line of its own code, the oldest first."""
    tasks = sorted(asyncio.all_tasks(loop), key=hash)
    named = [f"{task.get_name()} at {_line_of(task.get_coro())}" for task in tasks[:TASKS_NAMED]]
    more = f", and {len(tasks) - TASKS_NAMED} more" if len(tasks) > TASKS_NAMED else ""
    return f"{len(tasks)} tasks wait: {', '.join(named)}{more}" if tasks else "no task waits"


def _line_of(coro: Coroutine[Any, Any, Any] | Generator[Any, Any, Any] | object) -> str:
    while inspect.iscoroutine(coro) and inspect.iscoroutine(coro.cr_await):
        coro = coro.cr_await
    frame = coro.cr_frame if inspect.iscoroutine(coro) else None
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}" if frame is not None else "its end"


def _refuse_tls(ssl: object) -> None:
    if ssl:
        raise NotImplementedError("no TLS in virtual time: nobody could listen in; use http and ws")
