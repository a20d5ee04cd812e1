"""One look at an account: its positions, working orders, activity and transactions as rows of ours, pure.

Everything that judges (evidence, books) reads these and never their JSON. Times are Capital.com's own, UTC.
"""

from decimal import Decimal

from msgspec import Struct

from joed.brokers.capital.shapes import AccountRow, ActivityRow, OrderRow, PositionRow, TransactionRow
from joed.brokers.capital.wire import finite, time_ns
from joed.errors import BadMessage
from joed.model.values import ZERO, Side

OPENING = ("USER", "SYSTEM")
"""Who opens: a person or a client, or their system when a working order is reached."""
CLOSERS = ("SL", "TP", "CLOSE_OUT")
"""Sources that only ever close; a USER row closes where it goes against the position."""


class Held(Struct, frozen=True):
    """One position row: each opening is one, by its own deal id; `working` is the order that it came of."""

    deal: str
    epic: str
    side: Side
    size: Decimal
    level: Decimal
    at_ns: int
    stop: Decimal | None = None
    target: Decimal | None = None
    working: str = ""
    currency: str = ""


class Resting(Struct, frozen=True):
    """One working order; its stop and target are made from distances whose signs mean nothing."""

    deal: str
    epic: str
    side: Side
    size: Decimal
    level: Decimal
    at_ns: int
    stop: Decimal | None = None
    target: Decimal | None = None


class Act(Struct, frozen=True):
    """One activity: there is no id, and the same may be told again with more in it."""

    deal: str
    epic: str
    kind: str
    status: str
    source: str
    at_ns: int
    side: Side | None = None
    size: Decimal | None = None
    level: Decimal | None = None
    working: str = ""

    def closes(self, side: Side) -> bool:
        """Say whether it ends a position of this side: by who did it, or by its direction."""
        if self.kind != "POSITION" or self.status not in ("ACCEPTED", "EXECUTED"):
            return False
        return self.source in CLOSERS or self.side is side.opposite

    def opens(self, side: Side) -> bool:
        """Say whether it began a position of this side."""
        done = self.kind == "POSITION" and self.status in ("ACCEPTED", "EXECUTED", "CREATED")
        return done and self.source in OPENING and self.side is side


class Trade(Struct, frozen=True):
    """One transaction: of a TRADE `amount` is what the position made, of a SWAP what the night cost."""

    deal: str
    kind: str
    epic: str
    amount: Decimal
    currency: str
    at_ns: int
    reference: str = ""


class Whole(Struct, frozen=True):
    """One complete set, asked for between two moments of our clock, over one login.

    `acts` and `trades` are None where history was not asked for.
    """

    from_ns: int
    to_ns: int
    held: tuple[Held, ...]
    resting: tuple[Resting, ...]
    acts: tuple[Act, ...] | None = None
    trades: tuple[Trade, ...] | None = None
    account: AccountRow | None = None

    @property
    def deals(self) -> frozenset[str]:
        """Give the deal ids that it shows alive: a before-image."""
        return frozenset([*(row.deal for row in self.held), *(row.deal for row in self.resting)])


def held_of(row: PositionRow, offset_s: int) -> Held:
    """Read a position; raise BadMessage where its numbers are none."""
    part = row.position
    if not part.size.is_finite() or part.size <= 0 or not part.level.is_finite() or part.level <= 0:
        raise BadMessage("a position without size or level")
    return Held(
        part.deal_id,
        row.market.epic,
        part.direction,
        part.size,
        part.level,
        time_ns(part.created_date_utc, part.created_date, offset_s),
        finite(part.stop_level),
        finite(part.profit_level),
        part.working_order_id,
        part.currency,
    )


def resting_of(row: OrderRow, offset_s: int) -> Resting:
    """Read a working order; raise BadMessage where its numbers are none."""
    part = row.working_order_data
    if not part.order_size.is_finite() or part.order_size <= 0 or not part.order_level.is_finite():
        raise BadMessage("a working order without size or level")
    stop, target = finite(part.stop_distance), finite(part.profit_distance)
    sign = part.direction.sign
    return Resting(
        part.deal_id,
        part.epic,
        part.direction,
        part.order_size,
        part.order_level,
        time_ns(part.created_date_utc, part.created_date, offset_s),
        part.order_level - sign * abs(stop) if stop else None,
        part.order_level + sign * abs(target) if target else None,
    )


def act_of(row: ActivityRow, offset_s: int) -> Act:
    """Read an activity; a level of 0 is one that is not known yet."""
    details = row.details
    side = details.direction if details is not None else ""
    size, level = (finite(details.size), finite(details.level)) if details is not None else (None, None)
    return Act(
        row.deal_id,
        row.epic,
        row.type,
        row.status,
        row.source,
        time_ns(row.date_utc, row.date, offset_s),
        Side(side) if side in tuple(Side) else None,
        size or None,
        level if level is not None and level > 0 else None,
        details.working_order_id if details is not None else "",
    )


def trade_of(row: TransactionRow, offset_s: int) -> Trade:
    """Read a transaction; on the demo host a currency has a "d" behind it."""
    amount = finite(row.size)
    return Trade(
        row.deal_id,
        row.transaction_type,
        row.instrument_name,
        ZERO if amount is None else amount,
        row.currency[:3],
        time_ns(row.date_utc, row.date, offset_s),
        row.reference,
    )
