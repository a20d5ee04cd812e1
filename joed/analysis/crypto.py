"""What is known of the crypto market: readings by name, and None, said aloud, where their source is absent."""

import math

import numpy as np

from joed.analysis.indicators import CLOSE, Floats

READINGS = {
    "fear_greed_index": "0 (fear) to 100 (greed), alternative.me",
    "mvrv_ratio": "market value over realised value of Bitcoin, an on-chain source",
    "funding_rate": "what longs pay shorts of a perpetual, a share each period of its exchange",
    "bitcoin_return_30d": "fraction, from daily closes",
    "bitcoin_volatility_30d": "fraction a year (365 days), deviation of 30 daily returns",
}
"""Each reading with its unit and source."""

DAYS = 30


def read(bitcoin: Floats, outside: dict[str, float]) -> dict[str, float | None]:
    """Give every reading of READINGS, from Bitcoin's daily bars (oldest first) and what outside sources said."""
    found: dict[str, float | None] = dict.fromkeys(READINGS)
    found |= {name: value for name, value in outside.items() if name in READINGS and math.isfinite(value)}
    if len(bitcoin) > DAYS:
        closes = bitcoin[-DAYS - 1 :, CLOSE]
        found["bitcoin_return_30d"] = float(closes[-1] / closes[0]) - 1.0
        found["bitcoin_volatility_30d"] = float((np.diff(closes) / closes[:-1]).std(ddof=1)) * math.sqrt(365)
    return found
