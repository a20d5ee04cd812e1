"""What the gate saw stands in the record beside what it decided."""

from joed.engine.risk import CHECKS
from joed.engine.step import step
from joed.model.commands import RefuseEntry, SubmitOrder
from tests.engine.build import START, armed, of_kind, quote, trigger


def test_an_entry_carries_the_figures_that_it_was_decided_on():
    """The price that would be paid, the size, what the book would come to, and how much of each limit was used."""
    state = armed(trigger())

    (order,) = of_kind(step(state, START, quote("AAPL", 200.5)), SubmitOrder)

    basis = order.basis
    assert (basis.checks, basis.quantity, basis.limit) == (len(CHECKS), order.quantity, order.level)
    assert (basis.gross, basis.worth) == (order.quantity * order.level, state.worth)
    assert (basis.positions, basis.trades, basis.orders_minute, basis.lost) == (0, 0, 0, 0)


def test_a_refusal_carries_them_too():
    """Why not is asked as often as why."""
    state = armed(trigger(signal="a"), trigger(signal="b"))
    step(state, START, quote("AAPL", 200.5))

    (refused,) = of_kind(step(state, START + 1, quote("AAPL", 200.6)), RefuseEntry)

    assert (refused.code, refused.basis.positions, refused.basis.orders_minute) == ("duplicate", 1, 1)
    assert refused.basis.gross > refused.basis.quantity * refused.basis.limit
