"""What the market's regime means for us: the share of its size that an entry has, and which strategies look at all."""

from dataclasses import fields
from decimal import Decimal

from joed.model.state import State
from joed.model.view import Stance

WHOLE = Decimal(1)


def share(state: State) -> Decimal:
    """Give the share of its size that an entry has in this regime; all of it where none was judged."""
    if state.regime is None:
        return WHOLE
    found: Decimal = getattr(state.settings.regime, f"risk_{state.regime.name}", WHOLE)
    return found


def stance_of(state: State) -> Stance:
    """Give what the regime comes to, for people: the share, who is active and who rests."""
    name = state.regime.name if state.regime is not None else ""
    rules = state.settings.strategies
    table = {row.name: getattr(rules, row.name) for row in fields(rules) if row.name != "own"}
    table |= {f"own:{key}": own for key, own in rules.own.items()}
    regimes = {key: row.regimes for key, row in table.items() if row.enabled}
    return Stance(
        share=share(state),
        active=tuple(strategy for strategy, found in regimes.items() if name in found),
        resting=tuple(strategy for strategy, found in regimes.items() if name not in found),
    )
