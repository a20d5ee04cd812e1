"""Simulated time at work: the clock jumps, the loop decides, and nothing leaves before its record is durable.

The backtest, the seeded world and a demo at full speed all run their day through `drive`.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from joed.daemon.clock import SimulatedClock, stopwatch_ns
from joed.daemon.trading import Trading
from joed.model.values import SECOND

TURN_NS = SECOND // 20
"""How long simulated time runs on before the control socket and other tasks have their turn."""


class Journal(Protocol):
    """The journal, as far as time must wait for it."""

    def commit(self) -> int:
        """Make all that was recorded durable, and give the newest durable seq."""
        ...


def drive(clock: SimulatedClock, trading: Trading, journal: Journal, ended: Callable[[], bool]) -> None:
    """Let time run until `ended` says so or nothing is planned any more."""
    settle(trading, journal)
    while not ended() and clock.advance():
        settle(trading, journal)


async def drive_in_turns(
    clock: SimulatedClock, step: Callable[[], object], ended: Callable[[], bool], turn: Callable[[], object]
) -> None:
    """Let time run as `drive` does, in a process that has more to do: `turn` is called between two turns."""
    turn_ns = stopwatch_ns() + TURN_NS
    while not ended() and clock.advance():
        step()
        if stopwatch_ns() >= turn_ns:
            turn()
            await asyncio.sleep(0)
            turn_ns = stopwatch_ns() + TURN_NS


def settle(trading: Trading, journal: Journal) -> None:
    """Handle all that waits, and carry out what follows from it, until nothing waits at this moment."""
    while trading.intake or trading.carry_out:
        trading.loop.drain()
        if trading.carry_out:
            trading.loop.release(journal.commit())
