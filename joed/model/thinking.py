"""What can be set of the thinking: the regime's thresholds, and what each strategy looks for.

Part of the Settings (joed/model/settings.py), with the same three uses; the thresholds of the regime were chosen before
it was ever measured, and docs/strategies.md says from where.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le, Lt

STRICT = {"extra": "forbid"}

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
