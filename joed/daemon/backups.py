"""A copy of the record after each session, verified before it counts; the newest so many are kept.

`backup/<session>/` holds what a restore needs: the journal and the key of our order ids. It is made while joed still
lives, a minute after the close (around the clock: when the day has turned), in a thread, beside whoever writes.
"""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from joed.daemon import archive, chain
from joed.daemon.chain import Bounds
from joed.daemon.clock import utc_ns
from joed.daemon.log import Log
from joed.daemon.places import Places
from joed.errors import JoedError
from joed.model.commands import RaiseAlert
from joed.model.state import State
from joed.model.values import MINUTE, Severity

LOOK_EVERY_S = 5.0
AFTER_CLOSE_NS = MINUTE
"""How long after the close the last fills have to arrive."""
ROOM = 2
"""So many times the journal's size must be free: a backup shall not be what fills the disk."""
WITHOUT_TAPE = Bounds(tape_bytes=0)
"""The quotes of earlier sessions lie in files of their own and are not in a backup; every record is checked."""


class Backups:
    """Looks, now and then, whether a session has ended whose record was not yet copied."""

    def __init__(self, places: Places, keep: int, state: State, alert: Callable[[RaiseAlert], None], log: Log) -> None:
        """Keep the newest `keep` of them; a failure is told by `alert`, once a session."""
        self._places, self._keep, self._state = places, keep, state
        self._alert, self._log = alert, log
        self._seen = self._tried = ""

    async def run(self) -> None:
        """Look until cancelled."""
        while self._keep:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Copy what is due."""
        session = self.due()
        if session and session != self._tried and not (self._places.backup / session).exists():
            self._tried = session
            await self._make(session)

    def due(self) -> str:
        """Name the session that has ended, "" where none has since the last look."""
        day, before = self._state.day, self._seen
        over = bool(day.session) and self._state.now >= day.close_ns + AFTER_CLOSE_NS
        self._seen = day.session or before
        return day.session if over else before if before != day.session else ""

    async def _make(self, session: str) -> None:
        try:
            words = await asyncio.to_thread(make, self._places, session, self._keep)
        except (OSError, sqlite3.Error, JoedError) as error:
            said = f"the record of {session} could not be copied: {error}"
            self._log.error("backup_failed", session=session, error=str(error))
            self._alert(RaiseAlert(f"backup_failed:{session}", Severity.WARNING, said))
        else:
            self._log.info("backup_made", session=session, words=words)


def make(places: Places, session: str, keep: int) -> str:
    """Copy the record, check the copy whole, let the oldest go; give in words what it holds.

    Raises OSError, sqlite3.Error, or JournalDamaged where the copy does not hold; nothing of it is left then.
    """
    size, folder = places.journal.stat().st_size, places.backup
    if (free := shutil.disk_usage(folder).free) < ROOM * size:
        raise OSError(f"{free >> 20} MiB are free, {ROOM * size >> 20} would be needed ({folder})")
    part = folder / f".{session}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    try:
        archive.backup(places.journal, part / places.journal.name)
        _copy_key(places.id_key, part / places.id_key.name)
        found = chain.check(part / places.journal.name, WITHOUT_TAPE)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    part.replace(folder / session)
    for old in names(folder)[:-keep]:
        shutil.rmtree(folder / old, ignore_errors=True)
    return f"{found.records} records, up to {found.head.seq} {found.head.hash.hex()}"


def names(folder: Path) -> list[str]:
    """Name the sessions that have a backup, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(each.name for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))


def newest(folder: Path) -> tuple[str, float] | None:
    """Give the newest backup's session and its age in ns, None where there is none."""
    found = names(folder)
    return (found[-1], utc_ns() - (folder / found[-1]).stat().st_mtime_ns) if found else None


def _copy_key(key: Path, copy: Path) -> None:
    descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(key.read_bytes())
        out.flush()
        os.fsync(out.fileno())
