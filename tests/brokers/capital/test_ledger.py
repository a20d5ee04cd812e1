"""joed.brokers.capital.ledger: our only memory of what we asked for, durable before it is asked."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from joed.brokers.capital.ledger import KEPT_NS, LOG_BYTES, Ledger, Stage
from joed.errors import BrokerUnavailable
from joed.model.events import OrderFilled
from joed.model.values import Leg, Side, Status
from tests.brokers.capital.rows import SENT_NS, Money, entry, opened


def test_a_row_is_on_the_disk_when_put_comes_back(tmp_path):
    """Another process reads it whole, fills and ends included; the file is ours alone."""
    path, fill = tmp_path / "capital.db", OrderFilled("E1", "d1:open", "AAA", Side.BUY, Money(10), Money("100.10"))
    row = opened(before=frozenset({"x"}), fills=(fill,), ended={"E1": Status.FILLED})
    Ledger(path).put(row)

    assert Ledger(path).intents == {"E1": row}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_row_is_found_by_any_of_its_legs_and_by_its_deals():
    """Our ids and theirs, both ways."""
    ledger = Ledger()
    row = opened(working="w1")
    ledger.put(row)

    assert [ledger.of(name) for name in ("E1", "E1-S", "E1-T", "E2", "")] == [row, row, row, None, None]
    assert ledger.owner("d1") is ledger.owner("w1") is row
    assert ledger.owner("d2") is None
    assert ledger.owned() == {"d1", "w1"}


def test_a_new_stop_is_found_by_its_own_id():
    """The one before it was lost."""
    ledger = Ledger()
    row = opened()
    ledger.put(row)
    ledger.rename_stop(row, "S2")

    assert ledger.of("S2") is row
    assert row.stop_order == "S2"


@pytest.mark.parametrize(("stage", "is_open"), [(stage, stage in ("armed", "sent", "quarantined")) for stage in Stage])
def test_an_epic_is_frozen_while_an_order_on_it_is_unresolved(stage, is_open):
    """One unresolved POST an epic, and others go on."""
    ledger = Ledger()
    ledger.put(entry(stage=stage))

    assert (ledger.unresolved("AAA.X") is not None) is is_open
    assert ledger.unresolved("BBB.X") is None


def test_a_close_freezes_nothing():
    """It opens nothing, and can be asked for as often as it takes."""
    ledger = Ledger()
    ledger.put(entry(leg=Leg.CLOSE, opens=False))

    assert ledger.unresolved("AAA.X") is None


def test_what_is_long_over_is_forgotten_and_nothing_else(tmp_path):
    """Its id was never to be taken again; after two days no read tells of it."""
    path = tmp_path / "capital.db"
    ledger = Ledger(path)
    ledger.put(entry("E1", stage=Stage.ENDED, changed_ns=SENT_NS))
    ledger.put(entry("E2", stage=Stage.OPEN, changed_ns=SENT_NS))
    ledger.forget(SENT_NS + KEPT_NS)
    assert list(ledger.intents) == ["E1", "E2"]
    ledger.forget(SENT_NS + KEPT_NS + 1)

    assert list(ledger.intents) == list(Ledger(path).intents) == ["E2"]
    assert ledger.of("E1-S") is None


def test_a_disk_that_refuses_keeps_an_entry_from_leaving_and_an_exit_not(tmp_path):
    """`put` raises before the first byte; `note` remembers what has happened all the same."""
    ledger = Ledger(tmp_path / "capital.db")
    ledger._base.execute("PRAGMA query_only=1")

    with pytest.raises(BrokerUnavailable, match="cannot be written"):
        ledger.put(entry())
    ledger.note(entry("E2"))

    assert list(ledger.intents) == ["E2"]


def test_a_file_that_is_none_of_ours_is_refused(tmp_path):
    """Damage is told, not overwritten."""
    path = tmp_path / "capital.db"
    path.write_bytes(b"no database at all, only some words" * 40)
    with pytest.raises(BrokerUnavailable, match="cannot be read"):
        Ledger(path)

    path.unlink()
    Ledger(path).close()
    with sqlite3.connect(path) as base:
        base.execute("INSERT INTO intents VALUES ('E1', CAST('{' AS BLOB))")
    base.close()
    with pytest.raises(BrokerUnavailable, match="cannot be read"):
        Ledger(path)


async def test_a_slow_disk_keeps_the_order_and_not_the_loop(tmp_path):
    """An order's row waits for its turn and is durable when it comes back; what is noted meanwhile comes after it."""
    path = tmp_path / "capital.db"
    ledger, other = Ledger(path, threaded=True), sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # for as long as this lasts nothing can be written
    arming = asyncio.create_task(ledger.arm(entry()))
    for _ in range(100):
        await asyncio.sleep(0)
    ledger.note(entry("E2"))

    assert not arming.done()
    other.execute("ROLLBACK")
    await arming
    assert Ledger(path).intents["E1"] == entry()
    await ledger.end()
    assert list(Ledger(path).intents) == ["E1", "E2"]
    other.close()


async def test_a_ledger_that_cannot_be_written_says_so_before_the_order_leaves(tmp_path):
    """By its thread as without; a note is lost in silence, and nothing is noted once it has ended."""
    path = tmp_path / "capital.db"
    ledger, other = Ledger(path, threaded=True), sqlite3.connect(path, isolation_level=None)
    other.execute("DROP TABLE intents")

    with pytest.raises(BrokerUnavailable, match="cannot be written"):
        await ledger.arm(entry())
    ledger.note(entry("E2"))
    await ledger.end()
    ledger.note(entry("E3"))

    assert list(ledger.intents) == ["E2", "E3"]
    other.close()


async def test_the_log_has_its_length_before_the_first_order(tmp_path):
    """No order's row makes the file grow; what a power cut left of an earlier lengthening is no row."""
    path = tmp_path / "capital.db"
    with closing(sqlite3.connect(path)) as base:
        base.execute("CREATE TABLE stretch (zeros BLOB) STRICT")
    ledger, log = Ledger(path, threaded=True), tmp_path / "capital.db-wal"
    await ledger.arm(entry())
    length = log.stat().st_size
    for number in range(20):
        await ledger.arm(entry(f"F{number}"))

    assert length >= LOG_BYTES
    assert log.stat().st_size == length
    assert len(Ledger(path).intents) == 21
    await ledger.end()
    with closing(sqlite3.connect(path)) as base:
        assert base.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [("intents",)]
