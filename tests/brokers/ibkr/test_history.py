"""joed.brokers.ibkr.history: the past, whole, in order, and never faster than IBKR allows."""

from datetime import UTC, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from joed.brokers.base import Historian
from joed.brokers.ibkr.history import Pace, bar_of
from joed.brokers.ibkr.translate import Day
from joed.errors import BrokerUnavailable
from joed.model.values import DAY, MINUTE, SECOND

NEW_YORK = Day(ZoneInfo("America/New_York"), 570, 960)


def bars(name, from_ns, to_ns, interval_ns):
    """Give a bar for each interval, as TWS would have them."""
    start = from_ns - from_ns % interval_ns + interval_ns
    return [(at, 10.0, 11.0, 9.0, 10.5, 100) for at in range(start, to_ns, interval_ns)]


@pytest.fixture
def past(rig):
    """Give the rig whose TWS knows a past."""
    rig.tws.bars = bars
    return rig


def test_the_adapter_tells_of_the_past(rig):
    """What the daemon looks for."""
    assert isinstance(rig.broker, Historian)


def test_minutes_are_whole_and_oldest_first(past):
    """The one that is still being made is another a moment later: it does not come."""
    from_ns = past.clock.now() - 30 * MINUTE

    found = past.run(past.broker.minutes("AAA", from_ns))

    assert [bar.at_ns for bar in found] == sorted(bar.at_ns for bar in found)
    assert len(found) in (29, 30)
    assert found[0].at_ns >= from_ns
    assert found[-1].at_ns + MINUTE <= past.clock.now()
    assert found[0].instrument == "AAA"


def test_days_begin_with_their_session_and_are_over(past):
    """At the open of regular hours in the exchange's zone, not at midnight somewhere."""
    found = past.run(past.broker.daily("AAA", 20))

    assert len(found) == 20
    opens = datetime.fromtimestamp(found[-1].at_ns / SECOND, UTC).astimezone(NEW_YORK.zone)
    assert (opens.hour, opens.minute) == (9, 30)
    assert found[-1].at_ns + 390 * MINUTE <= past.clock.now()


def test_no_data_is_an_answer_of_no_bars(rig):
    """A day without a trade is not a failure."""
    assert rig.run(rig.broker.minutes("AAA", rig.clock.now() - DAY)) == ()


def test_a_question_that_is_not_answered_is_a_failure_in_words(past):
    """Never half an answer, and never for ever."""
    past.fault("drop historicalData")
    with pytest.raises(BrokerUnavailable, match="no history of AAA: not told within 20 s"):
        past.run(past.broker.minutes("AAA", past.clock.now() - DAY))


def test_an_instrument_without_a_contract_and_a_link_that_is_gone_have_no_past(past):
    """With the reason."""
    with pytest.raises(BrokerUnavailable, match="ZZZ"):
        past.run(past.broker.daily("ZZZ", 5))
    past.cut()
    with pytest.raises(BrokerUnavailable, match="not connected"):
        past.run(past.broker.daily("AAA", 5))


def test_a_hundred_questions_break_no_rule_of_the_brokers(past):
    """The TWS counts too: 60 in ten minutes, none twice in 15 s, fewer than six of one contract in 2 s."""
    refused = []
    past.tws.journal = lambda way, _client, fields: fields[0] == 4 and refused.append(fields)
    start_ns = past.clock.now()
    for number in range(100):
        past.run(past.broker.daily("AAA" if number % 2 else "BBB", 20 + number % 7))

    assert refused == []
    assert past.clock.now() - start_ns >= 10 * MINUTE


def test_the_pace_counts_as_the_document_does():
    """Six of one contract need two seconds, the same question a quarter of a minute."""
    pace = Pace()
    for number in range(5):
        pace.note(0, "AAA", ("AAA", "1 day", f"{number} D"))

    assert pace.wait_ns(0, "AAA", ("AAA", "1 day", "9 D")) == 5 * SECOND // 2
    assert pace.wait_ns(0, "BBB", ("BBB", "1 day", "9 D")) == 0
    assert pace.wait_ns(3 * SECOND, "AAA", ("AAA", "1 day", "0 D")) == 13 * SECOND


def test_a_bar_has_the_time_of_its_kind():
    """A day is a date, a minute is epoch seconds."""
    row = SimpleNamespace(date="20260901", open=1.0, high=2.0, low=0.5, close=1.5, volume=-1.0)
    assert bar_of("AAA", row, NEW_YORK).at_ns == int(datetime(2026, 9, 1, 13, 30, tzinfo=UTC).timestamp()) * SECOND
    assert bar_of("AAA", row, NEW_YORK).volume == 0.0
    row.date = "1788269405"
    assert bar_of("AAA", row, NEW_YORK).at_ns == 1_788_269_405 * SECOND
