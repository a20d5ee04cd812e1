"""One joed per state directory: a lock that lives as long as its process, whatever kills it."""

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from joed.errors import JoedError

PID_BYTES_MAX = 32


class StateHeld(JoedError):
    """Another process holds the state directory; `pid` is its own word for itself, None before it has written it."""

    def __init__(self, path: Path, pid: int | None) -> None:
        super().__init__(f"another joed holds the state directory: {f'pid {pid}' if pid else 'just starting'} ({path})")
        self.pid = pid


class Lock:
    """The lock on a state directory, taken when it is made; raises StateHeld at once if somebody has it.

    The file stays when the lock goes: to remove it would let two processes lock two files of one name. The descriptor
    is never inherited, so that no child keeps the lock of a daemon that died.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = _opened(path)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = _pid(self._descriptor)
            os.close(self._descriptor)
            raise StateHeld(path, pid) from error
        except OSError:
            os.close(self._descriptor)
            raise
        with suppress(OSError):  # on a full disk the lock holds all the same; only its holder has no name
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another process have it; for tests and for the end of a demo: a daemon's lock ends with its process."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _opened(path: Path) -> int:
    """Open the lock's file, to read alone where its disk takes no writing: it locks as well."""
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o644)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return os.open(path, os.O_RDONLY | flags)


def _pid(descriptor: int) -> int | None:
    """Give the pid that the holder wrote."""
    text = os.pread(descriptor, PID_BYTES_MAX, 0).strip()
    return int(text) if text.isdigit() else None
