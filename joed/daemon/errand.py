"""One short program of another: its words go through files in memory, its end is certain, its complaint is kept.

No pipe that fills or that its children keep open, no environment of ours, no process that outlives its deadline.
"""

import asyncio
import fcntl
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

SAID_BYTES_MAX = 2_000
OURS = ("CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_", "JOURNAL_STREAM", "INVOCATION_ID")
"""What of our environment is nobody else's: the way to credentials, and to the service manager in our name."""


async def run(words: Sequence[str], timeout_s: float, told: bytes = b"", *, bare: bool = False) -> str:
    """Run a program; give what went wrong, with the last line of its complaint, or "".

    `told` is its standard input. One whose complaint is a sentence for people is quoted `bare`.
    """
    with said() as complaints, written(told) as stdin:
        try:
            process = await asyncio.create_subprocess_exec(
                *words,
                stdin=stdin if told else DEVNULL,
                stdout=DEVNULL,
                stderr=complaints,
                env=environment(),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL in the settings' own words
            return f"cannot be started: {getattr(error, 'strerror', None) or error}"
        code = await _code(process, timeout_s)
        if code is None:
            return f"did not end within {timeout_s:g} s"
        how, last = _reason(code, os.pread(complaints, SAID_BYTES_MAX, 0).rstrip(b"\0"))
        return last if bare and last else f"{how}: {last}" if last else how


def environment() -> dict[str, str]:
    """Give our environment without what is nobody else's."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


@contextmanager
def said() -> Iterator[int]:
    """Give a file in memory for a program's standard error.

    It cannot grow; a program that complains more is told that it may not.
    """
    descriptor = os.memfd_create("said", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, SAID_BYTES_MAX)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def written(told: bytes) -> Iterator[int]:
    """Give a file in memory from which a program reads what it is told: on no disk, in no list of processes."""
    descriptor = os.memfd_create("told", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, told)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


async def _code(process: Process, timeout_s: float) -> int | None:
    """Wait for a program's end and give its status, None when its time was over; it never outlives this call."""
    try:
        async with asyncio.timeout(timeout_s):
            return await process.wait()
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _reason(code: int, complaint: bytes) -> tuple[str, str]:
    """Say how a program failed, and the last line of its complaint; nothing where it did not."""
    if code == 0:
        return "", ""
    how = f"ended with status {code}" if code > 0 else f"was ended by signal {-code}"
    lines = complaint.decode(errors="replace").split("\n")
    return how, next((line.strip() for line in reversed(lines) if line.strip()), "")
