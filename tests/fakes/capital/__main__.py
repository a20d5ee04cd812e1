"""Run a Capital.com: `python -m tests.fakes.capital --port 8880` trades six instruments; `--help` tells the rest."""

import argparse
import asyncio
import random
import sys
from decimal import Decimal
from itertools import chain
from pathlib import Path

from joed.compose import clock_of
from joed.daemon.clock import RealClock, utc_ns
from joed.data import read
from joed.errors import ConfigError
from joed.exchange import Exchange
from joed.market.embedded import Feed
from joed.model.events import Quote
from joed.model.settings import Instrument, Paper, Settings
from joed.model.values import MINUTE, SECOND
from tests.fakes.capital import script
from tests.fakes.capital.listing import WEEK
from tests.fakes.capital.server import FakeCapital

TICK_NS = SECOND // 5
HISTORY_MINUTES = 2_000
ROWS = (  # symbol, epic, kind, tick, lot, price, spread in ticks
    ("EURUSD", "EURUSD", "currency", "0.00001", "100", 1.08, 6),
    ("XAUUSD", "GOLD", "commodity", "0.01", "0.01", 2_400.0, 30),
    ("SPX", "US500", "index", "0.1", "0.01", 5_400.0, 6),
    ("BTCUSD", "BTCUSD", "crypto", "0.01", "0.0001", 64_000.0, 3_000),
    ("AAPL", "AAPL", "stock", "0.01", "0.1", 190.0, 4),
    ("MSFT", "MSFT", "stock", "0.01", "0.1", 410.0, 6),
)


def parser():
    """Give the command line's grammar."""
    made = argparse.ArgumentParser(
        prog="python -m tests.fakes.capital", description="A Capital.com to try joed against."
    )
    made.add_argument("--port", type=int, default=8880, help="where to listen, REST and stream (8880; 0: any)")
    made.add_argument("--host", default="127.0.0.1", help="on which address")
    made.add_argument("--port-file", type=Path, help="write the port's number here once it is open")
    made.add_argument("--seed", type=int, default=7, help="the market's seed")
    made.add_argument("--clock", metavar="ORIGIN@SPEED", help="begin at this UTC time, at this speed")
    made.add_argument("--base-ns", type=int, help="the boot time at which ORIGIN held: another process's clock")
    made.add_argument("--data", type=Path, help="play the bars or quotes of this CSV or Parquet file")
    made.add_argument("--day", help="of the file, only this date; what lies before the clock is in the bars")
    made.add_argument("--settle", type=float, default=0.3, help="seconds an order takes inside the service")
    made.add_argument("--week", action="store_true", help="close at the weekend, as their currencies do")
    made.add_argument("--fault", action="append", default=[], metavar="'SECONDS NAME WORDS'", help="a fault by script")
    made.add_argument(
        "--faults", type=Path, help="a file of such lines (tests/fakes/capital/script.py lists the names)"
    )
    made.add_argument("--trace", action="store_true", help="print every request")
    return made


class Walk:
    """Six instruments on a random walk, drawn from a seed."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.prices = {row[0]: row[5] for row in ROWS}

    def universe(self):
        """Give the instruments."""
        return {
            symbol: Instrument(symbol, kind=kind, tick=Decimal(tick), lot=Decimal(lot), epic=epic)
            for symbol, epic, kind, tick, lot, _, _ in ROWS
        }

    def step(self, row, share=2e-5):
        """Move one instrument and give its quote."""
        symbol, _, _, tick, _, _, spread = row
        self.prices[symbol] *= 1 + self.rng.gauss(0.0, share)
        digits = len(tick.partition(".")[2])
        bid = round(self.prices[symbol], digits)
        return Quote(symbol, bid, round(bid + spread * float(tick), digits))

    def start(self, capital, clock):
        """Fill the bars before now, give each a price, and go on from there."""
        opened = clock.now() // MINUTE * MINUTE - HISTORY_MINUTES * MINUTE
        for row in ROWS:
            minutes = []
            for number in range(HISTORY_MINUTES):
                quotes = [self.step(row, 1e-4) for _ in range(4)]
                sides = [[quote.bid for quote in quotes], [quote.ask for quote in quotes]]
                bars = [[side[0], max(side), min(side), side[-1]] for side in sides]
                minutes.append((opened + number * MINUTE, *bars, len(quotes)))
            capital.tape.seed(row[1], minutes)
            capital.quote(self.step(row))
        clock.call_at(clock.now() + TICK_NS, lambda: self.go_on(capital, clock))

    def go_on(self, capital, clock):
        """Move one of them, and come back."""
        capital.quote(self.step(self.rng.choice(ROWS)))
        clock.call_at(clock.now() + TICK_NS, lambda: self.go_on(capital, clock))


class FileMarket:
    """A file as a market: its instruments, and its quotes by the clock; what lies before now is the past."""

    def __init__(self, path, day):
        self.file = read(path, utc_ns())
        self.day = day

    def first_ns(self):
        """Give when its first quote is."""
        return next(self.file.quotes(self.day))[0]

    def universe(self):
        """Give what the file holds."""
        return self.file.instruments

    def start(self, capital, clock):
        """Make bars of what has been, and play the rest."""
        now, last, quotes = clock.now(), {}, self.file.quotes(self.day)
        epics = {listing.name: listing.epic for listing in capital.listings.values()}
        for at_ns, quote in quotes:
            if at_ns > now:
                quotes = chain([(at_ns, quote)], quotes)
                break
            last[quote.instrument] = quote
            capital.tape.take(epics[quote.instrument], quote.bid, quote.ask, at_ns)
        for quote in last.values():
            capital.quote(quote)
        Feed(clock, quotes, capital.quote).wait()


def build(options):
    """Put clock, market, exchange and service together."""
    origin_ns, speed = clock_of(options.clock, Settings())
    if speed is None:
        raise ConfigError("--clock: the service cannot run at speed max, its clients' time passes as it does")
    market = FileMarket(options.data, options.day) if options.data else Walk(options.seed)
    if options.data and not options.clock:
        origin_ns = market.first_ns() - 5 * SECOND
    clock = RealClock(origin_ns, speed, options.base_ns)
    settings = Paper(partial_share=0.0, fee_share=Decimal(0), fee_min=Decimal(0), slippage=Decimal(0))
    exchange = Exchange(market.universe(), settings, random.Random(options.seed), "capital")
    capital = FakeCapital(exchange, clock)
    capital.desk.settle_s = options.settle
    if options.week:
        for listing in capital.listings.values():
            listing.hours = listing.hours if listing.type == "CRYPTOCURRENCIES" else WEEK
    if options.trace:
        capital.journal = lambda *words: print(*words, file=sys.stderr, flush=True)
    return capital, market, clock


async def serve(options):
    """Listen, play, and go on until told to end."""
    capital, market, clock = build(options)
    script.play(capital, "\n".join([*options.fault, options.faults.read_text() if options.faults else ""]))
    port = await capital.listen(options.port, options.host)
    capital.charge_each_night()
    market.start(capital, clock)
    if options.port_file:
        options.port_file.write_text(f"{port}\n")
    user = capital.user
    print(f"listening: rest_url {capital.url}, stream_url {capital.stream_url}")
    print(f"credentials: key {user.api_key}, identifier {user.identifier}, password {user.password}")
    print(f"trading {', '.join(capital.listings)}; end with Ctrl-C", flush=True)
    await asyncio.Event().wait()


def main(arguments=None):
    """Run until interrupted."""
    try:
        asyncio.run(serve(parser().parse_args(arguments)))
    except KeyboardInterrupt:
        return 0
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 78
    return 0


if __name__ == "__main__":
    sys.exit(main())
