"""A worker whose jobs misbehave on purpose, to be started as a process of its own."""

import os
import sys
from itertools import count
from pathlib import Path

from joed.daemon import worker_main
from joed.model.events import SummaryWritten


def loop(inputs, command):
    """Never answer; leave a note with the process id, so that a test knows that it has begun."""
    Path(command.params["loop"]["note"]).write_text(str(os.getpid()), "utf-8")
    for _ in count():
        pass


def devour(inputs, command):
    """Ask for more memory than the budget allows."""
    return SummaryWritten(command.run, str(len(bytearray(8 * 1024**3))))


def chatter(inputs, command):
    """Print, as a careless strategy might."""
    print("x" * 100_000, flush=True)
    os.write(1, b"y" * 100_000)
    return SummaryWritten(command.run, "said")


def bars(inputs, command):
    """Say how many minute bars there are of A."""
    return SummaryWritten(command.run, str(len(inputs.history.today("A", inputs.context.now_ns))))


def environment(inputs, command):
    """Say what systemd would have told the daemon."""
    return SummaryWritten(command.run, os.environ.get("NOTIFY_SOCKET", "nothing"))


def babble(inputs, command):
    """Write what is no frame where the answers go, then end."""
    for number in range(3, 20):
        try:
            os.write(number, b"\xff" * 64)
        except OSError:
            continue
    os._exit(3)


JOBS = {"loop": loop, "devour": devour, "chatter": chatter, "bars": bars, "environment": environment, "babble": babble}

if __name__ == "__main__":
    sys.exit(worker_main.main(sys.argv[1:], JOBS))
