"""The process from start to stop, as systemd, a person and an accident meet it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pytest

from joed.daemon import daemon as daemons
from joed.daemon.audit import verify
from joed.daemon.daemon import Daemon
from joed.daemon.log import Log
from joed.daemon.past import read_past
from joed.daemon.places import places
from joed.daemon.systemd import Notifier
from joed.engine import step as engine
from joed.model.events import EventFaulted, SessionEnded, SettingsLoaded
from tests.daemon.shell import until
from tests.demos import Demo, alive, quiet
from tests.joectl.running import joectl

FOREVER = 1 << 62
HEARD_S = 60.0
"""Bound of a wait for the manager's next word: a start on a busy machine takes a while."""


@pytest.fixture
def demo(tmp_path):
    """Give a state directory with nothing running; whatever runs on it at the end is ended."""
    made = Demo(tmp_path / "s", "--speed", "60")
    yield made
    if made.lives:
        made.kill()
    made.end_exchange()


def facts(demo):
    """Give the events of the record, as they are on disk."""
    return [record.event for record in read_past(demo.places.journal, 0, FOREVER, FOREVER)]


def trades(shown):
    """Say whether joed knows its broker and has begun its session."""
    return bool(shown["brokers"]) and all(row["reconciled"] for row in shown["brokers"]) and shown["clock"]["session"]


class Manager:
    """systemd's end of the notify socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(HEARD_S)
        self.heard = []

    def until(self, beginning, seconds=HEARD_S):
        """Hear until a message begins so, and give it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self.socket.recv(4096).decode()
            self.heard.append(message)
            if message.startswith(beginning):
                return message
        raise AssertionError(f"no {beginning} in {self.heard}")

    def quiet(self, seconds):
        """Give what is heard for a while."""
        deadline, first = time.monotonic() + seconds, len(self.heard)
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                self.heard.append(self.socket.recv(4096).decode())
            except TimeoutError:
                break
        self.socket.settimeout(HEARD_S)
        return self.heard[first:]


@contextmanager
def managed(folder, *words):
    """Give a demo with a service manager that wants to be pinged each second, and the manager."""
    address = folder / "n"
    manager = Manager(address)
    env = {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "3000000"}
    demo = Demo(folder / "s", *words, env=env)
    try:
        yield demo, manager
    finally:
        if demo.lives:
            demo.kill()
        demo.end_exchange()
        manager.socket.close()


def test_systemd_hears_of_the_start_of_life_and_of_the_end_in_this_order(tmp_path):
    """EXTEND before the journal is read, READY once the kept socket answers, pings, STOPPING, and the end."""
    with managed(tmp_path, "--speed", "60") as (demo, manager):
        demo.start()
        ready = manager.until("READY=1")
        assert "STATUS=" in ready
        assert demo.status() is not None
        manager.until("WATCHDOG=1")
        assert "phase" in demo.status()
        manager.until("STATUS=")
        manager.until("WATCHDOG=1")
        demo.process.send_signal(signal.SIGTERM)
        manager.until("STOPPING=1")
        manager.until("EXTEND_TIMEOUT_USEC=")

        assert demo.wait(30) == 0
        kinds = [message.split("=")[0] for message in manager.heard]
        assert kinds[:3] == ["EXTEND_TIMEOUT_USEC", "FDSTORE", "READY"]
        assert isinstance(facts(demo)[-1], SessionEnded)


def test_a_dead_broker_does_not_starve_the_watchdog_and_a_hanging_one_does_not_hold_up_the_end(tmp_path):
    """Pings go on while the exchange stands still; SIGTERM ends joed all the same, in bounded time."""
    with managed(tmp_path, "--exchange", "process", "--speed", "60") as (demo, manager):
        demo.start()
        shown = demo.until(trades)
        assert shown["brokers"][0]["up"]
        exchange = int((demo.root / "paper.db-lock").read_text())
        os.kill(exchange, signal.SIGSTOP)
        try:
            manager.quiet(0.5)
            assert manager.quiet(3.5).count("WATCHDOG=1") >= 2
            begun = time.monotonic()
            assert demo.interrupt(signal.SIGTERM, daemons.STOP_WAIT_S + 20) == 0
            assert time.monotonic() - begun < daemons.STOP_WAIT_S + 15
        finally:
            os.kill(exchange, signal.SIGCONT)


def test_the_watchdog_hears_nothing_while_the_loop_stands_still(tmp_path):
    """A process that hangs is not alive; when it goes on, so do the pings, and time has passed."""
    with managed(tmp_path, "--speed", "60") as (demo, manager):
        demo.start()
        before = demo.until(trades)["now_ns"]
        manager.until("WATCHDOG=1")
        demo.process.send_signal(signal.SIGSTOP)
        manager.quiet(0.2)
        assert "WATCHDOG=1" not in manager.quiet(2.5)

        demo.process.send_signal(signal.SIGCONT)
        manager.until("WATCHDOG=1")
        demo.until(lambda shown: shown["now_ns"] - before > 120_000_000_000)
        assert demo.interrupt() == 0


def test_a_second_joed_on_the_same_state_directory_is_refused(demo):
    """It names the holder and ends with 75; the first goes on, and so does its exchange."""
    demo.words += ["--exchange", "process"]
    demo.start()
    demo.until(trades)
    exchange = int((demo.root / "paper.db-lock").read_text())

    second = subprocess.run(
        [sys.executable, "-m", "joed", "--demo", "--state-dir", demo.root, "--config", demo.config, *demo.words],
        env=demo.env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert second.returncode == 75
    assert f"pid {demo.process.pid}" in second.stderr
    assert alive(exchange)
    assert demo.status()["brokers"][0]["up"]
    assert demo.interrupt() == 0
    assert not alive(exchange)


def test_an_interrupt_is_an_orderly_end_and_the_next_start_goes_on(demo):
    """SessionEnded is the last record, the record is whole, joectl says that nobody is there; then it goes on."""
    demo.start()
    demo.until(trades)
    flushed = demo.ask("flush", "--json").json["seq"]

    assert demo.interrupt() == 0
    last = facts(demo)[-1]
    assert isinstance(last, SessionEnded)
    assert last.reason == "SIGINT"
    assert verify(demo.root).whole
    assert demo.ask("status").code == 3
    assert "Session 2026-09-01" in demo.out.read_text()

    demo.start()
    assert demo.until(trades)["seq"] > flushed
    assert demo.folded().epoch == 2


def test_a_second_interrupt_ends_it_at_once_with_the_journal_true(demo):
    """No seal, no wait; what was recorded holds."""
    demo.words += ["--exchange", "process"]
    demo.start()
    demo.until(trades)
    demo.process.send_signal(signal.SIGINT)
    demo.process.send_signal(signal.SIGINT)

    assert demo.wait(40) in {0, 130}
    assert verify(demo.root).whole


def test_what_flush_answered_is_there_after_a_kill(demo):
    """The restart has at least that seq."""
    demo.start()
    demo.until(trades)
    seq = demo.ask("flush", "--json").json["seq"]
    demo.kill()

    assert demo.folded().seq >= seq
    demo.start()
    assert demo.until(trades)["seq"] > seq


def poisoned(tmp_path, how):
    """Give a demo whose rules raise on KO's quotes."""
    return Demo(tmp_path / "s", "--speed", "60", program=("-m", "tests.daemon.poisoned", how, "KO"))


def test_an_event_that_a_rule_cannot_handle_ends_the_process_and_not_the_next(tmp_path):
    """75 with the fault in the record; the next leaves the event out, blocks its instrument, and trades on."""
    demo = poisoned(tmp_path, "once")
    demo.start()
    assert demo.wait(30) == 75
    faults = [event for event in facts(demo) if isinstance(event, EventFaulted)]
    assert [(fault.kind, fault.instrument) for fault in faults] == [("Quote", "KO")]
    assert verify(demo.root).whole

    demo.start()
    shown = demo.until(trades)
    assert [block["scope"] for block in shown["blocks"] if block["reason"] == "event_faulted"] == ["instrument:KO"]
    assert shown["killed"] is None
    assert demo.interrupt() == 0


def test_a_second_fault_within_ten_minutes_kills(tmp_path):
    """Nothing is opened any more until a person has looked."""
    demo = poisoned(tmp_path, "always")
    for _ in range(2):
        demo.start()
        assert demo.wait(30) == 75

    assert demo.folded().killed == "entries"


def test_a_journal_with_a_flipped_byte_is_refused_and_kept(demo):
    """78, the record by its number, and not one byte of the file changed."""
    demo.start()
    demo.until(trades)
    assert demo.interrupt() == 0
    data = bytearray(demo.places.journal.read_bytes())
    at = data.index(b'"type":"EpochStarted"') + 10
    data[at] ^= 1
    demo.places.journal.write_bytes(data)

    demo.start()

    assert demo.wait(30) == 78
    assert "record 1:" in demo.err.read_text().splitlines()[-1]
    assert demo.places.journal.read_bytes() == data


def test_a_torn_tail_that_was_never_durable_is_dropped(demo):
    """Half a frame at the end of the write-ahead log is what a power cut leaves; nothing durable is lost."""
    demo.start()
    demo.until(trades)
    seq = demo.ask("flush", "--json").json["seq"]
    demo.kill()
    wal = demo.places.journal.with_name("joed.db-wal")
    with wal.open("ab") as file:
        file.write(os.urandom(777))

    demo.start()

    assert demo.until(trades)["seq"] > seq
    assert demo.interrupt() == 0


@pytest.fixture
def small_disk(tmp_path):
    """Give a file system of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


class Alone:
    """A daemon in this process, on a plan whose parts a test replaces."""

    def __init__(self, folder):
        from argparse import Namespace
        from dataclasses import replace

        from joed import compose
        from joed.config import load
        from joed.demo import choose

        self.where = places(folder / "s")
        self.where.make()
        options = Namespace(seed=7, confirm=None, speed=60.0, exchange="inline", config=quiet(folder))
        choices = choose(options, load(options.config), None, self.where)
        self.log = Log("json", lambda: 0, descriptor=os.open(folder / "log", os.O_CREAT | os.O_WRONLY))
        self.plan = replace(compose.paper_plan(choices), worker=lambda clock, root: (Nobody(), []))

    async def run(self, during):
        """Run the daemon, and something beside it once it has begun; give the exit status."""
        daemon = Daemon(self.plan, self.where, Notifier(), self.log)

        async def beside():
            await until(lambda: daemon._begun)
            await during(daemon)

        async with asyncio.timeout(120):
            code, _ = await asyncio.gather(daemon.run(), beside())
        self.log.close()
        return code


class Nobody:
    """A worker that does nothing."""

    def run(self, command, context, done):
        """Take no notice."""

    def bars(self, bars):
        """Take no notice."""


@pytest.mark.needs_root
async def test_a_full_disk_stops_entries_and_not_joed(small_disk):
    """It says so, lives, and can be killed; with room again it commits, and its record is whole."""
    alone, seen = Alone(small_disk), {}

    async def during(daemon):
        stuffing = filled(small_disk / "stuffing")
        while not daemon.journal.failed:
            daemon.keeping.store()
            await asyncio.sleep(0.01)
        await until(lambda: "all/journal_failed" in daemon.state.blocks)
        seen["kill"] = await asyncio.to_thread(joectl, "kill", "--json", state_dir=alone.where.root)
        seen["file"], seen["killed"] = daemon.latches.present(), daemon.state.killed
        stuffing.unlink()
        await until(lambda: not daemon.journal.failed)
        await until(lambda: daemon.desk.view().killed is not None)
        seen["blocks"] = [block.reason for block in daemon.desk.view().blocks]
        daemon._on_signal("SIGTERM")

    assert await alone.run(during) == 0
    assert (seen["kill"].code, seen["file"], seen["killed"]) == (0, True, "orders")
    assert {"journal_failed", "killed"} <= set(seen["blocks"])
    assert verify(alone.where.root).whole


def filled(path):
    """Give a file that takes all the room there is."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return path


async def test_a_callback_that_raises_ends_the_process_for_a_fresh_start(tmp_path):
    """What it should have done was left half done: 75, the cause in the log, the journal closed and true."""
    alone = Alone(tmp_path)

    def fail():
        raise ValueError("planted")

    async def during(daemon):
        asyncio.get_running_loop().call_soon(fail)

    assert await alone.run(during) == 75
    assert "planted" in (tmp_path / "log").read_text()
    assert verify(alone.where.root).whole


async def test_a_start_that_a_rule_cannot_handle_is_in_the_record_too(tmp_path, monkeypatch):
    """Before anybody could ask, and before a broker was there: 75, with the fault."""

    def raises(state, now, event, commands):
        raise ZeroDivisionError("planted")

    monkeypatch.setitem(engine.RULES, SettingsLoaded, (raises,))
    alone = Alone(tmp_path)

    assert await Daemon(alone.plan, alone.where, Notifier(), alone.log).run() == 75
    alone.log.close()
    last = read_past(alone.where.journal, 0, FOREVER, FOREVER)[-1].event
    assert (type(last), last.kind) == (EventFaulted, "SettingsLoaded")


async def test_a_disk_that_lies_ends_the_process_soon(tmp_path, monkeypatch):
    """After a failed sync nothing is trusted: what reduces risk leaves, then 75."""
    monkeypatch.setattr(daemons, "DEAD_WAIT_S", 0.1)
    alone = Alone(tmp_path)

    async def during(daemon):
        daemon.journal._end("EIO")

    assert await alone.run(during) == 75
    assert verify(alone.where.root).whole


async def test_an_engine_that_does_not_end_is_not_waited_for_longer_than_that(tmp_path, monkeypatch):
    """The seal comes all the same, and is the last record."""
    monkeypatch.setattr(daemons, "STOP_WAIT_S", 0.2)
    alone = Alone(tmp_path)

    async def during(daemon):
        monkeypatch.setattr(daemon, "stop", lambda command: None)
        daemon._on_signal("SIGTERM")

    assert await alone.run(during) == 0
    last = read_past(alone.where.journal, 0, FOREVER, FOREVER)[-1].event
    assert isinstance(last, SessionEnded)


async def test_a_stop_that_comes_before_the_start_is_over_is_not_forgotten(tmp_path):
    """It is asked for again as soon as there is somebody to ask."""
    alone = Alone(tmp_path)
    prepare = alone.plan.prepare

    class Early:
        """Sends the signal while the market is being made."""

        def __call__(self):
            os.kill(os.getpid(), signal.SIGTERM)
            prepare()

    from dataclasses import replace

    alone.plan = replace(alone.plan, prepare=Early())

    async def during(daemon):
        """Nothing."""

    assert await alone.run(during) == 0
    assert alone.where.journal.exists()


async def test_a_hangup_reads_the_settings_again_and_ends_nothing(tmp_path):
    """As `joectl reload` does: what changed is in force and in the record."""
    from dataclasses import replace

    from joed.compose import reload_of
    from joed.config import load

    alone = Alone(tmp_path)
    file = tmp_path / "joed.yaml"
    read = reload_of(lambda: (load(file), None))
    alone.plan = replace(alone.plan, reload=read, settings=read(alone.plan.settings).settings)

    async def during(daemon):
        file.write_text(file.read_text() + "\nrisk: {loss_day_max: 1234}\n")
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: daemon.state.settings.risk.loss_day_max == 1234)
        daemon._on_signal("SIGTERM")

    assert await alone.run(during) == 0
    loaded = [row.event for row in read_past(alone.where.journal, 0, FOREVER, FOREVER)]
    reload = [event for event in loaded if isinstance(event, SettingsLoaded)][-1]
    assert (reload.reason, [change.field for change in reload.changes]) == ("reload", ["risk.loss_day_max"])


async def test_a_state_directory_of_another_mode_is_refused_before_any_connection(tmp_path):
    """78: the next step is a person's (I24)."""
    from dataclasses import replace

    from joed.errors import ConfigError
    from joed.model.values import Mode

    alone = Alone(tmp_path)

    async def during(daemon):
        await until(lambda: daemon.state.bound)
        daemon._on_signal("SIGTERM")

    assert await alone.run(during) == 0
    plan = replace(alone.plan, settings=replace(alone.plan.settings, mode=Mode.LIVE))
    with pytest.raises(ConfigError, match="belongs to paper account PAPER-1, the settings say live mode"):
        await Daemon(plan, alone.where, Notifier(), alone.log).run()
