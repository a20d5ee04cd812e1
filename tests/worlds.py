"""A world in which joed holds a protected position and has died: made once, copied for each test that begins there."""

import shutil
import signal
from argparse import Namespace

from joed import compose
from joed.config import load
from joed.demo import choose
from tests.demos import Demo, holdings

SPEED = 60.0
"""How fast time passes after the copy: slow enough that the position is still there when a test looks."""
WORDS = ("--exchange", "process", "--speed", SPEED, "--confirm", "auto", "--seed", 7)


def play(root):
    """Play seed 7's day, as fast as it goes, until a position is held, and joed and its exchange die.

    No clock but the day's own counts: on any machine it is the same position, which its stop ends 80 minutes later.
    """
    demo = Demo(root, "--speed", "max", "--confirm", "auto", "--seed", 7, program=("-m", "tests.mortal"))
    demo.start()
    assert demo.wait(120) == -signal.SIGKILL, demo.err.read_text()[-2000:]
    assert len(holdings(demo.book())) == 1
    return root


def copied(world, root, more="", words=WORDS):
    """Give a demo on a copy of a world, with more configuration; nothing of it runs."""
    shutil.copytree(world, root, ignore=shutil.ignore_patterns("run", "bars.db*"))
    demo = Demo(root, *words)
    demo.config.write_text(demo.config.read_text() + more)
    return demo


def start_exchange(demo):
    """Start the exchange of a demo without a joed."""
    options = Namespace(seed=7, confirm="auto", speed=SPEED, exchange="process", config=demo.config)
    choices = choose(options, load(demo.config), None, demo.places)
    demo.places.make()
    compose.find_or_start(choices, max(compose.newest_ns(demo.places), choices.origin_ns), SPEED)


def held_of(demo):
    """Give the instrument that is held."""
    return next(name for name, held in demo.book().book.positions.items() if held.quantity)
