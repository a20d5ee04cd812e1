"""What a seed stands for: how its world is made, and which faults strike when; a page that a person can read."""

from collections.abc import Iterable
from random import Random

from msgspec import Struct

INSTRUMENTS = ("AAA", "BBB", "CCC", "DDD", "EEE")
VIX = "VIX"
CALM_S = 150.0
"""How long the world runs without faults at the end: everything must converge."""
REST_S = 45.0
"""The last part of that: prices stand still and nothing new is opened, so that the books can be compared."""

Args = dict[str, float | int | str]


class Traits(Struct, frozen=True):
    """How one world is made. Prices move by `volatility` (a share) in the root of a second; times in seconds.

    `trails` is the share of Triggers with a trail, `shown` says that somebody looks at the View, `evening` that the day
    ends within it.
    """

    instruments: tuple[str, ...]
    shorts: bool
    conflates: bool
    prints_last: bool
    volatility: float
    latency_s: float
    partial_share: float
    commit_s: tuple[float, float]
    tape_s: float
    trails: float
    evening: bool
    shown: bool


class Fault(Struct, frozen=True):
    """One thing that goes wrong, `at_s` seconds after the world began."""

    at_s: float
    kind: str
    args: Args = {}

    def words(self) -> str:
        """Give the line that a person reads."""
        args = "  ".join(f"{name}={value}" for name, value in self.args.items())
        return f"+{self.at_s:7.1f} s  {self.kind:<13} {args}".rstrip()


class Scenario(Struct, frozen=True):
    """A world and its faults: the seed decides everything that these do not say.

    `crashes` are numbers of crash points: the power goes at the first, then at the so manieth after that, and so on.
    Where it `tells`, a person has channels, and every alert of the record must have left by the first (`telling.py`).
    """

    seed: int
    safe_s: float
    traits: Traits
    faults: tuple[Fault, ...] = ()
    calm_s: float = CALM_S
    crashes: tuple[int, ...] = ()
    tells: bool = False

    @property
    def ends_s(self) -> float:
        """Give how long the world lasts, in seconds."""
        return self.safe_s + self.calm_s


def traits_of(seed: int) -> Traits:
    """Draw how a seed's world is made."""
    chance = Random(f"{seed}:traits")
    slowest = chance.choice((0.002, 0.02, 0.02, 0.2, 1.5))
    return Traits(
        instruments=INSTRUMENTS[: chance.randint(3, 5)],
        shorts=chance.random() < 0.4,
        conflates=chance.random() < 0.7,
        prints_last=chance.random() < 0.5,
        volatility=chance.uniform(0.0003, 0.0007),
        latency_s=chance.choice((0.005, 0.05, 0.05, 0.3)),
        partial_share=chance.choice((0.0, 0.15, 0.6)),
        commit_s=(0.0002, slowest),
        tape_s=chance.choice((1.0, 5.0, 20.0)),
        trails=chance.choice((0.3, 0.7, 1.0)),
        evening=chance.random() < 0.12,
        shown=chance.random() < 0.2,
    )


def scenario_text(faults: Iterable[Fault]) -> str:
    """Give a scenario as lines, in the order in which things happen."""
    return "\n".join(fault.words() for fault in sorted(faults, key=lambda fault: fault.at_s))
