"""joed.brokers.ibkr.translate: TWS's words and ours, both ways, to the last digit."""

from datetime import UTC, datetime
from decimal import Decimal as Money
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from joed.brokers.ibkr import translate as t
from joed.errors import BadMessage
from joed.model.commands import AmendOrder
from joed.model.settings import Instrument
from joed.model.values import SECOND, Kind, Side, Status, Tif, decimal
from tests.brokers.rigs import bracket, close


def order_of(kind, **prices):
    """Give what is read of the library's Order."""
    return SimpleNamespace(**{"orderType": kind, "lmtPrice": t.UNSET, "auxPrice": t.UNSET, **prices})


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (Instrument("AAPL"), {"secType": "STK", "symbol": "AAPL", "currency": "USD", "exchange": "SMART"}),
        (Instrument("BRK.B"), {"secType": "STK", "symbol": "BRK B", "currency": "USD", "exchange": "SMART"}),
        (Instrument("VIX", kind="index"), {"secType": "IND", "symbol": "VIX", "currency": "USD", "exchange": "CBOE"}),
        (
            Instrument("EUR/USD", kind="currency"),
            {"secType": "CASH", "symbol": "EUR", "currency": "USD", "exchange": "IDEALPRO"},
        ),
    ],
)
def test_each_kind_of_instrument_has_its_description(row, expected):
    """Type, symbol, currency and route, as contract descriptions have them."""
    assert t.contract_of(row) == expected


def test_a_primary_exchange_tells_two_of_one_name_apart():
    """SMART stays the route; an index is where it is."""
    assert t.contract_of(Instrument("MSFT"), "NASDAQ")["primaryExchange"] == "NASDAQ"
    assert t.contract_of(Instrument("DAX", kind="index"), "EUREX")["exchange"] == "EUREX"


def test_a_kind_without_a_name_there_has_none():
    """A future needs its month: nothing is guessed."""
    with pytest.raises(KeyError):
        t.contract_of(Instrument("ES", kind="future"))


def test_a_bracket_is_three_legs_of_which_the_stop_transmits_all():
    """bracket_order.html: held back until the last comes; so an entry is never there without its stop."""
    legs = t.tickets_of(bracket(), "DU1", extended=False)

    assert [leg.order for leg in legs] == ["E1", "E1-T", "E1-S"]
    assert [leg.fields["transmit"] for leg in legs] == [False, False, True]
    assert [leg.fields["orderRef"] for leg in legs] == ["E1", "E1-T", "E1-S"]
    assert [leg.fields["action"] for leg in legs] == ["BUY", "SELL", "SELL"]
    assert [leg.fields["orderType"] for leg in legs] == ["LMT", "LMT", "STP"]
    assert [leg.fields.get("lmtPrice") for leg in legs] == ["100.00", "110.00", None]
    assert legs[2].fields["auxPrice"] == "95.00"


def test_each_leg_says_its_time_in_force_its_account_and_its_hours():
    """A preset of TWS would choose what is not said (10349); a stop of the day leaves a position naked at its end."""
    legs = t.tickets_of(bracket(), "DU1", extended=True)

    assert [leg.fields["tif"] for leg in legs] == ["DAY", "GTC", "GTC"]
    assert {leg.fields["account"] for leg in legs} == {"DU1"}
    assert [leg.fields["outsideRth"] for leg in legs] == [True] * 3
    assert not any(leg.fields["outsideRth"] for leg in t.tickets_of(bracket(), "DU1", extended=False))


def test_the_exits_reduce_one_another_and_the_entry_is_not_among_them():
    """OCA type 2: a target that fills in part leaves the stop for the rest. The group's name is the entry's, once."""
    entry, target, stop = t.tickets_of(bracket(), "DU1", extended=False)

    assert "ocaGroup" not in entry.fields
    assert (target.fields["ocaGroup"], target.fields["ocaType"]) == ("E1", 2) == (stop.fields["ocaGroup"], 2)


def test_a_close_joins_the_group_of_its_position():
    """Whichever fills first shrinks the others: nothing is left that could open the other way."""
    (only,) = t.tickets_of(close(), "DU1", extended=True)

    assert (only.fields["ocaGroup"], only.fields["orderType"], only.fields["tif"]) == ("E1", "MKT", "GTC")
    assert (only.fields["transmit"], only.fields["outsideRth"]) == (True, False)


def test_a_close_of_what_the_broker_knows_no_group_of_has_none():
    """A position that was adopted."""
    (only,) = t.tickets_of(changed(close(), group=""), "DU1", extended=False)

    assert "ocaGroup" not in only.fields


def test_an_amendment_is_the_whole_order_with_its_new_terms():
    """Absolute, transmitted, and of the same type: a stop's level is its trigger."""
    stop = t.tickets_of(bracket(), "DU1", extended=False)[2].fields

    fields = t.amended(stop, AmendOrder("E1-S", Money("97.5"), Money(6)))

    assert fields == {**stop, "auxPrice": "97.5", "totalQuantity": "6", "transmit": True}
    assert "lmtPrice" not in fields


@given(st.decimals(min_value="0.0001", max_value="1000000", places=4))
def test_a_price_of_the_wire_is_the_number_that_was_written(price):
    """A double reads back as the decimal that made it, for every price that a market has."""
    assert t.number(float(t.plain(price))) == price == decimal(float(price))


def test_what_is_unset_is_none_and_what_is_no_number_is_refused():
    """The largest double is TWS's word for nothing; NaN never passes."""
    assert t.number(t.UNSET) is None
    assert t.quantity(t.UNSET) == 0
    assert t.number(10.0) == Money(10)
    for value in (float("nan"), float("inf")):
        with pytest.raises(BadMessage):
            t.number(value)


@pytest.mark.parametrize(
    ("text", "value"), [("100000.00", Money("100000.00")), ("1.7976931348623157E308", None), ("true", None), ("", None)]
)
def test_a_figure_of_the_account_is_a_number_or_none(text, value):
    """They come as text, and some are no numbers."""
    assert t.figure(text) == value


@pytest.mark.parametrize(
    ("words", "held", "filled", "status"),
    [
        ("Submitted", "", 0, Status.WORKING),
        ("Submitted", "", 4, Status.PARTIAL),
        ("PreSubmitted", "trigger", 0, Status.WORKING),
        ("PreSubmitted", "child,trigger", 0, Status.ACKED),
        ("PreSubmitted", "child", 0, Status.ACKED),
        ("PreSubmitted", "locate", 0, Status.WORKING),
        ("PendingSubmit", "", 0, Status.ACKED),
        ("PendingCancel", "", 0, Status.WORKING),
        ("Inactive", "", 0, Status.ACKED),
        ("Filled", "", 10, Status.FILLED),
        ("Cancelled", "", 0, Status.CANCELLED),
        ("ApiCancelled", "", 0, Status.CANCELLED),
    ],
)
def test_where_an_order_stands(words, held, filled, status):
    """PreSubmitted is a stop that works, or a child that waits: the reason to hold it tells which."""
    assert t.status_of(words, held, Money(filled)) is status


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        ("Filled", "Filled Size: 10", Status.FILLED),
        ("Cancelled", "Cancelled by Trader", Status.CANCELLED),
        ("Cancelled", "the order has expired", Status.EXPIRED),
        ("Inactive", "Rejected: margin", Status.REJECTED),
    ],
)
def test_how_a_completed_order_ended(status, said, expected):
    """There is no status for a refusal and none for an expiry: the words tell."""
    assert t.ended_of(SimpleNamespace(status=status, completedStatus=said)) is expected


def test_the_level_is_where_the_type_has_it():
    """A limit's price, a stop's trigger, nothing of a market order."""
    assert t.level_of(order_of("LMT", lmtPrice=99.5)) == Money("99.5")
    assert t.level_of(order_of("STP", lmtPrice=0.0, auxPrice=95.0)) == Money(95)
    assert t.level_of(order_of("MKT", lmtPrice=0.0)) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0000e0d5.5f1c.01.01", ("0000e0d5.5f1c.01", 0)),
        ("0000e0d5.5f1c.01.02", ("0000e0d5.5f1c.01", 1)),
        ("x", ("x", 0)),
    ],
)
def test_a_correction_is_the_same_execution(text, expected):
    """It differs behind the last dot, and replaces."""
    assert t.execution_of(text) == expected


def execution(**fields):
    """Give an execution as the library has it."""
    known = {
        "execId": "0000e0d5.5f1c.01.01",
        "orderRef": "E1",
        "side": "BOT",
        "shares": 10.0,
        "price": 99.95,
        "time": datetime(2026, 9, 1, 13, 30, 5, tzinfo=UTC),
    }
    return SimpleNamespace(**{**known, **fields})


def test_an_execution_is_a_fill_and_its_correction_a_higher_revision():
    """Two numbers of ours for each of IBKR's: the higher one has the fee."""
    words = [
        t.fill_of(execution(execId=f"0000e0d5.5f1c.01.{last}"), "AAA", "", "ibkr", fee)
        for last, fee in (("01", None), ("01", Money("1.00")), ("02", None))
    ]

    assert [(fill.revision, fill.fee) for fill in words] == [(0, 0), (1, 1), (2, 0)]
    assert len({fill.execution for fill in words}) == 1
    first = words[0]
    assert (first.order, first.side, first.quantity, first.price) == ("E1", Side.BUY, Money(10), Money("99.95"))
    assert first.at_ns == 1_788_269_405 * SECOND


@pytest.mark.parametrize(
    ("text", "today"),
    [
        ("20260901 09:30:05 US/Eastern", "20260901 09:30:05 America/New_York"),
        ("20260901 09:30:05 America/New_York", "20260901 09:30:05 America/New_York"),
        ("20260901 15:30:05 MET", "20260901 15:30:05 Europe/Berlin"),
        ("1788269405", "1788269405"),
    ],
)
def test_an_old_name_of_a_zone_is_its_name_of_today(text, today):
    """Systems drop the old ones; an execution whose time cannot be read would be an execution lost."""
    assert t.zoned(text) == today


def test_regular_hours_are_those_of_the_first_open_day():
    """Closed days and odd forms are passed over; without any, a day is a day."""
    day = t.day_of("20261126:CLOSED;20261127:0930-20261127:1300", "US/Eastern")
    assert (day.zone.key, day.start, day.end) == ("America/New_York", 570, 780)

    unknown = t.day_of("1700-1600", "Mars/Olympus")
    assert (unknown.zone.key, unknown.start, unknown.end) == ("UTC", 0, 1440)


@pytest.mark.parametrize(("account", "paper"), [("DU1234567", True), ("DF1", True), ("U1234567", False), ("F1", False)])
def test_an_account_says_whose_money_it_is(account, paper):
    """IBKR's own naming."""
    assert t.is_paper(account) is paper


def test_an_open_order_is_seen_in_our_words():
    """Our id is its orderRef, its number the account-wide permId."""
    order = SimpleNamespace(orderRef="E1-S", permId=77, action="SELL", orderType="STP", auxPrice=95.0)

    seen = t.seen_of(order, "AAA", "PreSubmitted", "trigger", Money(0), Money(10))

    assert (seen.order, seen.broker_id, seen.side, seen.quantity) == ("E1-S", "77", Side.SELL, Money(10))
    assert (seen.status, seen.level) == (Status.WORKING, Money(95))


def test_an_order_that_tws_shows_can_be_said_again_whole():
    """After a restart it can be amended as if it had been placed by this process."""
    shown = SimpleNamespace(**dict.fromkeys(t.KEPT, ""))
    shown.orderType, shown.lmtPrice, shown.auxPrice, shown.totalQuantity = "STP", t.UNSET, 95.0, 10.0

    fields = t.fields_of(shown)

    assert (fields["lmtPrice"], fields["auxPrice"], fields["totalQuantity"]) == (t.UNSET, "95", "10")
    assert fields["orderType"] == t.TYPES[Kind.STOP]
    assert {tif.value for tif in Tif} == {"DAY", "GTC"}
