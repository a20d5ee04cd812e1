"""The socket itself: how it is made, and what stands in its place."""

import os
import socket
import stat

import pytest

from joed import protocol
from joed.daemon.lanes import REFUSED_AT_ONCE, RESERVED, Limits, Sieve, SocketTaken, fitted, listen
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


def test_a_sieve_closes_whom_it_refuses_and_gives_the_loop_its_turn(path, tmp_path):
    """One after the other is closed at the door, so many in a turn; the first that may come in is handed out."""
    sieve = Sieve.over(listen(path, tmp_path), lambda _found: len(came) < REFUSED_AT_ONCE and not came.append(1))
    came, wires = [], []
    with sieve:
        for _ in range(REFUSED_AT_ONCE + 1):
            wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            wire.connect(str(path))
            wires.append(wire)

        with pytest.raises(BlockingIOError):
            sieve.accept()
        inside, _ = sieve.accept()
        with pytest.raises(BlockingIOError):  # nobody else is there
            sieve.accept()

        assert [wire.recv(1) for wire in wires[:-1]] == [b""] * REFUSED_AT_ONCE
        inside.sendall(b"welcome")
        assert wires[-1].recv(7) == b"welcome"
    for wire in (*wires, inside):
        wire.close()


def test_a_peer_that_was_gone_at_the_look_is_left_out(path, tmp_path):
    """What asks about it raises; the next one is looked at."""

    def gone(_found):
        raise ConnectionResetError

    with Sieve.over(listen(path, tmp_path), gone) as sieve, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
        wire.connect(str(path))
        with pytest.raises(BlockingIOError):
            sieve.accept()
        assert wire.recv(1) == b""
