"""joed.daemon.errand: one short program, told through memory, ended in time, its complaint kept."""

import os
import sys

import pytest

from joed.daemon import errand
from joed.daemon.errand import SAID_BYTES_MAX, run, written

WAIT_S = 20.0


async def test_a_program_reads_what_it_is_told_from_a_file_that_is_on_no_disk(tmp_path):
    """Of any length; its own words are kept only as a complaint."""
    told = b"secret" * 50_000
    script = f"import sys; open({str(tmp_path / 'got')!r}, 'wb').write(sys.stdin.buffer.read()); print('noise')"

    assert await run((sys.executable, "-c", script), WAIT_S, told) == ""

    assert (tmp_path / "got").read_bytes() == told
    with written(told) as descriptor:
        assert os.pread(descriptor, len(told), 0) == told


@pytest.mark.parametrize(
    ("script", "why", "bare"),
    [
        ("exit 0", "", ""),
        ("echo first >&2; echo last >&2; exit 3", "ended with status 3: last", "last"),
        ("exit 3", "ended with status 3", "ended with status 3"),
        ("kill -9 $$", "was ended by signal 9", "was ended by signal 9"),
    ],
)
async def test_how_it_ended_is_said_with_its_last_words_or_by_them_alone(script, why, bare):
    """Where the program speaks to people its sentence is the reason."""
    assert await run(("/bin/sh", "-c", script), WAIT_S) == why
    assert await run(("/bin/sh", "-c", script), WAIT_S, bare=True) == bare


async def test_a_program_that_cannot_start_or_end_is_told_so():
    """No wait without an end."""
    assert (await run(("/nowhere/at/all",), WAIT_S)).startswith("cannot be started: No such file")
    assert await run(("/bin/sh", "-c", "exec sleep 600"), 0.2) == "did not end within 0.2 s"


async def test_a_long_complaint_is_cut_and_our_environment_stays_ours(monkeypatch):
    """Credentials and the service manager's socket are not inherited."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "ours")
    assert "CREDENTIALS_DIRECTORY" in os.environ
    assert "CREDENTIALS_DIRECTORY" not in errand.environment()
    long = await run((sys.executable, "-c", "import sys; sys.exit('x' * 100_000)"), WAIT_S, bare=True)
    assert len(long) <= SAID_BYTES_MAX
