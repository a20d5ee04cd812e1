"""What a quote does to its market: it is judged, folded into bars, and fenced by bands in which nothing can act."""

from decimal import Decimal
from math import inf, isfinite

from joed.model.events import Quote
from joed.model.state import EMPTY_HI, EMPTY_LO, Market, State
from joed.model.values import MINUTE, SECOND, Bar

ANCHORLESS = 0.0
NO_PRICE, CROSSED, LEAP = "no_price", "crossed", "leap"
REJECTED = (NO_PRICE, CROSSED, LEAP)
"""Why quotes are left out: numbers that cannot be, a bid above the ask, a jump that no later print confirms yet."""
SILENCE_NS = 30 * MINUTE
"""After this long without a quote the old price says nothing about the next."""


def market_of(state: State, instrument: str) -> Market:
    """Give the market of an instrument, a new one at its first mention."""
    market = state.markets.get(instrument)
    if market is None:
        market = state.markets[instrument] = Market(instrument)
    return market


def known(state: State, instrument: str) -> bool:
    """Say whether quotes of this name are looked at: the universe bounds what State remembers."""
    return instrument in state.markets or instrument in state.settings.universe or is_vix(state, instrument)


def is_vix(state: State, instrument: str) -> bool:
    """Say whether this is the index of fear, which has rules of its own."""
    return instrument == state.settings.vix.instrument


def tick_of(state: State, instrument: str) -> Decimal | None:
    """Give the step of an instrument's prices; None where the settings no longer name it."""
    found = state.settings.universe.get(instrument)
    return None if found is None else found.tick


def sound(quote: Quote) -> bool:
    """Say whether the numbers can be prices at all: finite, positive, bid not above ask."""
    last = quote.last
    return 0.0 < quote.bid <= quote.ask < inf and (last is None or 0.0 < last < inf)  # NaN is in no order


def price_of(quote: Quote) -> float:
    """Give the price that bars are made of: the last trade where the broker sends it, else the middle."""
    last = quote.last
    return (quote.bid + quote.ask) / 2 if last is None else last


def fold(market: Market, quote: Quote) -> None:
    """Take a sound quote in: the market's latest, and its price into the second's range."""
    market.quote = quote
    market.quotes += 1
    price = price_of(quote)
    market.high = max(market.high, price)
    market.low = min(market.low, price)


def take(state: State, quote: Quote) -> bool:
    """Apply a quote to its market, or leave it out: impossible numbers, or a jump that no later print confirms.

    The jump is judged against the anchor, the price at the last full minute, so that bands can be drawn from it.
    """
    if not known(state, quote.instrument):
        return False
    market = market_of(state, quote.instrument)
    if not sound(quote):
        leave_out(state, market, CROSSED if 0.0 < quote.ask < quote.bid < inf else NO_PRICE)
        return False
    price = price_of(quote)
    if market.anchor == ANCHORLESS:
        market.anchor = price
    elif jumped(state, market, price):
        if not believed(state, market, quote, price):
            leave_out(state, market, LEAP)
            return False
        market.anchor = price
    market.suspects, market.suspect = 0, None
    fold(market, quote)
    return True


def leave_out(state: State, market: Market, why: str) -> None:
    """Count a quote that is not taken."""
    market.rejected += 1
    state.quotes_rejected[why] = state.quotes_rejected.get(why, 0) + 1


def jumped(state: State, market: Market, price: float) -> bool:
    """Say whether a price is too far from the anchor to be believed at once.

    A rise of VIX is not judged here: fear has its own rule, and may not wait. A fall is, or one print of nonsense
    would make the prices after it look like a leap.
    """
    reach = market.anchor * state.settings.feed.jump_max
    if is_vix(state, market.instrument):
        return price <= market.anchor - reach
    return not market.anchor - reach < price < market.anchor + reach


def believed(state: State, market: Market, quote: Quote, price: float) -> bool:
    """Say whether a jump is real: enough prints in a row agree on it, or the price before it is long out of date."""
    before = market.quote
    if before is not None and quote.received_ns - before.received_ns > SILENCE_NS:
        return True
    suspect, reach = market.suspect, price * state.settings.feed.jump_max
    agrees = suspect is not None and abs(price - suspect) < reach
    market.suspects = market.suspects + 1 if agrees else 1
    market.suspect = price
    return market.suspects >= state.settings.feed.prints


def fold_second(state: State, market: Market, now: int) -> None:
    """Close the second: its range goes into its minute's bar; a full minute's bar is handed out in `finished`.

    The range belongs to the second before this Tick, so at a full minute it goes into the old bar before that ends.
    """
    if market.low <= market.high and market.quote is not None:
        inside = now - SECOND // 2
        start = inside - inside % MINUTE
        if market.minute is not None and market.minute.at_ns < start:
            _end_minute(state, market)
        market.minute = widened(market, start)
        market.high, market.low = EMPTY_HI, EMPTY_LO
    if market.minute is not None and market.minute.at_ns < now - now % MINUTE:
        _end_minute(state, market)


def _end_minute(state: State, market: Market) -> None:
    """Hand a full minute out, and judge the next one's jumps by where it ended."""
    assert market.minute is not None
    state.finished.append(market.minute)
    market.anchor = market.minute.close
    market.minute = None
    market.volume_at_minute = market.quote.volume if market.quote is not None else None
    empty_band(market)


def widened(market: Market, start: int) -> Bar:
    """Give the minute's bar with the second's range in it; its open is the price that ended its first second."""
    assert market.quote is not None
    quote = market.quote
    close = (quote.bid + quote.ask) / 2 if quote.last is None else quote.last
    volume = traded(market)
    minute = market.minute
    if minute is None:
        return Bar(market.instrument, start, close, market.high, market.low, close, volume)
    high, low = max(minute.high, market.high), min(minute.low, market.low)
    return Bar(market.instrument, minute.at_ns, minute.open, high, low, close, volume)


def traded(market: Market) -> float:
    """Give the volume since the minute began; 0 where the broker sends none that can be."""
    volume = market.quote.volume if market.quote is not None else None
    if volume is None or not isfinite(volume):
        return 0.0
    if market.volume_at_minute is None or not isfinite(market.volume_at_minute):
        market.volume_at_minute = volume
    return max(0.0, volume - market.volume_at_minute)


def empty_band(market: Market) -> None:
    """Let the next quote through to the rules, whatever its price."""
    market.lo, market.hi = EMPTY_LO, EMPTY_HI
    market.last_lo, market.last_hi = EMPTY_LO, EMPTY_HI


def empty_bands(state: State) -> None:
    """Empty all bands: something changed that any instrument's rules may look at."""
    for market in state.markets.values():
        empty_band(market)
