"""The seeded world holds with the real Interactive Brokers adapter in it, ib_insync on the world's own loop.

Every law is the same: the exchange behind TWS is the witness. More seeds: `python -m tests.sim.tws_stage 1 2 3`.
"""

import pytest
from msgspec.structs import replace

from joed.sim.world import play, scenario_of
from tests.sim.tws_stage import TwsStage

SHORT_S = 240.0


@pytest.mark.parametrize("seed", [3, 5, 8])
def test_every_law_holds_through_a_short_day_of_faults(seed):
    """Entries, exits, power cuts, lost words, oddities of the exchange; then a calm in which all comes right."""
    whole = scenario_of(seed)
    faults = tuple(fault for fault in whole.faults if fault.at_s < SHORT_S)

    outcome = play(replace(whole, safe_s=SHORT_S, faults=faults), TwsStage)

    assert (outcome.law, outcome.words) == ("", "")
    assert outcome.counts["entries"] > 0
    assert outcome.faults > 0


def test_the_same_seed_is_the_same_world():
    """Two runs, one trace: adapter, library, network and TWS have no chance of their own."""
    scenario = replace(scenario_of(6), safe_s=SHORT_S, faults=())

    assert play(scenario, TwsStage).trace == play(scenario, TwsStage).trace != ""


def test_a_stop_that_is_lost_on_the_way_breaks_a_law(monkeypatch):
    """The world would see it: an adapter that leaves the stop out is caught."""
    from joed.brokers.ibkr import broker

    whole = broker.tickets_of

    def without_stop(command, account, *, extended):
        legs = [leg for leg in whole(command, account, extended=extended) if not leg.order.endswith(command.stop_order)]
        legs[-1].fields["transmit"] = True
        return legs

    monkeypatch.setattr(broker, "tickets_of", without_stop)

    assert play(replace(scenario_of(6), safe_s=SHORT_S, faults=()), TwsStage).law != ""
