"""Reading the journal with suspicion: every hash, every link, every block; the first that is wrong has a name."""

import sqlite3
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import msgspec

from joed.daemon import record, schema
from joed.daemon.record import Seal
from joed.daemon.sidecars import Head, read_witness
from joed.errors import JoedError

Progress = Callable[[int], object]
"""Is told how many records have been checked, now and then."""

PROGRESS_EACH = 10_000

PASSING = tuple(
    f"SQLITE_{name}" for name in ("IOERR", "CANTOPEN", "BUSY", "LOCKED", "FULL", "READONLY", "NOMEM", "PERM")
)
"""SQLite's names for what another moment, or another disk, may mend: the beginnings."""

Stored = tuple[int, int, bytes, bytes, bytes, bytes, bytes]
"""A record's columns as they lie in the file."""


class JournalDamaged(JoedError):
    """The journal is not what was written: `seq` is the first record that is wrong, 0 where the file itself is."""

    def __init__(self, path: Path, seq: int, what: str) -> None:
        super().__init__(f"{path}: record {seq}: {what}" if seq else f"{path}: {what}")
        self.path, self.seq, self.what = path, seq, what


class JournalBehind(JournalDamaged):
    """The journal ends before what had been durable: its end was lost, or an older copy was put in its place."""


class JournalNewer(JoedError):
    """The file was written by a newer joed."""


class Bounds(msgspec.Struct, frozen=True):
    """How much is checked, newest first; None is all. Pages are checked only in a file of no more than `file_bytes`."""

    records: int | None = None
    tape_bytes: int | None = None
    file_bytes: int | None = None


AT_START = Bounds(records=100_000, tape_bytes=64 << 20, file_bytes=256 << 20)
"""What fits into a start; the rest is the audit's. A journal of some weeks lies within it whole."""

EVERYTHING = Bounds()


class Checked(msgspec.Struct):
    """What a check went through, and where the chain ends."""

    head: Head = Head(0, record.GENESIS)
    records: int = 0
    blocks: int = 0
    blocks_pruned: int = 0
    snapshots: int = 0


def name_witness(path: Path) -> Path:
    """Name the witness of this journal."""
    return path.with_name(path.name + "-head")


def witnessed(path: Path) -> Head | None:
    """Give the newest head known to have been durable, None where nobody says."""
    try:
        return read_witness(name_witness(path))
    except ValueError as error:
        raise JournalDamaged(path, 0, str(error)) from error


def connect_readonly(path: Path) -> sqlite3.Connection:
    """Open a journal to read, beside a running daemon or none; text comes as the bytes that are stored."""
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5.0)
    db.text_factory = bytes
    db.execute("PRAGMA cell_size_check = ON")
    return db


def check(path: Path, bounds: Bounds, progress: Progress | None = None) -> Checked:
    """Check a journal, changing nothing, and give what was found good.

    Raises JournalDamaged with the first record that is wrong, JournalNewer, or sqlite3.OperationalError where the file
    cannot be opened at all.
    """
    witness = witnessed(path)  # before the journal, which may be growing
    db = connect_readonly(path)
    try:
        db.execute("BEGIN")
        return Check(path, db, bounds, progress or (lambda _records: None)).run(witness)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        raise JournalDamaged(path, 0, str(error)) from error
    finally:
        db.close()


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Say whether SQLite cannot make sense of what it reads, rather than cannot read at this moment."""
    return not getattr(error, "sqlite_errorname", "").startswith(PASSING) or "SHORT_READ" in error.sqlite_errorname


class Check:
    """One pass over one journal."""

    def __init__(self, path: Path, db: sqlite3.Connection, bounds: Bounds, progress: Progress) -> None:
        self._path, self._db, self._bounds, self._progress = path, db, bounds, progress
        self._found = Checked()
        self._seals: list[Seal] = []

    def run(self, witness: Head | None) -> Checked:
        """Check everything within the bounds, the chain first: it can name a record, the file's pages cannot."""
        if self._db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            check_schema(self._path, self._db)
            self._check_chain(self._start())
            self._check_blocks()
            self._check_snapshots()
        self._check_witness(witness)
        self._check_pages()
        return self._found

    def _start(self) -> Head:
        """Give where the walk begins: the genesis, or the newest record before the bound that no block reaches over."""
        if self._bounds.records is None:
            return self._found.head
        newest = self._db.execute("SELECT max(seq) FROM records").fetchone()[0] or 0
        before = "SELECT seq, hash FROM records WHERE seq <= ? ORDER BY seq DESC LIMIT 1"
        row = self._db.execute(before, (newest - self._bounds.records,)).fetchone()
        if row is None:
            return self._found.head
        after = "SELECT seq, event, hash FROM records WHERE kind = 'Tape' AND seq > ? ORDER BY seq LIMIT 1"
        seal = self._db.execute(after, (row[0],)).fetchone()
        if seal is not None and self._seal(seal[0], seal[1]).first <= row[0]:
            return Head(seal[0], seal[2])
        return Head(*row)

    def _check_chain(self, head: Head) -> None:
        """Walk the records in order: each follows from the one before it, and no seq is missing.

        Facts may be chained before the seal of the block that they stand in: they wait in `loose` for it.
        """
        seq, previous, covered, loose = head.seq, head.hash, head.seq, 0
        for row in self._records(head.seq):
            seq, stored = self._link(seq, previous, row)
            if row[3] == b"Tape":
                seal = self._seal(seq, row[4])
                if seal.first != covered + 1 or seal.last != seq or seal.count + loose != seq - covered:
                    raise JournalDamaged(self._path, seq, f"tape {seal.first}-{seal.last} does not follow {covered}")
                self._seals.append(seal)
                covered, loose = seq, 0
            elif seq == covered + 1 and not loose:
                covered = seq
            else:
                loose += 1
            previous = stored
        if loose:
            raise JournalDamaged(self._path, covered + 1, "missing")
        self._found.head = Head(seq, previous)

    def _records(self, after: int) -> Iterator[Stored]:
        last = after
        try:
            for row in self._db.execute(
                "SELECT seq, at_ns, session, kind, event, commands, hash FROM records WHERE seq > ? ORDER BY seq",
                (after,),
            ):
                last = row[0]
                self._found.records += 1
                if not self._found.records % PROGRESS_EACH:
                    self._progress(self._found.records)
                yield row
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            raise JournalDamaged(self._path, last + 1, f"unreadable, or one soon after it: {error}") from error

    def _link(self, before: int, previous: bytes, row: Stored) -> tuple[int, bytes]:
        seq, at_ns, session, kind, event, commands, stored = row
        try:
            due = record.chain(previous, seq, at_ns, session, kind, event, commands)
        except (struct.error, TypeError) as error:
            raise JournalDamaged(self._path, seq, f"malformed: {error}") from error
        if due != stored:
            raise JournalDamaged(self._path, seq, f"its hash does not follow from its words and record {before}")
        return seq, stored

    def _seal(self, seq: int, event: bytes) -> Seal:
        try:
            return record.decode_seal(event)
        except msgspec.DecodeError as error:
            raise JournalDamaged(self._path, seq, f"malformed seal: {error}") from error

    def _check_blocks(self) -> None:
        blocks, read_bytes = Blocks(self._path, self._db), 0
        try:
            for seal in reversed(self._seals):
                if self._bounds.tape_bytes is not None and read_bytes > self._bounds.tape_bytes:
                    return
                rows = blocks.fetch(seal)
                self._found.blocks += rows is not None
                self._found.blocks_pruned += rows is None
                read_bytes += len(rows or b"")
        finally:
            blocks.close()

    def _check_snapshots(self) -> None:
        for seq, at_ns, digest, state in self._db.execute(
            "SELECT seq, at_ns, digest, state FROM snapshots ORDER BY seq"
        ):
            if record.digest_snapshot(seq, at_ns, state) != digest:
                raise JournalDamaged(self._path, seq, "the snapshot differs from its digest")
            if seq > self._found.head.seq:
                raise JournalDamaged(self._path, seq, f"a snapshot past the last record, {self._found.head.seq}")
            self._found.snapshots += 1

    def _check_witness(self, witness: Head | None) -> None:
        head = self._found.head
        if witness is None:
            return
        if witness.seq > head.seq:
            what = f"missing: the journal ends at {head.seq}, but {witness.seq} was durable"
            raise JournalBehind(self._path, head.seq + 1, what)
        row = self._db.execute("SELECT hash FROM records WHERE seq = ?", (witness.seq,)).fetchone()
        if row is None or row[0] != witness.hash:
            raise JournalDamaged(self._path, witness.seq, "not the record that was durable")

    def _check_pages(self) -> None:
        if self._bounds.file_bytes is not None and self._path.stat().st_size > self._bounds.file_bytes:
            return
        # Not quick_check: it believes the indexes, and the views read through them.
        words = b" ".join(self._db.execute("PRAGMA integrity_check(1)").fetchone()).decode(errors="replace")
        if words != "ok":
            raise JournalDamaged(self._path, 0, words)


@lru_cache(maxsize=1)
def _expected() -> dict[bytes, bytes]:
    db = sqlite3.connect(":memory:")
    db.text_factory = bytes
    db.executescript(schema.SCRIPT)
    found = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    db.close()
    return found


def check_schema(path: Path, db: sqlite3.Connection) -> None:
    """Raise JournalNewer or JournalDamaged unless tables, guards and views are those of this version, word by word."""
    found = dict(db.execute("SELECT name, sql FROM sqlite_master"))
    rows = db.execute("SELECT key, value, digest FROM meta").fetchall() if b"meta" in found else []
    values = {key: value for key, value, _digest in rows}
    version = values.get(b"schema", b"")
    if version.isdigit() and int(version) > schema.VERSION:
        raise JournalNewer(f"{path}: schema {int(version)}, this joed knows {schema.VERSION}: install the newer one")
    for key, value, digest in rows:
        if schema.digest_meta(key, value) != digest:
            raise JournalDamaged(path, 0, f"meta {key.decode(errors='replace')} differs from its digest")
    first = schema.is_first(db)
    mended = [name.encode() for name in schema.MENDED] if first else []
    wrong = [name for name, sql in _expected().items() if found.get(name) != sql and name not in mended]
    if wrong or not (first or version == str(schema.VERSION).encode()):
        name = wrong[0].decode() if wrong else "version"
        raise JournalDamaged(path, 0, f"its schema is not ours: {name}")


class Blocks:
    """Finds blocks of tape, in the journal or in their session's own file, and believes none without its digest."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self._path, self._db = path, db
        self._session = ""
        self._moved: sqlite3.Connection | None = None

    def fetch(self, seal: Seal) -> bytes | None:
        """Give a block's rows as bytes, None where they were pruned; raise JournalDamaged where they differ."""
        row = self._db.execute("SELECT last, count, digest, rows FROM tape WHERE first = ?", (seal.first,)).fetchone()
        if row is not None:
            if row[:3] != (seal.last, seal.count, bytes.fromhex(seal.digest)):
                raise self._damaged(seal, "is not the block that was sealed")
            rows = row[3]
        elif (rows := self._fetch_moved(seal)) is None:
            return None
        if sha256(rows).hexdigest() != seal.digest:
            raise self._damaged(seal, "differs from its digest")
        return bytes(rows)

    def close(self) -> None:
        """Let go of the session's file."""
        if self._moved is not None:
            self._moved.close()
            self._moved, self._session = None, ""

    def _fetch_moved(self, seal: Seal) -> bytes | None:
        where = "SELECT CAST(session AS BLOB), pruned FROM tapes WHERE first <= ? AND last >= ? ORDER BY first LIMIT 1"
        row = self._db.execute(where, (seal.first, seal.last)).fetchone()
        if row is None:
            raise self._damaged(seal, "is gone")
        session, pruned = row[0].decode(), row[1]
        file = self._path.parent / "tape" / f"{session}.db"
        if not file.is_file():
            if pruned:
                return None
            raise self._damaged(seal, f"is gone with tape/{file.name}")
        try:
            return self._unpack(seal, file, session)
        except (sqlite3.DatabaseError, zlib.error) as error:
            raise self._damaged(seal, f"in tape/{file.name}: {error}") from error

    def _unpack(self, seal: Seal, file: Path, session: str) -> bytes:
        if self._moved is None or self._session != session:
            self.close()
            self._moved, self._session = connect_readonly(file), session
        row = self._moved.execute("SELECT rows FROM tape WHERE first = ?", (seal.first,)).fetchone()
        if row is None:
            raise self._damaged(seal, f"is not in tape/{file.name}")
        return zlib.decompress(row[0])

    def _damaged(self, seal: Seal, what: str) -> JournalDamaged:
        return JournalDamaged(self._path, seal.last, f"tape {seal.first}-{seal.last} {what}")
