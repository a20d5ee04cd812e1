"""Completion: what a shell is offered, from a real socket, and never an error."""

import subprocess
import sys

import click
import pytest

from joectl.cli import COMMAND
from joectl.client import look
from joectl.completing import KINDS, values
from joed import protocol
from tests.daemon.serving import killed, serving, state_of_a_day
from tests.joectl.running import ROOT, environment, joectl

OFFERED = {
    "cancel": {"e2", "AAPL-s", "AAPL-t"},
    "flatten": {"AAPL"},
    "why": {"AAPL", "NVDA", "s1", "e2"},
    "resolve": set(),
    "adopt": set(),
    "ack": set(),
}


def offered(line, state_dir):
    """Give what a shell is told for this line, whose last word is being typed."""
    env = environment(_JOECTL_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(line.split(" ")) - 1))
    ran = joectl(state_dir=state_dir, env=env)
    return {row.partition(",")[2] for row in ran.out.splitlines() if row}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_given_what_it_has_to_read(shell):
    """A script of its own that asks joectl back."""
    ran = joectl("completion", shell)

    assert (ran.code, ran.err) == (0, "")
    assert f"_JOECTL_COMPLETE={shell}_complete" in ran.out


def test_another_shell_is_a_usage_error():
    """Exit 2, and no script."""
    assert (joectl("completion", "csh").code, joectl("completion", "csh").out) == (2, "")


def test_verbs_and_options_are_offered(tmp_path):
    """The table is what is offered."""
    assert offered("joectl fl", tmp_path) == {"flush", "flatten"}
    assert "--dry-run" in offered("joectl cancel --d", tmp_path)
    assert offered("joectl kill --scope ", tmp_path) == {"entries", "orders", "flatten", "account"}


@pytest.mark.parametrize("verb", OFFERED)
def test_what_lives_now_is_offered(tmp_path, verb):
    """Orders to cancel, positions to flatten, all that can be asked about; an id is not to be typed."""
    with serving(tmp_path / "s"):
        found = offered(f"joectl --state-dir={tmp_path / 's'} {verb} ", tmp_path / "s")

    assert OFFERED[verb] <= found or not OFFERED[verb]
    assert found or not OFFERED[verb]


def test_what_begins_otherwise_is_not_offered(tmp_path):
    """As far as it is typed it counts."""
    with serving(tmp_path / "s"):
        assert offered(f"joectl --state-dir={tmp_path / 's'} flatten AA", tmp_path / "s") == {"AAPL"}
        assert offered(f"joectl --state-dir={tmp_path / 's'} flatten B", tmp_path / "s") == set()


def test_a_latched_block_is_offered_to_release(tmp_path):
    """Its name is long; Tab knows it."""
    with serving(tmp_path / "s", killed(state_of_a_day())):
        found = offered(f"joectl --state-dir={tmp_path / 's'} release --block ", tmp_path / "s")

    assert any("/" in name for name in found)


def test_without_a_daemon_nothing_is_offered_and_nothing_is_said(tmp_path):
    """A Tab is no place for an error."""
    env = environment(
        _JOECTL_COMPLETE="bash_complete", COMP_WORDS=f"joectl --state-dir={tmp_path} cancel ", COMP_CWORD="3"
    )
    ran = joectl(env=env)

    assert (ran.out.strip(), ran.err) == ("", "")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_reads_what_the_daemon_answers(tmp_path, kind):
    """A field that was renamed would leave Tab silent, and nobody would know why."""
    with serving(tmp_path / "s"):
        body = look(protocol.find({}, "", str(tmp_path / "s")), KINDS[kind].path, 5.0).body
        assert isinstance(list(KINDS[kind].values(body)), list)
        context = click.Context(COMMAND, info_name="joectl")
        context.params = {"state_dir": str(tmp_path / "s")}
        inner = click.Context(COMMAND, parent=context)
        assert values(kind, inner) == list(dict.fromkeys(map(str, KINDS[kind].values(body))))


ASK = {
    "bash": "source {script}; COMP_WORDS=(joectl --state-dir={state} flatten ''); COMP_CWORD=3; "
    "_joectl_completion joectl; echo ${{COMPREPLY[@]}}",
    "fish": "source {script}; complete -C 'joectl --state-dir={state} flatten '",
    "zsh": "zmodload zsh/zpty; zpty it zsh -f -i; "
    "zpty -w it 'autoload -U compinit; compinit -u -D; source {script}; PS1=ready\\>'; zpty -r -m it seen '*ready>*'; "
    "zpty -w -n it $'joectl --state-dir={state} flatten \\t'; zpty -r -m it seen '*flatten AAPL*'; print -r -- AAPL",
}
"""What has a shell complete the name of a position; zsh does so on a terminal of its own, and waits until it shows."""


@pytest.mark.parametrize("shell", ASK)
def test_a_real_shell_completes_with_it(tmp_path, shell):
    """The script that is printed works where it is read."""
    program, script = tmp_path / "joectl", tmp_path / "script"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m joectl "$@"\n')
    program.chmod(0o755)
    script.write_text(joectl("completion", shell).out)
    with serving(tmp_path / "s"):
        ask = ASK[shell].format(script=script, state=tmp_path / "s")
        env = environment(PATH=f"{tmp_path}:/usr/bin:/bin", HOME=str(tmp_path), TERM="xterm")
        ran = subprocess.run([shell, "-c", ask], env=env, capture_output=True, text=True, timeout=30, check=False)

    assert ran.stdout.split() == ["AAPL"], ran.stderr
