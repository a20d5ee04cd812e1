"""The worker as a real process: killed, looping, devouring, babbling, and what the daemon makes of it."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import joed
from joed.daemon import worker as worker_module
from joed.daemon.job_context import JobContext
from joed.daemon.worker import RESPAWNS_MAX, WAITING_MAX, Worker
from joed.model.commands import RunJob
from joed.model.events import JobFailed, SummaryWritten
from joed.model.values import DAY, HOUR, MINUTE, SECOND, Bar

OPEN_NS = 20_000 * DAY + 14 * HOUR + 30 * MINUTE
CONTEXT = JobContext(OPEN_NS + HOUR, "s", OPEN_NS, OPEN_NS + 6 * HOUR)
PLANTED = ("-P", str(Path(__file__).with_name("planted_worker.py")))


@asynccontextmanager
async def serving(cache=None, program=PLANTED, memory_mb=1024):
    """Serve a worker for the time of a test."""
    worker = Worker(cache, memory_mb, program)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(worker.serve())
        yield worker
        task.cancel()


async def ask(worker, job, run=1, allowed_s=60.0, params=None):
    """Run a job and wait for what becomes of it."""
    answer = asyncio.get_running_loop().create_future()
    command = RunJob(job, run, CONTEXT.now_ns + round(allowed_s * SECOND), params or {})
    worker.run(command, CONTEXT, answer.set_result)
    return await answer


async def begun(note):
    """Give the process id that a looping job left, once it did."""
    while not (note.exists() and note.read_text("utf-8")):  # noqa: ASYNC110 - no event tells what another process did
        await asyncio.sleep(0.01)
    return int(note.read_text("utf-8"))


def bar(minute):
    """Build one minute bar."""
    return Bar("A", OPEN_NS + minute * MINUTE, 10.0, 11.0, 9.0, 10.0, 1.0)


def gone(pid):
    """Say whether no process has this id any more."""
    return not Path(f"/proc/{pid}").exists()


def test_the_daemon_does_not_import_numpy_for_its_worker():
    """numpy, the analysis and the strategies are the child's memory."""
    code = (
        "import sys, joed.daemon.worker; "
        "sys.exit(any(n.startswith(('numpy', 'joed.analysis', 'joed.strategies', 'talib')) for n in sys.modules))"
    )
    env = os.environ | {"PYTHONPATH": str(Path(joed.__file__).parent.parent)}

    assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == 0


async def test_the_real_child_answers_the_real_jobs():
    """Started as the daemon starts it, it reads crypto and says what is unknown."""
    async with serving(program=worker_module.PROGRAM) as worker:
        event = await ask(worker, "crypto", run=5)

    assert (type(event).__name__, event.run) == ("CryptoRead", 5)


async def test_a_child_killed_during_a_job_fails_it_and_the_next_run_works(tmp_path):
    """Kill -9 in the middle: JobFailed with the status, a new child, and all bars are there again."""
    note = tmp_path / "note"
    async with serving() as worker:
        worker.bars([bar(0), bar(1)])
        job = asyncio.ensure_future(ask(worker, "loop", params={"loop": {"note": str(note)}}))
        os.kill(await begun(note), signal.SIGKILL)
        failed = await job
        worker.bars([bar(2)])
        event = await ask(worker, "bars", run=2)

    assert isinstance(failed, JobFailed)
    assert "exit -9" in failed.reason
    assert event == SummaryWritten(2, "3")


async def test_the_past_goes_to_the_child_and_to_its_successor(tmp_path):
    """Minutes that a broker told afterwards are kept like the others until an answer proves that the child had them."""
    note = tmp_path / "note"
    async with serving() as worker:
        worker.bars([bar(2)])
        worker.fill([bar(0), bar(1)])
        worker.fill([])
        job = asyncio.ensure_future(ask(worker, "loop", params={"loop": {"note": str(note)}}))
        os.kill(await begun(note), signal.SIGKILL)
        await job

        assert await ask(worker, "bars", run=2) == SummaryWritten(2, "3")


async def test_a_child_that_died_idle_is_replaced_without_a_failed_job(tmp_path):
    """Nothing was under way, so nothing failed; its cache gives the new one what had been answered for."""
    async with serving(cache=tmp_path / "bars.db") as worker:
        worker.bars([bar(0), bar(1)])
        assert await ask(worker, "bars") == SummaryWritten(1, "2")
        pid = worker.pid
        os.kill(pid, signal.SIGKILL)
        while worker.pid is not None:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        worker.bars([bar(2)])

        assert await ask(worker, "bars") == SummaryWritten(1, "3")
        assert worker.pid not in {None, pid}


async def test_a_looping_job_ends_at_its_deadline(tmp_path):
    """The child is killed, the reason names the time it had, the next run has a child."""
    note = tmp_path / "note"
    async with serving() as worker:
        await ask(worker, "bars")
        failed = await ask(worker, "loop", run=2, allowed_s=3.0, params={"loop": {"note": str(note)}})
        assert gone(int(note.read_text("utf-8")))
        event = await ask(worker, "bars", run=3)

    assert failed == JobFailed("loop", 2, "ran over its 3 s")
    assert event == SummaryWritten(3, "0")


async def test_a_deadline_that_has_passed_already_fails_the_job():
    """No time left is no time, not for ever."""
    async with serving() as worker:
        assert (await ask(worker, "bars", allowed_s=-5.0)).reason == "ran over its 0 s"


async def test_memory_beyond_the_budget_fails_the_job_only():
    """The same child answers that it had no memory, and does the next job."""
    async with serving() as worker:
        await ask(worker, "bars")
        pid = worker.pid
        failed = await ask(worker, "devour")
        await ask(worker, "bars")

        assert failed.reason.startswith("MemoryError")
        assert worker.pid == pid


async def test_what_a_strategy_prints_is_not_an_answer(capfd):
    """Stdout is the log's in the child; the answers have a pipe that no print reaches."""
    async with serving() as worker:
        assert await ask(worker, "chatter") == SummaryWritten(1, "said")

    assert "xxx" in capfd.readouterr().err


async def test_a_babbling_child_is_lost_and_replaced():
    """A length that no message has ends the child; the run fails, the next one works."""
    async with serving() as worker:
        failed = await ask(worker, "babble")

        assert "lost" in failed.reason
        assert await ask(worker, "bars") == SummaryWritten(1, "0")


async def test_after_too_many_deaths_each_run_fails_at_once_until_time_forgives():
    """RESPAWNS_MAX new children, then none; one forgiven makes one more."""
    async with serving() as worker:
        for _ in range(RESPAWNS_MAX + 1):
            assert "lost" in (await ask(worker, "babble")).reason
        refused = await ask(worker, "bars")
        worker._forgive()

        assert refused.reason == "the worker was lost 5 times within 600 s"
        assert await ask(worker, "bars") == SummaryWritten(1, "0")


async def test_the_line_of_waiting_jobs_is_bounded():
    """One more than WAITING_MAX is refused at once, the others are not touched."""
    worker = Worker(None, 1024, PLANTED)
    heard = []
    for run in range(WAITING_MAX + 1):
        worker.run(RunJob("bars", run, CONTEXT.now_ns + SECOND), CONTEXT, heard.append)

    assert heard == [JobFailed("bars", WAITING_MAX, f"{WAITING_MAX} jobs are waiting already")]


async def test_bars_kept_for_a_new_child_are_bounded(monkeypatch):
    """The oldest give way, and what no child ever saw is counted."""
    monkeypatch.setattr(worker_module, "FRAMES_MAX", 3)
    worker = Worker(None, 1024, PLANTED)
    for minute in range(5):
        worker.bars([bar(minute)])
    worker.bars([])

    assert len(worker._frames) == 3
    assert worker.lost_frames == 2


async def test_jobs_are_answered_in_the_order_they_were_asked():
    """One at a time, each with its own number."""
    async with serving() as worker:
        events = await asyncio.gather(*(ask(worker, "bars", run=run) for run in range(8)))

    assert [event.run for event in events] == list(range(8))


async def test_the_child_ends_with_the_daemons_side(tmp_path):
    """Idle or in a job, it is gone when serve has ended; Ctrl-C does not reach it before."""
    note = tmp_path / "note"
    async with serving() as worker:
        await ask(worker, "bars")
        pid = worker.pid
        os.kill(pid, signal.SIGINT)
        await ask(worker, "bars")
        assert worker.pid == pid
        worker.run(RunJob("loop", 1, CONTEXT.now_ns + HOUR, {"loop": {"note": str(note)}}), CONTEXT, print)
        assert await begun(note) == pid

    assert gone(pid)


async def test_the_child_is_told_nothing_of_systemd(monkeypatch):
    """It cannot answer the watchdog in the daemon's name."""
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/secret")
    async with serving() as worker:
        assert await ask(worker, "environment") == SummaryWritten(1, "nothing")


async def test_a_child_that_cannot_be_started_fails_the_job():
    """A broken program is a failed job each time, never an exception in the daemon."""
    async with serving(program=("-c", "raise SystemExit(9)")) as worker:
        failed = await ask(worker, "bars")

    assert isinstance(failed, JobFailed)
