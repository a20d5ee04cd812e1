"""A file of bars or quotes as a market: its days, its instruments, its account, and its quotes in order of time."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np

from joed.data.cells import Floats, date_of
from joed.data.checks import REASONS, Tally, judge
from joed.data.columns import columns_of
from joed.data.walk import BIAS, STEPS, Rows, grain_of, rows_of, walked
from joed.model.events import Quote
from joed.model.settings import Instrument

BROKER = "paper"
UNTRADABLE = ("VIX", "^VIX", "SPX", "^GSPC", "NDX", "DJI", "RUT")
CENT = Decimal("0.01")
DIGITS_MAX = 6
CHUNK = 8192


class Reading(NamedTuple):
    """How to read a file: the spread around bars in basis points, which symbols are levels that nobody trades.

    `instrument` names the rows of a file without a symbol column (else the file's name does); `universe` says of some
    instruments what no file can: tick, sector, calendar, broker.
    """

    spread_bps: float = 2.0
    untradable: tuple[str, ...] = UNTRADABLE
    instrument: str = ""
    universe: Mapping[str, Instrument] = {}


class MarketFile:
    """What `read` gives.

    Public: `tally`; `shape` ("bars", "quotes", "bid and ask bars"); `bias`, what is assumed, in words; `instruments`;
    `days`, ISO dates, oldest first; `interval_ns`, what a bar lasts (0 for quotes).
    """

    def __init__(self, path: Path, now: int, reading: Reading) -> None:
        columns = columns_of(path, reading.instrument)
        self.shape = columns.shape
        self.bias = BIAS[columns.shape]
        verdict, self.interval_ns = judge(columns, now)
        accepted = np.flatnonzero(verdict < 0)
        counts = np.bincount(verdict[verdict >= 0], minlength=len(REASONS)).tolist()
        rejected = {reason: count for reason, count in zip(REASONS, counts, strict=True) if count}
        quotes = len(accepted) * (1 if columns.shape == "quotes" else STEPS)
        self.tally = Tally(len(verdict), len(accepted), rejected, quotes)
        self._symbols = columns.symbols
        self._rows = rows_of(columns, accepted)
        self._spread_bps = reading.spread_bps
        self.instruments = instruments_of(self.shape, columns.symbols, self._rows, reading)
        self.days = tuple(date_of(day) for day in np.unique(self._rows.day).tolist())

    def quotes(self, day: str | None = None) -> Iterator[tuple[int, Quote]]:
        """Give each quote with its time, of one day or of all: in order of time, and at one time in order of symbol."""
        rows = self._rows
        if day is not None:
            rows = rows.only(rows.day == day_of(day))
        if not len(rows.at_ns):
            return
        grain = grain_of(self._symbols, self.instruments)
        walk = walked(self.shape, rows, self.interval_ns, grain, self._spread_bps)
        brokers = [self.instruments[symbol].broker if symbol in self.instruments else "" for symbol in self._symbols]
        for begin in range(0, len(walk.at_ns), CHUNK):
            some = slice(begin, begin + CHUNK)
            always = (column[some].tolist() for column in (walk.whose, walk.at_ns, walk.bid, walk.ask))
            others = (optional(column[some]) for column in (walk.last, walk.volume, walk.bid_size, walk.ask_size))
            for who, at, bid, ask, last, volume, bid_size, ask_size in zip(*always, *others, strict=True):
                yield at, Quote(self._symbols[who], bid, ask, last, volume, at, bid_size, ask_size, brokers[who])

    def daily_bars(self, before: str) -> dict[str, Floats]:
        """Give the file's days before this date as daily bars, by symbol: float64 (days, 6), oldest first.

        Columns: at_ns of the day's first row, open, high, low, close, volume (0 if unknown). Quotes give their middle.
        """
        earlier = self._rows.only(self._rows.day < day_of(before))
        return {
            self._symbols[who]: daily(earlier.only(earlier.whose == who), summed=self.shape == "bars")
            for who in np.unique(earlier.whose).tolist()
        }


def read(path: Path, now: int, reading: Reading | None = None) -> MarketFile:
    """Read a CSV or Parquet file of bars or quotes, as it is known at `now` (ns).

    Raise ConfigError, naming the file, where it cannot be read as a whole; a bad row is only counted.
    """
    return MarketFile(path, now, reading or Reading())


def optional(values: Floats) -> list[float | None]:
    """Give a column as Python's own numbers, None where it is NaN."""
    known = values.astype(object)
    known[np.isnan(values)] = None
    listed: list[float | None] = known.tolist()
    return listed


def day_of(date: str) -> int:
    """Count the days from 1970-01-01 to an ISO date."""
    return int(np.datetime64(date, "D").astype(np.int64))


def daily(rows: Rows, *, summed: bool) -> Floats:
    """Fold one symbol's rows into a bar a day; `summed`: the rows' volumes are parts, to be added up."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(rows.day)) + 1])
    opened, high, low, close = rows.middle
    parts = rows.fields.get("volume") if summed else None
    volume = np.zeros(len(starts)) if parts is None else np.add.reduceat(parts, starts)
    highs, lows = np.maximum.reduceat(high, starts), np.minimum.reduceat(low, starts)
    ends = np.append(starts[1:], len(opened)) - 1
    return np.column_stack([rows.at_ns[starts].astype(np.float64), opened[starts], highs, lows, close[ends], volume])


def instruments_of(shape: str, symbols: tuple[str, ...], rows: Rows, reading: Reading) -> dict[str, Instrument]:
    """Describe each symbol of which a row was accepted: by the universe where it is there, else by its prices."""
    found: dict[str, Instrument] = {}
    for who in np.unique(rows.whose).tolist():
        symbol = symbols[who]
        prices = rows.middle[3][rows.whose == who]
        if symbol in reading.universe:
            found[symbol] = reading.universe[symbol]
        elif symbol in reading.untradable:
            found[symbol] = Instrument(symbol, BROKER, kind="index", tradable=False)
        elif shape == "bars":
            found[symbol] = Instrument(symbol, BROKER, tick=tick_below(float(np.median(prices))))
        else:
            side = rows.fields["bid" if shape == "quotes" else "bid_close"][rows.whose == who]
            found[symbol] = Instrument(symbol, BROKER, tick=tick_of(side))
    return found


def tick_below(price: float) -> Decimal:
    """Give the tick that suits a price: a cent, or from a dollar downward a hundredth of a cent and less."""
    if price >= 1:
        return CENT
    return Decimal(1).scaleb(min(-4, int(np.floor(np.log10(price))) - 3))


def tick_of(quoted: Floats) -> Decimal:
    """Give the step that quoted prices keep to: the fewest decimal places that write them all."""
    for digits in range(DIGITS_MAX):
        if np.allclose(np.round(quoted, digits), quoted, rtol=0, atol=1e-9):
            return Decimal(1).scaleb(-digits)
    return Decimal(1).scaleb(-DIGITS_MAX)
