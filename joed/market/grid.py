"""The embedded day in seconds: how lively prices and trading are at each moment, how wide spreads are."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from joed.model.values import SECOND

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PRE_MARKET_S = 4200
"""Quotes start this long before the open: five minutes before the daemon does (session.lead_s)."""
AFTER_HOURS_S = 900


class Grid(NamedTuple):
    """The seconds of a day: `opens` is the session's first, `closes` the one past its last.

    `volatility` has a mean square of 1 in the session, `activity` (trading, quoting) a mean of 1, `width` (spreads) is
    1 when all is calm.
    """

    start_ns: int
    seconds: int
    opens: int
    closes: int
    volatility: Floats
    activity: Floats
    width: Floats

    @property
    def length_s(self) -> int:
        """Give the session's length."""
        return self.closes - self.opens

    def second_at(self, at_ns: Ints) -> Ints:
        """Give the second that each time falls in."""
        return (at_ns - self.start_ns) // SECOND

    def ns_of(self, second: int) -> int:
        """Give the time at which a second starts."""
        return self.start_ns + second * SECOND


def grid_of(open_ns: int, close_ns: int) -> Grid:
    """Cut a session, with its pre-market and after-hours, in seconds, busy at the open and at the close."""
    length = (close_ns - open_ns) // SECOND
    share = (np.arange(length) + 0.5) / length
    early, late = np.exp(-14 * share), np.exp(-14 * (1 - share))
    volatility = 0.70 + 1.6 * early + 0.6 * late
    activity = 0.60 + 1.9 * early + 1.6 * late
    before, after = np.ones(PRE_MARKET_S), np.ones(AFTER_HOURS_S)
    return Grid(
        start_ns=open_ns - PRE_MARKET_S * SECOND,
        seconds=PRE_MARKET_S + length + AFTER_HOURS_S,
        opens=PRE_MARKET_S,
        closes=PRE_MARKET_S + length,
        volatility=np.concatenate([before * 0.25, volatility / np.sqrt(np.mean(volatility**2)), after * 0.2]),
        activity=np.concatenate([before * 0.04, activity / np.mean(activity), after * 0.05]),
        width=np.concatenate([before * 5, 1 + 2.5 * np.exp(-np.arange(length) / 180), after * 6]),
    )
