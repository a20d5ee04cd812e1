"""The first live sessions trade smaller: the share of its size that an entry has, session by session."""

from decimal import Decimal

from joed.model.state import State
from joed.model.values import Mode

WHOLE = Decimal(1)


def share(state: State) -> Decimal:
    """Give the share of its size that an entry has today: `first` in the first live session, all of it after the last.

    In between it rises by equal steps. Paper trades whole: there is nothing to get used to.
    """
    ramp = state.settings.ramp
    number = session_number(state)
    if state.mode is not Mode.LIVE or number > ramp.sessions:
        return WHOLE
    return ramp.first + (WHOLE - ramp.first) * (number - 1) / ramp.sessions


def session_number(state: State) -> int:
    """Give the number of this live session, counted from 1; it counts once it was confirmed, and only once."""
    return state.live_sessions + (0 if counted(state) else 1)


def counted(state: State) -> bool:
    """Say whether this session was counted among the live ones."""
    return bool(state.day.session) and state.live_session == state.day.session


def count(state: State) -> None:
    """Count this session, at its first whole confirmation."""
    if state.mode is Mode.LIVE and not counted(state):
        state.live_sessions += 1
        state.live_session = state.day.session
