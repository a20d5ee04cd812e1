"""paper.db: the paper account on disk, one transaction for each turn of the exchange that changed something.

SQLite with WAL and `synchronous=FULL`: what `commit` has returned from survives a power cut. Orders are rows that
change, executions and lines rows that are only added, all as JSON, so that SQL can ask about any day:
`SELECT json_extract(data, '$.order') FROM executions`. One process at a time owns the file.
"""

import fcntl
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from joed.errors import BadMessage, BrokerUnavailable
from joed.model.book import Book, BookOrder, ExchangeState, Line
from joed.model.events import OrderFilled

SCHEMA = """
CREATE TABLE IF NOT EXISTS book (one INTEGER PRIMARY KEY CHECK (one = 1), data TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, grp TEXT NOT NULL, ended INTEGER NOT NULL,
    changed_ns INTEGER NOT NULL, data TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS orders_grp ON orders (grp);
CREATE TABLE IF NOT EXISTS executions (n INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, data TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS executions_at_ns ON executions (at_ns);
CREATE TABLE IF NOT EXISTS log (n INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, data TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS log_at_ns ON log (at_ns);
"""
VERSION = 1
BUSY_MS = 5000
"""How long a commit waits for a reader of another process; WAL readers never hold it up in practice."""

ORDERS_KEPT = """
SELECT data FROM orders WHERE changed_ns > :at OR NOT ended
OR (grp != '' AND grp IN (SELECT grp FROM orders WHERE NOT ended))
"""


class PaperStore:
    """The file of one paper account; `commit` is durable when it returns."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it; raise BrokerUnavailable where another process has it or it cannot be opened."""
        self.path = path
        lock = _locked(path.with_name(f"{path.name}-lock"))
        try:
            self._base = connected(path)
        except (sqlite3.Error, BrokerUnavailable) as error:
            os.close(lock)
            raise BrokerUnavailable(f"{path}: {error}") from error
        self._lock: int | None = lock
        self._encoder = msgspec.json.Encoder()

    def load(self) -> ExchangeState | None:
        """Give what the exchange held in memory at the last commit; None in a new file."""
        return _read(self._base, whole=False)

    def commit(self, changes: ExchangeState) -> None:
        """Make one turn durable; raise BrokerUnavailable, with the file as it was, where that fails."""
        text = self._text
        orders = [
            (order.order, order.group, order.status.ended, order.changed_ns, text(order)) for order in changes.orders
        ]
        base = self._base
        try:
            base.execute("BEGIN IMMEDIATE")
            base.execute("INSERT OR REPLACE INTO book VALUES (1, ?)", (text(changes.book),))
            base.executemany("INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?)", orders)
            base.executemany(
                "INSERT INTO executions (at_ns, data) VALUES (?, ?)", [(e.at_ns, text(e)) for e in changes.executions]
            )
            base.executemany(
                "INSERT INTO log (at_ns, data) VALUES (?, ?)", [(line.at_ns, text(line)) for line in changes.log]
            )
            base.execute("COMMIT")
        except sqlite3.Error as error:
            if base.in_transaction:
                base.execute("ROLLBACK")
            raise BrokerUnavailable(f"{self.path}: {error}") from error

    def close(self) -> None:
        """Let the file go; a second time is none."""
        self._base.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _text(self, value: Any) -> str:  # noqa: ANN401 - any of the book's nouns
        return self._encoder.encode(value).decode()


def whole(path: Path) -> ExchangeState:
    """Give an account's whole history from its first day, read beside whoever owns the file.

    Raise BrokerUnavailable where there is none.
    """
    try:
        base = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise BrokerUnavailable(f"{path}: {error}") from error
    try:
        base.execute("BEGIN")
        state = _read(base, whole=True)
    except sqlite3.Error as error:
        raise BrokerUnavailable(f"{path}: {error}") from error
    finally:
        base.close()
    if state is None:
        raise BrokerUnavailable(f"{path} holds no account")
    state.book.cash_carried, state.book.carried, state.book.forgotten_ns = state.book.cash_start, {}, -1
    return state


def connected(path: Path) -> sqlite3.Connection:
    """Open a base whose commits are durable, with its tables."""
    base = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = FULL")
    (version,) = base.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        base.close()
        raise BrokerUnavailable(f"version {version}, this joed knows {VERSION}")
    base.executescript(SCHEMA)
    base.execute(f"PRAGMA user_version = {VERSION}")
    return base


def _read(base: sqlite3.Connection, *, whole: bool) -> ExchangeState | None:
    """Give the rows as a state: all of them, or what has not been forgotten."""
    row = base.execute("SELECT data FROM book").fetchone()
    if row is None:
        return None
    try:
        book = msgspec.json.decode(row[0], type=Book)
        at = {"at": -1 if whole else book.forgotten_ns}
        executions = base.execute("SELECT data FROM executions WHERE at_ns > :at ORDER BY n", at)
        log = base.execute("SELECT data FROM log WHERE at_ns > :at ORDER BY n", at)
        orders = [msgspec.json.decode(text, type=BookOrder) for (text,) in base.execute(ORDERS_KEPT, at)]
        return ExchangeState(
            book,
            sorted(orders, key=lambda order: int(order.broker_id or 0)),
            [msgspec.json.decode(text, type=OrderFilled) for (text,) in executions],
            [msgspec.json.decode(text, type=Line) for (text,) in log],
        )
    except msgspec.DecodeError as error:
        raise BadMessage(f"paper.db: {error}") from error


def _locked(path: Path) -> int:
    """Take the file's lock, which the kernel frees with the process; give its descriptor."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BrokerUnavailable(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(lock, 20, 0).decode(errors="replace")
        os.close(lock)
        raise BrokerUnavailable(f"{path} is held by process {holder}") from error
    with suppress(OSError):  # on a full disk the lock holds all the same; only its holder has no name
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock
