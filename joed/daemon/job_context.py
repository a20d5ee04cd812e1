"""The small part of State that a job is shown: plain values, cheap to make and to send, without numpy."""

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from joed.engine.markets import price_of
from joed.engine.money import rate_of
from joed.engine.orders import children_of
from joed.engine.positions import equity, sums_of, unrealised
from joed.model.events import Candidate, Quote, RegimeRead
from joed.model.orders import Deal
from joed.model.state import State
from joed.model.values import ZERO


class JobContext(Struct, frozen=True):
    """One moment of State, by instrument where it is a dict; money Decimal in base currency, prices floats.

    `prices` and `spreads` (shares of the bid) are the last quotes', `positions` signed quantities without
    the flat ones, `ticks` those of the watchlist.
    """

    now_ns: int
    session: str = ""
    open_ns: int = 0
    close_ns: int = 0
    mode: str = "paper"
    currency: str = "USD"
    regime: RegimeRead | None = None
    watchlist: tuple[Candidate, ...] = ()
    prices: dict[str, float] = {}
    positions: dict[str, Decimal] = {}
    ticks: dict[str, Decimal] = {}
    equity_start: Decimal = Decimal(0)
    equity: Decimal = Decimal(0)
    realised: Decimal = Decimal(0)
    unrealised: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    trades: int = 0
    wins: int = 0
    losses: int = 0
    orders: int = 0
    fills: int = 0
    refusals: dict[str, int] = {}
    blocks: tuple[str, ...] = ()
    figures: dict[str, float | None] = {}
    spreads: dict[str, float] = {}
    outside: dict[str, float] = {}
    outside_ns: dict[str, int] = {}
    gross: Decimal = Decimal(0)
    net: Decimal = Decimal(0)
    deals: tuple[Deal, ...] = ()


def context_of(state: State, job: str = "") -> JobContext:
    """Give what jobs may know of this State; it shares nothing that a later event changes.

    The session's entries, which cost a sum each, are for the `analytics` job alone.
    """
    day, universe = state.day, state.settings.universe
    return JobContext(
        now_ns=state.now,
        session=day.session,
        open_ns=day.open_ns,
        close_ns=day.close_ns,
        mode=state.mode.value,
        currency=state.settings.base_currency,
        regime=state.regime,
        watchlist=state.watchlist,
        prices={name: price_of(market.quote) for name, market in state.markets.items() if market.quote is not None},
        positions={name: position.quantity for name, position in state.positions.items() if position.quantity},
        ticks={row.instrument: universe[row.instrument].tick for row in state.watchlist if row.instrument in universe},
        equity_start=day.equity_start,
        equity=equity(state),
        realised=day.realised,
        unrealised=unrealised(state),
        fees=day.fees,
        trades=day.trades,
        wins=day.wins,
        losses=day.losses,
        orders=day.orders,
        fills=day.fills,
        refusals=dict(day.refusals),
        blocks=tuple(block.words for block in state.blocks.values()),
        figures=dict(state.figures),
        spreads={name: spread(market.quote) for name, market in state.markets.items() if market.quote is not None},
        gross=state.exposure,
        net=sum(state.longs.values(), ZERO) - sum(state.shorts.values(), ZERO),
        deals=tuple(deals_of(state)) if job == "analytics" else (),
    )


def deals_of(state: State) -> Iterator[Deal]:
    """Give each entry of the ledger that filled: today's, and those from before that were held into today."""
    for entry in state.orders.values():
        if not entry.opens or entry.foreign or entry.adopted or not entry.filled:
            continue
        sums, rate = sums_of(state, entry.group), rate_of(state, entry.instrument)
        legs = (entry, *children_of(state, entry))
        fees = sum((fill.fee for leg in legs for fill in leg.executions.values()), ZERO)
        slipped = entry.cost / entry.filled / entry.decided - 1 if entry.decided else None
        yield Deal(
            strategy=entry.strategy,
            regime=entry.regime,
            closed=not entry.live and sums.quantity == 0,
            gained=float((sums.flow + sums.carried - fees) * rate),
            traded=float((sums.paid + sums.earned) * rate),
            slippage=None if slipped is None else float(slipped * entry.side.sign),
        )


def spread(quote: Quote) -> float:
    """Give the distance of ask from bid as a share of the bid."""
    return quote.ask / quote.bid - 1.0
