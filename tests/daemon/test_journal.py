"""The writer thread: durable in order, many at once, true after a kill, honest on a failing disk."""

import resource
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from joed.daemon import chain, journal
from joed.daemon.chain import EVERYTHING
from joed.daemon.journal import Hooks, Journal
from joed.daemon.store import BLOCK_ROWS_MAX, Store
from joed.errors import BadMessage
from joed.model.events import Quote, StopAsked
from joed.model.values import SECOND
from tests.daemon.records import SESSION, commands, entries, fill, quote

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 20.0


class Told:
    """Hooks that remember what the writer said."""

    def __init__(self):
        self.durable, self.failed, self.undone = [], [], []
        self.restored = threading.Event()
        self.any_failure = threading.Event()
        self.hooks = Hooks(
            on_durable=self.durable.append,
            on_failed=self.fail,
            on_restored=self.restored.set,
            on_undone=self.undone.append,
        )

    def fail(self, reason):
        """Note a failure."""
        self.failed.append(reason)
        self.any_failure.set()


@pytest.fixture
def told():
    """Give hooks that remember."""
    return Told()


@pytest.fixture
def path(tmp_path):
    """Name a journal that is not there yet."""
    return tmp_path / "joed.db"


def append(writer, kinds):
    """Append a record for each letter, f for a fact and t for a row of tape."""
    for kind in kinds:
        seq = writer.appended + 1
        if kind == "f":
            writer.append(seq, seq * SECOND, SESSION, fill(seq), commands(seq))
        else:
            writer.tape(seq, seq * SECOND, quote(seq))


def read(path):
    """Read all that is durable, checking all of it first."""
    store = Store.open(path, bounds=EVERYTHING)
    try:
        return list(store.read())
    finally:
        store.close()


def test_what_was_appended_becomes_durable_in_order(path, told):
    """The horizon only rises, ends at the last record, and everything is there as it was handed over."""
    kinds = "fttf" * 50
    writer = Journal(path, told.hooks)

    append(writer, kinds)

    assert writer.flush(WAIT_S) == writer.durable == len(kinds)
    assert writer.close()
    assert told.durable == sorted(set(told.durable))
    assert told.durable[-1] == len(kinds)
    assert told.failed == []
    assert read(path) == entries(kinds)


def test_a_journal_goes_on_where_it_ended(path):
    """A restart appends after the last durable record."""
    for kinds in ("fft", "tf"):
        writer = Journal(path)
        append(writer, kinds)
        assert writer.close()

    assert read(path) == entries("ffttf")


def test_tape_alone_is_durable_within_its_wait(path, told):
    """Nobody asks, no fact comes, and still the quotes are kept."""
    writer = Journal(path, told.hooks)
    append(writer, "tt")

    assert wait_durable(writer, 2)
    assert writer.close()
    assert read(path) == entries("tt")


def wait_durable(writer, seq):
    """Wait for the horizon without ringing for it, as the loop does."""
    with writer._moved:
        return writer._moved.wait_for(lambda: writer.durable >= seq, WAIT_S)


def test_much_tape_does_not_wait_for_a_fact(path, monkeypatch):
    """A full block is written at once, so that an order finds a short queue."""
    monkeypatch.setattr(journal, "TAPE_WAIT_S", 10 * WAIT_S)
    writer = Journal(path)
    append(writer, "t" * BLOCK_ROWS_MAX)

    assert wait_durable(writer, BLOCK_ROWS_MAX)
    assert writer.close()


def test_the_bytes_of_a_fact_are_made_when_it_is_handed_over(path):
    """Whatever happens to the list afterwards, the record is what was decided."""
    issued = commands(1)
    writer = Journal(path)

    writer.append(1, SECOND, SESSION, fill(1), issued)
    issued.clear()

    assert writer.close()
    assert read(path) == entries("f")


def test_a_fact_that_cannot_be_recorded_is_refused_and_leaves_no_gap(path):
    """The caller learns it, and the next record takes the seq."""
    writer = Journal(path)

    with pytest.raises(BadMessage):
        writer.append(1, SECOND, SESSION, Quote("AAPL", float("nan"), 1.0), commands(1))
    append(writer, "f")

    assert writer.close()
    assert read(path) == entries("f")


def test_a_seq_out_of_turn_is_our_mistake(path):
    """Refused in the caller's own stack, before anything is queued."""
    writer = Journal(path)

    with pytest.raises(AssertionError, match="record 2 does not follow 0"):
        writer.tape(2, 0, quote(2))
    assert writer.close()


def test_a_snapshot_is_durable_with_the_records_before_it(path):
    """Never a State past the records that it stands on."""
    writer = Journal(path)
    append(writer, "ft")
    writer.snapshot(2, 2 * SECOND, b"state", kept=True)

    assert writer.close()
    store = Store.open(path)
    assert store.latest_snapshot() == (2, 2 * SECOND, b"state")
    store.close()


def test_waiting_ends_at_its_time_out(path):
    """A record that never comes is not waited for without end."""
    writer = Journal(path)

    assert not writer.wait(1, 0.01)
    assert writer.wait(0, 0.01)
    assert writer.close()


def test_commits_are_measured_with_the_clock_that_is_given(path):
    """Seconds and records of each commit, for the metrics."""
    ticks, measured = iter(range(0, 10**12, 10**6)), []
    writer = Journal(path, Hooks(monotonic_ns=ticks.__next__, on_commit=lambda *said: measured.append(said)))

    append(writer, "fff")

    assert writer.close()
    assert {seconds for seconds, _ in measured} == {0.001}
    assert sum(count for _, count in measured) == 3


def test_the_loop_is_told_through_its_own_door(path):
    """`notify` is call_soon_threadsafe: the writer's thread runs nothing of the loop's; a closed loop is no fault."""
    told = []

    def notify(hook, *args):
        told.append((hook, args, threading.current_thread().name))
        raise RuntimeError("event loop is closed")

    writer = Journal(path, Hooks(notify=notify, on_durable=print))
    append(writer, "f")

    assert writer.close()
    assert told == [(print, (1,), "journal")]
    assert writer.failed == ""


def test_a_damaged_journal_is_not_opened(path):
    """Its refusal reaches whoever asked, and no thread is left behind."""
    path.write_bytes(b"no database" * 1000)

    with pytest.raises(chain.JournalDamaged):
        Journal(path, bounds=EVERYTHING)
    assert "journal" not in [thread.name for thread in threading.enumerate() if thread.is_alive()]


def test_tape_leaves_between_commits_and_closing_waits_for_it(path):
    """The session's file holds all of it at the end, whatever came meanwhile."""
    writer = Journal(path)
    for _ in range(10):
        append(writer, "tf")
        writer.flush(WAIT_S)
    writer.move_tape("2026-11-20")
    writer.prune_tape(30)
    append(writer, "f")

    assert writer.close(WAIT_S)
    db = chain.connect_readonly(path)
    assert db.execute("SELECT count(*) FROM tape").fetchone() == (0,)
    db.close()
    assert read(path) == entries("tf" * 10 + "f")


def test_tape_that_cannot_leave_is_told_and_stays(path, told):
    """Housekeeping that fails is no reason to stop trading."""
    (path.parent / "tape").write_text("a file in the folder's place")
    writer = Journal(path, told.hooks)
    append(writer, "t")
    writer.flush(WAIT_S)
    writer.move_tape("2026-11-20")

    assert writer.close(WAIT_S)
    assert len(told.undone) == 1
    assert told.failed == []
    assert read(path) == entries("t")


def test_a_long_log_is_folded_while_nobody_waits(path, monkeypatch):
    """The write-ahead log does not grow for ever."""
    monkeypatch.setattr(journal, "WAL_IDLE_BYTES", 100_000)
    writer = Journal(path)
    for _ in range(3):
        append(writer, "t" * BLOCK_ROWS_MAX)
        writer.flush(WAIT_S)
    folded = path.stat().st_size

    assert writer.close()
    assert folded > 100_000


def test_a_full_queue_is_told_and_takes_no_more(path, told):
    """Halt, rather than drop in silence: what was taken is still written, and nothing after the gap."""
    writer = Journal(path, told.hooks, queue_size_max=10)
    with hold(path):
        append(writer, "f")
        drained = writer._queue
        for seq in range(2, 40):
            if writer.dead:
                break
            writer.tape(seq, seq * SECOND, quote(seq))
        taken = writer.appended
        assert writer.dead
        assert len(drained) <= 10
        writer.append(taken + 1, 0, SESSION, fill(1), [])
        writer.snapshot(taken + 1, 0, b"state")

    assert told.failed[-1] == "QUEUE"
    assert writer.close(WAIT_S)
    assert read(path) == entries("f" + "t" * (taken - 1))


class hold:  # noqa: N801 - it reads as a word of the test
    """Hold the file's write lock, as another program might."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None)

    def __enter__(self):
        self.db.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_error):
        self.db.execute("ROLLBACK")
        self.db.close()


def test_a_write_that_fails_for_good_ends_the_writer(path, told):
    """A file that may not grow gives EIO: told once, nobody waits in vain, what was durable is, nothing is retried."""
    writer = Journal(path, told.hooks)
    append(writer, "ff")
    assert writer.flush(WAIT_S) == 2
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name("joed.db-wal").stat().st_size + 4096, hard))
    try:
        append(writer, "f" * 200)
        assert not writer.wait(writer.appended, WAIT_S)
        assert writer._thread.join(WAIT_S) is None
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert (writer.failed, writer.dead, told.failed) == ("EIO", True, ["EIO"])
    assert not writer.close()
    durable = writer.durable
    assert 2 <= durable < 202
    writer.append(writer.appended + 1, 0, SESSION, fill(1), [])
    assert read(path) == entries("f" * durable)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("SQLITE_FULL", "FULL"),
        ("SQLITE_IOERR_SHMSIZE", "FULL"),
        ("SQLITE_READONLY", "READONLY"),
        ("SQLITE_BUSY", "BUSY"),
        ("SQLITE_IOERR_FSYNC", "EIO"),
        ("SQLITE_IOERR_READ", "EIO"),
        ("SQLITE_IOERR_WRITE", "EIO"),
        ("SQLITE_CORRUPT", "FAULT: SQLITE_CORRUPT words"),
    ],
)
def test_each_failure_has_its_name(path, name, reason):
    """What may pass is retried; a failed sync never is."""
    error = sqlite3.OperationalError("words")
    error.sqlite_errorname = name

    assert journal.why(error, path) == reason


def test_a_write_that_fails_asks_the_folder_why(tmp_path):
    """SQLite calls every write that failed an I/O error; a folder that takes no file names a reason that may pass."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_WRITE"

    assert journal.why(error, tmp_path / "gone" / "joed.db") == "EIO"


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill_up(folder):
    """Leave no room on a disk."""
    hog = folder / "hog"
    with hog.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return hog


@pytest.mark.needs_root
def test_a_full_disk_is_told_survived_on_the_ballast_and_left_behind(small_disk, told):
    """Entries stop, the last words still become durable, and trust returns only when the ballast is back."""
    writer = Journal(small_disk / "joed.db", told.hooks, ballast_bytes=256 << 10)
    append(writer, "f")
    assert writer.flush(WAIT_S) == 1
    hog = fill_up(small_disk)

    append(writer, "f" * 100)

    assert writer.flush(WAIT_S) == 101
    assert told.failed == ["FULL"]
    assert writer.failed == "FULL"
    assert not (small_disk / "ballast").exists()
    hog.unlink()
    assert told.restored.wait(WAIT_S)
    assert writer.failed == ""
    assert (small_disk / "ballast").exists()
    assert writer.close()
    assert read(small_disk / "joed.db") == entries("f" * 101)


@pytest.mark.needs_root
def test_a_full_disk_without_ballast_is_retried_until_there_is_room(small_disk, told):
    """Nothing that was taken is lost, nothing is written twice."""
    writer = Journal(small_disk / "joed.db", told.hooks)
    append(writer, "f")
    assert writer.flush(WAIT_S) == 1
    hog = fill_up(small_disk)

    append(writer, "f" * 500)

    assert told.any_failure.wait(WAIT_S)
    assert (told.failed, writer.dead) == (["FULL"], False)
    hog.unlink()
    assert told.restored.wait(WAIT_S)
    assert writer.flush(WAIT_S) == 501
    assert writer.close()
    assert read(small_disk / "joed.db") == entries("f" * 501)


@pytest.mark.needs_root
def test_a_journal_that_was_damaged_meanwhile_is_not_trusted_again(small_disk, told):
    """Room came back, but what is in the file no longer holds: the process must end and say so."""
    path = small_disk / "joed.db"
    Store.open(path).close()
    writer = Journal(path)
    append(writer, "f")
    assert writer.close()
    writer = Journal(path, told.hooks)
    hog = fill_up(small_disk)
    append(writer, "f" * 500)
    assert told.any_failure.wait(WAIT_S)
    with path.open("r+b") as file:
        at = file.read().index(b'"execution":"x1"')
        file.seek(at)
        file.write(b'"execution":"y1"')
    told.any_failure.clear()
    hog.unlink()

    assert told.any_failure.wait(WAIT_S)
    assert writer.dead
    assert "record 1: its hash does not follow" in writer.failed
    assert not told.restored.is_set()


@pytest.mark.needs_root
def test_a_start_on_a_full_disk_can_commit_its_epoch(small_disk):
    """The ballast of the last life pays for it."""
    Store.open(small_disk / "joed.db", ballast_bytes=512 << 10).close()
    fill_up(small_disk)

    store = Store.open(small_disk / "joed.db", ballast_bytes=512 << 10)

    assert store.next_epoch() == 1
    assert store.ballast_spent
    store.close()


@pytest.mark.needs_root
def test_a_disk_that_turns_read_only_is_told_and_retried(small_disk, told):
    """Not the end: it may be mounted for writing again."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_WRITE"
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)

    assert journal.why(error, small_disk / "joed.db") == "READONLY"

    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    fill_up(small_disk)
    assert journal.why(error, small_disk / "joed.db") == "FULL"


CHILD = """
import sys
from pathlib import Path
from joed.daemon.journal import Hooks, Journal
from tests.daemon.test_journal import append

def tell(seq):
    sys.stdout.write(f"{seq}\\n")
    sys.stdout.flush()

writer = Journal(Path(sys.argv[1]), Hooks(on_durable=tell))
while True:
    append(writer, "fttft"[writer.appended % 5])
    if writer.depth > 50:
        writer.wait(writer.appended - 20, 10.0)
"""


@pytest.mark.parametrize("reports", [1, 2, 3, 7, 40])
def test_what_was_said_to_be_durable_survives_a_kill(path, reports):
    """Killed in the middle of commits, twice over: all that was reported is there, in order, and the chain holds."""
    said = 0
    for _life in range(2):
        child = subprocess.Popen([sys.executable, "-c", CHILD, path], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(reports):
            said = int(child.stdout.readline())
        child.kill()
        rest, _ = child.communicate(timeout=WAIT_S)
        whole = [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
        said = int(whole[-1]) if whole else said

        found = read(path)

        assert len(found) >= said >= reports
        assert found == entries(("fttft" * len(found))[: len(found)])


def test_a_disk_that_does_not_answer_is_told_of_then_taken_for_failed_then_trusted_again(tmp_path):
    """Two seconds, ten seconds, and the commit that comes at last; the loop asks, the writer hangs."""
    now, told, hangs = [0], [], threading.Event()
    hooks = Hooks(
        monotonic_ns=lambda: now[0] + 1,
        on_slow=lambda words: told.append("slow"),
        on_failed=told.append,
        on_restored=lambda: told.append("restored"),
    )
    journal = Journal(tmp_path / "joed.db", hooks)
    begun = threading.Event()

    def hang(store):
        begun.set()
        hangs.wait(10)

    journal.when_idle(hang)
    assert begun.wait(5)
    for seconds in (1.9, 2.0, 3.0, 9.9, 10.0, 11.0):
        now[0] = int(seconds * 1e9)
        journal.look()
    assert (told, journal.failed) == (["slow", "SLOW"], "SLOW")

    hangs.set()
    journal.append(1, 1, "", StopAsked("x"), [])
    assert journal.wait(1, 5)
    assert journal.close()
    assert told == ["slow", "SLOW", "restored"]
    assert journal.failed == ""


def test_a_dead_journal_takes_no_more_and_lets_the_loop_go_on(tmp_path):
    """What reduces risk still leaves for two seconds: records that cannot be kept must not end the process before."""
    journal = Journal(tmp_path / "joed.db")
    journal.append(1, 1, "", StopAsked("x"), [])
    assert journal.wait(1, 5)
    journal._end("EIO")

    for seq in (2, 3):
        journal.append(seq, seq, "", StopAsked("x"), [])
    journal.tape(4, 4, StopAsked("x"))

    assert (journal.appended, journal.durable) == (1, 1)
    journal.close()
