"""Each position gets one close, whatever the reasons for it."""

import pytest

from joed.engine.closing import REASONS, shut
from joed.engine.exits import share
from joed.engine.step import step
from joed.model.blocks import Block
from joed.model.commands import AmendOrder, FlattenPosition, MarkEquity, RaiseAlert, SubmitOrder
from joed.model.events import OrderAccepted, OrderCancelled, OrderRejected, OrderWorking, Tick
from joed.model.settings import EndOfDay
from joed.model.values import SECOND, Leg, Scope, Severity, Status
from tests.engine.build import CLOSE, START, D, holding, of_kind, quote, stop_of, target_of, trading_state

FOUR = ["killed", "unwanted", "unprotected", "end_of_day"]


def sent(state, now):
    """Give the orders that one Tick sends."""
    return of_kind(step(state, now, Tick()), AmendOrder | SubmitOrder)


@pytest.mark.parametrize(
    ("scope", "closes"), [(Scope.ENTRIES, 0), (Scope.ORDERS, 0), (Scope.FLATTEN, 1), (Scope.ACCOUNT, 1)]
)
def test_a_kill_closes_from_the_scope_flatten_on(scope, closes):
    """Narrower scopes keep what is held under its stop."""
    state = holding("AAPL")
    state.killed = scope

    assert len(sent(state, START + SECOND)) == closes


@pytest.mark.parametrize(("before_ns", "closes"), [(300 * SECOND + 1, 0), (300 * SECOND, 1), (0, 0)])
def test_the_day_ends_without_positions_where_the_settings_say_so(before_ns, closes):
    """From five minutes before the bell until the bell."""
    state = trading_state(eod=EndOfDay(close_positions=True), now=CLOSE - 600 * SECOND)
    holding("AAPL", state=state)

    assert len(sent(state, CLOSE - before_ns)) == closes


def test_the_end_of_the_day_asks_for_a_price_first_then_takes_any_then_goes_to_the_market():
    """Three steps of more and more haste, one closer at a time; without `limit_s` the first falls away."""
    state = trading_state(eod=EndOfDay(close_positions=True, limit_s=120.0), now=CLOSE - 600 * SECOND)
    holding("AAPL", state=state)
    begin = CLOSE - 300 * SECOND
    step(state, begin - SECOND, quote("AAPL", 205.0, at=begin - SECOND))
    told = []
    for second in range(300):
        for command in sent(state, begin + second * SECOND):
            told.append((second, getattr(command, "level", None), command.order == target_of("AAPL")))
            if isinstance(command, AmendOrder):
                step(state, state.now, OrderWorking(command.order, D(10), command.level))

    assert told == [(0, D("205.00"), True), (120, D("202.95"), True), (150, None, False)]


@pytest.mark.parametrize(("at_s", "auction_s", "told"), [(900.0, 600.0, [240]), (300.0, 600.0, []), (900.0, 0.0, [])])
def test_a_minute_before_the_auction_shuts_its_book_a_person_hears_what_is_still_held(at_s, auction_s, told):
    """No order on close is ever sent; who closed late on purpose, or has no auction, hears nothing."""
    state = trading_state(eod=EndOfDay(close_positions=True, at_s=at_s, auction_s=auction_s), now=CLOSE - 1200 * SECOND)
    holding("AAPL", state=state)
    state.orders[target_of("AAPL")].status = Status.CANCELLED
    heard = [
        second
        for second in range(900)
        for command in step(state, CLOSE - (900 - second) * SECOND, Tick())
        if isinstance(command, RaiseAlert) and command.key.startswith("auction:") and not command.repeat
    ]

    assert heard == told


def test_by_default_positions_are_kept_over_night():
    """Closing at the end of the day is a choice."""
    state = holding("AAPL")

    assert sent(state, CLOSE - SECOND) == []


def test_all_reasons_at_once_make_one_close():
    """Killed, unwanted, unprotected and near the bell: two closes would turn the position round (I22)."""
    state = trading_state(eod=EndOfDay(close_positions=True), now=CLOSE - 200 * SECOND)
    holding("AAPL", state=state)
    step(state, state.now, quote("AAPL", 200.0, at=state.now))
    state.killed = Scope.FLATTEN
    state.positions["AAPL"].repairs, state.positions["AAPL"].unwanted = 3, "by hand"
    step(state, state.now, OrderCancelled(stop_of("AAPL")))
    now = state.now + 15 * SECOND

    assert [why.__name__ for why in REASONS if why(state, now, state.positions["AAPL"])] == FOUR
    assert [(command.order, command.reason) for command in sent(state, now)] == [(target_of("AAPL"), "killed")]
    assert sent(state, now + SECOND) == []


def test_what_is_flat_is_not_closed():
    """A remembered position of nothing is no position."""
    state = trading_state()
    state.killed = Scope.ACCOUNT

    assert sent(state, START + SECOND) == []


def test_a_close_that_the_broker_refuses_is_told_and_tried_again_later_and_later():
    """F87: a closed market, a refused order: no spin, no end of trying, a person knows."""
    state = holding("AAPL", eod=EndOfDay(close_positions=True), now=CLOSE - 290 * SECOND)
    state.orders[target_of("AAPL")].status = Status.CANCELLED
    start, alerts, tries = state.now, [], []
    for second in range(1, 280):
        for command in step(state, start + second * SECOND, Tick()):
            if isinstance(command, SubmitOrder):
                tries.append(second)
                alerts += step(state, start + second * SECOND, OrderRejected(command.order, "closed", "no market"))

    assert tries == [1, 31, 91, 211]
    told = [one.key for one in alerts if isinstance(one, RaiseAlert) and one.severity is Severity.CRITICAL]
    assert told == ["close_refused:AAPL:2026-09-21"]
    assert state.positions["AAPL"].refusals == 4


def test_a_position_without_a_stop_is_tried_again_soon_however_often_its_close_was_refused():
    """The wait that spares a broker is not for what is bare: each `flatten_s` there is another try."""
    state = holding("AAPL")
    state.orders[target_of("AAPL")].status = Status.CANCELLED
    state.killed = Scope.FLATTEN
    state.positions["AAPL"].unprotected_ns = state.now
    start, tries = state.now, []
    for second in range(1, 100):
        for command in step(state, start + second * SECOND, Tick()):
            if isinstance(command, SubmitOrder) and command.leg is Leg.CLOSE:
                tries.append(second)
                step(state, start + second * SECOND, OrderRejected(command.order, "closed", "no market"))
                state.positions["AAPL"].unprotected_ns = start

    assert tries == [1, 16, 31, 46, 61, 76, 91]


def test_what_could_not_be_closed_by_the_end_of_the_day_is_closed_at_the_next_open():
    """The plan stands in the record and in an alert, and waits while the market is shut."""
    state = holding("AAPL", eod=EndOfDay(close_positions=True), now=CLOSE - 600 * SECOND)
    market = Block("calendar:XNYS", "market_closed", "shut")
    state.blocks[market.key] = market

    left = step(state, CLOSE, Tick())
    night = [step(state, CLOSE + second * SECOND, Tick()) for second in range(1, 100)]
    del state.blocks[market.key]
    morning = step(state, CLOSE + 101 * SECOND, Tick())

    assert [type(command) for command in left if not isinstance(command, MarkEquity)] == [FlattenPosition, RaiseAlert]
    assert not any(isinstance(one, SubmitOrder | AmendOrder) for commands in night for one in commands)
    assert [one.order for one in morning if isinstance(one, AmendOrder)] == [target_of("AAPL")]
    assert shut(state, "nothing") is False


def test_a_close_in_a_halted_instrument_waits_and_does_not_spin():
    """F73: it lives at the broker and fills when trading resumes; a halted trail asks for nothing either."""
    state = holding("AAPL")
    state.orders[target_of("AAPL")].status = Status.CANCELLED
    state.killed = Scope.FLATTEN
    sent = []
    for second in range(1, 600):
        commands = step(state, START + second * SECOND, Tick())
        for command in commands:
            if isinstance(command, SubmitOrder):
                sent.append(command)
                for word in (OrderAccepted(command.order, "9"), OrderWorking(command.order, command.quantity)):
                    step(state, START + second * SECOND, word)

    assert [one.leg for one in sent] == [Leg.CLOSE]


def test_after_a_refused_close_nothing_is_sent_alone_before_the_book_was_read():
    """The broker may have refused because it is closed already: a close of its own would turn the position."""
    state = holding("AAPL")
    position = state.positions["AAPL"]
    for name in (stop_of("AAPL"), target_of("AAPL")):
        state.orders[name].status = Status.CANCELLED
    state.killed = Scope.FLATTEN
    broker, start = state.brokers["paper"], state.now
    (close,) = [one for one in step(state, start + SECOND, Tick()) if getattr(one, "leg", None) is Leg.CLOSE]
    step(state, start + 2 * SECOND, OrderRejected(close.order, "nothing_left", "nothing is left to close"))

    unread = share(state, position)
    broker.read_ns = broker.read_from_ns = start + 3 * SECOND

    assert unread == ("", 0)
    assert share(state, position) == ("", position.quantity)
