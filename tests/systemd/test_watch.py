"""What systemd watches over: a part of joed that stands still, a broker that does, and positions through all of it."""

import json

import pytest

from tests.systemd.machine import PYTHON, wait_for
from tests.systemd.positions import GO_ON, at_stake, stops_at_exchange, take_over, wait_held
from tests.systemd.positions import SOON as WITHIN
from tests.systemd.test_life import SOON, UNIT, drop_in, pid_of, status
from tests.systemd.test_timers import rings_now

TREE = "/usr/bin/env PYTHONPATH=/opt/joed/tree:/opt/joed/libraries"
INSIDE = ("/usr/bin/env", "PYTHONPATH=/opt/joed/tree:/opt/joed/libraries", PYTHON)
DAY = "2026-09-01T14:00:00Z"


@pytest.fixture
def holding(machine):
    """Give a machine whose joed.service goes on with a day in which it holds a protected position."""
    take_over(machine)
    drop_in(machine, ExecStart=f"\nExecStart=/usr/bin/joed --daemon {GO_ON}", **SOON)
    machine.ask("systemctl", "start", UNIT)
    wait_held(machine)
    return machine


@pytest.mark.parametrize("part", ["intake", "orders"])
def test_a_part_that_stands_still_starves_the_watchdog_though_the_loop_is_alive(machine, part):
    """Nothing comes out of the intake, or no order is handed over: aborted within WatchdogSec, with a traceback."""
    program = f"{TREE} {PYTHON} -m tests.systemd.stuck {part} --daemon"
    drop_in(machine, ExecStart=f"\nExecStart={program}", WorkingDirectory="/opt/joed/tree", **SOON)
    machine.ask("systemctl", "start", UNIT)

    machine.until(UNIT, NRestarts="1", wait_s=WITHIN)

    said = machine.journal(UNIT)
    assert "Watchdog timeout (limit 3s)" in said
    assert "Fatal Python error: Aborted" in said


def test_a_broker_that_is_dead_for_ten_minutes_is_no_reason_to_abort(machine):
    """Its exchange stands still through ten minutes of the market's time and four watchdogs: blocked, told, alive."""
    words = f"--daemon --exchange process --confirm auto --clock {DAY}@60"
    drop_in(machine, ExecStart=f"\nExecStart=/usr/bin/joed {words}", **SOON)
    machine.ask("systemctl", "start", UNIT)
    wait_for(lambda: any(row["up"] for row in status(machine)["brokers"]), "the broker is up", WITHIN)
    began_ns = status(machine)["now_ns"]

    machine.ask("pkill", "-STOP", "-f", "joed.venue")
    wait_for(lambda: status(machine)["now_ns"] - began_ns > 660 * 10**9, "eleven minutes have passed there", WITHIN)

    assert status(machine)["phase"] in {"DISCONNECTED", "HALTED"}
    assert machine.shows(UNIT, "NRestarts", "ActiveState") == {"NRestarts": "0", "ActiveState": "active"}
    machine.ask("pkill", "-CONT", "-f", "joed.venue")


def test_positions_are_protected_through_a_hang_and_its_restart(holding):
    """Kill -STOP: by the exchange's own book the same stop works before, while nobody looks, and after."""
    machine = holding
    stops, before = stops_at_exchange(machine, INSIDE), at_stake(machine)
    assert list(stops) == list(before)

    machine.ask("kill", "-STOP", pid_of(machine))
    assert stops_at_exchange(machine, INSIDE) == stops
    machine.until(UNIT, NRestarts="1", ActiveState="active", SubState="running", wait_s=WITHIN)

    wait_held(machine)
    assert at_stake(machine) == before
    assert stops_at_exchange(machine, INSIDE) == stops


def test_a_joed_that_ignores_its_close_is_stopped_and_its_stops_stay(holding):
    """The backstop ends it in order; at the exchange nothing has changed."""
    machine = holding
    stops = stops_at_exchange(machine, INSIDE)

    rings_now(machine, "joed-close.timer")
    machine.until(UNIT, ActiveState="inactive", Result="success", wait_s=WITHIN)

    assert stops
    assert stops_at_exchange(machine, INSIDE) == stops


def test_a_reload_applies_what_is_safe_and_names_what_needs_a_restart(machine):
    """`systemctl reload`: a limit is in force, a port waits; a wrong file changes nothing and fails it."""
    machine.ask("systemctl", "start", UNIT)
    machine.write("/etc/joed/joed.yaml", "risk: {position_max: 3}\ndaemon: {metrics_port: 9555}\n")

    machine.ask("systemctl", "reload", UNIT)

    said = machine.journal(UNIT)
    assert "position_max 10 -> 3" in said
    assert "metrics_port" in said
    assert "restart" in said
    machine.write("/etc/joed/joed.yaml", "risk: {position_maximum: 3}\n")
    assert machine.ask("systemctl", "reload", UNIT, check=False).returncode != 0
    assert "did you mean" in machine.journal(UNIT)
    assert json.loads(machine.ask("joectl", "status", "--json").stdout)["epoch"] == 1


def test_an_order_is_followed_in_the_journal_by_its_id(holding):
    """`journalctl JOED_ORDER_ID=…`: what was asked and what came of it, from the unit, with nothing of other orders."""
    machine = holding
    instrument = next(iter(at_stake(machine)))
    machine.ask("joectl", "flatten", instrument, "--reason", "a test")
    wait_for(lambda: not at_stake(machine), "it is flat", WITHIN)

    def told(*fields):
        out = machine.ask("journalctl", "--no-pager", "-o", "json", "-u", UNIT, *fields).stdout
        return [json.loads(line) for line in out.splitlines()]

    [fill] = wait_for(lambda: told(f"JOED_INSTRUMENT={instrument}", "JOED_EVENT=OrderFilled"), "the fill", WITHIN)[-1:]
    order = fill.get("JOED_ORDER_ID")
    events = [line["JOED_EVENT"] for line in told(f"JOED_ORDER_ID={order}")]
    assert "OrderFilled" in events
    assert len(events) > 1
    assert {line["JOED_ORDER_ID"] for line in told(f"JOED_ORDER_ID={order}")} == {order}
