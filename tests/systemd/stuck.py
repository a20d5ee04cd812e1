"""joed with one part of it that stands still for ever, some seconds after READY, while its loop goes on.

`python -m tests.systemd.stuck intake --daemon …`; the parts are the keys of STUCK.
"""

import sys
import time

from joed.__main__ import main
from joed.daemon.loop import Loop
from joed.daemon.systemd import Notifier

WELL_S = 3.0
"""How long after READY all is well, so that what stands still is seen to have worked, however long the start took."""


def stop(name, instead):
    """Have a method of the loop do nothing any more once joed has been well for a while."""
    real, ready, begun = getattr(Loop, name), Notifier.ready, []

    def begins(notifier, *words):
        begun.append(time.monotonic())
        return ready(notifier, *words)

    def stands_still(loop, *words):
        well = not begun or time.monotonic() - begun[0] < WELL_S
        return real(loop, *words) if well else instead(loop)

    Notifier.ready = begins
    setattr(Loop, name, stands_still)


def lose_all(loop):
    """Take what has come in, and do nothing with it."""
    while loop.intake.take() is not None:
        pass
    return 0


STUCK = {
    "intake": lambda: stop("drain", lose_all),
    "orders": lambda: stop("release", lambda loop: None),
}
"""What an event never comes out of, and what hands orders over once their records are durable."""

if __name__ == "__main__":
    STUCK[sys.argv[1]]()
    sys.exit(main(sys.argv[2:]))
