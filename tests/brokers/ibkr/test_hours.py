"""joed.brokers.ibkr.hours: market hours in TWS's words, in every form that was seen, and nothing guessed."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.brokers.ibkr.hours import told_of, zone_of
from joed.model.values import SECOND


def utc(text):
    """Give an instant by its UTC time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def test_days_with_a_holiday_and_an_early_close_are_spans_of_time():
    """Thanksgiving is closed, the Friday ends at one; told from the first midnight to the last."""
    told = told_of("20261125:0930-20261125:1600;20261126:CLOSED;20261127:0930-20261127:1300", "US/Eastern")

    assert told.spans == (
        (utc("2026-11-25T14:30"), utc("2026-11-25T21:00")),
        (utc("2026-11-27T14:30"), utc("2026-11-27T18:00")),
    )
    assert (told.from_ns, told.until_ns) == (utc("2026-11-25T05:00"), utc("2026-11-28T05:00"))


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("20261123:0900-1130,1230-1500", [("00:00", "02:30"), ("03:30", "06:00")]),
        ("20261123:0900-20261123:1130,20261123:1230-20261123:1500", [("00:00", "02:30"), ("03:30", "06:00")]),
        ("20261123:0900-2400", [("00:00", "15:00")]),
    ],
)
def test_a_day_may_have_several_spans_and_an_end_without_its_date(text, spans):
    """Tokyo's lunch, in both of TWS's forms."""
    told = told_of(text, "Japan")

    assert [(begin, end) for begin, end in told.spans] == [
        (utc(f"2026-11-23T{begin}"), utc(f"2026-11-23T{end}")) for begin, end in spans
    ]


def test_a_span_that_would_end_before_it_begins_began_the_day_before():
    """The old form for futures: 1700-1600."""
    told = told_of("20261124:1700-1600", "US/Central")

    assert told.spans == ((utc("2026-11-23T23:00"), utc("2026-11-24T22:00")),)


@pytest.mark.parametrize(
    ("hours", "zone"),
    [
        ("", "US/Eastern"),
        ("20261123:0930-20261123:1600", "Mars/Olympus"),
        ("20261123:0930-20261123:1600", ""),
        ("20261123:open all day", "US/Eastern"),
        ("20261323:0930-20261323:1600", "US/Eastern"),
        ("20261123:0930-20261123:2560", "US/Eastern"),
        ("20261123:0930-20261122:1600", "US/Eastern"),
        ("20261123:0930-20261123:1600;nonsense", "US/Eastern"),
    ],
)
def test_what_cannot_be_read_is_nothing_told(hours, zone):
    """A guess would open or shut a market."""
    assert told_of(hours, zone) is None


@given(st.text(max_size=60), st.sampled_from(["US/Eastern", "x", ""]))
def test_whatever_is_said_it_is_read_or_left(hours, zone):
    """No text of TWS's raises."""
    told = told_of(hours, zone)

    assert told is None or all(begin < end for begin, end in told.spans)


def test_old_names_of_zones_are_known():
    """Many systems have them no longer."""
    assert [f"{zone_of(name)}" for name in ("US/Eastern", "JST", "MET")] == [
        "America/New_York",
        "Asia/Tokyo",
        "Europe/Berlin",
    ]
