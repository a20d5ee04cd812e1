"""What goes wrong at home is survived: each kind alone, in a world that is otherwise quiet."""

from random import Random

import pytest
from msgspec.structs import replace

from joed.sim.house_faults import HOUSE_FAULTS
from joed.sim.scenario import Fault, traits_of
from joed.sim.world import play, scenario_of


@pytest.mark.parametrize("kind", HOUSE_FAULTS)
def test_each_kind_alone_breaks_no_law(kind):
    """F8, F23, F33, F34, F88 to F93, F95, F96: three strikes, and the books agree."""
    chance, scenario = Random(kind), scenario_of(2)
    args = [HOUSE_FAULTS[kind].draw(chance, traits_of(2)) for _ in range(3)]
    faults = tuple(Fault(100.0 + 60.0 * index, kind, one) for index, one in enumerate(args))

    found = play(replace(scenario, safe_s=330.0, faults=faults))

    assert (found.law, found.words) == ("", "")
    assert found.counts[f"fault {kind}"] >= 1


def test_two_hours_of_sleep_are_survived():
    """F34: the link is void, time has passed, the books are read before anything is opened."""
    slept = Fault(120.0, "suspend", {"seconds": 7200.0})

    found = play(replace(scenario_of(2), safe_s=7500.0, faults=(slept,)))

    assert (found.law, found.words) == ("", "")
    assert found.counts["entries in calm"] > 0
