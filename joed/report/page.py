"""A backtest as one HTML page that needs nothing else: figures, the curve of equity, the days, what was assumed."""

from collections.abc import Iterable, Sequence
from html import escape

from joed.report import text
from joed.report.run import RunReport

WIDTH, HEIGHT = 900, 220

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1c1c1c }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .75rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
svg { width: 100%; height: auto; background: #fafafa; border: 1px solid #ddd }
polyline { fill: none; stroke: #225ea8; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  body { background: #161616; color: #e4e4e4 } svg { background: #1e1e1e; border-color: #444 }
  th, td { border-color: #444 } polyline { stroke: #7fb2ff }
}
"""


def page_of(run: RunReport) -> str:
    """Give the page of a backtest, ending in a newline."""
    title = f"Backtest of {run.data}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        table(("figure", "value"), figures(run)),
        "<h2>Equity</h2>",
        curve(run.curve),
        "<h2>Days</h2>",
        table(DAY_HEAD, days(run)),
        "<h2>Exits and refusals</h2>",
        table(("exit by", "trades"), run.exits.items()),
        table(("refused for", "entries"), run.refusals.items()),
        "<h2>Assumed</h2>",
        "<ul>" + "".join(f"<li>{escape(words)}</li>" for words in run.assumptions) + "</ul>",
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>\n' + "\n".join(parts) + "\n</body></html>\n"


def figures(run: RunReport) -> list[tuple[str, str]]:
    """Give the figures with their names."""
    return [
        ("rows held, read, rejected", f"{run.rows_held}, {run.rows_read}, {run.rows_rejected}"),
        ("quotes played of", f"{run.quotes_played} of {run.quotes}"),
        ("result after costs", text.result(run.pnl, run.equity_start, run.currency)),
        ("made of", run.pnl_basis),
        ("fees", text.money(run.fees)),
        ("orders, fills", f"{run.orders}, {run.fills}"),
        ("trades, won, lost", f"{run.trades}, {run.wins}, {run.losses}"),
        ("hit rate", text.share(run.hit_rate)),
        ("deepest fall", text.share(run.max_drawdown)),
        ("ratios", text.ratios(run)),
    ]


DAY_HEAD = ("session", "equity", "result", "fees", "entries", "fills", "trades", "won", "lost", "refused", "regime")


def days(run: RunReport) -> list[tuple[str, ...]]:
    """Give a row for each day."""
    return [
        (
            *(day.session, text.money(day.equity), f"{day.pnl:+,.2f}", text.money(day.fees)),
            *map(str, (day.entries, day.fills, day.trades, day.wins, day.losses, day.refusals)),
            day.regime,
        )
        for day in run.days
    ]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Give a table."""
    cells = [row(head, "th"), *(row([str(cell) for cell in each], "td") for each in rows)]
    return "<table>" + "\n".join(cells) + "</table>"


def row(cells: Sequence[str], tag: str) -> str:
    """Give a table's row."""
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def curve(values: Sequence[float]) -> str:
    """Draw the account's worth over the run."""
    if len(values) < 2:
        return "<p>nothing to draw</p>"
    low, high = min(values), max(values)
    reach = (high - low) or 1.0
    points = " ".join(
        f"{place * WIDTH / (len(values) - 1):.1f},{HEIGHT - 10 - (value - low) / reach * (HEIGHT - 20):.1f}"
        for place, value in enumerate(values)
    )
    words = f"equity from {values[0]:,.2f} to {values[-1]:,.2f}, between {low:,.2f} and {high:,.2f}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(words)}">'
        f'<polyline points="{points}"/></svg><p>{escape(words)}</p>'
    )
