"""An exchange's process for the tests: python -m tests.brokers.paper_process SOCKET DATABASE [IDLE_S]."""

import asyncio
import sys
from pathlib import Path

from joed.brokers.paper import PaperBroker
from joed.brokers.paper_server import PaperServer
from joed.brokers.paper_store import PaperStore
from joed.daemon.clock import RealClock
from joed.model.events import Quote
from joed.model.values import SECOND
from tests.brokers.rigs import SETTINGS, START_NS, exchange_of

STEP_NS = SECOND


class Still:
    """A feed that says the same prices each second of its market."""

    def start(self, clock, on_quote):
        """Plan one quote at a time."""
        self.clock, self.on_quote = clock, on_quote
        self.say()

    def say(self):
        """Say the price and plan the next."""
        self.on_quote(Quote("AAA", 99.9, 100.0))
        self.clock.call_at(self.clock.now() + STEP_NS, self.say)


async def main(path, database, idle_s=600.0):
    """Serve until told otherwise."""
    clock = RealClock(START_NS, speed=100.0)
    store = PaperStore(Path(database))

    def make_broker(emit):
        return PaperBroker("paper", exchange_of(), clock, emit, SETTINGS, store)

    ends_ns = START_NS + SECOND if idle_s < 600.0 else 0
    await PaperServer(make_broker, Still(), clock, Path(path), ends_ns=ends_ns, idle_s=idle_s).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], *map(float, sys.argv[3:])))
