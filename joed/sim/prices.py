"""Where the world's prices come from: a seeded walk for each instrument, which no fault but its own ever moves."""

from collections.abc import Callable
from math import sqrt
from random import Random

from joed.daemon.clock import SimulatedClock
from joed.model.events import Quote
from joed.model.values import SECOND
from joed.sim.scenario import VIX, Traits

FIRST, VIX_FIRST = (40.0, 160.0), 17.0
APART_S, VIX_APART_S = (0.7, 2.6), 3.0
JUMP_SHARE = 0.003
TICK = 0.01


class Walk:
    """One instrument's price, and what is wrong with it for a while."""

    def __init__(self, instrument: str, seed: int, volatility: float) -> None:
        """Begin at a price of its own."""
        self.instrument = instrument
        self.chance = Random(f"{seed}:{instrument}")
        self.volatility = volatility if instrument != VIX else volatility / 2
        self.price = VIX_FIRST if instrument == VIX else self.chance.uniform(*FIRST)
        self.spread = self.chance.uniform(0.0001, 0.0006)
        self.volume = 0.0
        self.silent_until_ns = 0
        self.raised_until_ns = 0
        self.raised = 1.0

    def apart_s(self) -> float:
        """Give how long it is to the next price."""
        return VIX_APART_S if self.instrument == VIX else self.chance.uniform(*APART_S)

    def move(self, apart_s: float) -> None:
        """Let the price wander, and now and then jump."""
        step = self.chance.gauss(0.0, self.volatility * sqrt(apart_s))
        if self.chance.random() < JUMP_SHARE and self.instrument != VIX:
            step += self.chance.choice((-1, 1)) * self.chance.uniform(0.002, 0.02)
        self.price *= 1.0 + step
        self.volume += self.chance.randint(1, 500)

    def quote(self, now: int, *, prints_last: bool) -> Quote:
        """Give the price as bid and ask, on the tick and at least a tick apart."""
        middle = self.price * (self.raised if now < self.raised_until_ns else 1.0)
        half = max(middle * self.spread / 2, TICK / 2)
        bid = round(middle - half, 2)
        ask = max(round(middle + half, 2), round(bid + TICK, 2))
        last = round(middle, 2) if prints_last else None
        return Quote(self.instrument, bid, ask, last, self.volume)


class Prices:
    """All walks, each on its own beat."""

    def __init__(self, clock: SimulatedClock, seed: int, traits: Traits, hand_on: Callable[[Quote], None]) -> None:
        """Hand each quote on at its time."""
        self.walks = {name: Walk(name, seed, traits.volatility) for name in (*traits.instruments, VIX)}
        self.frozen = False
        self.quotes = 0
        self._clock = clock
        self._prints_last = traits.prints_last
        self._hand_on = hand_on

    def start(self, open_ns: int) -> None:
        """Begin a little before the market opens."""
        for walk in self.walks.values():
            self._clock.call_at(open_ns - int(walk.apart_s() * 3 * SECOND), self._beat_of(walk))

    def _beat_of(self, walk: Walk) -> Callable[[], None]:
        def beat() -> None:
            now, apart_s = self._clock.now(), walk.apart_s()
            if not self.frozen:
                walk.move(apart_s)
            if now >= walk.silent_until_ns:
                self.quotes += 1
                self._hand_on(walk.quote(now, prints_last=self._prints_last))
            self._clock.call_at(now + int(apart_s * SECOND), beat)

        return beat
