"""Which names are worth a look at all: filters of price, liquidity and length of history, the left out counted."""

import numpy as np
from msgspec import Struct

from joed.analysis.indicators import CLOSE, VOLUME, Floats

MINUTES_A_DAY = 390


class ScanRules(Struct, frozen=True, forbid_unknown_fields=True):
    """What a name must show; prices in its currency, `value_day_min` is price times volume a day.

    A history of `days_min` daily bars or of `minutes_min` minute bars will do. `index` is what scores compare with.
    """

    watchlist_size: int = 12
    index: str = "SPY"
    price_min: float = 5.0
    price_max: float = 5_000.0
    value_day_min: float = 5_000_000.0
    days_min: int = 20
    minutes_min: int = 15


class Tape(Struct, frozen=True):
    """What there is of one name: daily bars before today, minute bars before today and of today, its price now."""

    instrument: str
    daily: Floats
    earlier: Floats
    today: Floats
    price: float | None

    @property
    def minutes(self) -> int:
        """Count the minute bars."""
        return len(self.earlier) + len(self.today)


def refusal(tape: Tape, rules: ScanRules) -> str | None:
    """Name the first filter that leaves this name out, None if it passes all."""
    price = tape.price
    if price is None:
        return "price_unknown"
    if not rules.price_min <= price <= rules.price_max:
        return "price_out_of_range"
    if len(tape.daily) < rules.days_min and tape.minutes < rules.minutes_min:
        return "history_short"
    value = value_day(tape, rules)
    return "illiquid" if value is not None and value < rules.value_day_min else None


def value_day(tape: Tape, rules: ScanRules) -> float | None:
    """Give the traded value of a usual day in the name's currency; None where no volume is known.

    From the median of the last `days_min` days; with fewer days from the minutes, as if a day had 390 like them.
    """
    if len(tape.daily) >= rules.days_min:
        days = tape.daily[-rules.days_min :]
        value = float(np.median(days[:, CLOSE] * days[:, VOLUME]))
    else:
        minutes = np.concatenate((tape.earlier, tape.today))
        value = float((minutes[:, CLOSE] * minutes[:, VOLUME]).mean()) * MINUTES_A_DAY if len(minutes) else 0.0
    return value if value > 0.0 else None


def scan(tapes: list[Tape], rules: ScanRules) -> tuple[list[Tape], dict[str, int]]:
    """Give the names that pass, in their order, and how many were left out by each filter."""
    kept: list[Tape] = []
    rejected: dict[str, int] = {}
    for tape in tapes:
        reason = refusal(tape, rules)
        if reason is None:
            kept.append(tape)
        else:
            rejected[reason] = rejected.get(reason, 0) + 1
    return kept, rejected
