"""The day's card and its hash: a person signs exactly what they have seen."""

from hashlib import sha256
from typing import NamedTuple

import msgspec

from joed.engine.directions import differences
from joed.engine.phase import UNCONFIRMED
from joed.model.card import Card, CardOrder, CardPosition, Change
from joed.model.settings import Settings
from joed.model.view import View


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
        live_session=shown.signing.live_session,
        ramp=shown.signing.ramp,
        previous=shown.signing.last.hash if shown.signing.last else "",
    )


class Parts(NamedTuple):
    """What a card is bound to, each as it stands in the card's hash: 8 digits of a date, and three short digests."""

    session: str
    account: str
    settings: str
    build: str


BOUND = ("card_expired", "card_account", "card_settings", "card_build")
"""What is amiss with a card whose hash differs in this part."""

WIDTHS = (8, 4, 4, 4, 16)
"""How long each part of a hash is; the last is the digest of the whole card."""


def parts_of(card: Card) -> Parts:
    """Give what a card is bound to: so that its hash alone tells why it is another one."""
    return Parts(
        card.session.replace("-", "") or "0" * WIDTHS[0],
        _short(card.mode, card.account),
        _short(card.settings_digest),
        _short(card.version, card.code),
    )


def _short(*words: str) -> str:
    return sha256("\0".join(words).encode()).hexdigest()[: WIDTHS[1]]


def digest_of(card: Card) -> str:
    """Give the hash that a confirmation names: what the card is bound to, and the half of the whole card's SHA-256."""
    whole = sha256(msgspec.json.encode(card, order="deterministic")).hexdigest()[: WIDTHS[-1]]
    return "-".join((*parts_of(card), whole))


def unlike(given: str, wanted: Parts) -> str:
    """Say by a code why this hash is not that of a card which is bound so."""
    found = given.split("-")
    if tuple(map(len, found)) != WIDTHS or not all(part.isascii() and part.isalnum() for part in found):
        return "card_unknown"
    differ = (code for code, one, other in zip(BOUND, found, wanted, strict=False) if one != other)
    return next(differ, "card_changed")


TOLD = ("account", "mode", "version", "code", "base_currency", "equity", "regime", "calendar", "ramp")
"""Facts that are compared as they are."""


def changes_of(shown: View) -> tuple[Change, ...]:
    """Give what is other than on the last signed card; nothing where none was signed."""
    last = shown.signing.last
    return between((last.card, last.settings), (card_of(shown), shown.signing.settings)) if last is not None else ()


def between(before: tuple[Card, Settings], after: tuple[Card, Settings]) -> tuple[Change, ...]:
    """Give in what two cards differ: the settings key by key, then the facts."""
    return (*differences(before[1], after[1]), *facts_between(before[0], after[0]))


def facts_between(before: Card, after: Card) -> tuple[Change, ...]:
    """Give the facts in which two cards differ, settings aside."""
    one, other = _rows(before), _rows(after)
    names = dict.fromkeys((*one, *other))
    return tuple(Change(name, one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name))


def _rows(card: Card) -> dict[str, str]:
    """Give a card's facts by name; what is held or ordered has a row each."""
    rows = {name: str(getattr(card, name)) for name in TOLD}
    rows["watchlist"] = " ".join(card.watchlist)
    for held in card.positions:
        amiss = "" if held.protected else ", its stop amiss"
        rows[f"position {held.instrument}"] = f"{held.quantity} @ {held.average:.4f}{amiss}"
    for order in card.orders:
        rows[f"order {order.order}"] = f"{order.instrument} {order.side} {order.quantity} {order.kind} {order.level}"
    rows |= {f"not ours {name}": str(quantity) for name, quantity in card.external.items()}
    rows |= {f"differences {name}": str(count) for name, count in card.differences.items()}
    return rows | {f"block {name}": "latched" for name in card.blocks}
