"""Times in a trader's words: what each row means, what was due last, what is due next, and what says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.model.anchors import last_due, next_due, parsed
from joed.model.values import HOUR, MINUTE, SECOND
from tests.engine.build import CLOSE, OPEN


@pytest.mark.parametrize(
    ("row", "now", "last", "due"),
    [
        ("open-45m", OPEN - 45 * MINUTE - 1, 0, OPEN - 45 * MINUTE),
        ("open-45m", OPEN - 45 * MINUTE, OPEN - 45 * MINUTE, 0),
        ("open-45m", CLOSE, OPEN - 45 * MINUTE, 0),
        ("close+10m", CLOSE, 0, CLOSE + 10 * MINUTE),
        ("open", OPEN, OPEN, 0),
        ("every 15m while open", OPEN - 1, 0, OPEN),
        ("every 15m while open", OPEN + 16 * MINUTE, OPEN + 15 * MINUTE, OPEN + 30 * MINUTE),
        ("every 15m while open", CLOSE, CLOSE - 15 * MINUTE, 0),
        ("every 1h", OPEN + HOUR - 1, OPEN, OPEN + HOUR),
        ("every 30s from open-1m to open+1m", OPEN, OPEN, OPEN + 30 * SECOND),
        ("every 30s from open-1m to open+1m", OPEN + HOUR, OPEN + 30 * SECOND, 0),
        ("open-45m, every 2h while open, close+10m", OPEN - HOUR, 0, OPEN - 45 * MINUTE),
        ("open-45m, every 2h while open, close+10m", CLOSE, OPEN + 6 * HOUR, CLOSE + 10 * MINUTE),
    ],
)
def test_a_row_was_due_and_is_due_when_its_words_say(row, now, last, due):
    """The session of the tests has six hours and a half; an `every` ends before its end."""
    assert last_due(row, now, OPEN, CLOSE) == last
    assert next_due(row, now, OPEN, CLOSE) == due


@pytest.mark.parametrize(
    "row", ["", "noon", "open-45", "open - 45m", "every", "every 0m", "every 5m while closed", "open-45m,", "09:30"]
)
def test_what_says_nothing_is_refused_by_name(row):
    """With what could have been meant."""
    with pytest.raises(ValueError, match="is no time: open-45m"):
        parsed(row)


@given(st.integers(-7200, 30_000), st.integers(1, 7200))
def test_last_and_next_lie_on_both_sides_of_now_one_step_apart(second, every):
    """Whatever the time and the step: nothing is due twice, nothing is left out."""
    now, row = OPEN + second * SECOND, f"every {every}s while open"
    last, due = last_due(row, now, OPEN, CLOSE), next_due(row, now, OPEN, CLOSE)

    assert last <= now
    assert due == 0 or due > now
    if last and due:
        assert due - last == every * SECOND
    assert last or due
