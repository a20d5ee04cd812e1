"""Lots: what each strategy holds of an instrument; they are derived from the groups that fills belong to."""

from decimal import Decimal
from typing import NamedTuple

from joed.engine.positions import averaged, sums_of
from joed.model.orders import Position
from joed.model.state import State
from joed.model.values import ZERO


class Lot(NamedTuple):
    """What one strategy holds of one instrument, and the entries (groups) that made it."""

    strategy: str
    quantity: Decimal
    average: Decimal
    orders: tuple[str, ...]


def lots_of(state: State, position: Position) -> list[Lot]:
    """Give a position's lots, which add up to it: each fill is in its group, each group is its entry's strategy's."""
    groups: dict[str, list[str]] = {}
    for group in position.groups:
        if sums_of(state, group).quantity:
            groups.setdefault(state.orders[group].strategy, []).append(group)
    return [_lot(state, strategy, names) for strategy, names in groups.items()]


def _lot(state: State, strategy: str, groups: list[str]) -> Lot:
    sums = [sums_of(state, group) for group in groups]
    quantity, carried = sum((one.quantity for one in sums), ZERO), sum((one.carried for one in sums), ZERO)
    average = sums[0].average if len(sums) == 1 else averaged(carried, quantity) if quantity else ZERO
    return Lot(strategy, quantity, average, tuple(groups))
