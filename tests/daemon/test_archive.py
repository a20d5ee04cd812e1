"""Tape leaves for its session's file and stays provable; a backup is whole."""

import shutil

import pytest

from joed.daemon import archive, chain
from joed.daemon.chain import EVERYTHING, JournalBehind, JournalDamaged
from joed.daemon.store import Store
from joed.model.values import DAY
from tests.daemon.records import add, entries, fill, quote


@pytest.fixture
def store(tmp_path):
    """Open a journal with tape in three blocks, all durable."""
    store = Store.open(tmp_path / "joed.db")
    for kinds in ("ft", "ttf", "t"):
        add(store, kinds)
        store.commit()
    yield store
    store.close()


def blocks_in(store):
    """Count the blocks still in the journal's file."""
    return store._db.execute("SELECT count(*) FROM tape").fetchone()[0]


def test_moved_tape_reads_back_and_verifies_where_it_went(store, tmp_path):
    """The chain's digests are of the rows as first stored: they hold for the compressed copy too."""
    assert store.move_tape("2026-11-20") == 3

    assert blocks_in(store) == 0
    assert (tmp_path / "tape" / "2026-11-20.db").is_file()
    assert list(store.read()) == entries("ftttft")
    assert chain.check(store.path, EVERYTHING).blocks == 3


def test_tape_can_move_a_little_at_a_time(store):
    """A portion at each idle moment; what is in two files reads as one."""
    assert store.move_tape("a", at_most=2) == 2
    assert blocks_in(store) == 1
    assert list(store.read()) == entries("ftttft")

    assert store.move_tape("b", at_most=2) == 1
    assert store.move_tape("b") == 0
    assert list(store.read()) == entries("ftttft")
    assert chain.check(store.path, EVERYTHING).blocks == 3


def test_a_crash_between_the_two_commits_of_a_move_loses_nothing(store, tmp_path):
    """A block is durable there before it leaves here; moving again finishes it."""
    archive._store(tmp_path / "tape", "a", store._db.execute("SELECT first, last, count, rows FROM tape").fetchall())
    assert blocks_in(store) == 3
    assert chain.check(store.path, EVERYTHING).blocks == 3

    assert store.move_tape("a") == 3
    assert list(store.read()) == entries("ftttft")


def test_more_tape_of_a_session_joins_its_file(store):
    """A session that was ended twice has one file."""
    store.move_tape("a")
    add(store, "tt")
    store.commit()

    assert store.move_tape("a") == 1
    assert list(store.read()) == entries("ftttfttt")


@pytest.mark.parametrize("damage", ["byte", "file", "row"])
def test_damage_to_moved_tape_is_found_and_named(store, tmp_path, damage):
    """A flipped byte, a lost file, a lost block."""
    store.move_tape("a")
    file = tmp_path / "tape" / "a.db"
    if damage == "file":
        file.unlink()
    elif damage == "row":
        db = archive.sqlite3.connect(file)
        db.execute("DELETE FROM tape WHERE first = 3")
        db.commit()
        db.close()
    else:
        db = chain.connect_readonly(file)
        rows = db.execute("SELECT rows FROM tape WHERE first = 3").fetchone()[0]
        db.close()
        data = file.read_bytes()
        at = data.index(rows) + len(rows) // 2
        file.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])

    with pytest.raises(JournalDamaged, match="tape"):
        chain.check(store.path, EVERYTHING)
    with pytest.raises(JournalDamaged, match="tape"):
        list(store.read())


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 65])
def test_a_session_that_cannot_name_a_file_is_refused(store, name):
    """Nothing is written outside the tape folder."""
    with pytest.raises(ValueError, match="cannot name a file"):
        store.move_tape(name)


def test_old_tape_is_pruned_and_its_absence_is_no_damage(tmp_path):
    """The facts stay for ever; quotes stay as many days as is set, counted in the journal's own time."""
    store = Store.open(tmp_path / "joed.db")
    for seq, day in ((1, 1), (2, 5), (3, 9)):
        store.add_tape(seq, day * DAY, quote(seq))
        store.commit()
        store.move_tape(f"day-{day}")
    store.add(4, 10 * DAY, "s", fill(4), [])
    store.commit()

    assert store.prune_tape(keep_days=5) == ["day-1"]
    assert store.prune_tape(keep_days=5) == []
    assert sorted(file.name for file in (tmp_path / "tape").iterdir()) == ["day-5.db", "day-9.db"]
    assert [seq for seq, *_ in store.read()] == [2, 3, 4]
    found = chain.check(store.path, EVERYTHING)
    assert (found.blocks, found.blocks_pruned) == (2, 1)
    store.close()


def test_pruning_lets_the_states_go_that_only_replay_needed(tmp_path):
    """Without its tape a session cannot be replayed; its first State is of no more use."""
    store = Store.open(tmp_path / "joed.db")
    store.add_tape(1, DAY, quote(1))
    store.add_snapshot(1, DAY, b"old", kept=True)
    store.commit()
    store.move_tape("old")
    for seq in range(2, 7):
        store.add(seq, 99 * DAY, "s", fill(seq), [])
        store.add_snapshot(seq, 99 * DAY, b"new")
        store.commit()
    assert store.snapshot_before(1) is not None

    store.prune_tape(keep_days=30)
    store.add_snapshot(6, 99 * DAY, b"newer")
    store.commit()

    assert store.snapshot_before(1) is None
    assert store.latest_snapshot() == (6, 99 * DAY, b"newer")
    store.close()


def test_pruning_an_empty_journal_does_nothing(tmp_path):
    """The first day has no tape."""
    store = Store.open(tmp_path / "joed.db")

    assert store.prune_tape(1) == []
    store.close()


def test_a_backup_is_whole_and_stands_alone(store, tmp_path):
    """Taken while the journal is open and growing, with what still lies in its log."""
    add(store, "f")
    copy = tmp_path / "backup" / "joed.db"
    copy.parent.mkdir()

    store.backup(copy)

    assert sorted(file.name for file in copy.parent.iterdir()) == ["joed.db"]
    restored = Store.open(copy)
    assert list(restored.read()) == entries("ftttft")
    restored.close()


def test_a_backup_put_in_the_journals_place_is_seen_to_be_old(store, tmp_path):
    """Orders may be at the broker that it knows nothing of."""
    copy = tmp_path / "old.db"
    store.backup(copy)
    add(store, "ff")
    store.commit()
    store.close()
    shutil.copy(copy, store.path)

    with pytest.raises(JournalBehind, match="ends at 6, but 8 was durable"):
        chain.check(store.path, EVERYTHING)
