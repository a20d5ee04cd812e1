"""A slow disk keeps what was committed, forgets the rest, and draws its slowness from the seed."""

from joed.daemon.clock import SimulatedClock
from joed.daemon.store import Store
from joed.model.events import Tick
from joed.model.values import SECOND, Scope
from joed.sim.disk import Disk, PointedLatches, SlowJournal
from joed.sim.scenario import traits_of


def test_what_no_commit_took_is_in_the_tail_and_not_in_the_file(tmp_path):
    """A power cut leaves what was committed."""
    points = []
    journal = SlowJournal(Store.open(tmp_path / "joed.db"), points.append)
    journal.append(1, 10, "", Tick(), [])
    journal.commit()
    journal.tape(2, 20, Tick())
    journal.store.close()

    assert points == ["committing", "committed"]
    assert [entry[0] for entry in journal.tail] == [2]
    assert Store.open(tmp_path / "joed.db").last() == 1


def test_commits_take_as_long_as_the_seed_says():
    """The same in every run, longer while the disk is slow."""
    clock, traits = SimulatedClock(0), traits_of(1)
    disk, same = Disk(clock, 1, traits), Disk(clock, 1, traits)
    drawn = [disk.commit_ns() for _ in range(50)]

    assert drawn == [same.commit_ns() for _ in range(50)]
    assert {early for _, early in drawn} == {True, False}

    disk.slow_until_ns, disk.slow_s = SECOND, 12.0
    assert max(taken for taken, _ in (disk.commit_ns() for _ in range(50))) > 5 * SECOND


def test_each_change_of_the_kill_file_lies_between_two_points(tmp_path):
    """A cut may come before it and after it."""
    points, root = [], tmp_path / "latch"
    root.mkdir()
    latches = PointedLatches(root, points.append)

    latches.write(Scope.ORDERS)
    assert latches.present()
    latches.clear()

    assert not latches.present()
    assert points == ["latching", "latched", "unlatching", "unlatched"]
