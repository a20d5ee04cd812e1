"""The stream behind `joectl watch`: the record as it becomes durable, one JSON object a line.

The journal is the queue: nothing waits in memory for a slow reader, and the trading path never waits for one.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import msgspec
from aiohttp import web

from joed.daemon.lanes import Connection, Limits
from joed.daemon.problem import Problem, number_of
from joed.daemon.reads import Record, describe, hello
from joed.model.view import View
from joed.protocol import STREAM_TYPE


class Source(Protocol):
    """Where the record is read; nothing of it is past the durable horizon."""

    def view(self) -> View:
        """Give the latest durable View."""

    async def records(self, since: int, limit: int, order: str = "") -> Sequence[Record]:
        """Give at most `limit` durable records after seq `since`, oldest first; with `order` those that name it."""

    async def search(self, event: Sequence[str], commands: Sequence[str], before: int, limit: int) -> Sequence[Record]:
        """Give at most `limit` durable records before a seq that hold all these words, the newest first."""

    def oldest(self) -> int:
        """Give the first seq that `records` still has."""


class Watchers:
    """All who watch, at most `limits.watchers`; each ends when `stopping` is set, or when it reads too slowly."""

    def __init__(self, source: Source, limits: Limits, stopping: asyncio.Event) -> None:
        self._source = source
        self._limits = limits
        self._stopping = stopping
        self.count = 0
        """How many watch now."""

    def check(self) -> None:
        """Raise a Problem where there are enough watchers."""
        if self.count >= self._limits.watchers:
            raise Problem(503, "busy", f"{self.count} watchers already", retryable=True)

    async def serve(
        self, request: web.BaseRequest, connection: Connection, headers: dict[str, str]
    ) -> web.StreamResponse:
        """Stream until somebody ends it."""
        response = web.StreamResponse(headers={**headers, "Content-Type": STREAM_TYPE})
        response.force_close()
        since = number_of(request, "since")
        self.count += 1
        connection.stay()
        try:
            await self._bounded(response.prepare(request))
            await self._stream(response, self._source.view().seq if since is None else since)
            await self._bounded(response.write_eof())
        except (TimeoutError, ConnectionError):
            connection.end()  # it does not read, or is gone
        finally:
            self.count -= 1
        return response

    async def _stream(self, response: web.StreamResponse, last: int) -> None:
        """Send a hello, what of the past is asked for and still there, then records as they come, and pings."""
        await self._send(response, self._opening(last))
        polls = 0
        while True:
            shown = self._source.view()
            page: Sequence[Record] = ()
            if shown.seq > last:
                page = await self._source.records(last, self._limits.watch_page)
                full = len(page) >= self._limits.watch_page
                last = page[-1].seq if full else max(shown.seq, page[-1].seq if page else 0)
            if page:
                await self._send(response, [{"kind": "record", **describe(record)} for record in page])
                polls = 0
                continue
            if self._stopping.is_set():
                await self._send(response, [{"kind": "bye", "seq": last}])
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._limits.watch_poll_s)
            polls += 1
            if polls * self._limits.watch_poll_s >= self._limits.ping_s:
                await self._send(response, [{"kind": "ping", "seq": shown.seq, "now_ns": shown.now_ns}])
                polls = 0

    def _opening(self, last: int) -> list[dict[str, Any]]:
        oldest = self._source.oldest()
        lost = [{"kind": "gap", "from": last + 1, "to": oldest - 1}] if last + 1 < oldest else []
        return [hello(self._source.view()), *lost]

    async def _send(self, response: web.StreamResponse, lines: list[dict[str, Any]]) -> None:
        data = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        for start in range(0, len(data), self._limits.piece_bytes):
            await self._bounded(response.write(data[start : start + self._limits.piece_bytes]))

    async def _bounded(self, writing: Awaitable[Any]) -> None:
        await asyncio.wait_for(writing, self._limits.write_s)
