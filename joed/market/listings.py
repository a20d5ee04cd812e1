"""The names of the embedded market, and how each behaves: real tickers, invented numbers."""

from collections.abc import Iterable
from typing import NamedTuple

from joed.model.settings import Instrument

INDEX = "SPY"
VIX = "VIX"
VIX_MEAN = 16.0
BROKER = "paper"
KINDS = {INDEX: "etf", VIX: "index"}
"""What the two that are only watched are: SPY is a fund that trades like a stock."""


class Listing(NamedTuple):
    """What a name is like: own daily sigma (log), shares a day, quotes a session, typical spread in basis points."""

    symbol: str
    sector: str
    price: float
    beta: float
    sigma: float
    volume: float
    quotes: int
    spread_bps: float


LISTINGS = (
    Listing("AAPL", "technology", 189.0, 1.15, 0.010, 5.2e7, 11_000, 0.8),
    Listing("MSFT", "technology", 411.0, 1.05, 0.009, 2.2e7, 9_500, 1.2),
    Listing("NVDA", "technology", 726.0, 1.75, 0.020, 4.6e7, 14_000, 1.6),
    Listing("AMD", "technology", 172.0, 1.70, 0.021, 6.5e7, 12_000, 1.4),
    Listing("CRM", "technology", 288.0, 1.20, 0.014, 5.5e6, 7_000, 2.4),
    Listing("GOOGL", "communication", 147.0, 1.10, 0.011, 2.8e7, 9_500, 1.2),
    Listing("META", "communication", 468.0, 1.30, 0.015, 1.9e7, 9_500, 1.8),
    Listing("NFLX", "communication", 556.0, 1.25, 0.017, 4.8e6, 7_000, 3.0),
    Listing("AMZN", "consumer", 171.0, 1.20, 0.013, 4.1e7, 10_500, 1.1),
    Listing("TSLA", "consumer", 194.0, 1.85, 0.024, 9.8e7, 14_500, 1.5),
    Listing("HD", "consumer", 362.0, 0.95, 0.010, 3.3e6, 6_500, 2.6),
    Listing("WMT", "staples", 169.0, 0.50, 0.008, 7.0e6, 6_500, 1.5),
    Listing("KO", "staples", 59.5, 0.45, 0.007, 1.3e7, 6_000, 1.8),
    Listing("JPM", "financials", 179.0, 1.05, 0.009, 8.9e6, 7_500, 1.6),
    Listing("BAC", "financials", 33.8, 1.15, 0.011, 3.7e7, 8_000, 3.0),
    Listing("GS", "financials", 385.0, 1.15, 0.011, 2.1e6, 6_000, 3.6),
    Listing("XOM", "energy", 102.0, 0.75, 0.012, 1.7e7, 8_000, 1.4),
    Listing("CVX", "energy", 153.0, 0.75, 0.011, 8.0e6, 7_000, 1.8),
    Listing("UNH", "health", 519.0, 0.65, 0.012, 3.4e6, 6_500, 3.4),
    Listing("LLY", "health", 742.0, 0.70, 0.015, 2.9e6, 6_500, 4.2),
)
INDEX_LISTING = Listing(INDEX, "index", 498.0, 1.0, 0.0, 7.2e7, 16_000, 0.3)
VIX_LISTING = Listing(VIX, "volatility", VIX_MEAN, 0.0, 0.025, 0.0, 4_700, 0.0)


def universe_of(listings: Iterable[Listing] = LISTINGS) -> dict[str, Instrument]:
    """Give what is listed; the index and VIX are watched, not traded."""
    watched = {
        row.symbol: Instrument(row.symbol, BROKER, kind=KINDS[row.symbol], sector=row.sector, tradable=False)
        for row in (INDEX_LISTING, VIX_LISTING)
    }
    return watched | {row.symbol: Instrument(row.symbol, BROKER, sector=row.sector) for row in listings}
