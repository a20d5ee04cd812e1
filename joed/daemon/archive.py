"""What leaves the journal's file: the tape of past sessions, in files of their own, and backups."""

import re
import sqlite3
import zlib
from pathlib import Path

from joed.daemon import schema
from joed.daemon.sidecars import sync_folder
from joed.model.values import DAY

MOVED_AT_ONCE = 32
"""So many blocks are in hand at a time, a few megabytes at most."""

SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
"""What may name a tape file."""

Stored = tuple[int, int, int, bytes]
"""A block as it lies in the journal: first, last, count, rows."""


def name_folder(path: Path) -> Path:
    """Name the folder of this journal's tape files."""
    return path.with_name("tape")


def move_tape(path: Path, db: sqlite3.Connection, session: str, at_most: int | None = None) -> int:
    """Move durable blocks of tape, the oldest first, to the session's own file; give how many were moved.

    A block is durable there before it leaves here, and its digest in the chain holds in both places.
    """
    if not SESSION.match(session):
        raise ValueError(f"session {session!r} cannot name a file")
    moved = 0
    while at_most is None or moved < at_most:
        count = MOVED_AT_ONCE if at_most is None else min(MOVED_AT_ONCE, at_most - moved)
        blocks = db.execute("SELECT first, last, count, rows FROM tape ORDER BY first LIMIT ?", (count,)).fetchall()
        if not blocks:
            break
        _store(name_folder(path), session, blocks)
        _forget(db, session, blocks)
        moved += len(blocks)
    return moved


def _store(folder: Path, session: str, blocks: list[Stored]) -> None:
    folder.mkdir(mode=0o750, exist_ok=True)
    file = sqlite3.connect(folder / f"{session}.db", isolation_level=None)
    try:
        file.execute("PRAGMA synchronous = FULL")
        file.executescript(schema.MOVED)
        packed = [(first, last, count, zlib.compress(rows)) for first, last, count, rows in blocks]
        with schema.transaction(file):
            file.executemany("INSERT OR REPLACE INTO tape VALUES(?, ?, ?, ?)", packed)
    finally:
        file.close()
    sync_folder(folder)


def _forget(db: sqlite3.Connection, session: str, blocks: list[Stored]) -> None:
    first, last = blocks[0][0], blocks[-1][1]
    at_ns = db.execute("SELECT at_ns FROM records WHERE seq = ?", (last,)).fetchone()[0]
    with schema.transaction(db):
        db.execute(
            "INSERT INTO tapes VALUES(?, ?, ?, ?, 0) ON CONFLICT(session) DO UPDATE"
            " SET last = excluded.last, at_ns = excluded.at_ns, pruned = 0",
            (session, first, last, at_ns),
        )
        db.execute("DELETE FROM tape WHERE first BETWEEN ? AND ?", (first, last))


def prune_tape(path: Path, db: sqlite3.Connection, keep_days: int) -> list[str]:
    """Delete the tape files that end more than so many days before the newest record, and give their sessions.

    The States kept to replay those sessions go with them. It is noted first: a file that is gone unnoted is damage.
    """
    newest = db.execute("SELECT at_ns FROM records ORDER BY seq DESC LIMIT 1").fetchone()
    if newest is None:
        return []
    query = "SELECT session, last FROM tapes WHERE at_ns < ? ORDER BY last"
    gone = []
    for session, last in db.execute(query, (newest[0] - keep_days * DAY,)).fetchall():
        with schema.transaction(db):
            db.execute("UPDATE tapes SET pruned = 1 WHERE session = ?", (session,))
            db.execute("UPDATE snapshots SET kept = 0 WHERE seq <= ?", (last,))
        file = name_folder(path) / f"{session}.db"
        if file.exists():
            file.unlink()
            gone.append(session)
    if gone:
        sync_folder(name_folder(path))
    return gone


def backup(path: Path, copy: Path) -> None:
    """Write a whole copy of what is durable in a journal, while it is written to or not, from any thread.

    The copy appears under its name only when it is complete.
    """
    part = copy.with_name(copy.name + ".part")
    part.unlink(missing_ok=True)
    source = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
    target = sqlite3.connect(part, isolation_level=None)
    try:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")  # one file, whole without a -wal beside it
    finally:
        target.close()
        source.close()
    part.replace(copy)
    sync_folder(copy.parent)
