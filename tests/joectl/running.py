"""joectl as a person runs it: a process of its own, over a real socket."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Ran(NamedTuple):
    """How it ended, what is data, and what is for the person."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """Read stdout as JSON."""
        return json.loads(self.out)


def environment(**more):
    """Give an environment in which nothing but what is named is found."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "CI"}}
    return {**kept, "PYTHONPATH": str(ROOT), "TMPDIR": "/nowhere", **more}


def joectl(*words, state_dir=None, env=None):
    """Run it to its end without a terminal."""
    before = [f"--state-dir={state_dir}"] if state_dir else []
    command = [sys.executable, "-m", "joectl", *before, *map(str, words)]
    done = subprocess.run(
        command,
        env=env or environment(),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def typed(text, *words, state_dir):
    """Run it on a terminal, type a line, and give how it ended with all that was on the screen."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "joectl", f"--state-dir={state_dir}", *words]
    process = subprocess.Popen(command, env=environment(TERM="xterm"), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, f"{text}\n".encode())
    screen = b""
    try:
        while data := os.read(ours, 4096):
            screen += data
    except OSError:
        pass  # the other end is closed: that is how a terminal ends
    os.close(ours)
    return process.wait(30), screen.decode()
