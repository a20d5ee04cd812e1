"""Rows that events carry: what a broker's snapshot shows, and what a job found."""

from decimal import Decimal

from msgspec import Struct

from joed.model.values import Side, Status


class OrderSeen(Struct, frozen=True, gc=False, tag="OrderSeen"):
    """One open order as a broker's snapshot shows it; `quantity` is what is left, `order` our id or "" if foreign."""

    order: str
    broker_id: str
    instrument: str
    side: Side
    quantity: Decimal
    status: Status
    level: Decimal | None = None
    filled: Decimal = Decimal(0)


class PositionSeen(Struct, frozen=True, gc=False, tag="PositionSeen"):
    """One position as a broker's snapshot shows it; `quantity` is negative when short."""

    instrument: str
    quantity: Decimal
    average: Decimal


class Candidate(Struct, frozen=True, gc=False):
    """One instrument worth watching, its score and why."""

    instrument: str
    score: float
    reasons: tuple[str, ...] = ()
    atr: float | None = None


class RegimeRead(Struct, frozen=True, gc=False):
    """The market's regime with the parts of its score, each in words."""

    name: str
    score: float
    parts: tuple[str, ...] = ()
