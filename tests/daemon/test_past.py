"""Records read back from the journal's file."""

import sqlite3

import pytest

from joed.daemon import past
from joed.daemon.past import read_past, search_past
from joed.daemon.store import Store
from joed.model.commands import Answer, MarkEquity
from joed.model.events import OperatorAsked, Tick
from joed.model.values import SECOND
from tests.daemon.records import SESSION, add, commands, fill, order
from tests.engine.build import D


@pytest.fixture
def path(tmp_path):
    """Give a file of facts 1, 2, 5 and 6, with tape at 3 and 4, while its writer has it open."""
    store = Store.open(tmp_path / "joed.db")
    add(store, "ffttff")
    store.commit()
    yield tmp_path / "joed.db"
    store.close()


def test_facts_come_back_whole_and_tape_does_not(path):
    """Event, commands and time as they were recorded."""
    found = read_past(path, 0, 100, 100)

    assert [record.seq for record in found] == [1, 2, 5, 6]
    assert (found[0].now_ns, found[0].event, found[0].commands) == (SECOND, fill(1), commands(1))


@pytest.mark.parametrize(("after", "before", "limit", "seqs"), [(1, 6, 9, [2, 5]), (0, 9, 3, [1, 2, 5]), (6, 9, 9, [])])
def test_a_page_has_its_bounds(path, after, before, limit, seqs):
    """After one seq, before another, at most so many, oldest first."""
    assert [record.seq for record in read_past(path, after, before, limit)] == seqs


def test_a_name_is_found_in_the_event_or_in_its_commands(path):
    """Whoever asks why an order is there sees every record that names it."""
    assert [record.seq for record in read_past(path, 0, 9, 9, order(5))] == [5]
    assert read_past(path, 0, 9, 9, "nobody") == []


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    """It is not made by looking."""
    with pytest.raises(sqlite3.OperationalError):
        read_past(tmp_path / "joed.db", 0, 9, 9)


def test_a_search_gives_the_newest_that_hold_all_words(tmp_path):
    """By words of the event and of the commands, before a seq, as many as are asked for."""
    path = tmp_path / "joed.db"
    store = Store.open(path)
    for seq, verb in enumerate(("pause", "kill", "pause", "pause"), start=1):
        store.add(seq, seq, "s", OperatorAsked(verb, f"r{seq}", 0, 0, 1), [Answer(f"r{seq}", verb, "ok", "")])
    store.commit()
    store.close()

    found = search_past(path, ('"verb":"pause"',), ('"code":"ok"',), 4, 5)

    assert [record.seq for record in found] == [3, 1]
    assert [record.seq for record in search_past(path, (), ('"type":"Answer"',), 99, 2)] == [4, 3]
    assert list(search_past(path, ("nothing",), (), 99, 2)) == []


def test_the_marks_of_a_session_are_found_among_its_newest_facts(tmp_path, monkeypatch):
    """Oldest first; beyond the bound nothing is looked at, however long the journal is."""
    store = Store.open(tmp_path / "joed.db")
    for seq in range(1, 6):
        store.add(seq, seq, SESSION, Tick(), [MarkEquity(D(1), D(1), D(seq), D(0), D(0))])
    store.commit()
    store.close()

    assert past.read_marks(tmp_path / "joed.db", SESSION) == [(seq, D(seq)) for seq in range(1, 6)]
    monkeypatch.setattr(past, "MARKS_AMONG", 2)
    assert past.read_marks(tmp_path / "joed.db", SESSION) == [(4, D(4)), (5, D(5))]
