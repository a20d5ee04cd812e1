"""What the gate saw when it judged an entry: recorded with its order, or with its refusal, for whoever asks why."""

from bisect import bisect_right

from joed.engine.orders import reserved, resting
from joed.engine.positions import day_result
from joed.engine.risk import CHECKS, Request, free_at
from joed.model.commands import Basis
from joed.model.state import State
from joed.model.values import MINUTE


def basis_of(state: State, now: int, request: Request) -> Basis:
    """Give the figures of this moment; money is in base currency."""
    pending = dict.fromkeys(order.instrument for order in resting(state))
    joining = [name for name in pending if name not in state.positions or not state.positions[name].quantity]
    return Basis(
        checks=len(CHECKS),
        price=request.price,
        quantity=request.quantity,
        limit=request.limit,
        rate=request.rate,
        worth=state.worth,
        gross=state.exposure + reserved(state) + request.worth,
        free=free_at(state, request)[1],
        lost=-day_result(state),
        positions=state.held + len(joining),
        orders_minute=len(state.order_times) - bisect_right(state.order_times, now - MINUTE),
        trades=state.day.trades,
    )
