"""Trading by rank, day by day: what was decided trades the next open, pays its costs, meets its stops and waits."""

import numpy as np
import pytest

from joed.analysis.rotation import Costs, Matrix, Pick, Way, held_equally, traded

FREE = Costs(0.0, 0.0, 0.0)
NAN = float("nan")


def matrix(closes, opens=None, lows=None):
    """Build a matrix from columns of names; each opens at its close and falls to nothing below it, unless said."""
    closes = np.array(closes, np.float64).T
    given = [closes if part is None else np.array(part, np.float64).T for part in (opens, lows)]
    return Matrix(given[0], given[1], closes)


def test_what_a_close_decides_is_bought_at_the_next_open():
    """Chosen at the first close of 10, bought at the second open of 20: the leap between is not ours."""
    run = traded(matrix([[10, 22, 30]], [[10, 20, 30]]), {0: [Pick(0, 1.0)]}, Way(1, 1, 50.0), FREE, 1000.0)

    assert run.equity.tolist() == [1000.0, 50 * 22.0, 50 * 30.0]


def test_each_side_pays_slippage_and_a_fee():
    """Ten units bought at 101, sold at 99, with a unit of fee each time."""
    costs = Costs(0.01, 0.01, 1.0)
    run = traded(matrix([[100.0] * 4]), {0: [Pick(0, 1.0)], 1: []}, Way(1, 1, 50.0), costs, 1011.0)

    assert run.equity[-1] == pytest.approx(1011.0 - 10 * 2.0 - 2 * 1.0)
    assert run.costs == pytest.approx(10 * 2.0 + 2 * 1.0)
    assert (run.trades, run.wins, run.bought) == (1, 0, 1000.0)


@pytest.mark.parametrize(("opened", "low", "paid"), [(95.0, 89.0, 90.0), (85.0, 80.0, 85.0), (95.0, 90.1, None)])
def test_a_stop_is_met_at_its_level_and_a_gap_below_it_at_the_open(opened, low, paid):
    """Bought at 100 with a range of five and a stop of two: 90; a low that stays above it meets nothing."""
    days = matrix([[100, 100, 96]], [[100, 100, opened]], [[100, 100, low]])
    run = traded(days, {0: [Pick(0, 5.0)]}, Way(1, 9, 2.0), FREE, 1000.0)

    assert run.equity[-1] == pytest.approx(10 * (96.0 if paid is None else paid))
    assert run.stopped == (paid is not None)


def test_a_name_that_does_not_trade_waits_at_its_last_price():
    """A halt of two days: it is sold at the first open after it, and two days waited."""
    days = matrix([[100, 100, NAN, NAN, 80, 80], [10] * 6])
    run = traded(days, {0: [Pick(0, 1.0)], 1: []}, Way(1, 1, 50.0), FREE, 1000.0)

    assert run.equity.tolist() == [1000.0, 1000.0, 1000.0, 1000.0, 800.0, 800.0]
    assert run.halted == 2


def test_names_are_ranked_anew_only_when_they_are_due_but_a_defensive_market_sells_at_once():
    """Every third day: the better one of the second day waits; an empty choice does not."""
    days = matrix([[10.0] * 6, [10.0, 10.0, 10.0, 20.0, 20.0, 20.0]])
    better = {0: [Pick(0, 1.0)], 1: [Pick(1, 1.0)]}

    assert traded(days, better, Way(1, 3, 50.0), FREE, 1000.0).trades == 0
    assert traded(days, better, Way(1, 1, 50.0), FREE, 1000.0).equity[-1] == 2000.0
    assert traded(days, {0: [Pick(0, 1.0)], 1: []}, Way(1, 3, 50.0), FREE, 1000.0).trades == 1


def test_cash_is_shared_evenly_and_never_overspent():
    """Two names of three are bought, each for half, in whole units."""
    days = matrix([[30.0] * 3, [70.0] * 3, [1.0] * 3])
    run = traded(days, {0: [Pick(0, 1.0), Pick(1, 1.0), Pick(2, 1.0)]}, Way(2, 1, 50.0), FREE, 1000.0)

    assert run.bought == 16 * 30.0 + 7 * 70.0
    assert run.equity[-1] == 1000.0


def test_buy_and_hold_of_all_is_the_mean_of_those_that_traded_both_days():
    """A name without a close on one of them says nothing of the day."""
    days = matrix([[100, 110, 121], [100, NAN, 50]])

    assert held_equally(days, 1).tolist() == pytest.approx([0.1, 0.1])
