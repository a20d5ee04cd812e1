"""How events, commands and State become bytes."""

from decimal import Decimal
from hashlib import sha256

import msgspec
import pytest

from joed.daemon import record
from joed.errors import BadMessage
from joed.model import commands, events
from joed.model.settings import Settings
from joed.model.state import Market, State
from tests.daemon.records import fill, quote


@pytest.mark.parametrize(
    "event",
    [
        fill(1),
        quote(2),
        events.Tick(),
        events.SettingsLoaded(Settings(), "d1"),
        events.AnalyticsMade(1, {"sharpe": None, "drawdown": 0.1}),
        events.BrokerRead("paper", 1, 0, 1, complete=True, executions=(fill(1),), cash=Decimal("1.10")),
    ],
)
def test_an_event_reads_back_as_what_it_was(event):
    """A recovered engine must meet the very event that the living one met."""
    assert record.decode_event(record.encode_event(event)) == event


def test_money_is_text_in_a_record():
    """A float would lose the cent that an auditor looks for."""
    assert b'"price":"101.50"' in record.encode_event(fill(1))


def test_commands_read_back_in_their_order():
    """The record shows every decision beside its cause, in the order it was made."""
    issued = [commands.CancelOrder("a"), commands.RunJob("scan", 1, 2, {"p": {"x": 1, "y": 1.0, "z": True}})]

    assert record.decode_commands(record.encode_commands(issued)) == issued
    assert record.encode_commands([]) == b"[]"
    assert record.decode_commands("[]") == []


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_a_float_that_is_no_number_is_refused_where_a_record_would_lose_it(odd):
    """JSON would hold a null: a record that cannot be read again stops every later start."""
    with pytest.raises(BadMessage, match="not a finite number"):
        record.encode_event(events.Quote("AAPL", bid=odd, ask=1.0))
    with pytest.raises(BadMessage, match="not a finite number"):
        record.encode_event(events.AnalyticsMade(1, {"sharpe": odd}))
    with pytest.raises(BadMessage, match="not a finite number"):
        record.encode_commands([commands.RunJob("scan", 1, 2, {"p": {"x": odd}})])


def test_a_dict_keeps_its_order():
    """A recovered State must iterate as the living one did, or it decides otherwise."""
    event = events.MarketScanned(1, (), {"zebra": 1, "apple": 2})

    assert list(record.decode_event(record.encode_event(event)).rejected) == ["zebra", "apple"]


def test_a_kind_is_the_events_literal_tag():
    """Views ask for kinds by name; every event's tag is its name today, and stays when a class is renamed."""
    assert record.kind_of(fill(1)) == "OrderFilled"
    assert {kind.__struct_config__.tag for kind in events.ANY.__args__} == {
        kind.__name__ for kind in events.ANY.__args__
    }


def test_a_block_keeps_rows_with_gaps_and_seals_their_bytes():
    """Facts may stand between rows, so each row carries its own seq."""
    rows = [(3, 30, quote(3)), (5, 50, events.Tick())]

    block = record.seal_rows(rows)

    assert record.decode_rows(block.rows) == rows
    assert block.seal == record.Seal(3, 5, 2, sha256(block.rows).hexdigest())
    assert record.decode_seal(record.encode_seal(block.seal)) == block.seal


def test_a_snapshot_holds_the_state_without_the_key():
    """The key that tells our orders from others' never lies in a file that is copied and exported."""
    state = State(id_key=b"secret-key", seq=7, now=70, markets={"AAPL": Market("AAPL", quote=quote(1))})

    data = record.encode_state(state)

    assert b"secret-key" not in data
    assert record.decode_state(data, b"secret-key") == state
    assert state.id_key == b"secret-key"


def test_what_is_no_record_is_refused_by_name():
    """Bytes that cannot be what they claim raise msgspec's own error, which the readers turn into damage."""
    for read in (record.decode_event, record.decode_commands, record.decode_seal, record.decode_rows):
        with pytest.raises(msgspec.DecodeError):
            read(b"\xc1")


def test_the_hash_covers_every_column_and_where_each_ends():
    """Any change changes the hash, also one that moves a column's last byte to the next."""
    row = (bytes(32), 1, 2, b"s", b"k", b"event", b"commands")
    others = [
        (bytes(31) + b"\1", *row[1:]),
        (row[0], 2, *row[2:]),
        (*row[:2], 3, *row[3:]),
        (*row[:3], b"z", *row[4:]),
        (*row[:4], b"z", *row[5:]),
        (*row[:3], b"sk", b"", *row[5:]),
        (*row[:5], b"eventc", b"ommands"),
        (*row[:6], b"commandz"),
    ]

    assert len({record.chain(*each) for each in [row, *others]}) == len(others) + 1
