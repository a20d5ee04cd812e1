"""Bars from GET /prices with its odd rules: whole ones only, both bounds included, no span above max - 1, 404 for none.

Prices are the middle of bid and ask; volume is Capital.com's own count of ticks. The newest row is still being made
while the market is open, for days too.
"""

from joed.brokers.base import Clock
from joed.brokers.capital.faults import Gone
from joed.brokers.capital.limiter import Lane
from joed.brokers.capital.session import Session
from joed.brokers.capital.shapes import Pair, PriceRow, Prices
from joed.brokers.capital.wire import time_ns, written_utc
from joed.errors import BadMessage, BrokerUnavailable
from joed.model.values import DAY, MINUTE, SECOND, Bar

ROWS_MAX = 1000
SPAN_NS = (ROWS_MAX - 1) * MINUTE
"""The longest window of minutes that is answered: one row fewer than asked for, counted over closed hours too."""
WINDOWS_MAX = 60
"""Windows of one question: some six weeks of minutes."""
NO_PRICES = "error.prices.not-found"
UNKNOWN = "error.not-found.epic"


async def daily(session: Session, clock: Clock, instrument: str, epic: str, days: int) -> tuple[Bar, ...]:
    """Give the last daily bars that are whole, oldest first."""
    params = {"resolution": "DAY", "max": str(min(days + 1, ROWS_MAX))}
    rows = await _rows(session, epic, params)
    return _bars(rows, instrument, DAY, clock.now(), session.offset_s)[-days:]


async def minutes(
    session: Session, clock: Clock, instrument: str, epic: str, from_ns: int, skew_ns: int
) -> tuple[Bar, ...]:
    """Give the minute bars that are whole from a time on, oldest first."""
    until_ns = clock.now() + skew_ns - SECOND  # a window that ends in the future is refused
    start_ns, found = from_ns // MINUTE * MINUTE, list[PriceRow]()
    for _ in range(WINDOWS_MAX):
        if start_ns >= until_ns:
            break
        end_ns = min(start_ns + SPAN_NS, until_ns)
        params = {"resolution": "MINUTE", "max": str(ROWS_MAX)}
        found += await _rows(session, epic, {**params, "from": written_utc(start_ns), "to": written_utc(end_ns)})
        start_ns = end_ns // MINUTE * MINUTE + MINUTE
    else:
        raise BrokerUnavailable(f"{WINDOWS_MAX} windows of minutes are not enough for what was asked")
    return _bars(found, instrument, MINUTE, until_ns, session.offset_s)


async def _rows(session: Session, epic: str, params: dict[str, str]) -> list[PriceRow]:
    """Ask for one window; an empty one is a 404, and not proof of anything."""
    try:
        return (await session.get(Prices, f"/prices/{epic}", Lane.HISTORY, params)).prices
    except Gone as fault:
        if fault.code == UNKNOWN:
            raise
        return []


def _bars(rows: list[PriceRow], instrument: str, span_ns: int, now: int, offset_s: int) -> tuple[Bar, ...]:
    """Read rows as bars: each time once, ascending, none that is not over, none without its prices."""
    found: dict[int, Bar] = {}
    for row in rows:
        at_ns = time_ns(row.snapshot_time_utc, row.snapshot_time, offset_s)
        prices = [_middle(pair) for pair in (row.open_price, row.high_price, row.low_price, row.close_price)]
        if not at_ns or at_ns + span_ns > now or None in prices:
            continue
        first, high, low, last = (price or 0.0 for price in prices)
        if not low <= min(first, last) <= max(first, last) <= high:
            raise BadMessage(f"a bar of {instrument} whose prices contradict each other")
        found[at_ns] = Bar(instrument, at_ns, first, high, low, last, row.last_traded_volume or 0.0)
    return tuple(found[at_ns] for at_ns in sorted(found))


def _middle(pair: Pair) -> float | None:
    """Give the price between bid and ask, None where there is none."""
    if pair.bid is None or pair.ask is None or pair.bid <= 0 or pair.ask <= 0:
        return None
    return (pair.bid + pair.ask) / 2
