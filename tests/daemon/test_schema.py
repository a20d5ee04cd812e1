"""The views over a day written by hand: what a person reads of the journal with any SQL tool."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from joed.daemon import chain, schema
from joed.daemon.chain import EVERYTHING, JournalDamaged
from joed.daemon.schema import digest_meta
from joed.daemon.store import Store
from joed.model import commands, events
from joed.model.values import Kind, Leg, Side, Status

D = Decimal
SESSION = "2026-11-20"
FIRST = Path(__file__).parent / "orders_v1.sql"
"""The view of orders that the first version had."""
ENTRY, STOP, TARGET = (f"j1-20261120-1-3.0-{leg}-ab12" for leg in "EST")
CLOSE = "j1-20261120-1-9.0-C-cd34"
LOST, LOST_STOP, LOST_TARGET = (f"j1-20261120-1-4.0-{leg}-ef56" for leg in "EST")


def bracket(entry, stop, target, **terms):
    """Give an entry with its two children."""
    said = {"broker": "paper", "instrument": "AAPL", "side": Side.BUY, "quantity": D(10), "kind": Kind.LIMIT}
    said |= {
        "leg": Leg.ENTRY,
        "opens": True,
        "level": D("100.10"),
        "group": entry,
        "strategy": "breakout",
        "signal": "s1",
    }
    children = {"stop_order": stop, "stop": D(98), "target_order": target, "target": D(110)}
    return commands.SubmitOrder(order=entry, **(said | children | terms))


def filled(order, execution, quantity, price, **more):
    """Give a fill of AAPL, a purchase unless it is said otherwise."""
    said = {"instrument": "AAPL", "side": Side.BUY, "quantity": D(quantity), "price": D(price), "fee": D("0.35")}
    return events.OrderFilled(order, execution, **(said | more))


def read(**more):
    """Give a complete read of the paper broker."""
    return events.BrokerRead("paper", 1, 0, 1, complete=True, **more)


@pytest.fixture
def day(tmp_path):
    """Write records given as (event, commands) and open the file as a stranger's tool would."""
    opened = []

    def write(*records):
        store = Store.open(tmp_path / "joed.db")
        for seq, (event, *issued) in enumerate(records, start=1):
            store.add(seq, seq * 10, SESSION, event, issued)
        store.commit()
        store.close()
        opened.append(sqlite3.connect(tmp_path / "joed.db"))
        return opened[-1]

    yield write
    for db in opened:
        db.close()


FILLS = 'SELECT seq, "order", execution, quantity, price, fee, cash, leg, revision FROM fills'


def test_a_fill_is_a_row_with_its_cash(day):
    """A purchase takes cash and its fee; a sale gives cash less its fee; money stays exact text."""
    db = day(
        (filled(ENTRY, "x1", 10, "100.10"),),
        (filled(STOP, "x2", 10, "98.00", side=Side.SELL),),
    )

    assert db.execute(FILLS).fetchall() == [
        (1, ENTRY, "x1", "10", "100.10", "0.35", -1001.35, "E", 0),
        (2, STOP, "x2", "10", "98.00", "0.35", 979.65, "S", 0),
    ]


def test_an_execution_told_twice_is_one_row(day):
    """A duplicate changes nothing: not the count, not the cash, not the record that it is known from."""
    db = day((filled(ENTRY, "x1", 10, "100"),), (filled(ENTRY, "x1", 10, "100"),))

    assert db.execute("SELECT seq, cash FROM fills").fetchall() == [(1, -1000.35)]


def test_the_latest_revision_wins_in_whatever_order_they_came(day):
    """A correction replaces, also when the original is told after it; a bust leaves no quantity."""
    db = day(
        (filled(ENTRY, "x1", 10, "100", revision=1),),
        (filled(ENTRY, "x1", 10, "99"),),
        (filled(ENTRY, "x2", 5, "100"),),
        (filled(ENTRY, "x2", 0, "100", fee=D(0), revision=2),),
    )

    assert db.execute("SELECT seq, quantity, price, cash, revision FROM fills").fetchall() == [
        (1, "10", "100", -1000.35, 1),
        (4, "0", "100", 0.0, 2),
    ]


def test_an_execution_found_by_reconciliation_is_included_once(day):
    """A fill that only the broker's book told us is a fill; one that both told is one."""
    missed, known = filled(ENTRY, "x2", 4, "100"), filled(ENTRY, "x1", 6, "100")
    db = day((known,), (read(executions=(known, missed)),), (read(executions=(known, missed)),))

    assert db.execute("SELECT seq, execution, broker FROM fills").fetchall() == [(1, "x1", ""), (2, "x2", "paper")]


def test_a_strangers_execution_is_no_fill_of_ours(day):
    """It belongs to the account, not to the books."""
    db = day((read(executions=(filled("", "x9", 4, "100"),)),))

    assert db.execute("SELECT count(*) FROM fills").fetchone() == (0,)


def test_the_same_execution_id_of_two_orders_is_two_fills(day):
    """Brokers number within a session; an order's id is never used again."""
    db = day((filled(ENTRY, "x1", 6, "100"),), (filled(CLOSE, "x1", 6, "101", side=Side.SELL),))

    assert db.execute("SELECT leg FROM fills").fetchall() == [("E",), ("C",)]


def test_the_sum_of_cash_is_the_decimal_sum(day):
    """What SQL adds up in floats agrees with the exact sum to the last cent."""
    fills = [filled(ENTRY, f"x{n}", n, f"{100 + n / 100:.2f}") for n in range(1, 200)]
    db = day(*((fill,) for fill in fills))

    exact = sum(-fill.quantity * fill.price - fill.fee for fill in fills)

    assert db.execute("SELECT round(sum(cash), 6) FROM fills").fetchone()[0] == float(exact)


def test_each_command_is_a_row(day):
    """By record and place in it, as the JSON that is stored."""
    issued = [commands.CancelOrder(ENTRY, "late"), commands.Stop("done")]
    db = day((events.StopAsked("SIGTERM"), *issued), (events.JournalRestored(),))

    assert db.execute('SELECT seq, "index", type, json FROM commands').fetchall() == [
        (1, 0, "CancelOrder", f'{{"type":"CancelOrder","order":"{ENTRY}","reason":"late","broker_id":""}}'),
        (1, 1, "Stop", '{"type":"Stop","reason":"done","exit_code":0}'),
    ]


def test_equity_is_a_row_for_each_mark(day):
    """The curve that reports draw."""
    mark = commands.MarkEquity(D("100010.50"), D("99000.00"), D("10.50"), D(0), D("0.70"))
    db = day((events.HeartbeatMeasured(0, 1), mark))

    assert db.execute("SELECT * FROM equity").fetchall() == [
        (1, 10, SESSION, "100010.50", "99000.00", "10.50", "0", "0.70")
    ]


def statuses(db):
    """Read each order's leg, terms, status and filled quantity."""
    return db.execute("SELECT leg, side, kind, level, status, filled FROM orders").fetchall()


def test_a_bracket_is_three_orders(day):
    """The children trade the other way, at the levels they were given."""
    db = day((events.HeartbeatMeasured(0, 1), bracket(ENTRY, STOP, TARGET)))

    assert statuses(db) == [
        ("E", "BUY", "LIMIT", "100.10", "ARMED", 0),
        ("S", "SELL", "STOP", "98", "ARMED", 0),
        ("T", "SELL", "LIMIT", "110", "ARMED", 0),
    ]
    assert db.execute('SELECT "order", "group", quantity, strategy FROM orders').fetchall() == [
        (order, ENTRY, "10", "breakout") for order in (ENTRY, STOP, TARGET)
    ]


def test_an_order_has_its_latest_status(day):
    """Sent, working, filled in part, stopped out: each leg by what was told of it, and an end outlives later words."""
    db = day(
        (events.HeartbeatMeasured(0, 1), bracket(ENTRY, STOP, TARGET)),
        (events.CommandSent(1, 0, ENTRY),),
        (events.OrderAccepted(ENTRY, "7"),),
        (filled(ENTRY, "x1", 4, "100"),),
        (filled(ENTRY, "x2", 6, "100"),),
        (events.OrderWorking(STOP, D(10), D(98)),),
        (events.OrderWorking(TARGET, D(10), D(110)),),
        (filled(TARGET, "x3", 4, "110", side=Side.SELL),),
        (filled(STOP, "x4", 6, "98", side=Side.SELL),),
        (events.OrderCancelled(STOP),),
        (events.OrderWorking(STOP, D(4)),),
    )

    assert [(leg, status, done) for leg, *_, status, done in statuses(db)] == [
        ("E", "FILLED", 10),
        ("S", "CANCELLED", 6),
        ("T", "PARTIAL", 4),
    ]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([(events.CommandSent(1, 0, ENTRY),)], ["SENT"] * 3),
        ([(events.CommandDropped(1, 0, ENTRY, "killed"),)], ["ABSENT_PROVEN"] * 3),
        ([(events.CommandSent(9, 0, ENTRY),)], ["ARMED"] * 3),
        ([(events.OrderRejected(ENTRY, "201"),)], ["REJECTED"] * 3),
        ([(events.OrderExpired(ENTRY),)], ["EXPIRED", "ARMED", "ARMED"]),
        ([(events.Tick(), commands.CancelOrder(ENTRY))], ["CANCEL_ASKED", "ARMED", "ARMED"]),
        ([(events.Tick(), commands.MarkUncertain(ENTRY, "?"))], ["UNCERTAIN", "ARMED", "ARMED"]),
        ([(events.Tick(), commands.RetireOrder(ENTRY, "read twice"))], ["ABSENT_PROVEN", "ARMED", "ARMED"]),
        ([(read(ended={STOP: Status.CANCELLED}),)], ["ARMED", "CANCELLED", "ARMED"]),
        (
            [(read(orders=(events.OrderSeen(STOP, "8", "AAPL", Side.SELL, D(10), Status.WORKING),)),)],
            ["ARMED", "WORKING", "ARMED"],
        ),
    ],
)
def test_every_word_on_an_order_is_understood(day, words, status):
    """Words on the sending hold for the bracket, a word on another command for none of it."""
    db = day((events.HeartbeatMeasured(0, 1), bracket(ENTRY, STOP, TARGET)), *words)

    assert [row[4] for row in statuses(db)] == status


def test_an_exit_is_done_when_nothing_is_left_for_it_to_do(day):
    """Of 10 the close took 3; the target was told that 7 are left, filled them, and is no order in part."""
    close = bracket(CLOSE, "", "", side=Side.SELL, kind=Kind.MARKET, leg=Leg.CLOSE, level=None, opens=False)
    db = day(
        (events.HeartbeatMeasured(0, 1), bracket(ENTRY, STOP, TARGET)),
        (filled(ENTRY, "x1", 10, "100"),),
        (events.OrderWorking(TARGET, D(10), D(110)),),
        (filled(TARGET, "x2", 4, "110", side=Side.SELL),),
        (events.HeartbeatMeasured(0, 1), close),
        (filled(CLOSE, "x3", 3, "109", side=Side.SELL),),
        (events.OrderWorking(TARGET, D(3), D(110)),),
        (filled(TARGET, "x4", 3, "110", side=Side.SELL),),
        (events.OrderCancelled(CLOSE),),
    )

    assert [(leg, status, done) for leg, *_, status, done in statuses(db)] == [
        ("E", "FILLED", 10),
        ("S", "ARMED", 0),
        ("T", "FILLED", 7),
        ("C", "CANCELLED", 3),
    ]


def test_a_file_of_the_first_version_is_read_as_it_is_and_mended_to_write(tmp_path):
    """Its one other view is the one that version had; after that it is of this version, word by word."""
    path = tmp_path / "joed.db"
    first = FIRST.read_text("utf-8")
    as_first(path, first)
    chain.check(path, EVERYTHING)
    assert version_of(path) == "1"

    Store.open(path).close()

    assert version_of(path) == str(schema.VERSION)
    chain.check(path, EVERYTHING)
    Store.open(path).close()


def test_a_view_that_only_looks_like_the_first_one_is_damage(tmp_path):
    """A file of version 1 whose view tells otherwise is left alone."""
    path = tmp_path / "joed.db"
    as_first(path, FIRST.read_text("utf-8").replace("'PARTIAL'", "'FILLED'"))

    with pytest.raises(JournalDamaged, match="schema is not ours: orders"):
        Store.open(path)
    assert version_of(path) == "1"


def as_first(path, view):
    """Make a journal as version 1 made it, with this view of orders."""
    Store.open(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP VIEW orders")
        db.executescript(view)
        db.execute("UPDATE meta SET value = '1', digest = ? WHERE key = 'schema'", (digest_meta(b"schema", b"1"),))
        db.commit()


def version_of(path):
    """Give the version that a file says."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()[0]


def test_an_order_without_children_is_one_row(day):
    """A close, or a stop put back, stands alone."""
    close = bracket(CLOSE, "", "", side=Side.SELL, kind=Kind.MARKET, leg=Leg.CLOSE, level=None, opens=False)
    db = day((events.HeartbeatMeasured(0, 1), close), (filled(CLOSE, "x", 10, "101", side=Side.SELL),))

    assert statuses(db) == [("C", "SELL", "MARKET", None, "FILLED", 10)]


def test_a_new_file_is_safe_before_its_first_record(tmp_path):
    """Write-ahead log, every commit synced, no checkpoint on a commit's path."""
    db = schema.connect(tmp_path / "joed.db")

    asked = ["journal_mode", "synchronous", "wal_autocheckpoint", "foreign_keys", "cell_size_check"]
    assert [db.execute(f"PRAGMA {name}").fetchone()[0] for name in asked] == ["wal", 2, 0, 1, 1]
    assert (tmp_path / "joed.db").stat().st_mode & 0o007 == 0
    db.close()


def test_a_transaction_is_whole_or_nothing(tmp_path):
    """What raised inside leaves no trace."""
    db = schema.connect(tmp_path / "joed.db")

    def fail_inside():
        with schema.transaction(db):
            db.execute("INSERT INTO tape VALUES(1, 1, 1, x'00', x'00')")
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()

    assert db.execute("SELECT count(*) FROM tape").fetchone() == (0,)
    db.close()
