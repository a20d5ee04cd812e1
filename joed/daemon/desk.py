"""The daemon's desk: where requests come in and answers go out, nothing of it ahead of the durable horizon."""

import asyncio
import sqlite3
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path

from joed.daemon.journal import Journal
from joed.daemon.latch import Latches
from joed.daemon.loop import Loop
from joed.daemon.past import read_marks, read_past, search_past
from joed.daemon.reads import Record
from joed.daemon.record import encode_commands, encode_event, encode_state
from joed.daemon.reloading import Reloader
from joed.engine.receipt import receipt_of
from joed.model.commands import Answer, Command
from joed.model.events import Event, OperatorAsked
from joed.model.kill import Receipt
from joed.model.view import View

RECORDS_KEPT = 256
"""Records kept in memory for those who watch and ask why; what is older is read back from the journal."""
ASKED_MAX = 1_000
"""Requests whose answer is awaited, or came too late: the oldest is forgotten, and asked again if it comes again."""
ANSWER_WAIT_S = 8.0
FLUSH_WAIT_S = 8.0


class Desk:
    """What the control socket talks to, and where the engine's answers come out; also the loop's recorder."""

    def __init__(
        self,
        journal: Journal,
        latches: Latches,
        emit: Callable[[Event], None],
        path: Path | None = None,
        reloader: Reloader | None = None,
        *,
        on_flush: Callable[[], None] = lambda: None,
    ) -> None:
        """Serve the journal's records and pass requests to `emit`; `path` is the journal's file (None: no way back)."""
        self._reloader, self._on_flush = reloader, on_flush
        self.loop: Loop | None = None
        self._journal = journal
        self._latches = latches
        self._emit = emit
        self._path = path
        self._asked: dict[str, asyncio.Future[Answer]] = {}
        self._records: deque[Record] = deque(maxlen=RECORDS_KEPT)

    def attach(self, loop: Loop) -> None:
        """Serve this loop."""
        self.loop = loop

    @property
    def durable(self) -> int:
        """Give the newest durable seq."""
        return self._journal.durable

    def append(self, seq: int, now: int, session: str, event: Event, commands: Sequence[Command]) -> None:
        """Record a fact, and keep it for those who watch."""
        self._journal.append(seq, now, session, event, commands)
        self._records.append(Record(seq, now, event, commands))

    def tape(self, seq: int, now: int, event: Event) -> None:
        """Record a row of tape."""
        self._journal.tape(seq, now, event)

    def view(self) -> View:
        """Give the latest durable View."""
        assert self.loop is not None
        return self.loop.view

    async def ask(self, asked: OperatorAsked) -> Answer:
        """Put a request into the intake and give its Answer once that is durable; the same request is put once."""
        assert self.loop is not None
        waiting = self._asked.get(asked.request)
        if waiting is None:
            if len(self._asked) >= ASKED_MAX:
                self._asked.pop(next(iter(self._asked))).cancel()
            waiting = self._asked[asked.request] = asyncio.get_running_loop().create_future()
            reloads = asked.verb == "reload" and self._reloader is not None
            for event in await self._reloader.events_of(asked) if reloads and self._reloader else (asked,):
                self._emit(event)
        async with asyncio.timeout(ANSWER_WAIT_S):
            return await asyncio.shield(waiting)

    def note(self, denied: OperatorAsked) -> None:
        """Record that somebody was refused."""
        self._emit(denied)

    def answered(self, command: Answer) -> None:
        """Let whoever asked have the answer."""
        waiting = self._asked.pop(command.request, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(command)

    def receipt(self) -> Receipt | None:
        """Give the receipt of the kill in force; where the View has none yet, the journal has failed: State's own."""
        assert self.loop is not None
        return self.view().kill or receipt_of(self.loop.state)

    async def records(self, since: int, limit: int, order: str = "") -> Sequence[Record]:
        """Give at most `limit` durable records after seq `since`, oldest first; with `order` those that name it."""
        name = _group(order)
        found: list[Record] = []
        while len(found) < limit and since + 1 < (first := self._first()) and self._path is not None:
            found += await asyncio.to_thread(read_past, self._path, since, first, limit - len(found), name)
            since = first - 1
        return [*found, *self._recent(since, limit - len(found), name)]

    def recent(self) -> Sequence[Record]:
        """Give the newest durable records that memory has, oldest first; any thread may ask.

        The copy is one step of the interpreter, so nothing is appended to what is being copied.
        """
        durable = self.durable
        return [record for record in tuple(self._records) if record.seq <= durable]

    def marks(self, session: str) -> Sequence[tuple[int, Decimal]]:
        """Give what a session has made so far, as far as it is on the disk; any thread but the loop's may ask."""
        if self._path is None:
            return ()
        try:
            return read_marks(self._path, session)
        except sqlite3.Error:
            return ()  # a line on a page is no reason to fail

    def hurry(self) -> None:
        """Ask that what is recorded become durable now, so that it can be shown; any thread may ask.

        Quotes alone wait up to a second for company, and a picture of them as long again.
        """
        if self._journal.appended > self._journal.durable and not self._journal.failed:
            self._journal.push()

    def kill_answered(self, took_s: float) -> None:
        """Count how long a kill waited for its answer."""
        assert self.loop is not None
        self.loop.counters.kill_answer.observe(took_s)

    def sizes(self) -> dict[str, int]:
        """Give the bytes of the journal's file and of its write-ahead log, as far as they are there."""
        paths = {} if self._path is None else {"db": self._path, "wal": self._path.with_name(f"{self._path.name}-wal")}
        return {name: path.stat().st_size if path.exists() else 0 for name, path in paths.items()}

    async def search(self, event: Sequence[str], commands: Sequence[str], before: int, limit: int) -> Sequence[Record]:
        """Give at most `limit` durable records before a seq that hold all these words, the newest first."""
        durable, first = self.durable, self._first()
        kept = (record for record in reversed(self._records) if record.seq <= durable and record.seq < before)
        found = list(islice((record for record in kept if _holds(record, event, commands)), limit))
        if len(found) < limit and self._path is not None:
            end = min(before, first)
            found += await asyncio.to_thread(search_past, self._path, event, commands, end, limit - len(found))
        return found

    def _recent(self, since: int, limit: int, name: str) -> Sequence[Record]:
        """Give what memory has of it."""
        durable, group = self.durable, name.encode()
        start = bisect_right(self._records, since, key=lambda record: record.seq)
        found = (record for record in islice(self._records, start, None) if record.seq <= durable)
        return list(islice((record for record in found if not group or _names(record, group)), limit))

    def _first(self) -> int:
        """Give the first seq from which on memory has every record."""
        return self._records[0].seq if self._records else self.durable + 1

    def oldest(self) -> int:
        """Give the first seq that `records` still has."""
        return self._first() if self._path is None else 1

    async def flush(self) -> int:
        """Commit, write a snapshot, and give the durable seq."""
        assert self.loop is not None
        state = self.loop.state
        seq = state.seq
        self._journal.snapshot(seq, state.now, encode_state(state))
        durable = await asyncio.to_thread(self._wait, seq)
        self._on_flush()
        return durable

    def _wait(self, seq: int) -> int:
        self._journal.wait(seq, FLUSH_WAIT_S)
        return self._journal.durable


def _group(order: str) -> str:
    """Give what all legs of an order share: j1-session-epoch-seq.n."""
    parts = order.split("-")
    return "-".join(parts[:4]) if len(parts) > 4 else order


def _holds(record: Record, event: Sequence[str], commands: Sequence[str]) -> bool:
    said = encode_event(record.event) if event else b""
    issued = encode_commands(record.commands) if commands else b""
    return all(word.encode() in said for word in event) and all(word.encode() in issued for word in commands)


def _names(record: Record, group: bytes) -> bool:
    return group in encode_event(record.event) or group in encode_commands(record.commands)
