"""Text to times and numbers."""

import math

import pytest

from joed.data.cells import LATEST_NS, NO_TIME, date_of, number, numbers, time_of, times

NINE_THIRTY = 1_549_895_400  # 2019-02-11 14:30 UTC, half past nine in New York


@pytest.mark.parametrize(
    "cell",
    [
        "2019-02-11T14:30:00Z",
        "2019-02-11 14:30:00",
        "2019-02-11 14:30",
        "2019-02-11 14:30:00 UTC",
        "2019-02-11 09:30:00-05:00",
        "20190211 14:30:00",
        ' "2019-02-11  14:30:00" ',
        "1549895400",
        "1549895400.0",
        "1549895400000",
        "1549895400000000",
        "1549895400000000000",
    ],
)
def test_a_moment_is_read_however_it_is_written(cell):
    """ISO 8601 with and without a zone (UTC), and counts since 1970 by their size."""
    assert time_of(cell) == NINE_THIRTY * 10**9


def test_a_date_is_its_midnight_and_eight_digits_are_a_date():
    """Daily files say no more."""
    assert time_of("2019-02-11") == time_of("20190211") == 1_549_843_200 * 10**9


def test_fractions_of_a_second_are_kept_to_the_nanosecond():
    """Two ticks within a microsecond stay apart."""
    assert time_of("2019-02-11T14:30:00.123456789Z") == NINE_THIRTY * 10**9 + 123_456_789
    assert time_of("2019-02-11 14:30:00.1234567+00:00") == NINE_THIRTY * 10**9 + 123_456_700
    assert time_of("1549895400.25") == NINE_THIRTY * 10**9 + 250_000_000


@pytest.mark.parametrize("cell", ["", "noon", "2019-02-30", "02/11/2019 14:30", "NaT", "-5", "1e9", "2019-02-11 25:00"])
def test_a_time_that_is_none_or_could_be_two_is_not_guessed(cell):
    """Month and day in either order, or no time at all: it says so."""
    assert time_of(cell) == NO_TIME


def test_a_time_beyond_all_clocks_is_as_late_as_can_be():
    """It does not wrap round into the past."""
    assert time_of("9999-12-31") == time_of("9" * 25) == LATEST_NS
    assert times(["0001-01-01", "0001-01-01T00:00:00+14:00"]).tolist() == [NO_TIME, NO_TIME]


def test_a_column_of_times_is_read_whole():
    """One bad cell costs no other."""
    assert times(["1970-01-01", "?", "1970-01-02"]).tolist() == [0, NO_TIME, 86_400 * 10**9]


@pytest.mark.parametrize(("cell", "value"), [("1.5", 1.5), (' "-2" ', -2.0), ("1e3", 1000.0), ("0", 0.0)])
def test_a_number_is_read_with_its_quotes_and_spaces(cell, value):
    """As a spreadsheet would have written it."""
    assert number(cell) == value


@pytest.mark.parametrize("cell", ["", "  ", "NaN", "null", "N/A", "None", '""'])
def test_an_empty_cell_is_nan_and_no_error(cell):
    """What is missing is missing."""
    values, unreadable = numbers(["1", cell])

    assert math.isnan(values[1])
    assert unreadable.tolist() == [False, False]


@pytest.mark.parametrize("cell", ["abc", "1,5", "inf", "-Infinity", "1.2.3", "$5"])
def test_text_and_infinity_are_no_numbers(cell):
    """They are said to be unreadable, and no number is put in their place."""
    values, unreadable = numbers(["1", cell])

    assert math.isnan(values[1])
    assert unreadable.tolist() == [False, True]


def test_a_day_is_written_as_iso_does():
    """Days count from 1970-01-01."""
    assert date_of(0) == "1970-01-01"
    assert date_of(17_938) == "2019-02-11"
