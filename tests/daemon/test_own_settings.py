"""Two accounts on one machine share no account, no seat and no port while both run; each other's files are let be."""

import socket
from contextlib import contextmanager

import pytest

from joed.config import load
from joed.daemon.own_settings import refuse_shared
from joed.errors import ConfigError

IBKR = "brokers: [ibkr]\naccount: %s\nibkr: {client_id: %s}\nuniverse: {SPY: {}, VIX: {kind: index}}\n"


@pytest.fixture
def machine(tmp_path):
    """Give a machine on which joed@ira runs, as a function that says what is refused of joed@spec's settings."""
    home, run = tmp_path / "etc", tmp_path / "run"
    home.mkdir()
    (run / "ira").mkdir(parents=True)
    write(home / "ira.yaml", "{}\n")

    def complaint(ours, theirs="", name="spec.yaml"):
        if theirs:
            write(home / "ira.yaml", theirs)
        file = write(home / name, ours)
        try:
            refuse_shared(file, load(file), home, run)
        except ConfigError as error:
            return str(error).removesuffix(f" ({file})")
        return ""

    complaint.socket = run / "ira" / "control.sock"
    with listening(complaint.socket):
        yield complaint


@contextmanager
def listening(path):
    """Have somebody answer there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as served:
        served.bind(str(path))
        served.listen(8)
        yield
    path.unlink(missing_ok=True)


def write(path, text):
    """Write settings, and give their path."""
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        (
            "{}\n",
            "",
            "daemon.metrics_port 9464 is joed@ira's, which runs: give this one its own, 9465 say, or 0 for none",
        ),
        ("daemon: {metrics_port: 9465}\n", "", ""),
        ("daemon: {metrics_port: 0}\n", "", ""),
        (
            "daemon: {metrics_port: 9470, web_port: 9465}\n",
            "daemon: {web_port: 9465}\n",
            "daemon.web_port 9465 is joed@ira's, which runs: give this one its own, 9466 say, or 0 for none",
        ),
        (
            "daemon: {metrics_port: 9500, web_port: 9464}\n",
            "",
            "daemon.web_port 9464 is joed@ira's, which runs: give this one its own, 9465 say, or 0 for none",
        ),
        (
            IBKR % ("DU2", 17) + "daemon: {metrics_port: 0}\n",
            IBKR % ("DU1", 17),
            "ibkr.client_id 17 is joed@ira's, which runs: give this one another number",
        ),
        (
            IBKR % ("DU1", 18) + "daemon: {metrics_port: 0}\n",
            IBKR % ("DU1", 17),
            "account DU1 is joed@ira's, which runs: one account, one joed",
        ),
        (IBKR % ("DU2", 18) + "daemon: {metrics_port: 0}\n", IBKR % ("DU1", 17), ""),
    ],
)
def test_what_two_that_run_may_not_share_is_named_with_what_to_do(machine, ours, theirs, words):
    """The other's name, the value, the next step; what is their own, or off, is fine."""
    assert machine(ours, theirs) == words


def test_a_neighbour_that_does_not_run_is_in_nobodys_way(machine):
    """A file alone, somebody's draft or last year's account, stops no restart."""
    assert machine("{}\n") != ""
    machine.socket.unlink()

    assert machine("{}\n") == ""


def test_a_neighbours_mistake_is_its_own(machine):
    """What is wrong in its file is told to whoever starts it."""
    assert machine("{}\n", "daemon: {metrics_prot: 1}\n") == ""


def test_the_one_account_of_a_machine_and_settings_elsewhere_have_no_neighbours(machine, tmp_path):
    """joed.service is not run beside instances, and a person's own file is nobody's instance."""
    assert machine("{}\n", name="joed.yaml") == ""
    assert machine("{}\n", name="strategies.yaml") != ""  # whoever calls an account so has asked for it
    file = write(tmp_path / "mine.yaml", "{}\n")

    refuse_shared(file, load(file), tmp_path / "etc", tmp_path / "run")
