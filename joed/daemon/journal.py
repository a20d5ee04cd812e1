"""The journal's writer: one thread that makes records durable, in order, many at once, while the loop goes on."""

import contextlib
import errno
import os
import sqlite3
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from joed.daemon import chain, record
from joed.daemon.chain import Bounds
from joed.daemon.record import Row
from joed.daemon.store import BLOCK_ROWS_MAX, Fact, Store
from joed.errors import JoedError
from joed.model.commands import Command
from joed.model.events import Event

TAPE_WAIT_S = 1.0
"""Tape waits so long at most for a record to share a commit with."""

RETRY_S = 1.0
OPEN_WAIT_S = 60.0
SLOW_S, HUNG_S = 2.0, 10.0
"""A disk that has not answered for so long is told of; for so long, it has failed: entries end (reliability F25)."""
WAL_IDLE_BYTES = 4 << 20
"""So much in the write-ahead log is worth an idle moment; past the next, it is worth making a commit wait."""

WAL_BYTES_MAX = 64 << 20
CHORE_BLOCKS = 4

RESTORED = Bounds(records=10_000, tape_bytes=8 << 20, file_bytes=0)
"""What is checked before a journal that had failed is trusted again."""

RETRIED = {
    "SQLITE_FULL": "FULL",
    "SQLITE_IOERR_SHMSIZE": "FULL",
    "SQLITE_READONLY": "READONLY",
    "SQLITE_READONLY_DBMOVED": "READONLY",
    "SQLITE_READONLY_DIRECTORY": "READONLY",
    "SQLITE_BUSY": "BUSY",
    "SQLITE_CANTOPEN": "CANTOPEN",
}
"""Failures that may pass, by SQLite's name for them; after any other the process must end and recover."""

PROBED = {errno.ENOSPC: "FULL", errno.EDQUOT: "FULL", errno.EROFS: "READONLY"}
"""What a failed write turns out to be when the folder is asked; a failed sync is never asked about, nor repeated."""

Chore = Callable[[Store], bool]
"""Work for an idle moment, in small portions: gives True while there is more."""


def call(function: Callable[..., object], *args: object) -> object:
    """Call at once: for those who have no loop."""
    return function(*args)


def ignore(*_args: object) -> None:
    """Take no notice."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whom the writer tells; all but `on_commit` go through `notify` (the loop's call_soon_threadsafe).

    `on_durable(seq)` after each commit, `on_failed(reason)` once for each failure, `on_restored()` when it is over,
    `on_slow(words)` where the disk keeps the writer waiting, `on_undone(words)` where tape was not moved or pruned,
    `on_commit(seconds, records)` in the writer's thread, if `monotonic_ns` is given.
    """

    notify: Callable[..., object] = call
    on_durable: Callable[[int], object] = ignore
    on_failed: Callable[[str], object] = ignore
    on_restored: Callable[[], object] = ignore
    on_slow: Callable[[str], object] = ignore
    on_undone: Callable[[str], object] = ignore
    on_commit: Callable[[float, int], object] = ignore
    monotonic_ns: Callable[[], int] = int  # a clock that stands still


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A State on its way to the file."""

    seq: int
    now: int
    state: bytes
    kept: bool


class Journal:
    """Takes records from the loop and makes them durable in their order.

    `durable` is the newest seq that is; all before it are too. `failed` says why commits fail, "" while they do not:
    FULL (also while the journal lives on its ballast), READONLY, BUSY and CANTOPEN are retried each second; at SLOW the
    disk does not answer, and may yet. At EIO and FAULT the writer has ended; at QUEUE, too many wait, it takes no more.
    Then it is `dead`: the process must end.
    """

    def __init__(
        self,
        path: Path,
        hooks: Hooks | None = None,
        *,
        bounds: Bounds | None = None,
        ballast_bytes: int = 0,
        queue_size_max: int = 100_000,
        witness: Path | None = None,
    ) -> None:
        """Open the journal in a thread of its own; raise what Store.open raises.

        `bounds` is None: whoever recovered has just checked this file. `witness` elsewhere is told each head too.
        """
        self.durable, self.appended, self.failed, self.dead = 0, 0, "", False
        self._path, self._hooks, self._witness = path, hooks or Hooks(), witness
        self._bounds, self._ballast_bytes, self._queue_size_max = bounds, ballast_bytes, queue_size_max
        self._queue: deque[Row | Fact | Snapshot] = deque()
        self._chores: deque[Chore] = deque(maxlen=16)
        self._bell = threading.Lock()
        self._bell.acquire()
        self._moved = threading.Condition()
        self._closing = threading.Event()
        self._hurried = self._ended = False
        self._busy_ns = self._told_ns = 0
        self._opened = threading.Event()
        self._open_error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()
        if not self._opened.wait(OPEN_WAIT_S):
            self._closing.set()  # opened later, it lets go at once
            raise JoedError(f"{path}: not open after {OPEN_WAIT_S:.0f} s")
        if self._open_error is not None:
            raise self._open_error

    @property
    def depth(self) -> int:
        """Give how many records wait; whoever feeds faster than real time holds back by it."""
        return len(self._queue)

    def append(self, seq: int, now: int, session: str, event: Event, commands: Sequence[Command]) -> None:
        """Take a fact and what was decided on it; its bytes are made here, so nothing can change them later.

        Raises BadMessage where a float in it is no number.
        """
        kind, said, issued = record.kind_of(event), record.encode_event(event), record.encode_commands(commands)
        self._take(seq, (seq, now, session, kind, said, issued))
        self._ring()

    def tape(self, seq: int, now: int, event: Event) -> None:
        """Take a row of tape; it shares the next record's commit, or waits a second at most."""
        queue = self._queue
        waiting = len(queue)
        if waiting >= self._queue_size_max or self.dead or seq != self.appended + 1:
            self._take(seq, (seq, now, event))
            return
        self.appended = seq
        queue.append((seq, now, event))
        if not (waiting + 1) % BLOCK_ROWS_MAX:
            self._ring()

    def snapshot(self, seq: int, now: int, state: bytes, *, kept: bool = False) -> None:
        """Take the State as it was after `seq`, the newest that was taken or one before it."""
        if self.dead:
            return
        self._queue.append(Snapshot(seq, now, state, kept))
        self._ring()

    def push(self) -> None:
        """Ask that all taken so far be committed now, tape too; `on_durable` tells."""
        self._ring()

    def wait(self, seq: int, timeout_s: float) -> bool:
        """Wait until `seq` is durable, and say whether it is."""
        if self.durable < seq:
            self._ring()
            with self._moved:
                self._moved.wait_for(lambda: self.durable >= seq or self._ended, timeout_s)
        return self.durable >= seq

    def flush(self, timeout_s: float = 10.0) -> int:
        """Make all taken so far durable and give the durable seq: less than `appended` where that failed."""
        self.wait(self.appended, timeout_s)
        return self.durable

    def look(self) -> None:
        """Notice a disk that does not answer; for the loop to call, which its writer cannot hold up."""
        began = self._busy_ns
        waited_s = (self._hooks.monotonic_ns() - began) / 1e9 if began else 0.0
        if waited_s >= HUNG_S and not self.failed:
            self._fail("SLOW")
        elif waited_s >= SLOW_S and began != self._told_ns:
            self._told_ns = began
            self._tell(self._hooks.on_slow, f"the disk has not answered for {waited_s:.0f} s: orders wait for it")

    def when_idle(self, chore: Chore) -> None:
        """Have the writer do something between commits, a portion at a time."""
        self._chores.append(chore)
        self._ring()

    def stretch(self) -> None:
        """Have the write-ahead log lengthened once, so that the commits after it write in place."""

        def once(store: Store) -> bool:
            store.stretch()
            return False

        self.when_idle(once)

    def move_tape(self, session: str) -> None:
        """Have the tape leave for the session's own file, a few blocks at each idle moment."""
        self.when_idle(lambda store: store.move_tape(session, at_most=CHORE_BLOCKS) == CHORE_BLOCKS)

    def prune_tape(self, keep_days: int) -> None:
        """Have old tape files deleted."""

        def prune(store: Store) -> bool:
            store.prune_tape(keep_days)
            return False

        self.when_idle(prune)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Commit what is taken, finish the chores, end the thread; say whether all is durable and it has ended."""
        self._closing.set()
        self._ring()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._hurried = True  # leaves the rest of the chores for another day
            self._thread.join(timeout_s)
        return not self._thread.is_alive() and self.durable >= self.appended

    def _take(self, seq: int, item: Row | Fact) -> None:
        if self.dead:  # `failed` has been told, and a record left out must not be followed by others
            return
        assert seq == self.appended + 1, f"record {seq} does not follow {self.appended}"
        if len(self._queue) >= self._queue_size_max:
            self._die("QUEUE")  # the writer goes on with what it has: a true beginning is worth keeping
        else:
            self.appended = seq
            self._queue.append(item)

    def _ring(self) -> None:
        if self._bell.locked():
            with contextlib.suppress(RuntimeError):  # somebody rang in the same moment
                self._bell.release()

    def _run(self) -> None:
        try:
            store = Store.open(self._path, bounds=self._bounds, ballast_bytes=self._ballast_bytes)
            store.bear_witness(self._witness)
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that asked
            self._open_error = error
            self._opened.set()
            return
        self.durable = self.appended = store.last()
        self._opened.set()
        try:
            if not store.ballast.held and store.ballast.wanted:
                self._fail("FULL")
            while self._turn(store):
                pass
        except BaseException as error:  # noqa: BLE001 - a writer that ended must be known, whatever ended it
            self._end(f"FAULT: {error!r}")
        if self.failed != "EIO":
            # Closing would sync again: after a sync that failed, the kernel may call lost pages clean.
            with contextlib.suppress(sqlite3.Error):
                store.close()

    def _turn(self, store: Store) -> bool:
        """Wait for work, commit what there is, then do a chore; False when it was the last turn."""
        busy = bool(self._chores) and not self.failed
        self._busy_ns = 0
        self._bell.acquire(timeout=0 if busy else TAPE_WAIT_S)
        self._busy_ns = self._hooks.monotonic_ns()
        closing = self._closing.is_set()
        self._drain(store)
        while not self._commit(store):
            if self._ended or self._closing.wait(RETRY_S):
                return False
        if self.failed and not self.dead and store.ballast.make():
            self._restore(store)
        self._fold(store)
        if self._chores and not self._queue and not self.failed:
            self._do_chore(store, self._chores[0])
        left = self._queue or (self._chores and not self._hurried and not self.failed)
        return not self._ended and (not closing or bool(left))

    def _drain(self, store: Store) -> None:
        """Hand over what waits now, not what comes meanwhile: a commit must have an end."""
        take, rows = self._queue.popleft, list[Row]()
        for _ in range(len(self._queue)):
            item = take()
            if isinstance(item, Snapshot):
                _hand_over(store, rows)
                store.add_snapshot(item.seq, item.now, item.state, kept=item.kept)
            elif len(item) == 3:
                rows.append(item)
            else:
                _hand_over(store, rows)
                store.add_fact(item)
        _hand_over(store, rows)

    def _commit(self, store: Store) -> bool:
        """Commit once; say whether it succeeded, having told the reason if not."""
        before, clock = store.last(), self._hooks.monotonic_ns
        begun = clock()
        try:
            durable = store.commit()
        except sqlite3.Error as error:
            reason = why(error, self._path)
            (self._fail if reason in RETRIED.values() else self._end)(reason)
            return False
        if store.ballast_spent:
            store.ballast_spent = False
            self._fail("FULL")
        if durable > before:
            self._hooks.on_commit((clock() - begun) / 1e9, durable - before)
            with self._moved:
                self.durable = durable
                self._moved.notify_all()
            self._tell(self._hooks.on_durable, durable)
        return True

    def _fold(self, store: Store) -> None:
        """Carry the write-ahead log into the file when nobody waits, or when it has grown too long to wait for that."""
        if store.unfolded_bytes > (WAL_BYTES_MAX if self._queue else WAL_IDLE_BYTES):
            try:
                store.fold()
            except sqlite3.Error as error:
                if (reason := why(error, self._path)) not in RETRIED.values():
                    self._end(reason)

    def _do_chore(self, store: Store, chore: Chore) -> None:
        try:
            more = chore(store)
        except (sqlite3.Error, OSError, ValueError) as error:
            more = False
            if isinstance(error, sqlite3.Error) and why(error, self._path) == "EIO":
                self._end("EIO")
            self._tell(self._hooks.on_undone, str(error))
        if not more:
            self._chores.popleft()

    def _restore(self, store: Store) -> None:
        """Trust the journal again: it commits, its end checks out, and its ballast is back."""
        chain.check(self._path, RESTORED)
        self.failed = ""
        self._tell(self._hooks.on_restored)

    def _fail(self, reason: str) -> None:
        if self.failed != reason:
            self.failed = reason
            self._tell(self._hooks.on_failed, reason)

    def _end(self, reason: str) -> None:
        """End the writer: nothing more will be durable."""
        self._ended = True
        self._die(reason)

    def _die(self, reason: str) -> None:
        """Take no more, for good; whoever waits is let go."""
        self.dead = True
        self._fail(reason)
        with self._moved:
            self._moved.notify_all()

    def _tell(self, hook: Callable[..., object], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody is left to be told
            self._hooks.notify(hook, *args)


def _hand_over(store: Store, rows: list[Row]) -> None:
    """Add rows of tape that follow each other, all at once: most of what comes is tape."""
    if rows:
        store.add_rows(rows)
        rows.clear()


def why(error: sqlite3.Error, path: Path) -> str:
    """Name a failure of SQLite: a word of RETRIED where it may pass, EIO or FAULT where it may not."""
    name = getattr(error, "sqlite_errorname", "")
    if name in RETRIED:
        return RETRIED[name]
    if name == "SQLITE_IOERR_WRITE":
        return PROBED.get(_probe(path.parent), "EIO")
    return "EIO" if name.startswith("SQLITE_IOERR") else f"FAULT: {name} {error}"


def _probe(folder: Path) -> int:
    """Give the errno of a small write in the folder, 0 if it succeeds: SQLite keeps the reason of its own to itself."""
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            file.write(bytes(4096))
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno or errno.EIO
    return 0
