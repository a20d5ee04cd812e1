"""The two small files beside the journal: the witness of what was durable, and the ballast for a full disk."""

import contextlib
import errno
import os
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

WITNESS_BYTES = 20 + 1 + 64 + 1 + 16 + 1


class Head(NamedTuple):
    """The end of the chain: the last record's seq and hash."""

    seq: int
    hash: bytes


class Witness:
    """Remembers the newest head that a commit made durable, so that a journal that lost its end is seen to have.

    SQLite drops a torn write-ahead log without a word, whether or not what it held had been durable. The witness is
    written after each commit, without a sync of its own: it may lag behind the journal, never run ahead of it. Its line
    fits a sector, so a power cut leaves the old one or the new one.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o640)
        if os.fstat(self._file).st_size < WITNESS_BYTES:
            # Its block is allocated now, so that a disk that fills up later cannot stop it.
            with contextlib.suppress(OSError):
                os.pwrite(self._file, bytes(WITNESS_BYTES), 0)
                os.fsync(self._file)

    def write(self, head: Head) -> None:
        """Note a head that is durable; a failure only leaves the older word standing."""
        with contextlib.suppress(OSError):
            os.pwrite(self._file, _line(head), 0)

    def close(self) -> None:
        """Let go of the file; twice is once."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _line(head: Head) -> bytes:
    words = f"{head.seq:020d} {head.hash.hex()} "
    return f"{words}{_check(words)}\n".encode()


def _check(words: str) -> str:
    return sha256(words.encode()).hexdigest()[:16]


def read_witness(path: Path) -> Head | None:
    """Give what was durable, or None where nobody says; raise ValueError where the file is no witness."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    if not data.strip(b"\0"):
        return None
    words, check = data[:86].decode(errors="replace"), data[86:].decode(errors="replace")
    if check != _check(words) + "\n":
        raise ValueError(f"{path.name} is no witness")
    return Head(int(words[:20]), bytes.fromhex(words[21:85]))


class Ballast:
    """Holds disk space back while all is well, to be given up when the disk is full: last words need room."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes

    @property
    def wanted(self) -> bool:
        """Say whether there is to be one at all."""
        return self._size_bytes > 0

    @property
    def held(self) -> bool:
        """Say whether the space is really there, not just a sparse file's promise."""
        try:
            found = self._path.lstat()
        except FileNotFoundError:
            return False
        return found.st_size >= self._size_bytes and found.st_blocks * 512 >= self._size_bytes

    def make(self) -> bool:
        """Take the space if there is twice as much; say whether all that is wanted is held.

        With less, the disk would be full again at once, for the journal and for its neighbours.
        """
        if not self.wanted or self.held:
            return True
        disk = os.statvfs(self._path.parent)
        if disk.f_bavail * disk.f_frsize < 2 * self._size_bytes:
            return False
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            file = os.open(self._path, flags, 0o600)
            try:
                os.posix_fallocate(file, 0, self._size_bytes)
                os.fsync(file)
            finally:
                os.close(file)
        except OSError:
            # Half a ballast would take from a full disk what the journal needs.
            self.free()
            return False
        return True

    def free(self) -> bool:
        """Give the space up; say whether there was any."""
        try:
            self._path.unlink()
        except OSError as error:
            # A read-only disk cannot be helped with space.
            if error.errno not in {errno.ENOENT, errno.EROFS}:
                raise
            return False
        return True


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a new file's own sync does not."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
