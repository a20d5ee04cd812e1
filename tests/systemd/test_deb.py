"""joed's Debian package on a system of its own, from `dpkg -i` to purge, under that system's real systemd."""

import json

import pytest

from tests.packaging.test_make_deb import SHIPPED
from tests.systemd.machine import Machine, wait_for
from tests.systemd.positions import GO_ON, SOON, WORLD, at_stake, stops_at_exchange, take_over, wait_held
from tests.systemd.test_life import UNIT, drop_in, pid_of, status
from tests.systemd.tree import Tree, make_packages

PYTHON = ("/opt/joed/venv/bin/python", "-P")


@pytest.fixture(scope="module")
def bare(tmp_path_factory, held_world):
    """Give a booted system with nothing on it but what joed depends on; two packages and a world lie in /srv."""
    folder = tmp_path_factory.mktemp("deb")
    with Tree(folder / "tree") as tree:  # the one waits for the network, the other for the processor
        today, later = make_packages(folder)
        system = tree.made()
    shared = (f"{folder}=/srv/packages", f"{held_world}={WORLD}")
    with Machine(tmp_path_factory.mktemp("bare"), system, shared) as machine:
        machine.packages = [f"/srv/packages/{package.name}" for package in (today, later)]
        yield machine


@pytest.fixture
def machine(bare):
    """Give that system with today's package just installed, and take everything of it away at the end."""
    bare.said = bare.ask("dpkg", "--install", bare.packages[0]).stdout
    bare.turn_page()
    yield bare
    bare.ask("systemctl", "kill", "--signal=SIGKILL", UNIT, check=False)
    bare.ask("dpkg", "--purge", "joed", check=False)
    bare.ask("/bin/sh", "-c", "rm -rf /var/lib/joed* /etc/joed /etc/systemd/system/joed* /run/joed")


@pytest.fixture
def holding(machine):
    """Give that system with joed.service going on with a day in which it holds a protected position."""
    take_over(machine)
    drop_in(machine, ExecStart=f"\nExecStart=/usr/bin/joed --daemon {GO_ON} --config /etc/joed/joed.yaml")
    machine.ask("systemctl", "start", UNIT)
    wait_held(machine)
    return machine


def mode_of(machine, path):
    """Give mode, owner and group of a path."""
    return machine.ask("stat", "-c", "%a %U %G", path).stdout.strip()


def version_of(machine):
    """Give the version that runs."""
    return json.loads(machine.ask("joectl", "version", "--json").stdout)["joed"]["joed"]


def test_an_installation_has_everything_in_its_place_and_starts_nothing(machine):
    """Users, folders, pages, completions; no unit is enabled or runs: money moves on a person's word."""
    assert "does nothing yet" in machine.said
    assert mode_of(machine, "/var/lib/joed") == "711 joed joed"
    assert mode_of(machine, "/var/lib/joed/latch") == "3770 joed joed-op"
    assert mode_of(machine, "/etc/joed/credentials") == "700 root root"
    assert mode_of(machine, "/etc/joed/joed.yaml") == "644 root root"
    assert machine.ask("id", "-nG", "joed").stdout.split() == ["joed", "joed-view", "joed-op"]
    assert machine.ask("dpkg", "--verify", "joed").stdout == ""
    machine.ask(*PYTHON, "-c", "from joed.daemon.installed import mixed; assert mixed() == ''")
    assert machine.ask("joed", "--version").stdout.startswith("joed ")
    assert machine.ask("joed", "--check").returncode == 0
    for page in ("man8/joed.8.gz", "man1/joectl.1.gz", "man5/joed.yaml.5.gz"):
        assert machine.ask("zcat", f"/usr/share/man/{page}").stdout.startswith(".TH JOE")
    bill = json.loads(machine.ask("cat", "/usr/share/doc/joed/bill.cdx.json").stdout)
    assert {row["name"] for row in bill["components"]} == SHIPPED | {"joed"}
    asked = "_JOECTL_COMPLETE=bash_complete COMP_WORDS='joectl flat' COMP_CWORD=1 joectl"
    assert machine.ask("/bin/sh", "-c", asked).stdout.split(",")[1].strip() == "flatten"
    machine.ask("bash", "-n", "/usr/share/bash-completion/completions/joectl")
    enabled = ("systemctl", "list-unit-files", "--no-legend", "--state=enabled", "joed*")
    assert machine.ask(*enabled, check=False).stdout == ""
    assert machine.ask("find", "/proc", "-maxdepth", "1", "-user", "joed").stdout == ""


def test_the_packages_joed_trades_on_paper_inside_its_sandbox(machine):
    """From the environment under /opt/joed, with that system's own Python: serving, thinking, and stopped in order."""
    machine.ask("systemctl", "start", UNIT)

    assert status(machine)["epoch"] == 1
    assert "/usr/bin/python3." in machine.ask("readlink", f"/proc/{pid_of(machine)}/exe").stdout
    children = ("cat", f"/proc/{pid_of(machine)}/task/{pid_of(machine)}/children")
    wait_for(lambda: machine.ask(*children).stdout != "", "the worker runs", SOON)
    machine.ask("systemctl", "stop", UNIT)
    assert machine.shows(UNIT, "Result", "ExecMainStatus") == {"Result": "success", "ExecMainStatus": "0"}
    assert machine.ask("joectl", "audit", "verify").returncode == 0


def test_an_upgrade_with_positions_open_touches_neither_them_nor_the_process(holding):
    """The old process goes on, from its own files; the next start is the new version, with the same book and stops."""
    machine = holding
    before, pid = at_stake(machine), pid_of(machine)
    stops = stops_at_exchange(machine, PYTHON)
    assert list(stops) == list(before)

    said = machine.ask("dpkg", "--install", machine.packages[1]).stdout

    assert "joed.service goes on as 1.0" in said
    assert (pid_of(machine), at_stake(machine)) == (pid, before)
    assert machine.ask("joed", "--version").stdout == "joed 99.0\n"
    assert version_of(machine) != "99.0"
    library = machine.ask("ls", f"/proc/{pid}/root/opt/joed/held/lib").stdout.strip()
    worker = f"/opt/joed/held/lib/{library}/site-packages/joed/daemon/worker_main.py"
    assert "# of 99.0" not in machine.ask("cat", f"/proc/{pid}/root{worker}").stdout  # what it would start again
    machine.ask("systemctl", "restart", UNIT)
    wait_for(lambda: at_stake(machine) == before, "the same is held, at the same stops", SOON)
    assert version_of(machine) == "99.0"
    assert stops_at_exchange(machine, PYTHON) == stops
    assert machine.ask("joectl", "audit", "verify").returncode == 0


def test_a_removal_ends_joed_in_order_and_a_purge_keeps_the_record(holding):
    """What was held is named, its stops stay; the record, its key, credentials and a kill outlive the package."""
    machine = holding
    machine.ask("systemctl", "enable", "--now", "joed-open.timer")
    machine.write("/etc/joed/credentials/capital-key", "s3cret", 0o600)
    instrument = next(iter(at_stake(machine)))

    removed = machine.ask("dpkg", "--remove", "joed").stdout

    assert instrument in removed
    assert "the stops stand at the broker" in removed
    assert "stopped reason=SIGTERM" in machine.journal(UNIT)
    assert machine.ask("/bin/sh", "-c", "ls /usr/bin/joed /opt/joed", check=False).stdout == ""
    assert machine.ask("find", "/etc/systemd/system", "-name", "joed-open.timer").stdout == ""
    assert machine.ask("ls", "/etc/joed/joed.yaml").returncode == 0
    machine.ask("touch", "/var/lib/joed/latch/KILL")

    purged = machine.ask("dpkg", "--purge", "joed").stdout

    assert "/var/lib/joed" in purged
    assert "a kill is latched" in purged
    left = machine.ask(
        "find", "/var/lib/joed/joed.db", "/var/lib/joed/id.key", "/etc/joed", "-type", "f"
    ).stdout.split()
    assert left == ["/var/lib/joed/joed.db", "/var/lib/joed/id.key", "/etc/joed/credentials/capital-key"]
    machine.ask("dpkg", "--install", machine.packages[0])
    machine.ask("systemctl", "start", UNIT)
    assert status(machine)["killed"] == "orders"
