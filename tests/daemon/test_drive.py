"""Simulated time at work."""

from joed.daemon.drive import drive, drive_in_turns, settle
from joed.model.commands import Answer
from joed.model.events import OperatorAsked, Tick
from joed.model.values import SECOND
from tests.daemon.shell import NOON, Rig


def asked(request):
    """Give a person's request."""
    return OperatorAsked("pause", request, 0, 0, 1)


def test_time_waits_for_the_commit_of_what_must_leave(tmp_path):
    """When a moment is settled, its answers have been given and are durable."""
    rig = Rig(tmp_path).begin()
    rig.trading.emit(asked("r1"))

    settle(rig.trading, rig.journal)

    assert rig.shell.answers == [Answer("r1", "pause", "ok", "entries are paused")]
    assert rig.journal.durable >= rig.loop.released > 0
    rig.close()


def test_time_runs_until_it_is_told_to_end(tmp_path):
    """The last callback is the one after which `ended` says so."""
    rig = Rig(tmp_path).begin()

    drive(rig.clock, rig.trading, rig.journal, lambda: rig.clock.now() >= NOON + 3 * SECOND)

    assert rig.clock.now() == NOON + 3 * SECOND
    assert sum(isinstance(event, Tick) for event, _ in rig.records()) == 4
    rig.close()


def test_time_ends_where_nothing_is_planned_any_more(tmp_path):
    """An empty clock is an end too."""
    rig = Rig(tmp_path).begin()
    rig.trading.seal("over")

    drive(rig.clock, rig.trading, rig.journal, lambda: False)

    assert rig.clock.next_ns() is None
    rig.close()


async def test_a_process_has_its_turn_while_time_runs(tmp_path):
    """`turn` is called now and then, and the end is looked at before each callback."""
    rig, turns = Rig(tmp_path).begin(), []

    await drive_in_turns(
        rig.clock,
        lambda: settle(rig.trading, rig.journal),
        lambda: len(turns) >= 3,
        lambda: turns.append(rig.clock.now()),
    )

    assert len(turns) == 3
    assert turns == sorted(set(turns))
    rig.close()
