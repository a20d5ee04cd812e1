"""Verify and export, with and without a daemon at work."""

import csv
import io
import json

import pytest

from joed.daemon import audit, schema
from joed.daemon.store import Store
from tests.daemon.records import SESSION, add, commands, fill


@pytest.fixture
def store(tmp_path):
    """Open a journal with facts, tape moved and unmoved, and a snapshot."""
    store = Store.open(tmp_path / "joed.db")
    add(store, "ftt")
    store.commit()
    store.move_tape("a")
    add(store, "tf")
    store.add_snapshot(5, 5, b"state")
    store.commit()
    yield store
    store.close()


def test_a_whole_journal_is_told_with_its_head(store, tmp_path):
    """While a daemon writes: what is not durable yet is not looked at, what is holds."""
    add(store, "f")

    verdict = audit.verify(tmp_path)

    head = store._head.hash.hex()
    assert verdict == audit.Verdict(True, 4, 2, 0, 1, 5, head, None, "4 records hold, up to 5")
    assert store.commit() == 6


def test_the_first_bad_record_is_named(store, tmp_path):
    """The verdict says which, and what is wrong with it."""
    store.close()
    path = tmp_path / "joed.db"
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"execution":"x5"', b'"execution":"x6"'))

    verdict = audit.verify(tmp_path)

    assert (verdict.whole, verdict.damaged) == (False, 5)
    assert "record 5: its hash does not follow" in verdict.words


def test_a_newer_journal_is_not_called_damaged(store, tmp_path):
    """It is this build that is too old."""
    store.set_meta("schema", str(schema.VERSION + 1))

    verdict = audit.verify(tmp_path)

    assert (verdict.whole, verdict.damaged) == (False, None)
    assert "install the newer one" in verdict.words


def test_a_folder_without_a_journal_is_said_to_be_one(tmp_path):
    """A wrong --state-dir must not pass for a sound journal, nor make one."""
    with pytest.raises(FileNotFoundError, match="no journal"):
        audit.verify(tmp_path)
    with pytest.raises(FileNotFoundError, match="no journal"):
        audit.export(tmp_path, "json", io.StringIO())
    assert list(tmp_path.iterdir()) == []


def test_json_is_one_array_with_a_record_a_line(store, tmp_path):
    """Loads as a whole, reads by line; events and commands are the stored JSON."""
    out = io.StringIO()

    assert audit.export(tmp_path, "json", out) == 4

    rows = json.loads(out.getvalue())
    assert out.getvalue().count("\n") == 4 + 2
    assert [(row["seq"], row["kind"]) for row in rows] == [
        (1, "OrderFilled"),
        (3, "Tape"),
        (4, "Tape"),
        (5, "OrderFilled"),
    ]
    assert rows[0]["at"] == "1970-01-01T00:00:01.000000000Z"
    assert (rows[0]["session"], rows[0]["event"]["price"]) == (SESSION, str(fill(1).price))
    assert rows[0]["commands"][0]["order"] == commands(1)[0].order
    assert rows[3]["hash"] == store._head.hash.hex()


def test_csv_has_a_heading_and_a_row_a_record(store, tmp_path):
    """A spreadsheet opens it; what is nested stays JSON."""
    out = io.StringIO()

    assert audit.export(tmp_path, "csv", out) == 4

    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert list(rows[0]) == list(audit.COLUMNS)
    assert json.loads(rows[3]["event"])["execution"] == "x5"
    assert rows[3]["at_ns"] == "5000000000"


def test_an_empty_journal_is_whole_and_exports_nothing(tmp_path):
    """The first start has no past."""
    Store.open(tmp_path / "joed.db").close()
    out = io.StringIO()

    assert audit.verify(tmp_path).whole
    assert audit.export(tmp_path, "json", out) == 0
    assert json.loads(out.getvalue()) == []
    assert audit.export(tmp_path, "csv", io.StringIO()) == 0
