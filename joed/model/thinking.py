"""What can be set of the thinking: the regime's thresholds, and what each strategy looks for.

Part of the Settings (joed/model/settings.py), with the same three uses; the thresholds of the regime were chosen before
it was ever measured, and docs/strategies.md says from where.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le, Lt

STRICT = {"extra": "forbid"}

Seconds = Annotated[float, Gt(0)]
Share = Annotated[Decimal, Gt(0), Le(1)]
Count = Annotated[int, Gt(0)]
Points = Annotated[float, Ge(-1), Le(1)]


@dataclass(frozen=True, slots=True)
class Regime:
    """What the scorecard counts as stress, where it turns, and the share of its risk that a trade has in each regime.

    The score is +1 with no point of stress, -1 with all. Entering DEFENSIVE takes half of the points, leaving it at
    most a fifth of them and `dwell_days`: what opens risk waits, what closes it does not.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    days_long: Annotated[int, Ge(20), Le(500)] = 200
    days_short: Annotated[int, Ge(5), Le(200)] = 50
    vix_uneasy: Annotated[float, Gt(0)] = 20.0
    vix_fear: Annotated[float, Gt(0)] = 30.0
    vix_rise: Annotated[float, Gt(0)] = 0.30
    vix_days: Annotated[int, Ge(5), Le(250)] = 20
    term: str = ""
    fall_day: Annotated[float, Gt(0), Lt(1)] = 0.015
    breadth_weak: Annotated[float, Gt(0), Lt(1)] = 0.40
    breadth_names_min: Count = 10
    bull_enter: Points = 0.6
    bull_leave: Points = 0.3
    bull_votes_min: Count = 2
    defensive_enter: Points = 0.0
    defensive_leave: Points = 0.6
    dwell_days: Annotated[float, Ge(0), Le(60)] = 5.0
    risk_bull: Share = Decimal(1)
    risk_neutral: Share = Decimal("0.75")
    risk_defensive: Share = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Scan:
    """What a name must show to be looked at; prices in its own currency, shares of its price."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    price_min: Annotated[float, Gt(0)] = 5.0
    price_max: Annotated[float, Gt(0)] = 5_000.0
    value_day_min: Annotated[float, Ge(0)] = 5_000_000.0
    spread_max: Annotated[float, Gt(0), Lt(1)] = 0.005
    atr_min: Annotated[float, Ge(0), Lt(1)] = 0.003
    atr_max: Annotated[float, Gt(0), Lt(1)] = 0.12
    sector_max: Annotated[int, Ge(0)] = 4
    leap_max: Annotated[float, Gt(0), Le(10)] = 0.40
    stale_days: Annotated[float, Gt(0)] = 6.0
    dates_file: str = ""
    dates_days: Annotated[int, Ge(0), Le(30)] = 1


@dataclass(frozen=True, slots=True)
class Score:
    """How much each part of a name's score weighs; only what they are beside each other matters."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    momentum: Annotated[float, Ge(0)] = 0.30
    trend: Annotated[float, Ge(0)] = 0.20
    proximity: Annotated[float, Ge(0)] = 0.20
    strength: Annotated[float, Ge(0)] = 0.20
    volume: Annotated[float, Ge(0)] = 0.10


@dataclass(frozen=True, slots=True)
class Breakout:
    """Buy strength: the session's range is broken upward in a market that is not defensive."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    enabled: bool = True
    regimes: tuple[str, ...] = ("bull", "neutral")
    range_minutes: Annotated[int, Ge(5), Le(240)] = 30
    atr_minutes: Annotated[int, Ge(2), Le(120)] = 14
    stop_atr: Annotated[float, Gt(0)] = 2.5
    target_atr: Annotated[float, Gt(0)] = 10.0
    trail_atr: Annotated[float, Ge(0)] = 2.0
    volume_ratio: Annotated[float, Ge(0)] = 0.0
    valid_s: Seconds = 120.0


@dataclass(frozen=True, slots=True)
class Momentum:
    """Buy a pause in a rise: a name in an upward trend has given back a little, and turns up again."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    enabled: bool = False
    regimes: tuple[str, ...] = ("bull",)
    trend_days: Annotated[int, Ge(20), Le(250)] = 50
    high_days: Annotated[int, Ge(3), Le(60)] = 10
    atr_days: Annotated[int, Ge(2), Le(60)] = 14
    dip_min_atr: Annotated[float, Gt(0)] = 0.75
    dip_max_atr: Annotated[float, Gt(0)] = 3.0
    stop_atr: Annotated[float, Gt(0)] = 0.5
    target_atr: Annotated[float, Gt(0)] = 1.5
    trail_atr: Annotated[float, Ge(0)] = 0.5
    after_minutes: Annotated[int, Ge(5), Le(240)] = 30
    valid_s: Seconds = 120.0


@dataclass(frozen=True, slots=True)
class Reversion:
    """Buy what was sold too far within the day: stretched below its mean price, and turning up again."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    enabled: bool = False
    regimes: tuple[str, ...] = ("bull", "neutral")
    trend_days: Annotated[int, Ge(20), Le(250)] = 100
    rsi_bars: Annotated[int, Ge(2), Le(60)] = 14
    rsi_low: Annotated[float, Gt(0), Lt(50)] = 25.0
    stretch_atr: Annotated[float, Gt(0)] = 2.0
    stop_atr: Annotated[float, Gt(0)] = 2.0
    reward_min: Annotated[float, Gt(0)] = 1.0
    valid_s: Seconds = 120.0


@dataclass(frozen=True, slots=True)
class Own:
    """A strategy of the user's own: a Python file or an entry point of `joed.strategies`, run fenced in a process.

    `digest` is what the file or the package is, told by whoever loads the settings, never set by hand; `tried` is the
    digest that a person has seen a backtest of, and only that one trades.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    file: str = ""
    entry: str = ""
    enabled: bool = True
    regimes: tuple[str, ...] = ("bull", "neutral")
    params: dict[str, str] = field(default_factory=dict)
    tried: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Strategies:
    """The strategies and their parameters (strategies.yaml)."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    breakout: Breakout = field(default_factory=Breakout)
    momentum: Momentum = field(default_factory=Momentum)
    reversion: Reversion = field(default_factory=Reversion)
    own: dict[str, Own] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summary:
    """How the day's summary is put into words: by its template, or by a model that is held to the template's figures.

    The model's key is the credential `summary_key`; a local one may need none.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    rewrite: str = "none"
    url: str = ""
    model: str = ""
    deadline_s: Annotated[float, Gt(0), Le(120)] = 20.0


@dataclass(frozen=True, slots=True)
class Source:
    """Where one reading comes from: an address that answers JSON, the path of the number in it, and its range.

    Without an address it is the one in SOURCES.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    url: str = ""
    path: str = ""
    low: float = 0.0
    high: float = 1_000_000.0


COINMETRICS = "https://community-api.coinmetrics.io/v4/timeseries/asset-metrics?assets=btc&metrics=CapMVRVCur"
SOURCES = {
    "fear_greed_index": Source("https://api.alternative.me/fng/?limit=1", "data.0.value", 0.0, 100.0),
    "mvrv_ratio": Source(
        f"{COINMETRICS}&frequency=1d&page_size=1&paging_from=end", "data.0.CapMVRVCur", 0.01, 100.0
    ),  # non-commercial use (CC BY-NC 4.0)
    "funding_rate": Source(
        "https://www.okx.com/api/v5/public/funding-rate?instId=BTC-USDT-SWAP", "data.0.fundingRate", -0.05, 0.05
    ),
}
"""Where each reading of the crypto market comes from where a person names no other place; none needs a key."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Between which values of a reading entries are allowed, both included."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    low: float = -1_000_000.0
    high: float = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Crypto:
    """What outside sources are asked about the crypto market, how often, and how old a reading may be."""

    __pydantic_config__: ClassVar[dict[str, str]] = STRICT
    sources: dict[str, Source] = field(default_factory=dict)
    every_s: Seconds = 14_400.0
    timeout_s: Annotated[float, Gt(0), Le(60)] = 10.0
    stale_s: Seconds = 172_800.0
    gate: dict[str, Bound] = field(default_factory=dict)
