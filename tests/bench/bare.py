"""The least that can be run: a loop with a timer, for the floors of pause and idleness.

Run as `python -m tests.bench.bare`; it answers stdin as a house does.
"""

import asyncio
import sys
from time import perf_counter_ns

from tests.bench.timing import TimedSelector

EVERY_S = {"0": 1.0}
"""Idle: a timer a second; with any other rate 200 a second, as often as a house's feed."""


def main() -> None:
    """Run until stdin ends."""
    selector = TimedSelector(perf_counter_ns)
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(live(selector))


async def live(selector: TimedSelector) -> None:
    """Wake up now and then, and obey stdin."""
    loop, ended, every_s = asyncio.get_running_loop(), asyncio.Event(), [1.0]

    def obey() -> None:
        line = sys.stdin.readline()
        if not line:
            loop.remove_reader(sys.stdin)
            ended.set()
            return
        every_s[0] = EVERY_S.get(line.strip(), 0.005)
        print(selector.taken_ns(), flush=True)

    loop.add_reader(sys.stdin, obey)

    def again() -> None:
        loop.call_later(every_s[0], again)

    again()
    await ended.wait()


if __name__ == "__main__":
    main()
