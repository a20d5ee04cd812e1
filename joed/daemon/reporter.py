"""The day's summary on its way to a person: heard from the record, put into words, written into `reports/`."""

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from joed.daemon.errand import run
from joed.daemon.log import Log
from joed.daemon.reads import Record
from joed.daemon.rewrite import rewritten
from joed.errors import JoedError
from joed.model.commands import OpenSession
from joed.model.events import SummaryWritten
from joed.model.thinking import Summary

WAITING_MAX = 8

WRITE_S = 120.0
"""How long the program that writes a report may take."""

Write = Callable[[str, str, str], Awaitable[Path]]
"""Writes a session's report of a text, with a word on its origin; gives where it lies."""


class ReportNotWritten(JoedError):
    """The program that writes a report failed; its complaint is the message."""


async def written(root: Path, session: str, words: str, origin: str) -> Path:
    """Have a program of its own write a session's report of this state directory: it loads what no daemon should."""
    told = msgspec.json.encode((session, words, origin))
    amiss = await run([sys.executable, "-P", "-m", "joed.report.summary", str(root)], WRITE_S, told, bare=True)
    if amiss:
        raise ReportNotWritten(amiss)
    return root / "reports"


class Reporter:
    """Waits for summaries and writes each one's report; `tell` only takes note, `run` carries out."""

    def __init__(self, rules: Summary, key: str, write: Write, log: Log) -> None:
        """Write by `write`; `key` is the model's, "" where none is asked or needed."""
        self._rules, self._key, self._write, self._log = rules, key, write, log
        self._waiting: deque[tuple[str, str]] = deque(maxlen=WAITING_MAX)
        self._session = ""
        self._news = asyncio.Event()

    def tell(self, record: Record) -> None:
        """Hear a durable record."""
        for command in record.commands:
            if isinstance(command, OpenSession):
                self._session = command.session
        if isinstance(record.event, SummaryWritten):
            self._waiting.append((self._session, record.event.text))
            self._news.set()

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                await self.report(*self._waiting.popleft())

    async def report(self, session: str, facts: str) -> None:
        """Put one summary into words and write its report; what fails is in the log, the record has the text."""
        found = await rewritten(facts, self._rules, self._key)
        if found.dropped and self._rules.rewrite != "none":
            self._log.warning("summary_not_rewritten", reason=found.dropped)
        origin = "written by the template" if found.dropped else f"written by {self._rules.model}, figures checked"
        try:
            folder = await self._write(session, found.text, origin)
        except (OSError, JoedError) as error:
            self._log.error("report_not_written", reason=str(error))
            return
        self._log.info("report_written", session=session, folder=str(folder))
