"""How good the tests are: one small wrong change at a time, and a count of how many of them some test notices.

`make mutants` takes the modules that decide about money, makes every mutant of each (a comparison's edge moved, a
condition turned round, a constant off by one, a statement left out…) and runs the tests that pass through its line. A
mutant lives in a forked child alone: the source on the disk is never touched. docs/mutants.md has the score of each
module, and what no test notices; 1 if one is below its goal.
"""

import argparse
import ast
import contextlib
import io
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import coverage
import pytest

from tests.long.mutation import Mutant, mutants_of, plant

ROOT = Path(__file__).parents[2]
GOAL = 0.80
KEPT, PAGE = ROOT / "build/mutants.json", ROOT / "docs/mutants.md"
HEAD = """# How good the tests are

`make mutants` changes one small thing at a time in each module that decides about money (an edge moved, a condition
turned round, a constant off by one, a statement left out) and runs the tests that pass through it. A mutant that none
of them notices survives; each is listed, under the function in which it lies. The goal is 80 % of each module. Written
by `make mutants`; these are the figures of its last whole run.
"""
TESTS_MAX = 60
"""How many of the tests that pass through a line are tried: the module's own first, then the quickest."""
MODULES = {
    "joed/engine/orders.py": ("tests/engine",),
    "joed/engine/life.py": ("tests/engine",),
    "joed/engine/risk.py": ("tests/engine",),
    "joed/engine/protection.py": ("tests/engine",),
    "joed/engine/reconcile.py": ("tests/engine",),
    "joed/engine/exits.py": ("tests/engine",),
    "joed/engine/closing.py": ("tests/engine",),
    "joed/engine/triggers.py": ("tests/engine",),
    "joed/engine/positions.py": ("tests/engine",),
    "joed/engine/health.py": ("tests/engine",),
    "joed/daemon/carry_out.py": ("tests/daemon/test_carry_out.py", "tests/daemon/test_trading.py"),
}
"""Each module, and the tests nearest to it."""
QUIET = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", "--hypothesis-seed=0", "--no-header"]


class Verdict(NamedTuple):
    """What became of a mutant: noticed by a test, or not; "late" where the tests never came to an end."""

    module: str
    mutant: Mutant
    noticed: bool
    how: str


class Watcher:
    """A plugin that takes down how long each test takes, and which lines of which module it passes through."""

    def __init__(self, cover: coverage.Coverage) -> None:
        self.cover = cover
        self.took: dict[str, float] = {}

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Count the lines that follow as this test's."""
        self.cover.switch_context(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up the time."""
        self.took[report.nodeid] = self.took.get(report.nodeid, 0.0) + report.duration


def main(argv: list[str]) -> int:
    """Make the mutants of the modules that are named, or of all, and try them."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", help=f"parts of names (default: all {len(MODULES)})")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long a mutant's tests may run")
    parser.add_argument("--line", type=int, default=0, help="try the mutants of this line only")
    args = parser.parse_args(argv)
    os.chdir(ROOT)
    wanted = [name for name in MODULES if not args.modules or any(part in name for part in args.modules)]
    started = time.monotonic()
    print("running the tests as they are", flush=True)
    lines, took = survey(sorted({test for name in wanted for test in MODULES[name]}), wanted)
    verdicts: list[Verdict] = []
    for name in wanted:
        mutants = [one for one in mutants_of(Path(name).read_text()) if args.line in (0, one.line)]
        found = list(try_all(name, mutants, lines[name], took, args.seconds))
        verdicts += found
        print(score_line(name, found), flush=True)
    keep(verdicts)
    print(f"{score_line('all', verdicts)}, {time.monotonic() - started:.0f} s")
    return 1 if any(score(name, verdicts) < GOAL for name in wanted) else 0


def survey(tests: list[str], modules: list[str]) -> tuple[dict[str, dict[int, list[str]]], dict[str, float]]:
    """Run the tests on sound code: which of them pass through each line, and how long each takes."""
    cover = coverage.Coverage(data_file=None, branch=False, config_file=False, include=[str(ROOT / m) for m in modules])
    watcher = Watcher(cover)
    cover.start()
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = pytest.main([*QUIET, *tests], plugins=[watcher])
    cover.stop()
    if status:
        sys.exit(f"the tests fail as they are:\n{said.getvalue()[-2000:]}")
    data = cover.get_data()
    lines = {name: data.contexts_by_lineno(str(ROOT / name)) for name in modules}
    return lines, watcher.took


def try_all(
    module: str, mutants: list[Mutant], lines: dict[int, list[str]], took: dict[str, float], seconds: float
) -> Iterator[Verdict]:
    """Try every mutant in a child of its own, as many at a time as there are cores."""
    running: dict[int, tuple[Mutant, float]] = {}
    waiting = mutants[::-1]
    own = f"test_{Path(module).name}::"
    near = sorted(took, key=lambda test: (own not in test, took[test]))
    while waiting or running:
        while waiting and len(running) < len(os.sched_getaffinity(0)):
            mutant = waiting.pop()
            through = set(lines.get(mutant.line, []))
            tests = [test for test in near if test in through]
            # A line of the module's top level belongs to the import, so all of its tests are asked.
            tests = tests or ([] if mutant.inside else near)
            if not tests:
                yield Verdict(module, mutant, noticed=False, how="no test passes here")
                continue
            running[spawn(module, mutant, tests[:TESTS_MAX], seconds)] = mutant, time.monotonic()
        if running:
            pid, status = os.wait()
            mutant, _ = running.pop(pid)
            late = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
            how = "late" if late else "tests" if status else ""
            yield Verdict(module, mutant, noticed=status != 0, how=how)


def spawn(module: str, mutant: Mutant, tests: list[str], seconds: float) -> int:
    """Plant a mutant in a forked child and run these tests on it."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a descriptor, for what writes past sys.stdout
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        plant(module, mutant)
        status = int(pytest.main([*QUIET, *tests]))
    finally:
        os._exit(status)


def score(name: str, verdicts: list[Verdict]) -> float:
    """Give the share of a module's mutants that some test noticed."""
    found = [one for one in verdicts if name in (one.module, "all")]
    return sum(one.noticed for one in found) / len(found) if found else 1.0


def score_line(name: str, verdicts: list[Verdict]) -> str:
    """Say it in words."""
    share = score(name, [one._replace(module=name) for one in verdicts])
    late = sum(one.how == "late" for one in verdicts)
    return (
        f"{name:<28} {sum(one.noticed for one in verdicts):>4} of {len(verdicts):>4} noticed, {share:.1%} ({late} late)"
    )


def keep(verdicts: list[Verdict]) -> None:
    """Keep the scores and what survived, each module's in place of its last, and write them down for people."""
    known = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for name in dict.fromkeys(one.module for one in verdicts):
        found = [one for one in verdicts if one.module == name]
        places = functions_of(Path(name).read_text())
        known[name] = {
            "mutants": len(found),
            "noticed": sum(one.noticed for one in found),
            "late": sum(one.how == "late" for one in found),
            "survivors": [
                (places.get(one.mutant.line, "at its top"), one.mutant.words, one.how)
                for one in found
                if not one.noticed
            ],
        }
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps({name: known[name] for name in MODULES if name in known}, indent=1) + "\n")
    PAGE.write_text(page_of(json.loads(KEPT.read_text())))


def functions_of(source: str) -> dict[int, str]:
    """Name the function in which each line of a module lies; a survivor is found by it when its line has moved."""
    found: dict[int, str] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found |= dict.fromkeys(range(node.lineno, (node.end_lineno or node.lineno) + 1), node.name)
    return found


def page_of(known: dict[str, Any]) -> str:
    """Write the page: a table of scores, then each module's survivors."""
    lines = [HEAD, "| Module | Mutants | Noticed | Of these by time-out | Score |", "|---|---|---|---|---|"]
    for name, row in known.items():
        share = row["noticed"] / row["mutants"]
        lines.append(f"| `{name}` | {row['mutants']} | {row['noticed']} | {row['late']} | {share:.1%} |")
    for name, row in known.items():
        lines += ["", f"## {name}", ""]
        lines += [f"- `{place}`: `{words}`{f' ({how})' if how else ''}" for place, words, how in row["survivors"]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
