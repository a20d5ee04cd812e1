"""The kill latch as the daemon sees it: files whose presence alone forbids risk, whatever else works.

How they are made and what they mean stands in joed/protocol.py, for joectl makes them too. Here is the quick look
before each send, and the habit of a guard: what cannot be looked at, or is misspelt, counts as a kill.
"""

import os
from contextlib import suppress
from itertools import islice
from pathlib import Path

from msgspec import Struct

from joed import protocol
from joed.model.values import Scope

NAMES_MAX = 256
"""How many names of the directory are searched for misspelt latches; the right ones are asked for by name."""
DEFAULT = Scope(protocol.SCOPE_DEFAULT)


Marks = tuple[tuple[str, int, int, int], ...]
"""What tells one kill from the next: each file's name, inode, size and time."""


class Latch(Struct, frozen=True):
    """A kill in force: the widest scope, and the uid that owns its file (-1: it cannot be seen)."""

    scope: Scope
    uid: int


class Latches:
    """The latch directory of one state directory: `Places.latch`."""

    def __init__(self, directory: Path) -> None:
        assert directory.name == protocol.LATCH_DIR, directory
        self.directory = directory
        self.state_dir = directory.parent
        self._kill = str(directory / protocol.LATCH)
        self._covered: Marks = ()
        self._drilled: Marks = ()

    def present(self) -> bool:
        """Say whether a kill is in force, in one system call: `permit` asks before each send that adds risk."""
        try:
            os.lstat(self._kill)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def read(self) -> Latch | None:
        """Give the kill in force, None where there is none."""
        try:
            found = protocol.read_latch(self.state_dir)
            strange = [] if found else self._misspelt()
        except OSError:
            return Latch(DEFAULT, -1)
        if found:
            return Latch(Scope(found.scope), found.uid)
        return _owned(strange[0]) if strange else None

    def write(self, scope: Scope) -> None:
        """Latch a kill, durably; it may be there already, also as somebody else's."""
        protocol.latch(self.state_dir, scope)

    def marks(self) -> Marks:
        """Give the marks of the files as they are now."""
        try:
            with os.scandir(self.directory) as entries:
                found = [(entry.name, entry.stat(follow_symlinks=False)) for entry in islice(entries, NAMES_MAX)]
        except OSError:
            return ()
        return tuple(sorted((name, seen.st_ino, seen.st_size, seen.st_mtime_ns) for name, seen in found))

    def rehearse(self, scope: Scope) -> str:
        """Make a drill's files, durably; give what hindered it. What lies there already, or comes later, is real."""
        if self.marks():
            return "somebody has killed"
        try:
            self.write(scope)
        except OSError as error:
            return f"the latch could not be made: {error.strerror}"
        self._drilled = self.marks()
        return ""

    def cover(self, *, drill: bool) -> None:
        """Remember the kill that a release was decided for, or that a drill made: another may come meanwhile."""
        self._covered = self._drilled if drill else self.marks()

    def release(self) -> None:
        """Take away every kill that the release covers; what came since stays, what cannot be removed kills again."""
        if self.marks() == self._covered:
            with suppress(OSError):
                self.clear()

    def clear(self) -> None:
        """Take every kill away, durably, the one that `permit` sees last: an interrupted release has not happened."""
        for file in self._misspelt():
            file.unlink(missing_ok=True)
        with suppress(FileNotFoundError):  # no directory, no latch
            protocol.unlatch(self.state_dir)

    def _misspelt(self) -> list[Path]:
        """Give the files that were meant to kill: `KILL-all`, `kill`."""
        known = {protocol.LATCH, *(f"{protocol.LATCH}-{scope}" for scope in Scope)}
        try:
            with os.scandir(self.directory) as entries:
                names = [entry.name for entry in islice(entries, NAMES_MAX)]
        except FileNotFoundError:
            return []
        return [self.directory / name for name in sorted(names) if _means_kill(name) and name not in known]


def _means_kill(name: str) -> bool:
    return name.upper().startswith(protocol.LATCH)


def _owned(file: Path) -> Latch | None:
    """Give the latch that a misspelt file is, None where it has just gone."""
    try:
        return Latch(DEFAULT, file.lstat().st_uid)
    except FileNotFoundError:
        return None
