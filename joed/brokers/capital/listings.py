"""What Capital.com says of each instrument: its rules, its status, its steps; and what of an order they do not allow.

Rules widen in troubled times and hours shift with the clocks, so nothing here is older than a few minutes.
`marketStatus` is the authority on whether a market trades; the hours only say when to ask again.
"""

from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct

from joed.brokers.capital.shapes import Market, RuleValue
from joed.brokers.capital.wire import TRADEABLE, finite
from joed.model.commands import SubmitOrder
from joed.model.settings import Instrument
from joed.model.values import ZERO

REGULAR = "REGULAR"
HUNDRED = Decimal(100)


class Gap(NamedTuple):
    """A distance from the current price: in its units, or in percent of it."""

    value: Decimal = ZERO
    percent: bool = False

    def at(self, price: Decimal) -> Decimal:
        """Give the distance at this price."""
        return price * self.value / HUNDRED if self.percent else self.value


class Listing(Struct, frozen=True):
    """One instrument as Capital.com lists it, since `read_ns`; a rule that it does not tell is None."""

    epic: str
    kind: str
    currency: str
    status: str
    modes: tuple[str, ...]
    read_ns: int
    bid: Decimal | None = None
    ask: Decimal | None = None
    step: Decimal | None = None
    size_min: Decimal | None = None
    size_max: Decimal | None = None
    size_step: Decimal | None = None
    gap_min: Gap = Gap()
    gap_max: Gap | None = None

    @property
    def open(self) -> bool:
        """Say whether its market trades."""
        return self.status == TRADEABLE

    @property
    def restricted(self) -> str:
        """Name the mode that forbids opening (CLOSE_ONLY, LONG_ONLY…), "" where there is none."""
        return next((mode for mode in self.modes if mode != REGULAR), "")


class Refusal(NamedTuple):
    """Why an order does not fit, by our code and in words."""

    code: str
    words: str


def listing_of(market: Market, now: int) -> Listing:
    """Read a market's details."""
    rules, shown = market.dealing_rules, market.snapshot
    return Listing(
        market.instrument.epic,
        market.instrument.type,
        market.instrument.currency,
        shown.market_status,
        tuple(shown.market_modes or ()),
        now,
        finite(shown.bid),
        finite(shown.offer),
        _positive(rules.min_step_distance),
        _positive(rules.min_deal_size),
        _positive(rules.max_deal_size),
        _positive(rules.min_size_increment),
        _gap(rules.min_stop_or_profit_distance) or Gap(),
        _gap(rules.max_stop_or_profit_distance),
    )


def _positive(rule: RuleValue | None) -> Decimal | None:
    value = finite(rule.value) if rule is not None else None
    return value if value is not None and value > 0 else None


def _gap(rule: RuleValue | None) -> Gap | None:
    value = _positive(rule)
    return Gap(value, rule.unit == "PERCENTAGE") if rule is not None and value is not None else None


def shut(listing: Listing | None, instrument: Instrument) -> str:
    """Say why nothing may be opened in an instrument, or ""."""
    if listing is None:
        return f"the dealing rules of {instrument.symbol} are not read yet"
    if not listing.open:
        return f"{instrument.symbol} is {listing.status or 'of no status'} at Capital.com"
    if mode := listing.restricted:
        return f"{instrument.symbol} is {mode} at Capital.com"
    return ""


def amiss(listing: Listing, row: Instrument) -> Refusal | None:
    """Say why an instrument cannot be opened as it is listed, whatever the order: its mode, or our row's own fault."""
    if mode := listing.restricted:
        return Refusal(mode.lower(), f"Capital.com has it {mode}: it can be closed, not opened")
    if listing.currency and listing.currency != row.currency:
        words = f"Capital.com deals it in {listing.currency}, the universe says {row.currency}: mend `currency`"
        return Refusal("currency", words)
    if listing.size_step is not None and row.lot % listing.size_step:
        words = f"Capital.com's step of sizes is {listing.size_step}, the universe says {row.lot}: mend `lot`"
        return Refusal("lot", words)
    return None


def misfit(
    listing: Listing, instrument: Instrument, command: SubmitOrder, bid: Decimal, ask: Decimal
) -> Refusal | None:
    """Say what of an entry the dealing rules do not allow, None where it fits; stops are measured from the quote."""
    quantity = command.quantity
    step = listing.size_step or instrument.lot
    if quantity <= 0 or quantity % instrument.lot or quantity % step:
        return Refusal("quantity", f"{quantity} is no whole number of {max(step, instrument.lot)}")
    if listing.size_min is not None and quantity < listing.size_min:
        return Refusal("quantity", f"{quantity} is below the smallest size of {listing.size_min}")
    if listing.size_max is not None and quantity > listing.size_max:
        return Refusal("quantity", f"{quantity} is above the largest size of {listing.size_max}")
    for level in (command.level, command.stop, command.target):
        if level is not None and not is_level(level, instrument, listing):
            return Refusal("price", f"{level} is no price of {instrument.symbol}")
    if command.stop is None:
        return Refusal("stop", "an entry without a stop")
    sign = command.side.sign
    base = command.level if command.level is not None else (bid if sign > 0 else ask)
    away = bid if sign > 0 else ask
    reference = min(base, away) if sign > 0 else max(base, away)
    near = listing.gap_min.at(reference)
    if sign * (reference - command.stop) < near or sign * (reference - command.stop) <= 0:
        return Refusal("stop", f"a stop at {command.stop} is nearer than {near} to {reference}")
    if command.target is not None and sign * (command.target - reference) < near:
        return Refusal("target", f"a target at {command.target} is nearer than {near} to {reference}")
    if listing.gap_max is not None and sign * (reference - command.stop) > listing.gap_max.at(reference):
        return Refusal("stop", f"a stop at {command.stop} is farther than {listing.gap_max.at(reference)}")
    return None


def is_level(level: Decimal | None, instrument: Instrument, listing: Listing | None = None) -> bool:
    """Say whether a level can stand: positive, finite, on the tick of ours."""
    return level is not None and level.is_finite() and level > 0 and not level % instrument.tick
