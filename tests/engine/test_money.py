"""Base currency: rates with their ages, what they convert, and what is refused without them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.daemon.record import decode_event, decode_state, encode_event, encode_state
from joed.engine.exposure import note_worth
from joed.engine.money import cash_at, cash_of, confirmed, currency_of, leaps, rate_in, rate_of, stale, underlying
from joed.engine.positions import day_result, equity, unrealised
from joed.engine.risk import refuse
from joed.engine.step import refold, step
from joed.engine.triggers import request_of
from joed.engine.view import view
from joed.model.commands import AdoptPosition, OpenSession, RefuseEntry, SubmitOrder
from joed.model.events import OrderWorking, RateSeen, Tick
from joed.model.settings import Instrument, Risk
from joed.model.state import Rate
from joed.model.values import SECOND, Side
from tests.engine.build import (
    CLOSE,
    OPEN,
    START,
    D,
    armed,
    bracket,
    fill,
    of_kind,
    quote,
    settings_of,
    submitted,
    trading_state,
    trigger,
    whole_read,
)

SAP = Instrument("SAP", currency="EUR")
UNIVERSE = settings_of().universe | {"SAP": SAP}


def seen(rate, *, at=START, currency="EUR"):
    """Give a rate as a broker tells it."""
    return RateSeen(currency, D(rate), at, "paper: EURUSD")


def two_currencies(rate="1.10", **more):
    """Give a State that may trade in dollars and in euros."""
    state = trading_state(universe=UNIVERSE, **more)
    if rate is not None:
        step(state, state.now, seen(rate, at=state.now))
    return state


def bought(state, symbol="SAP", *, price="100.00", quantity="10", fee="0", now=START):
    """Let ten have been bought, with a stop."""
    command = bracket(symbol, quantity=quantity, entry=price, stop="90.00", target="150.00")
    submitted(state, command, now)
    step(state, now, fill(command.order, quantity, price, symbol=symbol, execution=f"b-{symbol}", fee=fee))
    step(state, now, OrderWorking(command.stop_order, D(quantity), D("90.00")))


def sold(state, symbol="SAP", *, price="110.00", quantity="10", fee="0", execution="s"):
    """Let them have been sold by the target."""
    order = f"{symbol}-t"
    step(
        state,
        state.now,
        fill(order, quantity, price, side=Side.SELL, symbol=symbol, execution=f"{execution}-{symbol}", fee=fee),
    )


def test_the_base_currency_is_worth_itself_and_an_unknown_rate_counts_as_one():
    """Whoever asks with no rate known has been refused entries long before; a sum must still be a sum."""
    state = two_currencies(rate=None)

    assert [rate_in(state, currency) for currency in ("USD", "EUR", "GBP")] == [1, 1, 1]
    assert rate_of(two_currencies(), "SAP") == D("1.10")
    assert (rate_of(state, "AAPL"), currency_of(state, "SAP"), currency_of(state, "GONE")) == (1, "EUR", "USD")


def test_a_position_keeps_its_currency_when_the_settings_no_longer_name_its_instrument():
    """A reload may take the instrument away; the money stays euros."""
    state = two_currencies()
    bought(state)
    state.settings = settings_of()

    assert (currency_of(state, "SAP"), rate_of(state, "SAP")) == ("EUR", D("1.10"))
    assert equity(state) == 100_000


@pytest.mark.parametrize("rate", ["NaN", "Infinity", "-1.1", "0"])
def test_a_rate_that_cannot_be_is_left_out_and_counted(rate):
    """Neither the first nor a later one."""
    first, later = two_currencies(rate=None), two_currencies()

    step(first, START, seen(rate))
    step(later, START, seen(rate))

    assert first.rates == {}
    assert later.rates["EUR"] == Rate(D("1.10"), START, "paper: EURUSD", rejected=1)


def test_a_rate_of_no_currency_of_ours_or_of_the_base_itself_is_not_kept():
    """The universe bounds what is remembered."""
    state = two_currencies(rate=None)

    step(state, START, seen("150", currency="JPY"))
    step(state, START, seen("2", currency="USD"))

    assert state.rates == {}


@pytest.mark.parametrize(("rate", "believed"), [("1.20999", True), ("1.21", False), ("0.99001", True), ("0.99", False)])
def test_a_leap_of_a_rate_waits_for_a_second_that_agrees(rate, believed):
    """Ten percent, to either side, is no neighbour; twice in a row it is the new rate."""
    state = two_currencies()
    step(state, START + 1, seen(rate, at=START + 1))
    once = rate_in(state, "EUR")
    step(state, START + 2, seen(rate, at=START + 2))

    assert (once == D(rate)) is believed
    assert (rate_in(state, "EUR"), state.rates["EUR"].at_ns, state.rates["EUR"].suspect) == (D(rate), START + 2, None)


def test_two_leaps_that_do_not_agree_are_not_believed():
    """Nor is one with nonsense between: a hundred times, a hundredth, nothing."""
    state = two_currencies()
    for rate in ("110", "0.011", "110", "NaN", "110", "1.1"):
        step(state, START, seen(rate))

    assert state.rates["EUR"] == Rate(D("1.1"), START, "paper: EURUSD", rejected=5)
    assert leaps(state, D(1), D("1.1")) is True
    assert confirmed(state, Rate(D(1), 0, "", suspect=D(2)), D("2.1")) is True


def test_a_rate_is_no_younger_than_now_and_no_older_than_the_one_before():
    """A broker's clock may go ahead; and a late word does not make a young rate old."""
    state = two_currencies()
    step(state, START, seen("1.11", at=START + SECOND))
    ahead = state.rates["EUR"].at_ns
    step(state, START, seen("1.12", at=START - SECOND))

    assert (ahead, state.rates["EUR"].at_ns) == (START, START)


@pytest.mark.parametrize(("age_ns", "refused"), [(900 * SECOND, False), (900 * SECOND + 1, True)])
def test_nothing_is_opened_on_an_old_rate(age_ns, refused):
    """Fifteen minutes, not a nanosecond more; and in the base currency it does not matter."""
    state = two_currencies()
    now = START + age_ns

    assert bool(stale(state, now, "EUR")) is refused
    assert stale(state, now, "USD") == ""


def test_without_a_rate_an_entry_is_refused_and_an_exit_is_not():
    """The code and the words say which currency."""
    state = armed(trigger("SAP", "100.00", stop=D(96), target=D(120)), universe=UNIVERSE)

    [refused] = step(state, START, quote("SAP", 100.0))

    assert (type(refused), refused.code, refused.words) == (RefuseEntry, "rate_stale", "no rate of EUR is known")


def test_an_old_rate_still_values_what_is_held_and_lets_it_be_closed():
    """Nothing better is known; a kill that flattens closes it as any other."""
    state = two_currencies()
    bought(state)
    late = START + 3600 * SECOND
    step(state, late, quote("SAP", 105.0, 105.0, at=late))
    step(state, late, Tick())

    [need] = [need for need in view(state).needs if need.code == "rate_stale"]

    assert (state.worth, state.unrealised) == (D(100_055), D(55))
    assert need.words == "the rate of EUR is 3600 s old, the limit is 900 s"


def test_limits_look_at_the_value_in_base_currency():
    """Ten at 100.25 euros are 1,102.75 dollars."""
    for limit, expected in (("1102.75", None), ("1102.74", "notional_max")):
        state = two_currencies(risk=Risk(notional_max=D(limit)))
        wanted = trigger("SAP", "100.00", stop=D(96), target=D(120))
        refusal = refuse(state, START, request_of(state, wanted, quote("SAP", 99.98, 100.0)))
        assert (refusal.code if refusal else None) == expected


def test_the_size_follows_from_the_risk_in_base_currency():
    """500 dollars of risk over 4.25 euros a share at 1.10 are 106 shares."""
    state = two_currencies()
    wanted = trigger("SAP", "100.00", stop=D(96), target=D(120), quantity=None)

    assert request_of(state, wanted, quote("SAP", 99.98, 100.0)).quantity == 106


def test_what_is_bought_in_another_currency_is_paid_in_it():
    """The balance is minus what was paid; equity does not change by the purchase."""
    state = two_currencies()
    bought(state, fee="2")

    broker = state.brokers["paper"]
    assert (broker.cash, broker.balances, state.cash) == (100_000, {"EUR": D(-1002)}, 100_000)
    assert cash_at(state, broker) == cash_of(state) == D("98897.80")
    assert (equity(state), state.fees, state.day.fees) == (D("99997.80"), D("2.20"), D("2.20"))


def test_a_balance_that_is_even_is_none():
    """What was bought and sold at one price leaves nothing behind."""
    state = two_currencies()
    bought(state)
    sold(state, price="100.00")

    assert state.brokers["paper"].balances == {}


def test_what_was_realised_is_converted_at_the_rate_of_the_closing_fill():
    """Bought at 1.10, sold with ten euros a share gained at 1.15: 115 dollars; the rate after does not change it."""
    state = two_currencies()
    bought(state)
    step(state, START, seen("1.15"))
    sold(state)
    step(state, START, seen("1.20"))
    step(state, START + SECOND, Tick())

    assert (state.positions["SAP"].realised, state.realised, state.day.realised) == (100, 115, 115)
    assert state.brokers["paper"].balances == {"EUR": D(100)}
    assert state.worth == D(100_120)


def test_a_days_loss_counts_both_currencies():
    """Ten SAP fall by 20 euros (220 dollars at 1.10), ten AAPL by 3 (30 dollars), fees of 1 each: 252.10 in all."""
    for limit, latched in (("252.10", True), ("252.11", False)):
        state = two_currencies(risk=Risk(loss_day_max=D(limit)))
        bought(state, fee="1")
        bought(state, "AAPL", price="200.00", fee="1")
        step(state, START, quote("SAP", 80.0, 80.0))
        step(state, START, quote("SAP", 80.0, 80.0))
        step(state, START, quote("AAPL", 197.0, 197.0))
        step(state, START + SECOND, Tick())
        assert ("all/loss_day_max" in state.blocks) is latched


prices = st.decimals(min_value=50, max_value=150, places=2)
rates = st.decimals(min_value="0.5", max_value=2, places=4)


@given(
    fees=st.lists(st.decimals(min_value=0, max_value=9, places=2), min_size=4, max_size=4),
    euro=st.tuples(prices, prices, rates),
    dollar=st.tuples(prices, prices),
    part=st.integers(1, 10),
)
def test_the_days_result_is_the_sum_of_its_parts(fees, euro, dollar, part):
    """Each currency by itself, converted, added up: realised, open profit, fees; and with one rate it is equity's."""
    state = two_currencies(rate=str(euro[2]))
    for symbol, price, fee in (("SAP", euro[0], fees[0]), ("AAPL", dollar[0], fees[1])):
        bought(state, symbol, price=str(price), fee=str(fee))
    for symbol, price, fee in (("SAP", euro[1], fees[2]), ("AAPL", dollar[1], fees[3])):
        sold(state, symbol, price=str(price), quantity=str(part), fee=str(fee))
        state.markets[symbol].quote = quote(symbol, float(price), float(price))
    note_worth(state)

    in_euro = (euro[1] - euro[0]) * 10 - fees[0] - fees[2]
    in_dollar = (dollar[1] - dollar[0]) * 10 - fees[1] - fees[3]
    assert abs(day_result(state) - (in_euro * euro[2] + in_dollar)) < D("1E-12")
    assert abs(state.worth - state.day.equity_start - day_result(state)) < D("1E-12")
    assert abs(view(state).daily_pnl - day_result(state)) < D("1E-12")
    assert state.unrealised == unrealised(state)


def test_money_paid_in_is_no_profit_and_a_persons_own_purchase_no_loss():
    """The broker's word for cash moves equity; the day's result is what our trades made."""
    state = two_currencies()
    state.brokers["paper"].changed_ns = 0
    step(state, START + 1, whole_read(START + 1, cash="50000"))
    step(state, START + SECOND, Tick())

    assert (state.worth, day_result(state)) == (50_000, 0)
    assert "all/loss_day_max" not in state.blocks


def test_a_session_begins_with_the_open_profit_that_it_finds():
    """What was gained overnight is not today's to lose twice."""
    state = two_currencies()
    bought(state)
    step(state, START, quote("SAP", 105.0, 105.0))
    step(state, START + SECOND, Tick())
    refold(state, CLOSE, Tick(), [OpenSession("2026-09-22", OPEN, CLOSE, state.worth, state.unrealised)])
    begun = day_result(state)
    step(state, CLOSE, quote("SAP", 104.0, 104.0, at=CLOSE))
    note_worth(state)

    assert (begun, day_result(state)) == (0, D("-11.0"))


def test_a_brokers_read_tells_the_other_balances_too():
    """A number that cannot be is none; an even balance is none."""
    state = two_currencies()
    read = whole_read(START + 1, cash="100000")
    step(state, START + 1, type(read)(**{**_fields(read), "balances": {"EUR": D(5), "JPY": D("NaN"), "GBP": D(0)}}))

    assert (state.brokers["paper"].balances, state.brokers["paper"].differences) == ({"EUR": D(5)}, 1)
    assert view(state).balances == {"EUR": D(5)}


def _fields(struct):
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def test_a_fill_in_another_currency_than_the_instruments_is_not_booked():
    """A broker's nonsense is told, never guessed at (F81)."""
    state = two_currencies()
    command = bracket("SAP", entry="100.00", stop="90.00", target="150.00")
    submitted(state, command)
    wrong = fill(command.order, "10", "100.00", symbol="SAP")
    commands = step(state, START, type(wrong)(**{**_fields(wrong), "currency": "USD"}))

    assert "SAP" not in state.positions
    assert [alert.key for alert in commands] == ["bad_fill:x1"]
    step(state, START, type(wrong)(**{**_fields(wrong), "currency": "EUR"}))
    assert state.positions["SAP"].quantity == 10


def test_a_rate_reads_back_from_the_record_and_from_a_snapshot():
    """Also one that cannot be: the record keeps what was heard."""
    state = two_currencies()
    again = decode_state(encode_state(state), b"key")

    assert again.rates == state.rates
    assert decode_event(encode_event(seen("1.1"))) == seen("1.1")
    assert decode_event(encode_event(seen("NaN"))).rate.is_nan()


def test_exposure_adds_up_under_one_name():
    """Its own symbol, where nothing else is said or the settings no longer name it; longs and shorts apart."""
    cfd = Instrument("CFD", underlying="AAPL")
    state = trading_state(universe=settings_of().universe | {"CFD": cfd})
    bought(state, "AAPL", price="200.00")
    bought(state, "CFD", price="100.00")
    state.positions["CFD"].quantity = D(-10)
    note_worth(state)

    assert [underlying(state, name) for name in ("CFD", "AAPL", "GONE")] == ["AAPL", "AAPL", "GONE"]
    assert (state.longs, state.shorts) == ({"AAPL": D(2000)}, {"AAPL": D(1000)})


def test_a_size_in_another_currency_makes_an_order_that_passes_every_limit():
    """What was sized by the limits is not refused by them."""
    state = armed(trigger("SAP", "100.00", stop=D(96), target=D(120), quantity=None), universe=UNIVERSE, risk=Risk())
    step(state, START, seen("1.10"))

    [command] = of_kind(step(state, START, quote("SAP", 99.98, 100.0)), SubmitOrder)

    assert command.quantity * (command.level - command.stop) * D("1.10") <= Decimal(500)


def test_what_an_adopted_position_had_lost_before_is_no_loss_of_this_day():
    """Its owner's result until then is the owner's; from the adoption on it is ours."""
    state = two_currencies()
    step(state, START, quote("SAP", 90.0, 90.0))
    refold(state, START, Tick(), [AdoptPosition("SAP", "paper", D(10), D("100"), "lot-1")])
    note_worth(state)
    adopted = (state.unrealised, day_result(state))
    step(state, START, quote("SAP", 89.0, 89.0))
    note_worth(state)

    assert adopted == (D(-110), 0)
    assert day_result(state) == D(-11)
