"""The shape of the journal's file: its tables, what guards them, and the views that a person reads."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from joed.daemon.sidecars import sync_folder

VERSION = 2
"""A file that says a higher one was written by a newer joed, and is left alone."""
MENDED = {"orders": "9549bdceb069bcadd596f28a73eda8a83cc081cd30a6c61d3f40ca3dae5ec1b5"}
"""SHA-256 of each view as version 1 has it where version 2 has another: it is read as it is, and mended to write."""

TABLES = """
CREATE TABLE meta(
    key TEXT PRIMARY KEY, value TEXT NOT NULL, digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE records(
    seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, session TEXT NOT NULL, kind TEXT NOT NULL,
    event TEXT NOT NULL, commands TEXT NOT NULL, hash BLOB NOT NULL
) STRICT;
CREATE INDEX records_tape ON records(kind) WHERE kind = 'Tape';
CREATE INDEX records_fills ON records(kind) WHERE kind = 'OrderFilled';
CREATE INDEX records_reads ON records(kind) WHERE kind = 'BrokerRead';

CREATE TABLE tape(
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, count INTEGER NOT NULL, rows BLOB NOT NULL, digest BLOB NOT NULL
) STRICT;

CREATE TABLE tapes(
    session TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, at_ns INTEGER NOT NULL,
    pruned INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots(
    seq INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, kept INTEGER NOT NULL, digest BLOB NOT NULL, state BLOB NOT NULL
) STRICT;
"""

# REPLACE deletes without asking a DELETE trigger, so the INSERT trigger must forbid every seq that is not the newest.
GUARDS = """
CREATE TRIGGER records_kept BEFORE DELETE ON records BEGIN SELECT RAISE(ABORT, 'records are append-only'); END;
CREATE TRIGGER records_fixed BEFORE UPDATE ON records BEGIN SELECT RAISE(ABORT, 'records are append-only'); END;
CREATE TRIGGER records_at_the_end BEFORE INSERT ON records
    WHEN NEW.seq <= (SELECT max(seq) FROM records) BEGIN SELECT RAISE(ABORT, 'records are append-only'); END;
CREATE TRIGGER tape_fixed BEFORE UPDATE ON tape BEGIN SELECT RAISE(ABORT, 'tape is never changed'); END;
"""

# The engine keeps an execution under its order and lets a higher revision replace it; an equal one came twice.
# Decimals stay text, exact; only `cash` is computed, and rounding it to 8 places gives back the decimal that is meant.
# A foreign order ("") is nobody's fill: it belongs to the account, not to the books.
FILLS = """
CREATE VIEW fills AS
WITH heard AS (
    SELECT seq, at_ns, session, -1 AS place, event AS said, NULL AS reader FROM records WHERE kind = 'OrderFilled'
    UNION ALL
    SELECT r.seq, r.at_ns, r.session, e.key, e.value, json_extract(r.event, '$.broker')
    FROM records AS r, json_each(r.event, '$.executions') AS e WHERE r.kind = 'BrokerRead'
), word AS (
    SELECT seq, at_ns, session, place,
        json_extract(said, '$.order') AS "order", json_extract(said, '$.execution') AS execution,
        json_extract(said, '$.instrument') AS instrument, json_extract(said, '$.side') AS side,
        json_extract(said, '$.quantity') AS quantity, json_extract(said, '$.price') AS price,
        coalesce(json_extract(said, '$.fee'), '0') AS fee, coalesce(json_extract(said, '$.revision'), 0) AS revision,
        coalesce(nullif(json_extract(said, '$.broker'), ''), reader, '') AS broker
    FROM heard
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY "order", execution ORDER BY revision DESC, seq, place) AS rank
    FROM word WHERE "order" <> ''
)
SELECT seq, at_ns, session, "order", execution, instrument, side, quantity, price, fee,
    round(CASE side WHEN 'BUY' THEN -1 ELSE 1 END * quantity * price - fee, 8) AS cash,
    CASE WHEN "order" LIKE 'j1-%' THEN substr("order", -6, 1) END AS leg, revision, broker
FROM ranked WHERE rank = 1 ORDER BY seq, place;
"""

COMMANDS = """
CREATE VIEW commands AS
SELECT r.seq, c.key AS "index", json_extract(c.value, '$.type') AS type, c.value AS json, r.at_ns, r.session
FROM records AS r, json_each(r.commands) AS c WHERE r.commands <> '[]';
"""

EQUITY = """
CREATE VIEW equity AS
SELECT seq, at_ns, session, json_extract(json, '$.equity') AS equity, json_extract(json, '$.cash') AS cash,
    json_extract(json, '$.realised') AS realised, json_extract(json, '$.unrealised') AS unrealised,
    json_extract(json, '$.fees') AS fees
FROM commands WHERE type = 'MarkEquity';
"""

# A bracket is one SubmitOrder and three orders; the words on its sending name the entry and hold for all three.
# A word that ends an order outlives any that does not; of equals the latest counts; fills that add up to it end it too.
# An exit is as large as its broker last said it was: what another exit of its group closed is no longer its to do.
ORDERS = """
CREATE VIEW orders AS
WITH asked AS (
    SELECT seq, at_ns, session, "index", json, json_extract(json, '$.order') AS parent,
        json_extract(json, '$.side') AS side,
        CASE json_extract(json, '$.side') WHEN 'BUY' THEN 'SELL' ELSE 'BUY' END AS turn
    FROM commands WHERE type = 'SubmitOrder'
), leg AS (
    SELECT *, parent AS "order", json_extract(json, '$.kind') AS kind, json_extract(json, '$.leg') AS leg,
        json_extract(json, '$.level') AS level FROM asked
    UNION ALL
    SELECT seq, at_ns, session, "index", json, parent, turn, turn, json_extract(json, '$.stop_order'), 'STOP', 'S',
        json_extract(json, '$.stop') FROM asked WHERE json_extract(json, '$.stop_order') <> ''
    UNION ALL
    SELECT seq, at_ns, session, "index", json, parent, turn, turn, json_extract(json, '$.target_order'), 'LIMIT', 'T',
        json_extract(json, '$.target') FROM asked WHERE json_extract(json, '$.target_order') <> ''
), told AS (
    SELECT seq, kind, event, json_extract(event, '$.order') AS "order" FROM records
    WHERE kind IN ('OrderAccepted', 'OrderWorking', 'OrderCancelled', 'OrderExpired', 'OrderRejected', 'CancelRejected',
        'OrderDoubted', 'CommandSent', 'CommandDropped')
), word AS (
    SELECT "order", seq, CASE kind WHEN 'OrderAccepted' THEN 'ACKED' WHEN 'OrderWorking' THEN 'WORKING'
        WHEN 'OrderCancelled' THEN 'CANCELLED' WHEN 'OrderExpired' THEN 'EXPIRED' WHEN 'OrderRejected' THEN 'REJECTED'
        ELSE 'UNCERTAIN' END AS status FROM told WHERE kind NOT IN ('CommandSent', 'CommandDropped')
    UNION ALL
    SELECT leg."order", told.seq, CASE told.kind WHEN 'CommandSent' THEN 'SENT' WHEN 'OrderRejected' THEN 'REJECTED'
        ELSE 'ABSENT_PROVEN' END
    FROM told JOIN leg ON leg.parent = told."order" WHERE told.kind = 'OrderRejected'
        OR (told.kind LIKE 'Command%' AND leg.seq = json_extract(told.event, '$.seq')
            AND leg."index" = json_extract(told.event, '$.index'))
    UNION ALL
    SELECT json_extract(json, '$.order'), seq, CASE type WHEN 'CancelOrder' THEN 'CANCEL_ASKED'
        WHEN 'MarkUncertain' THEN 'UNCERTAIN' ELSE 'ABSENT_PROVEN' END
    FROM commands WHERE type IN ('CancelOrder', 'MarkUncertain', 'RetireOrder')
    UNION ALL
    SELECT e.key, r.seq, e.value FROM records AS r, json_each(r.event, '$.ended') AS e WHERE r.kind = 'BrokerRead'
    UNION ALL
    SELECT json_extract(e.value, '$.order'), r.seq, json_extract(e.value, '$.status')
    FROM records AS r, json_each(r.event, '$.orders') AS e WHERE r.kind = 'BrokerRead'
), latest AS (
    SELECT "order", status, seq, status IN ('FILLED', 'REJECTED', 'CANCELLED', 'EXPIRED', 'ABSENT_PROVEN') AS ended,
        row_number() OVER (PARTITION BY "order" ORDER BY
            status IN ('FILLED', 'REJECTED', 'CANCELLED', 'EXPIRED', 'ABSENT_PROVEN') DESC, seq DESC) AS rank FROM word
), done AS (
    SELECT "order", sum(quantity) AS filled, max(seq) AS seq FROM fills GROUP BY "order"
), mark AS (
    SELECT "order", seq, quantity AS filled, NULL AS still FROM fills
    UNION ALL
    SELECT "order", seq, 0, json_extract(event, '$.quantity') FROM told WHERE kind = 'OrderWorking'
), aged AS (
    SELECT *, max(CASE WHEN still IS NOT NULL THEN seq END) OVER (PARTITION BY "order") AS worked FROM mark
), sized AS (
    SELECT "order", sum(CASE seq WHEN worked THEN still ELSE filled END) AS quantity
    FROM aged WHERE seq <= worked GROUP BY "order"
)
SELECT leg.seq, leg.at_ns, leg.session, leg."order", json_extract(leg.json, '$.broker') AS broker,
    json_extract(leg.json, '$.instrument') AS instrument, leg.side, json_extract(leg.json, '$.quantity') AS quantity,
    leg.kind, leg.leg, leg.level, json_extract(leg.json, '$.strategy') AS strategy,
    json_extract(leg.json, '$.signal') AS signal, json_extract(leg.json, '$.group') AS "group",
    CASE WHEN done.filled >= CASE WHEN leg.leg = 'E' OR sized.quantity IS NULL
            THEN json_extract(leg.json, '$.quantity') + 0 ELSE sized.quantity END THEN 'FILLED'
        WHEN latest.ended THEN latest.status
        WHEN done.filled > 0 AND coalesce(latest.status, '') NOT IN ('CANCEL_ASKED', 'UNCERTAIN') THEN 'PARTIAL'
        ELSE coalesce(latest.status, 'ARMED') END AS status,
    coalesce(done.filled, 0) AS filled, max(leg.seq, coalesce(latest.seq, 0), coalesce(done.seq, 0)) AS told_seq
FROM leg LEFT JOIN latest ON latest."order" = leg."order" AND latest.rank = 1
    LEFT JOIN done ON done."order" = leg."order" LEFT JOIN sized ON sized."order" = leg."order"
    ORDER BY leg.seq, leg."index", leg.leg;
"""

SCRIPT = TABLES + GUARDS + FILLS + COMMANDS + EQUITY + ORDERS
"""Everything that a new file begins with."""

VIEWS = {"orders": ORDERS}
NAMED = "SELECT sql FROM sqlite_master WHERE name ="

MOVED = """
CREATE TABLE IF NOT EXISTS tape(
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, count INTEGER NOT NULL, rows BLOB NOT NULL
) STRICT;
"""
"""What a session's own tape file holds: the same blocks, compressed with zlib; their digests stay in the chain."""

PRAGMAS = (
    "synchronous = FULL",
    "foreign_keys = ON",
    "cell_size_check = ON",
    "wal_autocheckpoint = 0",  # a checkpoint waits for an idle moment, it never stands on an order's path
)


def connect(path: Path) -> sqlite3.Connection:
    """Open a journal to write, making it where there is none; raise sqlite3.Error or OSError where that fails."""
    fresh = not path.exists()
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640))
    db = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    try:
        _prepare(db)
    except BaseException:
        db.close()
        raise
    if fresh:
        sync_folder(path.parent)
    return db


def _prepare(db: sqlite3.Connection) -> None:
    mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise sqlite3.NotSupportedError(f"this file system carries no write-ahead log, only {mode}")
    for pragma in PRAGMAS:
        db.execute(f"PRAGMA {pragma}")
    if not db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        _create(db)
    elif is_first(db):
        _mend(db)


def _create(db: sqlite3.Connection) -> None:
    version = str(VERSION)
    try:
        db.executescript(f"BEGIN IMMEDIATE;{SCRIPT}")
        db.execute("INSERT INTO meta VALUES('schema', ?, ?)", (version, digest_meta(b"schema", version.encode())))
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def is_first(db: sqlite3.Connection) -> bool:
    """Say whether a file is of version 1, each of its views word by word as that had it."""
    stored = "SELECT value FROM meta WHERE key = 'schema'"
    row = db.execute(stored).fetchone() if db.execute(f"{NAMED} 'meta'").fetchone() else None
    return row is not None and text(row[0]) == "1" and all(digest_of(db, name) == MENDED[name] for name in MENDED)


def digest_of(db: sqlite3.Connection, view: str) -> str:
    """Give the SHA-256 of a view's text as a file has it, "" where there is none."""
    row = db.execute(f"{NAMED} ?", (view,)).fetchone()
    return sha256(text(row[0]).encode()).hexdigest() if row is not None else ""


def text(stored: str | bytes) -> str:
    """Give a text of SQLite's, whichever way a connection reads it."""
    return stored.decode(errors="replace") if isinstance(stored, bytes) else stored


def _mend(db: sqlite3.Connection) -> None:
    """Give a file of version 1 the views of version 2: all of them and its new version, or nothing."""
    version = str(VERSION)
    with transaction(db):
        for view in MENDED:
            db.execute(f"DROP VIEW {view}")
            db.execute(VIEWS[view])
        digest = digest_meta(b"schema", version.encode())
        db.execute("UPDATE meta SET value = ?, digest = ? WHERE key = 'schema'", (version, digest))


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Make what is done inside durable on leaving, or nothing of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite rolls back by itself when the disk is full
            db.execute("ROLLBACK")
        raise


def digest_meta(key: bytes, value: bytes) -> bytes:
    """Give the SHA-256 that stands beside a value of `meta`."""
    return sha256(key + b"\0" + value).digest()
