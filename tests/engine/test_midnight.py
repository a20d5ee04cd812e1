"""A card counts for the session of the exchange's calendar, whatever date the clock on the wall shows."""

import datetime as dt

import pytest

from joed.daemon.calendars import load_table
from joed.engine.confirming import AT
from joed.engine.step import step
from joed.engine.view import card_hash
from joed.model.events import BrokerUp, EpochStarted, OperatorAsked, SettingsLoaded, Tick
from joed.model.settings import Confirm
from joed.model.state import State
from joed.model.values import SECOND
from tests.engine.build import settings_of, whole_read


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
