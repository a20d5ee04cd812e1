"""Between TWS's words and ours, both ways: pure functions over its nouns, with Decimal wherever there is money.

TWS speaks in doubles; a price crosses as the shortest decimal that reads back as the same double. What it leaves unset
(the largest double, the largest int) is None here, and a number that is none (NaN, infinity) is a BadMessage.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from joed.errors import BadMessage
from joed.model.commands import AmendOrder, SubmitOrder
from joed.model.events import OrderFilled, OrderSeen
from joed.model.settings import Instrument
from joed.model.values import SECOND, ZERO, Kind, Side, Status, Tif

Fields = dict[str, Any]
"""Fields of one of the library's nouns, by their names there."""

UNSET = 1.7976931348623157e308
OCA_REDUCE = 2
"""What a group's others do as one of them fills: they shrink, and nothing of them is sent on meanwhile (type 2)."""

TYPES = {Kind.MARKET: "MKT", Kind.LIMIT: "LMT", Kind.STOP: "STP"}
PRICE_FIELD = {"LMT": "lmtPrice", "STP": "auxPrice", "STP LMT": "auxPrice", "MIT": "auxPrice"}
"""Where an order's level stands, by its type."""

SECURITIES = {
    "stock": ("STK", "SMART"),
    "etf": ("STK", "SMART"),
    "index": ("IND", ""),
    "currency": ("CASH", "IDEALPRO"),
    "crypto": ("CRYPTO", "PAXOS"),
}
"""The security type and the route of each kind of instrument; an index is where it is."""
INDEX_EXCHANGES = {"VIX": "CBOE", "SPX": "CBOE", "NDX": "NASDAQ", "RUT": "RUSSELL", "DJI": "CME"}

UNSENT = frozenset({"PendingSubmit", "ApiPending"})
"""What TWS shows of an order that it has and IBKR has not: unacknowledged, or held back until another transmits it."""
WORKING = frozenset({"PreSubmitted", "Submitted", "PendingCancel"})
OVER = {"Filled": Status.FILLED, "Cancelled": Status.CANCELLED, "ApiCancelled": Status.CANCELLED}
SIDES = {"BUY": Side.BUY, "SELL": Side.SELL, "SSHORT": Side.SELL, "BOT": Side.BUY, "SLD": Side.SELL}
WAITS_FOR_PARENT = "child"

ZONES = {
    **dict.fromkeys(("US/Eastern", "EST", "EDT", "EST5EDT"), "America/New_York"),
    **dict.fromkeys(("US/Central", "CST", "CDT", "CST6CDT"), "America/Chicago"),
    **dict.fromkeys(("US/Mountain", "MST", "MDT"), "America/Denver"),
    **dict.fromkeys(("US/Pacific", "PST", "PDT", "PST8PDT"), "America/Los_Angeles"),
    **dict.fromkeys(("GMT", "UCT", "Zulu"), "UTC"),
    **dict.fromkeys(("GB", "BST"), "Europe/London"),
    **dict.fromkeys(("MET", "CET", "CEST"), "Europe/Berlin"),
    "Hongkong": "Asia/Hong_Kong",
    "Japan": "Asia/Tokyo",
    "JST": "Asia/Tokyo",
    "Singapore": "Asia/Singapore",
}
"""Old names of zones that TWS uses and that many systems no longer have (Debian's are in tzdata-legacy)."""


class Ticket(NamedTuple):
    """One leg as it goes to placeOrder: our id, which is its orderRef, and the fields of the library's Order."""

    order: str
    fields: Fields


def contract_of(instrument: Instrument, primary: str = "") -> Fields:
    """Give the fields that describe an instrument to TWS; KeyError where its kind has no name there."""
    security, exchange = SECURITIES[instrument.kind]
    symbol = instrument.symbol.lstrip("^").replace(".", " ")
    if security == "CASH":
        letters = "".join(letter for letter in symbol if letter.isalpha())
        return {"secType": security, "symbol": letters[:3], "currency": letters[3:], "exchange": exchange}
    if security == "IND":
        exchange = primary or INDEX_EXCHANGES.get(symbol, "CBOE")
        primary = ""
    fields = {"secType": security, "symbol": symbol, "currency": instrument.currency, "exchange": exchange}
    return {**fields, "primaryExchange": primary} if primary else fields


def tickets_of(command: SubmitOrder, account: str, *, extended: bool) -> list[Ticket]:
    """Give the legs of a new order in the order in which they are sent: itself, its target, and last its stop.

    TWS holds all back until the last arrives (bracket_order.html), so an entry can never be there without its stop.
    """
    group = command.order if command.opens else command.group
    legs = [_leg(command.order, command.side, command.kind, command.quantity, command.level, command.tif)]
    for name, kind, level in (
        (command.target_order, Kind.LIMIT, command.target),
        (command.stop_order, Kind.STOP, command.stop),
    ):
        if name:
            legs.append(_leg(name, command.side.opposite, kind, command.quantity, level, Tif.GTC))
    for ticket in legs:
        ticket.fields["account"] = account
        ticket.fields["outsideRth"] = extended and ticket.fields["orderType"] != "MKT"
        ticket.fields["transmit"] = ticket is legs[-1]
        if group and (ticket is not legs[0] or not command.opens):
            ticket.fields.update(ocaGroup=group, ocaType=OCA_REDUCE)
    return legs


def _leg(order: str, side: Side, kind: Kind, quantity: Decimal, level: Decimal | None, tif: Tif) -> Ticket:
    """Give one leg; its time in force is always said: a preset of TWS would choose another (10349)."""
    fields: Fields = {
        "action": side.value,
        "orderType": TYPES[kind],
        "totalQuantity": plain(quantity),
        "tif": tif.value,
        "orderRef": order,
    }
    if kind is not Kind.MARKET and level is not None:
        fields[PRICE_FIELD[TYPES[kind]]] = plain(level)
    return Ticket(order, fields)


def amended(fields: Mapping[str, Any], command: AmendOrder, total: Decimal = ZERO) -> Fields:
    """Give the whole order with its new terms: an amendment is the same order once more, in absolute terms.

    `total` is its quantity by TWS's newest word, an orderStatus among them; 0 where there was none.
    """
    found = {**fields, "transmit": True}
    if total:
        found["totalQuantity"] = plain(total)
    if command.level is not None:
        found[PRICE_FIELD.get(found["orderType"], "lmtPrice")] = plain(command.level)
    if command.quantity is not None:
        found["totalQuantity"] = plain(command.quantity)
    return found


KEPT = (
    *("action", "orderType", "tif", "orderRef", "account", "ocaGroup", "ocaType", "parentId", "outsideRth"),
    *("totalQuantity", "lmtPrice", "auxPrice", "triggerMethod", "hidden", "goodTillDate", "goodAfterTime"),
)


def fields_of(order: Any) -> Fields:
    """Give what must be said again of an order that TWS shows, if it is to be amended."""
    found = {name: getattr(order, name) for name in KEPT}
    for name in ("lmtPrice", "auxPrice"):
        price = number(found[name])
        found[name] = UNSET if price is None else plain(price)
    found["totalQuantity"] = plain(quantity(order.totalQuantity))
    return found


def plain(value: Decimal) -> str:
    """Write a number for the wire, without an exponent."""
    return format(value, "f")


def number(value: float) -> Decimal | None:
    """Cross from a double of the wire to money: None where it is unset, BadMessage where it is no number."""
    if value == UNSET:
        return None
    if not isfinite(value):
        raise BadMessage(f"{value} is no number")
    return Decimal(int(value)) if float(value).is_integer() and abs(value) < 1e15 else Decimal(repr(float(value)))


def quantity(value: float) -> Decimal:
    """Cross from a quantity of the wire; none is 0."""
    return number(value) or ZERO


def figure(text: str) -> Decimal | None:
    """Read a figure of the account, which comes as text: None where it is none."""
    try:
        value = Decimal(text)
    except ArithmeticError:
        return None
    return value if value.is_finite() and abs(value) < Decimal("1e300") else None


def level_of(order: Any) -> Decimal | None:
    """Give the level of an order that TWS shows: a limit's price, a stop's trigger, None of a market order."""
    name = PRICE_FIELD.get(order.orderType)
    return None if name is None else number(getattr(order, name))


def status_of(words: str, held: str, filled: Decimal) -> Status:
    """Give where an open order stands, from TWS's word for it and its reason to hold it back.

    A stop that waits for its trigger is PreSubmitted and works; a child that waits for its parent is PreSubmitted too,
    and does not. Inactive is with the broker and does nothing: it may come to life, so it is not over.
    """
    if words in OVER:
        return OVER[words]
    if words not in WORKING or WAITS_FOR_PARENT in held.split(","):
        return Status.ACKED
    return Status.PARTIAL if filled else Status.WORKING


def ended_of(state: Any) -> Status:
    """Give how a completed order ended."""
    said = f"{state.completedStatus}".lower()
    if "expire" in said:
        return Status.EXPIRED
    if state.status == "Inactive" or "reject" in said:
        return Status.REJECTED
    return OVER.get(state.status, Status.CANCELLED)


def seen_of(order: Any, instrument: str, words: str, held: str, filled: Decimal, left: Decimal) -> OrderSeen:
    """Give an open order as our books name it; the library's Order, then what orderStatus says of it."""
    return OrderSeen(
        order=order.orderRef,
        broker_id=str(order.permId),
        instrument=instrument,
        side=SIDES[order.action],
        quantity=left,
        status=status_of(words, held, filled),
        level=level_of(order),
        filled=filled,
    )


def execution_of(execution_id: str) -> tuple[str, int]:
    """Part an execution's id into its root and its revision: a correction differs behind the last dot only."""
    root, dot, last = execution_id.rpartition(".")
    if not dot or not last.isdigit():
        return execution_id, 0
    return root, max(0, int(last) - 1)


def fill_of(execution: Any, instrument: str, currency: str, broker: str, fee: Decimal | None) -> OrderFilled:
    """Give an execution as our books name it; the library's Execution.

    Its fee is a word of its own and may come late, in another process too: so each of IBKR's revisions has two numbers
    of ours, the first without a fee and the second with it. Whoever has booked the first still takes the second.
    """
    root, revision = execution_of(execution.execId)
    return OrderFilled(
        order=execution.orderRef,
        execution=root,
        instrument=instrument,
        side=SIDES[execution.side],
        quantity=quantity(execution.shares),
        price=quantity(execution.price),
        fee=ZERO if fee is None else fee,
        revision=2 * revision + (fee is not None),
        at_ns=nanoseconds(execution.time),
        broker=broker,
        currency=currency,
    )


def nanoseconds(moment: datetime) -> int:
    """Give a moment as joed counts time; one without a zone is UTC."""
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * SECOND + moment.microsecond * 1000


def zoned(text: str) -> str:
    """Give a time's text with the name that its zone has today."""
    head, space, zone = text.rpartition(" ")
    return f"{head}{space}{ZONES[zone]}" if zone in ZONES else text


class Day(NamedTuple):
    """When a market is regularly open: minutes of the day in its zone."""

    zone: ZoneInfo
    start: int
    end: int


def day_of(hours: str, zone: str) -> Day:
    """Read regular hours such as `20261123:0930-20261123:1600;20261126:CLOSED`: the first day that is open counts."""
    try:
        where = ZoneInfo(ZONES.get(zone, zone) or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        where = ZoneInfo("UTC")
    if found := re.search(r"\d{8}:(\d\d)(\d\d)-\d{8}:(\d\d)(\d\d)", hours):
        start, end = (int(found[at]) * 60 + int(found[at + 1]) for at in (1, 3))
        if start < end:
            return Day(where, start, end)
    return Day(where, 0, 24 * 60)


def is_paper(account: str) -> bool:
    """Say whether an account is one for practice: IBKR's begin with D (DU, DF), the others with U, F or I."""
    return account.upper().startswith("D")
