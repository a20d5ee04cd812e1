"""Run a TWS: `python -m tests.fakes.tws --port 4002` streams AAPL and 19 others; `--help` tells the rest."""

import argparse
import asyncio
import sys
from pathlib import Path
from random import Random

from joed.compose import clock_of
from joed.daemon.clock import RealClock, utc_ns
from joed.data import read
from joed.errors import ConfigError
from joed.market.day import plan_halts
from joed.market.embedded import EmbeddedMarket, Feed
from joed.model.settings import Paper, Settings
from joed.model.values import HOUR, MINUTE, SECOND
from joed.sim.odd import OddExchange
from tests.fakes.tws import faults
from tests.fakes.tws.contracts import stamp
from tests.fakes.tws.server import FakeTws

RUNNING_NS = 30 * MINUTE
"""How long ago the embedded market of a TWS that was told nothing has opened: it is open, whatever the day."""
SESSION_NS = 13 * HOUR // 2


def parser():
    """Give the command line's grammar."""
    made = argparse.ArgumentParser(prog="python -m tests.fakes.tws", description="A TWS to try joed against.")
    made.add_argument("--port", type=int, default=4002, help="where to listen (4002, a Gateway's paper port; 0: any)")
    made.add_argument("--host", default="127.0.0.1", help="on which address")
    made.add_argument("--port-file", type=Path, help="write the port's number here once it is open")
    made.add_argument("--account", default="DU1234567", help="the account (DU…: paper)")
    made.add_argument("--seed", type=int, default=7, help="the embedded market's seed")
    made.add_argument("--clock", metavar="ORIGIN@SPEED", help="begin at this UTC time, at this speed")
    made.add_argument("--base-ns", type=int, help="the boot time at which ORIGIN held: another process's clock")
    made.add_argument("--data", type=Path, help="play the bars or quotes of this CSV or Parquet file")
    made.add_argument("--day", help="of the file, only this date")
    made.add_argument("--latency", type=float, default=0.0, help="seconds an order takes, and its reports")
    made.add_argument("--fault", action="append", default=[], metavar="'SECONDS NAME WORDS'", help="a fault by script")
    made.add_argument("--faults", type=Path, help="a file of such lines (tests/fakes/tws/faults.py lists the names)")
    made.add_argument("--trace", action="store_true", help="print every message")
    return made


class FileMarket:
    """A file as a market: its instruments, and its quotes by the clock."""

    halts = ()

    def __init__(self, path, day):
        self.file = read(path, utc_ns())
        self.day = day or self.file.days[0]
        self.first_ns = next(self.file.quotes(self.day))[0]

    def universe(self):
        """Give what the file holds."""
        return self.file.instruments

    def bars(self, name, from_ns, to_ns, interval_ns):
        """Give the file's days before the one that is played."""
        rows = self.file.daily_bars(self.day).get(name)
        return [] if rows is None else [row for row in rows.tolist() if from_ns <= row[0] < to_ns]

    def start(self, clock, on_quote):
        """Play the quotes."""
        Feed(clock, self.file.quotes(self.day), on_quote).wait()

    def past(self, now):
        """Give nothing: the first bar is the first price."""
        return ()


class RunningMarket(EmbeddedMarket):
    """The embedded market, with the bars before it."""

    def bars(self, name, from_ns, to_ns, interval_ns):
        """Give daily bars."""
        return [row for row in self.daily_history(name).tolist() if from_ns <= row[0] < to_ns]

    def past(self, now):
        """Give the quotes since the open."""
        return self.quotes(self.open_ns)


def market_for(options, clock):
    """Give what is played: the file, or an embedded session that is open now."""
    if options.data:
        return FileMarket(options.data, options.day)
    opened = clock.now() - RUNNING_NS
    return RunningMarket(options.seed, (stamp(clock.now(), suffix="")[:8], opened, opened + SESSION_NS))


def build(options):
    """Put clock, market, exchange and TWS together."""
    origin_ns, speed = clock_of(options.clock, Settings())
    if speed is None:
        raise ConfigError("--clock: a TWS cannot run at speed max, its clients' time passes as it does")
    if options.data and not options.clock:
        origin_ns = FileMarket(options.data, options.day).first_ns - 5 * SECOND
    clock = RealClock(origin_ns, speed, options.base_ns)
    market = market_for(options, clock)
    exchange = OddExchange(market.universe(), Paper(partial_share=0.0), Random(options.seed), "tws")
    tws = FakeTws(exchange, clock, account=options.account, latency_s=options.latency, bars=market.bars)
    if options.trace:
        tws.journal = lambda *words: print(*words, file=sys.stderr, flush=True)
    return tws, market, clock


def prime(tws, market, now):
    """Let every symbol have the last price before now, so that no line begins empty."""
    known = {}
    for at_ns, quote in market.past(now):
        if at_ns > now:
            break
        known[quote.instrument] = quote
    for quote in known.values():
        tws.quote(quote)


async def serve(options):
    """Listen, play, and go on until told to end."""
    tws, market, clock = build(options)
    faults.play(tws, "\n".join([*options.fault, options.faults.read_text() if options.faults else ""]))
    port = await tws.listen(options.port, options.host)
    prime(tws, market, clock.now())
    market.start(clock, tws.quote)
    plan_halts(clock, market.halts, tws)
    if options.port_file:
        options.port_file.write_text(f"{port}\n")
    names = ", ".join(list(market.universe())[:3])
    print(f"listening on {options.host}:{port} as {options.account}, streaming {names}…", flush=True)
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
