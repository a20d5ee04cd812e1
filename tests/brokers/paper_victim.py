"""A process that trades on a paper.db until it is killed, and says each report once it has been emitted."""

import random
import sys
from pathlib import Path

from joed.brokers.paper import PaperBroker
from joed.brokers.paper_store import PaperStore
from joed.model.events import OrderFilled, Quote
from joed.model.settings import Paper
from tests.brokers.rigs import START_NS, OwnClock, bracket, exchange_of, permitted


def say(event):
    """Write one line for each report of an order."""
    if order := getattr(event, "order", ""):
        execution = event.execution if isinstance(event, OrderFilled) else "-"
        sys.stdout.write(f"{type(event).__name__} {order} {execution}\n")
        sys.stdout.flush()


def main(path):
    """Trade for ever."""
    settings = Paper(partial_share=0.5)
    clock, chance = OwnClock(START_NS), random.Random(5)
    broker = PaperBroker("paper", exchange_of(settings), clock, say, settings, PaperStore(Path(path)))
    broker.start()
    for number in range(1_000_000):
        middle = 10_000 + chance.randrange(-900, 900)
        broker.quote(Quote("AAA", (middle - 5) / 100, (middle + 5) / 100))
        broker.submit(bracket(f"E{number}", level="100.00"), permitted)
        clock.pass_to(clock.now() + 1_000_000_000)


main(sys.argv[1])
