"""The cards that were shown lately."""

from decimal import Decimal

from joed.daemon.cards import CARDS_MAX, Cards
from joed.engine.view import card_hash, view
from tests.daemon.serving import state_of_a_day


def test_whoever_signs_an_older_card_is_told_what_has_changed_since():
    """By its hash; a card that nobody was shown says nothing."""
    state, cards = state_of_a_day(), Cards()
    cards.note(view(state))
    shown = card_hash(state)
    state.day.equity_start = Decimal(99)

    assert [(c.field, c.before, c.after) for c in cards.changes(shown, view(state))] == [("equity", "100000", "99")]
    assert cards.changes("another", view(state)) == ()


def test_only_the_last_cards_are_remembered():
    """A table with a bound: the oldest goes."""
    state, cards, hashes = state_of_a_day(), Cards(), []
    for amount in range(CARDS_MAX + 1):
        state.day.equity_start = Decimal(amount)
        hashes.append(card_hash(state))
        cards.note(view(state))
    state.day.equity_start = Decimal(-1)

    assert cards.changes(hashes[0], view(state)) == ()
    assert cards.changes(hashes[1], view(state)) != ()
