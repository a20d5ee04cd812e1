"""The day's card and its hash."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from joed.engine.card import DIGEST_CHARACTERS, card_of, digest_of
from joed.engine.view import view
from joed.model.events import Candidate, Quote, RegimeRead
from joed.model.settings import Risk
from joed.model.values import Leg, Mode, Status
from tests.daemon.serving import hold, put, state_of_a_day


def digest(state):
    """Give the hash of a State's card."""
    return digest_of(card_of(view(state)))


def test_quotes_and_ticks_leave_the_card_as_it_was_read():
    """A person needs a minute to read it: nothing that moves by itself may void it."""
    state = state_of_a_day()
    before = digest(state)

    state.now += 60_000_000_000
    state.seq += 5000
    state.markets["AAPL"].quote = Quote("AAPL", 150.0, 150.1)
    state.brokers["paper"].quoted_ns = state.now

    assert digest(state) == before


def positions(state):
    """Hold one more instrument."""
    hold(state, "NVDA", stop="120", target="150")


def orders(state):
    """Have one more order."""
    put(state, "x", "TSLA", Leg.ENTRY, "1", "250")


def ended(state):
    """Have one order less."""
    state.orders["e2"].status = Status.CANCELLED


def limits(state):
    """Raise a limit."""
    state.settings = type(state.settings)(risk=Risk(loss_day_max=Decimal(3000)))


CHANGES = {
    "positions": positions,
    "orders": orders,
    "ended": ended,
    "limits": limits,
    "mode": lambda state: setattr(state, "mode", Mode.LIVE),
    "account": lambda state: setattr(state.brokers["paper"], "account", "OTHER"),
    "settings": lambda state: setattr(state, "settings_digest", "other"),
    "code": lambda state: setattr(state, "code", "other"),
    "session": lambda state: setattr(state.day, "session", "2025-01-06"),
    "equity": lambda state: setattr(state.day, "equity_start", Decimal(99)),
    "regime": lambda state: setattr(state, "regime", RegimeRead("bear", 0.1)),
    "watchlist": lambda state: setattr(state, "watchlist", (Candidate("TSLA", 1.0),)),
    "external": lambda state: state.external.update(IBM=Decimal(7)),
    "differences": lambda state: setattr(state.brokers["paper"], "differences", 1),
    "stop": lambda state: setattr(state.positions["AAPL"], "unprotected_ns", 5),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_fact_on_the_card_changes_its_hash(name):
    """What was signed is what is so: any fact that changes asks for a new signature."""
    state = state_of_a_day()
    before = digest(state)

    CHANGES[name](state)

    assert digest(state) != before


def test_the_hash_does_not_depend_on_the_order_of_a_dict():
    """Two books that say the same are the same."""
    card = card_of(view(state_of_a_day()))
    one = replace(card, external={"A": Decimal(1), "B": Decimal(2)})
    other = replace(card, external={"B": Decimal(2), "A": Decimal(1)})

    assert digest_of(one) == digest_of(other)
    assert len(digest_of(one)) == DIGEST_CHARACTERS
