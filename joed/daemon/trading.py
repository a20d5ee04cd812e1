"""One life of the engine: the books recovered, a new epoch, the second hand, and at last the seal.

The daemon, the backtest and the seeded world all run this; they differ in the clock, the journal and the brokers.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from joed.brokers.base import Broker
from joed.daemon.carry_out import CarryOut, Shell
from joed.daemon.carry_out import KillFile as Carried
from joed.daemon.carry_out import Worker as Jobs
from joed.daemon.clock import Clock
from joed.daemon.counters import Counters
from joed.daemon.intake import Intake
from joed.daemon.latch import Latch
from joed.daemon.loop import Loop, Recorder
from joed.daemon.sleep import Sleep
from joed.engine.positions import equity
from joed.model.commands import ReadBroker
from joed.model.events import (
    ClockStepped,
    EpochStarted,
    Event,
    LatchGone,
    LatchSeen,
    SessionEnded,
    SettingsLoaded,
    Tick,
)
from joed.model.settings import Settings
from joed.model.state import State
from joed.model.values import SECOND, Bar, Scope


class Worker(Jobs, Protocol):
    """Where jobs run, and where their bars go."""

    def bars(self, bars: Sequence[Bar]) -> None:
        """Take completed minute bars."""
        ...


class KillFile(Carried, Protocol):
    """The kill file, as it is looked at each second."""

    def read(self) -> Latch | None:
        """Give its scope and its owner's uid, None where there is none."""
        ...

    def write(self, scope: Scope) -> None:
        """Make it, durably."""
        ...


class Trading:
    """The engine with everything around it that every mode has."""

    def __init__(  # noqa: PLR0913 - the parts that the modes choose
        self,
        state: State,
        settings: Settings,
        *,
        clock: Clock,
        recorder: Recorder,
        worker: Worker,
        shell: Shell,
        latch: KillFile,
        wake: Callable[[], None],
        conflates: bool,
    ) -> None:
        """Take the parts; `settings` are the shell's own, the engine has its from SettingsLoaded."""
        self.state = state
        self.clock = clock
        self.brokers: dict[str, Broker] = {}
        self._settings = settings
        self._latch = latch
        self._read_ns = 0
        self._sealed = self._vanished = False
        self.sleep = None if clock.simulated else Sleep()
        self.counters = Counters()
        self.intake = Intake(wake, settings.daemon.queue_size_max, conflates=conflates)
        self.carry_out = CarryOut(
            state,
            brokers=self.brokers,
            worker=worker,
            shell=shell,
            latch=latch,
            emit=self.emit,
            now=clock.now,
            counters=self.counters,
            slept_ns=self._slept_ns,
        )
        self.loop = Loop(
            state,
            clock=clock,
            intake=self.intake,
            recorder=recorder,
            carry_out=self.carry_out,
            on_bars=worker.bars,
            counters=self.counters,
        )

    def emit(self, event: Event) -> None:
        """Let something have happened; after the seal nothing has."""
        if not self._sealed:
            self.intake.put(event)

    def begin(self, epoch: EpochStarted, settings: SettingsLoaded, brokers: Mapping[str, Broker]) -> None:
        """Take over, and connect."""
        self.take_over(epoch, settings)
        self.connect(brokers)

    def take_over(self, epoch: EpochStarted, settings: SettingsLoaded) -> None:
        """Begin a life: from here on nothing that the one before believed of its brokers is believed."""
        self.loop.turn(epoch)
        self.loop.turn(settings)

    def connect(self, brokers: Mapping[str, Broker]) -> None:
        """Start the brokers, and the second hand."""
        self.brokers.update(brokers)
        for broker in brokers.values():
            broker.start()
        self.tick()

    def tick(self) -> None:
        """Let a second have passed: look at the kill file, have the books read when it is time, call again.

        After a suspend, or where accelerated time is too fast, one Tick stands for all the seconds that were missed.
        """
        if self._sealed:
            return
        now = self.clock.now()
        if self.sleep is not None and (slept_ns := self.sleep.news_ns()):
            self.intake.put(ClockStepped(self.state.utc_offset_ns, slept_ns))
        due = now - self._read_ns >= int(self._settings.health.orders_read_s * SECOND)
        self._look_at_latch(closely=due)
        self.intake.put(Tick())
        if due:
            self._read_ns = now
            self._read_books()
        self.clock.call_at(now - now % SECOND + SECOND, self.tick)

    def _slept_ns(self) -> int:
        """Give how long the machine slept, until State knows of it."""
        return self.sleep.slept_ns() if self.sleep is not None else 0

    def _read_books(self) -> None:
        for name, broker in self.brokers.items():
            known = self.state.brokers.get(name)
            if known is not None and known.up:
                broker.read(ReadBroker(name, "periodic"))

    def _look_at_latch(self, *, closely: bool) -> None:
        """Tell of a kill file that State does not know; to look closely finds a misspelt one too.

        One whose release is on its way to the disk is known, and so is a drill's that is yet to be made.
        """
        kill, present = self.state.kill, self._latch.present()
        if self.carry_out.releasing or (kill is not None and kill.drill and not kill.rehearsed):
            return
        if self.state.killed is not None and not present:
            self._make_again(self.state.killed)
        if not (closely or present):
            return
        found = self._latch.read()
        if found is not None and (self.state.killed is None or found.scope.width > self.state.killed.width):
            self.intake.put(LatchSeen(found.scope, found.uid))

    def _make_again(self, scope: Scope) -> None:
        """Give a kill its file back, so that a restart is still killed; tell of it once, however often it takes."""
        if not self._vanished:
            self.intake.put(LatchGone())
        self._vanished = True
        with suppress(OSError):  # tried again with the next Tick
            self._latch.write(scope)
            self._vanished = not self._latch.present()

    def seal(self, reason: str) -> None:
        """Write the last record of this life, and take nothing in any more."""
        self._sealed = True
        state = self.state
        held = sum(1 for position in state.positions.values() if position.quantity)
        day = state.day
        self.loop.turn(SessionEnded(day.session, reason, equity(state), day.realised, day.fees, day.trades, held))


class Silence:
    """A kill file that is never there, for worlds without a disk of their own."""

    def present(self) -> bool:
        """Say no."""
        return False

    def read(self) -> Latch | None:
        """Give none."""
        return None

    def write(self, scope: Scope) -> None:
        """Make nothing: nobody would find it."""

    def rehearse(self, scope: Scope) -> str:
        """Say why there can be no drill."""
        return "there is no disk here"

    def cover(self, *, drill: bool) -> None:
        """Remember nothing."""

    def release(self) -> None:
        """Take nothing away."""
