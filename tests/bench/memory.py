"""What a daemon weighs with 500 instruments streaming, how it grows, and what its worker weighs."""

from collections.abc import Iterator
from pathlib import Path
from statistics import linear_regression
from subprocess import run
from sys import executable
from time import perf_counter

from tests.bench.measure import Row, Scale
from tests.bench.process import ROOT, children, resident_mib, running, settle
from tests.bench.start import NEEDS

SPEED = 600.0
"""Engine seconds in a second: a run of six shows an hour."""
RATE, QUIET_RATE = 10_000, 1_000
"""What streams while the daemon is weighed, and while it is watched for growth: quotes by the second, not the engine's.
"""
SAMPLE_S = 0.2
WEIGH = "from pathlib import Path; print(int(Path('/proc/self/statm').read_text().split()[1]) * 4096 / (1 << 20))"


def rows(scale: Scale, room: Path) -> Iterator[Row]:
    """Give the rows of memory."""
    words = ("tests.bench.house", str(room / "house"), "--instruments", str(scale.instruments), "--speed", f"{SPEED}")
    with running(room, *words) as house:
        house.ask(str(min(RATE, scale.flood)))
        settle(scale.warm_s)
        weighs = resident_mib(house.process.pid)
        house.ask(str(min(QUIET_RATE, scale.flood)))
        settle(scale.warm_s / 2)
        begun, samples = perf_counter(), list[tuple[float, float]]()
        while perf_counter() - begun < scale.seconds * 1.2:
            samples.append((perf_counter() - begun, resident_mib(house.process.pid)))
            settle(SAMPLE_S)
        worker = max(resident_mib(child) for child in children(house.process.pid))
    yield Row("resident memory, 500 instruments streaming", weighs, "MiB", 90.0, floor=weight(LEAN))
    yield Row("growth of memory, by the engine's hour", growth(samples), "MiB/h", 1.0)
    yield Row("resident memory of the worker", worker, "MiB", 150.0, floor=weight("numpy, msgspec"))


LEAN = NEEDS.replace("numpy, ", "")
"""The daemon itself has no numpy: its worker has."""


def weight(modules: str) -> float:
    """Give what Python weighs with these modules, in MiB."""
    words = [executable, "-c", f"import {modules}; {WEIGH}"]
    return float(run(words, check=True, cwd=ROOT, capture_output=True, text=True).stdout)


def growth(samples: list[tuple[float, float]]) -> float:
    """Give the slope of the samples' last two thirds, by the engine's hour: MiB an hour."""
    late = samples[len(samples) // 3 :]
    if len(late) < 2:
        return 0.0
    return linear_regression(*zip(*late, strict=True)).slope * 3600 / SPEED
