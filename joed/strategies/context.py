"""What a strategy is given to think with: bars, regime, positions and its parameters, all of one moment."""

from decimal import Decimal

from msgspec import Struct

from joed.analysis.indicators import NO_BARS, Floats
from joed.model.events import Candidate

Params = dict[str, str | float | int | bool | list[str]]


class Context(Struct, frozen=True):
    """The market at `now_ns`, by instrument; bars as in joed.analysis.indicators, complete ones only, oldest first.

    `minutes` are today's since `open_ns`; `daily` end before today; `prices` are the last quotes'.
    `params` are this strategy's own, `positions` signed quantities, `ticks` the steps that prices come in.
    """

    now_ns: int
    session: str
    open_ns: int
    close_ns: int
    regime: str
    watchlist: tuple[Candidate, ...]
    params: Params
    minutes: dict[str, Floats] = {}
    daily: dict[str, Floats] = {}
    prices: dict[str, float] = {}
    positions: dict[str, Decimal] = {}
    ticks: dict[str, Decimal] = {}
    risk: Decimal = Decimal("0.005")

    def minutes_of(self, instrument: str) -> Floats:
        """Give today's minute bars of an instrument; none is an empty array."""
        return self.minutes.get(instrument, NO_BARS)

    def daily_of(self, instrument: str) -> Floats:
        """Give the daily bars of an instrument that end before today; none is an empty array."""
        return self.daily.get(instrument, NO_BARS)

    def held(self, instrument: str) -> bool:
        """Say whether there is a position."""
        return bool(self.positions.get(instrument))
