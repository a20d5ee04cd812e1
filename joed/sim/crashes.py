"""The power goes at every numbered point of a dozen small worlds, once and twice: each law holds, and all converges.

A point is a moment at which a cut would hurt: before and after each commit, each hand-over to the broker, each change
of the kill file, a snapshot, each step of a start. They are numbered as a world without a cut passes them; a second cut
counts from the first, and comes before the books have been read again.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from joed.model.values import Scope
from joed.sim.scenario import Args, Fault, Scenario, Traits, traits_of
from joed.sim.seeds import Outcome

SAFE_S, CALM_S = 118.0, 80.0
"""A minute before the open, and one in which something happens; then time to converge."""
BASE = replace(
    traits_of(1),
    instruments=("AAA",),
    shorts=False,
    conflates=False,
    prints_last=True,
    volatility=0.0009,
    latency_s=0.05,
    partial_share=0.0,
    commit_s=(0.002, 0.02),
    tape_s=5.0,
    trails=0.0,
    evening=False,
    shown=False,
)


class Small(NamedTuple):
    """A small world: what is done in it at which second, by which seed, made how."""

    faults: tuple[tuple[float, str, Args], ...] = ()
    seed: int = 1
    traits: Callable[[Traits], Traits] = lambda traits: traits


def killed(scope: Scope, at: str) -> Small:
    """Give a world with a kill at a point of an entry's way."""
    return Small(((64.0, "kill", {"at": at, "scope": scope.value, "told": 1, "seconds": 15.0, "again": 0}),), 3)


def parted(traits: Traits) -> Traits:
    """Have every order fill in parts."""
    return replace(traits, partial_share=1.0)


SMALL: dict[str, Small] = {
    "entry": Small(),
    "bracket": Small(seed=4, traits=lambda traits: replace(traits, volatility=0.002)),
    "trail": Small(seed=5, traits=lambda traits: replace(traits, trails=1.0, volatility=0.002)),
    "partial": Small(seed=6, traits=parted),
    "cancel": Small(((61.0, "partials", {"seconds": 60.0, "then": "silence"}),), 2, parted),
    "kill entries": killed(Scope.ENTRIES, "recorded"),
    "kill orders": killed(Scope.ORDERS, "handed"),
    "kill flatten": killed(Scope.FLATTEN, "filled"),
    "kill account": killed(Scope.ACCOUNT, "filled"),
    "end of day": Small(seed=8, traits=lambda traits: replace(traits, evening=True)),
    "adoption": Small(((62.0, "lost_reports", {"at": "handed", "count": 5}),), 9),
    "correction": Small(((80.0, "correction", {"luck": 0.0}), (95.0, "bust", {"luck": 0.0})), 10),
    "snapshot": Small(tuple((66.0 + 9.0 * n, "flush", {}) for n in range(5)), 11),
    "reload": Small(((84.0, "reconfigure", {"by": "stop", "seconds": 1.0}),), 12),
    "upgrade": Small(((84.0, "upgrade", {"by": "stop", "seconds": 1.0}),), 13),
}
"""The worlds, each around one thing that must survive a crash at any moment."""


def small_world(name: str, crashes: tuple[int, ...] = ()) -> Scenario:
    """Give one of the worlds, with the power going at these points."""
    small = SMALL[name]
    traits = small.traits(BASE)
    faults = tuple(Fault(at_s, kind, args) for at_s, kind, args in small.faults)
    safe_s = SAFE_S + (60.0 if traits.evening else 0.0)
    return Scenario(small.seed, safe_s, traits, faults, CALM_S, crashes)


def singles(name: str, play: Callable[[Scenario], Outcome], each: int = 1) -> Iterator[tuple[int, ...]]:
    """Give each so manieth crash point of a world, to be tried by itself."""
    points = play(small_world(name)).counts["points"]
    yield from ((point,) for point in range(1, points + 1, each))


def doubles(first: tuple[int, ...], recovered: Outcome, each: int = 1) -> Iterator[tuple[int, ...]]:
    """Give pairs that begin with a crash already tried: each so manieth point of the recovery that followed it."""
    points = recovered.counts.get("points of recovery", 0)
    yield from ((*first, second) for second in range(1, points + 1, each))


class Tried(NamedTuple):
    """One world played with its crashes: how it went."""

    name: str
    crashes: tuple[int, ...]
    outcome: Outcome

    def words(self) -> str:
        """Say what broke, and how to see it again."""
        found = self.outcome
        return f"{self.name} {self.crashes}: {found.law}, at +{found.at_s:.3f} s: {found.words}"


def try_world(
    name: str, play: Callable[[Scenario], Outcome], *, each: int = 1, second_each: int = 1, twice_each: int = 1
) -> Iterator[Tried]:
    """Crash a world at each so manieth point; and after each so manieth of these crashes once more."""
    for index, crashes in enumerate(singles(name, play, each)):
        once = play(small_world(name, crashes))
        yield Tried(name, crashes, once)
        if index % twice_each == 0:
            for pair in doubles(crashes, once, second_each):
                yield Tried(name, pair, play(small_world(name, pair)))


def sum_of(tried: Sequence[Tried]) -> str:
    """Say in one line how many points and runs there were, and how many broke a law."""
    singly = sum(1 for one in tried if len(one.crashes) == 1)
    broken = sum(1 for one in tried if one.outcome.law)
    worlds = len({one.name for one in tried})
    missed = sum(1 for one in tried if one.outcome.counts.get("crashes", 0) < len(one.crashes) and not one.outcome.law)
    return (
        f"{worlds} worlds, {singly} crash points tried singly, {len(tried) - singly} pairs: {len(tried)} runs,"
        f" {missed} whose last crash never came, {broken} broken"
    )
