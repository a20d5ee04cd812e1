"""The journal and the worker of simulated time: the same work, done at once, in the loop's own thread."""

from collections.abc import Callable, Sequence

from joed.daemon.clock import Clock
from joed.daemon.job_context import JobContext
from joed.daemon.record import encode_state
from joed.daemon.store import Store
from joed.model.commands import Command, RunJob
from joed.model.events import Event
from joed.model.state import State
from joed.model.values import SECOND, Bar

JOB_LATENCY_NS = SECOND // 5
"""How long a job takes in simulated time."""
ROWS_MAX = 20_000
"""Rows of tape that wait for a commit at most."""


class InlineJournal:
    """A Store that is committed when something must leave, or when enough has gathered."""

    def __init__(self, store: Store) -> None:
        """Write to this Store."""
        self.store = store
        self.durable = store.last()
        self._waiting = 0

    def append(self, seq: int, now: int, session: str, event: Event, commands: Sequence[Command]) -> None:
        """Record a fact."""
        self.store.add(seq, now, session, event, commands)

    def tape(self, seq: int, now: int, event: Event) -> None:
        """Record a row of tape."""
        self.store.add_tape(seq, now, event)
        self._waiting += 1
        if self._waiting >= ROWS_MAX:
            self.commit()

    def commit(self) -> int:
        """Make everything durable."""
        self._waiting = 0
        self.durable = self.store.commit()
        return self.durable

    def snapshot(self, state: State, *, kept: bool = False) -> None:
        """Store the whole State."""
        self.store.add_snapshot(state.seq, state.now, encode_state(state), kept=kept)


class InlineJobs:
    """Runs a job at once and gives its answer a moment later, as the clock counts."""

    def __init__(
        self, clock: Clock, run: Callable[[RunJob, JobContext], Event], take: Callable[[Sequence[Bar]], None]
    ) -> None:
        """Run jobs by `run`; `take` gets the minute bars."""
        self._clock = clock
        self._run = run
        self.bars = take

    def run(self, command: RunJob, context: JobContext, done: Callable[[Event], None]) -> None:
        """Run a job."""
        event = self._run(command, context)
        self._clock.call_at(self._clock.now() + JOB_LATENCY_NS, lambda: done(event))
