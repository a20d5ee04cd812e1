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


class VoteRead(Struct, frozen=True, gc=False):
    """One part of the regime's score: points of stress out of the possible ones (0: withheld), and why."""

    name: str
    stress: int
    possible: int
    words: str


class RegimeRead(Struct, frozen=True, gc=False):
    """The market's regime with the parts of its score, each in words; it stands since `since_ns`.

    `rule` says in words which threshold, or which wait, named it.
    """

    name: str
    score: float
    parts: tuple[str, ...] = ()
    votes: tuple[VoteRead, ...] = ()
    since_ns: int = 0
    rule: str = ""
