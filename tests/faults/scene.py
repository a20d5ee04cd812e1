"""The scene of the fault tests: a joed that sends entries without pause, its exchange beside it, and their clocks."""

import os
import time

from joed.brokers.paper_remote import read_hello
from joed.daemon.clock import boot_ns, utc_ns
from joed.model import ids
from joed.model.values import Leg
from tests.worlds import copied

NAME = "KO"
EAGER = ("-m", "tests.faults.eager", NAME)


def eager(world, root, more="", words=None):
    """Give a demo on a copy of a world whose joed is mad; nothing of it runs."""
    demo = copied(world, root, more, *([words] if words else []))
    demo.program = EAGER
    return demo


def accepted(demo):
    """Give when the exchange accepted each entry of the mad rule, in its own time."""
    book = demo.book()
    lines = [] if book is None else book.log
    mine = [line for line in lines if line.instrument == NAME and line.what == "accepted"]
    return [line.at_ns for line in mine if ids.leg_of(line.order) is Leg.ENTRY]


def resting(demo):
    """Give the entries that still live at the exchange."""
    return [o.order for o in demo.book().orders if o.opens and not o.status.ended]


def exchange_ns(demo, wall_ns):
    """Give the exchange's time at a moment of the wall clock."""
    hello = read_hello(demo.places.exchange)
    boot = wall_ns - (utc_ns() - boot_ns())
    return hello.origin_ns + int((boot - hello.base_ns) * hello.speed)


def wall_ms(demo, exchange_moment_ns, wall_ns):
    """Give how many real milliseconds a moment of the exchange lies after one of the wall clock."""
    hello = read_hello(demo.places.exchange)
    return (exchange_moment_ns - exchange_ns(demo, wall_ns)) / hello.speed / 1e6


def until(holds, seconds=60.0, what="it"):
    """Wait until it holds; give what it gave."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come within {seconds} s")


def trading(demo, at_least=5):
    """Start it, and wait until its entries reach the exchange."""
    before = len(accepted(demo))
    demo.start()
    until(lambda: len(accepted(demo)) >= before + at_least, what=f"entries ({demo.err.read_text()[-500:]})")


def latched_ns(demo):
    """Give when the kill file was made, by the wall clock."""
    return (demo.places.latch / "KILL").stat().st_mtime_ns


def stuffed(folder, name="stuffing"):
    """Take all the room there is, to the last page; give the file."""
    path = folder / name
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for size in (1 << 20, 1 << 12):
            try:
                while os.write(file, bytes(size)) == size:
                    pass
            except OSError:
                continue
    finally:
        os.close(file)
    return path
