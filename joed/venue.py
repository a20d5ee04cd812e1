"""The paper exchange as a process of its own: the embedded market behind a socket, alive when the daemon is not.

Run as `python -m joed.venue`; `--exchange process` starts it and finds it again after a kill -9 of the daemon.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from joed.brokers.base import Clock, Emit
from joed.brokers.paper import PaperBroker
from joed.brokers.paper_server import PaperServer
from joed.brokers.paper_store import PaperStore
from joed.config import load
from joed.daemon.clock import RealClock
from joed.exchange import Exchange
from joed.market.day import PAPER_SEED, Day, plan_halts
from joed.market.embedded import EmbeddedMarket
from joed.market.thinker import market_of
from joed.model.events import Quote

IDLE_S = 60.0


class HaltingFeed:
    """The market's quotes, and its halts at the exchange that they go to."""

    def __init__(self, market: EmbeddedMarket, server: Callable[[], PaperServer]) -> None:
        """Play this market for the exchange of a server that is made meanwhile."""
        self._market = market
        self._server = server

    def start(self, clock: Clock, on_quote: Callable[[Quote], None]) -> None:
        """Plan the quotes and the halts."""
        self._market.start(clock, on_quote)
        plan_halts(clock, self._market.halts, self._server().broker)


def parser() -> argparse.ArgumentParser:
    """Give the command line's grammar; `joed.compose` is who speaks it."""
    made = argparse.ArgumentParser(prog="joed.venue", description="The paper exchange as a process of its own.")
    made.add_argument("socket", type=Path, help="where to serve")
    made.add_argument("paper", type=Path, help="the account's database")
    made.add_argument("--seed", type=int, default=1, help="the embedded market's seed")
    made.add_argument("--day", nargs=3, metavar=("DATE", "OPEN", "CLOSE"), required=True, help="open and close in ns")
    made.add_argument("--origin-ns", type=int, required=True, help="when its time begins, in ns since 1970")
    made.add_argument("--speed", type=float, default=1.0, help="how fast its time passes")
    made.add_argument("--config", type=Path, default=None, help="joed.yaml, for the paper account's settings")
    return made


def server_of(options: argparse.Namespace) -> PaperServer:
    """Put the exchange together: market, account, clock, socket."""
    session, open_ns, close_ns = options.day
    market = market_of(Day(options.seed, session, int(open_ns), int(close_ns)))
    settings = load(options.config)
    universe = {**market.universe(), **settings.universe}
    clock = RealClock(options.origin_ns, options.speed)

    def broker(emit: Emit) -> PaperBroker:
        chance = Random(f"{PAPER_SEED}:{options.seed}:{options.origin_ns}")  # noqa: S311 - a market's chance
        exchange = Exchange(universe, settings.paper, chance, base=settings.base_currency)
        store = PaperStore(options.paper)
        return PaperBroker("paper", exchange, clock, emit, settings.paper, store, closes=(market.close_ns,))

    feed = HaltingFeed(market, lambda: server)
    server = PaperServer(broker, feed, clock, options.socket, ends_ns=market.close_ns, idle_s=IDLE_S)
    return server


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to end, or idle after the market's close."""
    options = parser().parse_args(arguments)
    os.umask(0o077)
    asyncio.run(server_of(options).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
