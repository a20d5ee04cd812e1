"""The one gate: every limit on both sides of it, each with its code."""

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from joed.daemon.record import decode_state, encode_state
from joed.engine import risk
from joed.engine.exposure import note_worth
from joed.engine.risk import BREAKERS, CHECKS, Request, matches, refuse, too_much_of_one
from joed.engine.step import refold, step
from joed.model.blocks import Block
from joed.model.commands import LiftBlock, OpenSession, RaiseAlert, RaiseBlock
from joed.model.events import EpochStarted, OrderRejected, Tick, TriggersMade
from joed.model.settings import Instrument, Risk
from joed.model.state import Broker
from joed.model.values import SECOND, Side, Status
from tests.engine.build import (
    CLOSE,
    OPEN,
    START,
    D,
    bracket,
    fill,
    holding,
    of_kind,
    quote,
    settings_of,
    submitted,
    trading_state,
    trigger,
    whole_read,
)


def request(state, *, bid=199.98, ask=200.00, quantity="10", limit="200.50", at=START, symbol="AAPL", **changes):
    """Give an entry as it would leave, at this quote."""
    seen = quote(symbol, bid, ask, at=at)
    price = D(str(bid if changes.get("side") is Side.SELL else ask))
    instrument = state.settings.universe[symbol]
    return Request(trigger(symbol, **changes), instrument, D(quantity), price, D(limit), seen)


def words(state, now=START, **terms):
    """Give the words of the refusal."""
    return refuse(state, now, request(state, **terms)).words


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


@pytest.mark.parametrize(
    ("age_ns", "expected"),
    [(5 * SECOND, None), (5 * SECOND + 1, "quote_stale"), (-SECOND, None), (-SECOND - 1, "quote_stale")],
)
def test_the_age_of_a_quote_counts_from_when_it_was_received(age_ns, expected):
    """Five seconds, not a nanosecond more; and none from a future that is further than a second."""
    assert code(trading_state(), now=START + age_ns) == expected


@pytest.mark.parametrize(("ask", "expected"), [(202.0, None), (202.01, "spread_wide")])
def test_a_wide_spread_is_no_price(ask, expected):
    """One percent of the bid."""
    assert code(trading_state(), bid=200.0, ask=ask, limit="203.00", level="202.00") == expected


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


@pytest.mark.parametrize(
    ("quantity", "expected"), [("1", None), ("0", "lot"), ("0.999", "lot"), ("1.5", "lot"), ("-1", "lot")]
)
def test_less_than_a_lot_is_nothing_and_a_part_of_one_is_none(quantity, expected):
    """The risk does not buy it, or nobody rounded it down."""
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


NONSENSE = ("NaN", "Infinity", "-Infinity", "0", "-200")


@pytest.mark.parametrize("number", NONSENSE)
@pytest.mark.parametrize("name", ["level", "stop", "target"])
def test_a_trigger_of_numbers_that_cannot_be_is_refused_here_too(name, number):
    """Whoever let it come this far (I20)."""
    assert code(trading_state(), **{name: D(number)}) == "numbers"


@pytest.mark.parametrize("number", NONSENSE)
@pytest.mark.parametrize("name", ["price", "limit", "rate"])
def test_a_request_of_numbers_that_cannot_be_is_refused(name, number):
    """NaN is in no order with any limit, so it would pass each of them."""
    state = trading_state()
    wanted = replace(request(state), **{name: D(number)})

    assert refuse(state, START, wanted).code == "numbers"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_quantity_that_is_none_is_refused(number):
    """A size is finite."""
    state = trading_state()

    assert refuse(state, START, replace(request(state), quantity=D(number))).code == "numbers"


@pytest.mark.parametrize(
    ("bid", "ask"),
    [(200.01, 200.0), (0.0, 200.0), (-1.0, 200.0), (float("nan"), 200.0), (199.9, float("inf")), (199.9, float("nan"))],
)
def test_a_quote_that_is_no_market_is_refused(bid, ask):
    """Crossed, zero, negative, not a number, without end."""
    state = trading_state()
    wanted = replace(request(state), quote=quote("AAPL", bid, ask))

    assert refuse(state, START, wanted).code == "numbers"


def test_a_locked_market_is_a_market():
    """Bid and ask may be equal."""
    assert code(trading_state(), bid=200.0, ask=200.0) is None


@pytest.mark.parametrize("factor", [100, 0.01])
def test_a_price_a_hundred_times_off_is_beyond_the_collar(factor):
    """A feed in cents, or in the wrong instrument."""
    state = trading_state()
    ask = round(200.0 * factor, 2)

    assert code(state, bid=ask - 0.001, ask=ask, limit="200.50") == "collar"


@pytest.mark.parametrize(("side", "expected"), [(Side.BUY, "opposite"), (Side.SELL, None)])
def test_nothing_is_opened_against_what_is_held_of_the_same_underlying(side, expected):
    """A share held short at one broker, its CFD wanted long at another: that would be a close in disguise."""
    cfd = Instrument("AAPL.CFD", underlying="AAPL")
    state = holding(
        "AAPL",
        side=Side.SELL,
        stop="204.00",
        target="180.00",
        universe=settings_of().universe | {"AAPL.CFD": cfd},
        risk=Risk(allow_short=True),
    )
    terms = {"stop": D(196), "target": D(220)} if side is Side.BUY else {"stop": D(204), "target": D(180)}
    limit = "200.50" if side is Side.BUY else "199.48"

    assert code(state, symbol="AAPL.CFD", side=side, limit=limit, **terms) == expected
    assert code(state, symbol="MSFT") is None


@pytest.mark.parametrize(("side", "expected"), [(Side.BUY, None), (Side.SELL, "opposite")])
def test_nothing_is_opened_against_what_is_pending(side, expected):
    """A buy waits: a sale of the same underlying would meet it."""
    cfd = Instrument("AAPL.CFD", underlying="AAPL")
    state = trading_state(universe=settings_of().universe | {"AAPL.CFD": cfd}, risk=Risk(allow_short=True))
    submitted(state, bracket("AAPL"))
    terms = {"stop": D(196), "target": D(220)} if side is Side.BUY else {"stop": D(204), "target": D(180)}
    limit = "200.50" if side is Side.BUY else "199.48"

    assert code(state, symbol="AAPL.CFD", side=side, limit=limit, **terms) == expected


@pytest.mark.parametrize(("limit", "expected"), [("6005.00", None), ("6004.99", "underlying_max")])
def test_one_underlyings_value_adds_up_over_instruments_and_brokers(limit, expected):
    """2,000 held of the share, 2,000 pending of one CFD, 2,005 wanted of another; another name does not count."""
    cfds = {name: Instrument(name, underlying="AAPL") for name in ("AAPL.A", "AAPL.B")}
    state = holding("AAPL", universe=settings_of().universe | cfds, risk=Risk(underlying_max=D(limit)))
    holding("MSFT", state=state)
    step(state, START, quote("AAPL", 200.0, 200.0))
    note_worth(state)
    submitted(state, bracket("AAPL.A"))

    assert code(state, symbol="AAPL.B") == expected


@pytest.mark.parametrize(
    ("side", "power", "expected"),
    [
        (Side.BUY, "4005", None),
        (Side.BUY, "4004.99", "margin"),
        (Side.SELL, "3994.80", None),
        (Side.SELL, "3994.79", "margin"),
    ],
)
def test_where_the_broker_tells_its_buying_power_that_is_the_limit(side, power, expected):
    """2,000 are pending; it lends more than the cash that is there, and a short needs it too."""
    state = trading_state(cash="100", risk=Risk(per_trade=D(1), allow_short=True))
    state.worth = D(10_000)
    submitted(state, bracket("KO"))
    step(state, START + 1, replace(whole_read(START + 1, cash="100"), buying_power=D(power)))
    terms = {"stop": D(204), "target": D(180), "limit": "199.48"} if side is Side.SELL else {}

    assert code(state, side=side, **terms) == expected


def test_a_buying_power_that_is_no_number_is_none():
    """Then cash counts again."""
    state = trading_state(cash="100", risk=Risk(per_trade=D(1)))
    state.worth = D(10_000)
    step(state, START + 1, replace(whole_read(START + 1, cash="100"), buying_power=D("NaN")))

    assert state.brokers["paper"].buying_power is None
    assert code(state) == "cash"


def test_cash_at_one_broker_does_not_pay_at_another():
    """What lies elsewhere is not to be spent here, nor is what is pending elsewhere in its way."""
    there = Instrument("SAP", broker="other")
    state = trading_state(cash="2005", universe=settings_of().universe | {"SAP": there}, risk=Risk(per_trade=D(1)))
    state.brokers["other"] = Broker("other", cash=D("2004.99"))
    poor = code(state, symbol="SAP")
    submitted(state, bracket("KO", quantity="1"))
    state.brokers["other"].cash = D(2005)

    assert (poor, code(state, symbol="SAP"), code(state)) == ("cash", None, "cash")
    del state.brokers["other"]
    assert code(state, symbol="SAP") == "cash"


@pytest.mark.parametrize(("worth", "expected"), [("9000", None), ("8999.99", "per_trade")])
def test_a_size_that_the_strategy_names_may_not_lose_more_than_a_trade_may(worth, expected):
    """Ten with 4.50 between limit and stop lose 45: half a percent of 9,000."""
    state = trading_state()
    state.worth = D(worth)

    assert code(state) == expected


@pytest.mark.parametrize(("made", "expected"), [(7, None), (8, "orders_signal_max")])
def test_a_signal_that_has_caused_too_many_orders_makes_no_bracket_more(made, expected):
    """Ten by default, a bracket is three."""
    state = trading_state()
    state.signal_orders["signal-AAPL-200.00"] = made

    assert code(state) == expected


def test_cash_that_is_just_enough_is_enough():
    """To the cent, with nothing pending."""
    assert code(trading_state(cash="2005", risk=Risk(per_trade=D(1)))) is None
    assert code(trading_state(cash="2004.99", risk=Risk(per_trade=D(1)))) == "cash"


def test_every_refusal_tells_its_limit_and_the_value():
    """A person who reads it knows what to change."""
    state = trading_state(risk=Risk(notional_max=D(2000), quote_age_max_s=4.0, spread_max=D("0.0001")))

    assert words(state, now=START + 5 * SECOND) == "the quote is 5.0 s old, the limit is 4 s"
    assert words(state, bid=199.97) == "the spread is 0.015%, the limit is 0.010%"
    assert words(state, bid=199.99) == "2005.00 is over the limit of 2000 an order"
    assert words(trading_state(), bid=203, ask=203.0) == "203.0 is 3.00 away from 200.00, the limit is 2.0000"
    assert words(trading_state(), stop=D(201)) == "stop 201 and target 220.00 do not lie around 199.98 to 200.50"
    assert words(trading_state(), quantity="1.5") == "1.5 is no whole number of lots of 1"
    assert words(trading_state(), now=CLOSE - SECOND, at=CLOSE - SECOND) == "1 s to the close, the limit is 1800 s"


NEARLY = {
    "orders_minute_max": (Risk(orders_minute_max=1), "KO"),
    "trades_day_max": (Risk(trades_day_max=1), "KO"),
    "rejects_max": (Risk(rejects_max=1), "AAPL"),
    "loss_day_max": (Risk(loss_day_max=D(50)), "KO"),
}
"""Limits that one entry in AAPL reaches, and the instrument whose entry meets them then."""


def reach(limit, state, turn):
    """Let one entry in AAPL bring a State to this limit."""
    turn(TriggersMade(1, (trigger("AAPL"),)))
    turn(quote("AAPL", 199.98, 200.0))
    entry = next(iter(state.orders))
    if limit == "rejects_max":
        turn(OrderRejected(entry, "margin"))
    elif limit != "orders_minute_max":
        turn(fill(entry, "10", "200.00", fee="50"))


@pytest.mark.parametrize("limit", NEARLY)
def test_a_limit_that_was_reached_is_reached_after_a_crash_too(limit):
    """Recovery folds what was recorded over a snapshot: within a session no counter starts again."""
    risk, symbol = NEARLY[limit]
    state, records = trading_state(risk=risk), []
    snapshot = encode_state(state)

    def turn(event):
        records.append((event, step(state, START, event)))

    reach(limit, state, turn)
    turn(EpochStarted(2, "crash", "0", "code"))
    again = decode_state(snapshot, b"key")
    for event, commands in records:
        refold(again, START, event, commands)

    for one in (state, again, decode_state(encode_state(again), b"key")):
        one.blocks.clear()
        one.orders.clear()
        one.resting.clear()
        assert code(one, symbol=symbol, signal="another") == limit


def test_a_latched_breaker_is_latched_after_a_crash_until_a_person_releases_it():
    """Neither the restart nor the next session opens it; the release does, and the count begins anew."""
    state = trading_state(risk=Risk(orders_signal_max=3))
    submitted(state, bracket("AAPL"))
    state.signal_orders["signal-AAPL"] += 1
    commands = step(state, START, Tick())
    [block] = [one for one in of_kind(commands, RaiseBlock) if one.block.reason == "orders_signal_max"]
    [alert] = [one for one in of_kind(commands, RaiseAlert) if one.key.startswith("orders_signal_max")]
    for event, commands in (
        (EpochStarted(2, "crash", "0", "code"), []),
        (Tick(), [OpenSession("2026-09-22", OPEN, CLOSE, D(100_000))]),
    ):
        refold(state, START, event, commands)
    held_back = code(state, symbol="KO")
    state.signal_orders["signal-KO"] = 4
    refold(state, START, Tick(), [LiftBlock("all/orders_signal_max", "released")])

    assert (block.block.latched, block.block.scope, alert.severity) == (True, "all", "critical")
    assert block.block.words == "signal-AAPL has caused 4 orders, the limit is 3"
    assert (held_back, state.signal_orders) == ("blocked", {})
    assert "all/orders_signal_max" not in state.blocks


def test_every_code_stands_in_the_table_of_limits():
    """With its key's true default: a person looks there first."""
    table = (Path(__file__).parents[2] / "docs" / "limits.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*)\|", table, re.MULTILINE))

    assert set(rows) == set(CHECKS)
    for name, default in re.findall(r"`risk\.(\w+)` \(([^)]+)\)", " ".join(rows.values())):
        assert str(getattr(Risk(), name)).lower().removesuffix(".0") == default, name


def test_what_is_wanted_counts_at_the_rate_of_its_currency():
    """Its worth for the notional limits, and what its stop would lose: 4,010 and 90 at two for one."""
    wanted = replace(request(trading_state()), rate=D(2))

    def codes(**limits):
        state = trading_state(risk=Risk(**limits))
        state.worth = D(18_000) if "per_trade" in limits else state.worth
        refusal = refuse(state, START, wanted)
        return None if refusal is None else refusal.code

    assert wanted.worth == D(4010)
    assert [codes(notional_max=D(limit)) for limit in ("4010", "4009.99")] == [None, "notional_max"]
    assert [codes(per_trade=D(share)) for share in ("0.005", "0.0049")] == [None, "per_trade"]


def test_a_signal_enters_once_and_no_other_when_none_more_can_be_remembered(monkeypatch):
    """Each by its own code; the bound itself is refused, not one beyond it."""
    state = trading_state()
    refold(state, START, Tick(), [bracket("MSFT")])
    monkeypatch.setattr(risk, "SIGNALS_MAX", 2)
    free = code(state)
    state.signals["signal-AAPL-200.00"] = "entered"
    again = code(state)
    monkeypatch.setattr(risk, "SIGNALS_MAX", 1)

    assert (free, again) == (None, "signal_spent")
    assert code(state, signal="another") == "signals_max"


@pytest.mark.parametrize(("left", "expected"), [(3, None), (2, "day_trades")])
def test_what_is_held_and_what_is_pending_at_a_broker_may_each_be_its_day_trade(left, expected):
    """One opened today and one pending there are two; what is pending elsewhere is none."""
    there = Instrument("SAP", broker="other")
    state = holding("MSFT", universe=settings_of().universe | {"SAP": there})
    submitted(state, bracket("KO"))
    refold(state, START, Tick(), [replace(bracket("SAP"), broker="other")])
    state.brokers["paper"].day_trades_left = left

    assert code(state) == expected


@pytest.mark.parametrize(
    ("limit", "words"), [("2505", ""), ("2504.99", "exposure in AAPL would be 2505.00, the limit")]
)
def test_what_is_short_of_an_underlying_is_exposure_to_it_too(limit, words):
    """It adds to what is wanted, for both may move against us."""
    state = trading_state(risk=Risk(underlying_max=D(limit), allow_short=True))
    state.shorts = {"AAPL": D(500)}

    assert too_much_of_one(state, START, request(state)).startswith(words)
    assert (too_much_of_one(state, START, request(state)) == "") is (words == "")
