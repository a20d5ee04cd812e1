"""Which positions are to be closed, and why: asked once a second, so that each gets one close whatever the reasons."""

from collections.abc import Callable

from joed.engine import protection
from joed.engine.exits import flatten
from joed.engine.orders import read_since
from joed.engine.schedule import CLOSED
from joed.model.blocks import key
from joed.model.commands import Command, FlattenPosition, RaiseAlert
from joed.model.orders import Position
from joed.model.state import State
from joed.model.values import SECOND, Scope, Severity

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
    """Close what could not be given its stop in time, or whose stop the broker refuses, where the policy says so."""
    limits = state.settings.protection
    if not position.unprotected_ns or not limits.close_unprotected:
        return ""
    late = now - position.unprotected_ns >= int(limits.flatten_s * SECOND)
    if protection.hopeless(state, position):
        return "its stop is refused"
    return f"unprotected for {limits.flatten_s:g} s" if late else ""


def end_of_day(state: State, now: int, position: Position) -> str:
    """Close what is held shortly before the end of the session, where the settings say so."""
    eod, day = state.settings.eod, state.day
    due = day.close_ns - int(eod.at_s * SECOND) <= now < day.close_ns
    return "end of day" if eod.close_positions and due else ""


def unwanted(state: State, now: int, position: Position) -> str:
    """Close what a person wants closed, or the last session left over, until it is; a shut market is waited for."""
    return "" if shut(state, position.instrument) else position.unwanted


def turned(state: State, now: int, position: Position) -> str:
    """Close what nobody meant to hold, once the broker's book has confirmed it (F69)."""
    due = state.settings.protection.close_unprotected and read_since(state, position)
    return protection.turned(state, position) if due else ""


def shut(state: State, instrument: str) -> bool:
    """Say whether an instrument's market is closed now."""
    found = state.settings.universe.get(instrument)
    return found is not None and key(f"calendar:{found.calendar}", CLOSED) in state.blocks


def leave_over(state: State, now: int, commands: list[Command]) -> None:
    """Plan for the next open what should have been closed by the end of the day and was not, and tell of it (F87)."""
    if not state.settings.eod.close_positions or not 0 < state.day.close_ns <= now:
        return
    for position in state.positions.values():
        if position.quantity and not position.unwanted:
            words = f"{position.quantity} {position.instrument} could not be closed by {state.day.session}'s end"
            commands.append(FlattenPosition(position.instrument, words))
            alert = f"left_over:{position.instrument}:{state.day.session}"
            commands.append(RaiseAlert(alert, Severity.CRITICAL, f"{words}: it is tried again at the next open"))


REASONS: tuple[Callable[[State, int, Position], str], ...] = (
    killed,
    unwanted,
    unprotected,
    end_of_day,
    turned,
)
"""Every reason for which joed itself closes a position; the first that holds is told."""
