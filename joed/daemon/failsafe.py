"""`joed --failsafe`: when no daemon lives, cancel what may still open a position, look after stops, say what is left.

A process of its own, with no strategy and no engine in it: what killed the daemon cannot kill this. It holds the state
directory's lock, so it never acts beside a living joed; it latches the kill, so that the next start opens nothing; it
believes a broker's whole book, read again after everything it did, and nothing else.
"""

import asyncio
import os
import sqlite3
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from joed import __version__
from joed.daemon.adapters import account_of
from joed.daemon.alerts import Alerter
from joed.daemon.clock import utc_ns
from joed.daemon.latch import Latches
from joed.daemon.lock import Lock, StateHeld
from joed.daemon.log import Log
from joed.daemon.places import ID_KEY_BYTES, Places
from joed.daemon.reach import Link, permit
from joed.daemon.remains import Remains, read_remains
from joed.daemon.rescue import Held, Verdict, closes_of, judge, left_of, to_close
from joed.daemon.sidecars import Ballast
from joed.daemon.store import Store
from joed.errors import BrokerUnavailable, ConfigError, JoedError
from joed.model.commands import CancelOrder, RaiseAlert, SubmitOrder
from joed.model.events import FailsafeRan
from joed.model.settings import Settings
from joed.model.values import Flatten, Scope, Severity

PAUSE_S = 0.25
"""Between two readings while something is awaited."""
DOUBT_S = 2.0
"""A position is closed for want of a stop when two readings, so far apart, both miss it: a stop may be on its way."""
FREE_BYTES_MIN = 1 << 20
EPOCH = 0
"""No daemon begins this epoch, so no id of a failsafe can be one of a daemon."""


class PositionRow(Struct, frozen=True):
    """One position as the broker shows it, how much of it is ours, and what our working stops would close."""

    instrument: str
    quantity: str
    ours: str
    stops: str
    protected: bool


class BrokerRow(Struct):
    """What was done at one broker and what its book showed afterwards; `left` is what a person must look at."""

    broker: str
    account: str = ""
    read: bool = False
    cancelled: list[str] = []
    closed: list[str] = []
    positions: list[PositionRow] = []
    foreign: int = 0
    left: list[str] = []


class Report(Struct):
    """The evidence: `safe` says that nothing of ours rests and every position of ours has its stop."""

    at_ns: int
    pid: int
    version: str
    state_dir: str
    scope: str = ""
    policy: Flatten = Flatten.UNPROTECTED
    settings: str = ""
    safe: bool = False
    left: list[str] = []
    brokers: list[BrokerRow] = []


def run_failsafe(where: Places, log: Log, fallback: Settings | None) -> Report:
    """Act on a state directory that no joed holds, and give the evidence.

    Raises StateHeld where one lives, ConfigError where there is nothing to act on.
    """
    if not where.root.is_dir():
        raise ConfigError(f"there is no state directory {where.root}: name it with --state-dir")
    try:
        lock = Lock(where.lock)
    except StateHeld as held:
        hint = f"joectl kill stops it; if it does not answer, end it (kill -9 {held.pid or 'PID'}) and run this again"
        raise JoedError(f"{held}: {hint}") from held
    with lock:
        return asyncio.run(Failsafe(where, log, fallback).run())


class Failsafe:
    """One run, on a state directory whose lock the caller holds."""

    def __init__(self, where: Places, log: Log, fallback: Settings | None) -> None:
        """Serve this state directory; `fallback` are the settings of a file, for a record that cannot be read."""
        self.where, self.log = where, log
        self.report = Report(utc_ns(), os.getpid(), __version__, str(where.root))
        self.remains = Remains()
        self.key = b""
        self._fallback = fallback

    async def run(self) -> Report:
        """Latch, look, cancel, close by policy, look again; give the evidence."""
        report = self.report
        self._latch()
        self._make_room()
        self.remains = read_remains(self.where.journal)
        settings = self._settings()
        self._read_key()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(Rescue(self, name, settings).run()) for name in settings.brokers]
        report.brokers = [task.result() for task in tasks]
        report.left += [f"{row.broker}: {words}" for row in report.brokers for words in row.left]
        report.safe = not report.left
        self._write()
        await self._alert(settings)
        return report

    def leave(self, words: str) -> None:
        """Note what a person must look at."""
        self.report.left.append(words)
        self.log.error("failsafe_left", words=words)

    def record(self, closes: Sequence[SubmitOrder], at_ns: int) -> None:
        """Make closes durable before they leave, that the next start knows them; a broken record does not keep them."""
        event = FailsafeRan(self.report.pid, __version__, tuple(closes))
        try:
            store = Store.open(self.where.journal)
            try:
                session, now = self.remains.session, max(at_ns, self.remains.at_ns)
                store.add(store.last() + 1, now, session, event, closes)
                store.commit()
            finally:
                store.close()
        except (sqlite3.Error, OSError, JoedError) as error:
            self.leave(f"closes are not in the record ({error}): the next start will find books that differ")

    def _latch(self) -> None:
        """Kill, whatever comes of the rest; a wider kill that is there holds."""
        latches = Latches(self.where.latch)
        try:
            latches.write(Scope.ORDERS)
        except OSError as error:
            self.leave(f"the kill could not be latched ({error.strerror}): latch it before joed starts again")
        found = latches.read()
        self.report.scope = "" if found is None else found.scope
        self.log.warning("failsafe_began", state_dir=str(self.where.root), scope=self.report.scope)

    def _make_room(self) -> None:
        """Give the ballast up on a full disk: what is to be written now is what it was kept for."""
        try:
            disk = os.statvfs(self.where.root)
            if disk.f_bavail * disk.f_frsize < FREE_BYTES_MIN:
                Ballast(self.where.root / "ballast", 0).free()
        except OSError as error:
            self.log.warning("failsafe_no_room", error=str(error))

    def _settings(self) -> Settings:
        """Give the settings to act by, the record's before a file's, and say which they are."""
        report, remains = self.report, self.remains
        for words in remains.damage:
            self.leave(f"the record cannot be read: {words}")
        if remains.settings is not None:
            settings, report.settings = remains.settings, f"record {remains.settings_seq}"
        elif self._fallback is not None:
            settings, report.settings = self._fallback, "the configuration"
        else:
            raise ConfigError(f"no settings, neither in {self.where.journal} nor in a file: name one with --config")
        wide = report.scope in {Scope.FLATTEN, Scope.ACCOUNT}  # a person has asked for it by that kill
        report.policy = Flatten.ALL if wide else settings.failsafe.flatten
        return settings

    def _read_key(self) -> None:
        """Read the key of our ids; without it nothing at a broker is known to be ours."""
        try:
            self.key = self.where.id_key.read_bytes()
            if len(self.key) == ID_KEY_BYTES:
                return
            words = f"has {len(self.key)} bytes"
        except OSError as error:
            words = f"cannot be read ({error.strerror})"
        self.key = b""
        self.leave(f"{self.where.id_key} {words}: no order is known to be ours, cancel by hand")

    def _write(self) -> None:
        """Keep the evidence as a file, if the disk takes it."""
        file = self.where.reports / f"failsafe-{self.report.at_ns // 1_000_000_000}.json"
        try:
            file.parent.mkdir(mode=0o700, exist_ok=True)
            file.write_bytes(msgspec.json.encode(self.report) + b"\n")
        except OSError as error:
            self.log.warning("failsafe_report_not_kept", error=str(error))

    async def _alert(self, settings: Settings) -> None:
        """Tell a person, by the log, by the alert command and by every channel that is for it."""
        report = self.report
        words = f"the failsafe ran in {report.state_dir}: " + ("all is safe" if report.safe else "; ".join(report.left))
        alerter = Alerter(settings.alerts, self.log)
        severity = Severity.WARNING if report.safe else Severity.CRITICAL
        alert = RaiseAlert(f"failsafe:{report.at_ns}", severity, words)
        alerter.deliver(alert)
        alerter.courier.spread(alert)
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(alerter.run())
            await alerter.drain(2 * settings.alerts.timeout_s)
            sending.cancel()


class Rescue:
    """The work at one broker."""

    def __init__(self, run: Failsafe, name: str, settings: Settings) -> None:
        self._run, self._settings = run, settings
        self._row = BrokerRow(name)

    async def run(self) -> BrokerRow:
        """Do all there is to do here; whatever hinders is told, and hinders no other broker."""
        try:
            link = Link(self._row.broker, self._settings, self._run.where)
        except (JoedError, OSError, sqlite3.Error) as error:
            self._hindered(error)
            return self._row
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(self._listen(link))
            try:
                await self._work(link)
            except (JoedError, OSError, sqlite3.Error) as error:
                self._hindered(error)
            finally:
                link.broker.stop()
                waiting.cancel()
        return self._row

    async def _listen(self, link: Link) -> None:
        """Do the adapter's own waiting; one that breaks is this broker's trouble, and keeps nobody from the others."""
        try:
            await link.broker.run()
        except Exception as error:  # noqa: BLE001 - whatever it was, it is told
            self._hindered(error)

    def _hindered(self, error: Exception) -> None:
        self._row.read = False
        self._row.left.append(f"{error}; look at its own screen")

    async def _work(self, link: Link) -> None:
        """Cancel, close, and keep the last reading as evidence."""
        row, settings = self._row, self._settings
        up = await link.connect()
        row.account = up.account
        named = account_of(settings, row.broker)
        if up.mode != settings.mode or named not in {"", up.account}:
            raise BrokerUnavailable(f"it is {up.mode} account {up.account}, not {settings.mode} {named}")
        verdict = await self._close(link, await self._cancel(link))
        row.read, row.foreign = True, verdict.foreign
        row.positions = [
            PositionRow(held.instrument, str(held.quantity), str(held.ours), str(held.stops), not held.missing)
            for held in verdict.positions
        ]
        row.left += left_of(verdict, self._run.remains)

    async def _look(self, link: Link) -> Verdict:
        return judge(await link.read(), self._run.remains, self._run.key)

    async def _cancel(self, link: Link) -> Verdict:
        """Ask for the end of each entry of ours, until the broker shows it or it was asked often enough."""
        row, asked = self._row, dict[str, None]()
        verdict = await self._look(link)
        for _ in range(self._settings.cancel_tries):
            if not verdict.entries:
                break
            for order in verdict.entries:
                refused = link.broker.cancel(CancelOrder(order.order, "failsafe"), permit)
                asked[order.order] = None
                self._run.log.warning("failsafe_cancels", broker=row.broker, order=order.order, refused=refused)
            await asyncio.sleep(PAUSE_S)
            verdict = await self._look(link)
        resting = {order.order for order in verdict.entries}
        row.cancelled = [order for order in asked if order not in resting]
        return verdict

    async def _close(self, link: Link, verdict: Verdict) -> Verdict:
        """Close by policy what two readings agree on, and wait until the broker shows it."""
        doubted = {held.instrument for held in to_close(verdict, self._run.report.policy)}
        if not doubted:
            return verdict
        await asyncio.sleep(DOUBT_S)
        verdict = await self._look(link)
        agreed = [held for held in to_close(verdict, self._run.report.policy) if held.instrument in doubted]
        self._submit(link, agreed)
        names = {held.instrument for held in agreed}
        for _ in range(int(self._settings.failsafe.broker_wait_s / PAUSE_S)):
            if not any(held.instrument in names and held.ours for held in verdict.positions):
                break
            await asyncio.sleep(PAUSE_S)
            verdict = await self._look(link)
        return verdict

    def _submit(self, link: Link, agreed: Sequence[Held]) -> None:
        """Record the closes, then let them leave."""
        run, now = self._run, link.clock.now()
        session = run.remains.session.replace("-", "")
        begun = f"j1-{session}-{EPOCH}-{now // 1_000_000}"
        closes: list[SubmitOrder] = []
        for held in agreed:
            closes += closes_of(held, link.name, begun, run.key, len(closes))
        if not closes:
            return
        run.record(closes, now)
        for close in closes:
            refused = link.broker.submit(close, permit)
            what = f"{close.instrument} {close.side} {close.quantity}"
            run.log.warning("failsafe_closes", broker=link.name, order=close.order, what=what, refused=refused)
            self._row.closed.append(what)


def words_of(report: Report) -> str:
    """Say a report as a person reads it."""
    lines = [f"killed ({report.scope or 'NOT latched'}) in {report.state_dir}"]
    lines.append(f"by the settings of {report.settings}, failsafe.flatten: {report.policy}")
    for row in report.brokers:
        done = [f"cancelled {len(row.cancelled)} resting", *(f"closed {what}" for what in row.closed)]
        lines.append(f"{row.broker} {row.account}: {', '.join(done)}" if row.read else f"{row.broker}: NOT READ")
        for held in row.positions:
            state = "protected" if held.protected else "NOT PROTECTED"
            state = state if held.ours != "0" else "not ours, not touched"
            lines.append(f"  {held.instrument:8} {held.quantity:>8}  stops {held.stops:>8}  {state}")
        if row.foreign:
            lines.append(f"  {row.foreign} orders of others, not touched")
    lines += [f"LEFT: {words}" for words in report.left]
    if report.safe:
        lines.append("nothing of ours rests, every position of ours has its stop")
    lines.append("next: joed --daemon comes up killed and reads the books; joectl release ends the kill")
    return "\n".join(lines)
