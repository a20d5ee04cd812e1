"""journald's own way in: one datagram an entry, fields by name (systemd's JOURNAL_NATIVE_PROTOCOL).

What is sent so can be asked for by its fields: `journalctl JOED_ORDER_ID=…`.
"""

import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

JOURNALD = Path("/run/systemd/journal/socket")
SEND_WAIT_S = 1.0
"""How long a busy journal is waited for, by whoever may wait: the log's own thread."""


class Native:
    """A way to a journal; opened with the first entry, and again after a failure."""

    def __init__(self, path: Path = JOURNALD, wait_s: float = SEND_WAIT_S) -> None:
        """Send to the socket at `path`; with `wait_s` 0 never wait."""
        self._path, self._wait_s = path, wait_s
        self._wire: socket.socket | None = None

    def send(self, fields: Mapping[str, str]) -> bool:
        """Send one entry; False where the journal does not take it: say it another way then."""
        try:
            if self._wire is None:
                self._wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                self._wire.settimeout(self._wait_s)
            self._wire.sendto(entry(fields), str(self._path))
        except OSError:
            self.close()
            return False
        return True

    def close(self) -> None:
        """Let the socket go."""
        if self._wire is not None:
            with suppress(OSError):
                self._wire.close()
            self._wire = None


def entry(fields: Mapping[str, str]) -> bytes:
    """Give one entry's bytes; a value of several lines goes with its length before it."""
    parts = []
    for name, value in fields.items():
        data = value.encode(errors="backslashreplace")
        if b"\n" in data:
            parts.append(name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n")
        else:
            parts.append(name.encode() + b"=" + data + b"\n")
    return b"".join(parts)
