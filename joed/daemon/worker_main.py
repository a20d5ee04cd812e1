"""The worker's own process: it holds the bars, answers one job after another, and ends with its pipe.

`InlineWorker` is the same without a process, for simulated time and backtests; the process is a loop around one.
"""

import io
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from joed.analysis.indicators import rows
from joed.daemon.history import History
from joed.daemon.job_context import JobContext
from joed.daemon.jobs import JOBS, Job, answer
from joed.daemon.worker_wire import LENGTH_BYTES, TO_CHILD, Daily, Filled, Message, Minutes, Run, frame, length_of
from joed.model.commands import RunJob
from joed.model.events import Event
from joed.model.values import Bar

GRACE_S = 5.0
MEGABYTE = 1024 * 1024


class InlineWorker:
    """A worker that thinks at once, in the caller's time."""

    def __init__(self, cache: Path | None = None, jobs: dict[str, Job] | None = None) -> None:
        """Begin with the bars of `cache` (None: none, and keeps none); `jobs` None is JOBS."""
        self.history = History(cache)
        self.jobs = JOBS if jobs is None else jobs

    def bars(self, bars: Sequence[Bar]) -> None:
        """Take completed minute bars."""
        self.history.add(bars)

    def daily(self, instrument: str, bars: Sequence[Bar]) -> None:
        """Take an instrument's whole daily history, oldest first."""
        self.history.load_daily({instrument: rows(bars)})

    def fill(self, bars: Sequence[Bar]) -> None:
        """Take minute bars of the past, each instrument's oldest first, in place of what is there of these minutes."""
        self.history.fill(bars)

    def run(self, command: RunJob, context: JobContext, done: Callable[[Event], None] | None = None) -> Event:
        """Do a job and give its answer, also to `done`."""
        event = answer(self.jobs, self.history, command, context)
        if done is not None:
            done(event)
        return event


def serve(worker: InlineWorker, source: io.BufferedIOBase, sink: io.RawIOBase) -> None:
    """Take messages until the pipe ends; each Run has its answer, in order."""
    while len(prefix := source.read(LENGTH_BYTES)) == LENGTH_BYTES:
        message = TO_CHILD.decode(source.read(length_of(prefix)))
        reply = take(worker, message)
        if reply:
            sink.write(reply)


def take(worker: InlineWorker, message: Message) -> bytes:
    """Take one message in and give the reply's bytes, none for bars."""
    match message:
        case Minutes(bars):
            worker.bars(bars)
        case Daily(instrument, bars):
            worker.daily(instrument, bars)
        case Filled(bars):
            worker.fill(bars)
        case Run(command, context, allowed_s):
            # The parent kills us at its deadline; this is for when the parent is gone and the job never ends.
            signal.setitimer(signal.ITIMER_REAL, allowed_s + GRACE_S)
            reply = frame(worker.run(command, context))
            signal.setitimer(signal.ITIMER_REAL, 0)
            return reply
    return b""


def main(
    arguments: Sequence[str],
    jobs: dict[str, Job] | None = None,
    prepare: Callable[[InlineWorker], object] | None = None,
) -> int:
    """Serve on stdin and stdout: `arguments` are the cache's path ("" for none) and the memory budget in MiB.

    `prepare` may teach the worker something before its first job.
    """
    path, memory_mb = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the daemon ends us by the pipe
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    limit = int(memory_mb) * MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    sink = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # a strategy that prints writes to the log, not into the answers
    with sink, os.fdopen(os.dup(0), "rb") as source:
        worker = InlineWorker(Path(path) if path else None, jobs)
        if prepare is not None:
            prepare(worker)
        serve(worker, source, sink)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
