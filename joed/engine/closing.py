"""Which positions are to be closed, and why: asked once a second, so that each gets one close whatever the reasons."""

from collections.abc import Callable

from joed.engine import protection
from joed.engine.corporate import in_question
from joed.engine.exits import flatten
from joed.engine.hours import close_of
from joed.engine.orders import read_since
from joed.engine.schedule import CLOSED
from joed.model.blocks import key
from joed.model.commands import Command, FlattenPosition, RaiseAlert
from joed.model.orders import Position
from joed.model.state import State
from joed.model.values import SECOND, Scope, Severity

KILLED = "killed"
END_OF_DAY = "end of day"
AUCTION_LEAD_NS = 60 * SECOND
"""How long before the closing auction shuts its book a person hears of what is still held."""


def press(state: State, now: int, commands: list[Command]) -> None:
    """Close every position that there is a reason to close, and go on until the broker shows flat."""
    for position in state.positions.values():
        if position.quantity:
            reason = why(state, now, position)
            if reason:
                patient = reason == END_OF_DAY and unhurried(state, now, position)
                flatten(state, now, position, reason, commands, patient=patient)
            if reason == END_OF_DAY:
                warn_of_auction(state, now, position, commands)


def why(state: State, now: int, position: Position) -> str:
    """Say why a position is to be closed, the first of the reasons that hold, "" where it is not."""
    for rule in REASONS:
        if reason := rule(state, now, position):
            return reason
    return ""


def unhurried(state: State, now: int, position: Position) -> bool:
    """Say whether the end of the day is far enough to ask for the market's price rather than take any."""
    eod = state.settings.eod
    return now < close_of(state, position.instrument) - int((eod.at_s - eod.limit_s) * SECOND)


def warn_of_auction(state: State, now: int, position: Position, commands: list[Command]) -> None:
    """Tell of what is not closed yet while the closing auction still takes orders: joed itself sends none there.

    After its cut-off an order on close (MOC, LOC) can't be taken back: the stop beside it would turn the position
    (docs/adr/0034-the-end-of-the-day.md).
    """
    eod = state.settings.eod
    ends_ns = close_of(state, position.instrument) - int(eod.auction_s * SECOND)
    alert = f"auction:{position.instrument}:{state.day.session}"
    if eod.auction_s and ends_ns - AUCTION_LEAD_NS <= now < ends_ns and alert not in state.alerts:
        words = (
            f"{position.quantity} {position.instrument} are not closed yet; the closing auction takes orders on close "
            f"until {eod.auction_s / 60:g} min before the close. joed goes on at market and sends none there"
        )
        commands.append(RaiseAlert(alert, Severity.WARNING, words))


def killed(state: State, now: int, position: Position) -> str:
    """Close all under a kill that reaches so far."""
    return KILLED if state.killed is not None and state.killed.width >= Scope.FLATTEN.width else ""


def unprotected(state: State, now: int, position: Position) -> str:
    """Close what could not be given its stop in time, or whose stop the broker refuses, where the policy says so."""
    limits = state.settings.protection
    if not position.unprotected_ns or not limits.close_unprotected or in_question(state, position):
        return ""
    late = now - position.unprotected_ns >= int(limits.flatten_s * SECOND)
    if protection.hopeless(state, position):
        return "its stop is refused"
    return f"unprotected for {limits.flatten_s:g} s" if late else ""


def end_of_day(state: State, now: int, position: Position) -> str:
    """Close what is held shortly before the end of the session, where the settings say so."""
    eod = state.settings.eod
    if not eod.close_positions:
        return ""
    close_ns = close_of(state, position.instrument)
    due = close_ns - int(eod.at_s * SECOND) <= now < close_ns
    return END_OF_DAY if due else ""


def unwanted(state: State, now: int, position: Position) -> str:
    """Close what a person wants closed, or the last session left over, until it is; a shut market is waited for."""
    return position.unwanted if position.unwanted and not shut(state, position.instrument) else ""


def turned(state: State, now: int, position: Position) -> str:
    """Close what nobody meant to hold, once the broker's book has confirmed it (F69)."""
    words = protection.turned(state, position)
    due = words and state.settings.protection.close_unprotected and read_since(state, position)
    return words if due else ""


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
