"""A whole daemon for the benchmark, as a process: 500 instruments from a scripted feed, a paper account, a real worker.

Run as `python -m tests.bench.house STATE_DIR`. It is `joed.daemon.daemon.Daemon` with a feed of its own; each line on
its stdin sets a rate in quotes a second, and the worst pause of the loop since the line before is printed.
"""

import argparse
import asyncio
import gc
import sys
from pathlib import Path
from random import Random
from time import perf_counter_ns

from joed.brokers.paper import PaperBroker
from joed.daemon.calendars import load_calendars
from joed.daemon.clock import RealClock
from joed.daemon.daemon import Daemon
from joed.daemon.log import Log, adopt
from joed.daemon.places import places
from joed.daemon.plan import Plan
from joed.daemon.systemd import Notifier
from joed.daemon.worker import Worker
from joed.exchange import Exchange
from joed.model.events import Quote
from joed.model.settings import Daemon as Shell
from joed.model.settings import Instrument, Jobs, Settings
from joed.model.values import DAY, HOUR, SECOND, Bar
from tests.bench.scene import OPEN_NS, names_of
from tests.bench.timing import TimedSelector

FEED_NS = SECOND // 200
"""How often the feed has its turn, in engine time at speed 1."""
DAYS = 300
QUICK = Jobs(regime_s=2.0, scan_s=2.0, watchlist_s=1.0, strategies_s=1.0, analytics_s=1.0)
"""So that each second of the benchmark has its jobs."""
INDEX, VIX = "SPY", "VIX"


class ScriptedFeed:
    """Quotes of all instruments in turn, so many a second: in real time, whatever speed the clock has."""

    def __init__(self, names: list[str], speed: float) -> None:
        self.rate = 0
        self._names, self._speed = names, speed
        self._chance = Random(1)
        self._prices = dict.fromkeys(names, 100.0)
        self._next = 0

    def start(self, clock, emit) -> None:
        """Feed from now on."""
        step_ns = int(FEED_NS * self._speed)

        def turn() -> None:
            now = clock.now()
            for _ in range(self.rate * FEED_NS // SECOND):
                emit(self.quote(now))
            clock.call_at(now + step_ns, turn)

        clock.call_at(clock.now() + step_ns, turn)

    def quote(self, now: int) -> Quote:
        """Give the next instrument's next quote, a new object as a decoder makes it."""
        name = self._names[self._next]
        self._next = (self._next + 1) % len(self._names)
        price = 20.0 if name == VIX else round(self._prices[name] + self._chance.choice((-0.01, 0.0, 0.01)), 2)
        self._prices[name] = price
        return Quote(name, price, round(price + 0.01, 2), None, 1000.0 + now % SECOND, now, 1.0, 1.0, "paper")


def plan_of(count: int, speed: float, snapshot_s: float, *, quick: bool) -> tuple[Plan, ScriptedFeed]:
    """Give the daemon's plan and its feed."""
    names = [INDEX, VIX, *names_of(count - 2)]
    settings = Settings(
        universe={name: Instrument(name, tradable=name not in (INDEX, VIX)) for name in names},
        daemon=Shell(metrics_port=0, snapshot_s=snapshot_s),
        jobs=QUICK if quick else Jobs(deadline_s=30.0 * speed),
    )
    feed = ScriptedFeed(names, speed)
    emits = []

    def connect(clock, emit):
        emits.append(emit)
        exchange = Exchange(settings.universe, settings.paper, Random(1))
        return {"paper": PaperBroker("paper", exchange, clock, emit, settings.paper)}

    def worker(_clock, root):
        child = Worker(root / "bars.db", settings.daemon.worker_memory_mb)
        for name in names:
            child.daily(name, history(name))
        return child, [child.serve]

    plan = Plan(
        settings=settings,
        digest="bench",
        calendars=load_calendars(("XNYS",)),
        clock=lambda last_ns: RealClock(max(last_ns, OPEN_NS + HOUR), speed),
        connect=connect,
        feed=lambda clock, _brokers: feed.start(clock, emits[0]),
        worker=worker,
        version="bench",
        code="bench",
    )
    return plan, feed


def history(name: str) -> list[Bar]:
    """Give 300 days before the session."""
    chance = Random(name)
    price, found = 100.0, []
    for day in range(DAYS, 0, -1):
        price *= 1 + chance.gauss(0.0005, 0.01)
        close = 20.0 if name == VIX else round(price, 2)
        found.append(Bar(name, OPEN_NS - day * DAY, close, close * 1.01, close * 0.99, close, 1e6))
    return found


class Echo(asyncio.Protocol):
    """Sends back what came, through the same loop: the floor of every answer."""

    def connection_made(self, transport) -> None:
        """Keep the way back."""
        self._transport = transport

    def data_received(self, data) -> None:
        """Send it back, and hang up."""
        self._transport.write(data)
        self._transport.close()


def main() -> int:
    """Run the daemon until SIGTERM."""
    made = argparse.ArgumentParser(prog="tests.bench.house", description=__doc__)
    made.add_argument("state_dir", type=Path)
    made.add_argument("--instruments", type=int, default=500)
    made.add_argument("--speed", type=float, default=1.0)
    made.add_argument("--snapshot-s", type=float, default=60.0)
    made.add_argument("--quick", action="store_true", help="jobs each second or two")
    options = made.parse_args()
    where = places(options.state_dir)
    where.make()
    log = Log("text", lambda: 0, level="warning")
    adopt(log)
    plan, feed = plan_of(options.instruments, options.speed, options.snapshot_s, quick=options.quick)
    selector = TimedSelector(perf_counter_ns)
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        status: int = runner.run(live(Daemon(plan, where, Notifier(), log), feed, selector, where.run / "echo.sock"))
    log.close()
    return status


async def live(daemon: Daemon, feed: ScriptedFeed, selector: TimedSelector, echo: Path) -> int:
    """Run the daemon beside the echo, and obey stdin."""
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(Echo, echo)

    def obey() -> None:
        line = sys.stdin.readline()
        if not line:
            loop.remove_reader(sys.stdin)
            return
        if line.strip() == "collect":
            gc.collect()
        else:
            feed.rate = int(line)
        print(selector.taken_ns(), flush=True)

    loop.add_reader(sys.stdin, obey)
    try:
        return await daemon.run()
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(main())
