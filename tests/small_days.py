"""Two short days of made-up bars that trade for every kind of exit, and what a backtest made of them: shared by tests.

Both days close early, at 13:00 in New York, so that a run takes a second or two.
"""

import tempfile
from argparse import Namespace
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random

from joed.backtest import backtest
from joed.model.settings import Settings

DAYS = ("2018-11-23", "2018-12-24")
MINUTES = 210
OPEN_HOUR_UTC, OPEN_MINUTE_UTC = 14, 30
NOW = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000


def level(symbol, minute):
    """Where a name stands: AAA rises and turns, BBB breaks out and fails, CCC climbs all day, the others idle."""
    if symbol == "AAA":
        return 100 + (0 if minute < 70 else 0.08 * (minute - 70) if minute < 120 else 4.0 - 0.12 * (minute - 120))
    if symbol == "BBB":
        return 50 + (0 if minute < 75 else 0.45 if minute < 80 else 0.45 - 0.04 * (minute - 80))
    if symbol == "CCC":
        return 80 + 0.015 * minute
    return {"SPY": 250.0, "VIX": 15.0}[symbol]


def bars(days=DAYS, minutes=MINUTES):
    """Give the rows of a CSV file: each close a little off its level, highs and lows around."""
    yield "ts,symbol,open,high,low,close,volume"
    for day in days:
        chance = Random(day)
        opens = datetime.fromisoformat(day).replace(hour=OPEN_HOUR_UTC, minute=OPEN_MINUTE_UTC, tzinfo=UTC)
        last = {symbol: level(symbol, 0) for symbol in ("AAA", "BBB", "CCC", "SPY", "VIX")}
        for minute in range(minutes):
            at = (opens + timedelta(minutes=minute)).isoformat()
            for symbol, before in last.items():
                now = level(symbol, minute) * (1 + chance.uniform(-0.0003, 0.0003))
                high, low = max(before, now) * 1.0001, min(before, now) * 0.9999
                yield f"{at},{symbol},{before:.2f},{high:.2f},{low:.2f},{now:.2f},{chance.randint(8, 12) * 1000}"
                last[symbol] = now


def settings():
    """Give settings that let every trade of these days through: a month lies between them."""
    default = Settings()
    risk, scan = replace(default.risk, notional_max=10_000), replace(default.scan, stale_days=60.0)
    return replace(default, risk=risk, scan=scan)


@cache
def kept_folder():
    """Keep the files of a test run together until it ends."""
    return tempfile.TemporaryDirectory(prefix="joed-small-days-")


@cache
def data_file():
    """Write the bars once."""
    path = Path(kept_folder().name) / "small.csv"
    path.write_text("\n".join(bars()) + "\n")
    return path


@cache
def played():
    """Run the backtest once, with its state kept: the report, and the state directory."""
    state_dir = Path(kept_folder().name) / "state"
    return backtest(data_file(), settings(), state_dir=state_dir, seed=3, now=NOW), state_dir


def options(**chosen):
    """Give the command line's choices."""
    return Namespace(**{"json": False, "html": None, "state_dir": None, "seed": None, "other": None, **chosen})
