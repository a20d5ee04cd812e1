"""Bars and quotes from a file, for the backtest: every row counted, only rows that can be true played."""

from joed.data.marketfile import MarketFile, Reading, read

__all__ = ["MarketFile", "Reading", "read"]
