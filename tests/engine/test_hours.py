"""A broker's hours beside our calendar: a difference is named, the shorter ones hold, none is ever longer."""

import pytest

from joed.engine.hours import NAME, close_of, outside
from joed.engine.risk import refuse
from joed.engine.step import step
from joed.engine.view import view
from joed.model.calendars import Calendar
from joed.model.commands import AmendOrder, RaiseAlert
from joed.model.events import EpochStarted, Tick
from joed.model.feeds import HoursTold
from joed.model.settings import EndOfDay, Session
from joed.model.values import DAY, HOUR, MINUTE, SECOND
from tests.engine.build import CLOSE, OPEN, START, holding, of_kind, quote, trading_state
from tests.engine.test_risk import request

MIDNIGHT = OPEN - OPEN % DAY
OURS = Calendar(name="XNYS", timezone="UTC", open="14:13", close="20:43")
NEXT = (OPEN + DAY, CLOSE + DAY)


def told(*spans, days=2, names=("AAPL", "MSFT")):
    """Give the broker's hours for these two days."""
    return HoursTold("paper", names, spans, MIDNIGHT, MIDNIGHT + days * DAY)


def knowing(*spans, state=None, **more):
    """Give a State that knows our calendar and has heard the broker's hours, and what a person was told of them."""
    state = state or trading_state()
    state.calendars = {"XNYS": OURS}
    commands = step(state, state.now, told(*spans, **more))
    return state, [command.words for command in of_kind(commands, RaiseAlert)]


def test_hours_that_agree_are_a_finding_that_is_well():
    """Nobody is told; status and doctor have the row."""
    state, words = knowing((OPEN, CLOSE), NEXT)

    assert words == []
    assert state.brokers["paper"].findings[NAME].ok
    assert [row.ok for broker in view(state).brokers for row in broker.findings] == [True]
    assert (outside(state, START, "AAPL"), close_of(state, "AAPL")) == ("", CLOSE)


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        (((OPEN, CLOSE - 3 * HOUR), NEXT), "14:13 to 17:43 at the broker, 14:13 to 20:43 in our calendar"),
        (((OPEN + HOUR, CLOSE), NEXT), "15:13 to 20:43 at the broker"),
        ((NEXT,), "the broker is closed, our calendar opens 14:13 to 20:43"),
    ],
)
def test_a_shorter_day_at_the_broker_is_told_by_its_date_and_a_finding(spans, said):
    """An early close, a late open, a holiday that nobody told our table of."""
    state, words = knowing(*spans)
    again = step(state, state.now, told(*spans))

    assert len(words) == 1
    assert words[0].startswith("paper hours: 2026-09-21 XNYS (AAPL …): ")
    assert said in words[0]
    assert not state.brokers["paper"].findings[NAME].ok
    assert of_kind(again, RaiseAlert) == []


def test_entries_are_refused_outside_the_brokers_hours_and_only_then():
    """A code of its own, and only in what the broker told of."""
    state, _ = knowing((OPEN, START - MINUTE), NEXT, names=("AAPL",))

    assert refuse(state, START, request(state)).code == "broker_hours"
    assert refuse(state, START, request(state, symbol="MSFT")) is None


def test_entries_end_before_the_brokers_close_and_positions_go_before_it():
    """`eod` counts from the earlier close: nothing is opened in the half hour before, all is closed in five minutes."""
    early = START + HOUR
    state, _ = knowing((OPEN, early), NEXT, state=trading_state(eod=EndOfDay(close_positions=True)))
    late = refuse(state, early - 20 * MINUTE, request(state, at=early - 20 * MINUTE)).code
    holding("MSFT", state=state)
    step(state, early - 301 * SECOND, quote("MSFT", 200.0, at=early - 301 * SECOND))

    before = step(state, early - 301 * SECOND, Tick())
    due = step(state, early - 300 * SECOND, Tick())

    assert late == "close_near"
    assert of_kind(before, AmendOrder) == []
    assert [command.reason for command in of_kind(due, AmendOrder)] == ["end of day"]


def test_a_longer_day_at_the_broker_makes_none_of_ours_longer():
    """Told, and not believed: a Saturday that the broker opens stays without a session."""
    state, words = knowing((OPEN - HOUR, CLOSE + HOUR), NEXT)

    assert "13:13 to 21:43 at the broker" in words[0]
    assert close_of(state, "AAPL") == CLOSE


def test_a_day_that_our_calendar_does_not_have_is_told_too():
    """We would miss it."""
    week = [(OPEN + day * DAY, CLOSE + day * DAY) for day in range(6)]
    _, words = knowing(*week, days=7)

    assert "2026-09-26 XNYS (AAPL …): the broker opens 14:13 to 20:43, our calendar has no session" in words[0]


def test_what_the_broker_told_nothing_of_is_ours_alone():
    """Another day, another instrument, a new process: the calendar holds."""
    state, _ = knowing((OPEN, START - MINUTE), days=1)
    later = MIDNIGHT + DAY

    assert outside(state, later, "AAPL") == ""
    assert outside(state, START, "KO") == ""
    step(state, START, EpochStarted(2, "start", "0", "code"))
    assert outside(state, START, "AAPL") == ""


def test_where_trading_before_the_open_is_meant_the_whole_day_is_compared():
    """From the first of the morning to the last of the evening, as the broker tells it then."""
    calendar = Calendar(name="XNYS", timezone="UTC", open="14:13", close="20:43", pre_open="09:13", after_close="23:43")
    whole = [(OPEN - 5 * HOUR + day * DAY, CLOSE + 3 * HOUR + day * DAY) for day in (0, 1)]
    heard = []
    for spans in (whole, [(OPEN, CLOSE), NEXT]):
        state = trading_state(session=Session(extended_hours=True))
        state.calendars = {"XNYS": calendar}
        heard.append(len(of_kind(step(state, state.now, told(*spans)), RaiseAlert)))

    assert heard == [0, 1]


def test_around_the_clock_a_brokers_own_pause_is_no_difference():
    """A quarter of an hour after seventeen o'clock belongs to the broker."""
    state = trading_state()
    clock = Calendar(name="XNYS", timezone="UTC", kind="24x7", open="17:00", close="17:00")
    state.calendars = {"XNYS": clock}
    span = (MIDNIGHT - 7 * HOUR + 15 * MINUTE, MIDNIGHT + 17 * HOUR)
    commands = step(state, state.now, told(span, days=1))

    assert of_kind(commands, RaiseAlert) == []
