"""A card counts for the session of the exchange's calendar, whatever date the clock on the wall shows."""

import datetime as dt

import pytest
from msgspec.structs import replace

from joed.daemon.calendars import load_table
from joed.engine.confirming import AT
from joed.engine.step import step
from joed.engine.view import card_hash
from joed.model.commands import AmendOrder, CancelOrder, RaiseAlert, SubmitOrder
from joed.model.events import (
    BrokerDown,
    BrokerUp,
    EpochStarted,
    OperatorAsked,
    OrderSeen,
    PositionSeen,
    SettingsLoaded,
    Tick,
)
from joed.model.settings import Confirm
from joed.model.state import State
from joed.model.values import SECOND, Status
from tests.engine.build import START, D, bracket, fill, settings_of, submitted, trading_state, whole_read
from tests.faults.measure import measured


def begun(calendar, at):
    """Give a State whose first Tick comes at this UTC time, with the session of then opened."""
    state, now = State(id_key=b"key"), instant(at)
    settings = settings_of(calendar=calendar, confirm=Confirm(paper=True))
    step(state, now, EpochStarted(1, "start", "0", "code"))
    step(state, now, SettingsLoaded(settings, "digest", {calendar: load_table(calendar)}))
    step(state, now, BrokerUp("paper", "DEMO", "paper", 1))
    step(state, now, whole_read(now, cash="100000"))
    step(state, now, Tick())
    return state


def instant(at):
    """Give nanoseconds of a UTC time."""
    return int(dt.datetime.fromisoformat(f"{at}+00:00").timestamp()) * SECOND


@pytest.mark.parametrize(
    ("calendar", "at", "session"),
    [
        ("FX_24X5", "2026-09-21T23:59:59", "2026-09-22"),
        ("FX_24X5", "2026-09-22T00:00:01", "2026-09-22"),
        ("CRYPTO_24X7", "2026-09-20T03:59:59", "2026-09-20"),
        ("XNYS", "2026-03-09T13:00:00", "2026-03-09"),
        ("XNYS", "2026-11-02T13:59:59", "2026-11-02"),
    ],
)
def test_a_card_signed_around_midnight_and_a_change_of_clocks_counts_for_the_exchanges_session(calendar, at, session):
    """Once before and once after midnight in UTC it is the same card; on the days after clocks change too (F94)."""
    state = begun(calendar, at)

    answer = step(state, instant(at), OperatorAsked("confirm", "r", 1, 1, 1, "", {"card": card_hash(state)}))[-1]
    step(state, min(instant(at) + 60 * SECOND, state.day.close_ns - 1), Tick())

    assert (answer.code, state.day.session, AT in state.blocks) == ("ok", session, False)
    assert state.signed.card.session == session


def test_a_card_of_one_side_of_the_rollover_is_another_sessions_on_the_other():
    """The currency day turns at 17:00 in New York, 21:00 UTC in summer: not at midnight, and not an hour later."""
    state = begun("FX_24X5", "2026-09-22T20:59:59")
    card = card_hash(state)
    after = instant("2026-09-22T21:00:01")
    step(state, after, Tick())

    answer = step(state, after, OperatorAsked("confirm", "r", 1, 1, 1, "", {"card": card}))[-1]

    assert (answer.code, state.day.session) == ("card_expired", "2026-09-23")


def outage(ended, positions, shown):
    """Give a State whose bracket's link fell, and that meets a book whose executions are gone with their day.

    `ended` are the legs of which the broker only says that they are filled, `shown` those that still work there.
    """
    state = trading_state()
    submitted(state, bracket("AAPL"))
    names = {leg: f"AAPL-{leg.lower()}" for leg in "EST"}
    if "S" in ended:
        step(state, START, fill(names["E"], "10", "200.00"))
    step(state, START + SECOND, BrokerDown("paper", "lost"))
    step(state, START + 2 * SECOND, BrokerUp("paper", "DEMO", "paper", 2))
    read = whole_read(
        START + 3 * SECOND,
        connection=2,
        ended={names[leg]: Status.FILLED if leg != "T" else Status.CANCELLED for leg in ended},
        orders=tuple(working(state, names[leg]) for leg in shown),
        positions=positions,
    )
    told, detected_s = [], None
    for second in range(3, 40):
        told += step(state, START + second * SECOND, Tick())
        told += step(state, START + second * SECOND, replace(read, from_ns=START + second * SECOND - 1))
        if detected_s is None and any("beyond our books" in one.words for one in told if isinstance(one, RaiseAlert)):
            detected_s = second - 2  # from the link's return on
    measured("F38", detected_s=detected_s)
    return state, told


def working(state, name):
    """Give an order as a broker shows it that lets it work."""
    order = state.orders[name]
    return OrderSeen(name, "b", order.instrument, order.side, order.quantity, Status.WORKING, order.terms)


def test_f38_an_entry_that_filled_unheard_and_lost_its_executions_is_told_and_its_stop_stays():
    """The position is there, at a price that nobody can say: a person is told, nothing touches its exits."""
    state, told = outage("E", (PositionSeen("AAPL", D(10), D(200)),), "ST")

    assert [one for one in told if isinstance(one, SubmitOrder | CancelOrder | AmendOrder)] == []
    assert any("holds +10 beyond our books" in one.words for one in told if isinstance(one, RaiseAlert))
    assert state.external == {"AAPL": D(10)}
    assert "instrument:AAPL/books_differ" in state.blocks


def test_f38_a_stop_that_filled_unheard_and_lost_its_executions_is_told_and_closes_nothing_twice():
    """Flat there and held here: no stop for shares that are gone, no close, no new entry; a person is told."""
    state, told = outage("ST", (), "")

    assert [one for one in told if isinstance(one, SubmitOrder | CancelOrder | AmendOrder)] == []
    assert any("holds -10 beyond our books" in one.words for one in told if isinstance(one, RaiseAlert))
    assert "instrument:AAPL/books_differ" in state.blocks
