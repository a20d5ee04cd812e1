"""What a job is shown of State, and that it is a copy."""

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from joed.daemon.job_context import JobContext, context_of
from joed.engine.step import refold, step
from joed.model.blocks import Block
from joed.model.commands import Basis
from joed.model.events import Candidate, Quote, RegimeRead, Tick
from joed.model.orders import Deal, Position
from joed.model.settings import Instrument, Settings
from joed.model.state import Day, Market, State
from joed.model.values import Side
from tests.engine.build import START, bracket, fill, holding, stop_of


def state_of():
    """Build a state in the middle of a day."""
    return State(
        now=7,
        settings=Settings(universe={"A": Instrument("A", tick=Decimal("0.05")), "B": Instrument("B")}),
        day=Day("2026-11-20", 1, 9, Decimal(1000), Decimal(5), Decimal(1), trades=2, wins=1, refusals={"x": 1}),
        markets={"A": Market("A", quote=Quote("A", 10.0, 11.0)), "B": Market("B")},
        positions={"A": Position("A", "paper", Decimal(2), Decimal(10)), "B": Position("B", "paper")},
        blocks={"all/vix": Block("all", "vix", "VIX jumped")},
        cash=Decimal(980),
        regime=RegimeRead("bull", 1.0),
        watchlist=(Candidate("A", 50.0), Candidate("GONE", 1.0)),
    )


def test_a_job_sees_prices_holdings_ticks_and_the_days_figures():
    """Prices where there is a quote, positions that are not flat, ticks of what is watched and known."""
    context = context_of(state_of())

    assert (context.now_ns, context.session, context.open_ns, context.close_ns) == (7, "2026-11-20", 1, 9)
    assert context.prices == {"A": 10.5}
    assert context.positions == {"A": Decimal(2)}
    assert context.ticks == {"A": Decimal("0.05")}
    assert (context.equity, context.unrealised, context.realised) == (Decimal(1001), Decimal(1), Decimal(5))
    assert (context.trades, context.wins, context.blocks) == (2, 1, ("VIX jumped",))


def test_what_a_job_sees_does_not_change_with_the_state():
    """The loop goes on while the worker thinks."""
    state = state_of()
    context = context_of(state)
    state.day.refusals["y"] = 1
    state.figures["z"] = 1.0
    state.positions["A"].quantity = Decimal(9)

    assert context.refusals == {"x": 1}
    assert context.figures == {}
    assert context.positions == {"A": Decimal(2)}


def test_it_travels_through_the_pipe_and_back():
    """Decimal stays Decimal, and all are equal."""
    context = context_of(state_of())

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(context), type=JobContext) == context


def test_an_empty_state_has_a_context():
    """Before anything has happened there is nothing to show, and that is no error."""
    assert context_of(State()).prices == {}


def test_the_analytics_job_alone_is_shown_the_days_entries():
    """Ten bought at 200 that were decided at 199, four of them sold by the stop at 196: less fees."""
    state = holding("AAPL")
    state.orders["AAPL-e"].decided, state.orders["AAPL-e"].regime = Decimal(199), "bull"
    step(state, START, fill(stop_of("AAPL"), "4", "196.00", side=Side.SELL, execution="x2", fee="0.5"))

    (deal,) = context_of(state, "analytics").deals

    assert deal == Deal("breakout", "bull", closed=False, gained=-16.5, traded=2784.0, slippage=deal.slippage)
    assert round(deal.slippage, 6) == 0.005025
    assert context_of(state, "scan").deals == ()
    step(state, START, fill(stop_of("AAPL"), "6", "196.00", side=Side.SELL, execution="x3"))
    assert [deal.closed for deal in context_of(state, "analytics").deals] == [True]


def test_an_entry_remembers_the_price_and_the_regime_it_was_decided_at():
    """From the command's own basis, so that the record tells the same after a restart."""
    state = holding("AAPL")
    state.regime = RegimeRead("bull", 1.0)
    decided = bracket("KO", entry="60.00", stop="58.00", target="66.00")
    basis = Basis(1, Decimal("59.90"), Decimal(10), Decimal("60.00"), *[Decimal(1)] * 5, 0, 0, 0)
    refold(state, START, Tick(), [replace(decided, basis=basis)])

    assert (state.orders["KO-e"].decided, state.orders["KO-e"].regime) == (Decimal("59.90"), "bull")
    assert state.orders["AAPL-e"].decided is None
