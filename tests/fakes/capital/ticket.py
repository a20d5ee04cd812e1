"""What a POST or PUT asks for, read and checked as the service checks it before it answers at all."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from joed.model.values import Side, ceil_to, decimal, floor_to
from tests.fakes.capital.listing import Listing
from tests.fakes.capital.words import Refused, asked_ns

KINDS = ("LIMIT", "STOP")


@dataclass
class Protection:
    """A stop and a profit level as prices, None for none; `distance` is a trailing stop's."""

    stop: Decimal | None = None
    profit: Decimal | None = None
    guaranteed: bool = False
    trailing: bool = False
    distance: Decimal | None = None


@dataclass
class Ticket:
    """A new order: `kind` is MARKET, LIMIT or STOP; `until_ns` 0 is until cancelled."""

    listing: Listing
    side: Side
    size: Decimal
    kind: str = "MARKET"
    level: Decimal | None = None
    until_ns: int = 0
    protection: Protection = None
    order: str = ""
    reference: str = ""
    working: bool = False
    """It stood in the book as a working order before."""


def number(body, name):
    """Read a number of a body, None where it is absent or null."""
    value = body.get(name)
    if value is None:
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise Refused(400, f"error.invalid.{name}") from None


def ticket_of(body, listings, now, *, working):
    """Read a new order, or refuse it."""
    listing = listings.get(body.get("epic"))
    if listing is None:
        raise Refused(404, "error.not-found.epic")
    if body.get("direction") not in ("BUY", "SELL"):
        raise Refused(400, "error.invalid.direction")
    size = number(body, "size")
    if size is None:
        raise Refused(400, "error.null.size")
    listing.check_size(size)
    made = Ticket(listing, Side(body["direction"]), size)
    if working:
        made.working = True
        made.kind = body.get("type")
        if made.kind not in KINDS:
            raise Refused(400, "error.invalid.type")
        terms(made, body, now)
    base = made.level if working else entry_price(listing, made.side)
    around = made.level if working else exit_price(listing, made.side)
    made.protection = protection_of(body, listing, made.side, size, (base, around))
    return made


def terms(ticket, body, now):
    """Read a working order's level and end."""
    level = number(body, "level")
    if level is None:
        raise Refused(400, "error.null.level")
    ticket.level, ticket.until_ns = level, until_of(body, now)
    check_place(ticket.listing, ticket.side, ticket.kind, level)


def terms_of(body, order, now):
    """Read the level and the end that a PUT gives a working order; what it does not name stays."""
    level = number(body, "level")
    if level is not None:
        check_place(order.listing, order.side, order.kind, level)
    return order.level if level is None else level, until_of(body, now) or order.until_ns


def until_of(body, now):
    """Read goodTillDate; 0 for until cancelled."""
    until = body.get("goodTillDate")
    if not until:
        return 0
    until_ns = asked_ns(until, "error.invalid.daterange")
    if until_ns <= now:
        raise Refused(400, "error.not-in-future.goodTillDate")
    return until_ns


def check_place(listing, side, kind, level):
    """Refuse a level that is no price, or lies on the wrong side of the market."""
    listing.check_level(level, "level")
    price = entry_price(listing, side)
    if price is not None and (side.sign * (price - level) > 0) is not (kind == "LIMIT"):
        raise Refused(400, "error.validation.level.price")


def entry_price(listing, side):
    """Give what an opening pays now, None without a price."""
    quote = listing.quote
    return None if quote is None else decimal(quote.ask if side is Side.BUY else quote.bid)


def exit_price(listing, side):
    """Give what closing a position of this side gets now, None without a price."""
    quote = listing.quote
    return None if quote is None else decimal(quote.bid if side is Side.BUY else quote.ask)


def protection_of(body, listing, side, size, prices):
    """Read stop and profit, by level, distance or amount.

    `prices` are the one that distances count from, and the one around which levels must lie.
    """
    base, around = prices
    made = Protection(guaranteed=bool(body.get("guaranteedStop")), trailing=bool(body.get("trailingStop")))
    made.stop = level_of(body, "stop", -side.sign, listing, size, base)
    made.profit = level_of(body, "profit", side.sign, listing, size, base)
    made.distance = number(body, "stopDistance")
    if made.trailing and (made.distance is None or made.guaranteed):
        raise Refused(400, "error.invalid.trailingStop")
    if made.guaranteed and made.stop is None:
        raise Refused(400, "error.invalid.guaranteedStop")
    if around is not None:
        check_bounds(listing, made, side, around)
    return made


def level_of(body, word, sign, listing, size, base):
    """Give a leg's price."""
    level, distance, amount = (number(body, f"{word}{what}") for what in ("Level", "Distance", "Amount"))
    if level is None and amount is not None:
        distance = amount / size
    if level is None and distance is not None and base is not None:
        rounded = floor_to if sign < 0 else ceil_to
        level = rounded(base + sign * abs(distance), listing.tick)
    if level is not None:
        listing.check_level(level, word)
    return level


def check_bounds(listing, protection, side, price):
    """Refuse levels that lie too near or too far; the value in the code is the bound, a price."""
    rule = listing.min_guaranteed if protection.guaranteed else listing.min_stop
    least, most = listing.distance(rule), listing.distance(listing.max_stop)
    for level, word, sign in ((protection.stop, "stoploss", -side.sign), (protection.profit, "takeprofit", side.sign)):
        if level is None:
            continue
        near, far = price + sign * least, price + sign * most
        if sign * (level - near) < 0:
            raise Refused(400, f"error.invalid.{word}.{'maxvalue' if sign < 0 else 'minvalue'}: {near.normalize():f}")
        if sign * (level - far) > 0:
            raise Refused(400, f"error.invalid.{word}.{'minvalue' if sign < 0 else 'maxvalue'}: {far.normalize():f}")
