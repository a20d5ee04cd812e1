"""The strategies by name: each takes a Context and gives the Triggers that hold from now on."""

from collections.abc import Callable

from joed.model.triggers import Trigger
from joed.strategies.breakout import breakout
from joed.strategies.context import Context
from joed.strategies.momentum import momentum
from joed.strategies.reversion import reversion

Strategy = Callable[[Context], tuple[Trigger, ...]]

STRATEGIES: dict[str, Strategy] = {"breakout": breakout, "momentum": momentum, "reversion": reversion}
