"""The fake TWS's bytes, to the last NUL: what three clients read is written down here, so that nothing moves unseen."""

from decimal import Decimal as Money

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.model.events import Quote
from joed.model.settings import Instrument
from joed.model.values import SECOND, Side
from tests.fakes.rig import CLIENT, desk, settle
from tests.fakes.tws.contracts import Asked, hours, listed_of, stamp
from tests.fakes.tws.lines import DELAYED, Board, Line, opening
from tests.fakes.tws.ticket import (
    Fill,
    Ticket,
    commission_report,
    completed_order,
    exec_details,
    open_order,
    order_status,
    ticket_of,
)
from tests.fakes.tws.wire import UNSET, BadFrame, Fields, Frames, fields_of, frame, raw_frame

AT_NS = 1_795_000_000 * SECOND
AAPL = listed_of(Instrument("AAPL"))
CONTRACT = "265598|AAPL|STK||0.0|?||SMART|USD|AAPL|NMS"


def ticket():
    """Give a target of ten that has sold four."""
    asked = Asked(265598, "AAPL", "STK", "", "", "", "", "SMART", "NASDAQ", "USD", "AAPL", "NMS")
    perm, limit = 1_400_000_002, Money("110.50")
    made = Ticket(7, 17, perm, asked, AAPL, Side.SELL, Money(10), "LMT", limit, None, "GTC", "E1-oca", 2)
    made.account, made.order_ref, made.parent_id, made.left, made.status = "DU1234567", "E1-T", 6, Money(6), "Submitted"
    fee, realized = Money("1.00"), Money("41.00")
    root = "0000e0d5.00000002.01"
    made.fills = [Fill(root, made, AT_NS, Side.SELL, Money(4), limit, fee, Money(4), limit, realized=realized)]
    return made


def told(*fields):
    """Give a message's body as one line: | for each NUL, U for what is unset."""
    body = frame(*fields)[4:].decode()
    assert body.endswith("\0")
    return body.replace(UNSET, "U").replace("\0", "|")


def test_an_open_order_is_written_field_by_field():
    """Message 5 at version 176: facts of the order first, then all that a simple order leaves empty."""
    assert told(*open_order(ticket())) == (
        f"5|7|{CONTRACT}|SELL|10|LMT|110.50|0.0|GTC|E1-oca|DU1234567||0|E1-T|17|1400000002|0|0|0||"
        "|||||||||"  # sharesAllocation to settlingFirm
        "|0||-1|0|||||||0|0|0||2|0|0||6|0||0|None||0||||0||||0|0||||||0|0|0|||||0||IB|0|0||0|0|Submitted|"
        "U|U|U|U|U|U|U|U|U||||||0|0|0|None|U|U|U|U|U|U|0||||U|0|0|0||||0||||||"
    )


def test_a_preview_carries_margins_and_commission():
    """The same message with whatIf set, nine margins, the commission and its currency."""
    made = ticket()
    made.what_if, made.status = True, "PreSubmitted"

    line = told(*open_order(made, (1, 2, 3, 4, 5, 6, 7, 8, 9, Money("1.00"), "USD")))

    assert "|0|1|PreSubmitted|1|2|3|4|5|6|7|8|9|1.00|||USD||0|0|0|None|" in line


def test_status_execution_and_commission_are_written_field_by_field():
    """Messages 3, 11 and 59: no version in the first, the time in the zone that it names, yield unset in the last."""
    made = ticket()
    (fill,) = made.fills

    assert told(*order_status(made)) == "3|7|Submitted|4|6|110.5|1400000002|6|110.50|17||0.0|"
    assert told(*exec_details(-1, fill, stamp(fill.at_ns))) == (
        f"11|-1|7|{CONTRACT}|0000e0d5.00000002.01.01|20261118 06:06:40 America/New_York|DU1234567|ISLAND|SLD|4|110.50|"
        "1400000002|17|0|4|110.50|E1-T||||2|"
    )
    assert told(*commission_report(fill, "USD")) == "59|1|0000e0d5.00000002.01.01|1.00|USD|41.00|U||"


def test_a_completed_order_is_written_field_by_field():
    """Message 101: no order id, no client id; when and how it ended behind all the rest."""
    made = ticket()
    made.status, made.ended_ns = "Filled", AT_NS

    assert told(*completed_order(made, stamp(AT_NS), "Filled Size: 10")) == (
        f"101|{CONTRACT}|SELL|10|LMT|110.50|0.0|GTC|E1-oca|DU1234567||0|E1-T|1400000002|0|0|0||"
        "|||||||||0||-1|||||||0|0||2|0||0|||0|0||||0|0|0||||||IB|0|0||0|Filled|0|0|0|"
        "U|U|U|0|0||4|0|0||0|0|0|20261118 06:06:40 America/New_York|Filled Size: 10||||||"
    )


def test_a_line_opens_with_its_terms_and_all_that_is_known():
    """81, 58, then each price with the size that belongs to it, the time, the volume, RTVolume, halted, the day."""
    board = Board(close=98.0)
    board.take(Quote("AAPL", 99.9, 100.0, 99.95, 1000.0, bid_size=300.0, ask_size=200.0), AT_NS)

    said = [told(*message) for message in opening(Line(None, 9, AAPL, 1, ("233",)), board)]

    assert said == [
        "81|9|0.01|9c0001|3|",
        "58|1|9|1|",
        *("1|6|9|1|99.9|300|1|", "2|6|9|0|300|"),
        *("1|6|9|2|100.0|200|1|", "2|6|9|3|200|"),
        *("1|6|9|4|99.95|100|0|", "2|6|9|5|100|"),
        *("46|6|9|45|1795000000|", "2|6|9|8|1000|"),
        "46|6|9|48|99.95;100;1795000000000;1000;99.95;true|",
        "45|6|9|49|0.0|",
        *("1|6|9|9|98.0|0|0|", "1|6|9|6|99.95|0|0|", "1|6|9|7|99.95|0|0|", "1|6|9|14|99.95|0|0|"),
    ]


def test_delayed_ticks_have_numbers_of_their_own():
    """66 to 68 with sizes 69 to 71, volume 74; the type says so first."""
    board = Board()
    board.take(Quote("AAPL", 99.9, 100.0, 99.95, 1000.0), AT_NS)

    said = [told(*message) for message in opening(Line(None, 9, AAPL, DELAYED), board)]

    assert said[1:9] == [
        "58|1|9|3|",
        *("1|6|9|66|99.9|100|1|", "2|6|9|69|100|"),
        *("1|6|9|67|100.0|100|1|", "2|6|9|70|100|"),
        *("1|6|9|68|99.95|100|0|", "2|6|9|71|100|"),
        "46|6|9|88|1795000000|",
    ]


def test_an_index_has_a_last_price_and_nothing_else():
    """No bid, no ask, no size: VIX as TWS sends it."""
    board = Board()
    board.take(Quote("VIX", 15.2, 15.3, 15.25), AT_NS)
    index = listed_of(Instrument("VIX", kind="index", tradable=False))

    said = [told(*message) for message in opening(Line(None, 9, index, 1), board)]

    assert said[2:4] == ["1|6|9|4|15.25|0|0|", "45|6|9|49|0.0|"]


@given(st.lists(st.lists(st.text("abc é1|", max_size=5), max_size=6), max_size=8), st.randoms(use_true_random=False))
def test_however_a_stream_is_cut_its_messages_are_the_same(messages, chance):
    """Frames know nothing of segments."""
    stream, frames, found = b"".join(frame(*fields) for fields in messages), Frames(), []
    while stream:
        size = chance.randint(1, len(stream))
        found += [fields_of(body) for body in frames.feed(stream[:size])]
        stream = stream[size:]

    assert found == messages


def test_a_length_that_no_client_sends_is_refused():
    """Before a byte of it is kept; the largest that is taken is taken."""
    with pytest.raises(BadFrame, match="4294967280 bytes"):
        Frames().feed(raw_frame(b"", 0xFFFFFFF0))
    assert Frames().feed(raw_frame(b"x", 0xFFFFFF)) == []


def test_values_are_read_as_clients_write_them():
    """Unset is none, a missing field is empty, and a word is no number."""
    fields = Fields(["7", "", UNSET, "2147483647", "1.50", "1", "x"])

    assert (fields.number(), fields.number(3), fields.decimal(), fields.number(9)) == (7, 3, None, 9)
    assert (fields.decimal(), fields.flag()) == (Money("1.50"), True)
    with pytest.raises(BadFrame, match="'x' is no whole number"):
        fields.number()
    assert fields.text() == ""
    for word in ("x", "nan", "inf"):
        with pytest.raises(BadFrame, match=f"'{word}' is no number"):
            Fields([word]).decimal()


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"algoStrategy": "Adaptive", "algoParams": [("adaptivePriority", "Urgent")]},
        {"hedgeType": "D", "hedgeParam": "1"},
        {"deltaNeutralOrderType": "MKT"},
        {"scalePriceIncrement": 0.5},
    ],
)
async def test_an_order_is_read_to_its_last_field_that_matters(more):
    """Whatever optional part stands before it, whatIf is found; prices are Decimals, unset ones None."""
    import ib_insync

    more = {**more, "algoParams": [ib_insync.TagValue(*pair) for pair in more.get("algoParams", [])]}
    order = ib_insync.StopLimitOrder(
        "SELL", 10, 94.5, 95.0, tif="GTC", orderRef="E1-S", parentId=6, whatIf=True, **more
    )
    order.ocaGroup, order.ocaType, order.outsideRth, order.account = "E1-oca", 2, True, "DU1234567"

    async with desk() as (tws, ib, contract):
        ib.client.placeOrder(7, contract, order)
        await settle(ib)
        written = next(fields for fields in tws.clients[CLIENT].received if fields[0] == "3")

    read = ticket_of(Fields(written[1:]), CLIENT)

    assert (read.side, read.quantity, read.order_type, read.limit, read.aux) == (
        *(Side.SELL, Money(10), "STP LMT"),
        *(Money("94.5"), Money("95.0")),
    )
    assert (read.tif, read.oca_group, read.oca_type, read.account) == ("GTC", "E1-oca", 2, "DU1234567")
    assert (read.order_ref, read.parent_id, read.outside_rth, read.transmit, read.what_if) == (
        "E1-S",
        6,
        True,
        True,
        True,
    )


def test_hours_are_those_of_the_calendar_with_its_holidays_and_early_closes():
    """Thanksgiving is closed, the day after ends at one; the extended hours go from four to five that day."""
    wednesday_ns = 1_795_622_400 * SECOND  # 2026-11-25, noon in New York

    assert hours(wednesday_ns, "XNYS") == (
        "20261125:0930-20261125:1600;20261126:CLOSED;20261127:0930-20261127:1300;20261128:CLOSED;20261129:CLOSED;"
        "20261130:0930-20261130:1600"
    )
    assert hours(wednesday_ns, "XNYS", extended=True, days=3) == (
        "20261125:0400-20261125:2000;20261126:CLOSED;20261127:0400-20261127:1700"
    )


def test_conids_are_the_same_in_every_run():
    """A known one where there is one, else a number made of the name."""
    found = {name: listed_of(Instrument(name)).con_id for name in ("ZZZ", "AAPL", "VIX")}

    assert found == {"ZZZ": 334_484_544, "AAPL": 265_598, "VIX": 13_455_763}
