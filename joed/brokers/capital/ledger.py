"""What we asked Capital.com for, kept before the first byte: there is no client order id, so this is our only memory.

A row is durable before its order leaves, and with it what the account held a moment before; after a crash it says which
of the deals that are there now can be ours. A row is kept until its order is long over.
"""

import asyncio
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct

from joed.errors import BrokerUnavailable
from joed.model.events import OrderFilled
from joed.model.values import DAY, Leg, Side, Status

KEPT_NS = 2 * DAY
"""How long an order that is over is remembered: its id is never taken again, its fills are still told."""
INTENTS_MAX = 10_000
END_S = 2.0
LOG_BYTES = 4 << 20
"""What SQLite's write-ahead log holds before it is folded into the file: 1,000 pages of 4 KiB."""


class Stage(StrEnum):
    """How far one order has come, as far as evidence goes."""

    ARMED = "armed"
    SENT = "sent"
    RESTING = "resting"
    OPEN = "open"
    ENDED = "ended"
    ABSENT = "absent"
    QUARANTINED = "quarantined"


class Intent(Struct):
    """One order of ours: an entry with the two legs that are its position's attributes, or a close.

    `sent_ns` is on Capital.com's clock, `before` what lived in the account then. `working` is the deal id of a working
    order, `deals` are those of positions (of a close: those that it ends, and their `sizes`). `ended` has each leg's
    end, by our id. `swaps` are the nights' references that are booked. `lost` counts the looks in a row that lacked
    its deal, `sets` the whole ones in which it was searched for, since `search_ns`.
    """

    order: str
    instrument: str
    epic: str
    leg: Leg
    side: Side
    quantity: Decimal
    opens: bool
    armed_ns: int
    group: str = ""
    rests: bool = False
    level: Decimal | None = None
    stop_order: str = ""
    stop: Decimal | None = None
    target_order: str = ""
    target: Decimal | None = None
    stage: Stage = Stage.ARMED
    sent_ns: int = 0
    before: frozenset[str] = frozenset()
    reference: str = ""
    working: str = ""
    deals: tuple[str, ...] = ()
    doubted: bool = False
    candidates: tuple[str, ...] = ()
    sets: int = 0
    search_ns: int = 0
    lost: int = 0
    lost_ns: int = 0
    cancel: str = ""
    closer: str = ""
    ended: dict[str, Status] = {}
    fills: tuple[OrderFilled, ...] = ()
    held: Decimal = Decimal(0)
    changed_ns: int = 0
    sizes: tuple[Decimal, ...] = ()
    swaps: tuple[str, ...] = ()

    @property
    def legs(self) -> tuple[str, ...]:
        """Name its orders: itself, its stop, its target."""
        return tuple(name for name in (self.order, self.stop_order, self.target_order) if name)

    @property
    def unresolved(self) -> bool:
        """Say whether its POST may have been carried out and nothing proves what became of it."""
        return self.stage in (Stage.ARMED, Stage.SENT, Stage.QUARANTINED)

    @property
    def over(self) -> bool:
        """Say whether the broker holds nothing of it."""
        return self.stage in (Stage.ENDED, Stage.ABSENT)


class Ledger:
    """All of them, by our id; in a file, or for a test in memory."""

    def __init__(self, path: Path | None = None, *, threaded: bool = False) -> None:
        """Take up what the file knows; raise BrokerUnavailable where it cannot be read.

        `threaded` writes on a thread of its own, hired here and now, so that no slow disk keeps the loop.
        """
        self.intents: dict[str, Intent] = {}
        self._legs: dict[str, str] = {}
        self._base: sqlite3.Connection | None = None
        self._hand: ThreadPoolExecutor | None = None
        if path is not None:
            self._open(path)
            if threaded:
                self._hire()

    def _hire(self) -> None:
        """Have a thread before one is needed; where there is none left to have, the loop writes by itself."""
        hand = ThreadPoolExecutor(1, "ledger")
        with suppress(RuntimeError):
            hand.submit(int).result()
            self._hand = hand
            hand.submit(self._stretch)

    def _stretch(self) -> None:
        """Give the write-ahead log its size ahead of need: a commit that grows no file takes half the time.

        A table lengthens it and is dropped again; its pages stay free in the file, to be used later.
        """
        if self._base is None:
            return
        with suppress(sqlite3.Error):  # it costs time alone; an order's own row has its own word
            self._base.execute("DROP TABLE IF EXISTS stretch")
            self._base.execute("CREATE TABLE stretch (zeros BLOB) STRICT")
            self._base.execute("INSERT INTO stretch VALUES (zeroblob(?))", (LOG_BYTES,))
            self._base.execute("DROP TABLE stretch")
            self._base.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _open(self, path: Path) -> None:
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._base = sqlite3.connect(path, isolation_level=None, check_same_thread=False)  # one at a time, by turns
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")
            self._base.execute("CREATE TABLE IF NOT EXISTS intents (id TEXT PRIMARY KEY, row BLOB NOT NULL) STRICT")
            rows = self._base.execute("SELECT row FROM intents ORDER BY rowid").fetchall()
            for (row,) in rows:
                self._know(msgspec.json.decode(row, type=Intent))
        except (OSError, sqlite3.Error, msgspec.DecodeError) as error:
            raise BrokerUnavailable(f"the ledger of Capital.com's orders cannot be read: {error}") from error

    def close(self) -> None:
        """Let the file go."""
        if self._base is not None:
            self._base.close()
            self._base = None

    async def end(self) -> None:
        """Let the file go once everything is written; a disk that hangs is not waited for."""
        if self._hand is None:
            self.close()
            return
        last = asyncio.get_running_loop().run_in_executor(self._hand, self.close)
        self._hand.shutdown(wait=False)
        await asyncio.wait((last,), timeout=END_S)

    async def arm(self, intent: Intent) -> None:
        """Keep a row before its order leaves: durable when this comes back, else BrokerUnavailable."""
        if self._hand is None:
            self.put(intent)
            return
        data = self._row(intent)
        await asyncio.get_running_loop().run_in_executor(self._hand, self._write, intent.order, data)
        self._know(intent)

    def put(self, intent: Intent) -> None:
        """Keep a row as it is now: durable when this comes back, else BrokerUnavailable."""
        data = self._row(intent)
        if self._base is not None:
            self._write(intent.order, data)
        self._know(intent)

    def _row(self, intent: Intent) -> bytes:
        """Give the bytes of a row, where there is room for one more."""
        if intent.order not in self.intents and len(self.intents) >= INTENTS_MAX:
            raise BrokerUnavailable(f"{INTENTS_MAX} orders are remembered already")
        return msgspec.json.encode(intent)

    def _write(self, order: str, data: bytes) -> None:
        assert self._base is not None, "written before it is closed"
        try:
            self._base.execute(
                "INSERT INTO intents VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET row = excluded.row", (order, data)
            )
        except sqlite3.Error as error:
            raise BrokerUnavailable(f"the ledger cannot be written: {error}") from error

    def expect(self, intent: Intent) -> None:
        """Know an order from the moment in which it was handed over; it is written down before its bytes leave."""
        self._know(intent)

    def note(self, intent: Intent) -> None:
        """Keep a row, in its turn; a disk that refuses costs the memory of a restart, and never an order's way."""
        with suppress(BrokerUnavailable, RuntimeError):  # the hand has gone: the adapter ends
            if self._hand is None:
                self.put(intent)
            else:
                self._hand.submit(self._write, intent.order, self._row(intent))
        self._know(intent)

    def _know(self, intent: Intent) -> None:
        self.intents[intent.order] = intent
        for name in intent.legs:
            self._legs[name] = intent.order

    def of(self, order: str) -> Intent | None:
        """Give the row that an order of ours belongs to, by the id of any of its legs."""
        return self.intents.get(self._legs.get(order, ""))

    def rename_stop(self, intent: Intent, order: str) -> None:
        """Let another id of ours stand for a position's stop: the one before it was lost."""
        intent.stop_order = order
        self._legs[order] = intent.order

    def rows(self) -> list[Intent]:
        """Give all rows, oldest first."""
        return list(self.intents.values())

    def owner(self, deal: str) -> Intent | None:
        """Give the entry that a deal is of, None where it is not ours."""
        found = (row for row in self.intents.values() if row.opens and (deal in row.deals or deal == row.working))
        return next(found, None)

    def owned(self) -> frozenset[str]:
        """Give all deal ids that are known to be of our entries."""
        rows = [row for row in self.intents.values() if row.opens]
        return frozenset([deal for row in rows for deal in (*row.deals, row.working) if deal])

    def unresolved(self, epic: str) -> Intent | None:
        """Give the order on an epic whose fate is open, None where there is none."""
        return next((row for row in self.intents.values() if row.opens and row.epic == epic and row.unresolved), None)

    def forget(self, now: int) -> None:
        """Drop what has been over for long."""
        for row in self.rows():
            if row.over and now - row.changed_ns > KEPT_NS:
                del self.intents[row.order]
                for name in row.legs:
                    self._legs.pop(name, None)
                if self._hand is not None:
                    self._hand.submit(self._drop, row.order)
                else:
                    self._drop(row.order)

    def _drop(self, order: str) -> None:
        if self._base is not None:
            with suppress(sqlite3.Error):  # forgotten another time
                self._base.execute("DELETE FROM intents WHERE id = ?", (order,))
