"""joed.model.windows: stretches of the day, in their own zone."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from joed.model.values import SECOND
from joed.model.windows import window_of, windows_of, within

RESET = "23:45-00:45 America/New_York"


def at(text, zone="America/New_York"):
    """Give a moment in nanoseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-01-05T23:44:59", False),
        ("2026-01-05T23:45:00", True),
        ("2026-01-06T00:44:59", True),
        ("2026-01-06T00:45:00", False),
        ("2026-07-05T23:45:00", True),
    ],
)
def test_a_window_may_reach_past_midnight_and_keeps_its_zones_time_all_year(moment, inside):
    """From its first minute to before its last, in summer as in winter."""
    assert window_of(RESET).holds(at(moment)) is inside


def test_the_first_window_that_holds_is_named():
    """A person reads why nothing is sent."""
    windows = windows_of(("05:00-05:05 Europe/Berlin", RESET))

    assert within(windows, at("2026-03-02T05:01", "Europe/Berlin")) == "05:00-05:05 Europe/Berlin"
    assert within(windows, at("2026-03-02T12:00")) == ""
    assert within((), at("2026-03-02T12:00")) == ""
