"""What a strategy sees of instruments it knows and does not know."""

from decimal import Decimal

from joed.analysis.indicators import NO_BARS
from joed.strategies.context import Context

CONTEXT = Context(
    now_ns=1, session="s", open_ns=0, close_ns=2, regime="bull", watchlist=(), params={}, positions={"A": Decimal(3)}
)


def test_an_instrument_without_bars_has_none():
    """An empty array of the right shape, so that no strategy needs to ask first."""
    assert CONTEXT.minutes_of("A") is NO_BARS


def test_only_a_quantity_other_than_zero_is_held():
    """A flat position is none."""
    assert CONTEXT.held("A")
    assert not CONTEXT.held("B")
