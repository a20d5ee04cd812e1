"""packaging/systemd: the units are what their templates make, systemd takes them, and the timers keep market time."""

import datetime as dt
import importlib.util
import shutil
import subprocess
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from joed.daemon.calendars import gate, load_calendars
from joed.engine.sessions import session_on
from joed.model.settings import Session
from joed.model.values import SECOND

UNITS = Path(__file__).resolve().parents[2] / "packaging" / "systemd"
DROP_INS = sorted((UNITS / "drop-ins").iterdir())
YEAR = 2027
EXPOSURE_MAX = "15"
"""In tenths, as systemd counts: 0 is shut, 100 is open."""
TARGETS = (
    "basic",
    "multi-user",
    "network",
    "network-online",
    "nss-lookup",
    "shutdown",
    "sysinit",
    "time-sync",
    "timers",
)


def _script():
    """Give the script that makes the units, as a module."""
    spec = importlib.util.spec_from_file_location("make_units", UNITS / "make_units.py")
    assert spec
    assert spec.loader
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


MADE = _script()
NAMES = sorted(MADE.units())


def values(name, directive):
    """Give all values of a directive in a unit, in their order."""
    lines = (UNITS / name).read_text("utf-8").splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{directive}=")]


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """Give a root in which the units are installed, with stand-ins for the programs that they start."""
    root = tmp_path_factory.mktemp("system")
    folder, programs = root / "usr/lib/systemd/system", root / "usr/bin"
    folder.mkdir(parents=True)
    programs.mkdir()
    for name in NAMES:
        shutil.copy(UNITS / name, folder)
    for name in ("joed.service", "joed@.service"):
        (folder / f"{name}.d").mkdir()
        for file in DROP_INS:
            shutil.copy(file, folder / f"{name}.d")
    for target in TARGETS:
        (folder / f"{target}.target").write_text("[Unit]\nDescription=as the system has it\n", "utf-8")
    for program in ("joed", "joectl", "systemctl", "true"):
        (programs / program).write_text("#!/bin/sh\n", "utf-8")
        (programs / program).chmod(0o755)
    return root


def analyze(*words, root=None):
    """Run systemd-analyze, as a person would."""
    rooted = [f"--root={root}"] if root else []
    command = ["systemd-analyze", "--man=no", *rooted, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_units_in_the_tree_are_what_the_templates_make():
    """Nobody mends one of a pair by hand and forgets the other."""
    assert MADE.main(["--check"]) == 0
    assert {file.name for file in UNITS.glob("joed*.service")} | {file.name for file in UNITS.glob("*.timer")} == set(
        NAMES
    )


def test_a_unit_that_was_edited_by_hand_is_named(tmp_path, monkeypatch, capsys):
    """The check fails with the file's name."""
    shutil.copytree(UNITS, tmp_path / "systemd")
    monkeypatch.setattr(MADE, "HERE", tmp_path / "systemd")
    monkeypatch.setattr(MADE, "TEMPLATES", tmp_path / "systemd" / "templates")
    (tmp_path / "systemd" / "joed@.service").write_text("[Unit]\n", "utf-8")

    assert MADE.main(["--check"]) == 1
    assert capsys.readouterr().out == "joed@.service\n"
    assert MADE.main([]) == 0
    assert MADE.main(["--check"]) == 0


@pytest.mark.parametrize("name", [name for name in NAMES if "@" not in name])
def test_the_two_of_a_pair_differ_in_the_names_of_files_alone(name):
    """With its words put back, the template for several is the unit for one."""
    stem, _, kind = name.partition(".")
    each = (UNITS / f"{stem}@.{kind}").read_text("utf-8")
    back = each.replace("/%i.yaml", "/joed.yaml").replace("@%i", "").replace(" (%i)", "")
    back = back.replace("/%i", "").replace("-%i", "")
    assert back == (UNITS / name).read_text("utf-8")


@pytest.mark.needs_systemd
def test_systemd_finds_nothing_wrong_with_any_unit(system):
    """With all drop-ins in place; a directive of a newer systemd is the one thing that an older may not know."""
    named = [name.replace("@.", "@ira.") for name in NAMES]
    checked = analyze("verify", *named, root=system)

    newer = ("RestartSteps", "RestartMaxDelaySec")
    unexpected = [line for line in checked.stderr.splitlines() if not any(word in line for word in newer)]
    assert unexpected == []
    assert checked.returncode == 0


@pytest.mark.needs_systemd
def test_a_slip_in_a_unit_is_found(system, tmp_path):
    """The check above is able to fail."""
    broken = tmp_path / "joed-broken.service"
    broken.write_text("[Service]\nType=notify\nExecStart=/usr/bin/nothing-there\nWatchdogSecond=3\n", "utf-8")

    found = analyze("verify", str(broken), root=None)

    assert "nothing-there" in found.stderr
    assert "WatchdogSecond" in found.stderr


@pytest.mark.needs_systemd
@pytest.mark.parametrize("name", ["joed.service", "joed@.service", "joed-failsafe.service", "joed-drill.service"])
def test_what_runs_for_long_or_holds_secrets_is_shut_in(name):
    """`systemd-analyze security` counts 1.5 at most."""
    found = analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", str(UNITS / name))
    assert found.returncode == 0, found.stdout[-400:]


@pytest.mark.parametrize("name", ["joed.service", "joed@.service"])
def test_what_must_not_be_forgotten_in_the_daemons_unit_is_there(name):
    """Each of these was once found missing, or wrong, the hard way."""
    expected = {
        "Type": ["notify"],
        "WatchdogSec": ["30s"],
        "RestartPreventExitStatus": ["64 77 78"],
        "TimeoutStopFailureMode": ["abort"],
        "StateDirectoryMode": ["0711"],
        "RuntimeDirectoryPreserve": ["restart"],
        "ProcSubset": ["all"],
        "LimitCORE": ["0"],
        "PrivateUsers": [],
    }
    assert {directive: values(name, directive) for directive in expected} == expected
    assert values(name, "SystemCallFilter")[-1] == "@chown"
    assert "PYTHONFAULTHANDLER=1" in values(name, "Environment")[0]


def test_no_unit_asks_for_a_socket_of_systemds():
    """With one, `joectl status` in the evening would start a daemon that trades."""
    assert not list(UNITS.rglob("*.socket*"))


@pytest.mark.needs_systemd
def test_the_open_timer_asks_just_ahead_of_each_session_in_market_time():
    """Through a year with both changes of the clock: the gate says yes on each trading day, no on each holiday."""
    calendar = load_calendars(("XNYS",))["XNYS"]
    lead_ns = int(Session().lead_s * SECOND)
    rings = elapses(values("joed-open.timer", "OnCalendar")[0])

    answers = {ring.date(): gate([calendar], int(ring.timestamp()) * SECOND, lead_ns) for ring in rings}

    days = (dt.date(YEAR, 1, 1) + dt.timedelta(days) for days in range(365))
    sessions = {day for day in days if session_on(calendar, day)}
    assert {day for day, answer in answers.items() if answer == 0 and day.year == YEAR} == sessions
    assert all(answer == 1 for day, answer in answers.items() if day.year == YEAR and day not in sessions)
    assert {ring.hour for ring in rings} == {12, 13}  # in UTC: both halves of the year were seen


@pytest.mark.needs_systemd
def test_the_close_timer_comes_after_joed_has_ended_by_itself():
    """Ten minutes after the end of after-hours, the same through the year."""
    rings = elapses(values("joed-close.timer", "OnCalendar")[0])
    local = {ring.astimezone(ZoneInfo("America/New_York")).time() for ring in rings}
    assert local == {dt.time(20, 10)}


def elapses(when):
    """Give every instant in a year at which a timer rings, as systemd itself counts them."""
    command = ["systemd-analyze", "calendar", "--iterations=262", f"--base-time={YEAR}-01-01 00:00:00 UTC", when]
    out = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, env={"TZ": "UTC", "PATH": "/usr/bin"}
    )
    lines = [line.split(": ", 1)[1] for line in out.stdout.splitlines() if "elapse:" in line or "Iter. #" in line]
    found = [dt.datetime.strptime(line, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=dt.UTC) for line in lines]
    assert len(found) == 262
    return found
