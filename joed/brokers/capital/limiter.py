"""One account's budget of requests, shared by everything we send: who may go now, and who first.

Capital.com counts requests a second for the whole user, the creation of orders and logins on their own, and orders an
hour on the demo host; it answers 429 without saying for how long. A window slides: at no moment do more requests lie
within its span than its count. What protects goes before what is only nice to know.
"""

import asyncio
import heapq
from collections import deque
from enum import IntEnum

from joed.brokers.base import Clock
from joed.brokers.capital.faults import NotSent
from joed.brokers.capital.pause import pause
from joed.model.values import HOUR, SECOND

WAITING_MAX = 256
"""Requests that may wait for their turn; one more is refused, and says so."""
RESERVED = 2
"""Of each second's requests, kept for orders and what goes before them."""
PAUSE_NS, PAUSE_MAX_NS = SECOND, 32 * SECOND
"""How long the rest is silent after a 429, doubling while they go on."""


class Lane(IntEnum):
    """What a request is for, the most urgent first."""

    KILL = 0
    CLOSE = 1
    ORDER = 2
    CONFIRM = 3
    RECONCILE = 4
    MARKET = 5
    HISTORY = 6


class Kind(IntEnum):
    """What else a request counts as."""

    PLAIN = 0
    CREATE = 1
    LOGIN = 2


class Window:
    """At most `count` within any `span_ns`."""

    def __init__(self, count: int, span_ns: int) -> None:
        """Begin with none spent."""
        self.count = count
        self.span_ns = span_ns
        self._spent: deque[int] = deque()

    def free_ns(self, now: int, keep: int = 0) -> int:
        """Give when the next may go, leaving `keep` free; `now` or earlier is at once."""
        while self._spent and self._spent[0] + self.span_ns <= now:
            self._spent.popleft()
        allowed = self.count - keep
        return now if len(self._spent) < allowed else self._spent[len(self._spent) - allowed] + self.span_ns

    def spend(self, now: int) -> None:
        """Count one."""
        self._spent.append(now)


class Limiter:
    """The turns of one account's requests."""

    def __init__(self, clock: Clock, requests_s: int, orders_hour: int = 0) -> None:
        """Allow so many requests a second, and orders an hour (0: no such limit)."""
        self._clock = clock
        self._all = Window(requests_s, SECOND)
        self._kinds: dict[Kind, tuple[Window, ...]] = {
            Kind.PLAIN: (),
            Kind.CREATE: (Window(1, 120 * SECOND // 1000),),
            Kind.LOGIN: (Window(1, SECOND + SECOND // 10),),
        }
        if orders_hour:
            self._kinds[Kind.CREATE] += (Window(orders_hour, HOUR),)
        self._waiting: list[tuple[Lane, int, Kind, asyncio.Future[None]]] = []
        self._turns = 0
        self._armed_ns = 0
        self._silent_until_ns = 0
        self._pause_ns = PAUSE_NS
        self.refusals = 0

    async def turn(self, lane: Lane, kind: Kind = Kind.PLAIN) -> None:
        """Wait until this request may leave; raise NotSent where too many wait already."""
        if len(self._waiting) >= WAITING_MAX:
            raise NotSent(f"{WAITING_MAX} requests wait for their turn already")
        self._turns += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        row = (lane, self._turns, kind, future)
        heapq.heappush(self._waiting, row)
        self._release()
        try:
            await future
        except asyncio.CancelledError:
            if row in self._waiting:
                self._waiting.remove(row)
                heapq.heapify(self._waiting)
            raise

    async def ready(self, lane: Lane, kind: Kind = Kind.PLAIN) -> None:
        """Wait until a request could leave, and spend nothing: what it needs is made ready before its turn is taken."""
        while (free_ns := self._free_ns(now := self._clock.now(), lane, kind)) > now:
            await pause(self._clock, (free_ns - now) / SECOND)

    def refused(self) -> None:
        """Take a 429: what does not protect is silent for a while, longer each time."""
        self.refusals += 1
        now = self._clock.now()
        if now >= self._silent_until_ns:
            self._silent_until_ns = now + self._pause_ns
            self._pause_ns = min(self._pause_ns * 2, PAUSE_MAX_NS)

    def answered(self) -> None:
        """Take an answer that is no 429: the next pause is short again."""
        if self._clock.now() >= self._silent_until_ns:
            self._pause_ns = PAUSE_NS

    def _release(self) -> None:
        """Let go whoever may, the most urgent first; come back when the next may."""
        now, soonest, kept = self._clock.now(), 0, []
        while self._waiting:
            row = heapq.heappop(self._waiting)
            lane, _, kind, future = row
            if future.done():
                continue
            free_ns = self._free_ns(now, lane, kind)
            if free_ns > now:
                kept.append(row)
                soonest = min(soonest or free_ns, free_ns)
                continue
            for window in (self._all, *self._kinds[kind]):
                window.spend(now)
            future.set_result(None)
        self._waiting = kept
        heapq.heapify(self._waiting)
        if kept:
            self._arm(soonest, now)

    def _arm(self, soonest: int, now: int) -> None:
        """Have the clock call when the next may go, unless it will before."""
        if not now < self._armed_ns <= soonest:
            self._armed_ns = soonest
            self._clock.call_at(soonest, self._release)

    def _free_ns(self, now: int, lane: Lane, kind: Kind) -> int:
        """Give when a request of this lane and kind may leave."""
        keep = RESERVED if lane > Lane.CONFIRM and self._all.count > RESERVED else 0
        free_ns = max(window.free_ns(now) for window in self._kinds[kind]) if self._kinds[kind] else now
        silent_ns = self._silent_until_ns if lane > Lane.CLOSE else 0
        return max(free_ns, self._all.free_ns(now, keep), silent_ns)
