"""Which rows can be true."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.data.checks import REASONS, interval_of, judge, longest_rising
from joed.data.columns import Columns
from joed.model.values import DAY, MINUTE

NOW = 100 * MINUTE
GOOD = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 5.0}
QUOTE = {"bid": 1.0, "ask": 2.0}


def columns(rows, shape="bars"):
    """Make columns of rows: (symbol, minute, fields)."""
    names = sorted({symbol for symbol, _, _ in rows})
    return Columns(
        shape,
        tuple(names),
        np.array([names.index(symbol) for symbol, _, _ in rows]),
        np.array([minute * MINUTE for _, minute, _ in rows]),
        {name: np.array([fields[name] for _, _, fields in rows]) for name in rows[0][2]},
        np.zeros(len(rows), dtype=np.bool_),
        np.zeros(len(rows), dtype=np.bool_),
    )


def verdicts(rows, shape="bars", now=NOW):
    """Judge rows, in words."""
    return [REASONS[place] if place >= 0 else "" for place in judge(columns(rows, shape), now).places.tolist()]


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("nan", {"close": float("nan")}),
        ("nan", {"volume": float("nan")}),
        ("negative", {"low": -1.0}),
        ("negative", {"volume": -1.0}),
        ("zero", {"low": 0.0}),
        ("crossed", {"high": 8.0}),
        ("crossed", {"high": 10.5}),
        ("crossed", {"low": 10.5}),
        ("crossed", {"open": 12.01}),
        ("", {"volume": 0.0}),
        ("", {"open": 12.0, "close": 9.0}),
    ],
)
def test_a_bar_that_cannot_be_is_rejected_by_name_and_costs_no_other(reason, change):
    """The bars before and after it stand; at the bound of what can be, it stands too."""
    rows = [("A", 1, GOOD), ("A", 2, {**GOOD, **change}), ("A", 3, GOOD)]

    assert verdicts(rows) == ["", reason, ""]


@pytest.mark.parametrize(("bid", "reason"), [(2.01, "crossed"), (2.0, ""), (0.0, "zero"), (-1.0, "negative")])
def test_a_quote_is_crossed_above_the_ask_and_not_at_it(bid, reason):
    """A locked market is rare, and real."""
    assert verdicts([("A", 1, {"bid": bid, "ask": 2.0})], "quotes") == [reason]


def test_a_bar_of_both_sides_is_crossed_where_any_of_its_prices_is():
    """At the open, high, low or close, or within one side."""
    good = {
        f"{side}_{price}": at for side, at in (("bid", 1.0), ("ask", 1.1)) for price in ("open", "high", "low", "close")
    }
    bad = [{"bid_open": 1.2, "bid_high": 1.2}, {"ask_low": 0.9}, {"ask_close": 1.05}]
    rows = [("A", at, {**good, **change}) for at, change in enumerate([{}, *bad], start=1)]

    assert verdicts(rows, "bid and ask bars") == ["", "crossed", "crossed", "crossed"]


def test_a_bar_is_of_the_future_until_it_has_ended():
    """One that ends now is known; one that ends a moment later is not, and hides no row after it."""
    rows = [("A", 99, GOOD), ("A", 500, GOOD), ("A", 98, GOOD)]

    assert verdicts([("A", 98, GOOD), ("A", 500, GOOD), ("A", 99, GOOD)]) == ["", "future", ""]
    assert verdicts(rows[:1], now=NOW - 1) == ["future"]
    assert verdicts([("A", 100, QUOTE), ("A", 101, QUOTE)], "quotes") == ["", "future"]


def test_time_is_ordered_within_a_symbol_whatever_the_file_is_sorted_by():
    """By symbol or by time, nothing is out of order."""
    by_time = [("A", 1, GOOD), ("B", 1, GOOD), ("A", 2, GOOD), ("B", 2, GOOD)]

    assert verdicts(by_time) == verdicts(sorted(by_time, key=lambda row: row[0])) == [""] * 4


def test_one_row_out_of_order_is_one_row_lost():
    """Early or late: the fewest rows go that leave the rest in order."""
    for minutes, wrong in (([1, 2, 90, 3, 4, 5], 2), ([3, 4, 1, 5, 6], 2), ([5, 6, 7, 1], 3)):
        found = verdicts([("A", minute, GOOD) for minute in minutes])
        assert [place for place, reason in enumerate(found) if reason] == [wrong]
        assert found[wrong] == "unsorted"


def test_two_bars_of_one_minute_are_one_and_a_duplicate():
    """The first stays, next to it or far from it in the file, whatever the second says."""
    rows = [
        ("A", 1, GOOD),
        ("A", 1, {**GOOD, "close": 10.0}),
        ("A", 2, GOOD),
        ("B", 2, GOOD),
        ("A", 3, GOOD),
        ("A", 2, GOOD),
    ]

    assert verdicts(rows) == ["", "duplicate", "", "", "", "duplicate"]


def test_two_quotes_of_one_moment_stand_unless_they_are_the_same():
    """A market can move within the clock's grain; it does not say the same twice."""
    other = {"bid": 1.5, "ask": 2.0}

    assert verdicts([("A", 1, QUOTE), ("A", 1, other), ("A", 1, other), ("A", 1, QUOTE)], "quotes") == [
        "",
        "",
        "duplicate",
        "",
    ]


def test_a_row_counts_once_under_its_first_fault():
    """NaN, and negative, and of the future, and a duplicate: it is one row."""
    worst = {**GOOD, "open": float("nan"), "low": -1.0}

    assert verdicts([("A", 500, worst), ("A", 500, worst)]) == ["nan", "nan"]


def test_what_could_not_be_read_is_named():
    """No time, no symbol, no number, no row: each by its own name."""
    made = columns([("A", minute, GOOD) for minute in range(1, 6)])
    made.at_ns[0] = -(2**63)
    made.whose[1] = -1
    made.unreadable[2] = True
    made.ragged[3] = True

    assert [REASONS[place] for place in judge(made, NOW).places.tolist()[:4]] == [
        *("bad_time", "no_symbol", "bad_number", "bad_row")
    ]


def test_a_bar_lasts_what_most_steps_last():
    """Gaps, other symbols and rows out of order do not change it; where nothing can be told it is a minute."""
    rows = np.array([(0, 0), (1, 0), (0, 1), (0, 2), (1, 2), (0, 9), (0, 10), (0, 3)])

    assert interval_of(rows[:, 0], rows[:, 1] * MINUTE) == MINUTE
    assert interval_of(rows[:3, 0] * 0, rows[:3, 1] * 0 + np.arange(3) * 15 * MINUTE) == 15 * MINUTE
    assert interval_of(rows[:1, 0], rows[:1, 1]) == MINUTE
    assert interval_of(np.zeros(2, dtype=int), np.array([0, 2 * DAY])) == MINUTE


def test_bad_rows_do_not_say_what_a_bar_lasts():
    """Two rows of zeros a day apart make no file of daily bars: the last good minute is not of the future."""
    zero = {**GOOD, "low": 0.0}
    made = columns([("A", 1, zero), ("A", 1441, zero), ("B", 98, GOOD), ("C", 99, GOOD)])

    assert judge(made, NOW).interval_ns == MINUTE
    assert [REASONS[place] if place >= 0 else "" for place in judge(made, NOW).places] == ["zero", "zero", "", ""]


@given(st.lists(st.integers(0, 9), max_size=12), st.booleans())
def test_the_longest_rising_part_is_in_order_and_as_long_as_any(values, strictly):
    """Compared with the table that tries every end."""
    kept = longest_rising(values, strictly=strictly)
    longest = [0] * len(values)
    for place, value in enumerate(values):
        earlier = [at for at in range(place) if values[at] < value or (values[at] == value and not strictly)]
        longest[place] = 1 + max((longest[at] for at in earlier), default=0)

    assert kept == sorted(set(kept))
    assert all(values[one] < values[two] + (not strictly) for one, two in pairwise(kept))
    assert len(kept) == max(longest, default=0)


def test_a_quote_far_from_its_first_copy_is_a_duplicate_and_costs_no_other():
    """A block of the file that is there twice is counted as such, whichever copy stands in its place."""
    ask = [{"bid": 1.0, "ask": 2.0 + minute} for minute in range(6)]
    block = [("A", minute, ask[minute]) for minute in range(1, 6)]

    assert verdicts([*block, *block[1:3]], "quotes") == [""] * 5 + ["duplicate"] * 2
    assert verdicts([block[0], block[4], *block[1:]], "quotes") == ["", "duplicate", "", "", "", ""]
