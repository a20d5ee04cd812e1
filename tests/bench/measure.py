"""What every row of the benchmark is made of: rounds beside each other, a floor from the same run, a table, a file."""

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter_ns

import msgspec
from msgspec import Struct

LOWER, HIGHER = "lower", "higher"
MISSED, KEPT, OPEN = "MISSED", "ok", ""


class Scale(Struct, frozen=True):
    """How much is measured; `small` is for a test, whose numbers mean nothing."""

    rounds: int = 5
    quotes: int = 100_000
    orders: int = 1_500
    commits: int = 300
    records: int = 200_000
    runs: int = 5
    kills: int = 15
    instruments: int = 500
    seconds: float = 5.0
    warm_s: float = 2.0
    flood: int = 50_000


SMALL = Scale(
    rounds=2,
    quotes=2_000,
    orders=40,
    commits=5,
    records=2_000,
    runs=1,
    kills=1,
    instruments=40,
    seconds=0.6,
    warm_s=0.3,
    flood=500,
)


class Row(Struct, frozen=True):
    """One figure beside its budget and its floor; `budget` None where only the ratio counts, or none is set."""

    name: str
    value: float
    unit: str
    budget: float | None = None
    better: str = LOWER
    floor: float | None = None
    ratio_budget: float | None = None

    @property
    def ratio(self) -> float | None:
        """Give the figure as a multiple of its floor."""
        return self.value / self.floor if self.floor else None

    @property
    def verdict(self) -> str:
        """Say whether the budgets are kept; "" where there is none."""
        pairs = [(self.value, self.budget), (self.ratio, self.ratio_budget)]
        asked = [(found, limit) for found, limit in pairs if found is not None and limit is not None]
        if not asked:
            return OPEN
        kept = all(found <= limit if self.better == LOWER else found >= limit for found, limit in asked)
        return KEPT if kept else MISSED

    def entry(self) -> dict[str, object]:
        """Give the row as build/bench.json has it."""
        shown = ("value", "unit", "budget", "better", "floor", "ratio", "ratio_budget")
        return {name: getattr(self, name) for name in shown}


Round = Callable[[], float]


def interleaved(rounds: int, sides: Mapping[str, Round]) -> dict[str, float]:
    """Run the sides one after another, so many rounds, and give each one's median: what disturbs, disturbs all."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            gc.collect()
            found[name].append(side())
    return {name: median(values) for name, values in found.items()}


@contextmanager
def frozen() -> Iterator[None]:
    """Keep collections from what is there already, as the daemon does after READY."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def percentile(values: Iterable[float], share: float) -> float:
    """Give the smallest value that this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def timed_s(work: Callable[[], object]) -> float:
    """Give how long something takes, in seconds."""
    begun = perf_counter_ns()
    work()
    return (perf_counter_ns() - begun) / 1e9


def table(rows: Iterable[Row]) -> str:
    """Give the rows as a table for a person."""
    head = ("name", "value", "unit", "budget", "floor", "ratio", "ratio budget", "")
    lines = [head, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 2) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cells(row: Row) -> tuple[str, ...]:
    sign = "<= " if row.better == LOWER else ">= "
    limits = [sign + number(limit) if limit is not None else "-" for limit in (row.budget, row.ratio_budget)]
    floor, ratio = (number(found) if found is not None else "-" for found in (row.floor, row.ratio))
    return row.name, number(row.value), row.unit, limits[0], floor, ratio, limits[1], row.verdict


def number(value: float) -> str:
    """Give three figures that matter, whole thousands in full."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def save(rows: Iterable[Row], file: Path) -> None:
    """Write the rows by name, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    data = msgspec.json.format(msgspec.json.encode({row.name: row.entry() for row in rows}), indent=2)
    fresh = file.with_name(f".{file.name}-{os.getpid()}")
    fresh.write_bytes(data + b"\n")
    fresh.replace(file)
