"""The benchmark measures what it says, writes what it promises, and never fails on a missed budget."""

import json
import math
import os
import subprocess
import sys
from itertools import pairwise

import pytest

from joed.engine.step import step
from joed.model.commands import AmendOrder, SubmitOrder
from joed.model.events import Tick
from joed.model.values import HOUR
from tests.bench import __main__ as bench
from tests.bench.inotify import Watched
from tests.bench.measure import HIGHER, SMALL, Row, interleaved, percentile, save, table
from tests.bench.orders import Firing, Immediate
from tests.bench.process import ROOT, children, on_cpu_s, ran_s, resident_mib
from tests.bench.road import Marks
from tests.bench.scene import names_of, quiet_quotes, quote_of, scene
from tests.bench.timing import TimedSelector

PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
FIELDS = {"value", "unit", "budget", "better", "floor", "ratio", "ratio_budget"}


@pytest.mark.parametrize("name", bench.SECTIONS)
def test_each_section_gives_sane_rows_at_a_small_size(name, tmp_path):
    """Finite figures, floors above zero, a unit, and a name of its own for each row."""
    rows = list(bench.section(name)(SMALL, tmp_path))

    assert rows
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        assert math.isfinite(row.value), row
        assert row.unit
        assert row.floor is None or row.floor > 0, row


def test_the_table_has_a_line_for_each_row_and_marks_what_is_missed():
    """Name, value, unit, budget, floor, ratio, its budget, the verdict; a missed budget is marked, a kept one too."""
    rows = [Row("slow", 3.0, "us", 1.0, floor=0.5), Row("fast", 500_000.0, "quotes/s", 400_000, HIGHER)]

    head, slow, fast = table(rows).splitlines()

    assert head.split() == ["name", "value", "unit", "budget", "floor", "ratio", "ratio", "budget"]
    assert slow.split() == ["slow", "3", "us", "<=", "1", "0.5", "6", "-", "MISSED"]
    assert fast.split() == ["fast", "500,000", "quotes/s", ">=", "400,000", "-", "-", "-", "ok"]


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (Row("a", 1.0, "us", 1.0), "ok"),
        (Row("a", 1.01, "us", 1.0), "MISSED"),
        (Row("a", 400_000.0, "1/s", 400_000.0, HIGHER), "ok"),
        (Row("a", 399_999.0, "1/s", 400_000.0, HIGHER), "MISSED"),
        (Row("a", 3.0, "us", floor=1.0, ratio_budget=3.0), "ok"),
        (Row("a", 3.1, "us", 4.0, floor=1.0, ratio_budget=3.0), "MISSED"),
        (Row("a", 3.1, "us", floor=1.0), ""),
    ],
)
def test_a_verdict_takes_both_budgets_on_their_own_side(row, verdict):
    """A limit itself is kept; where nothing is asked nothing is said."""
    assert row.verdict == verdict


def test_the_file_has_each_row_by_its_name(tmp_path):
    """Seven fields a row, null where there is none; the ratio is the value by its floor."""
    rows = [Row("idle", 0.2, "%", 0.1, floor=0.1), Row("peers", 2.0, "x")]

    save(rows, tmp_path / "new" / "bench.json")

    found = json.loads((tmp_path / "new" / "bench.json").read_bytes())
    assert list(found) == ["idle", "peers"]
    assert all(set(entry) == FIELDS for entry in found.values())
    assert found["idle"] == {
        "value": 0.2,
        "unit": "%",
        "budget": 0.1,
        "better": "lower",
        "floor": 0.1,
        "ratio": 2.0,
        "ratio_budget": None,
    }
    assert found["peers"]["budget"] is found["peers"]["ratio"] is None


def test_a_missed_budget_does_not_fail_the_run(tmp_path):
    """Whatever the figures, the status is 0: a benchmark tells, it does not judge."""
    file = tmp_path / "bench.json"
    words = [sys.executable, "-m", "tests.bench", "--small", "--only", "analysis", "--json", str(file)]

    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr
    assert "load average" in done.stdout
    assert json.loads(file.read_bytes())


def test_rounds_take_turns_and_give_the_median():
    """The sides alternate, so that what disturbs the machine disturbs both."""
    said, values = [], {"a": iter((9.0, 1.0, 2.0)), "b": iter((3.0, 3.0, 4.0))}

    found = interleaved(3, {name: lambda name=name: (said.append(name), next(values[name]))[1] for name in values})

    assert said == ["a", "b"] * 3
    assert found == {"a": 2.0, "b": 3.0}


@pytest.mark.parametrize(("share", "found"), [(0.0, 1.0), (0.5, 51.0), (0.99, 100.0), (1.0, 100.0)])
def test_a_percentile_is_one_of_the_values(share, found):
    """The smallest that so many do not exceed; the last one at the end."""
    assert percentile([float(value) for value in range(100, 0, -1)], share) == found


def test_in_the_scene_nothing_acts_until_a_trail_or_a_trigger_is_reached():
    """Quiet quotes and Ticks lead to nothing; a mark raises one stop; the step is measured on what it says."""
    names = names_of(20)
    state = scene(20, held=20, triggers=8)
    quotes = quiet_quotes(names, 200)
    assert [step(state, state.now, quote) for quote in quotes] == [[]] * 200
    assert step(state, state.now + HOUR, Tick()) == []

    raised = step(state, state.now, quote_of("S0003", 0.12))

    assert [type(command) for command in raised] == [AmendOrder]


def test_marks_go_round_the_instruments_each_a_step_higher():
    """No instrument is raised so often that it leaves the scene's quiet range."""
    names = names_of(500)
    quotes = quiet_quotes(names, 100_000)
    before = [*quotes]

    Marks(names).plant(quotes)

    marked = [quote for old, quote in zip(before, quotes, strict=True) if old is not quote]
    assert len({quote.instrument for quote in marked}) == len(marked) == 10
    assert {quote.bid for quote in marked} == {100.12}


def test_each_firing_quote_becomes_one_order_at_the_broker(tmp_path):
    """The scene is made anew for each round: none is refused, none fires twice, none waits for the next."""
    firing, submitted = Firing(SMALL, Immediate(), tmp_path), []
    house = firing.house
    take = house.broker.submit

    def submit(command, permit):
        submitted.append((type(command), permit(command)))
        return take(command, permit)

    house.broker.submit = submit
    for quote in firing.quotes(3 * len(firing.names)):
        house.loop.turn(quote)
        house.loop.release(house.loop.recorder.durable)
        firing.settle()

    assert submitted == [(SubmitOrder, "")] * 3 * len(firing.names)


def test_the_selector_keeps_the_worst_pause_between_two_looks():
    """From one look's return to the next look: what the kernel made us wait does not count."""
    times = iter([5, 10, 12, 52, 60, 65, 70])
    selector = TimedSelector(lambda: next(times))

    for _ in range(4):
        selector.select(0)

    assert selector.taken_ns() == 40
    assert selector.taken_ns() == 0
    selector.close()


def test_a_watched_folder_tells_when_it_was_let_go(tmp_path):
    """Opening a file in it is not enough; opening the folder itself, to sync it, is."""
    (tmp_path / "file").write_text("x")
    with Watched(tmp_path) as watched:
        (tmp_path / "file").read_text()
        with pytest.raises(TimeoutError):
            watched.closed(0.01)

        ran_s("-c", f"import os; os.close(os.open({str(tmp_path)!r}, os.O_RDONLY))")

        assert watched.closed(5.0) > 0


def test_the_kernel_is_asked_for_memory_time_and_children():
    """A child is found while it lives; the figures of this process are above zero and time only grows."""
    with subprocess.Popen([sys.executable, "-c", "print('up', flush=True); input()"], **PIPES) as child:
        assert child.stdout.readline() == b"up\n"
        found = children(os.getpid())
        readings = [on_cpu_s(os.getpid()) for _ in range(3)]
        weight = resident_mib(child.pid)
        child.communicate(b"\n")

    assert child.pid in found
    assert all(early <= late for early, late in pairwise(readings))
    assert weight > 1
