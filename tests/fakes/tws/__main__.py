"""Run a TWS: `python -m tests.fakes.tws --port 4002` streams AAPL and 19 others; `--help` tells the rest."""

import argparse
import asyncio
import sys
from pathlib import Path
from random import Random

from joed.compose import clock_of
from joed.daemon.clock import RealClock
from joed.errors import ConfigError
from joed.model.settings import Paper, Settings
from joed.model.values import SECOND
from joed.sim.odd import OddExchange
from tests.fakes.tws import faults
from tests.fakes.tws.markets import FileMarket, SessionMarket
from tests.fakes.tws.server import FakeTws

LEAD_NS = 5 * SECOND
"""How long before its first bar a file begins, where no clock was asked for."""


def parser():
    """Give the command line's grammar."""
    made = argparse.ArgumentParser(prog="python -m tests.fakes.tws", description="A TWS to try joed against.")
    made.add_argument("--port", type=int, default=4002, help="where to listen (4002, a Gateway's paper port; 0: any)")
    made.add_argument("--host", default="127.0.0.1", help="on which address")
    made.add_argument("--port-file", type=Path, help="write the port's number here once it is open")
    made.add_argument("--account", default="DU1234567", help="the account (DU…: paper)")
    made.add_argument("--seed", type=int, default=1, help="the embedded market's seed, as joed's own")
    made.add_argument("--clock", metavar="ORIGIN@SPEED", help="the calendar's session at this UTC time, at this speed")
    made.add_argument("--base-ns", type=int, help="the boot time at which ORIGIN held: another process's clock")
    made.add_argument("--data", type=Path, help="play the bars or quotes of this CSV or Parquet file")
    made.add_argument("--day", default="", help="which date of the file (the first)")
    made.add_argument("--latency", type=float, default=0.0, help="seconds an order takes, and its reports")
    made.add_argument("--fault", action="append", default=[], metavar="'SECONDS NAME WORDS'", help="a fault by script")
    made.add_argument("--faults", type=Path, help="a file of such lines (tests/fakes/tws/faults.py lists the names)")
    made.add_argument("--unpaced", action="store_true", help="count no messages: for a client whose clock runs fast")
    made.add_argument("--trace", action="store_true", help="print every message")
    return made


def build(options):
    """Put clock, market, exchange and TWS together."""
    origin_ns, speed = clock_of(options.clock, Settings())
    if speed is None:
        raise ConfigError("--clock: a TWS cannot run at speed max, its clients' time passes as it does")
    if options.data:
        market = FileMarket(options.data, options.day)
        origin_ns = origin_ns if options.clock else market.first_ns - LEAD_NS
    else:
        make = SessionMarket.of_calendar if options.clock else SessionMarket.open_now
        market = make(options.seed, origin_ns)
    clock = RealClock(origin_ns, speed, options.base_ns)
    exchange = OddExchange(market.universe(), Paper(partial_share=0.0), Random(options.seed), "tws")
    tws = FakeTws(exchange, clock, account=options.account, latency_s=options.latency, bars=market.bars)
    tws.paces = tws.paces_history = not options.unpaced
    if options.trace:
        tws.journal = lambda *words: print(*words, file=sys.stderr, flush=True)
    return tws, market, clock


async def serve(options):
    """Listen, play, and go on until told to end."""
    tws, market, clock = build(options)
    faults.play(tws, "\n".join([*options.fault, options.faults.read_text() if options.faults else ""]))
    port = await tws.listen(options.port, options.host)
    market.start(clock, tws)
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
