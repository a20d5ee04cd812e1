"""The seeded world: no law is broken, nothing is idle, and a seed is the same world wherever it is played."""

import os
import subprocess
import sys
from functools import cache

import msgspec
import pytest

from joed.daemon.carry_out import CarryOut
from joed.sim import world
from joed.sim.scenario import Fault
from joed.sim.world import NEEDED, play, run_seeds, scenario_of, shrunk

SEEDS = range(1, 25)
PROGRAM = """
import sys
from joed.sim.world import play, scenario_of
print([play(scenario_of(int(seed))).trace for seed in sys.argv[1:]])
"""


REGRESSIONS = {
    "an entry's fill is lost, its stop's is not": (
        141,
        (
            Fault(80.4, "stop", {"seconds": 20.1}),
            Fault(480.0, "jump", {"instrument": "CCC", "by": 0.038}),
            Fault(560.0, "lost_reports", {"at": "recorded", "count": 6}),
        ),
    ),
    "a quote that is no number, after an event was faulted": (
        1,
        (
            Fault(220.0, "poison", {"instrument": "BBB"}),
            Fault(500.0, "bad_print", {"instrument": "CCC", "wrong": "nan ask"}),
        ),
    ),
    "somebody kills anew while a release is on its way to the disk": (
        26,
        (Fault(120.0, "kill", {"at": "handed", "scope": "orders", "told": 0, "seconds": 50.0, "again": 1}),),
    ),
    "the link flaps while the loop hangs": (
        284,
        (
            Fault(470.0, "stall", {"at": "recorded", "seconds": 6.0}),
            Fault(509.7, "flap", {"count": 3, "seconds": 0.9}),
        ),
    ),
}
"""What once broke a law: the seed, and the few faults that were enough."""


@cache
def outcome(seed):
    """Play a seed once for all tests."""
    return play(scenario_of(seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_law_is_broken(seed):
    """Whatever goes wrong."""
    found = outcome(seed)

    assert (found.law, found.words) == ("", "")


@pytest.mark.parametrize("what", REGRESSIONS)
def test_what_once_broke_a_law_breaks_none_any_more(what):
    """Each by its shortest scenario."""
    seed, faults = REGRESSIONS[what]

    found = play(msgspec.structs.replace(scenario_of(seed), faults=faults))

    assert (found.law, found.words) == ("", "")


def test_the_world_is_not_idle():
    """Over these seeds all that must happen has happened: every exit, cuts, restarts, kills, nearly every fault."""
    counts = {name for seed in SEEDS for name, count in outcome(seed).counts.items() if count}

    assert [name for name in NEEDED if name not in counts] == []


def test_a_seed_is_the_same_world_again():
    """To the last byte of the record and of the exchange's log."""
    assert play(scenario_of(2)).trace == outcome(2).trace
    assert len({outcome(seed).trace for seed in SEEDS if outcome(seed).trace}) > 1


def test_the_order_of_a_set_decides_nothing():
    """Two processes with other hash seeds play the same worlds."""
    traces = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM, "4", "8"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }

    assert traces == {f"{[outcome(4).trace, outcome(8).trace]}\n"}


def test_a_broken_law_comes_with_its_shortest_scenario(monkeypatch):
    """A latch that nobody asks for is found, and of four faults one kill is enough to show it."""
    permit = CarryOut.permit
    faults = (
        Fault(80.0, "silence", {"instrument": "AAA", "seconds": 9.0}),
        Fault(100.0, "kill", {"at": "recorded", "scope": "entries", "told": 0, "seconds": 20.0, "again": 0}),
        Fault(130.0, "lag", {"seconds": 5.0, "lag_s": 0.3}),
        Fault(150.0, "stop", {"seconds": 3.0}),
    )
    monkeypatch.setattr(CarryOut, "permit", lambda self, command: permit(self, command).replace("killed", ""))
    scenario = msgspec.structs.replace(scenario_of(2), safe_s=200.0, faults=faults)

    assert play(scenario).law == "killed means shut"
    assert [fault.kind for fault in shrunk(scenario, "killed means shut")] == ["kill"]


def test_the_sum_is_one_line_or_one_json(capsys, monkeypatch):
    """0 where all is well, and the same figures either way."""
    monkeypatch.setattr(world, "play_all", lambda seeds, play: [outcome(seed) for seed in seeds])

    assert run_seeds("2-4", as_json=False) == 0
    line = capsys.readouterr().out
    assert run_seeds("2-4", as_json=True) == 0
    found = msgspec.json.decode(capsys.readouterr().out)

    assert line.count("\n") == 1
    assert line.startswith("3 seeds")
    assert f"{found['events']} events" in line
    assert found["broken"] == found["missing"] == []


def test_an_idle_world_and_a_broken_law_are_failures(capsys, monkeypatch):
    """1 where a law was broken, or where so many seeds did not show what they must; 64 where there are no seeds."""
    broken = world.Outcome(1, "always protected", "AAA")
    monkeypatch.setattr(world, "play_all", lambda seeds, play: [broken])
    assert run_seeds("1", as_json=False) == 1
    assert "always protected" in capsys.readouterr().out

    monkeypatch.setattr(world, "play_all", lambda seeds, play: [world.Outcome(seed) for seed in seeds])
    assert run_seeds("60", as_json=False) == 1
    assert "never happened: " in capsys.readouterr().out
    assert run_seeds("none", as_json=False) == 64
