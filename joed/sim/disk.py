"""The journal on a disk that takes its time: real SQLite, whose commits end later than they began, or never."""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from joed.daemon.clock import SimulatedClock
from joed.daemon.latch import Latches
from joed.daemon.record import encode_state
from joed.daemon.store import Entry, Store
from joed.model.commands import Command
from joed.model.events import Event
from joed.model.state import State
from joed.model.values import SECOND, Scope
from joed.sim.scenario import Traits


class Disk:
    """How fast the world's disk is now, and whether it takes anything at all."""

    def __init__(self, clock: SimulatedClock, seed: int, traits: Traits) -> None:
        """Be as fast as the world's traits say."""
        self.slow_until_ns = 0
        self.slow_s = 0.0
        self.broken_s = 0.0
        self._clock = clock
        self._chance = Random(f"{seed}:disk")
        self._commit_s = traits.commit_s

    def commit_ns(self) -> tuple[int, bool]:
        """Give how long the next commit takes, and whether the file has it from the beginning on (or at the end)."""
        least, most = self._commit_s
        if self._clock.now() < self.slow_until_ns:
            most = self.slow_s
        taken_s = least + (most - least) * self._chance.random() ** 3
        return int(taken_s * SECOND), self._chance.random() < 0.5


class SlowJournal:
    """A life's journal, as the loop sees it; it remembers what no commit has taken yet."""

    def __init__(self, store: Store, point: Callable[[str], None]) -> None:
        """Write to this Store, and tell `point` of each moment at which a cut would hurt."""
        self.store = store
        self._point = point
        self.durable = store.last()
        self.tail: list[Entry] = []
        self.taped_ns = 0

    def append(self, seq: int, now: int, session: str, event: Event, commands: Sequence[Command]) -> None:
        """Record a fact."""
        self.store.add(seq, now, session, event, commands)
        self.tail.append((seq, now, event, list(commands)))

    def tape(self, seq: int, now: int, event: Event) -> None:
        """Record a row of tape."""
        self.store.add_tape(seq, now, event)
        self.tail.append((seq, now, event, []))
        self.taped_ns = self.taped_ns or now

    def snapshot(self, state: State, *, kept: bool = False) -> None:
        """Have the State stored with the next commit."""
        self._point("snapshot")
        self.store.add_snapshot(state.seq, state.now, encode_state(state), kept=kept)

    def commit(self) -> int:
        """Put everything into the file; the caller says when the loop hears of it."""
        self._point("committing")
        seq = self.store.commit()
        self.tail, self.taped_ns = [], 0
        self._point("committed")
        return seq


class PointedLatches(Latches):
    """The latch directory, where each change is a moment at which a cut would hurt."""

    def __init__(self, directory: Path, point: Callable[[str], None]) -> None:
        """Tell `point`."""
        super().__init__(directory)
        self._point = point

    def write(self, scope: Scope) -> None:
        """Latch, between two points."""
        self._point("latching")
        super().write(scope)
        self._point("latched")

    def clear(self) -> None:
        """Unlatch, between two points."""
        self._point("unlatching")
        super().clear()
        self._point("unlatched")
