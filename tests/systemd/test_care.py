"""A person's machine: records that are put back, days that were slept through."""

import json

import pytest

from tests.systemd.machine import wait_for
from tests.systemd.positions import GO_ON, SOON, take_over, wait_held
from tests.systemd.test_life import UNIT, drop_in, status
from tests.systemd.test_timers import SHORT_FRIDAY

STAMP = "/var/lib/systemd/timers/stamp-joed-open.timer"


def test_a_record_that_was_put_back_comes_up_killed_and_undoes_no_kill(machine):
    """The witness outside of the state directory has seen more; what is released then holds, until the next old one."""
    machine.ask("systemctl", "start", UNIT)
    machine.ask("systemctl", "stop", UNIT)
    machine.ask("cp", "-a", "/var/lib/joed/joed.db", "/var/lib/joed/backup/joed.db")
    machine.ask("systemctl", "start", UNIT)
    assert status(machine)["killed"] is None
    machine.ask("joectl", "pause", "--reason", "something to forget")
    machine.ask("systemctl", "stop", UNIT)

    machine.ask("/bin/sh", "-c", "cd /var/lib/joed && rm joed.db* && cp -a backup/joed.db .")
    machine.ask("systemctl", "start", UNIT)

    assert status(machine)["killed"] == "orders"
    alerts = machine.ask("joectl", "alerts", "--json").stdout
    assert "older copy" in alerts
    latched = ("test", "-e", "/var/lib/joed/latch/KILL")
    wait_for(lambda: machine.ask(*latched, check=False).returncode == 0, "the kill is a file too", 20)


def test_an_opening_that_was_slept_through_is_made_up_for_once(machine):
    """The timer last rang ten days ago: it rings when it is started, and not again."""
    gate = f"\nExecCondition=/usr/bin/joed --gate --config /etc/joed/joed.yaml --clock {SHORT_FRIDAY}"
    drop_in(machine, "joed-open.service", ExecCondition=gate)
    drop_in(machine, ExecStart=f"\nExecStart=/usr/bin/joed --daemon --clock {SHORT_FRIDAY}")
    machine.ask("/bin/sh", "-c", f"mkdir -p $(dirname {STAMP}); touch -d '10 days ago' {STAMP}")

    machine.ask("systemctl", "start", "joed-open.timer")

    machine.until(UNIT, ActiveState="active", SubState="running")
    machine.until("joed-open.service", ActiveState="inactive", Result="success")
    machine.ask("systemctl", "stop", UNIT)
    machine.ask("systemctl", "restart", "joed-open.timer")
    assert machine.shows("joed-open.service", "ActiveState") == {"ActiveState": "inactive"}
    assert machine.journal("joed-open.service").count("Finished") == 1


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ("2026-11-26T15:00:00Z", "Fri 09:30 EST"),  # Thanksgiving
        ("2026-03-07T15:00:00Z", "Mon 09:30 EDT"),  # across the change in spring
        ("2026-11-01T15:00:00Z", "Mon 09:30 EST"),  # after the one in autumn
    ],
)
def test_on_a_closed_day_a_manual_start_idles_and_says_when_it_opens_next(machine, now, words):
    """It runs, opens nothing, and the status names the next open: half past nine in New York, whatever clocks do."""
    drop_in(machine, ExecStart=f"\nExecStart=/usr/bin/joed --daemon --clock {now}@1")
    machine.ask("systemctl", "start", UNIT)

    found = machine.until(UNIT, StatusText=f"CLOSED: next open {words}, paper")

    assert found
    assert "no_session" in json.dumps(status(machine)["blocks"])


def test_the_machine_does_not_fall_asleep_while_something_is_open(machine):
    """A lock of logind's is there, by joed, while a position is held; it goes with joed."""
    machine.ask("/bin/sh", "-c", "rm -f /run/systemd/system/systemd-logind.service; systemctl daemon-reload")
    machine.ask("systemctl", "start", "dbus.service", "systemd-logind.service")
    take_over(machine)
    drop_in(machine, ExecStart=f"\nExecStart=/usr/bin/joed --daemon {GO_ON}")
    machine.ask("systemctl", "start", UNIT)
    wait_held(machine)

    def locks():
        shown = machine.ask("systemd-inhibit", "--list", "--no-legend", "--no-pager").stdout
        return [line for line in shown.splitlines() if line.startswith("joed ")]

    [lock] = wait_for(locks, "the lock", SOON)
    assert " sleep " in lock
    wait_for(lambda: "sleep_" in machine.journal(UNIT), "it is said of which kind the lock is", SOON)
    assert "notification message" not in machine.journal(UNIT)
    machine.ask("systemctl", "kill", "--signal=SIGKILL", "--kill-who=main", UNIT)
    machine.ask("systemctl", "stop", UNIT)
    assert locks() == []


def test_around_the_clock_the_day_turns_without_a_restart_and_is_backed_up(machine):
    """Over midnight UTC: another session in the same life, and yesterday's record is copied, verified."""
    machine.write("/etc/joed/joed.yaml", "calendar: CRYPTO_24X7\ndaemon: {metrics_port: 0}\n")
    drop_in(machine, ExecStart="\nExecStart=/usr/bin/joed --daemon --clock 2026-09-01T22:30:00Z@300")
    machine.ask("systemctl", "start", UNIT)
    first = wait_for(lambda: status(machine)["clock"]["session"], "a session", SOON)

    second = wait_for(lambda: (now := status(machine)["clock"]["session"]) != first and now, "the next one", SOON)

    assert second > first
    assert status(machine)["epoch"] == 1
    backup = f"/var/lib/joed/backup/{first}"
    wait_for(lambda: machine.ask("test", "-d", backup, check=False).returncode == 0, "a backup", SOON)
    assert machine.ask("joed", "--audit", "export", "--state-dir", backup).stdout.count("OpenSession") >= 1
    [row] = [
        row
        for row in json.loads(machine.ask("joectl", "doctor", "--json", check=False).stdout)["checks"]
        if row["name"] == "backup"
    ]
    assert (row["ok"], row["words"]) == (True, f"{first}, 0 days ago")
