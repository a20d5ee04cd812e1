"""What a cash account may spend: cash, without what sales brought that has still to settle.

Proceeds settle at the open of the `settle_days`th session after the trade's, by the instrument's own calendar.
"""

from decimal import Decimal

from joed.engine import sessions
from joed.engine.money import rate_in
from joed.model.state import Broker, Proceeds, State
from joed.model.values import DAY, ZERO


def note_sale(state: State, now: int, name: str, instrument: str, currency: str, amount: Decimal) -> None:
    """Keep what a sale brought, or what its correction takes back, by the day it settles (part of `apply`)."""
    broker = state.brokers.get(name)
    if broker is None or not amount:
        return
    at_ns = settles_ns(state, now, instrument)
    kept = {(row.settles_ns, row.currency): row.amount for row in broker.unsettled if row.settles_ns > now}
    if at_ns > now:
        kept[at_ns, currency] = kept.get((at_ns, currency), ZERO) + amount
    broker.unsettled = [Proceeds(*key, sum_) for key, sum_ in kept.items()]


def settles_ns(state: State, now: int, instrument: str) -> int:
    """Give when the proceeds of a sale made now may be spent."""
    days = state.settings.risk.settle_days
    found = state.settings.universe.get(instrument)
    calendar = None if found is None else state.calendars.get(found.calendar)
    if days == 0 or calendar is None:
        return now + days * DAY
    return sessions.upcoming(calendar, now, days + 1)[days].open_ns


def unsettled(state: State, now: int, broker: Broker) -> Decimal:
    """Give what is still to settle at a broker, in base currency; a correction never makes it less than nothing."""
    rows = (row.amount * rate_in(state, row.currency) for row in broker.unsettled if row.settles_ns > now)
    return max(ZERO, sum(rows, ZERO))
