"""The worker's process of an embedded day: it makes the year before the day itself, so that joed needs no numpy."""

import sys
from collections.abc import Iterable, Sequence

from joed.daemon import worker_main
from joed.daemon.worker_main import InlineWorker
from joed.market.day import Day
from joed.market.embedded import EmbeddedMarket
from joed.model.values import Bar


def teach(worker: InlineWorker, market: EmbeddedMarket) -> None:
    """Give a worker the year before the session."""
    for symbol in market.symbols:
        worker.daily(symbol, bars_of(symbol, market.daily_history(symbol)))


def bars_of(symbol: str, rows: Iterable[Iterable[float]]) -> list[Bar]:
    """Give rows of numbers (at_ns, open, high, low, close, volume) as bars."""
    found = []
    for at_ns, *values in rows:
        found.append(Bar(symbol, int(at_ns), *map(float, values)))
    return found


def market_of(day: Day) -> EmbeddedMarket:
    """Make the market of a day."""
    return EmbeddedMarket.for_session(day.seed, day.session, day.open_ns, day.close_ns)


def main(arguments: Sequence[str]) -> int:
    """Serve as the worker does: seed, session, open and close, then the worker's own arguments."""
    seed, session, open_ns, close_ns, *own = arguments
    market = market_of(Day(int(seed), session, int(open_ns), int(close_ns)))
    return worker_main.main(own, prepare=lambda worker: teach(worker, market))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
