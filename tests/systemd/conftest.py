"""The machine that these tests share, and a clean joed for each of them."""

import pytest

from tests.systemd import tree
from tests.systemd.machine import Machine, missing
from tests.systemd.positions import WORLD


def pytest_collection_modifyitems(items):
    """Say what is missing where no machine can be booted; in CI that is a failure."""
    absent, makers = missing(), tree.missing()
    for item in items:
        lacking = absent or (makers if item.path.name == "test_deb.py" else "")
        if lacking and "tests/systemd/" in str(item.path):
            item.add_marker(pytest.mark.skip(reason=f"cannot boot a systemd of its own: no {lacking}"))


@pytest.fixture(scope="session")
def booted(tmp_path_factory, held_world):
    """Give a machine with joed installed, three people, and nothing running; a world lies in /srv."""
    with Machine(tmp_path_factory.mktemp("machine"), folders=(f"{held_world}={WORLD}",)) as machine:
        for person, groups in (("olga", "joed-op,joed-view"), ("victor", "joed-view"), ("mallory", "")):
            machine.ask("useradd", "--no-create-home", *(["--groups", groups] if groups else []), person)
        yield machine


@pytest.fixture
def machine(booted):
    """Give that machine with a paper account's configuration and no state; what a test starts ends with it."""
    booted.write("/etc/joed/joed.yaml", "daemon: {metrics_port: 0}\n")
    booted.turn_page()
    yield booted
    booted.ask("systemctl", "stop", "joed*", check=False)
    booted.ask("systemctl", "kill", "--signal=SIGKILL", "joed.service", check=False)
    booted.ask("systemctl", "reset-failed", check=False)
    clean = "rm -rf /etc/systemd/system/joed*.d /var/lib/joed/* /var/lib/joed-witness/*; mkdir -p /var/lib/joed"
    booted.ask("/bin/sh", "-c", clean)
    booted.ask("systemd-tmpfiles", "--create", "joed.conf")
    booted.ask("systemctl", "daemon-reload")
