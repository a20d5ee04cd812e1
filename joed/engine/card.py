"""The day's card and its hash: a person signs exactly what they have seen."""

from hashlib import sha256

import msgspec

from joed.engine.phase import UNCONFIRMED
from joed.model.view import Card, CardOrder, CardPosition, View

DIGEST_CHARACTERS = 16
"""Enough that no two cards of a session agree by chance, and short enough to be typed."""


def card_of(shown: View) -> Card:
    """Give the card for what is shown now; only facts change it, never a quote or a Tick."""
    return Card(
        session=shown.clock.session,
        account=shown.account,
        mode=shown.mode,
        settings_digest=shown.settings_digest,
        version=shown.version,
        code=shown.code,
        equity=shown.equity_start,
        base_currency=shown.base_currency,
        limits=shown.limits,
        positions=tuple(
            CardPosition(row.instrument, row.quantity, row.average, row.protected) for row in shown.positions
        ),
        orders=tuple(
            CardOrder(row.order, row.instrument, row.side, row.quantity, row.kind, row.level) for row in shown.orders
        ),
        external=shown.external,
        differences={broker.name: broker.differences for broker in shown.brokers},
        regime=shown.regime.name if shown.regime else "",
        watchlist=tuple(candidate.instrument for candidate in shown.watchlist),
        blocks=tuple(block.key for block in shown.blocks if block.latched and block.reason != UNCONFIRMED),
        calendar=shown.clock.calendar,
        open_ns=shown.clock.open_ns,
        close_ns=shown.clock.close_ns,
    )


def digest_of(card: Card) -> str:
    """Give the hash that a confirmation names: the first half of the card's SHA-256, in hex."""
    return sha256(msgspec.json.encode(card, order="deterministic")).hexdigest()[:DIGEST_CHARACTERS]
