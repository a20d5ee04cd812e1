"""Amounts and times in words."""

import pytest

from joectl.amounts import SECOND, made_of, money, price, span, when


def test_money_is_rounded_to_the_cent_with_thousands():
    """The digits are the daemon's."""
    assert (money("1234567.895"), money("5", sign=True), money("-0.5")) == ("1,234,567.90", "+5.00", "-0.50")
    assert money("460.8349999999999999999999979") == money("460.835") == "460.84"


def test_a_price_is_as_it_came_and_none_is_a_dash():
    """Decimal's text is left alone; floats lose their noise."""
    assert (price("200.10"), price(0.1 + 0.2), price(None)) == ("200.10", "0.3", "-")


def test_a_span_has_its_two_largest_units():
    """What is shorter is left away, and nothing is shorter than nothing."""
    assert [span(seconds) for seconds in (-1, 59, 60, 3_660, 90_000)] == [
        "0 s",
        "59 s",
        "1 min",
        "1 h 1 min",
        "1 d 1 h",
    ]


def test_an_instant_is_told_by_its_distance():
    """Before, after, or never."""
    assert [when(at * SECOND, 100 * SECOND) for at in (0, 40, 112)] == ["never", "1 min ago", "in 12 s"]


@pytest.mark.parametrize(
    ("day", "told"),
    [("111.90", ""), ("111.9000000000000000000001", ""), ("131.90", ", -20.00 of it before this session")],
)
def test_a_days_result_is_told_so_that_it_adds_up(day, told):
    """Realised and open count from the entry, the day from its start; the last digit of a division is nothing."""
    body = {"realised": "100.00", "unrealised": "15.10", "fees": "3.20", "daily_pnl": day}

    assert made_of(body) == f"realised +100.00, open +15.10{told}, fees 3.20"
