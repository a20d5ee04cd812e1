"""The writer's rare ways: a disk that is full or fails between commits, work that does not end, a file that is held."""

import resource
import sqlite3
import threading
from contextlib import contextmanager

import pytest

from joed.daemon import journal
from joed.daemon.journal import Hooks, Journal
from joed.daemon.store import BLOCK_ROWS_MAX
from joed.errors import JoedError
from tests.daemon.records import entries
from tests.daemon.test_journal import WAIT_S, append, fill_up, path, read, small_disk, told

__all__ = ["path", "small_disk", "told"]


def wal(path):
    """Name the write-ahead log of a journal."""
    return path.with_name(path.name + "-wal")


@contextmanager
def growing_no_further_than(size_bytes):
    """Let no file grow past a size: SQLite's write fails for good, as on a failing disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Looks:
    """A clock that stands still and counts how often the writer looked: twice in each turn, once at each attempt."""

    def __init__(self):
        self.count, self.moved = 0, threading.Condition()

    def clock(self):
        """Give the time."""
        with self.moved:
            self.count += 1
            self.moved.notify_all()
        return 1

    def wait(self, more):
        """Wait until the writer has looked so many times more."""
        with self.moved:
            due = self.count + more
            return self.moved.wait_for(lambda: self.count >= due, WAIT_S)


def test_a_file_that_does_not_open_in_time_is_refused_and_let_go_when_it_opens_at_last(path, monkeypatch):
    """The start ends with words that name the file, and no writer lives on behind the next one's back."""
    monkeypatch.setattr(journal, "OPEN_WAIT_S", 0.1)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")

    with pytest.raises(JoedError, match=r"joed\.db: not open after 0 s"):
        Journal(path)
    (late,) = [thread for thread in threading.enumerate() if thread.name == "journal"]
    holder.execute("ROLLBACK")
    holder.close()

    late.join(WAIT_S)
    assert not late.is_alive()


def test_the_depth_is_what_the_writer_has_not_taken_yet(path):
    """Whoever feeds faster than the disk holds back by it."""
    writer, begun, go_on = Journal(path), threading.Event(), threading.Event()

    def hang(_store):
        begun.set()
        go_on.wait(WAIT_S)

    writer.when_idle(hang)
    assert begun.wait(WAIT_S)
    append(writer, "fft")
    waiting = writer.depth
    go_on.set()

    assert waiting == 3
    assert writer.flush(WAIT_S) == 3
    assert writer.depth == 0
    assert writer.close()


def test_tape_that_is_pushed_does_not_wait_for_company(path, told, monkeypatch):
    """A quote that is asked for now is durable now, whatever tape may wait otherwise."""
    monkeypatch.setattr(journal, "TAPE_WAIT_S", 600.0)
    durable = threading.Event()
    writer = Journal(path, Hooks(on_durable=lambda _seq: durable.set()))
    append(writer, "t")

    assert not durable.wait(0.05)
    writer.push()
    assert durable.wait(WAIT_S)
    assert writer.close()


def test_a_stretched_log_takes_commits_without_growing(path):
    """The length is there ahead of need, and nothing that made it stays in the journal."""
    writer = Journal(path)
    plain = wal(path).stat().st_size
    stretched = threading.Event()
    writer.stretch()
    writer.when_idle(lambda _store: stretched.set())
    assert stretched.wait(WAIT_S)
    size = wal(path).stat().st_size
    append(writer, "f" * 20)
    writer.flush(WAIT_S)

    assert size > plain
    assert wal(path).stat().st_size == size
    assert writer.close()
    assert read(path) == entries("f" * 20)


def test_closing_leaves_work_that_does_not_end_for_another_day(path):
    """Housekeeping without an end must not hold up the end of the process, nor cost a record."""
    writer = Journal(path)
    append(writer, "ft")
    writer.when_idle(lambda _store: True)

    assert writer.close(0.2)
    assert read(path) == entries("ft")


def test_a_start_without_room_for_the_ballast_is_told(path, told):
    """Living without reserve is FULL from the first moment, and records are taken all the same."""
    writer = Journal(path, told.hooks, ballast_bytes=1 << 60)
    append(writer, "f")

    assert told.any_failure.wait(WAIT_S)
    assert writer.flush(WAIT_S) == 1
    assert writer.close()
    assert (told.failed, writer.failed, writer.dead) == (["FULL"], "FULL", False)


def test_a_failure_that_lasts_is_told_once_and_closing_says_what_is_not_durable(path, told, monkeypatch):
    """Each second another attempt, not another alarm."""
    monkeypatch.setattr(journal, "RETRY_S", 0.01)
    looks, protected = Looks(), threading.Event()
    writer = Journal(path, Hooks(monotonic_ns=looks.clock, on_failed=told.failed.append))
    append(writer, "f")
    assert writer.flush(WAIT_S) == 1

    def protect(store):
        store._db.execute("PRAGMA query_only = 1")
        protected.set()

    writer.when_idle(protect)
    assert protected.wait(WAIT_S)
    append(writer, "f")

    assert looks.wait(6)
    assert (told.failed, writer.dead) == (["READONLY"], False)
    assert not writer.close()
    assert (writer.durable, writer.appended) == (1, 2)
    assert read(path) == entries("f")


def test_work_between_commits_that_meets_a_failing_disk_ends_the_writer(path, told):
    """After a write that failed for good nothing on that disk is trusted, whoever wrote."""
    writer = Journal(path, told.hooks)
    append(writer, "f")
    assert writer.flush(WAIT_S) == 1

    with growing_no_further_than(wal(path).stat().st_size + 8192):
        writer.stretch()
        writer._thread.join(WAIT_S)

    assert (told.failed, writer.dead) == (["EIO"], True)
    assert len(told.undone) == 1
    assert not writer._thread.is_alive()
    assert read(path) == entries("f")


def test_a_log_that_cannot_be_folded_on_a_failing_disk_ends_the_writer(path, told, monkeypatch):
    """The records are safe in the log; the file that they belong into is not."""
    writer = Journal(path, told.hooks)
    append(writer, "t" * BLOCK_ROWS_MAX + "f" * 50)
    assert writer.flush(WAIT_S) == writer.appended

    with growing_no_further_than(max(path.stat().st_size, 8192)):
        monkeypatch.setattr(journal, "WAL_IDLE_BYTES", 0)
        writer.push()
        writer._thread.join(WAIT_S)

    assert (told.failed, writer.dead) == (["EIO"], True)
    assert read(path) == entries("t" * BLOCK_ROWS_MAX + "f" * 50)


@pytest.mark.needs_root
def test_a_log_that_cannot_be_folded_on_a_full_disk_is_folded_when_there_is_room(small_disk, told, monkeypatch):
    """No record waits for it, so nothing has failed: the next idle moment tries again."""
    path = small_disk / "joed.db"
    monkeypatch.setattr(journal, "TAPE_WAIT_S", 0.01)
    looks = Looks()
    writer = Journal(path, Hooks(monotonic_ns=looks.clock, on_failed=told.failed.append))
    append(writer, "t" * BLOCK_ROWS_MAX + "f" * 50)
    assert writer.flush(WAIT_S) == writer.appended
    hog, size = fill_up(small_disk), path.stat().st_size

    monkeypatch.setattr(journal, "WAL_IDLE_BYTES", 0)
    assert looks.wait(6)
    assert (path.stat().st_size, told.failed, writer.dead) == (size, [], False)
    hog.unlink()

    assert writer.close()
    assert path.stat().st_size > size
    assert read(path) == entries("t" * BLOCK_ROWS_MAX + "f" * 50)
