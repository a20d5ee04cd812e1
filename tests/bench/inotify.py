"""A folder watched from outside (inotify(7)): when somebody who had opened it to sync it lets it go."""

import ctypes
import os
import struct
from pathlib import Path
from time import perf_counter

from tests.bench.process import readable

CLOSED, IS_FOLDER = 0x10, 0x40000000
"""IN_CLOSE_NOWRITE and IN_ISDIR of inotify(7)."""
HEAD = struct.Struct("iIII")

_libc = ctypes.CDLL(None, use_errno=True)


class Watched:
    """One folder; `closed` waits until it was opened and closed as a folder."""

    def __init__(self, folder: Path) -> None:
        self._file = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._file < 0 or _libc.inotify_add_watch(self._file, os.fsencode(folder), CLOSED) < 0:
            raise OSError(ctypes.get_errno(), "inotify", str(folder))

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        os.close(self._file)

    def closed(self, seconds: float) -> float:
        """Give when the folder itself was let go; raise TimeoutError where that does not happen in time."""
        until = perf_counter() + seconds
        while readable(self._file, max(0.0, until - perf_counter())):
            now, data = perf_counter(), os.read(self._file, 4096)
            while data:
                _, mask, _, length = HEAD.unpack_from(data)
                if mask & IS_FOLDER and not length:
                    return now
                data = data[HEAD.size + length :]
        raise TimeoutError("the folder was not synced")
