"""What a quote does to its market: it is judged, folded into bars, and fenced by bands in which nothing can act."""

from math import isfinite

from joed.model.events import Quote
from joed.model.state import EMPTY_HI, EMPTY_LO, Market, State
from joed.model.values import MINUTE, Bar

ANCHORLESS = 0.0


def market_of(state: State, instrument: str) -> Market:
    """Give the market of an instrument, a new one at its first mention."""
    market = state.markets.get(instrument)
    if market is None:
        market = state.markets[instrument] = Market(instrument)
    return market


def sound(quote: Quote) -> bool:
    """Say whether the numbers can be prices at all: finite, positive, bid not above ask."""
    return isfinite(quote.ask) and 0.0 < quote.bid <= quote.ask and (quote.last is None or quote.last > 0.0)


def price_of(quote: Quote) -> float:
    """Give the price that bars are made of: the last trade where the broker sends it, else the middle."""
    last = quote.last
    return (quote.bid + quote.ask) / 2 if last is None else last


def fold(market: Market, quote: Quote) -> None:
    """Take a sound quote in: the market's latest, and its price into the second's range."""
    market.quote = quote
    market.quotes += 1
    last = quote.last
    price = (quote.bid + quote.ask) / 2 if last is None else last
    if price > market.high:
        market.high = price
    if price < market.low:
        market.low = price


def take(state: State, quote: Quote) -> bool:
    """Apply a quote to its market, or leave it out: impossible numbers, or a jump that no second print confirms.

    The jump is judged against the anchor, the price at the last full minute, so that bands can be drawn from it.
    """
    market = market_of(state, quote.instrument)
    if not sound(quote):
        market.rejected += 1
        return False
    price = price_of(quote)
    if market.anchor == ANCHORLESS:
        market.anchor = price
    elif jumped(state, market, price):
        market.suspects += 1
        if market.suspects < state.settings.feed.prints:
            market.rejected += 1
            return False
        market.anchor = price
    market.suspects = 0
    fold(market, quote)
    return True


def jumped(state: State, market: Market, price: float) -> bool:
    """Say whether a price is too far from the anchor to be believed at once; VIX has a rule of its own."""
    if market.instrument == state.settings.vix.instrument:
        return False
    return not within_jump(state, market, price)


def within_jump(state: State, market: Market, price: float) -> bool:
    """Say whether a price lies inside the sanity bounds around the anchor."""
    reach = market.anchor * state.settings.feed.jump_max
    return market.anchor - reach < price < market.anchor + reach


def fold_second(state: State, market: Market, now: int) -> None:
    """Close the second: its range goes into the minute's bar; a full minute's bar is handed out in `finished`."""
    start = now - now % MINUTE
    minute = market.minute
    if minute is not None and minute.at_ns < start:
        state.finished.append(minute)
        market.minute = None
        market.anchor = minute.close
        market.volume_at_minute = market.quote.volume if market.quote is not None else None
        empty_band(market)
    if market.high < market.low or market.quote is None:
        return
    market.minute = widened(market, start)
    market.high, market.low = EMPTY_HI, EMPTY_LO


def widened(market: Market, start: int) -> Bar:
    """Give the minute's bar with the second's range in it."""
    assert market.quote is not None
    close = price_of(market.quote)
    volume = traded(market)
    minute = market.minute
    if minute is None:
        return Bar(market.instrument, start, close, market.high, market.low, close, volume)
    high, low = max(minute.high, market.high), min(minute.low, market.low)
    return Bar(market.instrument, minute.at_ns, minute.open, high, low, close, volume)


def traded(market: Market) -> float:
    """Give the volume since the minute began; 0 where the broker sends none."""
    if market.quote is None or market.quote.volume is None:
        return 0.0
    if market.volume_at_minute is None:
        market.volume_at_minute = market.quote.volume
    return max(0.0, market.quote.volume - market.volume_at_minute)


def empty_band(market: Market) -> None:
    """Let the next quote through to the rules, whatever its price."""
    market.lo, market.hi = EMPTY_LO, EMPTY_HI
    market.last_lo, market.last_hi = EMPTY_LO, EMPTY_HI


def empty_bands(state: State) -> None:
    """Empty all bands: something changed that any instrument's rules may look at."""
    for market in state.markets.values():
        empty_band(market)
