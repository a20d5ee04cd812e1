"""Other users, for real: children that become somebody else, and descriptors that change hands."""

import os
import socket

from tests.daemon.serving import parsed


def opened(path, mode=0o777):
    """Let others through to a socket: pytest's own directories are the test user's alone. None leaves its mode."""
    if mode is not None:
        path.chmod(mode)
    for directory in [path.parent, *path.parents][:7]:
        if directory != directory.parent:
            directory.chmod(directory.stat().st_mode | 0o011)


def become(uid):
    """Be this user from here on, with no group but its own."""
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


def as_user(uid, work):
    """Do something as another user, in a process of its own, and give the bytes that it gave."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(read)
            become(uid)
            data = work()
            while data:
                data = data[os.write(write, data) :]
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


def whole(wire):
    """Read one answer by its length: a fork of the server's own process holds the other end open."""
    data = b""
    while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < length(data):
        data += wire.recv(65536)
    return data


def length(data):
    """Give how long an answer's body says it is."""
    rows = data.partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")
    return int(next(row.split(": ")[1] for row in rows if row.startswith("content-length")))


def passed(path, connector, sender, data):
    """Connect as one user, who hands the descriptor over and ends; then ask as another. Give the parsed answer."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if not child:
        try:
            become(connector) if connector else None
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
                wire.connect(str(path))
                socket.send_fds(theirs, [b"."], [wire.fileno()])
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    ours.close()
    theirs.close()

    def ask():
        with socket.socket(fileno=fds[0]) as wire:
            wire.sendall(data)
            return whole(wire)

    try:
        return parsed(as_user(sender, ask) if sender else ask())
    finally:
        if sender:
            os.close(fds[0])
