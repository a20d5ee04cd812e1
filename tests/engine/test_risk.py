"""The one gate: every limit on both sides of it, each with its code."""

import pytest

from joed.engine.risk import BREAKERS, CHECKS, Request, matches, refuse
from joed.engine.step import refold, step
from joed.model.blocks import Block
from joed.model.commands import LiftBlock
from joed.model.events import OrderRejected, Tick
from joed.model.settings import Instrument, Risk
from joed.model.values import SECOND, Side, Status
from tests.engine.build import CLOSE, START, D, bracket, holding, quote, settings_of, submitted, trading_state, trigger


def request(state, *, bid=199.98, ask=200.00, quantity="10", limit="200.50", at=START, symbol="AAPL", **changes):
    """Give an entry as it would leave, at this quote."""
    seen = quote(symbol, bid, ask, at=at)
    price = D(str(bid if changes.get("side") is Side.SELL else ask))
    instrument = state.settings.universe[symbol]
    return Request(trigger(symbol, **changes), instrument, D(quantity), price, D(limit), seen)


def code(state, now=START, **terms):
    """Give the code of the refusal, or None where it may pass."""
    refusal = refuse(state, now, request(state, **terms))
    return None if refusal is None else refusal.code


def test_a_sound_entry_passes():
    """Nothing forbids it."""
    assert code(trading_state()) is None


@pytest.mark.parametrize(
    ("scope", "refused"),
    [
        ("all", True),
        ("broker:paper", True),
        ("broker:other", False),
        ("calendar:XNYS", True),
        ("calendar:24x7", False),
        ("instrument:AAPL", True),
        ("instrument:MSFT", False),
        ("strategy:breakout", True),
        ("strategy:reversion", False),
    ],
)
def test_any_block_that_matches_refuses(scope, refused):
    """All, its broker, its calendar, its instrument, its strategy: and no other's."""
    state = trading_state()
    block = Block(scope, "why", "because")
    state.blocks[block.key] = block

    assert (code(state) == "blocked") is refused
    assert (matches(state, "AAPL", "breakout") is block) is refused


def test_an_index_is_watched_and_not_traded():
    """VIX has a price and no market."""
    assert code(trading_state(), symbol="VIX") == "not_tradable"


@pytest.mark.parametrize(("age_ns", "expected"), [(5 * SECOND, None), (5 * SECOND + 1, "quote_stale")])
def test_the_age_of_a_quote_counts_from_when_it_was_received(age_ns, expected):
    """Five seconds, not a nanosecond more."""
    assert code(trading_state(), now=START + age_ns) == expected


@pytest.mark.parametrize(("bid", "expected"), [(198.03, None), (197.90, "spread_wide")])
def test_a_wide_spread_is_no_price(bid, expected):
    """One percent of the bid."""
    assert code(trading_state(), bid=bid) == expected


@pytest.mark.parametrize(("ask", "expected"), [(202.00, None), (202.01, "collar"), (198.00, None), (197.99, "collar")])
def test_a_price_beyond_the_collar_is_another_trade(ask, expected):
    """One percent of the level, to either side."""
    assert code(trading_state(), bid=ask - 0.02, ask=ask, limit="200.50") == expected


@pytest.mark.parametrize(
    ("stop", "target", "expected"),
    [
        ("199.97", "200.51", None),
        ("199.98", "220", "bracket"),
        ("196", "200.50", "bracket"),
        ("220", "196", "bracket"),
    ],
)
def test_a_buys_bracket_lies_around_bid_and_limit(stop, target, expected):
    """The stop under the bid, the target over the limit: or it would trade against itself at once."""
    assert code(trading_state(), stop=D(stop), target=D(target)) == expected


@pytest.mark.parametrize(
    ("stop", "target", "expected"),
    [("200.01", "199.47", None), ("200.00", "180", "bracket"), ("204", "199.48", "bracket")],
)
def test_a_sells_bracket_lies_around_ask_and_limit(stop, target, expected):
    """The stop over the ask, the target under the limit."""
    state = trading_state(risk=Risk(allow_short=True))

    assert code(state, side=Side.SELL, limit="199.48", stop=D(stop), target=D(target)) == expected


def test_prices_that_the_market_does_not_have_are_refused():
    """A bracket refused by the exchange leg by leg would protect nothing."""
    for change in ({"stop": D("196.005")}, {"target": D("220.001")}, {"limit": "200.505"}):
        assert code(trading_state(), **change) == "tick"


@pytest.mark.parametrize(("allowed", "expected"), [(False, "short"), (True, None)])
def test_selling_what_is_not_held_is_a_choice(allowed, expected):
    """Off unless the settings say so."""
    state = trading_state(risk=Risk(allow_short=allowed))

    assert code(state, side=Side.SELL, limit="199.48", stop=D(204), target=D(180)) == expected


@pytest.mark.parametrize(("quantity", "expected"), [("1", None), ("0", "lot")])
def test_less_than_a_lot_is_nothing(quantity, expected):
    """The risk does not buy it."""
    assert code(trading_state(), quantity=quantity) == expected


@pytest.mark.parametrize("status", [Status.ARMED, Status.SENT, Status.WORKING, Status.CANCEL_ASKED, Status.UNCERTAIN])
def test_a_pending_entry_refuses_another_in_its_instrument(status):
    """Also one that is in doubt: it counts as not filled, and as filled (I19)."""
    state = trading_state()
    refold(state, START, Tick(), [bracket("AAPL")])
    state.orders["AAPL-e"].status = status

    assert code(state) == "duplicate"
    assert code(state, symbol="MSFT") is None


def test_a_held_position_is_not_added_to():
    """One bracket protects it whole."""
    assert code(holding("AAPL")) == "held"


def test_what_a_person_holds_by_hand_is_not_added_to():
    """The books differ there; it is theirs."""
    state = trading_state()
    state.external["AAPL"] = D(-5)

    assert code(state) == "external"


@pytest.mark.parametrize(("limit", "expected"), [(3, None), (2, "position_max")])
def test_positions_and_pending_entries_count_together(limit, expected):
    """One held and one pending are two."""
    state = holding("MSFT", risk=Risk(position_max=limit))
    submitted(state, bracket("KO"))

    assert code(state) == expected


def test_a_flat_position_is_none():
    """What is remembered of a closed trade does not count."""
    state = holding("MSFT", risk=Risk(position_max=1))
    state.positions["MSFT"].quantity = D(0)

    assert code(state) is None


@pytest.mark.parametrize(("limit", "expected"), [("2005", None), ("2004.99", "notional_max")])
def test_one_orders_value_is_bounded(limit, expected):
    """Ten at 200.50."""
    assert code(trading_state(risk=Risk(notional_max=D(limit)))) == expected


@pytest.mark.parametrize(("limit", "expected"), [("5999.88", None), ("5999.87", "gross_max")])
def test_the_whole_books_value_is_bounded_with_all_that_may_fill(limit, expected):
    """Held 1,994.88 at its mark, pending 2,000, wanted 2,005."""
    state = holding("MSFT", risk=Risk(gross_max=D(limit)))
    submitted(state, bracket("KO"))
    state.exposure = D("1994.88")

    assert code(state) == expected


@pytest.mark.parametrize(("cash", "expected"), [("4005", None), ("4004.99", "cash")])
def test_a_buy_is_paid_from_cash_that_nothing_pending_may_spend(cash, expected):
    """2,000 are reserved for the pending entry, 2,005 are wanted."""
    state = trading_state(cash=cash, risk=Risk(per_trade=D(1)))
    submitted(state, bracket("KO"))

    assert code(state) == expected


@pytest.mark.parametrize(("age_ns", "expected"), [(60 * SECOND - 1, "orders_minute_max"), (60 * SECOND, None)])
def test_entries_within_a_minute_are_bounded(age_ns, expected):
    """The oldest leaves the count after exactly a minute."""
    state = trading_state(risk=Risk(orders_minute_max=2))
    state.order_times = [START - age_ns, START]

    assert code(state) == expected


@pytest.mark.parametrize(("trades", "expected"), [(39, None), (40, "trades_day_max")])
def test_trades_a_day_are_bounded(trades, expected):
    """Forty by default."""
    state = trading_state()
    state.day.trades = trades

    assert code(state) == expected


@pytest.mark.parametrize(("unrealised", "expected"), [("-979.99", None), ("-980", "loss_day_max")])
def test_the_days_loss_is_what_was_realised_what_is_open_and_the_fees(unrealised, expected):
    """1,000 realised, 30 in fees, ten of open profit carried over from yesterday that are gone: 2,000 in all."""
    state = trading_state()
    state.day.realised, state.day.fees, state.day.unrealised_start = D(-1000), D(30), D(-10)
    state.unrealised = D(unrealised)

    assert code(state) == expected


@pytest.mark.parametrize(("count", "expected"), [(2, None), (3, "rejects_max")])
def test_what_the_broker_refuses_again_and_again_is_left_alone(count, expected):
    """Three refusals."""
    state = trading_state()
    state.rejects["AAPL"] = count

    assert code(state) == expected


def test_repeated_refusals_latch_a_block_on_their_instrument_and_a_release_begins_anew():
    """The breaker is the instrument's; when a person lifts it the count is nothing again."""
    state = trading_state()
    for number in range(3):
        submitted(state, bracket("AAPL", tag=str(number)))
        step(state, START, OrderRejected(f"AAPL{number}-e", "margin"))
    latched = state.blocks["instrument:AAPL/rejects_max"].latched

    refold(state, START, Tick(), [LiftBlock("instrument:AAPL/rejects_max", "released")])

    assert (latched, code(state)) == (True, None)


@pytest.mark.parametrize(("left_ns", "expected"), [(1800 * SECOND, None), (1800 * SECOND - 1, "close_near")])
def test_no_new_risk_shortly_before_the_close(left_ns, expected):
    """Half an hour."""
    now = CLOSE - left_ns

    assert code(trading_state(now=now), now=now, at=now, valid_until_ns=CLOSE) == expected


def test_the_lot_and_the_tick_are_the_instruments():
    """Another market, other steps."""
    coin = Instrument("COIN", lot=D("0.01"), tick=D("0.5"))
    state = trading_state(universe=settings_of().universe | {"COIN": coin})
    terms = {"symbol": "COIN", "stop": D(196), "target": D(220), "limit": "200.5"}

    assert code(state, quantity="0.01", **terms) is None
    assert code(state, quantity="0", **terms) == "lot"
    assert code(state, quantity="1", **terms | {"limit": "200.25"}) == "tick"


def test_every_breaker_is_a_check_and_every_check_says_nothing_of_a_sound_entry():
    """The codes are a closed list."""
    state = trading_state()
    wanted = request(state)

    assert set(CHECKS) >= BREAKERS
    assert {check(state, START, wanted) for check in CHECKS.values()} == {""}
