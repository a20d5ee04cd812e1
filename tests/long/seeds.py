"""Fifty days of the embedded market, each played whole: some lose, and each keeps its promises.

`python -m tests.long.seeds --from 1 --to 50` prints a line a day and a summary; status 1 where a report says anything
but that every position was protected and both books are the same, or where no day lost.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.demos import joed, quiet


def played(seed):
    """Play one day as fast as it goes, and give its report; None, with the words printed, where it failed."""
    with tempfile.TemporaryDirectory(prefix="seed-") as folder:
        words = ("--demo", "--speed", "max", "--seed", seed, "--json", "--config", quiet(Path(folder)))
        done = joed(*words, "--state-dir", Path(folder) / "s", timeout=300)
    if done.returncode:
        print(f"seed {seed}: status {done.returncode}: {done.stderr[-500:]}", flush=True)
        return None
    return json.loads(done.stdout)


def faults_of(report):
    """Give what a report says that it should not."""
    book = report["book"]
    if book is None:  # the exchange opens its book with the first order
        return ["no book"] if report["entries"] else []
    found = [*book["breaches"]]
    found += [f"missing {row}" for row in book["missing"]] + [f"unknown {row}" for row in book["unknown"]]
    if not book["protected"]:
        found.append("not protected")
    if any(row["matched"] is False for row in report["trailing"]):
        found.append("a trailing exit is not in the exchange's book")
    return found


def main():
    """Play them all."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--from", dest="first", type=int, default=1)
    made.add_argument("--to", dest="last", type=int, default=50)
    options = made.parse_args()
    won, lost, idle, bad = [], [], [], []
    for seed in range(options.first, options.last + 1):
        report = played(seed)
        faults = ["failed"] if report is None else faults_of(report)
        if faults:
            bad.append(seed)
        if report is not None:
            (won if report["pnl"] > 0 else lost if report["pnl"] < 0 else idle).append(seed)
            exits = ", ".join(f"{kind} {count}" for kind, count in report["exits"].items())
            words = f"{report['pnl']:+10.2f}, {report['trades']} trades ({exits or 'no exits'})"
            print(f"seed {seed}: {words} {'; '.join(faults)}", flush=True)
    print(f"{len(won)} days won, {len(lost)} lost, {len(idle)} without a trade {idle}; not as promised: {bad}")
    return 1 if bad or not lost else 0


if __name__ == "__main__":
    sys.exit(main())
