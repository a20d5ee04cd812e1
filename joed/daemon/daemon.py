"""The shell from start to stop: recover, serve, trade, seal. It decides nothing; it keeps the engine in the world.

Start: lock, journal, State, control socket, READY; then the epoch, the settings, the brokers, the Ticks. Stop: the
engine has cancelled its entries; SessionEnded is the last record, the State is stored, the tape leaves, the doors
close. Whatever fails on the way ends the process with the journal closed and the cause in the log.
"""

import asyncio
import gc
import os
import signal
from collections.abc import Mapping
from functools import partial
from typing import Any

from joed.brokers.base import Broker
from joed.daemon import anchor
from joed.daemon.alerts import Alerter
from joed.daemon.clock import SimulatedClock, boot_ns, stopwatch_ns
from joed.daemon.control import Control
from joed.daemon.dead_man import DeadMan
from joed.daemon.desk import Desk
from joed.daemon.doorstep import doorstep
from joed.daemon.drive import drive_in_turns, settle
from joed.daemon.heartbeat import Heartbeat, beating
from joed.daemon.journal import Hooks, Journal, ignore
from joed.daemon.keeping import Keeping
from joed.daemon.latch import Latches
from joed.daemon.lock import Lock
from joed.daemon.log import Log
from joed.daemon.loop import StepFailed
from joed.daemon.peer import door
from joed.daemon.places import Places
from joed.daemon.plan import Plan
from joed.daemon.recovery import recover, refuse_other
from joed.daemon.reloading import Reloader
from joed.daemon.senses import works_of
from joed.daemon.store import Store
from joed.daemon.supervise import Work, hire, supervised, trace_of
from joed.daemon.systemd import Notifier
from joed.daemon.telling import Teller
from joed.daemon.trading import Trading
from joed.engine.view import status_line
from joed.errors import JoedError
from joed.model.commands import Answer, RaiseAlert, SendAlert, Stop
from joed.model.events import EpochStarted, Event, JournalFailed, JournalRestored, SettingsLoaded, StopAsked
from joed.model.state import State
from joed.model.values import SECOND, Severity

COMMIT_WAIT_S = 30.0
DRAIN_NS = SECOND // 500
"""How long events are handled before other tasks have their turn."""
EVENTS_BETWEEN_LOOKS = 32
START_EXTENSION_S = 90.0
STOP_EXTENSION_S = 60.0
STOP_WAIT_S = 8.0
"""How long the engine has, once it was asked to, to end in order; whatever a broker does, it is over then."""
DEAD_WAIT_S = 2.0
"""How long what reduces risk may still leave when the disk has lied (reliability F23)."""
FLUSH_WAIT_S = 5.0
LAST_ROUNDS = 3
OK, TEMPORARY, INTERRUPTED = 0, 75, 130
"""75 is sysexits.h EX_TEMPFAIL: systemd starts us again."""


class Daemon:
    """One process of joed, from start to stop."""

    def __init__(self, plan: Plan, places: Places, notifier: Notifier, log: Log) -> None:
        """Prepare to carry out this plan."""
        self.plan, self.places, self.notifier, self.log = plan, places, notifier, log
        self.latches = Latches(places.latch)
        self.heartbeat: Heartbeat | None = None
        self._teller: Teller | None = None
        self._finish = asyncio.Event()
        self._orderly, self._begun, self._drains = True, False, False
        self._ending, self._exit_code, self._signals = "", OK, 0

    async def run(self) -> int:
        """Run until the session ends or somebody ends it; give the exit status."""
        aloop = asyncio.get_running_loop()
        aloop.set_exception_handler(self._on_callback_failed)
        hire(aloop)
        for number in (signal.SIGTERM, signal.SIGINT):
            aloop.add_signal_handler(number, self._on_signal, number.name)
        with Lock(self.places.lock):
            self.notifier.extend(START_EXTENSION_S)
            self._recover(aloop)
            try:
                if self._orderly:
                    await self._serve()
            finally:
                self.journal.close()
        return self._exit_code

    def _recover(self, aloop: asyncio.AbstractEventLoop) -> None:
        """Read the journal back, begin an epoch above all before it, and build the engine's surroundings."""
        daemon = self.plan.settings.daemon
        store = Store.open(self.places.journal, ballast_bytes=daemon.ballast_mb << 20)
        try:
            self.state: State = recover(store, self.places.key())
            refuse_other(self.state, self.plan.settings)
            self.suspect = anchor.check_witness(self.places.journal, self.places.anchor)
            self.epoch = store.next_epoch(self.state.epoch + 1)
        finally:
            store.close()
        self.clock = self.plan.clock(self.state.now)
        self.journal = Journal(
            self.places.journal,
            self._hooks(aloop),
            ballast_bytes=daemon.ballast_mb << 20,
            queue_size_max=daemon.queue_size_max,
            witness=self.places.anchor,
        )
        self.alerter = Alerter(self.plan.settings.alerts, self.log, self._emit)
        self.reloader = Reloader(self.state, self.plan.reload, self.alerter, self.log)
        aloop.add_signal_handler(signal.SIGHUP, self.reloader.hang_up)
        self.desk = Desk(
            self.journal, self.latches, self._emit, self.places.journal, self.reloader, on_flush=self._anchor
        )
        self.worker, self._works = self.plan.worker(self.clock, self.places.root)
        self.trading = Trading(
            self.state,
            self.plan.settings,
            clock=self.clock,
            recorder=self.desk,
            worker=self.worker,
            shell=self,
            latch=self.latches,
            wake=self._plan_drain,
            conflates=getattr(self.clock, "speed", 0.0) == 1.0,
        )
        self.desk.attach(self.trading.loop)
        self.keeping = Keeping(
            self.state,
            self.journal,
            self._emit,
            self.trading.counters,
            every_s=daemon.snapshot_s,
            confirms=self.plan.auto_confirm,
        )
        if self.plan.tell is not None:
            self._teller = Teller(self.desk, self.plan.tell)
        self._take_over()

    def _hooks(self, aloop: asyncio.AbstractEventLoop) -> Hooks:
        return Hooks(
            notify=ignore if self.clock.simulated else aloop.call_soon_threadsafe,
            on_durable=self._on_durable,
            on_failed=self._on_failed,
            on_slow=lambda words: self.alert(RaiseAlert("journal_slow", Severity.WARNING, words)),
            on_restored=lambda: self._emit(JournalRestored()),
            on_undone=lambda words: self.log.warning("tape_not_moved", reason=words),
            on_commit=self._on_commit,
            monotonic_ns=stopwatch_ns,
        )

    async def _serve(self) -> None:
        """Be reachable from before READY until all is over."""
        self.control = Control(self.desk, state_dir=self.places.root, boottime=boot_ns)
        await self.control.start(doorstep(self.places.socket, self.places.root, self.notifier, door().viewers))
        try:
            async with asyncio.TaskGroup() as group:
                await self._live(group)
        finally:
            await self.control.stop()

    async def _live(self, group: asyncio.TaskGroup) -> None:
        """Say READY, trade until it is over, and go in order."""
        self.notifier.ready(self._status())
        self.log.info("ready", pid=os.getpid(), seq=self.state.seq, socket=str(self.places.socket))
        if self.plan.prepare is not None:
            await asyncio.to_thread(self.plan.prepare)
        from joed.daemon.showing import kept, show, tell_status  # noqa: PLC0415 - READY does not wait for their libraries

        others = kept(self.alerter, self.control, self.desk, self.trading.intake)
        servers = show(self.desk, self.trading.counters, self.plan, self.log, others)
        brokers = self.plan.connect(self.clock, self._emit)
        self._begin(brokers)
        works = [*self._own_works(), *(supervised(work, self.log) for work in self._works)]
        if self.notifier.active:
            works.append(supervised(partial(tell_status, self.notifier, self._status), self.log))
        works += works_of(brokers, self.state, self.clock, self.worker, self._emit, self.log, streams=self.plan.streams)
        tasks = [group.create_task(work()) for work in works]
        gc.collect()
        gc.freeze()  # what is here now stays: a later collection shall not look at it again
        gc.enable()
        try:
            await self._finish.wait()
            await self._stop()
        finally:
            for task in tasks:
                task.cancel()
            for server in servers:
                await asyncio.to_thread(server.close)

    def _take_over(self) -> None:
        """Begin a life before anybody can ask: what is shown is this one's, durable, and trusts no broker yet."""
        self.keeping.store(kept=True)
        self.journal.stretch()
        settings = SettingsLoaded(self.plan.settings, self.plan.digest, self.plan.calendars)
        try:
            self.trading.take_over(self._epoch(), settings)
        except StepFailed as failure:
            self._fail(failure)
        self.trading.loop.show(self.journal.flush(FLUSH_WAIT_S))
        self._anchor()

    def _anchor(self) -> None:
        """Leave the chain's head in the system log."""
        anchor.tell(self.places.journal, self.state.day.session, self.log)

    def _begin(self, brokers: Mapping[str, Broker]) -> None:
        """Trade; a stop that was asked for meanwhile comes right after."""
        self.trading.connect(brokers)
        self.plan.feed(self.clock, brokers)
        self._begun = True
        self._on_durable(self.journal.durable)
        if self._signals:
            self._ask_to_stop(self._ending)

    def _own_works(self) -> list[Work]:
        """Give the tasks of the shell itself; time is one of them where it is simulated."""
        ours: list[Work] = [self.alerter.run, partial(self.reloader.run, self.desk.ask)]
        ours += self.plan.upkeep(self.state, self.alert, self.log) + ([self._teller.run] if self._teller else [])
        works = [supervised(work, self.log) for work in ours]
        if isinstance(self.clock, SimulatedClock):
            return [*works, partial(self._drive, self.clock)]
        self.heartbeat = beating(self.trading, self.notifier, self.plan, self.clock, lambda: self.journal.failed)
        dead_man = DeadMan(self.alerter.courier, self.heartbeat.unwell, self._emit, boot_ns)
        return [*works, self.heartbeat.run, supervised(dead_man.run, self.log)]

    def _epoch(self) -> EpochStarted:
        killed = found.scope if (found := self.latches.read()) is not None else None
        plan = self.plan
        return EpochStarted(self.epoch, plan.reason, plan.version, plan.code, os.getpid(), killed, self.suspect)

    def _emit(self, event: Event) -> None:
        self.trading.emit(event)

    def _plan_drain(self) -> None:
        """Have what waits handled soon; in simulated time the driver does it."""
        if not self._drains and not self.clock.simulated:
            self._drains = True
            asyncio.get_running_loop().call_soon(self._drain)

    def _drain(self) -> None:
        """Handle what waits, for a moment; an order's fate and the other tasks take turns."""
        self._drains = False
        if not self._orderly:
            return  # a rule has raised, or somebody cannot wait: this State goes no further
        intake, until_ns = self.trading.intake, stopwatch_ns() + DRAIN_NS
        try:
            while intake and stopwatch_ns() < until_ns:
                self.trading.loop.drain(EVENTS_BETWEEN_LOOKS)
        except StepFailed as failure:
            self._fail(failure)
            return
        if self.journal.failed:
            self.trading.carry_out.release_reductions()
        if intake:
            self._plan_drain()
        self.keeping.look()

    async def _drive(self, clock: SimulatedClock) -> None:
        """Let simulated time run: a record that leads to something is durable before time goes on."""
        await drive_in_turns(clock, self._settle, self._finish.is_set, lambda: self._on_durable(self.journal.durable))
        self._finish.set()

    def _settle(self) -> None:
        try:
            settle(self.trading, self)
        except StepFailed as failure:
            self._fail(failure)
            return
        self.keeping.look()

    def commit(self) -> int:
        """Wait until all that was recorded is durable: simulated time does."""
        if not self.journal.wait(self.trading.loop.recorded, COMMIT_WAIT_S):
            raise JoedError(f"{self.places.journal} can't commit: {self.journal.failed or 'the disk does not answer'}")
        return self.journal.durable

    def _status(self) -> str:
        return status_line(self.trading.loop.view)

    def _on_commit(self, seconds: float, records: int) -> None:
        """Count a commit; called in the writer's thread, which alone writes these counters."""
        self.trading.counters.commit.observe(seconds)
        self.trading.counters.records += records

    def _on_durable(self, seq: int) -> None:
        """Let it be seen, and be done once there is somebody to do it; after what waits, which may forbid it."""
        self._drain()
        (self.trading.loop.release if self._begun else self.trading.loop.show)(seq)
        if self._teller is not None:
            self._teller.notice()

    def _on_failed(self, reason: str) -> None:
        """No new risk; what reduces it leaves at once. A disk that lies ends the process soon."""
        self.log.critical("journal_failed", reason=reason)
        self._emit(JournalFailed(reason))
        self._drain()
        if self.journal.dead:
            ending = f"journal: {reason}"
            asyncio.get_running_loop().call_later(DEAD_WAIT_S, self._end, ending, TEMPORARY)

    def _on_signal(self, name: str) -> None:
        """End in order at the first signal, at once at the second."""
        self._signals += 1
        if self._signals > 1:
            self.log.warning("stopping_now", signal=name)
            self._end(f"{name}, twice", INTERRUPTED)
            return
        self._ending = name
        self.notifier.stopping(f"{name}: cancelling entries, keeping stops")
        self.notifier.extend(STOP_EXTENSION_S)
        if self._begun:
            self._ask_to_stop(name)

    def _ask_to_stop(self, reason: str) -> None:
        """Have the engine wind down; a broker that does not answer does not keep us."""
        self._emit(StopAsked(reason))
        if self.clock.simulated:
            self._settle()
        asyncio.get_running_loop().call_later(STOP_WAIT_S, self._finish.set)

    def _on_callback_failed(self, aloop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """End where a callback of ours raised: what it should have done was left half done."""
        error = context.get("exception")
        if isinstance(error, Exception) and "handle" in context:
            self._fail(error)
        else:
            self.log.error("asyncio", message=str(context.get("message", "")), error=repr(error))

    def _fail(self, error: Exception) -> None:
        """Leave with the fault in the record; the next process does not meet it again."""
        self.log.put("error", "failed", {"error": str(error)}, trace_of(error))
        self._end(str(error) or repr(error), TEMPORARY)

    def _end(self, ending: str, exit_code: int) -> None:
        """End at once: nothing more is decided, what is recorded reaches the disk."""
        self._orderly = False
        self._ending, self._exit_code = ending, exit_code
        self._finish.set()

    def alert(self, command: RaiseAlert | SendAlert) -> None:
        """Tell a person."""
        self.alerter.deliver(command)

    def answered(self, command: Answer) -> None:
        """Let whoever asked have the answer."""
        self.desk.answered(command)

    def stop(self, command: Stop) -> None:
        """End the process in order."""
        if self._orderly:
            self._ending, self._exit_code = command.reason, command.exit_code
            self._finish.set()

    async def _stop(self) -> None:
        """Seal the record, store the State, let the tape leave."""
        self.notifier.stopping(self._ending)
        if self._orderly:
            await self.alerter.drain(1.0)
            await self._seal()
        await self._flush()
        for broker in self.trading.brokers.values():
            broker.stop()
        if self._teller is not None:
            await self._teller.tell()
        if self.state.day.session and self.state.now >= self.state.day.close_ns:
            self.journal.move_tape(self.state.day.session)
            self.journal.prune_tape(self.plan.settings.daemon.tape_days)
        self._anchor()
        self.log.info("stopped", reason=self._ending, seq=self.trading.loop.recorded)

    async def _seal(self) -> None:
        """Handle what has happened so far, let its commands leave, and write the last record."""
        try:
            for _ in range(LAST_ROUNDS):
                while self.trading.intake:
                    self.trading.loop.drain()
                await self._flush()
                if not self.trading.intake:
                    break
            self.trading.seal(self._ending)
        except StepFailed as failure:
            self._fail(failure)
            return
        self.keeping.store()

    async def _flush(self) -> None:
        """Bring to the disk what is recorded, and let what follows from it be done; a dead disk does not keep us."""
        durable = await asyncio.to_thread(self.journal.flush, FLUSH_WAIT_S)
        self.trading.loop.release(durable)
