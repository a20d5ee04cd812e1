"""Damage is found and named, wherever it is; and nothing is changed by looking."""

import hashlib
import shutil
import sqlite3

import pytest

from joed.daemon import chain, record
from joed.daemon.chain import AT_START, EVERYTHING, Bounds, JournalBehind, JournalDamaged
from joed.daemon.store import Store
from joed.model.values import SECOND
from tests.daemon.records import SESSION, add, entries, quote

COMMITS = ("ff", "ttftf", "tt", "fff")


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    """Make a journal with facts, tape, snapshots and an epoch, folded into its file."""
    path = tmp_path_factory.mktemp("master") / "joed.db"
    store = Store.open(path)
    store.next_epoch()
    for kinds in COMMITS:
        add(store, kinds)
        store.add_snapshot(store.added, store.added * SECOND, b"state of %d " % store.added * 100)
        store.commit()
    store.close()
    return path


@pytest.fixture
def path(master, tmp_path):
    """Give a copy of the journal, with its witness, to damage."""
    for file in master.parent.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path / "joed.db"


def everything(path):
    """Read all that a journal holds."""
    store = Store.open(path)
    try:
        views = [list(store._db.execute("SELECT * FROM fills")), list(store._db.execute("SELECT * FROM orders"))]
        snapshots = [store.snapshot_before(seq) for seq in range(store.last() + 1)]
        return list(store.read()), snapshots, store.sessions(), store.epoch(), views
    finally:
        store.close()


def digest(path):
    """Give the hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def flip(path, at):
    """Change one bit of one byte."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def stored(path, query):
    """Give the one value that a query reads."""
    db = chain.connect_readonly(path)
    value = db.execute(query).fetchone()[0]
    db.close()
    return value


PLACES = {
    "an event": ("SELECT event FROM records WHERE seq = 5", 5),
    "commands": ("SELECT commands FROM records WHERE seq = 5", 5),
    "a hash": ("SELECT hash FROM records WHERE seq = 7", 7),
    "the last hash": ("SELECT hash FROM records WHERE seq = 12", 12),
    "a seal": ("SELECT event FROM records WHERE seq = 6", 6),
    "rows of tape": ("SELECT rows FROM tape WHERE first = 3", 6),
    "a block's digest": ("SELECT digest FROM tape WHERE first = 3", 6),
    "a snapshot": ("SELECT state FROM snapshots WHERE seq = 9", 9),
    "a snapshot's digest": ("SELECT digest FROM snapshots WHERE seq = 12", 12),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_a_flipped_byte_is_found_named_and_left_as_it_is(path, place, share):
    """Refuse, name the record, keep the file: the evidence is the operator's."""
    query, seq = PLACES[place]
    value = stored(path, query)
    flip(path, path.read_bytes().index(value) + int(share * (len(value) - 1)))
    before = digest(path)

    with pytest.raises(JournalDamaged) as damage:
        Store.open(path)

    assert damage.value.seq == seq
    assert f"record {seq}: " in str(damage.value)
    assert digest(path) == before


UPDATES = {
    "at_ns": "UPDATE records SET at_ns = at_ns + 1 WHERE seq = 7",
    "session": "UPDATE records SET session = '2026-11-21' WHERE seq = 7",
    "kind": "UPDATE records SET kind = 'Tick' WHERE seq = 7",
}


@pytest.mark.parametrize("column", UPDATES)
def test_a_column_changed_with_the_guards_off_is_found(path, column):
    """Nothing about a record can change, not only its event."""
    alter(path, "DROP TRIGGER records_fixed", UPDATES[column])
    alter(path, *(sql for name, sql in expected() if name == "records_fixed"))

    with pytest.raises(JournalDamaged, match="record 7: its hash does not follow"):
        chain.check(path, EVERYTHING)


def alter(path, *statements):
    """Do to the file what no joed does."""
    db = sqlite3.connect(path)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def expected():
    """Give the schema's statements by name."""
    return [(name.decode(), sql.decode()) for name, sql in chain._expected().items()]


def test_whatever_byte_is_flipped_nothing_else_is_ever_read(path, tmp_path):
    """Every 61st byte of the file in turn: either the journal is refused, or the byte held nothing."""
    whole, data = everything(path), path.read_bytes()
    folder = tmp_path / "flipped"
    found = 0

    for at in range(0, len(data), 61):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copy(path.with_name("joed.db-head"), folder)
        copy = folder / "joed.db"
        copy.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        try:
            assert everything(copy) == whole, f"byte {at}"
        except (JournalDamaged, chain.JournalNewer):
            found += 1

    assert found > 100


TAKE = "DELETE FROM records WHERE seq = %d"


@pytest.mark.parametrize("kept", [1, 100, 4096, 5000, 20_000, -4096, -1])
def test_a_file_cut_short_is_damage(path, kept):
    """Whatever is left of it."""
    data = path.read_bytes()
    path.write_bytes(data[:kept])

    with pytest.raises(JournalDamaged):
        Store.open(path)


def test_a_file_that_cannot_be_opened_is_not_called_damaged(tmp_path):
    """What another moment may mend is for the caller to try again, not for the operator to recover from."""
    with pytest.raises(sqlite3.OperationalError, match=r"open|disk"):
        chain.check(tmp_path, EVERYTHING)


@pytest.mark.parametrize(("gone", "named"), [(1, 2), (5, 6), (6, 7), (11, 12), (12, 12)])
def test_a_record_taken_out_is_missed(path, gone, named):
    """The record after it, or the witness at the end, no longer follows from what is there."""
    alter(path, "DROP TRIGGER records_kept", TAKE % gone)
    alter(path, *(sql for name, sql in expected() if name == "records_kept"))

    with pytest.raises(JournalDamaged) as damage:
        chain.check(path, EVERYTHING)

    assert damage.value.seq == named


def test_a_block_of_tape_taken_out_is_missed(path):
    """The seal in the chain says that it was there."""
    alter(path, "DELETE FROM tape WHERE first = 3")

    with pytest.raises(JournalDamaged, match="record 6: tape 3-6 is gone"):
        Store.open(path)


def test_guards_and_views_are_part_of_what_is_checked(path):
    """A journal whose guard was dropped, or whose view tells otherwise, is no longer ours."""
    alter(path, "DROP TRIGGER records_fixed")

    with pytest.raises(JournalDamaged, match="schema is not ours: records_fixed"):
        Store.open(path)


def test_a_chain_that_was_made_anew_differs_from_the_witness(path):
    """Whoever rewrites the last record and its hash has not rewritten what was noted beside it."""
    row = ("x", 12 * SECOND, SESSION, "OrderFilled", "{}", "[]")
    previous = stored(path, "SELECT hash FROM records WHERE seq = 11")
    forged = record.chain(previous, 12, row[1], row[2].encode(), row[3].encode(), b"{}", b"[]")
    alter(path, "DROP TRIGGER records_fixed")
    db = sqlite3.connect(path)
    db.execute("UPDATE records SET event = '{}', commands = '[]', hash = ? WHERE seq = 12", (forged,))
    db.commit()
    db.close()
    alter(path, *(sql for name, sql in expected() if name == "records_fixed"))

    with pytest.raises(JournalDamaged, match="record 12: not the record that was durable"):
        Store.open(path)


@pytest.mark.parametrize(
    ("chained", "words"),
    [
        ([(1, b"Tick", b"{}"), (3, b"Tick", b"{}")], "record 2: missing"),
        ([(3, b"Tape", record.encode_seal(record.Seal(1, 3, 2, "")))], "tape 1-3 does not follow 0"),
        ([(3, b"Tape", record.encode_seal(record.Seal(2, 3, 3, "")))], "tape 2-3 does not follow 0"),
        ([(4, b"Tape", record.encode_seal(record.Seal(1, 3, 4, "")))], "tape 1-3 does not follow 0"),
        ([(1, b"Tape", b"{}")], "record 1: malformed seal"),
    ],
)
def test_a_seq_that_no_record_and_no_row_has_is_a_missing_link(path, chained, words):
    """Every seq is a fact or a row of tape: a chain that is sound in itself can still leave one out."""
    alter(path, "DROP TRIGGER records_kept", "DELETE FROM records", "DELETE FROM tape", "DELETE FROM snapshots")
    alter(path, *(sql for name, sql in expected() if name == "records_kept"))
    db, previous = sqlite3.connect(path), record.GENESIS
    for seq, kind, event in chained:
        previous = record.chain(previous, seq, 0, b"s", kind, event, b"[]")
        db.execute(
            "INSERT INTO records VALUES(?, 0, 's', ?, ?, '[]', ?)", (seq, kind.decode(), event.decode(), previous)
        )
    db.commit()
    db.close()

    with pytest.raises(JournalDamaged, match=words):
        chain.check(path, EVERYTHING)


def kill(store, name):
    """Give the journal as a process that was killed now would leave it, in a folder of this name."""
    left = store.path.parent.with_name(name)
    shutil.copytree(store.path.parent, left, ignore=shutil.ignore_patterns("*-shm"))
    return left / "joed.db"


@pytest.fixture
def live(tmp_path):
    """Open a journal with two records in its file and two more in its write-ahead log."""
    (tmp_path / "live").mkdir()
    for kinds in ("ff", "tf"):
        store = Store.open(tmp_path / "live" / "joed.db")
        add(store, kinds)
        store.commit()
        if kinds == "ff":
            store.close()
    yield store
    store.close()


@pytest.fixture
def unfolded(live):
    """Give a journal whose last commits, 3 to 4 and 5, lie in its log only."""
    add(live, "f")
    live.commit()
    return kill(live, "left")


@pytest.mark.parametrize("cut", [1, 24, 512, 4096, 5000, 1_000_000])
def test_a_torn_log_that_was_durable_is_a_loss_and_refused(unfolded, cut):
    """SQLite forgets a torn end without a word; the witness does not, and names the first record that is lost."""
    log = unfolded.with_name("joed.db-wal")
    with log.open("r+b") as file:
        file.truncate(max(0, log.stat().st_size - cut))

    with pytest.raises(JournalBehind, match="was durable") as damage:
        Store.open(unfolded)

    assert damage.value.seq == (5 if cut < 10_000 else 3)


def test_a_flipped_byte_in_the_log_is_a_loss_and_refused(unfolded):
    """SQLite takes it for the log's end; what it held was durable."""
    log = unfolded.with_name("joed.db-wal")
    flip(log, log.stat().st_size - 3000)

    with pytest.raises(JournalBehind, match="5 was durable"):
        Store.open(unfolded)


@pytest.mark.parametrize("cut", [1, 24, 512, 4096, 5000])
def test_a_torn_log_that_was_never_durable_is_dropped(live, cut):
    """A power cut in the middle of a commit leaves the journal as it was before it."""
    witness = kill(live, "before").with_name("joed.db-head")
    add(live, "f")
    live.commit()
    path = kill(live, "torn")
    shutil.copy(witness, path.parent)
    with path.with_name("joed.db-wal").open("r+b") as log:
        log.truncate(log.seek(0, 2) - cut)

    again = Store.open(path)

    assert again.last() == 4
    assert list(again.read()) == entries("fftf")
    again.close()


def test_a_witness_that_is_none_is_damage(path):
    """A flipped byte there is found as well."""
    flip(path.with_name("joed.db-head"), 30)

    with pytest.raises(JournalDamaged, match="is no witness"):
        Store.open(path)


def test_a_journal_without_a_witness_is_believed(path):
    """A restored backup has none until its first commit."""
    path.with_name("joed.db-head").unlink()

    assert chain.check(path, AT_START).head.seq == 12


def test_a_bounded_check_begins_at_a_commits_edge(path):
    """A start looks at the newest records only, and still finds damage among them."""
    whole, near = chain.check(path, EVERYTHING), chain.check(path, Bounds(records=2, tape_bytes=0))

    assert (whole.records, whole.blocks, whole.snapshots) == (9, 2, 3)
    assert near.head == whole.head
    left = {bound: chain.check(path, Bounds(records=bound)).records for bound in (2, 6, 7, 8, 10, 11, 12)}
    assert left == {2: 2, 6: 5, 7: 5, 8: 7, 10: 7, 11: 8, 12: 9}  # 7 falls inside block 3-6, and begins after it

    flip(path, path.read_bytes().index(stored(path, "SELECT event FROM records WHERE seq = 11")) + 20)
    with pytest.raises(JournalDamaged, match="record 11"):
        chain.check(path, Bounds(records=2, tape_bytes=0))


def test_progress_is_told(path, monkeypatch):
    """A long check shows that it lives."""
    monkeypatch.setattr(chain, "PROGRESS_EACH", 4)
    told = []

    chain.check(path, EVERYTHING, told.append)

    assert told == [4, 8]


def test_looking_changes_nothing_even_where_a_log_waits(unfolded):
    """A refused journal and its log are what they were before: evidence."""
    flip(unfolded, 4096 * 2 + 4000)
    files = [unfolded, unfolded.with_name("joed.db-wal"), unfolded.with_name("joed.db-head")]
    before = [digest(file) for file in files]

    for bounds in (AT_START, EVERYTHING):
        try:
            chain.check(unfolded, bounds)
        except JournalDamaged:
            continue

    assert [digest(file) for file in files] == before


def test_a_tape_row_reads_back_only_from_the_sealed_bytes(path):
    """Reading believes no block without its digest, also after the file was checked."""
    store = Store.open(path)
    store._db.execute("DROP TRIGGER tape_fixed")
    forged = record.encode_rows([(8, 8 * SECOND, quote(99)), (9, 9 * SECOND, quote(9))])
    store._db.execute("UPDATE tape SET rows = ? WHERE first = 8", (forged,))

    with pytest.raises(JournalDamaged, match="tape 8-9 differs from its digest"):
        list(store.read())
    store.close()
