"""Which build of joed a life is, and by which settings: a newer one decides more, and a poison breaks both."""

from decimal import Decimal

from joed.engine.step import RULES
from joed.model import events as e
from joed.model import settings as s
from joed.model.commands import Command, RaiseAlert
from joed.model.events import Event, Quote
from joed.model.state import State
from joed.model.values import MINUTE, Severity
from joed.sim.scenario import VIX, Scenario
from joed.sim.telling import CHANNELS

POISON = -666.0
"""The volume by which the planted rule knows its quote; one less, and memory lacks."""
AFTER_CLOSE_S = 40.0


def newer_build(state: State, now: int, event: Event, commands: list[Command]) -> None:
    """Decide something that the older build does not: an alert each minute."""
    alert = f"newer_build:{now // MINUTE}"
    if alert not in state.alerts:
        commands.append(RaiseAlert(alert, Severity.INFO, "the newer build looks up"))


def poisoned(state: State, now: int, event: Event, commands: list[Command]) -> None:
    """Raise on the quote that was chosen."""
    if isinstance(event, Quote) and event.volume == POISON:
        raise ValueError("a rule cannot handle this quote")
    if isinstance(event, Quote) and event.volume == POISON - 1:
        raise MemoryError


PLAIN = {event: RULES[event] for event in (e.Quote, e.Tick)}


def set_rules(version: str) -> None:
    """Let the engine be the build of this version, with one rule that can't handle a poisonous quote."""
    RULES[e.Quote] = (*PLAIN[e.Quote], poisoned)
    RULES[e.Tick] = (*PLAIN[e.Tick], newer_build) if version == "2" else PLAIN[e.Tick]


def plain_rules() -> None:
    """Put the engine back as it was."""
    RULES[e.Quote], RULES[e.Tick] = PLAIN[e.Quote], PLAIN[e.Tick]


def settings_of(scenario: Scenario) -> s.Settings:
    """Give settings under which a quarter of an hour is a busy day."""
    traits = scenario.traits
    universe = {name: s.Instrument(name) for name in traits.instruments}
    universe[VIX] = s.Instrument(VIX, kind="index", tradable=False)
    return s.Settings(
        fill_timeout_s=6.0,
        session=s.Session(lead_s=3900.0, after_close_s=AFTER_CLOSE_S),
        eod=s.EndOfDay(close_positions=traits.evening, at_s=90.0, entries_until_s=30.0),
        risk=s.Risk(position_max=3, allow_short=traits.shorts, trades_day_max=400, loss_day_max=Decimal(2000)),
        vix=s.Fear(level_max=30.0, day_rise=0.7, fast_rise=0.5, hold_s=30.0, unconfirmed_s=0.0),  # no index falls here
        feed=s.Feed(stale_s=12.0),
        health=s.Health(broker_silence_s=20.0),
        jobs=s.Jobs(strategies_s=15.0, watchlist_s=120.0, scan_s=300.0, deadline_s=5.0),
        paper=s.Paper(latency_s=traits.latency_s, partial_share=traits.partial_share),
        strategies=s.Strategies(momentum=s.Momentum(enabled=True), reversion=s.Reversion(enabled=True)),
        index=traits.instruments[0],
        alerts=s.Alerts(channels=CHANNELS if scenario.tells else {}),
        universe=universe,
    )
