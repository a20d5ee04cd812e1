"""The journal's file: what is committed is there, in order; what is not does not exist."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as some

from joed.daemon import record, schema
from joed.daemon.chain import JournalBehind, JournalDamaged, JournalNewer, connect_readonly
from joed.daemon.store import BLOCK_ROWS_MAX, Store
from joed.model.state import State
from joed.model.values import SECOND
from tests.daemon.records import SESSION, add, entries, fill, quote


@pytest.fixture
def path(tmp_path):
    """Name a journal that is not there yet."""
    return tmp_path / "joed.db"


def journal(path, *commits):
    """Make a journal of these commits and close it."""
    store = Store.open(path)
    for kinds in commits:
        add(store, kinds)
        store.commit()
    store.close()


def test_facts_and_tape_read_back_in_the_order_of_seq(path):
    """One stream goes in, the same stream comes out, whatever lies in which table."""
    journal(path, "fft", "ttftf", "t", "f")

    store = Store.open(path)

    assert list(store.read()) == entries("fftttftftf")
    assert list(store.read(4)) == entries("fftttftftf", after=4)
    assert list(store.read(10)) == []
    store.close()


@given(commits=some.lists(some.text("ft", max_size=12), max_size=8), after=some.integers(0, 40))
def test_any_interleaving_reads_back_in_order(tmp_path_factory, commits, after):
    """Whatever the mix and wherever the commits fall, nothing is lost, doubled or out of place; and the chain holds."""
    path = tmp_path_factory.mktemp("journal") / "joed.db"
    journal(path, *commits)

    store = Store.open(path)
    found = list(store.read(after))
    store.close()

    assert found == entries("".join(commits), after=after)
    assert store.last() == len("".join(commits))


def test_what_was_not_committed_does_not_exist(path):
    """A power cut is a Store dropped: only commit makes anything durable."""
    journal(path, "ff")
    store = Store.open(path)
    add(store, "ftf")
    store.add_snapshot(5, 5 * SECOND, b"state")
    assert store.last() == 2
    store.close()

    again = Store.open(path)

    assert again.last() == 2
    assert list(again.read()) == entries("ff")
    assert again.latest_snapshot() is None
    again.close()


def test_a_commit_of_nothing_gives_the_durable_seq(path):
    """Whoever asks twice gets the same answer."""
    store = Store.open(path)

    assert store.commit() == 0
    add(store, "tf")
    assert store.commit() == 2
    assert store.commit() == 2
    store.close()


def test_a_seq_is_used_once_and_none_is_left_out(path):
    """A gap or a repeat is our own mistake, refused before it can be written."""
    store = Store.open(path)
    add(store, "f")

    for wrong in (1, 3):
        with pytest.raises(AssertionError, match="does not follow 1"):
            store.add(wrong, 0, SESSION, fill(wrong), [])
        with pytest.raises(AssertionError, match="does not follow 1"):
            store.add_tape(wrong, 0, quote(wrong))
    store.close()


def test_long_tape_is_packed_in_blocks_of_bounded_size(path):
    """No pack holds Python's lock for long, and no order waits for a big one."""
    kinds = "t" * (2 * BLOCK_ROWS_MAX + 1)
    journal(path, kinds)

    store = Store.open(path)
    db = connect_readonly(path)

    assert [row[0] for row in db.execute("SELECT count FROM tape ORDER BY first")] == [BLOCK_ROWS_MAX] * 2 + [1]
    assert list(store.read()) == entries(kinds)
    db.close()
    store.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE records SET event = '{}' WHERE seq = 1",
        "DELETE FROM records WHERE seq = 2",
        "REPLACE INTO records SELECT 1, at_ns, session, kind, event, commands, hash FROM records WHERE seq = 2",
        "UPDATE tape SET rows = x'00'",
    ],
)
def test_what_is_written_is_never_changed(path, change):
    """The file itself forbids it, to every program that opens it."""
    journal(path, "ft")
    db = sqlite3.connect(path)

    with pytest.raises(sqlite3.IntegrityError, match=r"append-only|never changed"):
        db.execute(change)
    db.close()


def test_the_newest_three_snapshots_stay_and_those_that_are_kept(path):
    """Recovery needs the newest, replay each session's first."""
    store = Store.open(path)
    for seq in range(1, 7):
        add(store, "f")
        store.add_snapshot(seq, seq * SECOND, b"state %d" % seq, kept=seq == 2)
        store.commit()

    assert store.latest_snapshot() == (6, 6 * SECOND, b"state 6")
    assert store.snapshot_before(5) == (5, 5 * SECOND, b"state 5")
    assert store.snapshot_before(3) == (2, 2 * SECOND, b"state 2")
    assert store.snapshot_before(1) is None
    store.close()


def test_a_snapshot_gives_the_state_back(path):
    """Start-up folds from here."""
    state = State(id_key=b"k", seq=1, now=SECOND)
    store = Store.open(path)
    add(store, "f")
    store.add_snapshot(1, SECOND, record.encode_state(state))
    store.commit()

    assert record.decode_state(store.latest_snapshot()[2], b"k") == state
    store.close()


def test_a_snapshot_past_the_last_record_is_our_mistake(path):
    """It would say more than the records it stands on."""
    store = Store.open(path)

    with pytest.raises(AssertionError, match="snapshot of 1, past 0"):
        store.add_snapshot(1, 0, b"")
    store.close()


def test_an_epoch_is_durable_before_it_is_used_and_above_all_before(path):
    """Ids of two lives never meet, even when a broker has seen more lives than this file."""
    store = Store.open(path)
    assert (store.epoch(), store.next_epoch(), store.next_epoch(at_least=9)) == (0, 1, 9)
    store.close()

    again = Store.open(path)

    assert (again.epoch(), again.next_epoch(at_least=3)) == (9, 10)
    again.close()


def test_what_is_noted_stays(path):
    """The journal knows whose account it belongs to."""
    store = Store.open(path)
    store.set_meta("account", "DU1")
    store.close()

    again = Store.open(path)

    assert (again.meta("account"), again.meta("nothing"), again.meta("schema")) == ("DU1", None, str(schema.VERSION))
    again.close()


def test_sessions_are_told_with_their_reach(path):
    """Replay asks for a session by name."""
    store = Store.open(path)
    for seq, session in enumerate(("a", "a", "b"), start=1):
        store.add(seq, seq, session, fill(seq), [])
    store.commit()

    assert store.sessions() == [("a", 1, 2), ("b", 3, 3)]
    store.close()


def test_a_newer_journal_is_refused_and_left_alone(path):
    """An older build must not write into what it does not understand."""
    journal(path, "f")
    db = sqlite3.connect(path)
    db.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (str(schema.VERSION + 1),))
    db.commit()
    db.close()

    with pytest.raises(JournalNewer, match=f"schema {schema.VERSION + 1}, this joed knows {schema.VERSION}"):
        Store.open(path)


def test_a_journal_that_is_gone_is_not_begun_anew_in_silence(path):
    """Its witness says that records were durable: an empty book would be a lie about the account."""
    journal(path, "ff")
    path.unlink()

    with pytest.raises(JournalBehind, match="gone, but 2 records were durable"):
        Store.open(path)
    assert not path.exists()


def test_a_stranger_in_the_journals_place_is_damage(path):
    """Another program's database, or no database, is never written to."""
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(JournalDamaged, match="not a database"):
        Store.open(path)
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE mine(x)")
    other.close()

    with pytest.raises(JournalDamaged, match="schema is not ours"):
        Store.open(path)


def test_a_link_in_the_journals_place_is_not_followed(path, tmp_path):
    """Whoever can plant a link must not choose what we write to."""
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic link"):
        Store.open(path)


def test_a_commit_that_failed_can_be_made_again(path):
    """Nothing that was added is lost while the disk is full, and nothing is written twice."""
    store = Store.open(path)
    add(store, "f")
    store.commit()
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    add(store, "tf")
    store.add_snapshot(3, 0, bytes(50_000))

    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.commit()
    assert store.last() == 1
    store._db.execute("PRAGMA max_page_count = 100000")

    assert store.commit() == 3
    assert list(store.read()) == entries("ftf")
    store.close()


def test_the_ballast_is_given_up_for_a_full_disk(path):
    """One more commit is possible than the disk had room for, and it is told."""
    store = Store.open(path, ballast_bytes=1 << 20)
    assert store.ballast.held
    add(store, "f")
    store._db.execute("PRAGMA max_page_count = 1")
    store.add_snapshot(1, 0, bytes(50_000))

    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.commit()

    assert store.ballast_spent
    assert not store.ballast.held
    store.close()


def test_folding_the_log_changes_nothing_that_is_read(path):
    """A checkpoint is housekeeping."""
    store = Store.open(path)
    add(store, "ftf")
    store.commit()
    assert store.unfolded_bytes > 0

    store.fold()

    assert store.unfolded_bytes == 0
    assert list(store.read()) == entries("ftf")
    store.close()


def test_a_stretched_log_is_written_in_place_and_leaves_nothing_behind(path):
    """Commits after it do not grow the log's file; the journal holds what it held, and checks out."""
    store = Store.open(path)
    store.stretch()
    log = path.with_name("joed.db-wal")
    size = log.stat().st_size

    for _ in range(50):
        add(store, "ft")
        store.commit()

    assert log.stat().st_size == size >= 4 << 20
    assert store._db.execute("SELECT key FROM meta WHERE key <> 'schema'").fetchall() == []
    store.close()
    again = Store.open(path)
    assert list(again.read()) == entries("ft" * 50)
    again.close()
