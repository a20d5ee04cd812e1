"""Many worlds: seeds read from the command line, played by several processes, summed up in one line."""

import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import TypeVar

import msgspec

from joed.errors import JoedError

Found = TypeVar("Found")
SEEDS_MAX = 1_000_000
PROGRESS_EACH = 5


class Outcome(msgspec.Struct):
    """How one world went: which law was broken when (none: ""), what happened in it, and the hash of it all.

    `scenario` is the shortest one found that breaks the law; `repeated` says that it was played twice, to the same
    hash.
    """

    seed: int
    law: str = ""
    words: str = ""
    at_s: float = 0.0
    events: int = 0
    counts: dict[str, int] = {}
    checks: dict[str, int] = {}
    trace: str = ""
    scenario: tuple[str, ...] = ()
    faults: int = 0
    repeated: bool = False


class BadSeeds(JoedError):
    """The seeds on the command line cannot be read."""


def read_seeds(text: str) -> list[int]:
    """Read N (1 to N), FROM-TO, or several of these with commas between them (there, N is the seed N)."""
    parts = text.split(",")
    try:
        whole = len(parts) == 1 and "-" not in text
        found = [range(1, int(text) + 1)] if whole else [_range_of(part) for part in parts if part]
    except ValueError:
        raise BadSeeds(f"seeds are N, FROM-TO or a list with commas, not {text!r}") from None
    if not 0 < sum(map(len, found)) <= SEEDS_MAX:
        raise BadSeeds(f"seeds are 1 to {SEEDS_MAX} numbers, not {text!r}")
    return [seed for part in found for seed in part]


def _range_of(part: str) -> range:
    first, _, last = part.partition("-")
    return range(int(first), int(last or first) + 1)


def play_all(seeds: Sequence[int], play: Callable[[int], Outcome]) -> Iterator[Outcome]:
    """Play the seeds with as many processes as there are cores for us, and give the outcomes in the seeds' order."""
    workers = min(len(os.sched_getaffinity(0)), len(seeds))
    if workers < 2:
        yield from map(play, seeds)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) as pool:
        yield from pool.imap(play, seeds, chunksize=1)


def with_progress(outcomes: Iterable[Outcome], total: int) -> Iterator[Outcome]:
    """Hand the outcomes on; on a terminal, say how far it is."""
    shown = sys.stderr.isatty()
    for done, outcome in enumerate(outcomes, start=1):
        if shown and (done % PROGRESS_EACH == 0 or done == total):
            sys.stderr.write(f"\r{done} of {total} seeds\x1b[K")
            sys.stderr.flush()
        yield outcome
    if shown:
        sys.stderr.write("\r\x1b[K")


class Sum(msgspec.Struct):
    """What all seeds came to; equal digests are equal worlds, byte for byte of every record."""

    seeds: int = 0
    minutes: int = 0
    events: int = 0
    repeated: int = 0
    checks: int = 0
    broken: list[Outcome] = []
    counts: dict[str, int] = {}
    laws: dict[str, int] = {}
    digest: str = ""
    missing: list[str] = []


def sum_up(outcomes: Iterable[Outcome], told: Callable[[Outcome], object]) -> Sum:
    """Add outcomes up, telling of each broken law at once."""
    found, seconds, traces = Sum(), 0.0, sha256()
    counts: Counter[str] = Counter()
    laws: Counter[str] = Counter()
    for outcome in outcomes:
        found.seeds += 1
        traces.update(f"{outcome.seed} {outcome.trace} {outcome.law}\n".encode())
        seconds += outcome.at_s
        found.events += outcome.events
        found.repeated += outcome.repeated
        counts.update(outcome.counts)
        counts["seeds with fills"] += bool(outcome.counts.get("fills"))
        laws.update(outcome.checks)
        if outcome.law:
            found.broken.append(outcome)
            told(outcome)
    found.digest = traces.hexdigest()[:16]
    found.minutes, found.checks = round(seconds / 60), laws.total()
    found.counts, found.laws = dict(sorted(counts.items())), dict(sorted(laws.items()))
    return found


def failure(outcome: Outcome) -> str:
    """Tell of a broken law: the seed, when, what, and the short scenario."""
    lines = [f"seed {outcome.seed}: {outcome.law}, at +{outcome.at_s:.3f} s: {outcome.words}"]
    lines.append(f"  {len(outcome.scenario)} of its {outcome.faults} faults are enough:")
    lines += [f"    {line}" for line in outcome.scenario]
    lines.append(f"  again: joed --simulate {outcome.seed}-{outcome.seed}")
    return "\n".join(lines)


def last_line(found: Sum) -> str:
    """Sum everything up in one line."""
    counts = found.counts
    exits = ", ".join(f"{counts[name]} {name.removeprefix('exits by ')}" for name in counts if name.startswith("exits"))
    faults = ", ".join(f"{name.removeprefix('fault ')} {counts[name]}" for name in counts if name.startswith("fault "))
    taken = [f"{name.removeprefix('row ')} {counts[name]}" for name in counts if name.startswith("row ")]
    n = counts.get
    words = [
        f"{found.seeds} seeds ({found.repeated} played twice)",
        f"digest {found.digest}",
        f"{found.minutes} simulated minutes, {found.events} events, {n('quotes', 0)} quotes",
        f"{n('fills', 0)} fills, {n('entries', 0)} entries, exits: {exits or 'none'}",
        f"{n('lives', 0)} lives, {n('power cuts', 0)} power cuts and {n('cuts during recovery', 0)} in recovery",
        f"{n('orderly ends', 0)} orderly ends, {n('step faults', 0)} faults in step",
        f"{n('seeds with fills', 0)} seeds with fills, {n('points', 0)} crash points passed",
        f"faults: {faults or 'none'}",
        f"{len(taken)} rows of the order table taken: {', '.join(taken) or 'none'}",
        *([f"never happened: {', '.join(found.missing)}"] if found.missing else []),
        f"{len(found.laws)} laws checked {found.checks} times, broken {len(found.broken)}",
    ]
    return "; ".join(words)
