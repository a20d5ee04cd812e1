"""Quotes drawn from a path."""

import numpy as np
import pytest
from numpy.random import PCG64, Generator

from joed.market.grid import grid_of
from joed.market.listings import LISTINGS, VIX_LISTING
from joed.market.path import Path
from joed.market.plan import Halt
from joed.market.ticks import Ticks, arrivals, bad_print_index, merged, stock_ticks, vix_ticks
from joed.model.values import SECOND

OPEN = 1_707_748_200 * SECOND
CLOSE = OPEN + 23_400 * SECOND
GRID = grid_of(OPEN, CLOSE)
AAPL = LISTINGS[0]
STILL = Path(np.full(GRID.seconds, 190.0), np.ones(GRID.seconds))


def drawn(path=STILL, halt=None):
    """Draw a day of AAPL."""
    return stock_ticks(Generator(PCG64(5)), GRID, AAPL, path, halt)


def test_a_full_session_has_about_the_quotes_that_the_name_is_known_for():
    """What comes before the open and after the close is on top, and little."""
    ticks = drawn()
    inside = np.sum((ticks.at_ns >= OPEN) & (ticks.at_ns < CLOSE))

    assert inside == pytest.approx(AAPL.quotes, rel=0.03)
    assert len(ticks.at_ns) < inside * 1.05


def test_bid_is_below_ask_and_the_price_is_near_both():
    """No quote is crossed or locked, and on a still name bid and ask stay around its price."""
    ticks = drawn()
    inside = (ticks.at_ns >= OPEN + 1800 * SECOND) & (ticks.at_ns < CLOSE)

    assert np.all(ticks.bid < ticks.ask)
    assert np.all(ticks.bid > 0)
    assert np.abs((ticks.bid + ticks.ask)[inside] / 2 - 19_000).max() <= 3


def test_spreads_widen_with_strain_at_the_open_and_outside_the_session():
    """The mean spread doubles and more, each time."""
    ticks, strained = drawn(), drawn(STILL._replace(strain=np.full(GRID.seconds, 4.0)))

    def mean(which, begin, end):
        some = (which.at_ns >= begin) & (which.at_ns < end)
        return np.mean((which.ask - which.bid)[some])

    calm = mean(ticks, OPEN + 7200 * SECOND, OPEN + 14_400 * SECOND)
    assert mean(strained, OPEN + 7200 * SECOND, OPEN + 14_400 * SECOND) > 2 * calm
    assert mean(ticks, OPEN, OPEN + 120 * SECOND) > 2 * calm
    assert mean(ticks, CLOSE, CLOSE + 900 * SECOND) > 2 * calm
    assert mean(ticks, OPEN - 4200 * SECOND, OPEN) > 2 * calm


def test_volume_only_grows_to_about_the_names_day():
    """The running total never falls; a day of usual strain trades what the name is known for."""
    ticks = drawn()

    assert np.all(np.diff(ticks.volume) >= 0)
    assert ticks.volume[-1] == pytest.approx(AAPL.volume, rel=0.35)


def test_last_is_a_bid_or_an_ask_that_was_there():
    """A trade happens at a quoted price, and stays the last until the next."""
    ticks = drawn()

    assert ticks.last[0] in {ticks.bid[0], ticks.ask[0]}
    assert np.all((ticks.last >= ticks.bid.min()) & (ticks.last <= ticks.ask.max()))
    assert np.mean(np.diff(ticks.last) == 0) > 0.5


def test_a_halted_name_quotes_and_trades_nothing():
    """Not one quote from the halt's first moment to its end, and the volume stands still."""
    halt = Halt("AAPL", GRID.opens + 5000, GRID.opens + 5300)
    ticks = drawn(halt=halt)
    begin, end = GRID.ns_of(halt.begin), GRID.ns_of(halt.end)

    assert not np.any((ticks.at_ns >= begin) & (ticks.at_ns < end))
    edge = int(np.searchsorted(ticks.at_ns, begin))
    free = drawn()
    usual = np.interp([begin, end], free.at_ns, free.volume)
    assert ticks.volume[edge] - ticks.volume[edge - 1] < (usual[1] - usual[0]) / 10


def test_vix_comes_a_cent_either_side_of_its_level_without_volume():
    """VIX is a level: nobody trades it."""
    ticks = vix_ticks(Generator(PCG64(5)), GRID, VIX_LISTING, Path(np.full(GRID.seconds, 16.0), STILL.strain), None)

    assert set(ticks.bid.tolist()) == {1599}
    assert set(ticks.ask.tolist()) == {1601}
    assert set(ticks.volume.tolist()) == {-1}
    assert np.diff(ticks.at_ns).max() < 90 * SECOND


def test_a_bad_print_is_one_print():
    """The one after it is right again."""
    path = Path(np.full(GRID.seconds, 16.0), STILL.strain)
    ticks = vix_ticks(Generator(PCG64(5)), GRID, VIX_LISTING, path, GRID.opens + 100)
    wrong = np.flatnonzero(ticks.last != 1600)

    assert wrong.tolist() == [bad_print_index(ticks.at_ns, GRID, GRID.opens + 100)]
    assert ticks.last[wrong[0]] >= 1600 * 1.6
    assert ticks.bid[wrong[0]] < ticks.ask[wrong[0]]


def test_quotes_arrive_in_order_and_thicker_where_the_rate_is_higher():
    """Twice the rate, twice the quotes."""
    rate = np.ones(GRID.seconds)
    rate[: GRID.opens + 11_700] = 2.0
    at_ns = arrivals(Generator(PCG64(1)), GRID, rate, 30_000)
    half = OPEN + 11_700 * SECOND
    early, late = np.sum((at_ns >= OPEN) & (at_ns < half)), np.sum((at_ns >= half) & (at_ns < CLOSE))

    assert np.all(np.diff(at_ns) >= 0)
    assert early / late == pytest.approx(2, rel=0.05)


def test_at_one_time_the_first_listed_goes_first():
    """Merging sorts by time and changes nothing else."""
    first, second = (
        Ticks(*(np.array(column) for column in [at] + [[name] * 2] * 6)) for name, at in ((1, [5, 9]), (2, [5, 7]))
    )

    whose, ticks = merged([first, second])

    assert ticks.at_ns.tolist() == [5, 5, 7, 9]
    assert whose.tolist() == [0, 1, 1, 0]
    assert ticks.bid.tolist() == [1, 2, 2, 1]
