"""Which build of joed a life is: the newer one decides something more, and each has a rule that a poison breaks."""

from joed.engine.step import RULES
from joed.model import events as e
from joed.model.commands import Command, RaiseAlert
from joed.model.events import Event, Quote
from joed.model.state import State
from joed.model.values import MINUTE, Severity

POISON = -666.0
"""The volume by which the planted rule knows its quote; one less, and memory lacks."""


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
