"""Cash accounts: what sales brought may be spent once it has settled."""

import datetime as dt

import pytest
from msgspec.structs import replace

from joed.daemon.record import decode_state, encode_state
from joed.engine.risk import refuse
from joed.engine.settlement import note_sale, settles_ns, unsettled
from joed.engine.step import step
from joed.engine.view import view
from joed.model.calendars import Calendar
from joed.model.settings import Risk
from joed.model.state import Proceeds
from joed.model.values import DAY, HOUR, MINUTE, SECOND, AccountKind, Side
from tests.engine.build import OPEN, START, D, fill, holding, trading_state, whole_read
from tests.engine.test_risk import request

XNYS = Calendar(name="XNYS", timezone="America/New_York")
FRIDAY = int(dt.datetime(2026, 9, 18, 18, 0, tzinfo=dt.UTC).timestamp()) * SECOND
MONDAY_OPEN = int(dt.datetime(2026, 9, 21, 13, 30, tzinfo=dt.UTC).timestamp()) * SECOND


def cash_account(cash="10000", **more):
    """Give a State of a cash account that may risk all of it."""
    more.setdefault("risk", Risk(per_trade=D(1)))
    return trading_state(cash=cash, account_kind=AccountKind.CASH, **more)


def code(state, now=START, **terms):
    """Give the code of the refusal, or None where it may pass."""
    refusal = refuse(state, now, request(state, at=now, **terms))
    return None if refusal is None else refusal.code


@pytest.mark.parametrize(("days", "due_ns"), [(0, FRIDAY), (1, MONDAY_OPEN), (2, MONDAY_OPEN + DAY)])
def test_proceeds_settle_at_the_open_of_a_later_session_of_their_own_market(days, due_ns):
    """A Friday's sale settles on Monday; with no days at all it has settled at once."""
    state = trading_state(risk=Risk(settle_days=days))
    state.calendars["XNYS"] = XNYS

    assert settles_ns(state, FRIDAY, "AAPL") == due_ns


def test_without_a_calendar_a_day_is_a_day():
    """Better than nothing; nothing is opened in such a market anyway."""
    assert settles_ns(trading_state(), START, "AAPL") == START + DAY
    assert settles_ns(trading_state(), START, "GONE") == START + DAY


@pytest.mark.parametrize(("price", "expected"), [("200.5", None), ("200.4", "unsettled")])
def test_a_cash_account_spends_only_what_has_settled(price, expected):
    """2,005 are wanted; 3,000 are there, of which a sale of ten has just brought what it did."""
    state = cash_account("2005")
    state.brokers["paper"].unsettled = [Proceeds(START + DAY, "USD", D(1000))]
    state.brokers["paper"].cash = D(1000) + 10 * D(price)

    assert code(state) == expected


def test_the_proceeds_may_be_spent_from_the_instant_they_settle():
    """Not a nanosecond before."""
    state = cash_account("3000")
    state.brokers["paper"].unsettled = [Proceeds(START + MINUTE, "USD", D(3000))]

    assert code(state, START + MINUTE - 1) == "unsettled"
    assert code(state, START + MINUTE) is None


def test_a_margin_account_may_spend_what_has_not_settled():
    """The broker lends it."""
    state = trading_state(cash="3000", risk=Risk(per_trade=D(1)))
    state.brokers["paper"].unsettled = [Proceeds(START + DAY, "USD", D(3000))]

    assert code(state) is None


def test_without_enough_cash_at_all_the_refusal_says_cash():
    """Waiting for settlement would not help."""
    state = cash_account("2004.99")

    assert code(state) == "cash"


def test_a_cash_account_does_not_sell_short_whatever_the_settings_allow():
    """No broker would let it."""
    state = cash_account(risk=Risk(per_trade=D(1), allow_short=True))
    refusal = refuse(state, START, request(state, side=Side.SELL, limit="199.48", stop=D(204), target=D(180)))

    assert (refusal.code, refusal.words) == ("short", "a cash account cannot sell short")


def test_a_sale_is_kept_less_its_fee_and_its_correction_takes_it_back():
    """By the day it settles; a bust leaves nothing."""
    state = holding("AAPL")
    broker = state.brokers["paper"]
    step(state, START, fill("AAPL-t", "4", "220", side=Side.SELL, execution="s1", fee="1"))
    step(state, START, fill("AAPL-t", "6", "220", side=Side.SELL, execution="s2"))
    sold = broker.unsettled
    step(state, START, fill("AAPL-t", "0", "220", side=Side.SELL, execution="s1", revision=1))

    assert sold == [Proceeds(START + DAY, "USD", D(2199))]
    assert unsettled(state, START, broker) == 1320
    assert view(state).unsettled == 1320


def test_what_is_unsettled_is_never_less_than_nothing():
    """A correction of a sale that settled long ago takes nothing from what is free."""
    state = trading_state()
    note_sale(state, START, "paper", "AAPL", "USD", D(-500))

    assert unsettled(state, START, state.brokers["paper"]) == 0


def test_what_has_settled_is_forgotten_at_the_next_sale():
    """So the list is as long as days to settle, whatever is traded."""
    state = trading_state()
    for hour in range(200):
        note_sale(state, START + hour * HOUR, "paper", "AAPL", "USD", D(1))
    broker = state.brokers["paper"]

    assert len(broker.unsettled) <= 24
    note_sale(state, START, "nobody", "AAPL", "USD", D(1))
    note_sale(state, START, "paper", "AAPL", "USD", D(0))
    assert len(broker.unsettled) <= 24


def test_what_is_unsettled_outlives_a_restart():
    """A crash settles nothing."""
    state = cash_account("3000")
    state.brokers["paper"].unsettled = [Proceeds(START + DAY, "USD", D(3000))]

    assert code(decode_state(encode_state(state), b"key")) == "unsettled"


@pytest.mark.parametrize(("left", "expected"), [(None, None), (1, None), (0, "day_trades")])
def test_the_brokers_day_trades_are_respected_where_it_tells_them(left, expected):
    """None left: nothing more is opened today."""
    state = cash_account()
    step(state, START + 1, replace(whole_read(START + 1, cash="10000"), day_trades_left=left))

    assert state.brokers["paper"].day_trades_left == left
    assert code(state) == expected


@pytest.mark.parametrize(
    ("left", "opened", "expected"),
    [(1, START, "day_trades"), (2, START, None), (1, OPEN, "day_trades"), (1, OPEN - 1, None)],
)
def test_what_was_opened_today_may_use_a_day_trade_up_itself(left, opened, expected):
    """All of it may be stopped out before the close; what was bought yesterday is no day trade."""
    state = holding("MSFT")
    state.positions["MSFT"].opened_ns = opened
    state.brokers["paper"].day_trades_left = left

    assert code(state) == expected


def test_what_settles_at_once_is_never_kept():
    """A market without days to wait."""
    state = trading_state(risk=Risk(settle_days=0))
    note_sale(state, START, "paper", "AAPL", "USD", D(100))

    assert state.brokers["paper"].unsettled == []
