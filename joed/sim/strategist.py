"""A stand-in for the worker: it makes many short trades happen, by seed and moment alone, and fails now and then."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random

from joed.daemon.clock import Clock
from joed.daemon.job_context import JobContext
from joed.model import events as e
from joed.model.commands import RunJob
from joed.model.events import Event
from joed.model.triggers import Trigger
from joed.model.values import SECOND, Bar, Crossing, Side, ceil_to, decimal, floor_to
from joed.sim.scenario import VIX, Traits

NAME = "world"
TICK = Decimal("0.01")
REPEATED_MAX = 10_000
"""How many Triggers a strategy gone wild gives at most."""
FAILS, LATE = 0.02, 0.02
"""The shares of jobs that fail, and that answer when nobody waits for them any more."""


class Strategist:
    """Answers each job after a while on the clock of the life that asked; `idle` makes no Triggers any more."""

    def __init__(self, clock: Clock, seed: int, traits: Traits) -> None:
        """Think for the world of this seed."""
        self.idle = False
        self.failures = 0
        self.bars_seen = 0
        self.repeats = 0
        self.given: dict[str, Trigger] = {}
        self._clock = clock
        self._seed = seed
        self._traits = traits

    def bars(self, bars: Sequence[Bar]) -> None:
        """Take completed minute bars."""
        self.bars_seen += len(bars)

    def run(self, command: RunJob, context: JobContext, done: Callable[[Event], None]) -> None:
        """Run a job and call back with its answer."""
        chance = Random(f"{self._seed}:{command.job}:{command.run}:{context.now_ns}")
        delay_s, luck = chance.uniform(0.02, 0.8), chance.random()
        event: Event = ANSWERS[command.job](self, command, context, chance)
        if luck < FAILS or self.failures:
            self.failures = max(0, self.failures - 1)
            event = e.JobFailed(command.job, command.run, "the world's strategist failed")
        elif luck < FAILS + LATE:
            delay_s = chance.uniform(20.0, 80.0)
        self._clock.call_at(self._clock.now() + int(delay_s * SECOND), lambda: done(event))

    def triggers(self, command: RunJob, context: JobContext, chance: Random) -> e.TriggersMade:
        """Make Triggers close to the price, with stops and targets that are soon met."""
        made = [] if self.idle else [self._trigger(name, context, chance) for name in command.instruments]
        fresh = tuple(trigger for trigger in made if trigger is not None)
        if self.repeats and not self.idle:
            fresh = (fresh + tuple(self.given.values())) * self.repeats
            fresh = fresh[:REPEATED_MAX]
        self.given |= {trigger.signal: trigger for trigger in fresh}
        return e.TriggersMade(command.run, fresh)

    def _trigger(self, instrument: str, context: JobContext, chance: Random) -> Trigger | None:
        price, skipped = context.prices.get(instrument), chance.random() < 0.25
        shorts, rises = self._traits.shorts and chance.random() < 0.5, chance.random() < 0.5
        offset, risk, reward = chance.uniform(0.0001, 0.0012), chance.uniform(0.0015, 0.005), chance.uniform(0.6, 3.0)
        trails, trail, valid_s = chance.random() < self._traits.trails, chance.uniform(0.3, 1.0), chance.uniform(15, 60)
        quantity = Decimal(chance.randint(1, 120)) if chance.random() < 0.7 else None
        if price is None or skipped or not price > 1.0:
            return None
        side = Side.SELL if shorts else Side.BUY
        middle = decimal(round(price, 2))
        level = floor_to(middle * (1 + decimal(offset) * (1 if rises else -1)), TICK)
        distance = max(floor_to(middle * decimal(risk), TICK), 5 * TICK)
        return Trigger(
            instrument=instrument,
            side=side,
            level=level,
            crossing=Crossing.ABOVE if rises else Crossing.BELOW,
            valid_until_ns=context.now_ns + int(valid_s * SECOND),
            stop=level - side.sign * distance,
            target=level + side.sign * max(floor_to(distance * decimal(reward), TICK), 3 * TICK),
            strategy=NAME,
            signal=f"{NAME}-{instrument}-{side.value}-{level}-{context.now_ns // SECOND}",
            trail=ceil_to(distance * decimal(trail), TICK) if trails else Decimal(0),
            quantity=quantity,
            risk=Decimal("0.002"),
        )


def regime(strategist: Strategist, command: RunJob, context: JobContext, chance: Random) -> e.RegimeJudged:
    """Judge that all is well."""
    return e.RegimeJudged(command.run, e.RegimeRead("bull", 1.0), {VIX: 18.0})


def scan(strategist: Strategist, command: RunJob, context: JobContext, chance: Random) -> e.MarketScanned:
    """Watch everything."""
    return e.MarketScanned(command.run, tuple(e.Candidate(name, chance.random()) for name in command.instruments))


def watchlist(strategist: Strategist, command: RunJob, context: JobContext, chance: Random) -> e.WatchlistScored:
    """Keep watching it."""
    return e.WatchlistScored(command.run, tuple(e.Candidate(name, chance.random()) for name in command.instruments))


def analytics(strategist: Strategist, command: RunJob, context: JobContext, chance: Random) -> e.AnalyticsMade:
    """Give one figure, and one that is unknown."""
    return e.AnalyticsMade(command.run, {"figure": chance.random(), "unknown": None})


def crypto(strategist: Strategist, command: RunJob, context: JobContext, chance: Random) -> e.CryptoRead:
    """Read nothing."""
    return e.CryptoRead(command.run, {"fear": None})


def summary(strategist: Strategist, command: RunJob, context: JobContext, chance: Random) -> e.SummaryWritten:
    """Say that the day is over."""
    return e.SummaryWritten(command.run, f"{context.trades} trades")


ANSWERS: dict[str, Callable[[Strategist, RunJob, JobContext, Random], Event]] = {
    "regime": regime,
    "scan": scan,
    "watchlist": watchlist,
    "strategies": Strategist.triggers,
    "analytics": analytics,
    "crypto": crypto,
    "summary": summary,
}
"""Every job of the schedule has a row: a missing one is a KeyError at the first seed."""
