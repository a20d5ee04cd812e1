"""One life of joed: what is cut off never comes, what hangs waits, what cannot be recorded opens nothing."""

import pytest
from msgspec.structs import replace

from joed.daemon.clock import SimulatedClock
from joed.model.blocks import key
from joed.model.values import SECOND
from joed.sim.build import plain_rules
from joed.sim.life import LifeClock
from joed.sim.scenario import Fault
from joed.sim.stage import Stage
from joed.sim.world import DATE_NS, hours, plan, scenario_of


class Body:
    """As much of a life as its clock needs."""

    alive = True
    hangs_until_ns = 0


@pytest.fixture
def life():
    """Give a life, its clock, and the world's."""
    body, world = Body(), SimulatedClock(0)
    return body, LifeClock(body, world), world


def test_a_dead_life_is_never_called_back(life):
    """What it had asked for was in its memory."""
    body, clock, world = life
    called = []
    clock.call_at(SECOND, lambda: called.append(1))
    body.alive = False

    while world.advance():
        pass

    assert called == []


def test_a_hanging_life_is_called_when_it_goes_on(life):
    """Late, once, and in the same order."""
    body, clock, world = life
    called = []
    clock.call_at(SECOND, lambda: called.append(("a", clock.now())))
    clock.call_at(2 * SECOND, lambda: called.append(("b", clock.now())))
    body.hangs_until_ns = 5 * SECOND

    while world.advance():
        pass

    assert called == [("a", 5 * SECOND), ("b", 5 * SECOND)]


@pytest.fixture
def stage(tmp_path):
    """Give a stage of seed 3 on which the disk is full from the second minute to its end."""
    scenario = replace(scenario_of(3), safe_s=260.0, faults=(Fault(121.0, "full_disk", {"seconds": 600.0}),))
    stage = Stage(scenario, tmp_path, hours(), DATE_NS)
    yield stage
    stage.abandon()
    plain_rules()


def test_a_full_disk_shuts_entries_until_it_takes_records_again(stage):
    """Nothing that opens is handed over meanwhile; what was added is committed when there is room."""
    seen = {}

    def look():
        seen["entries"] = sum(1 for order in stage.exchange.orders.values() if order.opens)
        seen["announced"], seen["blocked"] = stage.life.announced, key("all", "journal_failed") in stage.state().blocks

    stage.after(122.0, look)
    stage.after(259.0, lambda: seen.update(later=stage.life.announced, last=stage.life.state.seq))
    stage.run(lambda: plan(stage))

    assert seen["blocked"]
    assert seen["later"] == seen["announced"] < seen["last"]
    assert stage.life.announced > seen["last"]
    assert stage.watch.checks["durable before sent"] > 0
