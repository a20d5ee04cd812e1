"""The whole seeded world with the real Interactive Brokers adapter before a TWS: `python -m tests.long.worlds`.

`--library ib_async` runs the same worlds with its maintained twin, in an environment of its own (`make ib-async`).
Prints a line a seed and a summary; 1 where a law is broken, or where no world traded. A seed takes some seconds.
"""

import argparse
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from joed.sim.world import play, scenario_of
from tests.sim.tws_stage import LIBRARY, TwsStage

ROOT = Path(__file__).resolve().parents[2]
TWIN = "ib_async"


def elsewhere(words):
    """Run this with the twin, in its own environment, and give the status."""
    subprocess.run(["make", "--silent", "ib-async"], cwd=ROOT, check=True)
    python = ROOT / "build" / "ib-async" / "bin" / "python"
    command = [str(python), "-m", "tests.long.worlds", *words]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "JOED_IB_LIBRARY": TWIN}, check=False).returncode


def main(words=None):
    """Play them all, and say how each ended."""
    made = argparse.ArgumentParser(prog="python -m tests.long.worlds", description=__doc__)
    made.add_argument("--from", dest="first", type=int, default=1)
    made.add_argument("--to", dest="last", type=int, default=100)
    made.add_argument("--library", choices=("ib_insync", TWIN), default=LIBRARY)
    options = made.parse_args(words)
    if options.library != LIBRARY:
        return elsewhere(["--from", str(options.first), "--to", str(options.last), "--library", TWIN])
    broken, counts = [], Counter()
    for seed in range(options.first, options.last + 1):
        outcome = play(scenario_of(seed), TwsStage)
        counts += Counter(fills=outcome.counts.get("fills", 0), entries=outcome.counts.get("entries", 0))
        counts += Counter(faults=outcome.faults, checks=sum(outcome.checks.values()))
        if outcome.law:
            broken.append(seed)
        print(seed, outcome.law or "ok", outcome.words, outcome.counts.get("fills", 0), "fills", flush=True)
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    print(f"{options.last - options.first + 1} worlds with {LIBRARY}: {told}; laws broken in seeds {broken}")
    return int(bool(broken) or not counts["fills"])


if __name__ == "__main__":
    sys.exit(main())
