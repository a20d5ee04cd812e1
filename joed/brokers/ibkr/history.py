"""The past, at the pace that IBKR allows for it (historical_limitations.html): one question at a time.

At most 60 questions in ten minutes, none twice within 15 s, fewer than six about one contract within 2 s. A question
that breaks these is not answered and may cost the connection, so it waits here.
"""

import asyncio
from collections import deque
from datetime import datetime
from typing import Any

from joed.brokers.base import Clock
from joed.brokers.ibkr.contracts import Contracts
from joed.brokers.ibkr.pacer import Pacer, Urgency
from joed.brokers.ibkr.reading import Asker
from joed.brokers.ibkr.translate import Day, day_of, nanoseconds
from joed.errors import BrokerUnavailable
from joed.model.values import DAY, MINUTE, SECOND, Bar

SPAN_NS, SPAN_MAX = 10 * MINUTE, 58
SAME_NS = 16 * SECOND
CONTRACT_NS, CONTRACT_MAX = 5 * SECOND // 2, 5
"""The document's bounds, with a little more for what the network pushes together."""
NOTHING = "returned no data"
"""What an error says that is an answer: there was no trade."""
DATE_DIGITS = 8
HOLIDAYS, YEAR_DAYS = 10, 365
"""How many days more than weekends explain may be without a session; a longer span is asked for in years."""
LONGEST_MINUTES_DAYS = 7

Key = tuple[str, str, str]


class Pace:
    """When a question about the past may be asked; each that is asked is remembered for ten minutes."""

    def __init__(self) -> None:
        """Begin with nothing asked."""
        self._asked: deque[tuple[int, str, Key]] = deque(maxlen=SPAN_MAX)

    def wait_ns(self, now: int, instrument: str, key: Key) -> int:
        """Give how long this question has to wait yet."""
        until = [now]
        if len(self._asked) == SPAN_MAX:
            until.append(self._asked[0][0] + SPAN_NS)
        until += [at + SAME_NS for at, _name, known in self._asked if known == key]
        near = [at for at, name, _known in self._asked if name == instrument]
        if len(near) >= CONTRACT_MAX:
            until.append(near[-CONTRACT_MAX] + CONTRACT_NS)
        return max(until) - now

    def note(self, now: int, instrument: str, key: Key) -> None:
        """Remember a question."""
        self._asked.append((now, instrument, key))


class History:
    """Asks for bars and waits for them; one question after the other, whoever asks."""

    def __init__(self, contracts: Contracts, clock: Clock, pacer: Pacer, answer_s: float) -> None:
        """Begin with nothing asked."""
        self._contracts, self._clock, self._pacer = contracts, clock, pacer
        self._answer_s = answer_s
        self._pace = Pace()
        self._asker: Asker | None = None
        self._turn = asyncio.Lock()
        self._request = 0
        self._bars: list[Any] = []
        self._answer: asyncio.Future[str] | None = None

    def begin(self, asker: Asker) -> None:
        """Ask over this link."""
        self.abort()
        self._asker = asker

    def abort(self) -> None:
        """Expect no answer any more."""
        self._asker = None
        self._settle("the link is gone")

    async def daily(self, instrument: str, days: int) -> tuple[Bar, ...]:
        """Give the last `days` daily bars of regular hours, oldest first; BrokerUnavailable where none can be had."""
        calendar_days = days * 7 // 5 + HOLIDAYS
        span = f"{calendar_days} D" if calendar_days <= YEAR_DAYS else f"{-(-calendar_days // YEAR_DAYS)} Y"
        bars = await self._ask(instrument, "1 day", span)
        return self._whole(instrument, bars, daily=True)[-days:]

    async def minutes(self, instrument: str, from_ns: int) -> tuple[Bar, ...]:
        """Give the 1-minute bars of regular hours from then on, oldest first; BrokerUnavailable as above."""
        span_days = min(LONGEST_MINUTES_DAYS, max(1, -(-(self._clock.now() - from_ns) // DAY)))
        bars = await self._ask(instrument, "1 min", f"{span_days} D")
        return tuple(bar for bar in self._whole(instrument, bars) if bar.at_ns >= from_ns)

    async def _ask(self, instrument: str, size: str, span: str) -> list[Any]:
        """Ask one question in its turn, at its time."""
        async with self._turn:
            key = (instrument, size, span)
            while (wait_ns := self._pace.wait_ns(self._clock.now(), instrument, key)) > 0:
                await self._pause(wait_ns)
            listed = self._contracts.listed.get(instrument)
            if self._asker is None or listed is None:
                why = self._contracts.aside.get(instrument, "it has no contract yet")
                raise BrokerUnavailable(f"no history of {instrument}: {why if self._asker else 'not connected'}")
            return await self._send(listed.contract, key)

    async def _send(self, contract: Any, key: Key) -> list[Any]:
        instrument, size, span = key
        self._answer = asyncio.get_running_loop().create_future()
        self._bars, self._request = [], 0
        asker = self._asker

        def send() -> None:
            if asker is not None and asker is self._asker:
                self._request = asker.next_id()
                self._pace.note(self._clock.now(), instrument, key)
                what = "MIDPOINT" if contract.secType == "CASH" else "TRADES"
                asker.send("reqHistoricalData", self._request, contract, "", span, size, what, 1, 2, 0, [])

        self._pacer.when(Urgency.PAST, send)
        try:
            async with asyncio.timeout(self._answer_s * 2):
                failure = await self._answer
        except TimeoutError:
            failure = f"not told within {self._answer_s * 2:g} s"
            if asker is not None and asker is self._asker and self._request:
                asker.send("cancelHistoricalData", self._request)
        finally:
            self._answer = None
        if failure:
            raise BrokerUnavailable(f"no history of {instrument}: {failure}")
        return self._bars

    async def _pause(self, wait_ns: int) -> None:
        done = asyncio.Event()
        self._clock.call_at(self._clock.now() + wait_ns, done.set)
        await done.wait()

    def bar(self, request: int, bar: Any) -> None:
        """Take one bar; the library's BarData."""
        if request == self._request and request:
            self._bars.append(bar)

    def bars_end(self, request: int, _start: str, _end: str) -> None:
        """Take the end of an answer."""
        if request == self._request and request:
            self._settle("")

    def refused(self, request: int, code: int, words: str) -> bool:
        """Take an error about the question; "no data" is an answer. False where it is about none of ours."""
        if not request or request != self._request or self._answer is None:
            return False
        self._settle("" if NOTHING in words.lower() else f"{code}: {words}")
        return True

    def _settle(self, failure: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(failure)

    def _whole(self, instrument: str, rows: list[Any], *, daily: bool = False) -> tuple[Bar, ...]:
        """Give the bars whose time is over: one that is still being made would be another a moment later."""
        now, listed = self._clock.now(), self._contracts.listed[instrument]
        day = day_of(listed.liquid_hours, listed.zone)
        length_ns = (day.end - day.start) * MINUTE if daily else MINUTE
        bars = [bar_of(instrument, row, day) for row in rows]
        return tuple(bar for bar in bars if bar.at_ns + length_ns <= now)


def bar_of(instrument: str, row: Any, day: Day) -> Bar:
    """Give a bar as our books have it; the library's BarData, whose time is epoch seconds, or a day as yyyymmdd."""
    text = str(row.date)
    if len(text) == DATE_DIGITS:
        date = datetime(int(text[:4]), int(text[4:6]), int(text[6:]), day.start // 60, day.start % 60, tzinfo=day.zone)
        at_ns = nanoseconds(date)
    else:
        at_ns = int(text) * SECOND
    return Bar(instrument, at_ns, row.open, row.high, row.low, row.close, max(0.0, row.volume))
