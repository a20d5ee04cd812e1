"""The journal and the worker of simulated time."""

from joed.daemon.clock import SimulatedClock
from joed.daemon.inline import JOB_LATENCY_NS, ROWS_MAX, InlineJobs, InlineJournal
from joed.daemon.job_context import JobContext
from joed.daemon.record import encode_state
from joed.daemon.store import Store
from joed.model.commands import RunJob
from joed.model.events import JobFailed, Tick
from joed.model.state import State
from tests.daemon.records import SESSION, commands, fill


def test_a_commit_makes_all_durable_and_nothing_is_before_it(tmp_path):
    """`durable` is what the file holds."""
    journal = InlineJournal(Store.open(tmp_path / "joed.db"))
    journal.append(1, 1, SESSION, fill(1), commands(1))
    journal.tape(2, 2, Tick())
    assert journal.durable == 0

    assert journal.commit() == journal.durable == 2
    assert [entry[0] for entry in journal.store.read()] == [1, 2]
    journal.store.close()


def test_tape_does_not_pile_up(tmp_path):
    """After so many rows they are committed, whoever waits for them."""
    journal = InlineJournal(Store.open(tmp_path / "joed.db"))

    for seq in range(1, ROWS_MAX + 2):
        journal.tape(seq, seq, Tick())

    assert journal.durable == ROWS_MAX
    journal.store.close()


def test_a_snapshot_is_the_state_of_its_seq(tmp_path):
    """It comes back as it was."""
    journal = InlineJournal(Store.open(tmp_path / "joed.db"))
    journal.append(1, 5, SESSION, fill(1), [])
    state = State(seq=1, now=5)
    journal.snapshot(state)
    journal.commit()

    assert journal.store.latest_snapshot() == (1, 5, encode_state(state))
    journal.store.close()


def test_a_job_is_done_at_once_and_answered_a_moment_later():
    """Thinking takes its time in simulated time too."""
    clock, answers = SimulatedClock(100), []
    jobs = InlineJobs(clock, lambda command, context: JobFailed(command.job, command.run, "planted"), lambda bars: None)

    jobs.run(RunJob("scan", 3, 200), JobContext(100), answers.append)
    assert answers == []

    clock.advance()
    assert answers == [JobFailed("scan", 3, "planted")]
    assert clock.now() == 100 + JOB_LATENCY_NS
