"""joed.daemon.alerts: told at once in the log, and elsewhere without holding up anything."""

import asyncio
import os
import shlex
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from joed.daemon import alerts, errand
from joed.daemon.alerts import Alerter
from joed.daemon.log import Log
from joed.model.commands import RaiseAlert
from joed.model.events import AlertDelivered
from joed.model.settings import Alerts
from joed.model.values import Severity

WAIT_S = 20.0


@pytest.fixture
def told(tmp_path):
    """Give a function that makes a command of shell words; they find the file to write to as $OUT."""
    file = tmp_path / "told"

    def make(script):
        return Alerts(command=("/bin/sh", "-c", f"OUT={shlex.quote(str(file))}; {script}", "tell"), timeout_s=WAIT_S)

    make.file = file
    return make


class Desk:
    """An alerter, what it emits, and the log it writes."""

    def __init__(self, settings, path):
        self.path = path
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT)
        self.log = Log("journald", lambda: 0, descriptor=self.file)
        self.events = []
        self.alerter = Alerter(settings, self.log, self.events.append)

    def lines(self):
        """Give what the log says, once it has said all."""
        assert self.log.close()
        os.close(self.file)
        return self.path.read_text().splitlines()


@asynccontextmanager
async def running(desk):
    """Run the alerter for a while; then end it as the daemon does."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.alerter.run())
        yield
        task.cancel()


def alert(words="the journal can't commit", key="journal_failed", severity=Severity.CRITICAL):
    """Give an alert."""
    return RaiseAlert(key, severity, words)


async def test_an_alert_is_logged_at_its_severity_with_or_without_a_command(tmp_path):
    """The log is the channel that is always there: critical is 2, warning 4, info 6."""
    desk = Desk(Alerts(), tmp_path / "log")

    for severity in Severity:
        desk.alerter.deliver(alert("words of it", "k", severity))

    assert desk.lines() == [f'<{level}>alert key=k words="words of it"' for level in (6, 4, 2)]
    assert desk.events == []
    assert sum(desk.alerter.results.values()) == 0


async def test_the_command_gets_the_severity_and_the_words_as_two_arguments_and_no_shell_reads_them(told, tmp_path):
    """Words come from brokers too: what looks like code, an option or two arguments is one word to read."""
    desk = Desk(told('printf "%s|" "$#" "$@" >"$OUT"'), tmp_path / "log")

    async with running(desk):
        desk.alerter.deliver(alert('$(id) `id` "; rm -rf /" é\nsecond line'))
        assert await desk.alerter.drain(WAIT_S)

    assert told.file.read_text() == '2|critical|$(id) `id` "; rm -rf /" é\nsecond line|'
    assert desk.events == [AlertDelivered("journal_failed", "command", Severity.CRITICAL)]
    assert desk.alerter.results == {"delivered": 1, "failed": 0, "dropped": 0}
    desk.lines()


def test_words_that_a_program_would_misread_are_made_harmless():
    """No NUL, no option, no more than a message's length, nothing that cannot be encoded."""
    assert alerts.spoken("-rf /") == " -rf /"
    assert alerts.spoken("a\0b") == "a b"
    assert alerts.spoken("\ud800") == "?"
    assert len(alerts.spoken("x" * 10_000)) == alerts.WORDS_CHARS_MAX
    assert alerts.spoken("P&L -12.50 €") == "P&L -12.50 €"


async def test_the_command_knows_nothing_of_our_credentials_and_cannot_speak_for_us(told, tmp_path, monkeypatch):
    """It could tell systemd that joed is well while joed hangs."""
    for name in ("CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS"):
        monkeypatch.setenv(name, "ours")
    monkeypatch.setenv("THEIRS", "kept")
    desk = Desk(told('env >"$OUT"'), tmp_path / "log")

    async with running(desk):
        desk.alerter.deliver(alert())
        await desk.alerter.drain(WAIT_S)

    environment = told.file.read_text()
    assert "ours" not in environment
    assert "THEIRS=kept" in environment
    desk.lines()


FAILURES = {
    "exit 3": "ended with status 3",
    "echo no route >&2; echo >&2; exit 1": "ended with status 1: no route",
    "kill -9 $$": "was ended by signal 9",
    "head -c 100000 /dev/zero | tr '\\0' x >&2; exit 2": "ended with status 2",
}


@pytest.mark.parametrize("script", FAILURES)
async def test_a_command_that_fails_is_logged_counted_and_told(told, tmp_path, script):
    """An alert that did not leave is itself news, with the command's own last words."""
    desk = Desk(told(script), tmp_path / "log")

    async with running(desk):
        desk.alerter.deliver(alert())
        assert await desk.alerter.drain(WAIT_S)

    (event,) = desk.events
    assert event.failed.startswith(FAILURES[script])
    assert len(event.failed) <= errand.SAID_BYTES_MAX + 100
    assert desk.alerter.results["failed"] == 1
    assert any(line.startswith("<3>alert_not_delivered key=journal_failed") for line in desk.lines())


@pytest.mark.parametrize("command", [("/nowhere/tell",), ("/etc",), ("a\0b",)])
async def test_a_command_that_cannot_be_started_is_told_and_the_next_alert_is_tried_again(tmp_path, command):
    """A person may mend it meanwhile."""
    desk = Desk(Alerts(command=command), tmp_path / "log")

    async with running(desk):
        desk.alerter.deliver(alert())
        desk.alerter.deliver(alert())
        assert await desk.alerter.drain(WAIT_S)

    assert [event.failed.partition(":")[0] for event in desk.events] == ["cannot be started"] * 2
    desk.lines()


async def test_a_command_that_hangs_is_ended_with_its_children_when_its_time_is_over(told, tmp_path):
    """No process stays behind."""
    settings = told('sleep 600 & echo $! $$ >"$OUT"; wait')
    desk = Desk(Alerts(command=settings.command, timeout_s=0.3), tmp_path / "log")

    async with running(desk):
        desk.alerter.deliver(alert())
        assert await desk.alerter.drain(WAIT_S)

    assert [event.failed for event in desk.events] == ["did not end within 0.3 s"]
    for pid in told.file.read_text().split():
        assert not runs(pid)
    desk.lines()


def runs(pid):
    """Say whether a process still runs; a zombie that nobody has reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def test_a_command_that_leaves_a_child_behind_with_its_error_pipe_is_done_when_it_ends(told, tmp_path):
    """What counts is that it ended itself."""
    desk = Desk(told('sleep 600 & echo $! >"$OUT"; exit 0'), tmp_path / "log")

    async with running(desk):
        desk.alerter.deliver(alert())
        assert await desk.alerter.drain(WAIT_S)

    os.kill(int(told.file.read_text()), signal.SIGKILL)
    assert desk.alerter.results["delivered"] == 1
    desk.lines()


@pytest.fixture
def pipe(tmp_path):
    """Give a named pipe that is always open on our side: (its path for a shell, its descriptor)."""
    os.mkfifo(tmp_path / "pipe")
    descriptor = os.open(tmp_path / "pipe", os.O_RDWR | os.O_NONBLOCK)
    yield shlex.quote(str(tmp_path / "pipe")), descriptor
    os.close(descriptor)


async def read_lines(descriptor, count):
    """Give so many lines from a pipe, as they come."""
    text = b""
    async with asyncio.timeout(WAIT_S):
        while text.count(b"\n") < count:
            ready = asyncio.Event()
            asyncio.get_running_loop().add_reader(descriptor, ready.set)
            await ready.wait()
            asyncio.get_running_loop().remove_reader(descriptor)
            text += os.read(descriptor, 4096)
    return text.decode().splitlines()


async def test_at_most_four_commands_run_at_once_and_what_waits_is_bounded(told, tmp_path, pipe):
    """A storm of alerts costs four processes; what does not fit is counted and logged, and the loop never waits."""
    name, descriptor = pipe
    desk = Desk(told(f'echo x | tee -a "$OUT" >{name}; exec sleep 600'), tmp_path / "log")

    async with running(desk):
        for _ in range(alerts.QUEUE_MAX + 10):
            desk.alerter.deliver(alert())
        assert desk.alerter.results["dropped"] == 10
        await read_lines(descriptor, alerts.COMMANDS_MAX)
        assert not await desk.alerter.drain(0.2)
        assert told.file.read_text() == "x\n" * alerts.COMMANDS_MAX

    assert sum("alert_not_delivered" in line and "dropped" in line for line in desk.lines()) == 10


async def test_ending_the_daemon_ends_the_command_that_runs(told, tmp_path, pipe):
    """Cancelled means gone: nothing outlives joed."""
    name, descriptor = pipe
    desk = Desk(told(f"echo $$ >{name}; exec sleep 600"), tmp_path / "log")

    async with running(desk):
        desk.alerter.deliver(alert())
        (pid,) = await read_lines(descriptor, 1)

    assert not runs(pid)
    desk.lines()


async def test_new_settings_hold_from_the_next_alert_on(told, tmp_path):
    """A reload needs no restart."""
    desk = Desk(Alerts(), tmp_path / "log")
    desk.alerter.reload(Alerts(command=(sys.executable, "-c", "")))

    async with running(desk):
        desk.alerter.deliver(alert())
        await desk.alerter.drain(WAIT_S)

    assert desk.alerter.results["delivered"] == 1
    desk.lines()
