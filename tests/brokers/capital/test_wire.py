"""joed.brokers.capital.wire: their bytes in our words, and ours in theirs."""

import json
from decimal import Decimal as Money

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.brokers.capital.shapes import (
    Confirm,
    ErrorBody,
    Frame,
    Login,
    Markets,
    Positions,
    Tick,
    Transactions,
    WorkingOrders,
)
from joed.brokers.capital.wire import (
    clean,
    code_of,
    decode,
    encode,
    finite,
    is_quote,
    time_ns,
    utc_ns,
    written_utc,
)
from joed.errors import BadMessage
from joed.model.values import HOUR, SECOND, Side
from tests.brokers.capital.recorded import CONFIRM, LOGIN, MARKETS, POSITIONS, REJECTED, TRANSACTIONS, WORKING

SHAPES = (Confirm, Positions, WorkingOrders, Markets, Transactions, Login, Frame, Tick)


def test_money_keeps_every_digit_of_the_wire():
    """No number passes through a float on its way to a Decimal."""
    found = decode(Confirm, b'{"dealStatus":"ACCEPTED","level":0.1000000000000000055,"size":1e-7}')

    assert (found.level, found.size) == (Money("0.1000000000000000055"), Money("1E-7"))
    assert (
        encode({"size": Money("0.10"), "level": Money("123456789.123456789")})
        == b'{"size":0.10,"level":123456789.123456789}'
    )


def test_recorded_answers_are_read_as_they_mean():
    """The order's id is not the position's; a rejection has an id too; `dateUtc` is spelt its own way."""
    confirm, rejected = decode(Confirm, CONFIRM), decode(Confirm, REJECTED)
    position = decode(Positions, POSITIONS).positions[0]
    order = decode(WorkingOrders, WORKING).working_orders[0].working_order_data
    trade = decode(Transactions, TRANSACTIONS).transactions[0]

    assert (confirm.deal_id, confirm.affected_deals[0].deal_id) == ("order-1", "position-1")
    assert (rejected.deal_status, rejected.reject_reason, rejected.deal_id) == (
        *("REJECTED", "RC_NOT_ENOUGH_MARGIN"),
        "order-2",
    )
    assert (position.position.working_order_id, position.position.direction) == ("order-1", Side.BUY)
    assert (order.order_size, order.stop_distance) == (Money(2), Money(-3))
    assert (trade.size, trade.date_utc) == (Money("-12.34"), "2026-01-05T14:30:00.000")
    assert decode(Markets, MARKETS).market_details[0].instrument.epic == "GOLD"
    assert decode(Login, LOGIN).timezone_offset == Money(2)


def test_what_is_unknown_is_left_alone_and_what_is_null_is_none():
    """A field that they add tomorrow changes nothing; a null bid is no number."""
    tick = decode(Tick, b'{"epic":"GOLD","bid":null,"ofr":2.0,"colour":"red"}')

    assert (tick.bid, tick.ofr) == (None, 2.0)
    assert not is_quote(tick.bid, tick.ofr)


@pytest.mark.parametrize(
    ("bid", "ask", "is_one"),
    [
        (1.0, 1.0, True),
        (1.0, 1.1, True),
        (1.1, 1.0, False),
        (0.0, 1.0, False),
        (None, 1.0, False),
        (1.0, float("inf"), False),
        (float("nan"), 1.0, False),
    ],
)
def test_a_quote_is_two_positive_prices_that_do_not_cross(bid, ask, is_one):
    """Null, zero, crossed and infinite prices are none."""
    assert is_quote(bid, ask) is is_one


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(data):
    """Whatever comes is a row of ours or a BadMessage: no other error leaves, whatever the shape."""
    for shape in SHAPES:
        try:
            decode(shape, data)
        except BadMessage:
            continue


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda x: (
            st.lists(x) | st.dictionaries(st.sampled_from(["positions", "position", "dealId", "level", "size"]), x)
        ),
    )
)
def test_any_json_is_read_or_refused(value):
    """Well-formed and meaning nothing: refused by its shape."""
    for shape in SHAPES:
        try:
            decode(shape, json.dumps(value).encode())
        except BadMessage:
            continue


def test_a_refused_answer_shows_nothing_of_itself():
    """An error frame carries our tokens back, so no message of ours may quote one."""
    secret = b'{"status":"ERROR","payload":"CST-SECRET'
    with pytest.raises(BadMessage) as raised:
        decode(Frame, secret)

    assert "CST-SECRET" not in str(raised.value)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"errorCode":"error.invalid.size"}', "error.invalid.size"),
        (b'{"errorCode":null}', ""),
        (b"<html>502 Bad Gateway</html>", ""),
        (b"", ""),
        (b'{"errorCode":"error.invalid.stoploss.minvalue: 17.146"}', "error.invalid.stoploss.minvalue: 17.146"),
        (b'{"errorCode":"a\\nb\\u001b[31m\\"<script>"}', "a?b??31m??script?"),
    ],
)
def test_an_error_code_is_read_from_what_may_be_no_json(body, code):
    """HTML, nothing, or a code: what is shown of it cannot forge a log line."""
    assert code_of(body) == code
    assert len(clean("x" * 1000)) == 120
    assert decode(ErrorBody, b"{}").error_code is None


def test_a_secret_that_is_told_back_is_taken_out_of_a_code():
    """Whole, before the code is cut or cleaned; what is too short to be one takes no word apart."""
    said = b'{"errorCode":"error.unknown key-1234 for me@example"}'

    assert code_of(said, ("key-1234", "me@example", "err", "")) == "error.unknown ??? for ???"
    assert code_of(b'{"errorCode":"%s"}' % (b"x" * 115 + b"key-1234"), ("key-1234",)) == "x" * 115 + "???"


def test_a_local_time_is_utc_less_the_accounts_offset():
    """A field without UTC in its name is in the account's zone; where it has a twin in UTC, that one counts."""
    utc = utc_ns("2026-01-05T14:22:18.473")

    assert time_ns("", "2026-01-05T16:22:18.473", 2 * 3600) == utc
    assert time_ns("", "2026-01-05T09:22:18.473", -5 * 3600) == utc
    assert time_ns("2026-01-05T14:22:18.473", "2026-01-05T16:22:18.473", 0) == utc
    assert time_ns("", "", 7200) == 0
    assert utc_ns("1970-01-01T01:00:00") == HOUR
    with pytest.raises(BadMessage):
        utc_ns("yesterday")


def test_a_time_is_written_in_whole_seconds_without_a_zone():
    """A trailing Z or a fraction is refused there."""
    assert written_utc(utc_ns("2026-01-05T14:22:18") + SECOND // 2) == "2026-01-05T14:22:18"


def test_a_number_written_as_text_may_be_none():
    """NaN is a Decimal to Python and no price to us."""
    found = decode(Confirm, b'{"dealStatus":"ACCEPTED","level":"NaN"}')

    assert finite(found.level) is None
    assert finite(Money(1)) == 1
