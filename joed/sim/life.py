"""One process of joed, from its start to its end, however that comes: what the daemon does, on the world's clock."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from joed.daemon import recovery
from joed.daemon.carry_out import at_once
from joed.daemon.clock import SimulatedClock
from joed.daemon.desk import Desk
from joed.daemon.latch import Latches
from joed.daemon.loop import StepFailed
from joed.daemon.store import Store
from joed.daemon.trading import Trading
from joed.model.calendars import Calendar
from joed.model.commands import Answer, Command, LiftBlock, RaiseAlert, SendAlert, Stop, SubmitOrder
from joed.model.events import (
    AlertDelivered,
    EpochStarted,
    Event,
    JournalFailed,
    JournalRestored,
    OrderFilled,
    SettingsLoaded,
)
from joed.model.settings import Settings
from joed.model.state import State
from joed.model.values import SECOND
from joed.sim import proofs
from joed.sim.cover import Cover
from joed.sim.disk import Disk, SlowJournal
from joed.sim.duty import KILLED
from joed.sim.laws import Watch
from joed.sim.proofs import Remains
from joed.sim.strategist import Strategist
from joed.sim.telling import SENDING_NS, Told
from joed.sim.wire import Wire

STEPS = 4
"""How many steps a start has: the file opened, the State recovered, the epoch begun, trading begun."""
LAST_ROUNDS = 3
"""How often an orderly end handles what came of what it handled."""


class PowerCut(Exception):
    """The power goes, `down_s` long, and again at these steps of the starts that follow."""

    def __init__(self, down_s: float, again: str) -> None:
        super().__init__(f"{down_s} s")
        self.down_s, self.again = down_s, again


class Ground(Protocol):
    """What a life tells its world."""

    def ended(self, remains: Remains) -> None:
        """Hear that it is over in order: it may be started again."""
        ...

    def faulted(self, remains: Remains) -> None:
        """Hear that a rule raised: it has left, and asks to be started again."""
        ...

    def answered(self, answer: Answer) -> None:
        """Hear that an operator has an answer."""
        ...

    def point(self, name: str) -> None:
        """Hear that a moment is reached at which a power cut would hurt."""
        ...


@dataclass
class Site:
    """What every life of one world is built on."""

    clock: SimulatedClock
    root: Path
    id_key: bytes
    settings: Settings
    calendars: dict[str, Calendar]
    wire: Wire
    watch: Watch
    latches: Latches
    disk: Disk
    strategist: Callable[["LifeClock"], Strategist]
    ground: Ground
    counts: Counter[str]
    cover: Cover
    snapshot_s: float
    tape_s: float
    conflates: bool
    shown: bool
    told: Told
    version: str = "1"
    beside: tuple[Wire, ...] = ()
    """Wires to other brokers, in a world of several."""

    @property
    def wires(self) -> tuple[Wire, ...]:
        """Give the wires to all brokers."""
        return (self.wire, *self.beside)


class LifeClock:
    """The world's clock for one life: what it has asked for never comes once it is dead, and waits while it hangs."""

    simulated = True

    def __init__(self, life: "Life", clock: SimulatedClock) -> None:
        self._life = life
        self._clock = clock
        self._asleep: list[Callable[[], None]] = []
        self.now = clock.now

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> None:
        """Call back at this time, if the life is still there."""

        def call() -> None:
            if not self._life.alive:
                return
            if self._clock.now() < self._life.hangs_until_ns:
                self._sleep(callback)
                return
            callback()

        self._clock.call_at(at_ns, call)

    def _sleep(self, callback: Callable[[], None]) -> None:
        """Have something wait for the end of a hang, in its turn."""
        self._asleep.append(callback)
        if len(self._asleep) == 1:
            self._clock.call_at(self._life.hangs_until_ns, self.wake)

    def wake(self) -> None:
        """Do what came while the life hung, in the order in which it came."""
        if self._asleep and self._clock.now() < self._life.hangs_until_ns:
            self._clock.call_at(self._life.hangs_until_ns, self.wake)
            return
        waiting, self._asleep = self._asleep, []
        for callback in waiting:
            if self._life.alive:
                callback()


class Life:
    """One life. `start` brings it up, `settle` has it do its work, `die` ends it like a power cut."""

    def __init__(self, site: Site) -> None:
        """Be about to start."""
        self.site = site
        self.alive = True
        self.opened = False
        self.hangs_until_ns = 0
        self.full = False
        self.announced = 0
        self.clock = LifeClock(self, site.clock)
        self.trading: Trading | None = None
        self.journal: SlowJournal
        self.state = State(id_key=site.id_key)
        self._committing = False
        self._stopping: Stop | None = None
        self._snapshot_ns = 0

    def start(self, remains: Remains | None, steps: int = STEPS) -> None:
        """Take the first steps of a start; with all of them it trades, with fewer it was cut on the way."""
        site = self.site
        store = Store.open(site.root / "joed.db")
        point = site.ground.point
        self.journal, self.opened = SlowJournal(store, point), True
        self.announced = store.last()
        point("opened")
        if steps > 1:
            self.state = recovery.recover(store, site.id_key)
            self._judge_recovery(store, remains)
            point("recovered")
        if steps > 2:
            self.epoch = store.next_epoch(self.state.epoch + 1)
            site.watch.hold("each start its own epoch", site.watch.conduct.begin(self.epoch, self.state.seq))
            point("epoch")
        if steps >= STEPS:
            self._begin()

    def _judge_recovery(self, store: Store, remains: Remains | None) -> None:
        hold, state = self.site.watch.hold, self.state
        hold("recovery is stable", proofs.unstable(store, state, recovery.recover))
        if remains is not None:
            hold("nothing durable is lost", proofs.lost(state, remains))
            hold("recovery is the truth", proofs.untrue(state, remains, self.site.id_key))

    def _begin(self) -> None:
        """Take over, as the daemon does."""
        site = self.site
        self.strategist = site.strategist(self.clock)
        self.desk = Desk(self, site.latches, self.emit)  # type: ignore[arg-type]  # as far as the desk uses a journal
        self.trading = Trading(
            self.state,
            site.settings,
            clock=self.clock,
            recorder=self.desk,
            worker=self.strategist,
            shell=self,
            latch=site.latches,
            wake=_nothing,
            conflates=site.conflates,
        )
        self.desk.attach(self.trading.loop)
        self.trading.loop.shown = site.shown
        if self.state.seq:
            self.journal.snapshot(self.state, kept=True)
        self._snapshot_ns = site.clock.now()
        site.cover.begin(self.state)
        for wire in site.wires:
            wire.attach(self.emit)
        found = site.latches.read()
        killed = None if found is None else found.scope
        self.trading.begin(
            EpochStarted(self.epoch, "manual", site.version, "world", 1, killed),
            SettingsLoaded(site.settings, site.version, site.calendars),
            {wire.name: wire for wire in site.wires},
        )

    @property
    def durable(self) -> int:
        """Give the newest durable seq that the loop has heard of."""
        return self.announced

    def append(self, seq: int, now: int, session: str, event: Event, commands: Sequence[Command]) -> None:
        """Record a fact, and let the onlooker see it."""
        issued = list(commands)
        self.journal.append(seq, now, session, event, issued)
        self.site.watch.recorded(seq, event, issued)
        self.site.cover.saw(self.state, event, issued)
        if any(isinstance(command, SubmitOrder) and command.opens for command in issued):
            self.site.ground.point("recorded")
        elif isinstance(event, OrderFilled):
            self.site.ground.point("filled")
        elif any(isinstance(command, LiftBlock) and command.key == KILLED for command in issued):
            self.site.ground.point("releasing")

    def tape(self, seq: int, now: int, event: Event) -> None:
        """Record a row of tape."""
        self.journal.tape(seq, now, event)
        self.site.watch.recorded(seq, event, [])

    def emit(self, event: Event) -> None:
        """Let something have happened to this life."""
        if self.alive and self.trading is not None:
            self.site.watch.conduct.heard(event)
            self.trading.emit(event)

    def settle(self) -> None:
        """Handle all that waits, and begin a commit where something must leave or tape has waited long enough."""
        if self.trading is None or self.site.clock.now() < self.hangs_until_ns or not self._drained():
            return
        if self._stopping is not None:
            self._finish(self._stopping)
            return
        now = self.site.clock.now()
        if now - self._snapshot_ns >= int(self.site.snapshot_s * SECOND):
            self._snapshot_ns = now
            self.journal.snapshot(self.state)
        self._plan_commit(now)

    def _drained(self) -> bool:
        """Handle all that waits; False where that was the end of this life."""
        assert self.trading is not None
        if not self.alive:
            return False
        try:
            while self.trading.intake:
                self.trading.loop.drain()
        except StepFailed:
            self._fail()
            return False
        if self.full:
            self.trading.carry_out.release_reductions()
        return True

    def _plan_commit(self, now: int) -> None:
        assert self.trading is not None
        taped_ns = self.journal.taped_ns
        aged = bool(taped_ns) and now - taped_ns >= int(self.site.tape_s * SECOND)
        if self._committing or self.full or not (self.trading.carry_out or aged):
            return
        if self.site.disk.broken_s:
            down_s, self.site.disk.broken_s = self.site.disk.broken_s, 0.0
            raise PowerCut(down_s, "")  # exit 75: no commit is tried again after EIO
        self._committing = True
        taken_ns, early = self.site.disk.commit_ns()
        seq = self.journal.commit() if early else 0
        self.clock.call_at(now + taken_ns, lambda: self._committed(seq))

    def _committed(self, seq: int) -> None:
        """Hear of a commit: what it made durable may leave; one that meets a full disk has not happened."""
        self._committing = False
        if self._drained() and not (self.full and seq == 0):
            self._announce(seq or self.journal.commit())

    def fill_up(self, seconds: float) -> None:
        """Let the disk be full for a while: nothing opens, what reduces risk leaves all the same."""
        if self.trading is None or self.full:
            return
        self.full = self.site.watch.unrecorded = True
        self.emit(JournalFailed("FULL"))
        self.clock.call_at(self.site.clock.now() + int(seconds * SECOND), self.make_room)

    def make_room(self) -> None:
        """Let the disk take again what is written."""
        if self.full:
            self.full = self.site.watch.unrecorded = False
            self._announce(self.journal.commit())
            self.emit(JournalRestored())

    def _announce(self, seq: int) -> None:
        assert self.trading is not None
        self.announced = max(self.announced, seq)
        if self.trading.carry_out:
            self.site.ground.point("durable")
        self.trading.loop.release(self.announced)

    def flush(self) -> None:
        """Commit now, with a snapshot, and answer."""
        if self.trading is not None and not self.full:
            self.journal.snapshot(self.state)
            self.flush_all()

    def flush_all(self) -> None:
        """Commit now what there is, if the disk takes it."""
        if not self.full:
            self._announce(self.journal.commit())

    def _fail(self) -> None:
        """Leave with the fault in the record, as the daemon does: what waited for a commit is carried out."""
        self.flush_all()
        for wire in self.site.wires:
            wire.stop()
        remains = self._end(whole=False)
        self.site.ground.faulted(remains)

    def _finish(self, stop: Stop) -> None:
        """End in order: the last word, the State, the file closed."""
        assert self.trading is not None
        for _ in range(LAST_ROUNDS):
            if not self._drained():
                return
            self.flush_all()
        self.trading.seal(stop.reason)
        self.journal.snapshot(self.state)
        self.flush_all()
        for wire in self.site.wires:
            wire.stop()
        remains = self._end(whole=True)
        self.site.ground.ended(remains)

    def die(self) -> Remains | None:
        """End like a power cut: what no commit took is gone. Give what memory held, None where it held nothing yet."""
        for wire in self.site.wires:
            wire.cut()
        if self.trading is None:
            self.alive = False
            if self.opened:
                self.journal.store.close()
            return None
        return self._end(whole=True)

    def _end(self, *, whole: bool) -> Remains:
        self.alive = False
        self.full = False
        self.journal.store.close()
        self.site.watch.died()
        return Remains(self.state, self.journal.tail, self.announced, whole)

    def alert(self, command: RaiseAlert | SendAlert) -> None:
        """Tell a person, or not: while there is no route all fail."""
        site = self.site
        if isinstance(command, SendAlert):
            self.clock.call_at(site.clock.now() + SENDING_NS, lambda: self.emit(site.told.arrived(command)))
            return
        site.counts["alerts"] += 1
        if site.told.down:
            self.emit(AlertDelivered(command.key, "world", command.severity, "no route"))

    def answered(self, command: Answer) -> None:
        """Let whoever asked have the answer."""
        free = self.site.watch.unrecorded and at_once(command)
        self.site.watch.hold("answers are durable", "" if free else self.site.watch.stored(command))
        self.desk.answered(command)
        self.site.ground.answered(command)

    def stop(self, command: Stop) -> None:
        """End in order, after this turn."""
        self._stopping = command


def _nothing() -> None:
    """Wait to be driven: the world settles each life after every callback."""
