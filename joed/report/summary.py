"""A session's report in `reports/`: the summary in words, its day and trades, as Markdown and as a page with charts.

A program of its own (`python -m joed.report.summary STATE_DIR`, told the rest by its standard input): to read and draw
a day loads numpy, which the daemon does without.
"""

import os
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path

import msgspec

from joed.daemon.places import Places, places
from joed.errors import JoedError
from joed.report import text
from joed.report.chart import Track, chart, spark, tracks_of
from joed.report.day import DayReport, day_of
from joed.report.page import STYLE, curve, table
from joed.report.trades import Trade

TRADES_DRAWN_MAX = 60
ROW, WIDTH, LABEL = 18, 900, 220
BARS = """
circle.in { fill: #2a7f4f } circle.out { fill: #b03a3a }
rect.won { fill: #2a7f4f } rect.lost { fill: #b03a3a } line { stroke: #888 } text { font: 12px system-ui; fill: #555 }
@media (prefers-color-scheme: dark) { rect.won { fill: #5fc08b } rect.lost { fill: #e07a7a } text { fill: #aaa } }
figure { margin: 1rem 0 } figcaption { font-variant-numeric: tabular-nums }
"""


def write_report(where: Places, session: str, words: str, origin: str) -> Path:
    """Write SESSION.md and SESSION.html into `reports/`, each whole or not at all; give the page's path."""
    day = day_of(where.journal, session, where.paper if where.paper.is_file() else None)
    closed = [trade for trade in day.positions if trade.closed_ns is not None]
    tracks = tracks_of(where.root / "bars.db", closed[:TRADES_DRAWN_MAX])
    folder = where.root / "reports"
    folder.mkdir(mode=0o750, exist_ok=True)
    replaced(folder / f"{day.session}.md", markdown(day, words, origin, tracks))
    return replaced(folder / f"{day.session}.html", page(day, words, origin, tracks))


def replaced(path: Path, content: str) -> Path:
    """Write a file beside its place and move it there; give the path."""
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    fresh.write_text(content, "utf-8")
    return fresh.replace(path)


def markdown(day: DayReport, words: str, origin: str, tracks: Sequence[Track] = ()) -> str:
    """Give the report as Markdown, ending in a newline."""
    lines = [f"# {day.session}", "", words, "", f"*{origin}*", "", "## The day", "", "```"]
    lines += [text.of_day(day).rstrip(), "```", ""]
    if tracks:
        lines += ["## Prices around each trade", "", "```", *map(spark, tracks), "```", ""]
    return "\n".join(lines)


def page(day: DayReport, words: str, origin: str, tracks: Sequence[Track] = ()) -> str:
    """Give the report as one page that needs nothing else."""
    told = "".join(f"<p>{escape(line)}</p>" for line in words.splitlines() if line.strip())
    closed = [trade for trade in day.positions if trade.closed_ns is not None]
    parts = [
        f"<h1>{escape(day.session)}</h1>",
        told,
        f"<p><em>{escape(origin)}</em></p>",
        "<h2>Equity</h2>",
        curve(day.curve),
        "<h2>Trades</h2>",
        bars(closed),
        table(("name", "size", "entry", "exit", "gained", "exit by"), map(row, closed)),
        *(["<h2>Prices around each trade</h2>", *map(chart, tracks)] if tracks else []),
        f"<h2>The day</h2><pre>{escape(text.of_day(day))}</pre>",
    ]
    head = f'<meta charset="utf-8"><title>joed {escape(day.session)}</title><style>{STYLE}{BARS}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>\n' + "\n".join(parts) + "\n</body></html>\n"


def row(trade: Trade) -> tuple[str, ...]:
    """Give a trade's cells."""
    left = "" if trade.exit is None else f"{trade.exit:.2f}"
    size = f"{trade.side} {trade.quantity}"
    return (trade.instrument, size, f"{trade.entry:.2f}", left, f"{trade.gained:+,.2f}", trade.kind)


def bars(trades: Sequence[Trade]) -> str:
    """Draw what each trade gained, one bar a trade, to the right of the line what was won."""
    shown = trades[:TRADES_DRAWN_MAX]
    if not shown:
        return "<p>no trade was closed</p>"
    reach = max(abs(float(trade.gained)) for trade in shown) or 1.0
    middle, scale = LABEL + (WIDTH - LABEL) / 2, (WIDTH - LABEL) / 2 / reach
    drawn = []
    for place, trade in enumerate(shown):
        gained, top = float(trade.gained), place * ROW + 2
        left = middle + min(0.0, gained) * scale
        kind = "won" if gained > 0 else "lost"
        label = escape(f"{trade.instrument} {trade.strategy} {gained:+,.2f}")
        drawn.append(f'<text x="0" y="{top + 12}">{label}</text>')
        size = f'width="{abs(gained) * scale:.1f}" height="{ROW - 4}"'
        drawn.append(f'<rect class="{kind}" x="{left:.1f}" y="{top}" {size}><title>{label}</title></rect>')
    height = len(shown) * ROW + 4
    more = f"<p>and {len(trades) - len(shown)} more</p>" if len(trades) > len(shown) else ""
    line = f'<line x1="{middle:.1f}" y1="0" x2="{middle:.1f}" y2="{height}"/>'
    words = f"what each of {len(shown)} trades gained"
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{words}">{"".join(drawn)}{line}</svg>{more}'


def main(arguments: Sequence[str], told: bytes) -> int:
    """Write the report of the session, words and origin that are told; give the exit status, the reason on stderr."""
    session, words, origin = msgspec.json.decode(told, type=tuple[str, str, str])
    try:
        write_report(places(Path(arguments[0])), session, words, origin)
    except (OSError, JoedError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdin.buffer.read()))
