"""A whole real day traded over TCP and by the backtest, a quarter of an hour: `python -m tests.long.intents`.

Prints what was wanted, how much of it is the same, and each difference with its cause; 1 where one has none, or where
there is any without latency.
"""

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.conftest import DATA
from tests.wired.compare import UNEXPLAINED, differences, told
from tests.wired.day import backtested, quotes_of, traded

FILE = "intraday/eqker_us_1min_2019.parquet"
MINUTES = 402
"""From eight minutes before the open until four after the close."""


def parser():
    """Give the command line's grammar."""
    made = argparse.ArgumentParser(prog="python -m tests.long.intents")
    made.add_argument("--data", type=Path, default=DATA / FILE, help="bars of a minute")
    made.add_argument("--day", default="2019-02-12", help="which day of the file")
    made.add_argument("--begin", default="14:22", help="when the clock begins, UTC")
    made.add_argument("--minutes", type=int, default=MINUTES, help="how much of the day is traded")
    made.add_argument("--speed", type=int, default=30, help="how many times as fast")
    made.add_argument("--latency", type=float, default=0.0, help="seconds that an order takes over TCP, and its report")
    return made


def main(arguments=None):
    """Trade the day twice and compare."""
    options = parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="joed-intents-") as root:
        folder = Path(root)
        file, names = quotes_of(options.data, options.day, folder)
        expected = backtested(folder, file, names)
        origin = f"{options.day}T{options.begin}:00Z"
        found = traded(folder, file, names, origin, options.minutes, speed=options.speed, latency=options.latency)
    for at_ns, intent in found.intents:
        print(datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%H:%M:%S"), told(intent))
    lines = differences(expected, found)
    print(f"{len(expected.intents)} intents in the backtest, {len(found.intents)} over TCP, {len(lines)} differences")
    print(*lines, sep="\n")
    return int(any(UNEXPLAINED in line for line in lines) or (bool(lines) and not options.latency))


if __name__ == "__main__":
    sys.exit(main())
