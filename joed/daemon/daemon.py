"""The shell from start to stop: recover, serve, trade, seal. It decides nothing; it keeps the engine in the world.

Start: lock, journal, State, control socket, READY; then the epoch, the settings, the brokers, the Ticks. Stop: the
engine has cancelled its entries; SessionEnded is the last record, the State is stored, the tape leaves, the doors
close.
"""

import asyncio
import gc
import os
import platform
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from joed.brokers.base import Broker
from joed.daemon.alerts import Alerter
from joed.daemon.clock import Clock, SimulatedClock, boot_ns, stopwatch_ns
from joed.daemon.control import Control
from joed.daemon.counters import GcWatch
from joed.daemon.desk import Desk
from joed.daemon.drive import settle
from joed.daemon.heartbeat import Heartbeat
from joed.daemon.journal import Hooks, Journal
from joed.daemon.lanes import listen
from joed.daemon.latch import Latches
from joed.daemon.lock import Lock
from joed.daemon.log import Log
from joed.daemon.loop import StepFailed
from joed.daemon.metrics import Page, Server, serve
from joed.daemon.places import Places
from joed.daemon.readings import Sources
from joed.daemon.record import encode_state
from joed.daemon.recovery import recover
from joed.daemon.store import Store
from joed.daemon.systemd import Notifier, watchdog_s
from joed.daemon.trading import Trading, Worker
from joed.engine.card import card_of, digest_of
from joed.engine.phase import UNCONFIRMED
from joed.engine.view import status_line, view
from joed.model.blocks import ALL, key
from joed.model.calendars import Calendar
from joed.model.commands import Answer, RaiseAlert, Stop
from joed.model.events import (
    EpochStarted,
    Event,
    JournalFailed,
    JournalRestored,
    OperatorAsked,
    SettingsLoaded,
    StopAsked,
)
from joed.model.settings import Settings
from joed.model.state import State
from joed.model.values import SECOND

COMMIT_WAIT_S = 30.0
STATUS_EVERY_S = 2.0
EVENTS_BETWEEN_TURNS = 256
"""In simulated time: how many callbacks run before the control socket has its turn."""
STOP_EXTENSION_S = 30.0
TEMPORARY = 75
"""sysexits.h EX_TEMPFAIL: systemd starts us again."""

Emit = Callable[[Event], None]
Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Plan:
    """Everything that the composition root has chosen.

    `connect` makes the brokers and starts nothing; `feed` starts the quotes once the brokers are up; `worker` gives
    where jobs run and the tasks that belong to it.
    """

    settings: Settings
    digest: str
    calendars: dict[str, Calendar]
    clock: Callable[[int], Clock]
    connect: Callable[[Clock, Emit], tuple[Mapping[str, Broker], list[Work]]]
    feed: Callable[[Clock, Mapping[str, Broker]], None]
    worker: Callable[[Clock, Path], tuple[Worker, list[Work]]]
    version: str
    code: str
    reason: str = "manual"
    auto_confirm: bool = False


class Daemon:
    """One process of joed, from start to stop."""

    def __init__(self, plan: Plan, places: Places, notifier: Notifier, log: Log) -> None:
        """Prepare to carry out this plan."""
        self.plan, self.places, self.notifier, self.log = plan, places, notifier, log
        self.latches = Latches(places.latch)
        self.desk: Desk | None = None
        self.heartbeat: Heartbeat | None = None
        self._finish = asyncio.Event()
        self._ending = ""
        self._exit_code = 0
        self._signals = 0
        self._drains = False
        self._snapshot_ns = 0

    async def run(self) -> int:
        """Run until the session ends or somebody ends it; give the exit status."""
        aloop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            aloop.add_signal_handler(number, self._on_signal, number.name)
        with Lock(self.places.lock):
            self._recover(aloop)
            try:
                async with asyncio.TaskGroup() as group:
                    await self._live(group)
            finally:
                self.journal.close()
        return self._exit_code

    def _recover(self, aloop: asyncio.AbstractEventLoop) -> None:
        """Read the journal back, begin an epoch above all before it, and build the engine's surroundings."""
        daemon = self.plan.settings.daemon
        store = Store.open(self.places.journal, ballast_bytes=daemon.ballast_mb << 20)
        try:
            self.state: State = recover(store, self.places.key())
            self.epoch = store.next_epoch(self.state.epoch + 1)
        finally:
            store.close()
        self.clock = self.plan.clock(self.state.now)
        hooks = Hooks(
            notify=_nobody if self.clock.simulated else aloop.call_soon_threadsafe,
            on_durable=self._on_durable,
            on_failed=self._on_failed,
            on_restored=lambda: self.trading.emit(JournalRestored()),
            on_commit=self._on_commit,
            monotonic_ns=stopwatch_ns,
        )
        self.journal = Journal(
            self.places.journal,
            hooks,
            ballast_bytes=daemon.ballast_mb << 20,
            queue_size_max=daemon.queue_size_max,
        )
        desk = self.desk = Desk(self.journal, self.latches, self._emit)
        self.worker, self._works = self.plan.worker(self.clock, self.places.root)
        self.trading = Trading(
            self.state,
            self.plan.settings,
            clock=self.clock,
            recorder=desk,
            worker=self.worker,
            shell=self,
            latch=self.latches,
            wake=self._plan_drain,
            conflates=getattr(self.clock, "speed", 0.0) == 1.0,
        )
        desk.loop = self.trading.loop
        self.alerter = Alerter(self.plan.settings.alerts, self.log, self._emit)

    async def _live(self, group: asyncio.TaskGroup) -> None:
        """Be reachable, say READY, trade until it is over, and go in order."""
        assert self.desk is not None
        control = Control(self.desk, state_dir=self.places.root, boottime=boot_ns)
        await control.start(listen(self.places.socket, self.places.root))
        self.notifier.ready(self._status())
        self.log.info("ready", pid=os.getpid(), seq=self.state.seq, socket=str(self.places.socket))
        self._store_state(kept=True)
        brokers, works = self.plan.connect(self.clock, self._emit)
        tasks = [group.create_task(_supervised(work)) for work in (*self._works, *works, self.alerter.run)]
        self.trading.begin(
            self._epoch(), SettingsLoaded(self.plan.settings, self.plan.digest, self.plan.calendars), brokers
        )
        self.plan.feed(self.clock, brokers)
        server = self._show_metrics()
        gc.collect()
        gc.freeze()  # what is here now stays: a later collection shall not look at it again
        if isinstance(self.clock, SimulatedClock):
            tasks.append(group.create_task(self._drive(self.clock)))
        else:
            self.heartbeat = self._beating()
            tasks.append(group.create_task(self.heartbeat.run()))
            tasks.append(group.create_task(self._tell_status()))
        try:
            await self._finish.wait()
            await self._stop(control)
        finally:
            for task in tasks:
                task.cancel()
            if server is not None:
                await asyncio.to_thread(server.close)

    def _show_metrics(self) -> Server | None:
        """Serve metrics from a thread of their own; trading goes on where the port is not to be had."""
        assert self.desk is not None
        GcWatch(self.trading.counters, stopwatch_ns).start()
        sources = Sources(
            view=self.desk.view,
            counters=self.trading.counters,
            brokers=self.plan.settings.brokers,
            python=platform.python_version(),
            log=self.log,
        )
        return serve(Page(sources, stopwatch_ns), self.plan.settings.daemon.metrics_port, self.log)

    def _beating(self) -> Heartbeat:
        every_s = min(self.plan.settings.health.heartbeat_s, (watchdog_s() or 90.0) / 3)
        return Heartbeat(
            self.trading,
            self.notifier,
            every_s=every_s,
            durable=lambda: self.journal.durable,
            failed=lambda: self.journal.failed,
        )

    def _epoch(self) -> EpochStarted:
        found = self.latches.read()
        killed = None if found is None else found.scope
        return EpochStarted(self.epoch, self.plan.reason, self.plan.version, self.plan.code, os.getpid(), killed)

    def _emit(self, event: Event) -> None:
        self.trading.emit(event)

    def _plan_drain(self) -> None:
        """Have what waits handled soon; in simulated time the driver does it."""
        if not self._drains and not self.clock.simulated:
            self._drains = True
            asyncio.get_running_loop().call_soon(self._drain)

    def _drain(self) -> None:
        self._drains = False
        try:
            self.trading.loop.drain()
        except StepFailed as failure:
            self._fail(failure)
            return
        if len(self.trading.intake):
            self._plan_drain()
        self._keep_state()

    def _fail(self, failure: StepFailed) -> None:
        """Leave with the fault in the record; the next process does not meet it again."""
        self.log.error("step_failed", error=str(failure))
        self.journal.flush()
        self._ending, self._exit_code, self._signals = str(failure), TEMPORARY, 2
        self._finish.set()

    def _keep_state(self) -> None:
        """Store the State each minute."""
        if self.state.now - self._snapshot_ns >= int(self.plan.settings.daemon.snapshot_s * SECOND):
            self._store_state()
        if self.plan.auto_confirm and key(ALL, UNCONFIRMED) in self.state.blocks and self.state.regime is not None:
            self._confirm()

    def _store_state(self, *, kept: bool = False) -> None:
        self._snapshot_ns = self.state.now
        if self.state.seq:
            self.journal.snapshot(self.state.seq, self.state.now, encode_state(self.state), kept=kept)

    def _confirm(self) -> None:
        """Sign the day's card for a person who said so beforehand (paper only)."""
        card = digest_of(card_of(view(self.state)))
        request = f"auto-{self.state.epoch}-{self.state.seq}"
        self.trading.emit(
            OperatorAsked("confirm", request, os.getuid(), os.getgid(), os.getpid(), "--confirm auto", {"card": card})
        )

    async def _drive(self, clock: SimulatedClock) -> None:
        """Let simulated time run: a record that leads to something is durable before time goes on."""
        count = 0
        while not self._finish.is_set() and clock.advance():
            self._settle()
            count += 1
            if count % EVENTS_BETWEEN_TURNS == 0:
                self.trading.loop.release(self.journal.durable)
                await asyncio.sleep(0)
        self._finish.set()

    def _settle(self) -> None:
        try:
            settle(self.trading, self)
        except StepFailed as failure:
            self._fail(failure)
        self._keep_state()

    def commit(self) -> int:
        """Wait until all that was recorded is durable: simulated time does."""
        self.journal.wait(self.trading.loop.recorded, COMMIT_WAIT_S)
        return self.journal.durable

    async def _tell_status(self) -> None:
        """Keep systemd's status line the same as joectl's."""
        while True:
            self.notifier.status(self._status())
            await asyncio.sleep(STATUS_EVERY_S)

    def _status(self) -> str:
        return status_line(self.trading.loop.view)

    def _on_commit(self, seconds: float, records: int) -> None:
        """Count a commit; called in the writer's thread, which alone writes these counters."""
        self.trading.counters.commit.observe(seconds)
        self.trading.counters.records += records

    def _on_durable(self, seq: int) -> None:
        self.trading.loop.release(seq)

    def _on_failed(self, reason: str) -> None:
        """No new risk; what reduces it leaves at once. A disk that lies ends the process (reliability F23)."""
        self.log.critical("journal_failed", reason=reason)
        self.trading.emit(JournalFailed(reason))
        self.trading.loop.drain()
        self.trading.carry_out.release_reductions()
        if self.journal.dead:
            self._ending, self._exit_code, self._signals = f"journal: {reason}", TEMPORARY, 2
            self._finish.set()

    def _on_signal(self, name: str) -> None:
        """End in order at the first signal, at once at the second."""
        self._signals += 1
        if self._signals > 1:
            self.log.warning("stopping_now", signal=name)
            self._finish.set()
            return
        self._ending = name
        self.notifier.stopping(f"{name}: cancelling entries, keeping stops")
        self.notifier.extend(STOP_EXTENSION_S)
        self.trading.emit(StopAsked(name))
        if self.clock.simulated:
            self._settle()

    def alert(self, command: RaiseAlert) -> None:
        """Tell a person."""
        self.alerter.deliver(command)

    def answered(self, command: Answer) -> None:
        """Let whoever asked have the answer."""
        assert self.desk is not None
        self.desk.answered(command)

    def stop(self, command: Stop) -> None:
        """End the process in order."""
        self._ending, self._exit_code = command.reason, command.exit_code
        self._finish.set()

    async def _stop(self, control: Control) -> None:
        """Seal the record, store the State, let the tape leave, close the doors."""
        self.notifier.stopping(self._ending)
        if self._signals < 2:
            self.trading.loop.drain()
            self.trading.seal(self._ending)
            self._store_state()
        self.journal.flush()
        self.trading.loop.release(self.journal.durable)
        for broker in self.trading.brokers.values():
            broker.stop()
        await self.alerter.drain(1.0)
        await control.stop()
        if self.state.day.session and self.state.now >= self.state.day.close_ns:
            self.journal.move_tape(self.state.day.session)
            self.journal.prune_tape(self.plan.settings.daemon.tape_days)
        self.log.info("stopped", reason=self._ending, seq=self.state.seq)


async def _supervised(work: Work) -> None:
    """Run a task of the shell; the group ends all where one fails for good."""
    await work()


def _nobody(function: Callable[..., object], *args: object) -> None:
    """Tell nobody: the driver of simulated time asks for itself."""
