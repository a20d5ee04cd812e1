"""A joed that gets no new thread, and one that gets next to nothing of the processor."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

from joed.daemon.audit import verify
from tests.faults.measure import Watch, measured
from tests.faults.scene import accepted, resting, trading, until
from tests.faults.test_process import stops_hold


@contextmanager
def without_threads(pid):
    """Have the kernel refuse a process every new thread and process until the block ends."""
    calls = "clone,clone3,fork,vfork"
    words = ["strace", "-f", "-q", "-e", f"trace={calls}", "-e", f"inject={calls}:error=EAGAIN", "-o", "/dev/null"]
    with subprocess.Popen([*words, "-p", str(pid)], stderr=subprocess.DEVNULL) as tracer:
        traced, tasks = f"TracerPid:\t{tracer.pid}\n", Path(f"/proc/{pid}/task")
        try:
            until(lambda: all(traced in (task / "status").read_text() for task in tasks.iterdir()), what="the tracer")
            yield
        finally:
            tracer.terminate()


def test_f14_without_a_new_thread_or_process_orders_leave_and_a_kill_holds(mad):
    """No station on an order's way asks for one: entries go on reaching the exchange, and a kill cancels them."""
    demo = mad()
    trading(demo)
    with without_threads(demo.process.pid):
        before = len(accepted(demo))
        until(lambda: len(accepted(demo)) >= before + 5, what="entries without a new thread")
        watch = Watch()
        killed = demo.ask("kill", "--json")
        detected_ms = watch.ms()
        assert (killed.code, killed.json["daemon"]) == (0, "answered"), killed
        until(lambda: not resting(demo), what="the cancels")
        measured("F14", detected_ms=detected_ms, recovered_ms=watch.ms())
        assert demo.ask("flush").code == 0
        assert demo.status()["killed"] == "orders"
        assert demo.ask("why", "nobody").code == 1
    assert demo.interrupt(signal.SIGTERM) == 0
    assert verify(demo.root).whole
    assert stops_hold(demo)


HOGS = 8
HOG = "while True: pass"
NICE, NICER = 10, 19
"""Nicer than other tests on this machine, and far less so than the joed that it starves."""


@contextmanager
def starved(pid):
    """Let a process have a fiftieth of one processor until the block ends: eight others want it all."""
    one = {min(os.sched_getaffinity(0))}
    hogs = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(HOGS)]
    try:
        for hog in hogs:
            os.sched_setaffinity(hog.pid, one)
            os.setpriority(os.PRIO_PROCESS, hog.pid, NICE)
        for task in [int(found.name) for found in Path(f"/proc/{pid}/task").iterdir()]:
            os.sched_setaffinity(task, one)
            os.setpriority(os.PRIO_PROCESS, task, NICER)
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def pings(manager, number):
    """Wait for so many words to the watchdog."""
    heard = 0
    while heard < number:
        heard += manager.recv(4096) == b"WATCHDOG=1"


def test_f15_a_processor_that_others_have_taken_is_told_of_and_no_broker_is_taken_for_dead(mad, tmp_path):
    """Late, and it says so; heartbeats go on reaching the disk, its broker stays up, and it trades again at once."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(15)
        demo = mad("health: {lag_max_s: 0.2}\n")
        demo.env |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "4500000"}
        trading(demo)
        pings(manager, 1)
        with starved(demo.process.pid):
            watch = Watch()
            until(lambda: "the loop stood still" in demo.err.read_text(), what="the alert")
            detected_ms = watch.ms()
            pings(manager, 2)
        before, watch = len(accepted(demo)), Watch()
        until(lambda: len(accepted(demo)) > before, what="entries again")
        measured("F15", detected_ms=detected_ms, recovered_ms=watch.ms())

    assert demo.interrupt(signal.SIGTERM) == 0
    with closing(sqlite3.connect(f"file:{demo.places.journal}?mode=ro", uri=True)) as journal:
        fell = journal.execute("SELECT count(*) FROM records WHERE kind IN ('BrokerDown', 'EventFaulted')").fetchone()
    assert fell == (0,)
    assert verify(demo.root).whole
