"""How long it took to notice a fault and to be well again: one line each, and a file that a table is made of."""

import fcntl
import json
import os
import time
from pathlib import Path

FILE = Path("build/faults.json")
"""Written where JOED_FAULTS is set: to this file, or to the one that it names."""


def measured(row, *, detected_ms=None, recovered_ms=None, test=""):
    """Print and keep what a test measured for a row of the catalogue, such as "F21"."""
    said = [f"fault {row}"]
    said += [f"detected {detected_ms:.0f} ms"] if detected_ms is not None else []
    said += [f"recovered {recovered_ms:.0f} ms"] if recovered_ms is not None else []
    print(" ".join(said))
    named = os.environ.get("JOED_FAULTS", "")
    if named:
        test = test or os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
        keep(Path(named) if named.endswith(".json") else FILE, row, test, detected_ms, recovered_ms)


def keep(file, row, test, detected_ms, recovered_ms):
    """Put a row in the place of the same test's earlier one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.seek(0)
        rows = json.loads(held.read() or "[]")
        rows = [one for one in rows if (one["row"], one["test"]) != (row, test)]
        rows.append({"row": row, "test": test, "detected_ms": detected_ms, "recovered_ms": recovered_ms})
        held.truncate(0)
        held.write(json.dumps(sorted(rows, key=lambda one: int(one["row"][1:])), indent=1) + "\n")


class Watch:
    """A stopwatch, in milliseconds."""

    def __init__(self):
        self.begun = time.monotonic()

    def ms(self):
        """Give how long it has run."""
        return (time.monotonic() - self.begun) * 1000
