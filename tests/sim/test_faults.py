"""Every kind of fault is drawn by its seed alone, and strikes within a few dozen seeds."""

from math import isfinite

import pytest

from joed.engine.markets import sound
from joed.model.events import Quote
from joed.sim.faults import FAULTS, POINTS, WARM_UP_S, WRONG, draw_faults
from joed.sim.scenario import traits_of

SAFE_S = 800.0


def drawn(seed):
    """Give a seed's faults."""
    return draw_faults(seed, SAFE_S, traits_of(seed))


def test_a_seed_always_draws_the_same_faults_within_its_time():
    """Sorted by time, none before the market is open, none after the safe time."""
    for seed in range(1, 30):
        faults = drawn(seed)
        times = [fault.at_s for fault in faults]
        assert faults == drawn(seed)
        assert times == sorted(times)
        assert all(WARM_UP_S <= at_s < SAFE_S for at_s in times)


def test_every_kind_and_every_point_is_drawn_within_fifty_seeds():
    """What is never drawn is never tried."""
    faults = [fault for seed in range(1, 51) for fault in drawn(seed)]

    assert {fault.kind for fault in faults} == set(FAULTS)
    assert {fault.args["at"] for fault in faults if "at" in fault.args} == set(POINTS)


def test_a_seed_has_some_kinds_and_not_others():
    """Swarms: where everything goes wrong at once, some things never get to."""
    for seed in range(1, 30):
        assert 0 < len({fault.kind for fault in drawn(seed)}) < len(FAULTS)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_bad_print_is_no_price_or_one_that_nobody_may_believe_at_once(wrong):
    """Impossible numbers, or a tenth or tenfold of the price."""
    good = Quote("AAA", 100.0, 100.02, 100.01, 5.0)
    bad = WRONG[wrong](good)

    last = bad.last is None or isfinite(bad.last)
    assert not sound(bad) or not last or not 0.8 < bad.bid / good.bid < 1.25
