"""The command line: one mode, and an exit status that says what came of it."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import joed
from joed.__main__ import CONFIG, FAILED, FORBIDDEN, TEMPORARY, first_of, main, parser, status_of, words_of
from joed.daemon.chain import JournalDamaged, JournalNewer
from joed.daemon.lock import StateHeld
from joed.daemon.loop import StepFailed
from joed.daemon.recovery import CannotRecover
from joed.errors import BrokerUnavailable, ConfigError
from tests.demos import joed as run

SOMEWHERE = Path("joed.db")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--demo", "--once"], "not allowed with"),
        (["--sped", "60"], "--sped"),
        (["--demo", "--speed", "0"], "above 0"),
        (["--demo", "--speed", "fast"], "fast"),
        (["--demo", "--speed", "10001"], "10000"),
        (["--audit", "delete"], "invalid choice"),
        (["--demo", "--seed", "x"], "invalid int"),
    ],
)
def test_a_wrong_command_line_ends_with_64_and_says_what_is_meant(words, said, capsys):
    """Sysexits' number for usage."""
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(words)

    assert ended.value.code == 64
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("text", "speed"), [("max", None), ("1", 1.0), ("0.5", 0.5), ("10000", 10000.0)])
def test_a_speed_is_a_number_or_max(text, speed):
    """None is as fast as it goes."""
    assert parser().parse_args(["--demo", "--speed", text]).speed == speed


def test_the_version_is_told(capsys):
    """On standard output, status 0."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert (ended.value.code, capsys.readouterr().out) == (0, f"joed {joed.__version__}\n")


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        (ConfigError("x"), CONFIG),
        (JournalDamaged(SOMEWHERE, 1, "x"), CONFIG),
        (JournalNewer("x"), CONFIG),
        (CannotRecover("x"), CONFIG),
        (StateHeld(SOMEWHERE, 1), TEMPORARY),
        (BrokerUnavailable("x"), TEMPORARY),
        (StepFailed("x"), TEMPORARY),
        (PermissionError(13, "x"), FORBIDDEN),
        (FileNotFoundError(2, "x"), FAILED),
        (OSError(28, "x"), TEMPORARY),
        (sqlite3.OperationalError("x"), TEMPORARY),
        (sqlite3.DatabaseError("malformed"), CONFIG),
        (sqlite3.ProgrammingError("x"), None),
        (ZeroDivisionError("x"), None),
    ],
)
def test_each_kind_of_end_has_its_status(cause, status):
    """What a person must mend is 78, what may pass is 75; a fault of ours shows its traceback."""
    assert status_of(cause) == status


def test_the_first_of_a_group_is_the_cause():
    """Tasks end in groups of groups."""
    cause = ConfigError("x")

    assert first_of(ExceptionGroup("a", [ExceptionGroup("b", [cause]), ValueError("later")])) is cause


def test_an_unknown_configuration_key_ends_with_78_and_a_better_idea(tmp_path):
    """File, line, key, did you mean."""
    path = tmp_path / "joed.yaml"
    path.write_text("risk:\n  per_trad: 0.01\n")

    done = run("--check", "--config", path)

    assert done.returncode == 78
    assert f"{path}:2" in done.stderr
    assert "per_trade" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path):
    """A pipe that ends early, as `head` does."""
    with subprocess.Popen(
        [sys.executable, "-m", "joed", "--check", "--config", str(tmp_path / "joed.yaml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ},
    ) as process:
        (tmp_path / "joed.yaml").write_text("{}\n")
        process.stdout.close()
        complaint = process.stderr.read()

    assert b"Traceback" not in complaint


@pytest.mark.parametrize(
    "words", [("--export", "trades"), ("--export", "equity"), ("--audit", "export"), ("--replay", "2026-01-02")]
)
def test_a_damaged_record_is_said_with_the_next_step(tmp_path, words):
    """Whatever reads it: 78, one line, and no traceback."""
    (tmp_path / "joed.db").write_bytes(b"no record" * 1000)

    done = run(*words, "--state-dir", tmp_path)

    assert (done.returncode, len(done.stderr.splitlines())) == (CONFIG, 1)
    assert "the record is damaged" in done.stderr


def test_a_file_that_is_anothers_is_said_with_the_next_step():
    """The system's words name the file, and nothing to do about it."""
    assert "sudo -u" in words_of(PermissionError(13, "Permission denied", "/x/lock"))
    assert words_of(OSError("x")) == "x"
