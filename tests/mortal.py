"""joed that dies by its own hand, as by kill -9, once its record holds a protected position.

`python -m tests.mortal --demo --speed max …`. There that is the same moment of the same day, on whatever machine.
"""

import os
import signal
import sys

from joed.__main__ import main
from joed.daemon.daemon import Daemon
from joed.engine.view import view


def plant():
    """Have it die at the first commit that simulated time waits for while a position has its stop."""
    commit = Daemon.commit

    def last(self):
        durable = commit(self)
        state = self.trading.loop.state
        if state.positions and any(row.protected for row in view(state).positions):
            os.kill(os.getpid(), signal.SIGKILL)
        return durable

    Daemon.commit = last


if __name__ == "__main__":
    plant()
    sys.exit(main(sys.argv[1:]))
