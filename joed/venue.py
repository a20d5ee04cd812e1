"""The paper exchange as a process of its own: the embedded market behind a socket, alive when the daemon is not.

Run as `python -m joed.venue`; `--exchange process` starts it and finds it again after a kill -9 of the daemon.
"""

import argparse
import asyncio
import os
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random

from joed.brokers.base import Emit
from joed.brokers.paper import PaperBroker
from joed.brokers.paper_remote import read_hello, shut_down
from joed.brokers.paper_server import PaperServer
from joed.brokers.paper_store import PaperStore
from joed.brokers.paper_wire import Hello
from joed.config import load
from joed.daemon.calendars import load_calendars
from joed.daemon.clock import Clock, RealClock, boot_ns
from joed.errors import BrokerUnavailable
from joed.exchange import Exchange
from joed.market import EmbeddedMarket
from joed.market.day import PAPER_SEED, demo_settings, market_at
from joed.model.values import SECOND

START_WAIT_S = 15.0
PROBE_S = 0.5
IDLE_S = 60.0


def find_or_start(where: Path, paper: Path, *, seed: int, origin_ns: int, speed: float, config: Path | None) -> Hello:
    """Give the greeting of the exchange that serves here: the one that is alive, or a new one."""
    with suppress(BrokerUnavailable, OSError):
        return read_hello(where, PROBE_S)
    words = [sys.executable, "-P", "-m", "joed.venue", str(where), str(paper)]
    words += ["--seed", str(seed), "--origin-ns", str(origin_ns), "--speed", str(speed)]
    words += ["--config", str(config)] if config is not None else []
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True) as child:
        until_ns = boot_ns() + int(START_WAIT_S * SECOND)
        while boot_ns() < until_ns and child.poll() is None:
            with suppress(BrokerUnavailable, OSError):
                hello = read_hello(where, PROBE_S)
                child.returncode = 0  # it is on its own from here: `with` shall not wait for it
                return hello
            with suppress(subprocess.TimeoutExpired):
                child.wait(0.05)
        child.kill()
    raise BrokerUnavailable(f"the paper exchange did not start within {START_WAIT_S:g} s")


def end(where: Path) -> None:
    """Have the exchange end in order, if it is there."""
    with suppress(BrokerUnavailable, OSError):
        shut_down(where)


def main() -> int:
    """Serve until told to end, or idle after the market's close."""
    made = argparse.ArgumentParser(prog="joed.venue", description="The paper exchange as a process of its own.")
    made.add_argument("socket", type=Path, help="where to serve")
    made.add_argument("paper", type=Path, help="the account's database")
    made.add_argument("--seed", type=int, default=1, help="the embedded market's seed")
    made.add_argument("--origin-ns", type=int, required=True, help="when its time begins, in ns since 1970")
    made.add_argument("--speed", type=float, default=1.0, help="how fast its time passes")
    made.add_argument("--config", type=Path, default=None, help="joed.yaml, for the paper account's settings")
    options = made.parse_args()
    settings = load(options.config)
    calendar = load_calendars((settings.calendar,))[settings.calendar]
    market = market_at(options.seed, calendar, options.origin_ns)
    settings = demo_settings(settings, market)
    clock = RealClock(options.origin_ns, options.speed)

    def broker(emit: Emit) -> PaperBroker:
        chance = Random(f"{PAPER_SEED}:{options.seed}:{options.origin_ns}")  # noqa: S311 - a market's chance
        exchange = Exchange(settings.universe, settings.paper, chance)
        store = PaperStore(options.paper)
        return PaperBroker("paper", exchange, clock, emit, settings.paper, store, closes=(market.close_ns,))

    os.umask(0o077)
    server = PaperServer(broker, market, clock, options.socket, ends_ns=market.close_ns, idle_s=IDLE_S)

    async def serve() -> None:
        plan_halts(clock, market, server.broker)
        await server.run()

    asyncio.run(serve())
    return 0


def plan_halts(clock: Clock, market: EmbeddedMarket, broker: PaperBroker) -> None:
    """Have the exchange stop and resume trading when the market's day says so."""
    for symbol, from_ns, to_ns in market.halts:
        clock.call_at(from_ns, partial(broker.halt, symbol, halted=True))
        clock.call_at(to_ns, partial(broker.halt, symbol, halted=False))


if __name__ == "__main__":
    sys.exit(main())
