"""The stage: lives follow one another, cuts lose what no commit took, the exchange goes on."""

import pytest
from msgspec.structs import replace

from joed.engine.step import RULES
from joed.model.events import Tick
from joed.sim.build import plain_rules, set_rules
from joed.sim.scenario import Fault
from joed.sim.stage import Stage
from joed.sim.world import DATE_NS, hours, plan, scenario_of


@pytest.fixture
def play(tmp_path):
    """Play a short world of seed 2 with these faults, and give its stage; nothing of it stays."""
    stages = []

    def play(*faults, rest=True):
        scenario = replace(scenario_of(2), safe_s=260.0, faults=faults)
        stage = Stage(scenario, tmp_path, hours(), DATE_NS)
        stages.append(stage)
        stage.run(lambda: plan(stage))
        return stage

    yield play
    for stage in stages:
        stage.abandon()
    plain_rules()


def test_a_quiet_world_trades_and_its_books_agree(play):
    """One life, entries and exits, every law asked at rest."""
    stage = play()

    assert stage.counts["lives"] == 1
    assert len(stage.exchange.executions) > 5
    assert stage.watch.checks["positions agree"] == 1


def test_a_cut_ends_a_life_and_another_begins(play):
    """The new one has a higher epoch and what was durable; nothing of the old one happens any more."""
    stage = play(Fault(150.0, "cut", {"at": "handed", "down_s": 3.0, "again": "12"}))

    assert (stage.counts["power cuts"], stage.counts["cuts during recovery"]) == (3, 2)
    assert stage.counts["lives"] == 4
    assert stage.state().epoch == 2
    assert stage.watch.checks["recovery is the truth"] >= 1
    assert stage.watch.checks["nothing durable is lost"] >= 1


def test_an_orderly_end_is_followed_by_a_start(play):
    """With another build, that decides more than the old one."""
    stage = play(Fault(120.0, "upgrade", {"by": "stop", "seconds": 2.0}))

    assert (stage.counts["orderly ends"], stage.counts["lives"]) == (1, 2)
    assert stage.state().version == "2"
    assert any(name.startswith("newer_build") for name in stage.state().alerts)


def test_a_poisonous_quote_costs_one_life_and_its_repeat_none(play):
    """It is in the record as faulted, and left out from then on."""
    stage = play(Fault(120.0, "poison", {"instrument": "AAA"}))

    assert (stage.counts["step faults"], stage.counts["lives"]) == (1, 2)
    assert len(stage.state().faulted) == 1


def test_the_record_proves_itself_at_the_end(play):
    """The chain holds, and all of it is decided again."""
    stage = play(Fault(150.0, "cut", {"at": "recorded", "down_s": 3.0, "again": ""}))

    last, head = stage.close()

    assert last > 500
    assert len(head) == 32
    assert stage.watch.checks["decided again, the same"] == 1


def test_the_engine_is_left_as_it_was():
    """The planted rules go with the world."""
    before = RULES[Tick]

    set_rules("2")
    assert len(RULES[Tick]) == len(before) + 1

    plain_rules()
    assert RULES[Tick] == before
