"""Who is at the other end of the control socket: the kernel's word, read once at accept, and the role it gives.

The groups are those of the process when it connected: a person who was just added to one must log in again.
"""

import grp
import os
import pwd
import socket
import struct
from errno import ERANGE
from typing import NamedTuple, Protocol

from joed.protocol import OPERATORS, VIEWERS, Role

CREDENTIALS = struct.Struct("iII")
"""struct ucred of unix(7): pid, uid, gid."""
SO_PEERGROUPS = 59
"""As in <asm-generic/socket.h>; Python has no name for it."""
GROUP = struct.Struct("I")
GROUP_BYTES_MAX = 1024
"""The most that Python's getsockopt reads; who is in more groups than fit is looked up instead."""


class Connected(Protocol):
    """As much of a socket as is asked here: asyncio hands out a stand-in with the same method."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        """Read a socket option."""


class Peer(NamedTuple):
    """A process as it was when it connected; `groups` is None where the kernel's answer does not fit."""

    pid: int
    uid: int
    gid: int
    groups: tuple[int, ...] | None


class Door(NamedTuple):
    """Whose word counts: our own uid, and the ids of the two groups, None where the system lacks them."""

    uid: int
    operators: int | None
    viewers: int | None


def peer_of(connected: Connected) -> Peer:
    """Give the process that connected; raises OSError where the socket is not a Unix one."""
    raw = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    pid, uid, gid = CREDENTIALS.unpack(raw)
    try:
        groups = connected.getsockopt(socket.SOL_SOCKET, SO_PEERGROUPS, GROUP_BYTES_MAX)
    except OSError as error:
        return Peer(pid, uid, gid, None if error.errno == ERANGE else ())
    return Peer(pid, uid, gid, tuple(group for (group,) in GROUP.iter_unpack(groups)))


def looked_up(uid: int) -> tuple[int, ...]:
    """Give a user's groups from the system's lists; this may ask the network: call it off the loop."""
    try:
        person = pwd.getpwuid(uid)
        return tuple(os.getgrouplist(person.pw_name, person.pw_gid))
    except (KeyError, OSError):
        return ()


def door() -> Door:
    """Read who may do what on this system."""
    return Door(os.geteuid(), _group(OPERATORS), _group(VIEWERS))


def _group(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def role_of(peer: Peer, door: Door) -> Role:
    """Give the widest role of a peer: root and the daemon's own user are admins, the groups tell the rest."""
    if peer.uid in {0, door.uid}:
        return Role.ADMIN
    groups = (peer.gid, *(peer.groups or ()))
    if door.operators is not None and door.operators in groups:
        return Role.OPERATOR
    if door.viewers is not None and door.viewers in groups:
        return Role.VIEWER
    return Role.ANY
