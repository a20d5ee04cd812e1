"""joed.daemon.remains: what a record still tells to somebody who has no engine."""

from decimal import Decimal

import pytest

from joed.daemon.record import encode_state
from joed.daemon.remains import Executed, Remains, read_remains
from joed.daemon.store import Store
from joed.model.commands import SubmitOrder
from joed.model.events import BrokerRead, OrderFilled, SettingsLoaded, StopAsked
from joed.model.orders import Execution, Order
from joed.model.settings import Settings
from joed.model.state import State
from joed.model.values import Kind, Leg, Side, Status

SUBMIT = SubmitOrder(
    "e2", "paper", "KO", Side.BUY, Decimal(5), Kind.LIMIT, Leg.ENTRY, True, stop_order="s2", stop=Decimal(9), group="e2"
)
CLOSE = SubmitOrder("c1", "paper", "KO", Side.SELL, Decimal(3), Kind.MARKET, Leg.CLOSE, False, group="e1")


def fill(order, execution, side, quantity, revision=0):
    """Give an execution."""
    return OrderFilled(order, execution, "KO", side, Decimal(quantity), Decimal(10), revision=revision)


@pytest.fixture
def path(tmp_path):
    """Give a journal with settings, a snapshot that knows one execution, and a tail that knows more."""
    path = tmp_path / "joed.db"
    store = Store.open(path)
    store.add(1, 10, "2026-09-01", SettingsLoaded(Settings(account="A"), "d"), [])
    store.add(2, 20, "2026-09-01", SettingsLoaded(Settings(account="B"), "d"), [])
    order = Order(
        "e1", "paper", "KO", Side.BUY, Decimal(10), Kind.LIMIT, Leg.ENTRY, True, Status.FILLED, "e1", "s", "x"
    )
    order.executions = {"x1": Execution(Decimal(10), Decimal(50), Decimal(0), 0)}
    store.add_snapshot(2, 20, encode_state(State(seq=2, orders={"e1": order})))
    store.add(3, 30, "2026-09-01", StopAsked("x"), [SUBMIT, CLOSE])
    store.add(4, 40, "2026-09-01", fill("e2", "x2", Side.BUY, 5), [])
    store.add(5, 50, "2026-09-01", fill("e1", "x1", Side.BUY, 8, revision=1), [])
    read = BrokerRead("paper", 1, 1, 2, True, executions=(fill("c1", "x3", Side.SELL, 3),))
    store.add(6, 60, "2026-09-01", read, [])
    store.commit()
    store.close()
    return path


def test_it_gives_the_last_settings_and_where_the_record_ends(path):
    """The newest SettingsLoaded, whatever came after it."""
    found = read_remains(path)

    assert (found.seq, found.at_ns, found.session) == (6, 60, "2026-09-01")
    assert (found.settings.account, found.settings_seq) == ("B", 2)
    assert found.damage == []


def test_it_gives_every_execution_by_its_latest_word_and_the_group_of_each_order(path):
    """From the snapshot, from fills, from readings; a correction replaces."""
    found = read_remains(path)

    assert found.executions == {
        ("e1", "x1"): Executed("KO", Side.BUY, Decimal(8), 1),
        ("e2", "x2"): Executed("KO", Side.BUY, Decimal(5), 0),
        ("c1", "x3"): Executed("KO", Side.SELL, Decimal(3), 0),
    }
    assert {"e1": "e1", "e2": "e2", "s2": "e2", "c1": "e1"}.items() <= found.groups.items()


def test_it_changes_nothing(path):
    """Not a byte of the file, and no file beside it that was not there."""
    before = path.read_bytes()
    read_remains(path)

    assert path.read_bytes() == before


def test_one_part_that_cannot_be_read_does_not_cost_the_others(path):
    """A snapshot of another build is told; settings are there all the same."""
    store = Store.open(path)
    store.add_snapshot(6, 60, b"\x00nonsense")
    store.commit()
    store.close()

    found = read_remains(path)

    assert found.settings.account == "B"
    assert [words for words in found.damage if words.startswith("orders:")]


def test_no_journal_and_no_database_are_told(tmp_path):
    """Nothing is made where nothing was."""
    (tmp_path / "other.db").write_bytes(b"not a database, but long enough to be looked at" * 40)

    assert read_remains(tmp_path / "joed.db").damage
    assert read_remains(tmp_path / "other.db").damage
    assert not (tmp_path / "joed.db").exists()


def test_a_word_of_a_lower_revision_is_old_news():
    """Also when it comes later."""
    found = Remains()
    for revision, quantity in ((0, 10), (1, 8), (0, 10)):
        found.hear(fill("e1", "x1", Side.BUY, quantity, revision))

    assert found.executions["e1", "x1"].quantity == 8
