"""What README and the tutorial show is what a person sees who types it: in a real terminal, by tmux."""

import re
import subprocess
import time
from itertools import count
from pathlib import Path

import pytest

from joectl.client import look
from joed import protocol

ROOT = Path(__file__).resolve().parent.parent
WAIT_S = 90.0
NUMBERS = count()


class Terminal:
    """A tmux of its own, in which panes are typed into; what was shown is read back, lines that it broke made whole."""

    def __init__(self, folder):
        self.name, self.folder, self.panes = f"joed-{next(NUMBERS)}-{folder.name}", folder, {}

    def tmux(self, *words):
        """Have tmux do something, and give what it says."""
        command = ["tmux", "-L", self.name, "-f", "/dev/null", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout

    def open(self, pane):
        """Open a terminal, unless it is open; the shell is bare, and its temporary files are ours."""
        if pane in self.panes:
            return
        shell = f"env -u JOED_SOCKET -u XDG_RUNTIME_DIR TMPDIR={self.folder} HOME={self.folder} PS1='$ ' bash --norc"
        words = ("new-session", "-d", "-s", "t") if not self.panes else ("new-window", "-d", "-t", "t")
        target = (
            self.tmux(*words, "-P", "-F", "#{pane_id}", "-x", "120", "-y", "50", shell)
            if not self.panes
            else self.tmux(*words, "-P", "-F", "#{pane_id}", shell)
        )
        self.panes[pane] = target.strip()
        if len(self.panes) == 1:
            self.tmux("set-option", "-g", "history-limit", "20000")

    def type(self, pane, line):
        """Type a line and press Enter."""
        self.open(pane)
        self.tmux("send-keys", "-t", self.panes[pane], "-l", line)
        self.tmux("send-keys", "-t", self.panes[pane], "Enter")

    def shown(self, pane):
        """Give all that this terminal has shown, each line whole."""
        return self.tmux("capture-pane", "-p", "-J", "-S", "-", "-t", self.panes[pane]).rstrip()

    def end(self):
        """End it, and everything in it."""
        for pane in self.panes.values():
            subprocess.run(["tmux", "-L", self.name, "send-keys", "-t", pane, "C-c"], check=False, capture_output=True)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and list(self.folder.glob("joed-*/demo")):
            time.sleep(0.1)
        subprocess.run(["tmux", "-L", self.name, "kill-server"], check=False, capture_output=True)


@pytest.fixture
def terminal(tmp_path_factory):
    """Give a terminal that is ended whatever happens."""
    made = Terminal(tmp_path_factory.mktemp("t"))
    yield made
    made.end()


AGES = re.compile(r" \(\d+ s old\)")
"""What stands beside a price on a machine that is busy: at sixty times the speed a tenth of a second is six."""


def pattern(line):
    """Give what a shown line must look like: words as they are, numbers any, "..." anything."""
    parts = re.split(r"(\.\.\.|[+-]?\d[\d.,:/-]*|\s+)", line.strip())
    kinds = {"...": r".*", " ": r"\s+"}
    return re.compile("".join(kinds.get(part[:1] if part.isspace() else part, _part(part)) for part in parts))


def _part(part):
    return r"[+-]?\d[\d.,:/-]*" if re.fullmatch(r"[+-]?\d[\d.,:/-]*", part) else re.escape(part)


def blocks(page):
    """Give each console block: the terminal it is typed in, and its lines."""
    text = (ROOT / page).read_text("utf-8")
    return [
        (found[1] or "1", found[2].splitlines())
        for found in re.finditer(r"```console(?: (\d))?\n(.*?)```", text, re.DOTALL)
    ]


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_each_line_that_is_shown_appears(terminal, page):
    """Typed in the order of the page, each shown line is seen, after its command, within its time."""
    for pane, lines in blocks(page):
        catch_up(terminal)
        begun = 0
        for line in lines:
            if line.startswith("$ "):
                begun = len(terminal.shown(pane)) if pane in terminal.panes else 0
                terminal.type(pane, line.removeprefix("$ "))
                wait(
                    terminal,
                    pane,
                    lambda shown, line=line, begun=begun: line[2:30] in shown[max(0, begun - 200) :],
                    line,
                )
            elif line.strip():
                wanted = pattern(line)
                wait(
                    terminal,
                    pane,
                    lambda shown, w=wanted, b=begun: w.search(AGES.sub("", shown[max(0, b - 2) :])),
                    line,
                )
    assert blocks(page)


def catch_up(terminal):
    """Let what a person has read in one terminal be what the next one is told: a picture made after this moment."""
    socket = protocol.read_demo({"TMPDIR": str(terminal.folder)})
    if socket is None:
        return
    place, seen = protocol.find({}, str(socket)), []
    deadline = time.monotonic() + WAIT_S
    while len(seen) < 3:  # the one that was shown, the one that waited to be, and the one that was made after
        assert time.monotonic() < deadline
        seq = look(place, "status", 5.0).body["seq"]
        if seq not in seen:
            seen.append(seq)
        time.sleep(0.05)


def wait(terminal, pane, holds, line):
    """Wait until a terminal shows it."""
    deadline = time.monotonic() + WAIT_S
    while not holds(terminal.shown(pane)):
        assert time.monotonic() < deadline, f"{line!r} did not appear in\n{terminal.shown(pane)[-4000:]}"
        time.sleep(0.2)
