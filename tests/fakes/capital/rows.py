"""The account's rows as they go over the wire: positions, working orders, confirms, activity, transactions."""

from dataclasses import dataclass, field
from decimal import Decimal

from joed.model.values import Side
from tests.fakes.capital.listing import Listing
from tests.fakes.capital.ticket import exit_price
from tests.fakes.capital.words import both, written

ZERO = Decimal(0)


@dataclass
class Deal:
    """A position: one opening, with its own id. `group` is its entry in the exchange, `order` the order's deal id."""

    deal: str
    order: str
    group: str
    listing: Listing
    side: Side
    size: Decimal
    level: Decimal
    opened_ns: int
    stop_id: str = ""
    profit_id: str = ""
    guaranteed: bool = False
    trailing: bool = False
    distance: Decimal | None = None
    closed_ns: int = 0

    @property
    def reference(self):
        """Give what every amendment and the close of it go by."""
        return f"p_{self.deal}"

    def upl(self):
        """Give the open profit, in the instrument's currency."""
        price = exit_price(self.listing, self.side)
        return ZERO if price is None else (price - self.level) * self.size * self.side.sign


@dataclass
class Working:
    """A working order; `entry` is its id in the exchange, which changes where only a new order can have its terms."""

    deal: str
    reference: str
    entry: str
    listing: Listing
    side: Side
    size: Decimal
    kind: str
    level: Decimal
    made_ns: int
    until_ns: int = 0
    stop: Decimal | None = None
    profit: Decimal | None = None
    guaranteed: bool = False
    trailing: bool = False
    distance: Decimal | None = None
    over: bool = False
    versions: int = 0


@dataclass
class Confirm:
    """What goes by one reference: states, each with the time from which it can be read; the newest one counts."""

    reference: str
    states: list[tuple[int, dict]] = field(default_factory=list)

    def read(self, now):
        """Give the newest state that can be read, None where none can."""
        seen = [body for at_ns, body in self.states if at_ns <= now]
        return seen[-1] if seen else None


def position_row(deal, stop, profit, now, account):
    """Give one row of GET /positions."""
    row = {
        "contractSize": 1,
        **both("createdDate", deal.opened_ns, account.offset_h),
        "dealId": deal.deal,
        "dealReference": deal.reference,
        "workingOrderId": deal.order,
        "size": deal.size,
        "leverage": account.leverage(deal.listing),
        "upl": account.to_base(deal.upl(), deal.listing.currency),
        "direction": deal.side.value,
        "level": deal.level,
        "currency": deal.listing.currency,
        "guaranteedStop": deal.guaranteed,
    }
    if stop is not None:
        row["stopLevel"] = stop
    if profit is not None:
        row["profitLevel"] = profit
    if deal.trailing:
        row |= {"trailingStop": True, "stopDistance": deal.distance}
    return {"position": row, "market": deal.listing.flat(now, account.offset_h)}


def working_row(order, left, now, account):
    """Give one row of GET /workingorders; protection comes back as distances, a long one's stop with a minus."""
    sign = order.side.sign
    row = {
        "dealId": order.deal,
        "direction": order.side.value,
        "epic": order.listing.epic,
        "orderSize": left,
        "leverage": account.leverage(order.listing),
        "orderLevel": order.level,
        "timeInForce": "GOOD_TILL_DATE" if order.until_ns else "GOOD_TILL_CANCELLED",
        **both("createdDate", order.made_ns, account.offset_h),
        "guaranteedStop": order.guaranteed,
        "orderType": order.kind,
        "trailingStop": order.trailing,
        "currencyCode": order.listing.currency,
    }
    if order.until_ns:
        row["goodTillDate"] = written(order.until_ns, offset_h=account.offset_h, millis=False)
        row["goodTillDateUTC"] = written(order.until_ns, millis=False)
    if order.stop is not None:
        row["stopDistance"] = -sign * abs(order.level - order.stop)
    if order.profit is not None:
        row["profitDistance"] = sign * abs(order.profit - order.level)
    return {"workingOrderData": row, "marketData": order.listing.flat(now, account.offset_h)}


@dataclass
class Activity:
    """One thing that happened; `level_from_ns` is when its level can be read, before that it is 0."""

    at_ns: int
    visible_ns: int
    level_from_ns: int
    epic: str
    deal: str
    source: str
    type: str
    status: str
    details: dict

    def row(self, now, offset_h, *, detailed):
        """Give it as it goes over the wire."""
        made = {
            **both("date", self.at_ns, offset_h),
            "epic": self.epic,
            "dealId": self.deal,
            "source": self.source,
            "type": self.type,
            "status": self.status,
        }
        if detailed:
            level = self.details["level"] if now >= self.level_from_ns else 0
            made["details"] = {**self.details, "level": level}
        return made


@dataclass
class Transaction:
    """One movement of money; what a TRADE calls its size is its result."""

    at_ns: int
    epic: str
    type: str
    note: str
    amount: Decimal
    deal: str
    reference: str
    currency: str

    def row(self, offset_h):
        """Give it as it goes over the wire: dateUtc, and the size as text."""
        return {
            **both("date", self.at_ns, offset_h, utc="Utc"),
            "instrumentName": self.epic,
            "transactionType": self.type,
            "note": self.note,
            "reference": self.reference,
            "size": f"{self.amount:f}",
            "currency": f"{self.currency}d",  # a demo account's
            "status": "PROCESSED",
            **({"dealId": self.deal} if self.type == "TRADE" else {}),
        }
