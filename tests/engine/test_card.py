"""The day's card and its hash."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from joed.engine.card import WIDTHS, card_of, changes_of, digest_of, facts_between, parts_of, unlike
from joed.engine.view import view
from joed.model.card import Change, Signed
from joed.model.events import Candidate, Quote, RegimeRead
from joed.model.settings import Risk, Settings
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
    assert tuple(map(len, digest_of(one).split("-"))) == WIDTHS


BINDINGS = {
    "card_expired": {"session": "2025-01-02"},
    "card_account": {"account": "OTHER"},
    "card_settings": {"settings_digest": "other"},
    "card_build": {"code": "other"},
    "card_changed": {"regime": "bear"},
}


@pytest.mark.parametrize("code", BINDINGS)
def test_a_hash_alone_tells_why_it_is_another_cards(code):
    """Whoever signs yesterday's, another account's, other settings' or another build's is told so, and by no memory."""
    card = card_of(view(state_of_a_day()))
    other = digest_of(replace(card, **BINDINGS[code]))

    assert unlike(other, parts_of(card)) == code


def test_the_mode_is_part_of_the_account():
    """A paper card signs no live day, though the account has the same name."""
    card = card_of(view(state_of_a_day()))

    assert unlike(digest_of(replace(card, mode=Mode.LIVE)), parts_of(card)) == "card_account"


@pytest.mark.parametrize("words", ["", "x", "0" * 16, "20250103-0000-0000-0000-" + "*" * 16, "a-b-c-d-e"])
def test_what_is_no_hash_is_called_so(words):
    """A typing slip is not told as a change of the day."""
    assert unlike(words, parts_of(card_of(view(state_of_a_day())))) == "card_unknown"


def test_the_changes_since_the_last_signed_card_are_named_with_before_and_after():
    """Settings key by key, then facts; what comes each day anew (session, hours) is none of them."""
    state = state_of_a_day()
    assert changes_of(view(state)) == ()
    shown = view(state)
    state.signed = Signed(card_of(shown), "h", state.settings, "", (1000,), 5)
    assert changes_of(view(state)) == ()

    state.settings = Settings(universe=state.settings.universe, risk=Risk(loss_day_max=Decimal(5000)))
    state.day.session = "2025-01-06"
    state.orders["e2"].status = Status.CANCELLED
    state.positions["AAPL"].quantity = Decimal(20)
    found = changes_of(view(state))

    assert found[0] == Change("risk.loss_day_max", "2000", "5000", "loosens")
    assert ("position AAPL", "10 @ 199.5000", "20 @ 199.5000") in [(c.field, c.before, c.after) for c in found]
    assert ("order e2", "MSFT BUY 5 LIMIT 410.00", None) in [(c.field, c.before, c.after) for c in found]
    assert "session" not in [c.field for c in found]


def test_every_fact_of_a_card_is_told_when_it_changes():
    """No fact may change the hash and stay unnamed in the difference; the settings' digest is told key by key."""
    told_elsewhere = {"session", "settings_digest", "limits", "open_ns", "close_ns", "previous", "live_session"}
    card = card_of(view(state_of_a_day()))
    others = {
        **dict.fromkeys(("account", "version", "code", "base_currency", "regime", "calendar"), "other"),
        "mode": Mode.LIVE,
        "ramp": Decimal("0.2"),
        "equity": Decimal(1),
        "positions": (),
        "orders": (),
        "external": {"IBM": Decimal(1)},
        "differences": {"paper": 1},
        "watchlist": (),
        "blocks": ("all/killed",),
    }

    assert set(card.__struct_fields__) - told_elsewhere == set(others)
    for name, value in others.items():
        assert facts_between(card, replace(card, **{name: value})), name
