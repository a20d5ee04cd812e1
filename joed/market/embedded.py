"""The embedded market of one session: its universe, the year before it, its quotes, and the feed that plays them.

The names are real, everything else is invented from one seed. What a trader should recognise: gaps overnight, a busy
open and close, names that move with the index and their sector, trends that last, breakouts that fail, jumps, halts,
spreads that widen with fear, a VIX that rises as the index falls. The same seed and session give the same bytes in any
process; chance comes from numpy's PCG64.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Self
from zlib import crc32

import msgspec
import numpy as np
from numpy.random import PCG64, Generator, SeedSequence

from joed.daemon.clock import Clock
from joed.errors import ConfigError
from joed.market.grid import Floats, Ints, grid_of
from joed.market.history import History, anchored, history_of
from joed.market.listings import BROKER, INDEX, INDEX_LISTING, LISTINGS, VIX, VIX_LISTING, universe_of
from joed.market.path import Path, paths_of
from joed.market.plan import plan_of
from joed.market.ticks import CENTS, Ticks, bad_print_index, merged, stock_ticks, vix_ticks
from joed.model.events import Quote
from joed.model.settings import Instrument

BURST_MAX = 64
"""Quotes handed over in one callback at most, when the feed has fallen behind its clock."""
CHUNK = 4096

OnQuote = Callable[[Quote], None]


class EmbeddedMarket:
    """One session, made from a seed (0 or more); `session` is its date, its open and its close in ns.

    `instruments` keeps only these of the 20 stocks; the index and VIX are always there. `history` is the year before,
    as `history()` and `following()` give it; without it one is made up.
    Public: `character` ("up", "down" or "chop"), `halts` and `bad_prints` (symbol and times in ns), `spike_ns` (when
    VIX starts to spike, or None).
    """

    def __init__(
        self,
        seed: int,
        session: tuple[str, int, int],
        instruments: Sequence[str] | None = None,
        history: History | None = None,
    ) -> None:
        self.seed = seed
        self.session, self.open_ns, self.close_ns = session
        self._listings = tuple(row for row in LISTINGS if instruments is None or row.symbol in instruments)
        if unknown := sorted(set(instruments or ()) - {row.symbol for row in LISTINGS} - {INDEX, VIX}):
            raise ConfigError(f"the embedded market does not list {', '.join(unknown)}")
        self._history = history or history_of(self._stream, self._listings, INDEX_LISTING, self.open_ns)
        self._grid = grid_of(self.open_ns, self.close_ns)
        # Plans draw from all the names, whichever are shown: a market of one name is the same market.
        self._plan = plan_of(self._stream("plan"), self._grid, LISTINGS, self.closes[VIX] / 1600)
        self._feed: Feed | None = None
        self.character = self._plan.character.name
        at = self._plan.spike_at
        self.spike_ns = None if at is None else self._grid.ns_of(at)

    @classmethod
    def for_session(
        cls, seed: int, session: str, open_ns: int, close_ns: int, previous_closes: Mapping[str, float] | None = None
    ) -> Self:
        """Make the session of a date that goes on from these closes, as far as they are known."""
        market = cls(seed, (session, open_ns, close_ns))
        if not previous_closes:
            return market
        return cls(seed, (session, open_ns, close_ns), history=anchored(market.history(), previous_closes))

    def following(self, session: tuple[str, int, int]) -> "EmbeddedMarket":
        """Make a later session that goes on from this one's close."""
        symbols = [listing.symbol for listing in self._listings]
        history = {symbol: np.vstack([bars[1:], self.day_bar(symbol)]) for symbol, bars in self._history.items()}
        return EmbeddedMarket(self.seed, session, symbols, history)

    def _stream(self, purpose: str) -> Generator:
        """Give the chance for a purpose: a stream of its own, so that a name left out leaves the others as they are."""
        return Generator(PCG64(SeedSequence([self.seed, crc32(f"{self.session} {purpose}".encode())])))

    @property
    def closes(self) -> dict[str, float]:
        """Give the close before this session, of each symbol."""
        return {symbol: float(bars[-1, 4]) for symbol, bars in self._history.items()}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Give all symbols: the index, VIX, then the stocks."""
        return (INDEX, VIX, *(listing.symbol for listing in self._listings))

    @property
    def halts(self) -> tuple[tuple[str, int, int], ...]:
        """Give the pauses in trading: symbol, from and to, in ns."""
        halt = self._plan.halt
        if halt is None or halt.symbol not in self.symbols:
            return ()
        return ((halt.symbol, self._grid.ns_of(halt.begin), self._grid.ns_of(halt.end)),)

    @cached_property
    def bad_prints(self) -> tuple[tuple[str, int], ...]:
        """Give the single prints that are nonsense: symbol and time in ns."""
        if self._plan.bad_print_at is None:
            return ()
        whose, ticks = self._ticks
        at_ns = ticks.at_ns[whose == self.symbols.index(VIX)]
        return ((VIX, int(at_ns[bad_print_index(at_ns, self._grid, self._plan.bad_print_at)])),)

    def universe(self) -> dict[str, Instrument]:
        """Give what is listed; the index and VIX are watched, not traded."""
        return universe_of(self._listings)

    def history(self) -> History:
        """Give the daily bars before the session, by symbol: float64 (260, 6), oldest first.

        Columns: at_ns (the open), open, high, low, close, volume. VIX has no volume.
        """
        return dict(self._history)

    def daily_history(self, instrument: str) -> Floats:
        """Give one symbol's daily bars before the session, as `history` does."""
        return self._history[instrument]

    def day_bar(self, instrument: str) -> Floats:
        """Give the bar of the session itself, as it is known after the close: one row, as in `history`."""
        minutes = self.minutes(instrument)
        extremes = minutes[0, 1], minutes[:, 2].max(), minutes[:, 3].min(), minutes[-1, 4]
        return np.array([float(self.open_ns), *extremes, minutes[:, 5].sum()])

    def minutes(self, instrument: str) -> Floats:
        """Give the session's minutes by the price behind the quotes: float64 (minutes, 6), columns as in `history`.

        The volume is what the quotes of the minute add to their running total; the last minute may be short.
        """
        price = self._paths[instrument].price[self._grid.opens : self._grid.closes]
        starts = np.arange(0, len(price), 60)
        at_ns = self.open_ns + starts * 1_000_000_000
        opens, closes = price[starts], price[np.minimum(starts + 59, len(price) - 1)]
        highs, lows = np.maximum.reduceat(price, starts), np.minimum.reduceat(price, starts)
        prices = np.round(np.stack([opens, highs, lows, closes]), 2)
        return np.column_stack([at_ns.astype(np.float64), *prices, self._volumes(instrument, at_ns)])

    def _volumes(self, instrument: str, at_ns: Ints) -> Floats:
        """Give what traded from each of these times to the next, the last until the close."""
        whose, ticks = self._ticks
        own = whose == self.symbols.index(instrument)
        totals = np.concatenate([[0], np.maximum(ticks.volume[own], 0)])
        edges = np.searchsorted(ticks.at_ns[own], np.append(at_ns, self.close_ns))
        return np.diff(totals[edges]).astype(np.float64)

    @cached_property
    def _paths(self) -> dict[str, Path]:
        """Give each symbol's price by the second."""
        return paths_of(self._stream, self._grid, self._plan, self._listings, self.closes)

    @cached_property
    def _ticks(self) -> tuple[Ints, Ticks]:
        """Give all quotes of the day as columns, and whose each is, by its place in `symbols`."""
        plan, grid, halt = self._plan, self._grid, self._plan.halt
        parts = []
        for symbol, listing in zip(self.symbols, (INDEX_LISTING, VIX_LISTING, *self._listings), strict=True):
            chance, path = self._stream(f"ticks {symbol}"), self._paths[symbol]
            if symbol == VIX:
                parts.append(vix_ticks(chance, grid, listing, path, plan.bad_print_at))
            else:
                halted = halt if halt and halt.symbol == symbol else None
                parts.append(stock_ticks(chance, grid, listing, path, halted))
        return merged(parts)

    def quotes(self, from_ns: int = 0) -> Iterator[tuple[int, Quote]]:
        """Give each quote with its time, in order of time, from `from_ns` on.

        They run from 70 minutes before the open to 15 minutes after the close.
        """
        whose, ticks = self._ticks
        symbols = self.symbols
        first = int(np.searchsorted(ticks.at_ns, from_ns))
        for begin in range(first, len(whose), CHUNK):
            rows = (column[begin : begin + CHUNK].tolist() for column in (whose, *ticks))
            for name, at_ns, bid, ask, last, volume, bid_size, ask_size in zip(*rows, strict=True):
                symbol, prices = symbols[name], (bid / CENTS, ask / CENTS, last / CENTS)
                if volume < 0:
                    yield at_ns, Quote(symbol, *prices, received_ns=at_ns, broker=BROKER)
                else:
                    sizes = (float(bid_size), float(ask_size))
                    yield at_ns, Quote(symbol, *prices, float(volume), at_ns, *sizes, BROKER)

    def start(self, clock: Clock, on_quote: OnQuote) -> None:
        """Play the quotes by this clock, from its now to the end of the day, one callback outstanding at a time."""
        self.stop()
        self._feed = Feed(clock, self.quotes(clock.now()), on_quote)
        self._feed.wait()

    def stop(self) -> None:
        """Play no more."""
        if self._feed:
            self._feed.stopped = True


class Feed:
    """A stream of quotes played by a clock: each at its time, or as soon as may be."""

    def __init__(self, clock: Clock, quotes: Iterator[tuple[int, Quote]], on_quote: OnQuote) -> None:
        self.stopped = False
        self._clock = clock
        self._quotes = quotes
        self._on_quote = on_quote
        self._next = next(quotes, None)

    def wait(self) -> None:
        """Ask to be called for the next quote, if there is one."""
        if self._next:
            self._clock.call_at(self._next[0], self.deliver)

    def deliver(self) -> None:
        """Hand over what is due, stamped with the time it is handed over, and wait for the next."""
        for _ in range(BURST_MAX):
            now = self._clock.now()
            if self.stopped or self._next is None or self._next[0] > now:
                break
            at_ns, quote = self._next
            self._next = next(self._quotes, None)
            self._on_quote(quote if at_ns == now else msgspec.structs.replace(quote, received_ns=now))
        if not self.stopped:
            self.wait()
