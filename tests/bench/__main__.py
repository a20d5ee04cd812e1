"""`python -m tests.bench`: every budget of the design beside a floor of the same run; it tells, it never fails."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from time import perf_counter

from tests.bench.measure import MISSED, SMALL, Row, Scale, save, table

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
SECTIONS = ("road", "orders", "wire", "ibkr", "capital", "analysis", "start", "control", "memory")
"""In the order of running; each is a module here with `rows(scale, room)`."""
BY_NAME = ("capital",)
"""Only where it is asked for: its orders keep Capital.com's own pace, a minute of it."""

Section = Callable[[Scale, Path], Iterator[Row]]


def section(name: str) -> Section:
    """Give what measures a section."""
    found: Section = import_module(f"tests.bench.{name}").rows
    return found


def measured(names: list[str], scale: Scale) -> list[Row]:
    """Measure the sections, each in a room of its own on the disk of this checkout, and say what took how long."""
    BUILD.mkdir(exist_ok=True)
    found: list[Row] = []
    for name in names:
        room = Path(mkdtemp(prefix="bench-", dir=BUILD))
        begun = perf_counter()
        try:
            found.extend(section(name)(scale, room))
        finally:
            rmtree(room, ignore_errors=True)
        print(f"{name}: {perf_counter() - begun:.1f} s", file=sys.stderr, flush=True)
    return found


def load() -> str:
    """Give the load average of the last minute, and the cores that share it."""
    return f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores"


def main() -> int:
    """Measure, print the table, write the file."""
    made = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    made.add_argument("--only", metavar="NAME", action="append", choices=SECTIONS, help=f"of {', '.join(SECTIONS)}")
    made.add_argument(
        "--json", metavar="FILE", type=Path, default=BUILD / "bench.json", help="default build/bench.json"
    )
    made.add_argument("--small", action="store_true", help="see that it runs: the numbers mean nothing")
    options = made.parse_args()
    before, begun = load(), perf_counter()
    names = options.only or [name for name in SECTIONS if name not in BY_NAME]
    rows = measured(names, SMALL if options.small else Scale())
    save(rows, options.json)
    print(table(rows))
    missed = sum(row.verdict == MISSED for row in rows)
    print(f"\n{len(rows)} rows in {perf_counter() - begun:.0f} s, {missed} missed; {before} before, {load()} after")
    return 0


if __name__ == "__main__":
    sys.exit(main())
