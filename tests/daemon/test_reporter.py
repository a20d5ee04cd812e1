"""From a summary in the record to its report: once each, whoever fails on the way."""

import asyncio
import subprocess
import sys

import pytest

from joed.daemon.log import Log
from joed.daemon.reads import Record
from joed.daemon.reporter import WAITING_MAX, Reporter, ReportNotWritten, written
from joed.model.commands import OpenSession
from joed.model.events import SummaryWritten, Tick
from joed.model.thinking import Summary
from tests.engine.build import D
from tests.small_days import DAYS, played


def summary(number=1, session=""):
    """Give the record of a summary, and of a session that begins with it."""
    commands = (OpenSession(session, 0, 1, D(1)),) if session else ()
    return Record(number, number, SummaryWritten(number, f"Session: text {number}"), commands)


def quiet():
    """Give a log that goes nowhere."""
    return Log("text", lambda: 0)


async def reported(write, *records, expected=2):
    """Let a reporter hear these and report until it has written, or tried, so often."""
    loop, done, tries = asyncio.get_running_loop(), asyncio.Event(), []

    async def counted(*words):
        tries.append(words)
        if len(tries) == expected:
            loop.call_soon(done.set)
        return await write(*words)

    reporter = Reporter(Summary(), "", counted, quiet())
    for record in records:
        reporter.tell(record)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(reporter.run())
        await done.wait()
        running.cancel()


async def test_each_summary_is_written_once_with_its_session_and_origin(tmp_path):
    """Other records are not reports."""
    written = []

    async def write(session, words, origin):
        written.append((session, words, origin))
        return tmp_path / "x.html"

    await reported(write, Record(1, 1, Tick()), summary(2, "2026-11-20"), summary(3))

    assert written == [
        ("2026-11-20", "Session: text 2", "written by the template"),
        ("2026-11-20", "Session: text 3", "written by the template"),
    ]


async def test_a_report_that_cannot_be_written_does_not_end_the_reporter(tmp_path):
    """A full disk for the first, room for the second."""
    written = []

    async def write(session, words, origin):
        if not written:
            written.append("failed")
            raise OSError(28, "no space left")
        written.append(words)
        return tmp_path / "x.html"

    await reported(write, summary(1, "2026-11-20"), summary(2))

    assert written == ["failed", "Session: text 2"]


def test_what_waits_has_a_bound(tmp_path):
    """The newest are kept: the record has all of them."""
    reporter = Reporter(Summary(), "", lambda *_: tmp_path, quiet())
    for number in range(WAITING_MAX + 3):
        reporter.tell(summary(number))

    assert len(reporter._waiting) == WAITING_MAX


async def test_a_report_is_written_by_a_program_of_its_own():
    """The day is read, drawn and lies in `reports/`."""
    _, state_dir = played()

    folder = await written(state_dir, DAYS[0], "Up < 2.", "written by the template")

    assert folder == state_dir / "reports"
    assert "Up &lt; 2." in (folder / f"{DAYS[0]}.html").read_text()


async def test_what_its_writer_complains_of_is_the_reason(tmp_path):
    """A journal that there is not, in its own words."""
    with pytest.raises(ReportNotWritten, match="no journal in"):
        await written(tmp_path, "2026-01-01", "words", "origin")


def test_the_daemons_side_of_it_loads_neither_numpy_nor_a_report():
    """What only the evening needs is no memory of the daemon's."""
    code = (
        "import sys, joed.daemon.reporter, joed.daemon.job_context; print(*{'numpy', 'joed.report'} & {*sys.modules})"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said.split() == []
