"""Hunt every planted bug (`make planted`): of each the seed and the law that found it, then N of N; 1 if not all."""

import argparse
import json
import multiprocessing
import os
import sys
import time
from functools import partial
from pathlib import Path

from tests.planted.bugs import BUGS
from tests.planted.hunt import Caught, hunt

CAUGHT = Path(__file__).with_name("caught.json")
"""Where each bug was last found: tests look there first. Only a hint: a world that changed moves them."""


def main(argv: list[str]) -> int:
    """Hunt the bugs that are named, or all."""
    parser = argparse.ArgumentParser(prog="make planted", description=__doc__)
    parser.add_argument("bugs", nargs="*", help="names (default: all)")
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds each bug has to survive")
    parser.add_argument("--keep", action="store_true", help=f"write the seeds into {CAUGHT.name}")
    args = parser.parse_args(argv)
    if unknown := sorted(set(args.bugs) - set(BUGS)):
        parser.error(f"no such bug: {', '.join(unknown)}")
    names = args.bugs or list(BUGS)
    started = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(len(os.sched_getaffinity(0)), len(names))) as pool:
        work = partial(hunt, seeds=range(1, args.seeds + 1))
        found = [tell(caught) for caught in pool.imap(work, names, chunksize=1)]
    if args.keep:
        keep(found)
    caught = sum(1 for one in found if one.seed)
    print(f"{caught} of {len(found)} planted bugs found within {args.seeds} seeds, {time.monotonic() - started:.0f} s")
    return 0 if caught == len(found) else 1


def tell(caught: Caught) -> Caught:
    """Print one hunt's end."""
    if caught.seed:
        print(f"{caught.bug:<40} seed {caught.seed:>3}  {caught.law}", flush=True)
    else:
        print(f"{caught.bug:<40} SURVIVES  {caught.seen or 'no law broke'}", flush=True)
    return caught


def keep(found: list[Caught]) -> None:
    """Write down where each was found."""
    known = json.loads(CAUGHT.read_text()) | {one.bug: one.seed for one in found if one.seed}
    CAUGHT.write_text(json.dumps({bug: known[bug] for bug in BUGS if bug in known}, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
