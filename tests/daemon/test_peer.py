"""Who is at the other end, and what they may."""

import os
import socket
from errno import EINVAL, ERANGE

import pytest

from joed.daemon.peer import CREDENTIALS, Door, Peer, door, looked_up, peer_of, role_of
from joed.protocol import Role

DOOR = Door(uid=990, operators=70, viewers=71)


def test_the_kernel_tells_who_connected():
    """Process, user, group and groups, of this very process."""
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        found = peer_of(one)

    assert (found.pid, found.uid, found.gid) == (os.getpid(), os.getuid(), os.getgid())
    assert set(found.groups) == set(os.getgroups())


def test_only_a_unix_socket_tells_it():
    """On any other the kernel knows nobody, and we must not take that for root."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as wire:
        found = peer_of_or_none(wire)

    assert found is None or found.uid != 0


def peer_of_or_none(wire):
    """Give the peer, or None where the kernel will not say."""
    try:
        return peer_of(wire)
    except OSError:
        return None


class Crowded:
    """A connection whose peer is in more groups than fit, or whose kernel does not tell them."""

    def __init__(self, error):
        self.error = error

    def getsockopt(self, level, option, size):
        """Tell the credentials, and fail at the groups."""
        if option == socket.SO_PEERCRED:
            return CREDENTIALS.pack(1, 1000, 1000)
        raise OSError(self.error, "no")


def test_groups_that_do_not_fit_are_looked_up_and_groups_unknown_are_none():
    """Too many is not the same as nobody's: the one is asked again elsewhere, the other has no role."""
    assert peer_of(Crowded(ERANGE)).groups is None
    assert peer_of(Crowded(EINVAL)).groups == ()


@pytest.mark.parametrize(
    ("uid", "gid", "groups", "role"),
    [
        (0, 0, (), Role.ADMIN),
        (990, 990, (), Role.ADMIN),
        (1000, 70, (), Role.OPERATOR),
        (1000, 1000, (5, 70, 71), Role.OPERATOR),
        (1000, 1000, (71,), Role.VIEWER),
        (1000, 1000, (), Role.ANY),
        (1000, 1000, None, Role.ANY),
        (65534, 65534, (990,), Role.ANY),
    ],
)
def test_a_role_is_the_widest_that_user_and_groups_give(uid, gid, groups, role):
    """Root and the daemon's own user are admins; being in the daemon's group is not being the daemon."""
    assert role_of(Peer(1, uid, gid, groups), DOOR) is role


def test_a_system_without_the_groups_gives_no_role_by_them():
    """None is nobody's group."""
    assert role_of(Peer(1, 1000, 1000, (0,)), Door(990, None, None)) is Role.ANY


def test_groups_are_looked_up_for_users_that_exist():
    """A uid that nobody has is in no group."""
    assert 0 in looked_up(0)
    assert looked_up(4_000_000_000) == ()


def test_the_door_is_read_from_this_system():
    """Our own uid, and the two groups where there are any."""
    assert door().uid == os.geteuid()
