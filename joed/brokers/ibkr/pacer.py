"""How fast we speak: a bound on the messages of any second, with a part kept back for what cannot wait.

TWS takes 50 messages a second and ends a connection that is faster. Cancels and orders leave at once or not at all:
they never wait here. Everything else waits its turn, the more urgent first.
"""

import heapq
from collections import deque
from collections.abc import Callable
from enum import IntEnum

from joed.brokers.base import Clock
from joed.model.values import SECOND


class Urgency(IntEnum):
    """What a message is for, the most urgent first."""

    CANCEL = 0
    ORDER = 1
    BEAT = 2
    READ = 3
    STREAM = 4
    PAST = 5


SHARES = {
    Urgency.CANCEL: 1.0,
    Urgency.ORDER: 0.95,
    Urgency.BEAT: 0.875,
    Urgency.READ: 0.85,
    Urgency.STREAM: 0.8,
    Urgency.PAST: 0.5,
}
"""Up to which share of a second's messages each may go: the rest is for what is more urgent, a bracket at least."""
SPAN_NS = SECOND + SECOND // 50
"""The second that is looked back on, with a little more for what the network pushes together."""
WAITING_MAX = 5_000
"""How many messages may wait; there is no use for more than a few for each instrument."""

SLOW_NS, SLOWEST = 60 * SECOND, 10
"""How long half the rate holds after TWS has said that we were too fast, and the rate that is never gone below."""

Act = Callable[[], object]


class Pacer:
    """The rate, and what waits for it; `rate` counts messages in any one second."""

    def __init__(self, rate: int, clock: Clock) -> None:
        """Begin with a second in which nothing was said."""
        self.refused = 0
        self._rate, self._until_ns = rate, 0
        self._clock = clock
        self._sent: deque[int] = deque()
        self._waiting: list[tuple[Urgency, int, Act]] = []
        self._number = 0
        self._armed = False

    @property
    def waiting(self) -> int:
        """Count what waits."""
        return len(self._waiting)

    def take(self, urgency: Urgency, count: int = 1) -> bool:
        """Say whether so many messages of this urgency may leave now, and count them if so."""
        now = self._clock.now()
        while self._sent and now - self._sent[0] >= SPAN_NS:
            self._sent.popleft()
        rate = self._rate if now >= self._until_ns else max(SLOWEST, self._rate // 2)
        if len(self._sent) + count > int(rate * SHARES[urgency]):
            return False
        self._sent.extend([now] * count)
        return True

    def give_back(self, count: int) -> None:
        """Take so many back that were counted last and not sent."""
        for _ in range(count):
            self._sent.pop()

    def when(self, urgency: Urgency, act: Act) -> bool:
        """Do this as soon as its one message may leave; False where too much waits already, and it never will."""
        if len(self._waiting) >= WAITING_MAX:
            self.refused += 1
            return False
        self._number += 1
        heapq.heappush(self._waiting, (urgency, self._number, act))
        self._pump()
        return True

    def slow(self) -> bool:
        """Go at half the rate for a while; say whether that was so already.

        TWS counts as it reads: messages that we spaced well may reach it together, when it or the machine was busy.
        """
        now = self._clock.now()
        before, self._until_ns = self._until_ns, now + SLOW_NS
        return now < before

    def clear(self) -> None:
        """Forget what waits: its link is gone."""
        self._waiting.clear()

    def _pump(self) -> None:
        """Do what may be done now, and come back for the rest."""
        while self._waiting and self.take(self._waiting[0][0]):
            heapq.heappop(self._waiting)[2]()
        if self._waiting and not self._armed:
            self._armed = True
            self._clock.call_at(self._sent[0] + SPAN_NS, self._again)

    def _again(self) -> None:
        self._armed = False
        self._pump()
