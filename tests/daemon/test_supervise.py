"""Tasks that fail: told, begun anew, given up."""

import asyncio
import os
import threading

import pytest

from joed.daemon.log import Log
from joed.daemon.supervise import HANDS, hire, supervise, supervised, supervised_broker, trace_of
from joed.model.events import BrokerDown
from joed.model.state import Broker, State

NO_PAUSES = (0.0, 0.0, 0.0)


def logged(folder):
    """Give a file and a log that writes to it."""
    path = folder / "log"
    return path, Log("json", lambda: 0, descriptor=os.open(path, os.O_CREAT | os.O_WRONLY))


class Task:
    """Fails so many times, then is done."""

    def __init__(self, fails):
        self.fails, self.begun = fails, 0

    async def __call__(self):
        """Do it."""
        self.begun += 1
        if self.begun <= self.fails:
            raise ValueError(f"failure {self.begun}")


async def failures(task):
    """Supervise a task, and give what was heard of it."""
    heard = []
    await supervise(task, lambda error, given_up: heard.append((str(error), given_up)), NO_PAUSES)
    return heard


async def test_a_task_that_is_done_is_done():
    """It is not begun again."""
    task = Task(0)

    assert await failures(task) == []
    assert task.begun == 1


async def test_a_task_that_fails_is_begun_anew():
    """Each failure is told."""
    task = Task(3)

    assert await failures(task) == [("failure 1", False), ("failure 2", False), ("failure 3", False)]
    assert task.begun == 4


async def test_a_task_that_fails_too_often_is_given_up():
    """After as many new beginnings as there are pauses; everything ends."""
    task = Task(99)

    heard = await failures(task)

    assert [given_up for _, given_up in heard] == [False, False, False, True]
    assert task.begun == 4


async def test_a_failure_is_in_the_log_with_its_task_and_its_trace(tmp_path):
    """Whoever looks finds the line."""
    out, log = logged(tmp_path)

    await supervised(Task(1), log, NO_PAUSES)()
    log.close()

    assert '"task_failed"' in out.read_text()
    assert "failure 1" in out.read_text()
    assert "test_supervise.py" in out.read_text()


async def test_an_adapter_that_fails_is_a_broker_that_is_down(tmp_path):
    """Not the end of joed; it is told once until it is up again."""
    state, events, task = State(), [], Task(2)
    state.brokers["paper"] = Broker("paper", up=True)

    class Adapter:
        """A broker whose own task fails."""

        name, run = "paper", task

    def emit(event):
        events.append(event)
        state.brokers["paper"].up = False

    out, log = logged(tmp_path)
    await supervised_broker(Adapter(), state, emit, log, NO_PAUSES)()
    log.close()

    assert events == [BrokerDown("paper", "its adapter failed: ValueError('failure 1')")]
    assert out.read_text().count('"broker_failed"') == 2


def test_a_trace_names_the_place():
    """File and words of the error."""
    with pytest.raises(ValueError, match="here") as raised:
        int("here")

    assert "test_supervise.py" in trace_of(raised.value)


async def test_what_may_wait_gets_no_thread_that_was_not_there_from_the_start():
    """As many at once as there are hands, and one more that waits: where none could be started they would still run."""
    hire(asyncio.get_running_loop())
    before, together = set(threading.enumerate()), threading.Barrier(HANDS)

    await asyncio.gather(*(asyncio.to_thread(together.wait) for _ in range(HANDS)), asyncio.to_thread(int))

    assert set(threading.enumerate()) == before
