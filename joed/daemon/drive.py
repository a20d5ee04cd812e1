"""Simulated time at work: the clock jumps, the loop decides, and nothing leaves before its record is durable.

The backtest, the seeded world and a demo at full speed all run their day through `drive`.
"""

from collections.abc import Callable
from typing import Protocol

from joed.daemon.clock import SimulatedClock
from joed.daemon.trading import Trading


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


def settle(trading: Trading, journal: Journal) -> None:
    """Handle all that waits, and carry out what follows from it, until nothing waits at this moment."""
    while trading.intake or trading.carry_out:
        trading.loop.drain()
        if trading.carry_out:
            trading.loop.release(journal.commit())
