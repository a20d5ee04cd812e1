"""What is held over the night: its stop must be seen working by a whole read before the next session opens anything.

A stop that a broker dropped, or a corporate action took away, shows only in its book; what a gap filled while joed
slept is booked from the same read, at the price that the broker got.
"""

from decimal import Decimal

from joed.engine import corporate
from joed.engine.health import keep
from joed.engine.positions import backed, frozen
from joed.engine.protection import HOLDING
from joed.model.blocks import ALL, Block, key
from joed.model.commands import Command, OpenSession, RaiseBlock
from joed.model.events import BrokerRead
from joed.model.orders import Position
from joed.model.state import State
from joed.model.values import ZERO, Leg, Side

UNVERIFIED = "unverified"


def note_verified(state: State, read: BrokerRead) -> None:
    """Note which positions a whole read shows in their size, and which with working stops of it (part of `apply`)."""
    corporate.note_sized(state, read)
    if not read.complete or read.connection != state.brokers[read.broker].connection:
        return
    working: dict[tuple[str, Side], Decimal] = {}
    for seen in read.orders:
        order = state.orders.get(seen.order)
        if order is not None and order.leg is Leg.STOP and seen.status in HOLDING:
            at = (seen.instrument, seen.side)
            working[at] = working.get(at, ZERO) + seen.quantity
    for position in state.positions.values():
        side = Side.SELL if position.quantity > 0 else Side.BUY
        stops = working.get((position.instrument, side), ZERO)
        if position.broker == read.broker and position.quantity and stops >= backed(state, position):
            position.verified = state.day.session


def unverified(state: State) -> list[Position]:
    """Give what was held before this session began and was not seen protected in it; what is frozen waits alone."""
    day = state.day
    return [
        position
        for position in state.positions.values()
        if position.quantity
        and position.verified != day.session
        and position.opened_ns < day.open_ns
        and not frozen(state, position.instrument)
    ]


def watch(state: State, now: int, commands: list[Command]) -> None:
    """Forbid entries from the session's very beginning until each position held over night was seen protected."""
    if any(isinstance(command, OpenSession) for command in commands):
        held = [position.instrument for position in state.positions.values() if position.quantity]
        if held:
            commands.append(RaiseBlock(Block(ALL, UNVERIFIED, words_of(held), now)))
        return
    names = [position.instrument for position in unverified(state)]
    if bool(names) != (key(ALL, UNVERIFIED) in state.blocks):
        keep(state, now, commands, bool(names), ALL, UNVERIFIED, words_of(names))


def words_of(names: list[str]) -> str:
    """Say what is waited for."""
    return f"the stop of {', '.join(names) or 'nothing'} has not been seen working in this session"
