"""The small words: signs, ends, widths, and the one crossing from floats to money."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.model.values import ENDED, Scope, Side, Status, ceil_to, decimal, floor_to

D = Decimal
steps = st.sampled_from([D("0.01"), D("0.05"), D("0.5"), D(1), D(100)])


def test_a_side_has_its_sign_and_its_opposite():
    """Buying adds, selling takes away."""
    assert [(side.sign, side.opposite) for side in Side] == [(1, Side.SELL), (-1, Side.BUY)]


def test_what_has_ended_is_known_to_be_gone():
    """In doubt and asked to cancel are not ends."""
    assert {status for status in Status if status.ended} == ENDED
    assert not any(status.ended for status in (Status.UNCERTAIN, Status.CANCEL_ASKED, Status.PARTIAL))


def test_each_kill_is_wider_than_the_one_before():
    """Entries, orders, flatten, account."""
    assert [scope.width for scope in Scope] == [0, 1, 2, 3]


@given(st.floats(min_value=0.0001, max_value=1e9, allow_nan=False))
def test_a_price_crosses_to_money_and_back_unchanged(price):
    """The shortest decimal that reads back as the same float."""
    assert float(decimal(price)) == price


@pytest.mark.parametrize(("price", "money"), [(0.1, "0.1"), (196.005, "196.005"), (1e-7, "1E-7")])
def test_money_is_what_the_quote_says_and_not_what_the_float_is(price, money):
    """A tenth is a tenth."""
    assert decimal(price) == D(money)


@given(st.decimals(min_value=0, max_value=10**6, places=4), steps)
def test_rounding_lands_on_a_step_and_never_goes_further_than_one(value, step):
    """Down and up enclose the value; what is on a step stays."""
    low, high = floor_to(value, step), ceil_to(value, step)

    assert low % step == high % step == 0
    assert low <= value <= high
    assert high - low in (0, step)
