"""Which positions are to be closed, and why: asked once a second, so that each gets one close whatever the reasons."""

from collections.abc import Callable

from joed.engine import protection
from joed.engine.exits import flatten
from joed.engine.orders import read_since
from joed.model.commands import Command
from joed.model.orders import Position
from joed.model.state import State
from joed.model.values import SECOND, Scope

KILLED = "killed"


def press(state: State, now: int, commands: list[Command]) -> None:
    """Close every position that there is a reason to close, and go on until the broker shows flat."""
    for position in state.positions.values():
        if position.quantity:
            reason = next((words for why in REASONS if (words := why(state, now, position))), "")
            if reason:
                flatten(state, now, position, reason, commands)


def killed(state: State, now: int, position: Position) -> str:
    """Close all under a kill that reaches so far."""
    return KILLED if state.killed is not None and state.killed.width >= Scope.FLATTEN.width else ""


def unprotected(state: State, now: int, position: Position) -> str:
    """Close what could not be given its stop in time."""
    limit_s = state.settings.protection.flatten_s
    late = position.unprotected_ns and now - position.unprotected_ns >= int(limit_s * SECOND)
    return f"unprotected for {limit_s:g} s" if late else ""


def end_of_day(state: State, now: int, position: Position) -> str:
    """Close what is held shortly before the end of the session, where the settings say so."""
    eod, day = state.settings.eod, state.day
    due = day.close_ns - int(eod.at_s * SECOND) <= now < day.close_ns
    return "end of day" if eod.close_positions and due else ""


def unwanted(state: State, now: int, position: Position) -> str:
    """Close what a person wants closed, until it is."""
    return position.unwanted


def turned(state: State, now: int, position: Position) -> str:
    """Close what nobody meant to hold, once the broker's book has confirmed it."""
    return protection.turned(state, position) if read_since(state, position) else ""


REASONS: tuple[Callable[[State, int, Position], str], ...] = (
    killed,
    unwanted,
    unprotected,
    end_of_day,
    turned,
)
"""Every reason for which joed itself closes a position; the first that holds is told."""
