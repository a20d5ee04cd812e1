"""What brokers do wrong is survived: each kind alone, in a world that is otherwise quiet."""

from random import Random

import pytest
from msgspec.structs import replace

from joed.sim.broker_faults import BROKER_FAULTS
from joed.sim.scenario import Fault, traits_of
from joed.sim.world import play, scenario_of


@pytest.mark.parametrize("kind", BROKER_FAULTS)
def test_each_kind_alone_breaks_no_law(kind):
    """F37, F45, F48, F55, F58 to F72, F74 to F76, F78, F79, F81, F82, F87, S31: three strikes, and the books agree."""
    chance, scenario = Random(kind), scenario_of(2)
    args = [BROKER_FAULTS[kind].draw(chance, traits_of(2)) for _ in range(3)]
    faults = tuple(Fault(100.0 + 50.0 * index, kind, one) for index, one in enumerate(args))

    found = play(replace(scenario, safe_s=300.0, faults=faults))

    assert (found.law, found.words) == ("", "")
    assert found.counts[f"fault {kind}"] == 3
