"""Where the control socket comes from: kept by systemd since the last process crashed, or bound anew and left with it.

Who connected while nobody served waits in the socket's queue, and is answered by this process.
"""

import socket
from pathlib import Path

from joed.daemon.lanes import listen
from joed.daemon.systemd import Notifier, stored_sockets

NAME = "control"


def doorstep(path: Path, state_dir: Path, notifier: Notifier, viewers: int | None) -> socket.socket:
    """Give the listening socket at `path`; systemd, where it is there, keeps it through the next crash too.

    Sockets kept under other names, or bound elsewhere, are of no use to us: systemd is asked to let them go.
    """
    found = None
    for name, kept in stored_sockets().items():
        if name == NAME and found is None and serves(kept, path):
            found = kept
            continue
        notifier.forget(name)
        kept.close()
    if found is None:
        found = listen(path, state_dir, viewers)
        notifier.store(NAME, [found])
    found.setblocking(False)  # noqa: FBT003 - the standard library's only way
    return found


def serves(kept: socket.socket, path: Path) -> bool:
    """Say whether a socket listens, and is the very one that `path` leads to."""
    try:
        listens = kept.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        return listens and kept.family is socket.AF_UNIX and path.samefile(kept.getsockname())
    except OSError:
        return False
