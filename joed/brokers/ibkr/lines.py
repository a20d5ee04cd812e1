"""Prices: which instruments are to be streamed, which lines there are, and what of all ticks is a quote.

What is wanted outlives each link. A line is believed once its first tick has come; one that stays silent is asked for
anew, and then named. Only live prices are quotes: delayed and frozen ones, -1, NaN and those of a halt stay here.
"""

from collections.abc import Callable
from math import inf
from typing import Any

from joed.brokers.base import Clock, Emit
from joed.brokers.ibkr.codes import Means, Row
from joed.brokers.ibkr.contracts import Contracts
from joed.brokers.ibkr.pacer import Pacer, Urgency
from joed.brokers.ibkr.reading import Asker
from joed.model.events import Quote
from joed.model.feeds import BrokerExamined
from joed.model.values import SECOND

BID, ASK, LAST, VOLUME, HALTED = 1, 2, 4, 8, 49
BID_SIZE, ASK_SIZE = 0, 3
DELAYED = range(66, 77)
LIVE = 1
TYPES = {1: "live", 2: "frozen", 3: "delayed", 4: "delayed and frozen"}
TRIES_MAX = 2
"""How often a silent line is asked for, before it is set aside."""


class Line:
    """One subscription, and the newest that it told; a price is None where there is none."""

    __slots__ = (
        *("ask", "ask_size", "bid", "bid_size", "exact", "halted", "heard", "index", "instrument", "last"),
        *("live", "request", "tick_request", "told", "touched", "tries", "volume"),
    )

    def __init__(self, instrument: str, request: int, *, index: bool, tries: int) -> None:
        self.instrument, self.request, self.index, self.tries = instrument, request, index, tries
        self.bid: float | None = None
        self.ask: float | None = None
        self.last: float | None = None
        self.bid_size: float | None = None
        self.ask_size: float | None = None
        self.volume: float | None = None
        self.live, self.halted, self.heard, self.touched, self.exact = True, False, False, False, False
        self.tick_request = 0

    def quote(self, now: int, broker: str) -> Quote | None:
        """Give what may be traded on, None where that is nothing."""
        bid, ask = (self.last, self.last) if self.index else (self.bid, self.ask)
        if not self.live or self.halted or bid is None or ask is None or bid > ask:
            return None
        return Quote(self.instrument, bid, ask, self.last, self.volume, now, self.bid_size, self.ask_size, broker)


class Lines:
    """All lines of one broker; the first wanted are the first served, up to `lines_max`."""

    def __init__(  # noqa: PLR0913 - the broker hands in each part by name
        self,
        name: str,
        contracts: Contracts,
        *,
        clock: Clock,
        pacer: Pacer,
        emit: Emit,
        lines_max: int,
        first_tick_s: float,
        tick_by_tick: tuple[str, ...] = (),
    ) -> None:
        """Want nothing yet."""
        self.wanted: tuple[str, ...] = ()
        self.lines: dict[str, Line] = {}
        self.unserved: tuple[str, ...] = ()
        self._name, self._contracts = name, contracts
        self._clock, self._pacer, self._emit = clock, pacer, emit
        self._lines_max = self._room = lines_max
        self._first_ns = int(first_tick_s * SECOND)
        self._tick_by_tick = frozenset(tick_by_tick)
        self._by_request: dict[int, Line] = {}
        self._asker: Asker | None = None
        self._asked: set[str] = set()
        self._barred: set[str] = set()
        self._touched: list[Line] = []
        self._stolen = False

    def want(self, instruments: tuple[str, ...]) -> None:
        """Stream exactly these from here on, over this link and each later one."""
        self.wanted = tuple(dict.fromkeys(instruments))
        self._settle()

    def begin(self, asker: Asker, *, keep: bool = False) -> None:
        """Stream over this link: all lines anew, or those that TWS has kept, if they prove to be alive."""
        self._asker = asker
        if keep:
            self.expect()
        else:
            self.lines, self._by_request = {}, {}
            self._barred, self._room = set(), self._lines_max
        self._settle()

    def pause(self) -> None:
        """Stream nothing: the link is gone, or leads nowhere; what TWS still has of the lines shows at its return."""
        self._asker = None
        self._asked = set()
        for line in self._touched:
            line.touched = False
        self._touched.clear()

    def listed(self, instrument: str) -> None:
        """Hear that an instrument has its contract."""
        self._settle()

    def expect(self) -> None:
        """Believe no line until it has told something again: the servers were away."""
        for line in self.lines.values():
            line.heard = False
            self._clock.call_at(self._clock.now() + self._first_ns, self._checker(line))

    def _settle(self) -> None:
        """Close the lines that are not wanted any more, and open those that are, in their order."""
        if self._asker is None:
            return
        served = [name for name in self.wanted if name not in self._barred]
        kept, self.unserved = served[: self._room], tuple(served[self._room :])
        for instrument in [name for name in self.lines if name not in kept]:
            self._close(self.lines.pop(instrument))
        for instrument in kept:
            if instrument not in self.lines and instrument in self._contracts.listed and instrument not in self._asked:
                self._asked.add(instrument)
                self._pacer.when(Urgency.STREAM, self._opener(instrument))
        self._tell_room()

    def _tell_room(self) -> None:
        """Say which instruments no line is left for."""
        if self.unserved:
            some = ", ".join(self.unserved[:8])
            words = f"{len(self.unserved)} instruments have no data line, {self._room} there are: {some}"
            self._emit(BrokerExamined(self._name, "lines", ok=False, words=words))

    def _opener(self, instrument: str, tries: int = 1) -> Callable[[], None]:
        return lambda: self._open(instrument, tries)

    def _open(self, instrument: str, tries: int) -> None:
        self._asked.discard(instrument)
        listed = self._contracts.listed.get(instrument)
        if self._asker is None or listed is None or instrument in self.lines or instrument not in self.wanted:
            return
        line = Line(instrument, self._asker.next_id(), index=listed.contract.secType == "IND", tries=tries)
        self.lines[instrument] = self._by_request[line.request] = line
        self._asker.send("reqMktData", line.request, listed.contract, "", 0, 0, [])
        self._clock.call_at(self._clock.now() + self._first_ns, self._checker(line))
        if instrument in self._tick_by_tick and not line.index:
            self._pacer.when(Urgency.STREAM, lambda: self._open_exact(line, listed.contract))

    def _open_exact(self, line: Line, contract: Any) -> None:
        """Have an instrument's prices told one by one besides."""
        if self._asker is not None and self.lines.get(line.instrument) is line:
            line.tick_request = self._asker.next_id()
            self._by_request[line.tick_request] = line
            self._asker.send("reqTickByTickData", line.tick_request, contract, "BidAsk", 0, 0)

    def _close(self, line: Line) -> None:
        """Give a line back."""
        asker = self._asker
        for number, request in ((line.request, "cancelMktData"), (line.tick_request, "cancelTickByTickData")):
            if number and self._by_request.pop(number, None) is not None and asker is not None:
                self._pacer.when(Urgency.STREAM, _sender(self, asker, request, number))

    def is_over(self, asker: Asker) -> bool:
        """Say whether that link is not the one any more."""
        return asker is not self._asker

    def _checker(self, line: Line) -> Callable[[], None]:
        return lambda: self._check(line)

    def _check(self, line: Line) -> None:
        """Ask anew for a line that has told nothing; after that, name its instrument."""
        if line.heard or self.lines.get(line.instrument) is not line:
            return
        if line.tries < TRIES_MAX:
            self._close(self.lines.pop(line.instrument))
            self._asked.add(line.instrument)
            self._pacer.when(Urgency.STREAM, self._opener(line.instrument, line.tries + 1))
        else:
            words = f"no price within {self._first_ns / SECOND:g} s, asked {line.tries} times"
            self._contracts.set_aside(line.instrument, "silent", words)

    def price(self, request: int, kind: int, price: float, size: float) -> None:
        """Take a price with its size."""
        line = self._by_request.get(request)
        if line is None:
            return
        if kind in (BID, ASK) and line.exact:
            return
        value = price if 0.0 < price < inf else None
        if kind == BID:
            line.bid, line.bid_size = value, size or None
        elif kind == ASK:
            line.ask, line.ask_size = value, size or None
        elif kind == LAST:
            line.last = value
        elif kind in DELAYED:
            self.data_type(request, 3)
            return
        self._touch(line)

    def size(self, request: int, kind: int, size: float) -> None:
        """Take a size by itself, or the day's volume."""
        line = self._by_request.get(request)
        if line is None or not 0.0 <= size < inf:
            return
        if kind == VOLUME and size != line.volume:
            line.volume = size
        elif kind == BID_SIZE and not line.exact and (size or None) != line.bid_size:
            line.bid_size = size or None
        elif kind == ASK_SIZE and not line.exact and (size or None) != line.ask_size:
            line.ask_size = size or None
        else:
            return
        self._touch(line)

    def exact(self, request: int, _at: int, bid: float, ask: float, bid_size: float, ask_size: float, _: Any) -> None:
        """Take a tick of the best prices; from here on the conflated ones are older."""
        line = self._by_request.get(request)
        if line is None:
            return
        line.exact = True
        line.bid, line.bid_size = (bid if 0.0 < bid < inf else None), bid_size or None
        line.ask, line.ask_size = (ask if 0.0 < ask < inf else None), ask_size or None
        self._touch(line)

    def generic(self, request: int, kind: int, value: float) -> None:
        """Take that trading is halted, or goes on."""
        line = self._by_request.get(request)
        if line is not None and kind == HALTED:
            halted, line.halted = line.halted, value > 0
            if halted and not line.halted:
                self._touch(line)

    def data_type(self, request: int, kind: int) -> None:
        """Take whether a line's prices are live; where they are not, its instrument is left alone."""
        line = self._by_request.get(request)
        if line is None:
            return
        before, line.live = line.live, kind == LIVE
        if not line.live:
            line.heard = True
            self._contracts.set_aside(line.instrument, "delayed", f"its prices are {TYPES.get(kind, kind)}, not live")
        elif not before:
            self._contracts.served(line.instrument)

    def refused(self, request: int, code: int, row: Row, words: str) -> bool:
        """Take an error about a line; False where it is about none."""
        line = self._by_request.get(request)
        if line is None:
            return False
        if row.means in (Means.NOTE, Means.STOLEN) or request == line.tick_request:
            return True
        self._by_request.pop(line.request, None)
        if self.lines.get(line.instrument) is line:
            del self.lines[line.instrument]
        self._barred.add(line.instrument)
        if row.means is Means.FULL:
            self._barred.discard(line.instrument)
            self._room = max(1, len(self.lines))
        else:
            kind = row.code if row.means in (Means.NO_DATA, Means.UNKNOWN) else "refused"
            self._contracts.set_aside(line.instrument, kind, f"{code}: {words}")
        self._settle()
        return True

    def stolen(self, words: str) -> None:
        """Hear that another session of the same user has the data: no line lives until one tells something again."""
        self._stolen = True
        self._emit(BrokerExamined(self._name, "market data", ok=False, words=words, halts=True))

    def _touch(self, line: Line) -> None:
        """Note that a line told something; its quote follows when this read of the socket is over."""
        if not line.heard:
            line.heard = True
            if line.live:
                self._contracts.served(line.instrument)
        if not line.touched:
            line.touched = True
            self._touched.append(line)

    def flush(self) -> None:
        """Hand on one quote for each line that told something in this read: both sides of a price come together."""
        if not self._touched:
            return
        if self._stolen:
            self._stolen = False
            self._emit(BrokerExamined(self._name, "market data", ok=True, words="prices come again"))
        now = self._clock.now()
        for line in self._touched:
            line.touched = False
            if self._asker is not None and (quote := line.quote(now, self._name)) is not None:
                self._emit(quote)
        self._touched.clear()


def _sender(lines: Lines, asker: Asker, request: str, number: int) -> Callable[[], None]:
    """Give what sends this, unless the link is another by then."""

    def send() -> None:
        if not lines.is_over(asker):
            asker.send(request, number)

    return send
