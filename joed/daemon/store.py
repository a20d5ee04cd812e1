"""The journal's file: facts and tape, hash-chained and append-only. What was not committed does not exist."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from joed.daemon import archive, chain, record, schema
from joed.daemon.chain import AT_START, Blocks, Bounds, JournalBehind, JournalDamaged
from joed.daemon.record import SEAL, Block, Row
from joed.daemon.sidecars import Ballast, Head, Witness
from joed.model.commands import Command
from joed.model.events import Event

Fact = tuple[int, int, str, str, bytes, bytes]
"""A record as it is handed over: seq, now, session, kind, event and commands as JSON."""

Entry = tuple[int, int, Event, list[Command]]
"""A record as it is read back: seq, now, event, commands."""

BLOCK_ROWS_MAX = 2_000
"""So long is a block at most: packing one takes a fraction of a millisecond, and holds Python's lock."""

SNAPSHOTS_KEPT = 3
STRETCH, STRETCHES, STRETCH_BYTES = "stretch-{}", 64, 1 << 16
"""In all as long as the write-ahead log gets before an idle moment folds it."""
COMMIT_BYTES = 12_288
"""What a commit writes besides its records: the pages that they share with others."""


class Store:
    """One journal, open to be written by one thread; `commit` is the only point where anything becomes durable.

    Every seq is used once and none is left out, be it a fact or a row of tape. All methods raise sqlite3.Error where
    the disk fails; what was added and not committed is then still there, and may be committed again.
    """

    def __init__(self, path: Path, db: sqlite3.Connection, ballast: Ballast) -> None:
        self.path = path
        self.ballast = ballast
        self.ballast_spent = False
        self.unfolded_bytes = 0
        self._db = db
        self._witnesses = [Witness(chain.name_witness(path))]
        self._rows: list[Row] = []
        self._blocks: list[Block] = []
        self._facts: list[Fact] = []
        self._snapshots: list[tuple[int, int, int, bytes, bytes]] = []
        self._head = self._read_head()
        self._added = self._head.seq

    @classmethod
    def open(cls, path: Path, *, bounds: Bounds | None = AT_START, ballast_bytes: int = 0) -> "Store":
        """Open a journal, or make it; `bounds` says how much of an old one is checked first (None: nothing).

        Raises JournalDamaged, and then has changed nothing; JournalNewer for a newer joed's file. On a full disk the
        ballast is given up, once.
        """
        ballast = Ballast(path.with_name("ballast"), ballast_bytes)
        try:
            store = cls._open(path, bounds, ballast)
        except sqlite3.OperationalError as error:
            if not is_full(error) or not ballast.free():
                raise
            store = cls._open(path, bounds, ballast)
            store.ballast_spent = True
        if not store.ballast_spent:
            ballast.make()
        return store

    @classmethod
    def _open(cls, path: Path, bounds: Bounds | None, ballast: Ballast) -> "Store":
        if bounds is not None:
            _check(path, bounds)
        return cls(path, schema.connect(path), ballast)

    def close(self) -> None:
        """Let go of the file; what was added and not committed is gone."""
        for witness in self._witnesses:
            witness.close()
        self._db.close()

    def bear_witness(self, path: Path | None) -> None:
        """Tell each durable head to this file too, from the next commit on; where it cannot be made, go on without."""
        with contextlib.suppress(OSError):
            self._witnesses += [Witness(path)] if path is not None else []

    def last(self) -> int:
        """Give the newest durable seq, 0 in an empty journal."""
        return self._head.seq

    @property
    def added(self) -> int:
        """Give the newest seq that was added, durable or not."""
        return self._added

    def add(self, seq: int, now: int, session: str, event: Event, commands: Sequence[Command]) -> None:
        """Add a fact and what was decided on it."""
        fact = (seq, now, session, record.kind_of(event), record.encode_event(event), record.encode_commands(commands))
        self.add_fact(fact)

    def add_fact(self, fact: Fact) -> None:
        """Add a fact that is bytes already."""
        self._follow(fact[0])
        self._facts.append(fact)

    def add_tape(self, seq: int, now: int, event: Event) -> None:
        """Add a row of tape: an event that led to no command and changes no book."""
        self.add_rows([(seq, now, event)])

    def add_rows(self, rows: Sequence[Row]) -> None:
        """Add rows of tape, each the next seq after the one before it."""
        first, last = rows[0][0], rows[-1][0]
        assert (first, last) == (self._added + 1, self._added + len(rows)), f"{first} does not follow {self._added}"
        self._added = last
        self._rows.extend(rows)
        full = len(self._rows) - len(self._rows) % BLOCK_ROWS_MAX
        if full:
            self._seal(full)

    def add_snapshot(self, seq: int, now: int, state: bytes, *, kept: bool = False) -> None:
        """Add the State as it was after `seq`; the newest three stay, and those that are `kept` (a session's first)."""
        assert seq <= self._added, f"snapshot of {seq}, past {self._added}"
        self._snapshots.append((seq, now, int(kept), record.digest_snapshot(seq, now, state), state))

    def commit(self) -> int:
        """Make all that was added durable, in one transaction, and give the newest durable seq."""
        if self._rows:
            self._seal(len(self._rows))
        if not (self._blocks or self._facts or self._snapshots):
            return self._head.seq
        head = self._with_ballast()
        self._blocks, self._facts, self._snapshots = [], [], []
        if head != self._head:
            self._head = head
            for witness in self._witnesses:
                witness.write(head)
        return head.seq

    def read(self, after_seq: int = 0) -> Iterator[Entry]:
        """Give all durable records after this one, facts and tape in the order of seq.

        Raises JournalDamaged at a record or block that is not what was sealed, is missing or can't be read; where tape
        was pruned, its rows are left out.
        """
        tape = self._read_tape(after_seq)
        row = next(tape, None)
        facts = "SELECT seq, at_ns, event, commands FROM records WHERE seq > ? AND kind <> 'Tape' ORDER BY seq"
        for seq, now, event, commands in self._db.execute(facts, (after_seq,)):
            while row is not None and row[0] < seq:
                yield (*row, [])
                row = next(tape, None)
            try:
                yield seq, now, record.decode_event(event), record.decode_commands(commands)
            except msgspec.DecodeError as error:
                raise JournalDamaged(self.path, seq, f"cannot be read: {error}") from error
        while row is not None:
            yield (*row, [])
            row = next(tape, None)

    def latest_snapshot(self) -> tuple[int, int, bytes] | None:
        """Give the newest State with its seq and time, None where there is none yet."""
        return self.snapshot_before(self._head.seq)

    def snapshot_before(self, seq: int) -> tuple[int, int, bytes] | None:
        """Give the newest State that is not past this seq."""
        row = self._db.execute(
            "SELECT seq, at_ns, state, digest FROM snapshots WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (seq,)
        ).fetchone()
        if row is None:
            return None
        if record.digest_snapshot(*row[:3]) != row[3]:
            raise JournalDamaged(self.path, row[0], "the snapshot differs from its digest")
        return row[0], row[1], row[2]

    def sessions(self) -> list[tuple[str, int, int]]:
        """Give each session with its first and last fact, oldest first."""
        query = "SELECT session, min(seq), max(seq) FROM records WHERE kind <> 'Tape' GROUP BY session ORDER BY 2"
        return [(row[0], row[1], row[2]) for row in self._db.execute(query)]

    def meta(self, key: str) -> str | None:
        """Give what is noted under a key: the schema's version, the epoch, the account the journal belongs to."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Note a value, durable on return."""
        try:
            self._write_meta(key, value)
        except sqlite3.OperationalError as error:
            self._spend_ballast(error)
            self._write_meta(key, value)

    def epoch(self) -> int:
        """Give the epoch of the newest life of joed, 0 before the first."""
        return int(self.meta("epoch") or 0)

    def next_epoch(self, at_least: int = 1) -> int:
        """Begin an epoch above all before it and not below `at_least` (one above any at a broker); it is durable."""
        epoch = max(self.epoch() + 1, at_least)
        self.set_meta("epoch", str(epoch))
        return epoch

    def move_tape(self, session: str, *, at_most: int | None = None) -> int:
        """Move durable blocks of tape, the oldest first, to `tape/<session>.db`; give how many were moved."""
        return archive.move_tape(self.path, self._db, session, at_most)

    def prune_tape(self, keep_days: int) -> list[str]:
        """Delete the tape files that end this many days before the newest record, and give their sessions."""
        return archive.prune_tape(self.path, self._db, keep_days)

    def backup(self, path: Path) -> None:
        """Write a whole copy of what is durable to this path, which appears only when the copy is complete."""
        archive.backup(self.path, path)

    def fold(self) -> None:
        """Carry the write-ahead log into the file, as far as readers allow (a checkpoint; PASSIVE waits for nobody)."""
        self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        self.unfolded_bytes = 0

    def stretch(self) -> None:
        """Give the write-ahead log its size ahead of need: a commit that grows no file takes half the time.

        Notes lengthen it and are taken away again; their pages stay free in the file, to be used later.
        """
        value = "0" * STRETCH_BYTES  # many small ones: the memory that a large one takes is not given back
        with schema.transaction(self._db):
            for key in map(STRETCH.format, range(STRETCHES)):
                digest = schema.digest_meta(key.encode(), value.encode())
                self._db.execute("INSERT OR REPLACE INTO meta VALUES(?, ?, ?)", (key, value, digest))
        with schema.transaction(self._db):
            self._db.execute("DELETE FROM meta WHERE key GLOB ?", (STRETCH.format("*"),))
        self.fold()

    def _follow(self, seq: int) -> None:
        assert seq == self._added + 1, f"record {seq} does not follow {self._added}"
        self._added = seq

    def _seal(self, count: int) -> None:
        """Pack the oldest rows into blocks."""
        for begin in range(0, count, BLOCK_ROWS_MAX):
            self._blocks.append(record.seal_rows(self._rows[begin : min(begin + BLOCK_ROWS_MAX, count)]))
        self._rows = self._rows[count:]

    def _with_ballast(self) -> Head:
        try:
            return self._write()
        except sqlite3.OperationalError as error:
            self._spend_ballast(error)
            return self._write()

    def _spend_ballast(self, error: sqlite3.OperationalError) -> None:
        """Give the ballast up where that may help; raise the error again where it can't."""
        if not is_full(error) or not self.ballast.free():
            raise error
        self.ballast_spent = True

    def _write(self) -> Head:
        chained, head = self._chained()
        with schema.transaction(self._db):
            if self._blocks:
                self._db.executemany("INSERT INTO tape VALUES(?, ?, ?, ?, ?)", map(_columns, self._blocks))
            self._db.executemany("INSERT INTO records VALUES(?, ?, ?, ?, ?, ?, ?)", chained)
            if self._snapshots:
                self._db.executemany("INSERT OR REPLACE INTO snapshots VALUES(?, ?, ?, ?, ?)", self._snapshots)
                self._db.execute(
                    "DELETE FROM snapshots WHERE NOT kept AND seq NOT IN"
                    " (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)",
                    (SNAPSHOTS_KEPT,),
                )
        self._count_written(chained)
        return head

    def _count_written(self, chained: Sequence[tuple[int, int, str, str, str, str, bytes]]) -> None:
        """Estimate what the write-ahead log grew by: its size on disk is no guide, it is reused from its start."""
        self.unfolded_bytes += COMMIT_BYTES + sum(len(row[4]) + len(row[5]) for row in chained)
        self.unfolded_bytes += sum(len(block.rows) for block in self._blocks)
        self.unfolded_bytes += sum(len(row[4]) for row in self._snapshots)

    def _chained(self) -> tuple[list[tuple[int, int, str, str, str, str, bytes]], Head]:
        """Give the records of this commit in the order of seq, each with its hash, and the new end of the chain."""
        session = self._facts[-1][2] if self._facts else ""
        facts = [*self._facts]
        facts += [(b.seal.last, b.at_ns, session, SEAL, record.encode_seal(b.seal), b"[]") for b in self._blocks]
        facts.sort()
        chained, (seq, previous) = [], self._head
        for seq, at_ns, name, kind, event, issued in facts:
            previous = record.chain(previous, seq, at_ns, name.encode(), kind.encode(), event, issued)
            chained.append((seq, at_ns, name, kind, event.decode(), issued.decode(), previous))
        return chained, Head(seq, previous)

    def _write_meta(self, key: str, value: str) -> None:
        row = (key, value, schema.digest_meta(key.encode(), value.encode()))
        with schema.transaction(self._db):
            self._db.execute("INSERT OR REPLACE INTO meta VALUES(?, ?, ?)", row)

    def _read_head(self) -> Head:
        row = self._db.execute("SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1").fetchone()
        return Head(row[0], row[1]) if row else Head(0, record.GENESIS)

    def _read_tape(self, after_seq: int) -> Iterator[Row]:
        blocks = Blocks(self.path, self._db)
        try:
            seals = "SELECT seq, event FROM records WHERE kind = 'Tape' AND seq > ? ORDER BY seq"
            for seq, event in self._db.execute(seals, (after_seq,)):
                try:
                    rows = record.decode_rows(blocks.fetch(record.decode_seal(event)) or b"\x90")
                except msgspec.DecodeError as error:
                    raise JournalDamaged(self.path, seq, f"its tape cannot be read: {error}") from error
                yield from (row for row in rows if row[0] > after_seq)
        finally:
            blocks.close()


def is_full(error: sqlite3.Error) -> bool:
    """Say whether space would help: the disk is full, or has no room for the shared index."""
    return getattr(error, "sqlite_errorname", "") in {"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"}


def _columns(block: Block) -> tuple[int, int, int, bytes, bytes]:
    seal = block.seal
    return seal.first, seal.last, seal.count, block.rows, bytes.fromhex(seal.digest)


def _check(path: Path, bounds: Bounds) -> None:
    if path.exists():
        chain.check(path, bounds)
        return
    witness = chain.name_witness(path)
    if (head := chain.witnessed(path)) is not None:
        what = f"gone, but {head.seq} records were durable (to begin anew, take {witness.name} away too)"
        raise JournalBehind(path, 0, what)
