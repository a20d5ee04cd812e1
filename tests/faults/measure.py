"""How long it took to notice a fault and to be well again: one line each, and a file that a table is made of."""

import fcntl
import json
import os
import time
from pathlib import Path

from joed.model.events import Quote
from joed.model.values import SECOND

FILE = Path("build/faults.json")
"""Written where JOED_FAULTS is set: to this file, or to the one that it names."""
FULL = bool(os.environ.get("JOED_FAULTS"))
"""Times are kept: patience is as long as joed ships it, where a test's own would do."""
TIMES = {
    "detected_ms": "detected {:.0f} ms",
    "recovered_ms": "recovered {:.0f} ms",
    "detected_s": "detected {:.1f} s",
    "recovered_s": "recovered {:.1f} s",
}
"""What can be measured, and how it is said: milliseconds of a real clock, seconds of a simulated one."""


def measured(row, *, test="", **times):
    """Print and keep what a test measured for a row of the catalogue, such as "F21".

    `times` are detected_ms and recovered_ms of a real clock, or detected_s and recovered_s of a simulated one; 0 is
    the same step.
    """
    assert times.keys() <= TIMES.keys(), times
    print(f"fault {row}", *(TIMES[name].format(value) for name, value in times.items() if value is not None))
    named = os.environ.get("JOED_FAULTS", "")
    if named:
        test = test or os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        keep(Path(named) if named.endswith(".json") else FILE, row, test, times)


def keep(file, row, test, times):
    """Put a row in the place of the same test's earlier one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.seek(0)
        rows = json.loads(held.read() or "[]")
        rows = [one for one in rows if (one["row"], one["test"]) != (row, test)]
        rows.append({"row": row, "test": test, **times})
        held.truncate(0)
        held.write(json.dumps(sorted(rows, key=lambda one: int(one["row"][1:])), indent=1) + "\n")


class Heard:
    """When each event was heard, by a test's own clock (anything with `now()` in nanoseconds)."""

    def __init__(self, clock):
        self.clock, self.times = clock, []

    def note(self, event):
        """Keep one with its time; of quotes there are too many."""
        if not isinstance(event, Quote):
            self.times.append((self.clock.now(), event))

    def after_s(self, began_ns, kind, **fields):
        """Give after how many seconds from then on the first event of this kind, with these fields, was heard."""
        return next(
            (at_ns - began_ns) / SECOND
            for at_ns, event in self.times
            if at_ns >= began_ns and isinstance(event, kind)
            if all(getattr(event, name) == value for name, value in fields.items())
        )


class Watch:
    """A stopwatch, in milliseconds."""

    def __init__(self):
        self.begun = time.monotonic()

    def ms(self):
        """Give how long it has run."""
        return (time.monotonic() - self.begun) * 1000


class Attack:
    """What an attack took: from its first byte, which is now, to its refusal, and to the next honest answer."""

    def __init__(self, row):
        self.row, self.watch, self.refused_ms = row, Watch(), None

    def refused(self):
        """Note that it was refused, dropped, or shown as the words that it is."""
        self.refused_ms = self.watch.ms()

    def answered(self):
        """Note that an honest request was answered after it, print both times and keep them."""
        assert self.refused_ms is not None, "nothing was refused yet"
        measured(self.row, detected_ms=self.refused_ms, recovered_ms=self.watch.ms())
