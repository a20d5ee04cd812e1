"""The day's report: what a session came to by its journal, held against the exchange's own book where there is one."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
from msgspec import Struct

from joed.analysis import performance
from joed.brokers.paper_store import whole
from joed.daemon.places import Places
from joed.errors import BrokerUnavailable, ConfigError
from joed.model.book import ExchangeState, laws, unprotected
from joed.model.commands import OpenSession
from joed.model.settings import Settings
from joed.model.values import ZERO
from joed.report import text
from joed.report.rows import BlockSpan, Fill, Ledger
from joed.report.trades import TRAILING, Trade, counted, trades_of

CURVE_POINTS = 60
"""How wide the small curve of equity is drawn at most."""


class RegimeStep(Struct, frozen=True):
    """The regime as it was judged at a moment."""

    at_ns: int
    name: str
    score: float


class BlockTime(Struct, frozen=True):
    """What forbade entries, and for how long; `to_ns` None: it stood at the end."""

    scope: str
    reason: str
    words: str
    from_ns: int
    to_ns: int | None


class TrailingExit(Struct, frozen=True):
    """A close by a trailing stop, and whether the exchange's book has the same execution."""

    execution: str
    instrument: str
    at_ns: int
    quantity: Decimal
    price: Decimal
    matched: bool | None


class BookCheck(Struct, frozen=True):
    """The journal held against the exchange's own book: `missing` there, `unknown` here, by execution.

    `protected` says that after every turn of the exchange working stops equalled the position; `breaches` are those of
    any law that the exchange's memory must obey, in words.
    """

    executions: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    protected: bool
    turns: int
    breaches: tuple[str, ...]


class DayReport(Struct, frozen=True):
    """One session; money is Decimal in base currency, shares are fractions, what is unknown is None."""

    session: str
    mode: str
    currency: str
    timezone: str
    version: str
    ended: str
    equity_start: Decimal | None
    equity_end: Decimal | None
    pnl: Decimal | None
    fees: Decimal
    orders: int
    entries: int
    fills: int
    trades: int
    wins: int
    losses: int
    exits: dict[str, int]
    refusals: dict[str, int]
    max_drawdown: float | None
    held: dict[str, Decimal]
    regimes: tuple[RegimeStep, ...]
    blocks: tuple[BlockTime, ...]
    alerts: tuple[str, ...]
    trailing: tuple[TrailingExit, ...]
    positions: tuple[Trade, ...]
    curve: tuple[float, ...]
    book: BookCheck | None


def day_report(where: Places, session: str, *, as_json: bool) -> str:
    """Give a session's report, as text or JSON, ending in a newline; the paper exchange's book is read where it is."""
    paper = where.paper if where.paper.is_file() else None
    report = day_of(where.journal, session, paper)
    return text.as_json(report) if as_json else text.of_day(report)


def day_of(journal: Path, session: str = "", paper: Path | None = None) -> DayReport:
    """Give the report of a session ("": the newest); raise ConfigError where the journal has no such session."""
    with Ledger(journal) as ledger:
        known = ledger.sessions()
        if not known or (session and session not in known):
            raise ConfigError(f"no session {session or 'at all'} in {journal}; there are: {', '.join(known) or 'none'}")
        return gathered(ledger, session or known[-1], book_at(paper))


def book_at(paper: Path | None) -> ExchangeState | None:
    """Give the exchange's whole book; None where there is no file, or no order ever reached it."""
    try:
        return None if paper is None else whole(paper)
    except BrokerUnavailable:
        return None


def gathered(ledger: Ledger, session: str, book: ExchangeState | None) -> DayReport:
    """Put a session's report together."""
    opened, ended, loaded = ledger.opened(session), ledger.ended(session), ledger.settings()
    assert opened is not None
    settings = Settings() if loaded is None else loaded.settings
    calendar = {} if loaded is None else loaded.calendars
    fills, marks, legs = ledger.fills(session), ledger.marks(session), ledger.orders(session)
    trades = [trade for trade in trades_of(ledger) if touches(trade, opened, session)]
    closed = [trade for trade in trades if trade.closed_ns is not None and trade.session == session]
    curve = [opened.equity, *(mark.equity for mark in marks)]
    equity_end = ended.equity if ended is not None else curve[-1]
    executions = {} if book is None else {found.execution: found for found in book.executions}
    return DayReport(
        session=session,
        mode=settings.mode.value,
        currency=settings.base_currency,
        timezone=calendar[settings.calendar].timezone if settings.calendar in calendar else "UTC",
        version=ledger.version(),
        ended="" if ended is None else ended.reason,
        equity_start=opened.equity,
        equity_end=equity_end,
        pnl=equity_end - opened.equity,
        fees=sum((fill.fee for fill in fills), ZERO),
        orders=sum(legs.values()),
        entries=legs.get("E", 0),
        fills=len(fills),
        trades=len(closed),
        wins=sum(trade.gained > 0 for trade in closed),
        losses=sum(trade.gained <= 0 for trade in closed),
        exits=counted(closed),
        refusals=ledger.refusals(session),
        max_drawdown=performance.max_drawdown(np.array(curve, np.float64)),
        held={trade.instrument: trade.held for trade in trades if trade.held},
        regimes=tuple(
            RegimeStep(at_ns, read.regime.name, read.regime.score) for at_ns, read in ledger.regimes(session)
        ),
        blocks=tuple(map(block_time, ledger.blocks(session))),
        alerts=tuple(f"{severity}: {words}" for _, severity, words in ledger.alerts(session)),
        trailing=trailing_of(trades, session, None if book is None else {*executions}),
        positions=tuple(trades),
        curve=thinned([float(worth) for worth in curve]),
        book=None if book is None else checked(book, ledger.fills()),
    )


def touches(trade: Trade, opened: OpenSession, session: str) -> bool:
    """Say whether a trade was held in this session: closed in it, or open into it."""
    if trade.session == session:
        return True
    return trade.opened_ns < opened.close_ns and trade.closed_ns is None


def block_time(span: BlockSpan) -> BlockTime:
    """Give a Block's time in plain values."""
    return BlockTime(span.block.scope, span.block.reason, span.block.words, span.from_ns, span.to_ns)


def trailing_of(trades: Sequence[Trade], session: str, known: set[str] | None) -> tuple[TrailingExit, ...]:
    """Give the closes by trailing stops, each looked for in the exchange's book (None: there is none to look in)."""
    return tuple(
        TrailingExit(
            end.execution,
            trade.instrument,
            end.at_ns,
            end.quantity,
            end.price,
            None if known is None else end.execution in known,
        )
        for trade in trades
        for end in trade.exits
        if end.kind == TRAILING and trade.session == session
    )


def checked(book: ExchangeState, fills: Sequence[Fill]) -> BookCheck:
    """Hold our fills against the exchange's executions, and the exchange's memory against its laws."""
    theirs = {found.execution: (found.order, found.quantity, found.price, found.fee) for found in book.executions}
    ours = {fill.execution: (fill.order, fill.quantity, fill.price, fill.fee) for fill in fills}
    return BookCheck(
        executions=len(theirs),
        missing=tuple(name for name, said in ours.items() if theirs.get(name) != said),
        unknown=tuple(name for name in theirs if name not in ours),
        protected=next(unprotected(book), None) is None,
        turns=len(book.log),
        breaches=tuple(laws(book)),
    )


def thinned(values: Sequence[float], points: int = CURVE_POINTS) -> tuple[float, ...]:
    """Give at most so many of the values, evenly spread, the first and the last among them."""
    if len(values) <= points:
        return tuple(values)
    places = np.linspace(0, len(values) - 1, points).round().astype(int).tolist()
    return tuple(values[place] for place in places)
