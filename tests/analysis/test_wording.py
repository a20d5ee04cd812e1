"""A text is held against its facts: what is not in them is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.analysis.summary import write
from joed.analysis.wording import CHARACTERS_MAX, unfounded
from tests.analysis.test_summary import DAY

FACTS = "Session 2026-11-20 (paper): up 1,010.50 USD (+1.01%), equity 101,010.50 USD.\n4 trades, 3 won, 1 lost in AAPL."


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("The account is up 1,010.50 USD, with 3 of 4 trades won.", ""),
        ("Up 1010.5 USD on 2026-11-20.", ""),
        ("Four trades, three won.", ""),
        ("Up 1,010.51 USD.", "the figure 1,010.51"),
        ("Up 1,010 USD.", "the figure 1,010"),
        ("AAPL won, and MSFT too.", "the name MSFT"),
        ("Five trades.", "the count five"),
        ("About a thousand dollars were made.", "the word thousand"),
        ("The account lost ground and declined.", "the word declined, of a day that was up"),
        ("", "a text of 0 characters"),
        ("x" * (CHARACTERS_MAX + 1), f"a text of {CHARACTERS_MAX + 1} characters"),
    ],
)
def test_what_is_not_in_the_facts_is_named(text, more):
    """Figures in any spelling, names, counts in words, sizes in words, and the day's way."""
    assert unfounded(text, FACTS) == more


def test_a_day_that_was_down_did_not_gain():
    """The other way round."""
    assert unfounded("A profitable day.", FACTS.replace("up", "down")) == "the word profitable, of a day that was down"


def test_the_template_stands_the_test_of_itself():
    """What is written from the facts is in them."""
    text = write(DAY)

    assert unfounded(text, text) == ""


@given(st.decimals(min_value=0, max_value=10**9, places=2, allow_nan=False))
def test_any_other_figure_is_found(figure):
    """Whatever figure is added is in the facts by its value, or it is named."""
    inside = {"2026", "11", "20", "1010.5", "1.01", "101010.5", "4", "3", "1"}
    known = f"{figure:f}".rstrip("0").rstrip(".") in inside

    assert (unfounded(f"It came to {figure:f}.", FACTS) == "") is known
