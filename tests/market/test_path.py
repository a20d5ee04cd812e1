"""Prices by the second."""

from zlib import crc32

import numpy as np
import pytest
from numpy.random import PCG64, Generator

from joed.market.grid import grid_of
from joed.market.listings import INDEX, LISTINGS, VIX
from joed.market.path import VIX_CEILING, VIX_FLOOR, gap_of, moves, paths_of, reverting, strain_of
from joed.market.plan import CHARACTERS, Plan, Push
from joed.model.values import SECOND

OPEN = 1_707_748_200 * SECOND
GRID = grid_of(OPEN, OPEN + 23_400 * SECOND)
CALM = Plan(CHARACTERS[0], (), None, None, None)
CLOSES = {INDEX: 500.0, VIX: 16.0, **{listing.symbol: listing.price for listing in LISTINGS}}
SESSION = slice(GRID.opens, GRID.closes)


def streams(purpose):
    """Give a stream for each purpose."""
    return Generator(PCG64(crc32(purpose.encode())))


def returns(path):
    """Give the log moves of the session's minutes."""
    return np.diff(np.log(path.price[SESSION][::60]))


def test_names_move_with_the_index_and_most_with_the_highest_beta():
    """Each name's minutes go with the index's, and NVDA's slope on it is steeper than KO's."""
    paths = paths_of(streams, GRID, CALM, LISTINGS, CLOSES)
    index = returns(paths[INDEX])
    slopes = {row.symbol: np.polyfit(index, returns(paths[row.symbol]), 1)[0] for row in LISTINGS}

    assert all(np.corrcoef(index, returns(paths[row.symbol]))[0, 1] > 0.1 for row in LISTINGS)
    assert slopes["NVDA"] > slopes["KO"] + 0.5


def test_names_of_one_sector_have_more_in_common_than_the_index():
    """What is left of XOM and CVX without the index still goes together; of XOM and JPM it does not."""
    paths = paths_of(streams, GRID, CALM, LISTINGS, CLOSES)
    index = returns(paths[INDEX])
    left = {row.symbol: returns(paths[row.symbol]) - row.beta * index for row in LISTINGS}

    assert np.corrcoef(left["XOM"], left["CVX"])[0, 1] > 0.08
    assert np.corrcoef(left["XOM"], left["CVX"])[0, 1] > np.corrcoef(left["XOM"], left["JPM"])[0, 1] + 0.05


def test_vix_rises_as_the_index_falls():
    """The minutes of the two are strongly and negatively related, and VIX stays where VIX has been."""
    paths = paths_of(streams, GRID, CALM, LISTINGS, CLOSES)

    assert np.corrcoef(returns(paths[INDEX]), returns(paths[VIX]))[0, 1] < -0.6
    assert paths[VIX].price.min() >= VIX_FLOOR
    assert paths[VIX].price.max() <= VIX_CEILING


def test_a_name_left_out_leaves_the_others_as_they_were():
    """Each name has its own stream of chance."""
    whole = paths_of(streams, GRID, CALM, LISTINGS, CLOSES)
    part = paths_of(streams, GRID, CALM, LISTINGS[3:5], CLOSES)

    assert np.array_equal(whole["AMD"].price, part["AMD"].price)


def test_a_push_moves_its_name_by_its_size_and_no_other():
    """The difference that a push makes over its seconds is its size, in log."""
    pushed = CALM._replace(pushes=(Push("AAPL", GRID.opens, GRID.opens + 600, 0.02),))
    plain, moved = (moves(streams("AAPL"), GRID, 0.01, plan, "AAPL") for plan in (CALM, pushed))

    assert np.sum(moved - plain) == pytest.approx(0.02)
    assert np.array_equal(moves(streams("KO"), GRID, 0.01, CALM, "KO"), moves(streams("KO"), GRID, 0.01, pushed, "KO"))


def test_noise_adds_up_to_the_daily_sigma():
    """Over many days the session's moves have the variance that was asked for."""
    days = [moves(Generator(PCG64(seed)), GRID, 0.02, CALM, "")[SESSION].sum() for seed in range(200)]

    assert np.std(days) == pytest.approx(0.02, rel=0.15)


def test_a_reverting_move_comes_back_by_half_in_its_half_life():
    """One step of 1 %, ten seconds' half-life: half is left after ten seconds, a quarter after twenty."""
    steps = np.zeros(30)
    steps[0] = 0.01
    level = np.cumsum(reverting(steps, 10.0))

    assert level[[0, 10, 20]] == pytest.approx([0.01, 0.005, 0.0025])
    assert reverting(steps, 0.0) is steps


def test_strain_is_one_on_usual_noise_and_high_after_a_jump():
    """A jump of a daily sigma strains its name for a minute, not longer."""
    steps = moves(streams("KO"), GRID, 0.01, CALM, "")
    usual = strain_of(steps, GRID, 0.01)
    at = GRID.opens + 10_000
    steps[at] += 0.01
    jumped = strain_of(steps, GRID, 0.01)

    assert np.mean(usual[SESSION]) == pytest.approx(1, abs=0.05)
    assert jumped[at : at + 60].min() > 3
    assert jumped[at - 1] == pytest.approx(usual[at - 1])
    assert jumped[at + 60] == pytest.approx(usual[at + 60], rel=1e-6)


def test_most_gaps_are_small_and_a_few_are_earnings():
    """About one in twenty opens is 2.5 % or more away by itself."""
    gaps = np.abs([gap_of(Generator(PCG64(seed)), LISTINGS[0]) for seed in range(1000)])

    assert 20 <= np.sum(gaps >= 0.025) <= 90
    assert np.median(gaps) < 0.006
