"""The timers under a real systemd: joed comes up on trading days, and no day ends with it still there."""

import json

from joed.model.values import SECOND
from tests.faults.measure import Watch, measured
from tests.systemd.machine import PYTHON, wait_for
from tests.systemd.test_life import drop_in, status

UNIT = "joed.service"
THANKSGIVING = "2026-11-26T13:25:00Z@1"
SHORT_FRIDAY = "2026-11-27T13:25:00Z@1"
EARLY_CLOSE_NS = 1_795_802_400 * SECOND
BEFORE_ITS_CLOSE = "2026-11-27T17:55:00Z@60"
"""Five minutes before an early close, in which a second is a minute: joed stays for five after it."""


def rings_now(machine, timer):
    """Have a timer ring at once, and not when the market would have it."""
    drop_in(machine, timer, "Timer", OnCalendar="\nOnActiveSec=100ms\nAccuracySec=1ms", Persistent="no")
    machine.ask("systemctl", "start", timer)


def test_on_a_trading_day_the_timer_starts_joed(machine):
    """The gate says yes; joed runs under its own user, and some time after the open it has entered."""
    gate = f"\nExecCondition=/usr/bin/joed --gate --config /etc/joed/joed.yaml --clock {SHORT_FRIDAY}"
    drop_in(machine, "joed-open.service", ExecCondition=gate)
    fast = f"{SHORT_FRIDAY.removesuffix('1')}300"
    drop_in(machine, ExecStart=f"\nExecStart=/usr/bin/joed --daemon --confirm auto --seed 7 --clock {fast}")

    rings_now(machine, "joed-open.timer")

    machine.until(UNIT, ActiveState="active", SubState="running")
    machine.until("joed-open.service", ActiveState="inactive", Result="success")
    wait_for(lambda: status(machine)["trades"] or status(machine)["positions"], "it trades", 40)
    assert status(machine)["clock"]["session"] == "2026-11-27"


def test_on_a_holiday_the_gate_is_skipped_and_nothing_has_failed(machine):
    """Thanksgiving: no alarm, and no joed."""
    gate = f"\nExecCondition=/usr/bin/joed --gate --config /etc/joed/joed.yaml --clock {THANKSGIVING}"
    drop_in(machine, "joed-open.service", ExecCondition=gate)

    watch = Watch()
    rings_now(machine, "joed-open.timer")

    machine.until("joed-open.service", ActiveState="inactive", Result="exec-condition")
    measured("F97", recovered_ms=watch.ms())
    assert machine.shows(UNIT, "ActiveState") == {"ActiveState": "inactive"}
    assert machine.ask("systemctl", "--failed", "--no-legend", "--plain", "list-units", "joed*").stdout == ""


def test_a_calendar_that_cannot_be_read_is_a_failure_and_no_holiday(machine):
    """Exit 255: the unit has failed, somebody is told, joed is not started blindly."""
    machine.write("/etc/joed/joed.yaml", "calendar: NOWHERE\n")

    watch = Watch()
    rings_now(machine, "joed-open.timer")

    machine.until("joed-open.service", ActiveState="failed")
    measured("F36", detected_ms=watch.ms())
    assert machine.shows(UNIT, "ActiveState") == {"ActiveState": "inactive"}


def test_at_an_early_close_joed_ends_by_itself(machine):
    """Exit 0 five minutes after 13:00, with the day's last record written; no timer was needed, none restarts it."""
    drop_in(machine, ExecStart=f"\nExecStart=/usr/bin/joed --daemon --clock {BEFORE_ITS_CLOSE}")
    machine.ask("systemctl", "start", UNIT)

    machine.until(UNIT, ActiveState="inactive", Result="success", NRestarts="0")

    assert "2026-11-27 is over" in machine.journal(UNIT)
    export = machine.ask("joed", "--audit", "export", "--state-dir", "/var/lib/joed").stdout
    ended = [record for record in json.loads(export) if record["kind"] == "SessionEnded"]
    assert ended
    measured("F35", recovered_s=(ended[-1]["at_ns"] - EARLY_CLOSE_NS) / 1e9)


def test_a_joed_that_ignores_its_close_is_stopped_by_the_backstop(machine):
    """The close timer ends it in order, whatever kept it."""
    drop_in(machine, ExecStart=f"\nExecStart=/usr/bin/joed --daemon --clock {SHORT_FRIDAY}")
    machine.ask("systemctl", "start", UNIT)

    rings_now(machine, "joed-close.timer")

    machine.until(UNIT, ActiveState="inactive", Result="success")
    machine.until("joed-close.service", ActiveState="inactive", Result="success")
    assert "SIGTERM" in machine.journal(UNIT)


def test_the_weekly_drill_passes_on_a_paper_account_and_is_skipped_where_nothing_runs(machine):
    """The timer's own unit: a rehearsal with a receipt, and no kill left behind."""
    assert machine.ask("systemctl", "start", "joed-drill.service", check=False).returncode != 0
    machine.ask("systemctl", "start", UNIT)
    wait_for(lambda: any(row["reconciled"] for row in status(machine)["brokers"]), "the books are read", 20)

    drilled = machine.ask("systemctl", "start", "joed-drill.service", check=False)

    assert drilled.returncode == 0, machine.journal("joed-drill.service")
    assert machine.shows("joed-drill.service", "Result") == {"Result": "success"}
    assert status(machine)["killed"] is None
    assert json.loads(machine.ask("joectl", "kill", "--show", "--json").stdout)["drill"]["passed"]


def test_two_accounts_live_side_by_side(machine):
    """joed@ira and joed@spec: each its own state, socket, port and latch; a kill of one is not the other's.

    The second is refused with what to do while it would have the port of the first.
    """
    for account in ("ira", "spec"):
        machine.write(f"/etc/joed/{account}.yaml", "{}\n")
        machine.ask("mkdir", "-p", f"/etc/joed/credentials/{account}")
    machine.ask("systemctl", "start", "joed@ira.service")
    assert machine.ask("systemctl", "start", "joed@spec.service", check=False).returncode != 0
    machine.until("joed@spec.service", ActiveState="failed", ExecMainStatus="78")
    assert "daemon.metrics_port 9464 is joed@ira's, which runs: give this one" in machine.journal("joed@spec.service")
    machine.write("/etc/joed/spec.yaml", "daemon: {metrics_port: 9465}\n")
    machine.ask("systemctl", "start", "joed@spec.service")

    machine.ask("joectl", "--socket", "/run/joed/ira/control.sock", "kill", "--reason", "this one")

    def killed(account):
        shown = machine.ask("joectl", "--socket", f"/run/joed/{account}/control.sock", "status").stdout
        return shown.startswith("HALTED")

    assert (killed("ira"), killed("spec")) == (True, False)
    assert machine.ask("ls", "/var/lib/joed/ira/latch").stdout.split() == ["KILL", "KILL-orders"]
    assert machine.ask("ls", "/var/lib/joed/spec/latch").stdout.split() == []
    for port in (9464, 9465):
        scrape = f"import urllib.request as web; print(web.urlopen('http://127.0.0.1:{port}/metrics').read().decode())"
        shown = machine.ask(PYTHON, "-c", scrape).stdout
        assert "joed_build_info" in shown
        assert {"process_resident_memory_bytes", "process_open_fds", "process_max_fds"} <= set(shown.split())
