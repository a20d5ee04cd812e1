"""What a backtest came to: the account of its data, its days, its trades, and what was assumed on the way."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
from msgspec import Struct

from joed.analysis import performance
from joed.model.values import ZERO
from joed.report.day import thinned
from joed.report.rows import Fill, Ledger, Mark
from joed.report.trades import Trade, counted, trades_of

CURVE_POINTS = 240


class Played(Struct, frozen=True):
    """What went in. `rows_held` = `rows_read` + all of `rejected`; `quotes` = `quotes_played` + `quotes_outside`.

    `quotes` are what the accepted rows become; those outside are before the day's start, after its end, or of a day
    without a session. `cash` is what the account began with.
    """

    data: str
    shape: str
    sessions: tuple[str, ...]
    days_without_session: tuple[str, ...]
    instruments: tuple[str, ...]
    watched: tuple[str, ...]
    rows_held: int
    rows_read: int
    rejected: dict[str, int]
    quotes: int
    quotes_played: int
    quotes_outside: int
    assumptions: tuple[str, ...]
    cash: Decimal
    seed: int
    settings: str


class DayRow(Struct, frozen=True):
    """One day's line."""

    session: str
    equity: Decimal
    pnl: Decimal
    fees: Decimal
    entries: int
    fills: int
    trades: int
    wins: int
    losses: int
    refusals: int
    regime: str


class RunReport(Struct, frozen=True):
    """A backtest; money is Decimal in base currency, shares are fractions, what is unknown is None.

    `pnl` is after costs: the sum of cash over the fills where nothing is held at the end, else with what is held at
    its last marks (`pnl_basis` says which).
    """

    mode: str
    data: str
    shape: str
    sessions: tuple[str, ...]
    days_without_session: tuple[str, ...]
    instruments: tuple[str, ...]
    watched: tuple[str, ...]
    rows_held: int
    rows_read: int
    rows_rejected: int
    rejected: dict[str, int]
    quotes: int
    quotes_played: int
    quotes_outside: int
    orders: int
    entries: int
    fills: int
    trades: int
    wins: int
    losses: int
    currency: str
    equity_start: Decimal
    equity_end: Decimal
    pnl: Decimal
    pnl_basis: str
    fees: Decimal
    held: dict[str, Decimal]
    max_drawdown: float | None
    sharpe_daily_252: float | None
    sortino_daily_252: float | None
    var95_historical_daily: float | None
    cvar95_historical_daily: float | None
    hit_rate: float | None
    expectancy: float | None
    exits: dict[str, int]
    refusals: dict[str, int]
    days: tuple[DayRow, ...]
    alerts: dict[str, int]
    assumptions: tuple[str, ...]
    curve: tuple[float, ...]
    seed: int
    settings: str


def run_of(ledger: Ledger, played: Played) -> RunReport:
    """Put a backtest's report together from its journal."""
    fills, marks, trades = ledger.fills(), ledger.marks(), trades_of(ledger)
    closed = [trade for trade in trades if trade.closed_ns is not None]
    loaded, legs = ledger.settings(), ledger.orders()
    opened = ledger.opened(played.sessions[0]) if played.sessions else None
    start = played.cash if opened is None else opened.equity
    days = days_of(ledger, played.sessions, fills, closed)
    end = days[-1].equity if days else start
    held = {trade.instrument: trade.held for trade in trades if trade.held}
    cash = sum((fill.cash for fill in fills), ZERO)
    wins = sum(trade.gained > 0 for trade in closed)
    return RunReport(
        mode="backtest",
        data=played.data,
        shape=played.shape,
        sessions=played.sessions,
        days_without_session=played.days_without_session,
        instruments=played.instruments,
        watched=played.watched,
        rows_held=played.rows_held,
        rows_read=played.rows_read,
        rows_rejected=sum(played.rejected.values()),
        rejected=played.rejected,
        quotes=played.quotes,
        quotes_played=played.quotes_played,
        quotes_outside=played.quotes_outside,
        orders=sum(legs.values()),
        entries=legs.get("E", 0),
        fills=len(fills),
        trades=len(closed),
        wins=wins,
        losses=len(closed) - wins,
        currency="USD" if loaded is None else loaded.settings.base_currency,
        equity_start=start,
        equity_end=end,
        pnl=end - start if held else cash,
        pnl_basis=basis_of(held),
        fees=sum((fill.fee for fill in fills), ZERO),
        held=held,
        max_drawdown=performance.max_drawdown(np.array([start, *(mark.equity for mark in marks)], np.float64)),
        **ratios(start, days, closed, wins),
        exits=counted(closed),
        refusals=ledger.refusals(),
        days=days,
        alerts=severities(ledger),
        assumptions=played.assumptions,
        curve=curve_of(start, marks),
        seed=played.seed,
        settings=played.settings,
    )


def basis_of(held: Mapping[str, Decimal]) -> str:
    """Say what the result is made of."""
    if not held:
        return "the sum of cash over all fills, fees paid; nothing is held at the end"
    return f"the change of equity, fees paid; {len(held)} positions are held at the end, at their last marks"


def ratios(start: Decimal, days: Sequence[DayRow], closed: Sequence[Trade], wins: int) -> dict[str, float | None]:
    """Give the usual ratios, each under its method's name; None where there is too little to say."""
    returns = performance.returns(np.array([start, *(day.equity for day in days)], np.float64))
    gained = float(sum((trade.gained for trade in closed), ZERO))
    return {
        "sharpe_daily_252": performance.sharpe(returns),
        "sortino_daily_252": performance.sortino(returns),
        "var95_historical_daily": performance.value_at_risk_historical(returns),
        "cvar95_historical_daily": performance.tail_loss_historical(returns),
        "hit_rate": performance.hit_rate(wins, len(closed) - wins),
        "expectancy": performance.expectancy(gained, len(closed)),
    }


def days_of(
    ledger: Ledger, sessions: Sequence[str], fills: Sequence[Fill], closed: Sequence[Trade]
) -> tuple[DayRow, ...]:
    """Give each session's line."""
    return tuple(day_row(ledger, session, fills, closed) for session in sessions)


def day_row(ledger: Ledger, session: str, fills: Sequence[Fill], closed: Sequence[Trade]) -> DayRow:
    """Give one session's line."""
    opened, ended, regimes = ledger.opened(session), ledger.ended(session), ledger.regimes(session)
    start = ZERO if opened is None else opened.equity
    end = start if ended is None else ended.equity
    own = [fill for fill in fills if fill.session == session]
    trades = [trade for trade in closed if trade.session == session]
    wins = sum(trade.gained > 0 for trade in trades)
    return DayRow(
        session=session,
        equity=end,
        pnl=end - start,
        fees=sum((fill.fee for fill in own), ZERO),
        entries=ledger.orders(session).get("E", 0),
        fills=len(own),
        trades=len(trades),
        wins=wins,
        losses=len(trades) - wins,
        refusals=sum(ledger.refusals(session).values()),
        regime=regimes[-1][1].regime.name if regimes else "",
    )


def severities(ledger: Ledger) -> dict[str, int]:
    """Count what people would have been told, by how loudly."""
    counts: dict[str, int] = {}
    for _, severity, _ in ledger.alerts():
        counts[severity] = counts.get(severity, 0) + 1
    return dict(sorted(counts.items()))


def curve_of(start: Decimal, marks: Sequence[Mark]) -> tuple[float, ...]:
    """Give the account's worth over all marks, thinned for a drawing."""
    return thinned([float(start), *(float(mark.equity) for mark in marks)], CURVE_POINTS)
