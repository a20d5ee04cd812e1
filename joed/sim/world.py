"""The seeded world: joed with everything around it going wrong, in simulated time, the same in every run."""

import gc
import shutil
import sys
import tempfile
from collections import Counter
from functools import cache
from hashlib import sha256
from pathlib import Path

import msgspec

from joed.daemon.calendars import load_calendars
from joed.model.calendars import Calendar
from joed.model.values import Leg
from joed.sim.build import plain_rules
from joed.sim.cover import UNREACHED, rows
from joed.sim.faults import FAULTS, draw_faults, strike
from joed.sim.laws import Broken
from joed.sim.scenario import Fault, Scenario, traits_of
from joed.sim.seeds import BadSeeds, Outcome, Sum, failure, last_line, play_all, read_seeds, sum_up, with_progress
from joed.sim.shrink import shrink
from joed.sim.stage import Stage

DATE_NS = 1_788_264_000_000_000_000
"""2026-09-01 12:00 UTC: every world's day is the session after it."""
TWICE_EACH = 25
"""Each so manieth seed is played twice: equal seeds must give equal hashes."""
SEEDS_FOR_ALL = 50
"""With so many seeds every exit and every kind of end must have happened."""
SEEDS_FOR_KINDS, KINDS_EACH = 200, 20
"""With so many seeds every kind of fault must have struck once in so many seeds; every row of the order table that a
world can reach must have been taken over ten times as many."""
FILLS_SHARE = 0.9
"""The share of seeds that must have fills."""
NEEDED = (
    *("exits by stop", "exits by trail", "exits by target", "exits by moved target"),
    *("power cuts", "cuts during recovery", "orderly ends", "step faults", "entries in calm", "CancelOrder"),
)
"""What must have happened where there were seeds enough, or the world was idle."""
USAGE = 64
MEMORY = Path("/dev/shm")  # noqa: S108 - a place for a directory that mkdtemp makes


@cache
def hours() -> dict[str, Calendar]:
    """Give the market's hours."""
    return load_calendars(("XNYS",))


def scenario_of(seed: int) -> Scenario:
    """Draw the world that a seed stands for."""
    traits = traits_of(seed)
    safe_s = 720.0 + seed % 5 * 60.0
    return Scenario(seed, safe_s, traits, draw_faults(seed, safe_s, traits))


def play(scenario: Scenario, make: type[Stage] = Stage) -> Outcome:
    """Play a scenario from beginning to end, or to the first law that breaks; `make` is what it plays on."""
    root = Path(tempfile.mkdtemp(prefix="joed-world-", dir=MEMORY if MEMORY.is_dir() else None))
    stage = make(scenario, root, hours(), DATE_NS)
    outcome = Outcome(scenario.seed, faults=len(scenario.faults))
    try:
        stage.run(lambda: plan(stage))
        outcome.events, head = stage.close()
        outcome.trace = trace(stage, head)
    except Broken as broken:
        outcome.law, outcome.words = broken.law, broken.words
    except Exception as error:  # noqa: BLE001 - whatever escapes joed is what we look for
        outcome.law, outcome.words = "nothing escapes", f"{error!r} at {place(error)}"
    finally:
        plain_rules()
    outcome.at_s = (stage.clock.now() - stage.start_ns) / 1e9
    outcome.events = outcome.events or (stage.life.state.seq if stage.life is not None else 0)
    outcome.counts = {**stage.counts, **happened(stage), "quotes": stage.prices.quotes}
    outcome.checks = dict(stage.watch.checks)
    stage.abandon()
    shutil.rmtree(root, ignore_errors=True)
    return outcome


def run_seeds(text: str, *, as_json: bool) -> int:
    """Play these seeds, tell what broke and the sum; 1 where a law was broken or the world was idle.

    64 where the seeds cannot be read, else 0.
    """
    try:
        seeds = read_seeds(text)
    except BadSeeds as error:
        sys.stderr.write(f"joed: {error}\n")
        return USAGE
    told = _keep_quiet if as_json else _tell
    found = sum_up(with_progress(play_all(seeds, play_seed), len(seeds)), told)
    found.missing = missing(found)
    sys.stdout.write(msgspec.json.encode(found).decode() if as_json else last_line(found))
    sys.stdout.write("\n")
    return 1 if found.broken or found.missing else 0


def missing(found: Sum) -> list[str]:
    """Name what so many seeds should have shown and did not."""
    counts, seeds = found.counts, found.seeds
    least = {}
    if seeds >= SEEDS_FOR_ALL:
        least = dict.fromkeys(NEEDED, 1) | {"seeds with fills": int(seeds * FILLS_SHARE)}
    if seeds >= SEEDS_FOR_KINDS:
        least |= dict.fromkeys((f"fault {kind}" for kind in FAULTS), seeds // KINDS_EACH)
    if seeds >= SEEDS_FOR_KINDS * 10:
        least |= {f"row {row}": 1 for row in rows() if row not in UNREACHED}
    return [f"{name} ({counts.get(name, 0)} of {most})" for name, most in least.items() if counts.get(name, 0) < most]


def _tell(outcome: Outcome) -> None:
    sys.stdout.write(failure(outcome) + "\n")
    sys.stdout.flush()


def _keep_quiet(outcome: Outcome) -> None:
    """Say nothing: the sum has it."""


def play_seed(seed: int) -> Outcome:
    """Play a seed; one that breaks a law is shrunk, and now and then one is played twice."""
    scenario = scenario_of(seed)
    gc.collect()
    gc.disable()  # a world lasts seconds; its cycles can wait until it is over
    outcome = play(scenario)
    if outcome.law:
        outcome.scenario = tuple(fault.words() for fault in shrunk(scenario, outcome.law))
    elif seed % TWICE_EACH == 0:
        outcome.repeated = True
        if (again := play(scenario).trace) != outcome.trace:
            outcome.law, outcome.words = "same seed, same world", f"hash {outcome.trace}, then {again}"
    return outcome


def shrunk(scenario: Scenario, law: str) -> tuple[Fault, ...]:
    """Give the fewest of a scenario's faults that still break this law."""

    def breaks(faults: tuple[Fault, ...]) -> bool:
        return play(msgspec.structs.replace(scenario, faults=faults)).law == law

    return shrink(scenario.faults, breaks)


def plan(stage: Stage) -> None:
    """Have each fault strike at its time."""
    for fault in stage.scenario.faults:
        stage.after(fault.at_s, lambda fault=fault: strike(stage, fault))  # type: ignore[misc]  # bound early


def place(error: BaseException) -> str:
    """Name the line where an error was raised."""
    trail = error.__traceback__
    assert trail is not None
    while trail.tb_next is not None:
        trail = trail.tb_next
    return f"{Path(trail.tb_frame.f_code.co_filename).name}:{trail.tb_lineno}"


def trace(stage: Stage, head: bytes) -> str:
    """Give one hash of the whole record, of everything the exchange did and of what was counted."""
    found = sha256(head)
    found.update(msgspec.json.encode((stage.exchange.log, stage.exchange.executions)))
    found.update(msgspec.json.encode(sorted(stage.counts.items())))
    return found.hexdigest()[:16]


def happened(stage: Stage) -> dict[str, int]:
    """Count what the exchange saw: fills, entries, and exits by their kind."""
    found: Counter[str] = Counter()
    trailed = {line.order for line in stage.exchange.log if line.what == "amended"}
    for fill in stage.exchange.executions:
        found["fills"] += 1
        order = stage.exchange.orders[fill.order]
        if order.left:
            continue
        if order.leg is Leg.ENTRY:
            found["entries"] += 1
        else:
            moved = order.order in trailed
            found[f"exits by {EXITS[order.leg, moved]}"] += 1
    return dict(found)


EXITS = {
    (Leg.STOP, False): "stop",
    (Leg.STOP, True): "trail",
    (Leg.TARGET, False): "target",
    (Leg.TARGET, True): "moved target",
    (Leg.CLOSE, False): "close",
    (Leg.CLOSE, True): "close",
}
