"""The cards that were shown lately, so that whoever signs an older one is told what has changed since."""

from joed.engine.card import between, card_of, digest_of
from joed.model.card import Card, Change
from joed.model.settings import Settings
from joed.model.view import View

CARDS_MAX = 32


class Cards:
    """Remembers the last cards by their hash; a restart forgets them, the hash alone still tells what it was for."""

    def __init__(self) -> None:
        self._shown: dict[str, tuple[Card, Settings]] = {}

    def note(self, shown: View) -> None:
        """Remember the card of this View, and forget the oldest beyond the limit."""
        card = card_of(shown)
        self._shown[digest_of(card)] = (card, shown.signing.settings)
        if len(self._shown) > CARDS_MAX:
            del self._shown[next(iter(self._shown))]

    def changes(self, given: str, shown: View) -> tuple[Change, ...]:
        """Give what is other now than on the card with this hash; nothing where that one is not remembered."""
        before = self._shown.get(given)
        return between(before, (card_of(shown), shown.signing.settings)) if before is not None else ()
