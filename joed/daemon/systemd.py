"""What joed says to its service manager, and what it keeps for us: sd_notify(3), the watchdog, the descriptor store.

The sdnotify package opens the socket and no more: it sends Latin-1, loses what that cannot spell together with the
watchdog's ping beside it, and blocks when the receiver is slow (facts: `P&L +12.50 €` kills the daemon). Here all is
UTF-8, nothing blocks, nothing raises, and outside systemd nothing happens.
"""

import array
import fcntl
import os
import socket
from collections import deque
from collections.abc import Iterable, MutableMapping
from typing import Final

import sdnotify

STATUS_BYTES_MAX = 1024
TRIES_MAX = 10
"""How often a message that must arrive is sent again, once with each later call."""
OWED_MAX = 8
FDS_START: Final = 3
FDS_MAX = 64


class Notifier:
    """The way to the service manager; `active` says whether there is one.

    READY, RELOADING and STOPPING are kept and sent again before whatever is said next, so that a receiver that was
    busy misses none. `failures` counts datagrams that did not leave.
    """

    def __init__(self) -> None:
        self.failures = 0
        self._status = ""
        self._owed: deque[tuple[bytes, int]] = deque()
        self._socket = _opened()

    @property
    def active(self) -> bool:
        """Say whether somebody listens."""
        return self._socket is not None

    def ready(self, status: str = "") -> None:
        """Say that joed serves: the socket answers and the state is loaded. Also ends a reload."""
        self._owe("READY=1", status)

    def reloading(self, monotonic_ns: int) -> None:
        """Say that new settings are being read; `monotonic_ns` is CLOCK_MONOTONIC now, by which systemd orders it."""
        self._owe(f"RELOADING=1\nMONOTONIC_USEC={monotonic_ns // 1000}", "")

    def stopping(self, status: str = "") -> None:
        """Say that the end has begun."""
        self._owe("STOPPING=1", status)

    def status(self, words: str) -> None:
        """Show these words in `systemctl status`; the same words again cost nothing."""
        line = _one_line(words)
        if line != self._status and self._send(b"STATUS=" + line.encode()):
            self._status = line

    def ping(self) -> bool:
        """Feed the watchdog, in a datagram of its own; False when it did not leave."""
        return self._send(b"WATCHDOG=1")

    def trip(self) -> bool:
        """Have the watchdog act now: we found ourselves wrong."""
        return self._send(b"WATCHDOG=trigger")

    def extend(self, seconds: float) -> bool:
        """Ask for this much more time to start, reload or stop; it must be asked again before it is over."""
        return self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}".encode())

    def store(self, name: str, sockets: Iterable[socket.socket]) -> bool:
        """Leave these sockets with systemd under a name: a restart gets them back, a stop closes them."""
        kept = array.array("i", [kept.fileno() for kept in sockets])
        assert _is_name(name)
        message = f"FDSTORE=1\nFDNAME={name}".encode()
        return self._send(message, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, kept.tobytes())])

    def forget(self, name: str) -> bool:
        """Have systemd close what it keeps under a name."""
        assert _is_name(name)
        return self._send(f"FDSTOREREMOVE=1\nFDNAME={name}".encode())

    def close(self) -> None:
        """End the talk; what is said later is lost."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _owe(self, message: str, status: str) -> None:
        """Send what must arrive, together with its words, or keep it for the next call."""
        line = _one_line(status)
        self._status = line or self._status
        data = (f"{message}\nSTATUS={line}" if line else message).encode()
        if self.active and not self._send(data) and len(self._owed) < OWED_MAX:
            self._owed.append((data, TRIES_MAX))

    def _send(self, data: bytes, ancillary: Iterable[tuple[int, int, bytes]] = ()) -> bool:
        """Send one datagram after those that are owed, in their order."""
        while self._owed:
            owed, tries = self._owed.popleft()
            if not self._leaves(owed, ()):
                if tries > 1:
                    self._owed.appendleft((owed, tries - 1))
                break
        return self._leaves(data, ancillary)

    def _leaves(self, data: bytes, ancillary: Iterable[tuple[int, int, bytes]]) -> bool:
        if self._socket is None:
            return False
        try:
            self._socket.sendmsg([data], ancillary, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:  # the receiver's queue is full, or it is gone: trading goes on
            self.failures += 1
            return False
        return True


def watchdog_s(environ: MutableMapping[str, str] = os.environ) -> float | None:
    """Give the seconds within which systemd wants to be pinged, None where it does not ask this process."""
    try:
        limit = int(environ.get("WATCHDOG_USEC", "0")) / 1_000_000
        process = int(environ.get("WATCHDOG_PID") or os.getpid())
    except ValueError:
        return None
    return limit if limit > 0 and process == os.getpid() else None


def stored_sockets(
    environ: MutableMapping[str, str] = os.environ, *, start: int = FDS_START
) -> dict[str, socket.socket]:
    """Give the sockets that systemd kept for us, by name, and clear the variables so that no child believes them.

    What is no socket, and a name's second one, is closed: it can serve nobody.
    """
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not count.isdecimal():
        return {}
    found: dict[str, socket.socket] = {}
    for at in range(min(int(count), FDS_MAX)):
        name = names[at] if at < len(names) else ""
        try:
            fcntl.fcntl(start + at, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
            kept = socket.socket(fileno=start + at)
        except OSError:
            _close(start + at)
            continue
        if found.setdefault(name, kept) is not kept:
            kept.close()
    return found


def _opened() -> socket.socket | None:
    """Open the socket named by the environment; None outside systemd, and where nobody listens."""
    if not os.environ.get("NOTIFY_SOCKET", "").startswith(("/", "@")):
        return None
    opened: socket.socket | None = sdnotify.SystemdNotifier().socket
    if opened is not None:
        opened.settimeout(0)
    return opened


def _one_line(words: str) -> str:
    """Give words as systemd shows them: one line, no control characters, no longer than it is read."""
    line = " ".join("".join(each if each.isprintable() else " " for each in words).split())
    return line.encode(errors="replace")[:STATUS_BYTES_MAX].decode(errors="ignore")


def _is_name(name: str) -> bool:
    return 0 < len(name) < 256 and name.isascii() and name.isprintable() and ":" not in name


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        return
