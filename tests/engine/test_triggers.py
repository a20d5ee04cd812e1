"""From a price that crosses to an order, or to a refusal with its code."""

import pytest
from msgspec.structs import replace

from joed.engine.step import step
from joed.engine.triggers import SENSELESS_MAX, crossed, sane, size, traded_enough
from joed.model.commands import RefuseEntry, SubmitOrder
from joed.model.events import StopAsked, Tick, TriggersMade
from joed.model.settings import Risk
from joed.model.state import Market
from joed.model.values import SECOND, Bar, Crossing, Side
from tests.engine.build import START, D, armed, kinds, of_kind, quote, trading_state, trigger


@pytest.mark.parametrize(
    ("side", "crossing", "bid", "ask", "fires"),
    [
        (Side.BUY, Crossing.ABOVE, 199.98, 199.99, False),
        (Side.BUY, Crossing.ABOVE, 199.98, 200.00, True),
        (Side.BUY, Crossing.BELOW, 199.99, 200.01, False),
        (Side.BUY, Crossing.BELOW, 199.98, 200.00, True),
        (Side.SELL, Crossing.ABOVE, 199.99, 200.01, False),
        (Side.SELL, Crossing.ABOVE, 200.00, 200.02, True),
        (Side.SELL, Crossing.BELOW, 200.01, 200.02, False),
        (Side.SELL, Crossing.BELOW, 200.00, 200.02, True),
    ],
)
def test_a_trigger_looks_at_the_price_that_would_be_paid(side, crossing, bid, ask, fires):
    """A buy at the ask, a sell at the bid; at the level it fires, a cent before it does not."""
    assert crossed(trigger(side=side, crossing=crossing), quote("AAPL", bid, ask)) is fires


def test_one_signal_makes_one_entry_for_ever():
    """Fired, or made again by the strategy, or refused: the signal is spent (I7)."""
    state = armed(trigger())
    first = step(state, START, quote("AAPL", 200.0))
    second = step(state, START, quote("AAPL", 200.0))
    step(state, START, TriggersMade(2, (trigger(),)))
    third = step(state, START, quote("AAPL", 200.0))

    assert [kinds(commands) for commands in (first, second, third)] == [["SubmitOrder"], [], []]
    assert state.signals == {"signal-AAPL-200.00": "entered"}


def test_two_triggers_crossed_at_once_are_decided_one_after_the_other():
    """The next quote knows what this one did: here, that an entry is pending."""
    state = armed(trigger(), trigger(level="199.00"))

    commands = [step(state, START, quote("AAPL", 200.0)) for _ in range(3)]

    assert [kinds(each) for each in commands] == [["SubmitOrder"], ["RefuseEntry"], []]
    assert commands[1][0].code == "duplicate"


@pytest.mark.parametrize(("left_ns", "fires"), [(1, True), (0, False)])
def test_a_trigger_holds_until_its_time_and_not_at_it(left_ns, fires):
    """Valid until means before."""
    state = armed(trigger(valid_until_ns=START + 100))

    commands = step(state, START + 100 - left_ns, quote("AAPL", 200.0, at=START))

    assert len(commands) == fires


def test_a_trigger_that_asks_for_volume_waits_for_it():
    """The minute's volume so far has to reach it; none known is not enough."""
    state = armed(trigger(volume_min=500.0))
    unknown = step(state, START, quote("AAPL", 200.0, volume=1000.0))
    step(state, START + SECOND, Tick())
    step(state, START + SECOND, quote("AAPL", 200.0, at=START + SECOND, volume=1499.0))
    step(state, START + 2 * SECOND, Tick())
    short = step(state, START + 2 * SECOND, quote("AAPL", 200.0, at=START + SECOND, volume=1500.0))
    step(state, START + 3 * SECOND, Tick())
    enough = step(state, START + 3 * SECOND, quote("AAPL", 200.0, at=START + 2 * SECOND, volume=1500.0))

    assert [kinds(commands) for commands in (unknown, short, enough)] == [[], [], ["SubmitOrder"]]


def test_size_is_what_loses_the_risk_between_limit_and_stop():
    """Half a percent of 100,000 over 4.50 a share is 111 shares; a lot is whole."""
    state = armed(trigger(quantity=None))

    [command] = step(state, START, quote("AAPL", 199.98, 200.0))

    assert command.level == D("200.50")
    assert command.quantity == 111


def test_size_never_exceeds_the_risk_a_trade_the_notional_or_nothing_at_all():
    """The settings bound what a strategy may ask for."""
    state = trading_state()
    state.worth = D(1_000_000)

    assert size(state, trigger(quantity=None, risk=D("0.5")), D(200)) == D(25_000) / 200
    assert size(state, trigger(quantity=None, stop=D(100)), D(200)) == D(50)
    assert size(state, trigger(quantity=None, stop=D(200)), D(200)) == 0


def test_a_limit_lies_a_quarter_of_the_collar_through_the_market_on_the_tick():
    """Enough to fill, not enough to be another trade; a sell's lies below."""
    state = armed(
        trigger(side=Side.SELL, crossing=Crossing.BELOW, stop=D(204), target=D(180)), risk=Risk(allow_short=True)
    )

    [command] = step(state, START, quote("AAPL", 199.98, 200.0))

    assert (command.side, command.level) == (Side.SELL, D("199.48"))


def test_a_refusal_spends_the_signal_and_is_counted():
    """What was not let through is in the record with its reason, and does not knock again."""
    state = armed(trigger(quantity=D("0.5")))

    commands = [step(state, START, quote("AAPL", 200.0)) for _ in range(2)]

    assert [replace(command, basis=None) for command in commands[0]] == [
        RefuseEntry("AAPL", "breakout", "signal-AAPL-200.00", "lot", "0 is less than one lot of 1"),
    ]
    assert commands[1] == []
    assert state.day.refusals == {"lot": 1}


def test_the_limit_of_orders_a_minute_latches_when_it_is_reached():
    """More than a sound day makes: entries are off until a person has looked (I21)."""
    symbols = tuple(f"S{number}" for number in range(4))
    state = armed(*(trigger(symbol) for symbol in symbols), symbols=symbols, risk=Risk(orders_minute_max=2))

    commands = [step(state, START, quote(symbol, 200.0)) for symbol in symbols]

    assert [kinds(each) for each in commands] == [
        ["SubmitOrder"],
        ["SubmitOrder"],
        ["RefuseEntry", "RaiseBlock", "RaiseAlert"],
        ["RefuseEntry"],
    ]
    assert state.blocks["all/orders_minute_max"].latched
    assert commands[3][0].code == "blocked"


def test_nothing_is_opened_once_the_end_has_begun():
    """A crossing after StopAsked is only a price."""
    state = armed(trigger())
    step(state, START, StopAsked("SIGTERM"))

    assert step(state, START, quote("AAPL", 200.0)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"level": D("NaN")},
        {"level": D("Infinity")},
        {"stop": D("NaN")},
        {"stop": D(0)},
        {"target": D("-Infinity")},
        {"target": D(-1)},
        {"trail": D("NaN")},
        {"trail": D(-1)},
        {"quantity": D("NaN")},
        {"quantity": None, "risk": D("NaN")},
        {"quantity": None, "risk": D(0)},
        {"quantity": None, "risk": D("1.01")},
        {"volume_min": float("nan")},
    ],
    ids=repr,
)
def test_a_trigger_whose_numbers_cannot_be_is_not_taken(change):
    """A strategy's nonsense must reach neither an order nor a comparison that raises."""
    row = {"level": "200.00"} | change
    made = trigger(**{**row, "level": "200.00"})
    made = type(made)(**{name: change.get(name, getattr(made, name)) for name in made.__struct_fields__})
    state = trading_state()

    commands = step(state, START, TriggersMade(1, (made, made, trigger("MSFT"))))
    again = step(state, START, TriggersMade(2, (made, trigger("MSFT"))))

    assert not sane(made)
    assert [(one.code, one.signal) for one in commands] == [("numbers", made.signal)]
    assert (again, state.day.refusals) == ([], {"numbers": 1})
    assert list(state.triggers) == ["signal-MSFT-200.00"]
    assert of_kind(step(state, START, quote("AAPL", 200.0)), SubmitOrder) == []


def test_a_strategy_of_nonsense_is_refused_by_name_a_hundred_times_an_answer():
    """Ten thousand bad Triggers are one fault, not ten thousand records; those of no instrument of ours are none."""
    state = trading_state()
    made = tuple(trigger(stop=D("NaN"), signal=f"s{number}") for number in range(10_000))

    commands = step(state, START, TriggersMade(1, (trigger("GONE", stop=D("NaN")), *made)))

    assert len(commands) == SENSELESS_MAX
    assert {one.instrument for one in commands} == {"AAPL"}


def test_the_same_signal_ten_thousand_times_is_one_entry():
    """One intent for ever, however often a strategy says it (I7)."""
    state = trading_state()
    sent = []
    for run in range(200):
        sent += step(state, START, TriggersMade(run, (trigger(),) * 50))
        sent += step(state, START, quote("AAPL", 199.98, 200.0))

    assert kinds(sent) == ["SubmitOrder"]


def test_a_strategy_that_never_stops_signalling_is_latched():
    """New signals without end: the limit of orders a minute latches, and nothing more is opened (I21)."""
    symbols = tuple(f"S{number}" for number in range(100))
    state = trading_state(symbols=symbols, risk=Risk(position_max=1000, gross_max=D(10**6)), cash="1000000")
    for run, symbol in enumerate(symbols):
        step(state, START, TriggersMade(run, (trigger(symbol),)))
        step(state, START, quote(symbol, 199.98, 200.0))

    assert (state.day.orders, state.day.refusals) == (30, {"orders_minute_max": 1, "blocked": 69})
    assert state.blocks["all/orders_minute_max"].latched


def test_a_busy_day_is_refused_more_trades_and_latches_nothing():
    """The limit of trades a day is reached in good order; the next session begins anew by itself."""
    state = armed(trigger(), risk=Risk(trades_day_max=1))
    state.day.trades = 1

    [refused] = step(state, START, quote("AAPL", 199.98, 200.0))

    assert (refused.code, refused.words) == ("trades_day_max", "1 trades today, the limit is 1")
    assert state.blocks == {}


@pytest.mark.parametrize(("volume", "fires"), [(499.9, False), (500.0, True)])
def test_the_least_volume_is_reached_at_it(volume, fires):
    """Five hundred are asked for."""
    market = trading_state().markets.setdefault("AAPL", Market("AAPL"))
    market.minute = Bar("AAPL", START, 1, 1, 1, 1, volume)

    assert traded_enough(market, trigger(volume_min=500.0)) is fires
    assert traded_enough(Market("AAPL"), trigger(volume_min=0.0)) is True


@pytest.mark.parametrize(
    ("change", "is_sane"),
    [
        ({"quantity": None, "risk": D(1)}, True),
        ({"quantity": None, "risk": D("1.000001")}, False),
        ({"quantity": None, "risk": D("0.000001")}, True),
        ({"quantity": None, "risk": D("-0.1")}, False),
        ({"trail": D(0)}, True),
        ({"trail": D("-0.01")}, False),
        ({"volume_min": 0.0}, True),
        ({"volume_min": -0.1}, False),
        ({"stop": D("0.01")}, True),
        ({"quantity": D("-1")}, True),
    ],
    ids=repr,
)
def test_a_trigger_is_sane_up_to_its_bounds(change, is_sane):
    """On both sides of each; a quantity below a lot is the gate's to refuse, by its own name."""
    assert sane(replace(trigger(), **change)) is is_sane


def test_a_size_is_nothing_where_the_limit_is_at_the_stop_or_at_nothing():
    """No distance, no price: no size, and no division."""
    state = trading_state()

    assert size(state, trigger(stop=D("200")), D("200")) == 0
    assert size(state, trigger(stop=D("-1")), D(0)) == 0
    assert size(state, trigger(stop=D("199.99")), D("200")) == D(25_000) / 200
    assert size(state, trigger(stop=D("0.005")), D("0.01")) == D(100_000) * D("0.005") / D("0.005")
