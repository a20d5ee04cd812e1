"""One life of the engine: begun, ticking, its kill file looked at, sealed."""

import pytest

from joed.daemon.latch import Latch
from joed.daemon.sleep import Sleep
from joed.daemon.trading import Silence
from joed.model.events import (
    BrokerDown,
    ClockStepped,
    EpochStarted,
    KillRehearsed,
    LatchGone,
    LatchSeen,
    OperatorAsked,
    SessionEnded,
    SettingsLoaded,
    StopAsked,
    Tick,
)
from joed.model.values import SECOND, Scope
from tests.daemon.shell import NOON, KillFile, Rig
from tests.engine.build import bracket


@pytest.fixture
def file():
    """Give a kill file."""
    return KillFile()


@pytest.fixture
def rig(tmp_path, file):
    """Give a life that has begun."""
    made = Rig(tmp_path, latch=file).begin()
    yield made
    made.close()


def pass_seconds(rig, count):
    """Let time run for so many Ticks."""
    until = rig.clock.now() + count * SECOND
    while rig.clock.next_ns() is not None and rig.clock.next_ns() <= until:
        rig.clock.advance()
        rig.settle()


def events(rig, kind):
    """Give the durable events of one kind."""
    return [event for event, _ in rig.records() if isinstance(event, kind)]


def test_a_sleep_is_told_with_the_next_tick_and_the_books_are_read(rig):
    """Once; until then permit refuses what opens, and by then a Block does."""
    boot = [0]
    rig.trading.sleep = Sleep(lambda: boot[0], lambda: 0)
    boot[0] = 600 * SECOND

    assert rig.trading.carry_out.permit(bracket("KO")) == "slept"
    pass_seconds(rig, 3)

    assert [event.slept_ns for event in events(rig, ClockStepped)] == [600 * SECOND]
    assert rig.trading.carry_out.permit(bracket("KO")) != "slept"


def test_a_life_begins_with_its_epoch_and_its_settings(rig):
    """Before anything that a broker says."""
    kinds = [type(event) for event, _ in rig.records()][:2]

    assert kinds == [EpochStarted, SettingsLoaded]
    assert rig.state.brokers["paper"].reconciled


def test_there_is_a_tick_at_each_full_second(rig):
    """On the second, whenever the life began."""
    before = sum(isinstance(event, Tick) for event, _ in rig.records())
    pass_seconds(rig, 5)

    ticks = [now for _, now, event, _ in rig.journal.store.read() if isinstance(event, Tick)]
    assert len(ticks) - before == 5
    assert all(now % SECOND == 0 for now in ticks)


def test_one_tick_stands_for_all_that_a_suspend_missed(rig):
    """An hour's sleep is no thousand Ticks; the next comes at the next second."""
    pass_seconds(rig, 1)
    rig.clock._now += 3600 * SECOND + 1

    rig.clock.advance()

    assert rig.clock.next_ns() == NOON + 3602 * SECOND


def test_the_books_are_read_every_few_seconds_while_the_broker_is_up(rig):
    """Each `orders_read_s`; a broker that is down is not asked."""
    before = rig.broker.reads
    pass_seconds(rig, 10)
    assert rig.broker.reads - before == 2

    rig.trading.emit(BrokerDown("paper", "a test"))
    rig.settle()
    before = rig.broker.reads
    pass_seconds(rig, 10)
    assert rig.broker.reads == before


def test_a_kill_file_is_told_within_a_second_and_once(rig, file):
    """Its owner is its author; what State knows is not told again, a wider scope is."""
    file.found = Latch(Scope.ENTRIES, 1001)
    pass_seconds(rig, 3)
    assert events(rig, LatchSeen) == [LatchSeen(Scope.ENTRIES, 1001)]
    assert rig.state.killed is Scope.ENTRIES

    file.found = Latch(Scope.FLATTEN, 1002)
    pass_seconds(rig, 3)
    assert events(rig, LatchSeen)[1:] == [LatchSeen(Scope.FLATTEN, 1002)]


def test_a_misspelt_kill_file_is_found_with_the_next_look_at_the_books(rig, file):
    """The quick look is for the right name; the slow one finds what was meant."""
    file.found, file.seen = Latch(Scope.ORDERS, 0), False

    pass_seconds(rig, 6)

    assert events(rig, LatchSeen) == [LatchSeen(Scope.ORDERS, 0)]


def test_a_kill_whose_file_vanishes_gets_it_back_and_tells_of_it_once(rig, file):
    """Nobody released it: the Block stays, and a restart must still find it; a full disk is tried again each second."""
    file.found = Latch(Scope.FLATTEN, 1001)
    pass_seconds(rig, 2)
    file.found, file.full = None, True
    pass_seconds(rig, 3)
    assert (file.found, len(events(rig, LatchGone)), rig.state.killed) == (None, 1, Scope.FLATTEN)

    file.full = False
    pass_seconds(rig, 3)

    assert (file.made, len(events(rig, LatchGone))) == ([Scope.FLATTEN], 1)
    file.found = None
    pass_seconds(rig, 2)
    assert (file.made, len(events(rig, LatchGone))) == ([Scope.FLATTEN] * 2, 2)


def test_a_drill_runs_from_its_latch_to_its_release_by_itself(rig, file):
    """The file is made, permit refuses an entry, the broker is read, the file goes: within a second or so, no alarm."""
    rig.trading.emit(OperatorAsked("kill", "d1", 0, 0, 1, "a drill", {"scope": "entries", "drill": "yes"}))
    rig.settle()
    pass_seconds(rig, 6)

    [rehearsed] = events(rig, KillRehearsed)
    assert (rehearsed.proof, file.made) == ("killed", [Scope.ENTRIES])
    assert (rig.state.killed, file.found, rig.state.drilled.passed) == (None, None, True)
    assert (events(rig, LatchGone), events(rig, LatchSeen)) == ([], [])


def test_a_release_on_its_way_to_the_disk_is_not_killed_again_by_its_own_file(rig, file):
    """The file goes once the release is durable; until then it is known, afterwards it kills again."""
    file.found = Latch(Scope.ORDERS, 0)
    pass_seconds(rig, 1)
    rig.trading.emit(OperatorAsked("release", "r1", 0, 0, 1, "a drill"))
    rig.loop.drain()
    assert rig.state.killed is None

    rig.clock.advance()
    rig.loop.drain()
    assert rig.state.killed is None

    rig.trading.carry_out.releasing = False
    pass_seconds(rig, 1)
    assert rig.state.killed is Scope.ORDERS


def test_the_seal_is_the_last_record(rig):
    """Whatever comes after it is not taken, and no second is counted any more."""
    pass_seconds(rig, 2)
    rig.trading.seal("a test")
    rig.trading.emit(StopAsked("too late"))
    while rig.clock.advance():
        rig.settle()

    last = rig.records()[-1][0]
    assert isinstance(last, SessionEnded)
    assert (last.reason, last.positions) == ("a test", 0)
    assert rig.state.sealed


def test_worlds_without_a_disk_have_no_kill_file():
    """Silence has nothing to show."""
    silence = Silence()
    silence.write(Scope.ORDERS)
    silence.cover(drill=False)
    silence.release()

    assert (silence.present(), silence.read(), silence.rehearse(Scope.ORDERS)) == (False, None, "there is no disk here")
