"""The seconds of an embedded day."""

import numpy as np
import pytest

from joed.market.grid import AFTER_HOURS_S, PRE_MARKET_S, grid_of
from joed.model.values import SECOND

OPEN = 1_707_748_200 * SECOND
GRID = grid_of(OPEN, OPEN + 23_400 * SECOND)


def test_the_session_lies_between_its_open_and_its_close():
    """The first second of the session starts at the open, the one past its last at the close."""
    assert GRID.ns_of(GRID.opens) == OPEN
    assert GRID.ns_of(GRID.closes) == OPEN + 23_400 * SECOND
    assert GRID.seconds == PRE_MARKET_S + 23_400 + AFTER_HOURS_S == len(GRID.activity)


def test_a_time_falls_in_the_second_that_has_begun():
    """The last nanosecond before the open still belongs to the pre-market."""
    assert GRID.second_at(np.array([OPEN - 1, OPEN])).tolist() == [GRID.opens - 1, GRID.opens]


def test_the_open_and_the_close_are_busier_than_noon():
    """Volatility and activity are U-shaped over the session, spreads are widest at the open and outside it."""
    first, noon, last = GRID.opens, (GRID.opens + GRID.closes) // 2, GRID.closes - 1

    for shape in (GRID.volatility, GRID.activity):
        assert shape[first] > 1.5 * shape[noon] < shape[last]
    assert GRID.width[first] > 3 * GRID.width[noon]
    assert GRID.width[first - 1] > GRID.width[first] < GRID.width[last + 1]


@pytest.mark.parametrize("hours", [3.5, 6.5])
def test_a_half_day_adds_up_to_a_day(hours):
    """Whatever its length, a session's variance and its activity are one day's."""
    grid = grid_of(OPEN, OPEN + int(hours * 3600) * SECOND)
    inside = slice(grid.opens, grid.closes)

    assert np.mean(grid.volatility[inside] ** 2) == pytest.approx(1)
    assert np.mean(grid.activity[inside]) == pytest.approx(1)
