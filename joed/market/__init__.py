"""The embedded market: one seed makes a trading day of 20 stocks, an index and VIX, quote by quote."""

from joed.market.embedded import EmbeddedMarket

__all__ = ["EmbeddedMarket"]
