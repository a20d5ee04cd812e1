"""The child's side: one worker in the caller's time, and the loop over a pipe around it."""

import io
import signal

import pytest

from joed.daemon import worker_main
from joed.daemon.job_context import JobContext
from joed.daemon.worker_main import InlineWorker, serve
from joed.daemon.worker_wire import FROM_CHILD, LENGTH_BYTES, Daily, Filled, Minutes, Run, frame, length_of
from joed.model.commands import RunJob
from joed.model.events import CryptoRead, JobFailed, SummaryWritten
from joed.model.values import DAY, HOUR, MINUTE, Bar

OPEN_NS = 20_000 * DAY + 14 * HOUR + 30 * MINUTE
CONTEXT = JobContext(OPEN_NS + HOUR, "s", OPEN_NS, OPEN_NS + 6 * HOUR)


def bars(count, step, start):
    """Build flat bars of Bitcoin."""
    return [Bar("BTC", start + number * step, 10.0, 11.0, 9.0, 10.0, 1.0) for number in range(count)]


def test_inline_it_thinks_at_once_with_the_bars_it_was_given():
    """Daily and minute bars reach the jobs; the answer is given back and to whoever waits."""
    worker = InlineWorker()
    heard = []
    worker.daily("BTC", bars(31, DAY, OPEN_NS - 31 * DAY))
    worker.bars(bars(3, MINUTE, OPEN_NS))

    event = worker.run(RunJob("crypto", 1, 0), CONTEXT, heard.append)

    assert heard == [event]
    assert isinstance(event, CryptoRead)
    assert event.readings["bitcoin_return_30d"] == 0.0
    assert len(worker.history.today("BTC", CONTEXT.now_ns)) == 3


def test_the_loop_answers_each_run_in_order_and_ends_with_the_pipe():
    """Bars have no answer; a torn last message ends it like none."""
    messages = [
        Daily("BTC", tuple(bars(31, DAY, OPEN_NS - 31 * DAY))),
        Minutes(tuple(bars(2, MINUTE, OPEN_NS))),
        Run(RunJob("crypto", 1, 0), CONTEXT, 30.0),
        Run(RunJob("tea", 2, 0), CONTEXT, 30.0),
    ]
    source = io.BytesIO(b"".join(frame(message) for message in messages) + b"\0")
    sink = io.BytesIO()

    serve(InlineWorker(), source, sink)

    answers = list(answers_in(sink.getvalue()))
    assert [type(answer) for answer in answers] == [CryptoRead, JobFailed]
    assert [answer.run for answer in answers] == [1, 2]


def test_the_past_reaches_the_bars_inline_and_by_the_pipe():
    """The minutes before those that were folded from quotes."""
    worker = InlineWorker()
    worker.bars(bars(1, MINUTE, OPEN_NS + 3 * MINUTE))

    worker.fill(bars(2, MINUTE, OPEN_NS))
    worker_main.take(worker, Filled(tuple(bars(1, MINUTE, OPEN_NS + 2 * MINUTE))))

    assert worker.history.minutes["BTC"].count == 4


def test_a_job_is_bounded_even_when_nobody_listens_any_more():
    """While it runs the kernel's timer is set to its time and some grace, after it to nothing."""
    left = []
    jobs = {
        "look": lambda inputs, command: left.append(signal.getitimer(signal.ITIMER_REAL)[0]) or SummaryWritten(1, "")
    }

    worker_main.take(InlineWorker(jobs=jobs), Run(RunJob("look", 1, 0), CONTEXT, 60.0))

    assert left[0] == pytest.approx(60.0 + worker_main.GRACE_S, abs=10.0)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0.0


def answers_in(data):
    """Take a stream of frames apart."""
    while data:
        length = length_of(data[:LENGTH_BYTES])
        yield FROM_CHILD.decode(data[LENGTH_BYTES : LENGTH_BYTES + length])
        data = data[LENGTH_BYTES + length :]
