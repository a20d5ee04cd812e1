"""What is shown of State, and that showing changes nothing."""

from decimal import Decimal

import msgspec
import pytest

from joed.engine import exposure, positions
from joed.engine.view import ROWS_MAX, card_hash, status_line, view
from joed.model.blocks import Block
from joed.model.commands import Answer, RaiseAlert
from joed.model.events import Quote
from joed.model.state import Job, Market, State
from joed.model.triggers import Trigger
from joed.model.values import HOUR, SECOND, Crossing, Leg, Severity, Side, Status
from tests.daemon.serving import OPEN, hold, killed, put, state_of_a_day, unconfirmed

D = Decimal


def test_a_view_of_nothing_is_a_view():
    """Before the first event there is something to show: STARTING, and no number that was made up."""
    shown = view(State())

    assert (shown.phase, shown.health, shown.daily_pnl) == ("STARTING", "ok", D(0))
    assert msgspec.json.decode(msgspec.json.encode(shown))["positions"] == []


def test_looking_changes_no_state():
    """The same State encodes to the same bytes before and after: no market is made, no counter moved."""
    state = state_of_a_day()
    state.positions["AAPL"].instrument = "GONE"
    before = msgspec.msgpack.encode(state)

    view(state)

    assert msgspec.msgpack.encode(state) == before


def test_a_view_stays_as_it_was_when_state_goes_on():
    """Whoever holds a View reads it in another thread: nothing in it is State's own."""
    state = state_of_a_day()
    shown = view(state)
    before = msgspec.json.encode(shown)

    state.positions["AAPL"].quantity = D(0)
    state.orders["e2"].status = Status.FILLED
    state.brokers["paper"].up = False
    state.answers["k"] = Answer("k", "pause", "ok", "")
    state.day.refusals["blocked"] = 3
    state.external["IBM"] = D(7)

    assert msgspec.json.encode(shown) == before


def test_money_agrees_with_the_engines_own_sums():
    """Equity, exposure and open profit are the engine's, to the last digit: two sums would be two truths."""
    state = state_of_a_day()

    shown = view(state)

    assert shown.equity == positions.equity(state)
    assert shown.unrealised == positions.unrealised(state)
    exposure.note_worth(state)
    assert (shown.equity, shown.gross) == (state.worth, state.exposure)
    assert shown.daily_pnl == positions.equity(state) - state.day.equity_start


def test_the_six_fields_follow_from_the_record():
    """What a restart must find again: regime, watchlist, living orders, last analysis, trades and profit of the day."""
    state = state_of_a_day(analysed_ns=OPEN + 7)

    kept = view(state).state

    assert kept.last_regime == "bull"
    assert kept.watchlist == ("NVDA", "AAPL")
    assert kept.pending_orders == ("AAPL-s", "AAPL-t", "e2")
    assert (kept.last_analysis_time, kept.daily_trade_count) == (OPEN + 7, 2)
    assert kept.daily_pnl == view(state).daily_pnl


def test_a_position_shows_its_stop_as_the_broker_confirmed_it():
    """An amendment that is under way protects nothing yet."""
    state = state_of_a_day()
    state.orders["AAPL-s"].asked = D("199.00")

    (row,) = view(state).positions

    assert (row.stop, row.target, row.protected, row.unprotected_s) == (D("196.00"), D("210.00"), True, None)


@pytest.mark.parametrize(("lost", "stop", "seconds"), [("ended", None, 3600.0), ("amiss", D("196.00"), 6.0)])
def test_a_position_without_its_stop_says_since_when(lost, stop, seconds):
    """A stop that ended, or that the engine found amiss: not protected, and the seconds count."""
    state = state_of_a_day()
    if lost == "ended":
        state.orders["AAPL-s"].status = Status.CANCELLED
    else:
        state.positions["AAPL"].unprotected_ns = state.now - 6 * SECOND

    shown = view(state)

    (row,) = shown.positions
    assert (row.protected, row.stop, row.unprotected_s) == (False, stop, seconds)
    assert shown.needs[0].code == "unprotected"
    assert shown.health == "degraded"


def test_flat_positions_and_ended_orders_are_not_shown():
    """What is over is the journal's."""
    state = state_of_a_day()
    state.positions["AAPL"].quantity = D(0)
    for order in state.orders.values():
        order.status = Status.CANCELLED

    shown = view(state)

    assert (shown.positions, shown.orders, shown.equity) == ((), (), state.cash)


def test_a_position_without_a_quote_is_worth_what_it_cost():
    """No price is no gain: the sum stays, the price is None."""
    state = state_of_a_day(markets={})

    (row,) = view(state).positions

    assert (row.price, row.unrealised) == (None, D(0))
    assert view(state).equity == state.cash + D(1995)


@pytest.mark.parametrize(
    ("side", "crossing", "level", "distance"),
    [
        (Side.BUY, Crossing.ABOVE, "110", 0.1),
        (Side.BUY, Crossing.BELOW, "90", 0.1),
        (Side.SELL, Crossing.BELOW, "89.1", 0.1),
        (Side.BUY, Crossing.ABOVE, "90", -0.1),
    ],
)
def test_a_triggers_distance_is_what_the_paid_price_has_still_to_go(side, crossing, level, distance):
    """A buy looks at the ask, a sell at the bid; behind the level it is negative."""
    state = State(markets={"X": Market("X", quote=Quote("X", 99.0, 100.0))})
    state.triggers["X"] = Trigger("X", side, D(level), crossing, 0, D(1), D(999), "breakout", "s")

    (row,) = view(state).triggers

    assert row.distance == pytest.approx(distance)


def test_triggers_are_shown_nearest_first_and_only_so_many():
    """A hundred rows are enough for anybody; those without a quote come last, and the count is whole."""
    state = State()
    for number in range(ROWS_MAX + 5):
        name = f"N{number}"
        state.triggers[name] = Trigger(
            name, Side.BUY, D(200 - number), Crossing.ABOVE, 0, D(1), D(999), "breakout", name
        )
        if number != ROWS_MAX + 4:
            state.markets[name] = Market(name, quote=Quote(name, 9.0, 10.0))

    shown = view(state)

    assert (len(shown.triggers), shown.trigger_count) == (ROWS_MAX, ROWS_MAX + 5)
    assert shown.triggers[0].instrument == f"N{ROWS_MAX + 3}"


def test_ages_count_against_the_engines_now():
    """No clock: a View of an old State is as old as that State says."""
    state = state_of_a_day()

    shown = view(state)

    assert shown.brokers[0].quote_age_s == 1.0
    assert shown.regime_age_s == HOUR / SECOND
    assert shown.brokers[0].read_age_s is None
    assert {order.age_s for order in shown.orders} == {90.0}


def test_what_needs_a_person_is_told_worst_first():
    """A latched kill before an order of unknown fate before a card that waits."""
    state = killed(unconfirmed(state_of_a_day()))
    put(state, "u1", "TSLA", Leg.ENTRY, "5", "250", Status.UNCERTAIN)
    state.faulted["d1"] = state.now
    state.jobs["regime"] = Job("regime", failed="over its deadline")
    state.alerts["a"] = RaiseAlert("a", Severity.WARNING, "memory is high")
    state.alerts["b"] = RaiseAlert("b", Severity.INFO, "told for the record")
    state.brokers["paper"].differences = 2

    needs = view(state).needs

    assert [need.code for need in needs] == [
        *("latched", "uncertain", "books_differ", "faulted", "job_failed", "alert", "unconfirmed"),
    ]
    assert "told for the record" not in [need.words for need in needs]


def test_health_is_halted_degraded_or_ok():
    """The words a monitor reads: waiting for a person is no trouble, a broker that is down is."""
    well, waits, blind, dead = (state_of_a_day() for _ in range(4))
    unconfirmed(waits)
    blind.brokers["paper"].up = False
    killed(dead)

    assert [view(state).health for state in (well, waits, blind, dead)] == ["ok", "ok", "degraded", "halted"]


def test_the_status_line_is_one_line_with_what_counts():
    """The same words for the service manager and for joectl."""
    state = state_of_a_day()
    hold(state, "NVDA", stop="120", target="150")

    assert status_line(view(state)) == ("TRADING: paper, 2 positions, 5 orders, day +127.00 USD, closes in 5 h 30 min")


def test_a_card_that_waits_before_the_open_says_how_much_time_is_left():
    """The person should know whether to hurry."""
    line = status_line(view(unconfirmed(state_of_a_day(now=OPEN - 10 * 60 * SECOND))))

    assert line.startswith("AWAITING CONFIRMATION: waiting for joectl confirm, paper")
    assert line.endswith("opens in 10 min")


def test_the_status_line_has_the_day_to_the_cent_that_equity_has():
    """An average over 43 shares leaves a digit far behind the cent, which is no reason to round down."""
    shown = view(state_of_a_day())
    noisy = msgspec.structs.replace(shown, daily_pnl=Decimal("460.8349999999999999999999979"))

    assert "day +460.84 USD" in status_line(noisy)


def test_the_status_line_names_what_is_unprotected():
    """The first fear is on the first line."""
    state = state_of_a_day()
    state.positions["AAPL"].unprotected_ns = state.now

    assert "1 position, 1 UNPROTECTED" in status_line(view(state))


def test_the_status_line_begins_with_the_reason_for_not_trading():
    """What is blocked, in the words of who blocked it."""
    state = state_of_a_day()
    state.blocks["all/vix"] = Block("all", "vix", "VIX at 41.2, over 35", state.now)

    assert status_line(view(state)).startswith("DEFENSIVE: VIX at 41.2, over 35, paper, ")


def test_answers_are_found_by_their_request():
    """Control looks for the reply there."""
    answer = Answer("k", "pause", "ok", "entries are paused")

    assert view(state_of_a_day(answers={"k": answer})).answers == {"k": answer}


def test_the_cards_hash_is_that_of_the_state_shown():
    """The engine compares what was signed with what is so now."""
    state = state_of_a_day()
    before = card_hash(state)

    state.markets["AAPL"].quote = Quote("AAPL", 150.0, 150.02)
    state.now += SECOND
    assert card_hash(state) == before

    state.positions["AAPL"].quantity = D(11)
    assert card_hash(state) != before
