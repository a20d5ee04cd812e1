"""The worker's process of an embedded day."""

import subprocess
import sys

from joed.daemon.job_context import JobContext
from joed.daemon.worker_main import InlineWorker
from joed.daemon.worker_wire import FROM_CHILD, LENGTH_BYTES, Run, frame, length_of
from joed.market.day import Day, thinker
from joed.market.history import HISTORY_DAYS
from joed.market.thinker import bars_of, market_of, teach
from joed.model.commands import RunJob
from joed.model.events import RegimeJudged
from joed.model.values import HOUR, SECOND, Bar

OPEN = 1_788_269_400 * SECOND
DAY = Day(7, "2026-09-01", OPEN, OPEN + 6 * HOUR + HOUR // 2)
REGIME = RunJob("regime", 1, OPEN + HOUR, {"regime": {"index": "SPY", "vix": "VIX"}}, ())
CONTEXT = JobContext(OPEN - HOUR, DAY.session, DAY.open_ns, DAY.close_ns)


def test_rows_become_bars():
    """Time in whole nanoseconds, the rest as it was."""
    assert bars_of("KO", [(1.0, 2.0, 3.0, 1.5, 2.5, 100.0)]) == [Bar("KO", 1, 2.0, 3.0, 1.5, 2.5, 100.0)]


def test_a_worker_is_taught_the_year_before():
    """All names, so many days, none of the day itself."""
    worker, market = InlineWorker(), market_of(DAY)

    teach(worker, market)

    assert set(worker.history.days) == set(market.symbols)
    assert {len(days) for days in worker.history.days.values()} == {HISTORY_DAYS}
    assert worker.history.days["SPY"][-1, 0] < DAY.open_ns


def test_the_process_answers_as_the_inline_worker_does():
    """The same year, the same thought."""
    inline = InlineWorker()
    teach(inline, market_of(DAY))
    run = frame(Run(REGIME, CONTEXT, 30.0))

    done = subprocess.run([sys.executable, *thinker(DAY), "", "1024"], input=run, capture_output=True, check=True)

    size = length_of(done.stdout[:LENGTH_BYTES])
    event = FROM_CHILD.decode(done.stdout[LENGTH_BYTES : LENGTH_BYTES + size])
    assert isinstance(event, RegimeJudged)
    assert event == inline.run(REGIME, CONTEXT)
