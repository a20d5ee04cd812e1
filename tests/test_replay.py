"""Tests of joed.replay: a recorded backtest decided again, as it was, by other settings, with its record changed."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from joed.daemon.places import places
from joed.daemon.record import encode_commands
from joed.daemon.store import Store
from joed.errors import ConfigError
from joed.model import events as e
from joed.model.commands import CancelOrder
from joed.model.settings import Settings
from joed.model.values import Severity
from joed.replay import ReplayImpossible, changed, differing, replay, run_replay, without_tails
from tests.small_days import DAYS, options, played, settings


def other_stop():
    """Give the settings of the run with one parameter of the strategy changed."""
    breakout = replace(Settings().strategies.breakout, stop_atr=3.0)
    return replace(settings(), strategies=replace(Settings().strategies, breakout=breakout))


@pytest.fixture
def copy(tmp_path):
    """Give a copy of the recorded state that a test may spoil."""
    shutil.copytree(played()[1], tmp_path / "state")
    return tmp_path / "state"


@pytest.mark.parametrize("session", DAYS)
def test_the_same_code_decides_the_same(session):
    """Every record of a session comes out byte for byte, from the genesis and from a kept snapshot."""
    found = replay(played()[1], session)

    assert found.difference is None
    assert found.decisions > 500
    assert found.quiet > 10_000
    assert found.folded == 0


def test_another_parameter_shows_at_the_first_job_that_has_it():
    """The first difference is the first strategies job, with the key that differs and both values."""
    found = replay(played()[1], DAYS[1], other_stop())

    assert found.difference is not None
    assert '"stop_atr":2.5' in found.difference.recorded
    assert '"stop_atr":3.0' in found.difference.decided
    assert found.difference.cause == "the settings differ: strategies.breakout.stop_atr was 2.5, is 3.0"
    assert replay(played()[1], DAYS[1], settings()).difference is None


def test_a_key_that_is_not_the_one_of_then_is_named(copy):
    """With another id.key only the ids differ, and the cause says so."""
    (copy / "id.key").write_bytes(b"z" * 32)

    found = replay(copy, DAYS[0])

    assert found.difference is not None
    assert found.difference.cause.startswith("only the ids differ")


def test_a_session_that_is_not_there_is_refused_with_those_that_are(copy):
    """The words name what could be replayed; a directory without a journal is refused as well."""
    with pytest.raises(ConfigError, match=f"there are: {DAYS[0]}, {DAYS[1]}"):
        replay(copy, "1999-01-04")
    with pytest.raises(ConfigError, match="no journal"):
        replay(copy / "tape", DAYS[0])


def test_a_replay_makes_no_key(copy):
    """Without the key of that day it says so, and leaves the directory as it was."""
    (copy / "id.key").unlink()

    with pytest.raises(ConfigError, match=r"id\.key"):
        replay(copy, DAYS[0])
    assert not (copy / "id.key").exists()


def test_tape_that_was_deleted_is_told(copy):
    """A session whose quotes are gone cannot be decided again; which records are missing is said."""
    with closing(sqlite3.connect(copy / "joed.db")) as db:
        db.execute("UPDATE tapes SET pruned = 1 WHERE session = ?", (DAYS[0],))
        db.commit()
    (copy / "tape" / f"{DAYS[0]}.db").unlink()

    with pytest.raises(ReplayImpossible, match="their tape has been deleted"):
        replay(copy, DAYS[0])
    assert replay(copy, DAYS[1]).difference is None


def test_a_life_after_a_crash_goes_on_from_the_books_before_it(tmp_path):
    """EpochStarted again, an event that was left out as faulted: both are decided as they were."""
    where = places(tmp_path / "state")
    where.make()
    where.key()
    store = Store.open(where.journal)
    shutil.copy(played()[1] / "id.key", where.id_key)
    with closing(Store.open(played()[1] / "joed.db")) as recorded:
        entries = [entry for entry in recorded.read() if entry[0] <= 3_000]
    for seq, now, event, commands in entries:
        session = DAYS[0] if seq > 5 else ""
        if isinstance(event, e.Quote | e.Tick) and not commands:
            store.add_tape(seq, now, event)
        else:
            store.add(seq, now, session, event, commands)
    fault = e.EventFaulted("d" * 32, "Quote", "AAA", "ValueError()", "{}")
    store.add(3_001, entries[-1][1], DAYS[0], fault, [])
    store.commit()
    store.close()

    found = replay(where.root, DAYS[0])

    assert found.difference is None
    assert found.last == 3_001


def test_a_decision_that_is_not_made_any_more_is_a_difference(copy):
    """A command in the record that today's code does not give shows at its seq, with both sides."""
    where = places(copy)
    store = Store.open(where.journal)
    seq = store.last() + 1
    store.add(seq, 2_000_000_000_000_000_000, DAYS[1], e.AlertDelivered("k", "c", Severity.INFO), [CancelOrder("x")])
    store.commit()
    store.close()

    found = replay(copy, DAYS[1])

    assert found.difference is not None
    assert (found.difference.seq, found.difference.kind) == (seq, "AlertDelivered")
    assert (found.difference.recorded, found.difference.decided) == (
        encode_commands([CancelOrder("x")]).decode(),
        "[]",
    )


def test_what_a_mode_set_by_itself_stays_as_recorded():
    """A config that says nothing of the day's end does not undo a demo's; the universe is always the record's."""
    recorded = replace(Settings(), eod=replace(Settings().eod, close_positions=True), universe={"A": "a"})
    other = replace(Settings(), universe={"B": "b"}, fill_timeout_s=9.0)

    made = changed(recorded, other)

    assert made.eod == recorded.eod
    assert made.universe == recorded.universe
    assert made.fill_timeout_s == 9.0
    own = replace(other.eod, at_s=60.0)
    assert changed(recorded, replace(other, eod=own)).eod == own


def test_differing_keys_are_named_by_their_path():
    """Each leaf that differs is told with both values; equal settings tell nothing."""
    other = replace(Settings(), risk=replace(Settings().risk, position_max=3), fill_timeout_s=9.0)

    assert differing(Settings(), other) == ["fill_timeout_s was 30.0, is 9.0", "risk.position_max was 10, is 3"]
    assert differing(Settings(), Settings()) == []


def test_ids_are_compared_without_what_the_key_makes():
    """Two ids that differ in their last four letters are the same order's under two keys."""
    one, two = CancelOrder("j1-20181123-1-5.0-E-aaaa"), CancelOrder("j1-20181123-1-5.0-E-bbbb")

    assert without_tails([one]) == without_tails([two])
    assert without_tails([one]) != without_tails([CancelOrder("j1-20181123-1-6.0-E-aaaa")])


def test_the_exit_status_is_1_at_a_difference_and_the_words_name_it(capsys):
    """0 and one line where all came out the same; else 1, the seq, both sides and the cause."""
    same = run_replay(played()[1], DAYS[1], None, options())
    said = capsys.readouterr().out
    other = run_replay(played()[1], DAYS[1], other_stop(), options())
    told = capsys.readouterr().out

    assert (same, other) == (0, 1)
    assert said.endswith("no difference\n")
    assert "the first difference is at seq" in told
    assert "strategies.breakout.stop_atr" in told
