"""The chain's head beyond the journal's reach: an older copy, or another history, is seen."""

import os
import shutil
import socket

import pytest

from joed.daemon import anchor
from joed.daemon.archive import backup
from joed.daemon.audit import verify
from joed.daemon.log import Log
from joed.daemon.sidecars import Head, Witness
from joed.daemon.store import Store
from tests.daemon.records import add
from tests.demos import Demo
from tests.faults.measure import Attack


@pytest.fixture
def path(tmp_path):
    """Give a journal of six facts, and tell its head to a witness elsewhere."""
    store = Store.open(tmp_path / "joed.db")
    store.bear_witness(tmp_path / "witness")
    add(store, "ff")
    store.commit()
    add(store, "ffff")
    store.commit()
    store.close()
    return tmp_path / "joed.db"


def head_of(path):
    """Give the newest head."""
    return anchor.witnessed(path)


def test_a_journal_that_goes_on_holds_its_witness(path, tmp_path):
    """The head itself, and after more records the same one: it lies behind, not beside."""
    first = anchor.check_witness(path, tmp_path / "witness")
    store = Store.open(path)
    add(store, "ff")
    store.commit()
    store.close()

    assert (first, anchor.check_witness(path, tmp_path / "witness")) == ("", "")


def test_without_a_witness_nothing_is_said(path, tmp_path):
    """The first start knows nothing of an earlier one."""
    assert anchor.check_witness(path, tmp_path / "none") == ""


def test_an_older_copy_in_its_place_is_seen(path, tmp_path):
    """A restored state directory ends before what was durable (reliability F28, S42)."""
    older = tmp_path / "older"
    older.mkdir()
    store = Store.open(older / "joed.db")
    add(store, "ff")
    store.commit()
    store.close()

    words = anchor.check_witness(older / "joed.db", tmp_path / "witness")

    assert words == "the journal ends at 2, but record 6 was durable: this is an older copy"


def test_a_journal_that_is_gone_is_seen(tmp_path, path):
    """Also where the file is not there at all, or is empty."""
    gone = anchor.check_witness(tmp_path / "nowhere.db", tmp_path / "witness")
    (tmp_path / "empty.db").touch()

    assert "this is an older copy" in gone
    assert anchor.check_witness(tmp_path / "empty.db", tmp_path / "witness") == gone


def test_another_history_of_the_same_length_is_seen(path, tmp_path):
    """The seq is there, its hash is another."""
    witness = Witness(tmp_path / "other")
    witness.write(Head(6, bytes(32)))
    witness.close()

    assert "another history" in anchor.check_witness(path, tmp_path / "other")


def test_a_witness_that_cannot_be_read_is_no_proof(path, tmp_path):
    """What is there and makes no sense is told, not passed over."""
    (tmp_path / "bad").write_text("x" * 104)

    assert "cannot be read" in anchor.check_witness(path, tmp_path / "bad")


def test_a_chain_that_was_rewritten_from_its_start_holds_and_fails_its_anchor(path, tmp_path):
    """Whoever may write the file may make a chain that is whole; what was noted elsewhere gives them away (S41)."""
    noted = head_of(path)
    forged = tmp_path / "forged"
    forged.mkdir()
    store = Store.open(forged / "joed.db")
    add(store, "ffffft")
    store.commit()
    store.close()

    assert verify(forged).whole
    attack = Attack("S41")
    found = verify(forged, anchors=[noted])
    attack.refused()
    assert not found.whole
    assert "another history" in found.words
    assert verify(path.parent, anchors=[noted]).anchors == 1
    attack.answered()


def test_a_truncated_copy_fails_its_anchor(path, tmp_path):
    """The end is missing, and the file beside it that would have said so."""
    noted = head_of(path)
    copy = tmp_path / "copy"
    copy.mkdir()
    store = Store.open(copy / "joed.db")
    add(store, "ff")
    store.commit()
    store.close()

    assert "older copy" in verify(copy, anchors=[noted]).words


LINES = {
    "text": "2026-09-01 13:20:00.000 INFO     audit_anchor session=2026-09-01 seq=6 hash={}\n",
    "json": '{{"at": "x", "event": "audit_anchor", "session": "2026-09-01", "seq": 6, "hash": "{}"}}\n',
    "journalctl": '{{"MESSAGE":"audit_anchor ","JOED_SESSION":"s","JOED_SEQ":"6","JOED_HASH":"{}"}}\n',
}


@pytest.mark.parametrize("form", LINES)
def test_anchors_are_found_in_a_log_of_any_form(form):
    """Among other lines; what only looks like one is none."""
    digest = "ab" * 32
    lines = ["alert words=seq=9\n", LINES[form].format(digest), "audit_anchor without anything\n"]

    assert list(anchor.anchors_in(lines)) == [Head(6, bytes.fromhex(digest))]


@pytest.mark.parametrize("words", ["", "6", "xyz@6", f"{'ab' * 32}@", f"{'ab' * 31}@6", f"6@{'ab' * 32}"])
def test_what_is_no_anchor_is_refused(words):
    """64 hex digits, @, a number."""
    with pytest.raises(ValueError, match="HASH@SEQ"):
        anchor.asked(words)
    assert anchor.asked(f"{'ab' * 32}@6") == Head(6, b"\xab" * 32)


def logged(form, work):
    """Give what a log in this form writes."""
    read, write = os.pipe()
    log = Log(form, lambda: 0, descriptor=write)
    work(log)
    log.close()
    os.close(write)
    with os.fdopen(read) as pipe:
        return pipe.read()


def test_an_anchor_is_one_line_in_the_log_that_verify_reads_back(path):
    """Told, noted, compared."""
    said = logged("text", lambda log: anchor.tell(path, "2026-09-01", log, None))

    assert said.count("\n") == 1
    assert list(anchor.anchors_in([said])) == [head_of(path)]


def test_under_journald_it_has_fields_of_its_own(path, tmp_path):
    """It is found by JOED_EVENT=audit_anchor; nothing is said twice. Where journald does not listen, a line."""
    address = tmp_path / "journal"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journald:
        journald.bind(str(address))
        line = logged("journald", lambda log: anchor.tell(path, "s", log, address))
        sent = journald.recv(4096).decode()
    alone = logged("journald", lambda log: anchor.tell(path, "s", log, address))

    assert f"JOED_SEQ=6\nJOED_HASH={head_of(path).hash.hex()}\n" in sent
    assert "JOED_EVENT=audit_anchor\n" in sent
    assert (line, "audit_anchor" in alone) == ("", True)


def test_a_witness_that_cannot_be_made_stops_nothing(tmp_path):
    """A disk that is gone is no reason not to trade with the one that is there."""
    store = Store.open(tmp_path / "joed.db")
    store.bear_witness(tmp_path / "no" / "where")
    add(store, "f")

    assert store.commit() == 1
    store.close()


def test_a_restored_state_directory_does_not_undo_a_kill(tmp_path):
    """The database of before the kill, without its latch: joed comes up killed, and says why (S42, F28)."""
    demo = Demo(tmp_path / "state")
    demo.start()
    demo.until(lambda shown: shown["seq"] > 100)
    backup(demo.places.journal, tmp_path / "older.db")
    killed = demo.ask("kill", "--reason", "a drill")
    demo.interrupt()

    for file in (*demo.root.glob("joed.db*"), *demo.places.latch.iterdir()):
        file.unlink()
    shutil.copy(tmp_path / "older.db", demo.places.journal)
    attack = Attack("S42")
    demo.start()
    try:
        shown = demo.until(lambda shown: shown["phase"] == "HALTED")
        attack.refused()
        assert (killed.code, shown["killed"]) == (0, "orders")
        assert "this is an older copy" in next(row["words"] for row in shown["blocks"] if row["reason"] == "killed")
        assert demo.status()["killed"]
        attack.answered()
    finally:
        demo.interrupt()

    demo.start()  # the kill is in the record now: no second start forgets it
    try:
        assert demo.until(lambda shown: shown["killed"])["phase"] == "HALTED"
    finally:
        demo.interrupt()
