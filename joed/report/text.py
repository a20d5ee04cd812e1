"""Reports for a person to read, and the same as JSON: fixed templates, nothing in them that was not in the record."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from joed.model.values import SECOND

if TYPE_CHECKING:
    from joed.report.day import BlockTime, BookCheck, DayReport
    from joed.report.run import RunReport
    from joed.report.trades import Trade

UNKNOWN = "unknown"
NOTHING = "nothing"
HOURS = ("market_closed", "no_session")
"""Blocks that every day has."""
TICKS = "▁▂▃▄▅▆▇█"
LABEL_WIDTH = 13
TRADES_MAX = 60
"""So many trades stand in a day's text; JSON has them all."""

_json = msgspec.json.Encoder(order="sorted", decimal_format="number")


def as_json(report: msgspec.Struct) -> str:
    """Give a report as JSON, keys sorted, money as exact numbers, ending in a newline; equal reports, equal bytes."""
    return msgspec.json.format(_json.encode(report), indent=2).decode() + "\n"


def of_day(day: "DayReport") -> str:
    """Give a day's report as text, ending in a newline."""
    head = f"Session {day.session}, {day.mode} account, joed {day.version}" + (f": {day.ended}" if day.ended else "")
    rows = [
        ("Result", f"{result(day.pnl, day.equity_start, day.currency)}, fees {money(day.fees)}"),
        ("Equity", f"{money(day.equity_start)} to {money(day.equity_end)}, deepest fall {share(day.max_drawdown)}"),
        ("", sparkline(day.curve)),
        ("Trades", f"{day.trades}: {day.wins} won, {day.losses} lost; {day.entries} entries sent, {day.fills} fills"),
        ("Exits", counts(day.exits)),
        ("Refused", counts(day.refusals)),
        ("Held", ", ".join(f"{name} {quantity}" for name, quantity in sorted(day.held.items())) or NOTHING),
        ("Regime", ", ".join(f"{clock(day, step.at_ns)} {step.name}" for step in day.regimes) or "not judged"),
        *[("Blocked", words) for words in blocks(day)],
        *[("Told", words) for words in day.alerts],
        *[("Trailed out", words) for words in trailing(day)],
        *book_rows(day.book),
    ]
    return "\n".join([head, *labelled(rows), "", *trade_table(day), ""])


def labelled(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Put labels before lines, each label once."""
    found, before = [], ""
    for label, words in rows:
        found.append(f"  {'' if label == before else label:<{LABEL_WIDTH}}{words}".rstrip())
        before = label
    return found


def result(pnl: Decimal | None, start: Decimal | None, currency: str) -> str:
    """Say a result in money and as a share of what there was."""
    if pnl is None or not start:
        return UNKNOWN
    return f"{pnl:+,.2f} {currency} ({float(pnl / start):+.2%})"


def money(amount: Decimal | None) -> str:
    """Write an amount to the cent."""
    return UNKNOWN if amount is None else f"{amount:,.2f}"


def share(value: float | None) -> str:
    """Write a fraction as a percentage."""
    return UNKNOWN if value is None else f"{value:.2%}"


def number(value: float | None) -> str:
    """Write a figure that has no unit."""
    return UNKNOWN if value is None else f"{value:.2f}"


def counts(table: Mapping[str, int]) -> str:
    """List what was counted, the most first."""
    ordered = sorted(table.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count}" for name, count in ordered) or NOTHING


def clock(day: "DayReport", at_ns: int | None) -> str:
    """Write an instant as the market's wall clock."""
    if at_ns is None:
        return "the end"
    return f"{dt.datetime.fromtimestamp(at_ns // SECOND, ZoneInfo(day.timezone)):%H:%M:%S}"


def sparkline(values: Sequence[float]) -> str:
    """Draw values as a row of bars, lowest to highest; "" where there are none."""
    if not values:
        return ""
    low, high = min(values), max(values)
    reach = (high - low) or 1.0
    return "".join(TICKS[round((value - low) / reach * (len(TICKS) - 1))] for value in values)


def blocks(day: "DayReport") -> list[str]:
    """Say what forbade entries, and when; a reason that came often is one line, market hours are none."""
    by_reason: dict[str, list[BlockTime]] = {}
    for row in day.blocks:
        if row.reason not in HOURS:
            by_reason.setdefault(row.reason, []).append(row)
    return [block_line(day, rows) for rows in by_reason.values()]


def block_line(day: "DayReport", rows: "Sequence[BlockTime]") -> str:
    """Say what one reason forbade, from the first time to the last."""
    first, last = rows[0], rows[-1]
    scopes = list(dict.fromkeys(row.scope for row in rows))
    often = f"{len(rows)} times, " if len(rows) > 1 else ""
    where = scopes[0] if len(scopes) == 1 else f"{len(scopes)} scopes"
    return f"{clock(day, first.from_ns)} to {clock(day, last.to_ns)}, {often}{where}: {first.words}"


def trailing(day: "DayReport") -> list[str]:
    """Say which trailing stops closed, and whether the exchange's book has the same execution."""
    said = {True: "in the exchange's book", False: "NOT in the exchange's book", None: "no book to look in"}
    return [
        f"{clock(day, row.at_ns)} {row.instrument} {row.quantity} at {row.price}, {row.execution}: {said[row.matched]}"
        for row in day.trailing
    ]


def book_rows(book: "BookCheck | None") -> list[tuple[str, str]]:
    """Say what the exchange's own book has to say."""
    if book is None:
        return [("Protected", f"{UNKNOWN}: there is no exchange's book to look in")]
    sure = f"every position had its stop after each of {book.turns} turns of the exchange, by its own log"
    rows = [("Protected", f"yes: {sure}" if book.protected else "NO")]
    agreed = not book.missing and not book.unknown
    words = f"{book.executions} executions" + (", the same in both" if agreed else "")
    rows += [("Books", words)]
    rows += [("Books", f"{name} is not in the exchange's book as it is in ours") for name in book.missing]
    rows += [("Books", f"{name} is not in ours") for name in book.unknown]
    return rows + [("Breach", words) for words in book.breaches]


def trade_table(day: "DayReport") -> list[str]:
    """Give each trade a line."""
    if not day.positions:
        return ["  No trades."]
    head = f"  {'opened':<9}{'closed':<9}{'':<6}{'name':<7}{'size':>7}{'entry':>10}{'exit':>10}{'gained':>10}  exit by"
    lines = [trade_line(day, trade) for trade in day.positions[:TRADES_MAX]]
    more = len(day.positions) - len(lines)
    return [head, *lines, *([f"  and {more} more"] if more else [])]


def trade_line(day: "DayReport", trade: "Trade") -> str:
    """Give one trade's line."""
    closed = clock(day, trade.closed_ns) if trade.closed_ns is not None else "held"
    left = "" if trade.exit is None else f"{trade.exit:.2f}"
    gained = f"{trade.gained:+.2f}" if trade.closed_ns is not None else ""
    return (
        f"  {clock(day, trade.opened_ns):<9}{closed:<9}{trade.side:<6}{trade.instrument:<7}{trade.quantity:>7}"
        f"{trade.entry:>10.2f}{left:>10}{gained:>10}  {trade.kind}"
    ).rstrip()


def of_run(run: "RunReport") -> str:
    """Give a backtest's report as text, ending in a newline."""
    count = len(run.sessions)
    span = f"{run.sessions[0]} to {run.sessions[-1]}, sessions: {count}" if count else "no session"
    head = f"Backtest of {run.data}: {span}, {len(run.instruments)} instruments"
    rows = [
        ("Data", f"{run.rows_held} rows of {run.shape}: {run.rows_read} read, {run.rows_rejected} rejected"),
        ("", f"rejected: {counts(run.rejected)}") if run.rejected else ("", ""),
        ("Quotes", f"{run.quotes}: {run.quotes_played} played, {run.quotes_outside} outside the sessions"),
        ("No session", ", ".join(run.days_without_session)),
        ("Watched", ", ".join(run.watched)),
        ("Result", f"{result(run.pnl, run.equity_start, run.currency)}, fees {money(run.fees)}"),
        ("", run.pnl_basis),
        ("Equity", f"{money(run.equity_start)} to {money(run.equity_end)}, deepest fall {share(run.max_drawdown)}"),
        ("", sparkline(run.curve[:: max(1, len(run.curve) // 60)])),
        ("Orders", f"{run.orders}, of them {run.entries} entries; {run.fills} fills"),
        ("Trades", f"{run.trades}: {run.wins} won, {run.losses} lost, {share(run.hit_rate)} hit rate"),
        ("", f"{number(run.expectancy)} {run.currency} expected of a trade"),
        ("Ratios", ratios(run)),
        ("Exits", counts(run.exits)),
        ("Refused", counts(run.refusals)),
        ("Held", ", ".join(f"{name} {quantity}" for name, quantity in sorted(run.held.items())) or NOTHING),
        ("Alerts", counts(run.alerts)),
    ]
    lines = labelled(row for row in rows if row[1])
    return "\n".join([head, *lines, "", *day_table(run), "", *assumptions(run), ""])


def ratios(run: "RunReport") -> str:
    """Say the usual ratios, each with its method."""
    return (
        f"Sharpe {number(run.sharpe_daily_252)}, Sortino {number(run.sortino_daily_252)} (daily, 252 a year), "
        f"VaR95 {share(run.var95_historical_daily)}, CVaR95 {share(run.cvar95_historical_daily)} (historical, daily)"
    )


def day_table(run: "RunReport") -> list[str]:
    """Give each day a line."""
    head = (
        f"  {'session':<12}{'equity':>12}{'result':>11}{'fees':>9}{'entries':>9}{'fills':>7}{'trades':>8}{'won':>5}"
        f"{'lost':>6}{'refused':>9}  regime"
    )
    return [head] + [
        f"  {day.session:<12}{day.equity:>12,.2f}{day.pnl:>+11,.2f}{day.fees:>9,.2f}{day.entries:>9}{day.fills:>7}"
        f"{day.trades:>8}{day.wins:>5}{day.losses:>6}{day.refusals:>9}  {day.regime}".rstrip()
        for day in run.days
    ]


def assumptions(run: "RunReport") -> list[str]:
    """Say what was assumed."""
    return ["Assumed:", *(f"  - {words}" for words in run.assumptions)]
