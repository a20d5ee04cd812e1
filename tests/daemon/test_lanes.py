"""The socket itself: how it is made, and what stands in its place."""

import os
import socket
import stat

import pytest

from joed import protocol
from joed.daemon.lanes import RESERVED, Limits, SocketTaken, fitted, listen
from joed.errors import ConfigError


@pytest.fixture
def path(tmp_path):
    """Name a socket in a directory that is not there yet."""
    return tmp_path / "run" / "control.sock"


def connected(path):
    """Say whether somebody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire, protocol.in_reach(path) as address:
        try:
            wire.connect(address)
        except OSError:
            return False
    return True


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_the_socket_is_for_its_owner_and_its_group_only(path, tmp_path, umask):
    """Mode 0660, whatever the umask; beside it the link to the state directory."""
    before = os.umask(umask)
    try:
        with listen(path, tmp_path) as listening:
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            assert (path.parent / protocol.STATE_LINK).resolve() == tmp_path.resolve()
            assert connected(path)
            assert listening.getblocking() is False
    finally:
        os.umask(before)


def test_a_dead_daemons_socket_is_replaced(path, tmp_path):
    """A crash leaves the file: the next start takes its place."""
    listen(path, tmp_path).close()

    with listen(path, tmp_path):
        assert connected(path)


def test_a_living_daemons_socket_is_left_alone(path, tmp_path):
    """A second joed must not cut the first one off; also when the first is too busy to take us."""
    with listen(path, tmp_path) as first:
        with pytest.raises(SocketTaken):
            listen(path, tmp_path)
        first.listen(0)
        waiting = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) for _ in range(3)]
        for wire in waiting:
            wire.connect_ex(str(path))
        with pytest.raises(SocketTaken):
            listen(path, tmp_path)
        for wire in waiting:
            wire.close()


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_anything_else_in_its_place_is_refused_and_kept(path, tmp_path, kind):
    """What is not a socket of ours is somebody's: nothing is deleted, nothing is followed."""
    path.parent.mkdir()
    target = tmp_path / "target"
    target.touch()
    {"file": path.touch, "directory": path.mkdir, "link": lambda: path.symlink_to(target)}[kind]()

    with pytest.raises(ConfigError, match="in the way"):
        listen(path, tmp_path)

    assert path.exists()


def test_a_state_directory_may_lie_deep(tmp_path):
    """A Unix address holds 108 bytes, a path more."""
    deep = tmp_path / ("d" * 100) / "run" / "control.sock"

    with listen(deep, tmp_path):
        assert connected(deep)


@pytest.mark.parametrize(("descriptors", "connections"), [(4096, 64), (160, 64), (159, 63), (100, 4), (10, 1)])
def test_clients_get_no_descriptor_that_a_broker_may_need(descriptors, connections):
    """What the process may open, less what it uses and what is reserved; one client is always let in (F13)."""
    limits = Limits()
    in_use = 160 - 64 - RESERVED - limits.kill_connections - 2 * limits.connections_uid

    assert fitted(limits, descriptors, in_use).connections == connections
