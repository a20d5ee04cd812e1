"""Every crash point of every small world, singly, and every point of the recovery after it: `make crashes`.

`python -m tests.long.crashes --each 5` tries every fifth. Prints what broke and one line with the number of points and
of runs; status 1 where a law was broken.
"""

import argparse
import multiprocessing
import os
import sys
from functools import partial

from joed.sim.crashes import SMALL, sum_of, try_world
from joed.sim.world import play


def tried(name, each):
    """Try all of one world."""
    return list(try_world(name, play, each=each))


def main():
    """Try them all, each world in a process of its own."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--each", type=int, default=1)
    each = made.parse_args().each
    found = []
    with multiprocessing.get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
        for world in pool.imap_unordered(partial(tried, each=each), SMALL):
            found += world
            print(sum_of(world).replace("1 worlds", world[0].name), flush=True)
    broken = [one for one in found if one.outcome.law]
    for one in broken:
        print(one.words())
    print(sum_of(found))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
