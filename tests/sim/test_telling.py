"""joed.sim.telling: an alert that is in the record and never left is found, and in a world of faults there is none."""

import pytest
from msgspec.structs import replace

from joed.model.commands import Acknowledge, RaiseAlert
from joed.model.events import Tick
from joed.model.values import Severity
from joed.sim.scenario import Fault
from joed.sim.telling import untold
from joed.sim.world import play, scenario_of

RECORD = [
    (1, 10, Tick(), [RaiseAlert("a", Severity.CRITICAL, "x"), RaiseAlert("i", Severity.INFO, "x")]),
    (2, 20, Tick(), [RaiseAlert("b", Severity.WARNING, "x")]),
    (3, 30, Tick(), [RaiseAlert("a", Severity.CRITICAL, "x", 1)]),
]


def test_an_alert_that_never_left_is_named_with_its_time():
    """Information is nobody's; a repeat is no other alert."""
    assert untold(RECORD, {"a": 11, "b": 21}, 99) == ""
    assert untold(RECORD, {"b": 21}, 99) == "1 alerts never left: a of 10"


def test_what_was_acknowledged_or_came_too_late_is_not_asked_for():
    """Both sides of the time."""
    assert untold([*RECORD, (4, 40, Tick(), [Acknowledge("a", 0)])], {"b": 21}, 99) == ""
    assert untold(RECORD, {"a": 11}, 20) == ""
    assert untold(RECORD, {"a": 11}, 21) == "1 alerts never left: b of 20"


@pytest.mark.parametrize("seed", [2, 4, 20])
def test_every_alert_leaves_whatever_was_down_cut_or_killed_meanwhile(seed):
    """A world with all its faults, no route for alerts three times, and a dozen power cuts: none is lost (I35, F96).

    The record is decided again to the same messages, as in every world.
    """
    scenario = scenario_of(seed)
    down = tuple(Fault(at_s, "alerts_down", {"seconds": 80.0}) for at_s in (130.0, 260.0, 390.0))
    cuts = tuple(Fault(at_s, "cut", {"down_s": 2.0, "again": ""}) for at_s in range(111, 500, 33))
    faults = tuple(sorted((*scenario.faults, *down, *cuts), key=lambda fault: fault.at_s))

    found = play(replace(scenario, faults=faults, tells=True))

    assert (found.law, found.words) == ("", "")
    assert found.counts["messages"] > 10
    assert found.counts["messages failed"] > 3
    assert found.counts["lives"] > 12
