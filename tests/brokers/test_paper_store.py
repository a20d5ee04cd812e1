"""paper.db: what was committed is there, also after kill -9; what was not has never been."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest

from joed.brokers import paper_store
from joed.brokers.paper_store import PaperStore, whole
from joed.errors import BadMessage, BrokerUnavailable
from joed.exchange import laws
from joed.model.book import laws as laws_of
from joed.model.events import Quote
from tests.brokers.rigs import bracket, close, exchange_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(name="store_at")
def fixture_store_at():
    """Give a way to open stores that are closed after the test."""
    stores = []

    def open_store(path):
        stores.append(PaperStore(path))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


def traded(store, exchange=None, first=1, count=1):
    """Open and close some positions, each turn committed; give the exchange."""
    exchange = exchange or exchange_of()
    exchange.quote(1, Quote("AAA", 99.9, 100.0))
    for number in range(first, first + count):
        for turn in (
            lambda number=number: exchange.submit(10 * number, bracket(f"E{number}")),
            lambda number=number: exchange.submit(10 * number + 1, close(f"C{number}", group=f"E{number}")),
        ):
            turn()
            store.commit(exchange.changes())
            exchange.stored()
    return exchange


def resumed(store):
    """Give an exchange that goes on from the store."""
    exchange = exchange_of()
    exchange.from_state(store.load())
    return exchange


def test_a_new_file_holds_no_account(tmp_path, store_at):
    """The exchange begins with its own cash."""
    assert store_at(tmp_path / "paper.db").load() is None


def test_what_was_committed_is_what_is_loaded(tmp_path, store_at):
    """Orders in their order, executions, lines, cash: all of it."""
    store = store_at(tmp_path / "paper.db")
    exchange = traded(store, count=3)
    store.close()

    assert resumed(store_at(tmp_path / "paper.db")).to_state() == exchange.to_state()


def test_a_loaded_exchange_forgets_what_the_running_one_forgot(tmp_path, store_at):
    """Memory is this session and the last; the file keeps every day, and the laws hold over all of them."""
    store = store_at(tmp_path / "paper.db")
    exchange = traded(store, count=2)
    for now in (100, 200):
        exchange.end_of_day(now)
        traded(store, exchange, first=now, count=1)

    again = resumed(store)
    history = whole(store.path)
    assert again.to_state() == exchange.to_state()
    assert len(again.executions) < len(history.executions) == 8
    assert laws(again) == laws_of(history) == []


def test_the_group_of_a_living_stop_is_loaded_whole_however_old_it_is(tmp_path, store_at):
    """A position of last week: its entry is needed to know what its stop may close."""
    store = store_at(tmp_path / "paper.db")
    exchange = exchange_of()
    exchange.quote(1, Quote("AAA", 99.9, 100.0))
    exchange.submit(2, bracket())
    store.commit(exchange.changes())
    exchange.stored()
    for now in (100, 200, 300):
        exchange.end_of_day(now)
        traded(store, exchange, first=now)

    again = resumed(store)
    assert list(again.orders)[:3] == ["E1", "E1-S", "E1-T"]
    assert again.to_state() == exchange.to_state()


def test_a_commit_that_fails_leaves_the_file_as_it_was(tmp_path, store_at):
    """All of a turn or nothing; the next commit can bring it."""
    store = store_at(tmp_path / "paper.db")
    exchange = traded(store)
    exchange.submit(50, bracket("E50"))
    changes = exchange.changes()
    store._base.execute("CREATE TEMP TRIGGER full BEFORE INSERT ON log BEGIN SELECT RAISE(ABORT, 'disk full'); END")

    with pytest.raises(BrokerUnavailable, match="disk full"):
        store.commit(changes)
    before = len(resumed(store).orders)
    store._base.execute("DROP TRIGGER full")
    store.commit(changes)

    assert (before, len(resumed(store).orders)) == (4, 7)


def test_commits_are_durable_by_the_settings_of_the_file(tmp_path, store_at):
    """WAL, and a sync with each commit."""
    store = store_at(tmp_path / "paper.db")

    assert store._base.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._base.execute("PRAGMA synchronous").fetchone() == (2,)


def test_one_process_has_the_file(tmp_path, store_at):
    """A second one is told who does; when the first lets go, it may."""
    store = store_at(tmp_path / "paper.db")

    with pytest.raises(BrokerUnavailable, match=f"held by process {os.getpid()}"):
        store_at(tmp_path / "paper.db")
    store.close()
    store.close()
    store_at(tmp_path / "paper.db").close()


@pytest.mark.needs_root
def test_a_full_disk_is_no_reason_not_to_hold_the_lock(tmp_path):
    """Who holds it cannot be written, and whoever comes second is refused all the same; the error is the file's own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder], check=True)
    try:
        (folder / "paper.db-lock").touch()
        with (folder / "stuffing").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        with pytest.raises(BrokerUnavailable, match="disk"):
            PaperStore(folder / "paper.db")
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("spoil", [b"this is no database, it is a letter" * 100, None])
def test_a_file_that_is_none_is_refused(tmp_path, spoil, store_at):
    """Bytes of something else, or a directory: BrokerUnavailable names the file, nothing is overwritten."""
    path = tmp_path / "paper.db"
    path.write_bytes(spoil) if spoil else path.mkdir()

    with pytest.raises(BrokerUnavailable, match=r"paper\.db"):
        store_at(path)
    assert path.is_dir() or path.read_bytes() == spoil


def test_a_file_of_a_later_version_is_refused(tmp_path, store_at):
    """What a newer joed wrote is not guessed at."""
    store_at(tmp_path / "paper.db").close()
    with sqlite3.connect(tmp_path / "paper.db") as base:
        base.execute(f"PRAGMA user_version = {paper_store.VERSION + 1}")
    base.close()

    with pytest.raises(BrokerUnavailable, match="version 2, this joed knows 1"):
        store_at(tmp_path / "paper.db")


def test_a_row_that_cannot_be_read_is_a_bad_message(tmp_path, store_at):
    """No part of an account is guessed."""
    store = store_at(tmp_path / "paper.db")
    traded(store)
    store._base.execute("UPDATE orders SET data = replace(data, 'BUY', 'BYE')")

    with pytest.raises(BadMessage, match=r"paper\.db"):
        store.load()


def test_a_history_that_is_not_there_is_said_so(tmp_path, store_at):
    """No file, and a file without an account."""
    store_at(tmp_path / "paper.db").close()

    with pytest.raises(BrokerUnavailable):
        whole(tmp_path / "absent.db")
    with pytest.raises(BrokerUnavailable, match="holds no account"):
        whole(tmp_path / "paper.db")


@pytest.mark.parametrize("acknowledged", [1, 7, 40])
def test_after_kill_9_everything_that_was_acknowledged_is_there(tmp_path, acknowledged, store_at):
    """A process trades and says each report after its commit; killed at any moment, its book has all it said."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.brokers.paper_victim", str(tmp_path / "paper.db")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as victim:
        said = [victim.stdout.readline().split() for _ in range(acknowledged)]
        victim.send_signal(signal.SIGKILL)
        said += [line.split() for line in victim.stdout.read().splitlines(keepends=True) if line.endswith("\n")]

    exchange = resumed(store_at(tmp_path / "paper.db"))
    executions = {execution.execution for execution in exchange.executions}
    for kind, order, execution in said:
        assert order in exchange.orders
        assert kind != "OrderFilled" or execution in executions
    assert laws(exchange) == laws_of(whole(tmp_path / "paper.db")) == []
    assert exchange.book.cash != Decimal(0)
