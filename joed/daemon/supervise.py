"""Tasks of the shell that may fail: told, begun anew after a pause, and given up when that does not help."""

import asyncio
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

from joed.brokers.base import Broker
from joed.daemon.clock import stopwatch_ns
from joed.daemon.log import Log
from joed.model.events import BrokerDown, Event
from joed.model.state import State
from joed.model.values import SECOND

Work = Callable[[], Coroutine[Any, Any, None]]
"""Something that goes on until it is cancelled, or is done."""

PAUSES_S = (0.1, 1.0, 5.0, 15.0, 30.0)
"""How long to wait before each new beginning; there are as many as there are pauses, then it is given up."""
WINDOW_S = 600.0
"""A failure this long ago is forgotten."""
HANDS = 6
"""Threads for what may wait: reading the past, syncing a latch, a backup, the doctor."""


async def supervise(work: Work, failed: Callable[[Exception, bool], object], pauses_s: tuple[float, ...]) -> None:
    """Carry a task on until it is done; `failed` hears of each failure, and whether it was one too many."""
    failures: deque[int] = deque()
    while True:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - whatever it was, it is told
            now = stopwatch_ns()
            while failures and now - failures[0] > WINDOW_S * SECOND:
                failures.popleft()
            failures.append(now)
            given_up = len(failures) > len(pauses_s)
            failed(error, given_up)
            if given_up:
                return
            await asyncio.sleep(pauses_s[len(failures) - 1])
        else:
            return


def supervised(work: Work, log: Log, pauses_s: tuple[float, ...] = PAUSES_S) -> Work:
    """Have a task begun anew where it fails; joed goes on without it where that does not help."""
    name = getattr(work, "__qualname__", repr(work))

    def failed(error: Exception, given_up: bool) -> None:  # noqa: FBT001 - the supervisor's own word
        event = "task_given_up" if given_up else "task_failed"
        log.put("error", event, {"task": name, "error": repr(error)}, trace_of(error))

    return partial(supervise, work, failed, pauses_s)


def supervised_broker(
    broker: Broker, state: State, emit: Callable[[Event], None], log: Log, pauses_s: tuple[float, ...] = PAUSES_S
) -> Work:
    """Have a broker's adapter begun anew where it fails; meanwhile that broker is down, and joed is not."""

    def failed(error: Exception, given_up: bool) -> None:  # noqa: FBT001 - the supervisor's own word
        event = "broker_given_up" if given_up else "broker_failed"
        log.put("error", event, {"broker": broker.name, "error": repr(error)}, trace_of(error))
        known = state.brokers.get(broker.name)
        if known is not None and known.up:
            emit(BrokerDown(broker.name, f"its adapter failed: {error!r}"))

    return partial(supervise, broker.run, failed, pauses_s)


def trace_of(error: BaseException) -> str:
    """Give the traceback of an error, for the log."""
    return "".join(traceback.format_exception(error))


def hire(aloop: asyncio.AbstractEventLoop, number: int = HANDS) -> None:
    """Give a loop all the threads that it will ever have for what may wait, now: a kill or a stop starts none (F14)."""
    pool = ThreadPoolExecutor(number, thread_name_prefix="hand")
    together = Barrier(number)
    done = [pool.submit(together.wait) for _ in range(number)]  # each keeps its thread until all are there
    for one in done:
        one.result()
    aloop.set_default_executor(pool)
