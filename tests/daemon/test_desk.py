"""The desk: requests in, answers out, nothing of it ahead of the durable horizon."""

import asyncio
from contextlib import closing

import pytest

from joed import protocol
from joed.daemon import desk as desks
from joed.daemon import journal as journals
from joed.daemon.desk import Desk
from joed.daemon.journal import Journal
from joed.daemon.latch import Latches
from joed.model.commands import MarkEquity
from joed.model.events import OperatorAsked, Tick
from joed.model.values import Scope
from tests.daemon.records import SESSION, commands, fill, order
from tests.daemon.shell import Rig
from tests.engine.build import D


class Office:
    """A desk in front of a real journal and a life, whose requests are handled when a test says so."""

    def __init__(self, folder, *, with_path=True):
        (folder / "latch").mkdir()
        (folder / "other").mkdir()
        self.journal = Journal(folder / "joed.db")
        self.latches = Latches(folder / "latch")
        self.rig = Rig(folder / "other", latch=self.latches).begin()
        path = folder / "joed.db" if with_path else None
        self.desk = Desk(self.journal, self.latches, self.rig.trading.emit, path)
        self.desk.attach(self.rig.loop)

    def record(self, count, first=1):
        """Append so many facts, and wait until they are durable."""
        for seq in range(first, first + count):
            self.desk.append(seq, seq, SESSION, fill(seq), commands(seq))
        self.journal.flush()

    def handle(self):
        """Have the engine handle what was asked, and give the answers at the desk."""
        self.rig.settle()
        answers, self.rig.shell.answers[:] = list(self.rig.shell.answers), []
        for answer in answers:
            self.desk.answered(answer)

    def close(self):
        """Let go of the files."""
        self.rig.close()
        self.journal.close()


@pytest.fixture
def office(tmp_path):
    """Give a desk."""
    made = Office(tmp_path)
    yield made
    made.close()


def asked(verb, request="r1", reason="a test"):
    """Give a person's request."""
    return OperatorAsked(verb, request, 0, 0, 1, reason)


async def seqs(desk, *words):
    """Give the seqs that the desk finds."""
    return [record.seq for record in await desk.records(*words)]


async def test_a_request_is_answered_once_its_answer_is_durable(office):
    """It goes through the intake like any event."""
    waiting = asyncio.ensure_future(office.desk.ask(asked("pause")))
    await asyncio.sleep(0)
    assert not waiting.done()

    office.handle()

    assert (await waiting).code == "ok"


async def test_the_same_request_is_put_once_and_answered_to_all(office):
    """While it is under way, and afterwards too."""
    both = [asyncio.ensure_future(office.desk.ask(asked("pause"))) for _ in range(2)]
    await asyncio.sleep(0)
    assert len(office.rig.trading.intake) == 1

    office.handle()
    first, second = await asyncio.gather(*both)

    third = asyncio.ensure_future(office.desk.ask(asked("pause")))
    await asyncio.sleep(0)
    office.handle()

    assert first == second == await third
    assert len(office.rig.trading.intake) == 0


async def test_requests_that_nobody_answers_do_not_pile_up(office, monkeypatch):
    """The oldest is forgotten."""
    monkeypatch.setattr(desks, "ANSWER_WAIT_S", 0.001)
    monkeypatch.setattr(desks, "ASKED_MAX", 3)

    for number in range(10):
        with pytest.raises(TimeoutError):
            await office.desk.ask(asked("pause", f"r{number}"))

    assert list(office.desk._asked) == ["r7", "r8", "r9"]


async def test_an_answer_that_nobody_waits_for_is_no_fault(office):
    """Whoever asked has gone."""
    office.rig.trading.emit(asked("pause"))
    office.handle()


async def test_a_release_takes_the_kill_file_away_once_it_is_durable(office):
    """Not before: an interrupted release has not happened."""
    protocol.latch(office.latches.state_dir, "orders")
    office.rig.trading.emit(asked("kill"))
    office.handle()
    office.rig.trading.emit(asked("release", "r2"))
    office.rig.loop.drain()
    assert office.latches.present()

    office.handle()

    assert not office.latches.present()
    assert not office.rig.trading.carry_out.releasing


async def test_a_kill_that_comes_right_after_a_release_keeps_its_file(office):
    """The answer to the release takes away what it released, not what came since."""
    protocol.latch(office.latches.state_dir, "orders")
    for verb, request in (("kill", "r1"), ("release", "r2"), ("kill", "r3")):
        office.rig.trading.emit(asked(verb, request))

    office.handle()

    assert office.latches.present()
    assert office.rig.state.killed is Scope.ORDERS


async def test_a_release_of_another_block_leaves_the_kill_file_alone(office):
    """Only what lifts the kill takes its file."""
    protocol.latch(office.latches.state_dir, "orders")
    office.rig.trading.emit(OperatorAsked("release", "r1", 0, 0, 1, "a test", {"block": "all/loss_day_max"}))

    office.handle()

    assert office.latches.present()


async def test_records_are_shown_when_durable_and_in_order(office):
    """At most so many, after a seq; one that is not durable yet is not there."""
    office.record(6)
    office.desk._records.append(office.desk._records[-1].__class__(7, 7, fill(7)))

    assert await seqs(office.desk, 0, 100) == [1, 2, 3, 4, 5, 6]
    assert await seqs(office.desk, 2, 3) == [3, 4, 5]
    assert await seqs(office.desk, 6, 100) == []


async def test_records_that_have_left_the_memory_come_from_the_file(office):
    """Whoever watches from the beginning sees no seam."""
    office.record(6)
    for _ in range(4):
        office.desk._records.popleft()

    assert await seqs(office.desk, 0, 100) == [1, 2, 3, 4, 5, 6]
    assert await seqs(office.desk, 1, 2) == [2, 3]
    assert await seqs(office.desk, 0, 5) == [1, 2, 3, 4, 5]
    assert office.desk.oldest() == 1


async def test_a_process_that_has_recorded_nothing_yet_knows_its_past(office):
    """`joectl why` works right after a restart."""
    office.record(6)
    office.desk._records.clear()

    assert await seqs(office.desk, 0, 100, order(5)) == [5]


async def test_an_order_is_found_by_any_of_its_legs(office):
    """Entry, stop and target have one beginning."""
    office.record(6)
    office.desk._records.popleft()

    assert await seqs(office.desk, 0, 100, order(5, "S")) == [5]
    assert await seqs(office.desk, 0, 100, order(1, "T")) == [1]
    assert await seqs(office.desk, 0, 100, "KO") == []


async def test_without_a_file_the_memory_is_all_there_is(tmp_path):
    """The seeded world has no way back."""
    office = Office(tmp_path, with_path=False)
    office.record(3)
    office.desk._records.popleft()

    assert (await seqs(office.desk, 0, 100), office.desk.oldest()) == ([2, 3], 2)
    office.close()


async def test_flush_answers_what_is_durable(tmp_path):
    """The seq that it gives is on disk, with a State of that moment."""
    folder = tmp_path / "life"
    folder.mkdir()
    rig = Rig(folder)
    journal = Journal(tmp_path / "joed.db")
    desk = Desk(journal, Latches(tmp_path / "latch"), rig.trading.emit)
    desk.attach(rig.loop)
    desk.append(1, 1, SESSION, fill(1), [])
    rig.state.seq = 1

    seq = await desk.flush()

    assert seq == journal.durable == 1
    rig.close()
    journal.close()


def test_the_newest_durable_records_can_be_had_from_any_thread(office):
    """What memory has, oldest first, and nothing that is not durable yet."""
    office.record(3)
    office.desk.append(4, 4, SESSION, fill(4), commands(4))

    found = office.desk.recent()

    assert [record.seq for record in found] == [seq for seq in (1, 2, 3, 4) if seq <= office.desk.durable]
    assert found[0].event == fill(1)


def test_what_waits_for_company_can_be_hurried(tmp_path, monkeypatch):
    """A row of tape alone would wait, here ten minutes; asked for, it is durable now."""
    monkeypatch.setattr(journals, "TAPE_WAIT_S", 600.0)
    with closing(Office(tmp_path)) as office:
        office.desk.hurry()
        office.desk.tape(1, 1, Tick())
        office.desk.hurry()

        with office.journal._moved:
            assert office.journal._moved.wait_for(lambda: office.desk.durable >= 1, 60)


def test_a_sessions_marks_can_be_had_and_a_desk_without_a_file_has_none(tmp_path, office):
    """What a page draws after a restart; nothing of another session."""
    office.desk.append(1, 5, SESSION, Tick(), [MarkEquity(D(100), D(50), D("3.5"), D("2"), D("1"))])
    office.desk.append(2, 6, "another", Tick(), [MarkEquity(D(100), D(50), D(9), D(0), D(0))])
    office.journal.flush()

    assert office.desk.marks(SESSION) == [(5, D("4.5"))]
    office.desk._path = tmp_path / "none.db"
    assert office.desk.marks(SESSION) == ()
    office.desk._path = None
    assert office.desk.marks(SESSION) == ()


def test_the_desk_tells_metrics_of_a_kill_and_of_the_files(office):
    """What the journal takes on the disk, none where nobody said where it is; a kill's answer into the counters."""
    office.desk.kill_answered(0.002)

    assert sum(office.rig.loop.counters.kill_answer.counts) == 1
    sizes = office.desk.sizes()
    assert list(sizes) == ["db", "wal"]
    assert sizes["db"] > 0
    assert Desk(office.journal, office.latches, office.rig.trading.emit).sizes() == {}
