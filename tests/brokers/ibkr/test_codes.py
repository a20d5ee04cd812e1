"""joed.brokers.ibkr.codes: what a number decides, and what it must not."""

import pytest

from joed.brokers.ibkr.codes import CODES, Means, meaning


@pytest.mark.parametrize("code", [10349, 399, 404, 2109, 10311, 10090, 2148])
def test_a_note_about_an_order_ends_nothing(code):
    """The libraries take most of these for the order's end; it lives, and fills."""
    assert meaning(code).means is Means.NOTE


@pytest.mark.parametrize("code", [104, 135, 136, 161, 10147, 10148])
def test_a_command_that_came_too_late_is_no_end_either(code):
    """The order may have filled: only its own messages tell."""
    assert meaning(code).means is Means.GONE


def test_a_number_that_nobody_knows_is_doubt_and_never_a_refusal():
    """A refusal must be proven (reliability 6.3): what is not in the table proves nothing."""
    assert meaning(98765).means is Means.DOUBT
    assert 98765 not in CODES


def test_a_refusal_has_a_word_for_our_books():
    """OrderRejected carries it, and people sort by it."""
    assert all(row.code for row in CODES.values() if row.means is Means.REFUSED)
    assert (meaning(10243).code, meaning(110).code, meaning(201).code) == ("quantity", "price", "rejected")


@pytest.mark.parametrize(
    ("code", "means"),
    [(1100, Means.LOST), (2110, Means.LOST), (1101, Means.BACK_BARE), (1102, Means.BACK), (326, Means.TAKEN)],
)
def test_what_concerns_the_whole_link_is_told_apart(code, means):
    """The servers gone, back with or without the data lines, and an id that another has."""
    assert meaning(code).means is means
