"""joed.model.ids: an id says whose it is, which leg, and names its bracket."""

import pytest

from joed.engine import orders
from joed.model import ids
from joed.model.state import State
from joed.model.values import Leg

KEY = bytes(range(32))
STATE = State(id_key=KEY, seq=7, epoch=3)
STATE.day.session = "2026-09-01"


def test_an_id_that_the_engine_makes_is_ours_and_names_its_leg():
    """Both doors that orders leave by make one form: neither's orders are strangers to the other."""
    for leg in Leg:
        order = orders.order_id(STATE, 2, leg)

        assert order == ids.made(KEY, "j1-20260901-3-7.2", leg)
        assert ids.ours(KEY, order)
        assert ids.leg_of(order) is leg


@pytest.mark.parametrize("forged", ["", "j1-", "j1-20260901-3-7.2-S-0000", "x1-20260901-3-7.2-S-b1b2", "hand-made"])
def test_what_our_key_did_not_make_is_not_ours(forged):
    """Another client's order is never touched, whatever it is called."""
    assert not ids.ours(KEY, forged)


def test_the_legs_of_one_bracket_name_each_other():
    """A stop leads to its entry, and so to the group that it protects."""
    entry, stop = orders.order_ids(STATE, 0, (Leg.ENTRY, Leg.STOP))

    assert ids.sibling(KEY, stop, Leg.ENTRY) == entry


@pytest.mark.parametrize("order", ["", "a-b-c-d-E-f-g", "a-b-c-d-Q-f"])
def test_an_id_of_another_form_has_no_leg(order):
    """It is nobody's guess."""
    assert ids.leg_of(order) is None
