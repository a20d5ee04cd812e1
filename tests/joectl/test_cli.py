"""The table of verbs, the options they share, and what starting costs."""

import os
import subprocess
import sys
from importlib import import_module

import click
import pytest

import joed
from joectl.cli import COMMAND, VERBS, Options, options_of
from tests.daemon.serving import serving
from tests.joectl.running import ROOT, environment, joectl


@pytest.mark.parametrize("name", VERBS)
def test_every_row_names_a_function_that_is_there(name):
    """The table is looked up when a verb runs: a slip in it must not wait until then."""
    module, _, function = VERBS[name].function.partition(":")

    assert callable(getattr(import_module(f"joectl.{module}"), function))


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_takes_what_all_verbs_take(name):
    """After the verb as before it."""
    command = COMMAND.get_command(click.Context(COMMAND), name)

    assert set(Options._fields) <= {param.name for param in command.params}


def test_what_stands_after_the_verb_counts_more_than_what_stands_before():
    """And what was not given anywhere has its default."""
    merged = options_of({"socket": "a", "json": True, "timeout": None}, {"socket": "b", "json": None, "timeout": 3.0})

    assert merged == Options(socket="b", json=True, timeout=3.0)


def test_shared_options_work_on_both_sides_of_the_verb(tmp_path):
    """`joectl --json status` is `joectl status --json`."""
    with serving(tmp_path / "s"):
        before = joectl("--json", "jobs", state_dir=tmp_path / "s")
        after = joectl("jobs", "--json", "--state-dir", tmp_path / "s")

    assert before.code == after.code == 0
    assert before.json == after.json


@pytest.mark.parametrize("words", [("frob",), ("status", "--frob"), ("kill", "--scope", "all"), ("why",), ()])
def test_what_is_not_there_is_a_usage_error(words):
    """Exit 2, and nothing on stdout that a script would take for data."""
    ran = joectl(*words)

    assert (ran.code, ran.out) == (2, "")
    assert "Usage" in ran.err


@pytest.mark.parametrize(("typed", "meant"), [("kil", "kill"), ("statsu", "status"), ("zzz", "")])
def test_a_verb_that_was_mistyped_is_answered_with_the_nearest(typed, meant):
    """A kill is typed in haste; what is near nothing is only refused."""
    ran = joectl(typed)

    assert (ran.code, f"Did you mean {meant!r}?" in ran.err) == (2, bool(meant))


def test_help_lists_every_verb_with_its_line():
    """The table is the manual."""
    ran = joectl("--help")

    assert ran.code == 0
    assert all(f"\n  {name} " in ran.out for name in VERBS)


def test_the_version_is_joeds():
    """One package, one version."""
    assert joectl("--version").out == f"joectl {joed.__version__}\n"


def test_nothing_heavy_is_imported_to_say_something(tmp_path):
    """The first words within their budget: no server, no models, no HTTP library, no colours."""
    heavy = {
        *("aiohttp", "asyncio", "dataclasses", "email", "http.client", "joed.model", "msgspec", "numpy", "pydantic"),
        *("rich", "ssl", "tempfile", "urllib.request", "yaml"),
    }
    code = f"""
import atexit, sys
atexit.register(lambda: print("heavy:", *sorted({heavy!r} & set(sys.modules)), file=sys.stderr))
sys.argv = ["joectl", "--state-dir", {str(tmp_path / "s")!r}, *sys.argv[1:]]
from joectl.cli import main
main()
"""
    with serving(tmp_path / "s"):
        for verb in ("status", "positions", "kill", "pause", "doctor", "confirm"):
            command = [sys.executable, "-c", code, verb]
            done = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.stderr.splitlines()[-1] == "heavy:", verb


def test_a_reader_that_leaves_is_no_error(tmp_path):
    """`joectl status | head -1` ends quietly."""
    with serving(tmp_path / "s"):
        read, write = os.pipe()
        command = [sys.executable, "-m", "joectl", "--state-dir", str(tmp_path / "s"), "status"]
        os.close(read)
        done = subprocess.run(command, env=environment(), stdout=write, stderr=subprocess.PIPE, check=False)
        os.close(write)

    assert (done.returncode, done.stderr) == (0, b"")


def test_an_answer_that_has_no_place_is_one_line_and_a_failure(tmp_path):
    """A script must not take an empty file for an answer; a closed stdout is no reason for a traceback."""
    command = [sys.executable, "-m", "joectl", "--state-dir", str(tmp_path / "s"), "status"]
    with serving(tmp_path / "s"):
        full, quiet = (
            subprocess.run(
                ["sh", "-c", f"exec {' '.join(command)} {screen}"],
                env=environment(),
                cwd=ROOT,
                capture_output=True,
                check=False,
            )
            for screen in (">/dev/full", ">&-")
        )

    assert (full.returncode, len(full.stderr.splitlines())) == (1, 2)
    assert b"the answer could not be written: [Errno 28]" in full.stderr
    assert (quiet.returncode, quiet.stderr) == (0, b"")


def test_words_that_the_locale_could_not_read_are_taken_for_utf_8(tmp_path):
    """Under cron and the C locale a reason in any language arrives whole; bytes of another coding are marked."""
    plain = environment(LC_ALL="POSIX", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    with serving(tmp_path / "s") as server:
        ran = joectl("pause", "--reason", "für später", state_dir=tmp_path / "s", env=plain)
        shown = joectl("status", state_dir=tmp_path / "s", env=plain)
        other = joectl("why", b"\xe4".decode("utf-8", "surrogateescape"), state_dir=tmp_path / "s")

        assert (ran.code, server.desk.asked[0].reason) == (0, "für später")
        assert (shown.code, "f\\xfcr sp\\xe4ter" in shown.out) == (0, True)
        assert "Traceback" not in other.err
