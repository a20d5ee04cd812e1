"""The fault table of docs/failure-handbook.md: `python -m tests.fault_table` writes it.

`--take` takes over what tests have measured, `--measure` does so and measures the world anew, `--attacks` names the
tests of the attacks that there is something to time of, for pytest.

Figures of the world are simulated seconds, the longest of five seeds in which a single fault strikes; those of tests
come from build/faults.json, which whatever calls `measured` writes where JOED_FAULTS is set: milliseconds of a real
clock, seconds of a simulated one. All are kept in tests/faults/figures.json, so that the document follows from the tree
alone.
"""

import argparse
import json
import math
import shutil
import tempfile
from itertools import islice
from pathlib import Path
from random import Random

from msgspec.structs import replace

from joed.model.values import SECOND
from joed.sim.build import plain_rules
from joed.sim.crashes import BASE
from joed.sim.faults import FAULTS as KINDS
from joed.sim.faults import strike
from joed.sim.rest import TIMED
from joed.sim.scenario import Fault, Scenario
from joed.sim.stage import Stage
from joed.sim.world import DATE_NS, hours
from tests.fault_rows import ATTACKS, BEFORE, FAULTS, NEVER

ROOT = Path(__file__).parent.parent
DOCUMENT, FIGURES = ROOT / "docs" / "failure-handbook.md", ROOT / "tests" / "faults" / "figures.json"
MEASURED = ROOT / "build" / "faults.json"
BEGIN, END = "<!-- the fault table: make table -->", "<!-- the end of the fault table -->"
STRIKES_S, WATCHED_S, LOOKED_AT_S, LOOKS_S = 80.0, 110.0, 105.0, 0.1
SEEDS, TRIED = 5, 40
"""So many worlds in which a kind of fault happens, among so many."""
LIVELY = {"partial_share": 1.0, "trails": 1.0, "volatility": 0.002}
OCCASIONS = {
    "amend_rejected": LIVELY,
    "cancel_rejected": LIVELY,
    "close_rejected": {"evening": True},
    "late_fill": LIVELY,
}
"""What a world must be like for a kind to have its occasion: where nothing is cancelled, no cancel is refused."""
OTHERS = ("job_failed", "newer_build")
"""What the world's own strategist and builds tell, fault or no fault."""


def measure_kind(kind):
    """Give the longest times until somebody was told of a kind of fault and until all was well, in seconds."""
    found = (measure_once(kind, seed) for seed in range(1, TRIED + 1))
    times = list(islice((time for time in found if time is not None), SEEDS))
    told = [told_s for told_s, _ in times if told_s is not None]
    return {
        "told_s": round(max(told), 1) if told else None,
        "well_s": round(max(well_s for _, well_s in times), 1) if times else None,
        "runs": len(times),
    }


def measure_once(kind, seed):
    """Strike once in a small world, and look ten times a second."""
    traits = replace(BASE, instruments=("AAA", "BBB", "CCC"), **OCCASIONS.get(kind, {}))
    args = KINDS[kind].draw(Random(f"{kind}:{seed}"), traits)
    scenario = Scenario(seed, STRIKES_S + WATCHED_S, traits, (), 60.0)
    root = Path(tempfile.mkdtemp(prefix="joed-table-"))
    stage = Stage(scenario, root, hours(), DATE_NS)
    seen = Seen(stage)
    try:
        stage.run(lambda: stage.after(STRIKES_S, lambda: seen.strike(Fault(STRIKES_S, kind, args))))
    finally:
        stage.abandon()
        plain_rules()
        shutil.rmtree(root, ignore_errors=True)
    return seen.times()


class Seen:
    """What is seen of a world from a strike on."""

    def __init__(self, stage):
        self.stage, self.struck_ns, self.told_ns, self.ill_ns = stage, 0, 0, 0
        self.since_ns = self.odd = 0
        self.armed = False
        self.blocks = frozenset()

    def strike(self, fault):
        """Strike, and look from then on."""
        self.struck_ns = self.stage.clock.now()
        self.blocks = self.blocks_now()
        self.odd = self.stage.exchange.happened.total()
        self.look()
        strike(self.stage, fault)
        self.armed = self.stage.exchange.armed.total() > 0

    def look(self):
        """Look whether somebody has been told, and whether all is well."""
        now, exchange = self.stage.clock.now(), self.stage.exchange
        if self.armed and exchange.happened.total() > self.odd:  # it counts from when it happens
            self.armed, self.struck_ns = False, max(exchange.shaken.values())
        told = self.stage.watch.alerts.items()
        alerts = [at_ns for key, at_ns in told if at_ns >= self.struck_ns and not key.startswith(OTHERS)]
        news = [now] if self.blocks_now() - self.blocks else []
        self.told_ns = self.told_ns or min(alerts + news, default=0)
        if self.well():
            self.since_ns = 0
        else:
            self.since_ns = self.since_ns or now
            if now - self.since_ns > SECOND:  # less is a word on its way
                self.ill_ns = now
        if now < self.struck_ns + int(LOOKED_AT_S * SECOND):
            self.stage.after(LOOKS_S, self.look)

    def blocks_now(self):
        """Give the Blocks that there are, without those that only time lifts."""
        life = self.stage.life
        state = life.state if life is not None and life.trading is not None else None
        return frozenset(state.blocks if state is not None else ()) - {f"all/{reason}" for reason in TIMED}

    def well(self):
        """Say whether joed is there, its broker read whole, its books right, its positions guarded, nothing blocked."""
        stage, life = self.stage, self.stage.life
        if life is None or life.trading is None or stage.clock.now() < life.hangs_until_ns:
            return False
        state, exchange = life.state, stage.exchange
        ours = {name: held.quantity for name, held in state.positions.items() if held.quantity}
        theirs = {name: own for name in stage.scenario.traits.instruments if (own := exchange.own(name))}
        guarded = all(exchange.protection(name) == abs(own) for name, own in theirs.items())
        agreed = all(broker.reconciled for broker in state.brokers.values())
        return agreed and guarded and ours == theirs and not self.blocks_now() - self.blocks

    def times(self):
        """Give the seconds until somebody was told (None: nobody) and until all was well; None if it never struck."""
        if not self.struck_ns or self.armed:
            return None
        told = (self.told_ns - self.struck_ns) / SECOND if self.told_ns else None
        return told, max(0, self.ill_ns - self.struck_ns) / SECOND


def keep(*, world):
    """Take over what tests measured, measure all kinds of faults anew if `world`, and keep it."""
    kept = json.loads(FIGURES.read_text()) if FIGURES.exists() else {"real": [], "world": {}}
    real = merged(kept["real"], json.loads(MEASURED.read_text()) if MEASURED.exists() else [])
    found = {kind: measure_kind(kind) for kind in sorted(KINDS)} if world else kept["world"]
    FIGURES.write_text(json.dumps({"real": real, "world": found}, indent=1, sort_keys=True) + "\n")


def merged(kept, measured):
    """Give what was kept, with what a test measured anew in its place, and without what no test measures any more."""
    rows = {(one["row"], one["test"]): one for one in (*kept, *measured)}
    return sorted((one for (_, test), one in rows.items() if exists(test)), key=order)


def order(one):
    """Sort by the catalogue: faults, then attacks, each by number."""
    return one["row"][0], int(one["row"][1:]), one["test"]


def exists(test):
    """Say whether a test, by file and name, stands in the tree; its parameters do not count."""
    path, _, name = test.partition("[")[0].partition("::")
    return (ROOT / path).is_file() and f"def {name.rpartition('::')[2]}(" in (ROOT / path).read_text()


def timed():
    """Name the tests of the attacks whose times there are to measure."""
    rows = (row for row in ATTACKS.values() if not row.untimed and not row.kinds)
    return sorted({test for row in rows for test in (row.shown, *row.also)})


def table(rows, figures):
    """Give rows as lines of a table."""
    lines = ["| row | what goes wrong | shown by | told after | well after |", "|---|---|---|---|---|"]
    for name, row in rows.items():
        told, well = times_of(name, row, figures)
        shown = (
            row.shown if row.shown.startswith("not yet") else ", ".join(f"`{one}`" for one in (row.shown, *row.also))
        )
        kinds = f" ({', '.join(row.kinds)})" if row.kinds else ""
        lines.append(f"| {name} | {row.what} | {shown}{kinds} | {told} | {well} |")
    return lines


def times_of(name, row, figures):
    """Give both times in words: those that its tests measured, in real time before any other, else the world's.

    What happens at no moment has a word in the place of both.
    """
    if row.untimed:
        return row.untimed, row.untimed
    tests = [one for one in figures["real"] if one["row"] == name]
    if tests:
        return tuple(worst_of(tests, what) for what in ("detected", "recovered"))
    found = [figures["world"][kind] for kind in row.kinds if kind in figures["world"]]
    return tuple(worst_s([one[f"{what}_s"] for one in found], LOOKED_AT_S) for what in ("told", "well"))


def worst_of(tests, what):
    """Give the longest of what tests measured; milliseconds are real, seconds simulated."""
    real = worst_ms([one.get(f"{what}_ms") for one in tests])
    return real if real != "-" else worst_s([one.get(f"{what}_s") for one in tests])


def worst_ms(values):
    """Give the longest of some real times."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    return f"{max(known):.0f} ms" if max(known) >= 1 else "under 1 ms"


def worst_s(values, looked_at_s=math.inf):
    """Give the longest of some simulated times; nobody knows more than was looked at."""
    known = [round(value, 1) for value in values if value is not None]
    if not known:
        return "-"
    longest = max(known)
    return f"over {longest:.0f} s" if longest >= looked_at_s else f"{longest:.1f} s" if longest else "at once"


def document(text, figures):
    """Give the handbook with the tables of today in the place of its own."""
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    shown, stood = (sum(not row.shown.startswith("not yet") for row in rows.values()) for rows in (FAULTS, ATTACKS))
    lines = [
        "",
        f"{shown} of the {len(FAULTS)} rows are shown by a test of this tree. Times in milliseconds are of real",
        "processes, as the row's tests measured them. Times in seconds are simulated: of the row's own tests where it",
        "has no kind of fault in the world (until joed tells of it, and until the link or the book is right again;",
        "what only the end of a fault can mend counts from that end), else the longest of five worlds in which that",
        "fault alone strikes, until somebody is told (an alert or a Block) and until the books agree, every position",
        "is guarded and nothing is blocked any more, of which 105 s are looked at; some faults last as long as they",
        "are drawn to. What is known in the step that meets it, and what nothing was ever unwell of, is at once. Of",
        "what joed takes in its stride nobody is told; where a test ends with the fault told, no time to be well again",
        "is measured (-).",
        "",
        *table(FAULTS, figures),
        "",
        "### Attacks",
        f"{stood} of the {len(ATTACKS)} attacks are shown by a test of this tree.",
        "Told after is the time from an attack's first byte until it was refused, dropped, or shown as the harmless",
        "words that it is; well after is the time from that first byte until the next honest request was answered",
        "(of thousands at once: the longest that an honest one took meanwhile), each the longest of all its forms.",
        "Where joed waits before it drops somebody, it waited as long as it is shipped to. In S17 to S22 a browser is",
        "in the way. What happens at no moment",
        f"has nothing to time: `{BEFORE}` is held by a build, a unit or a check before any joed runs, and `{NEVER}`",
        "is looked for in all that a run has left behind, and was not there.",
        "",
        *table(ATTACKS, figures),
        "",
    ]
    return f"{head}{BEGIN}" + "\n".join(lines) + f"{END}{tail}"


def main():
    """Write the document."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--take", action="store_true", help="take over what tests measured (build/faults.json)")
    made.add_argument("--measure", action="store_true", help="that, and the world's figures anew, about a minute")
    made.add_argument("--attacks", action="store_true", help="name the tests of the attacks that are timed, and end")
    asked = made.parse_args()
    if asked.attacks:
        print(*timed())
        return
    if asked.take or asked.measure:
        keep(world=asked.measure)
    DOCUMENT.write_text(document(DOCUMENT.read_text(), json.loads(FIGURES.read_text())))


if __name__ == "__main__":
    main()
