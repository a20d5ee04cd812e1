"""The price around each trade: a line with its entry and its exits for the page, a row of small bars for plain text.

The minutes come from the worker's own file of bars; where that has none of a trade, nothing is drawn for it.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from html import escape
from pathlib import Path

from msgspec import Struct

from joed.daemon.chain import connect_readonly
from joed.model.values import MINUTE
from joed.report.text import sparkline
from joed.report.trades import Trade

AROUND_NS = 15 * MINUTE
"""How much is shown before the entry and after the exit."""
POINTS_MAX = 240
SPARK_POINTS = 40
MINUTES = "SELECT at_ns, low, high, close FROM minute WHERE instrument = ? AND at_ns >= ? AND at_ns <= ? ORDER BY at_ns"
WIDTH, HEIGHT, EDGE = 900, 160, 12


class Track(Struct, frozen=True):
    """A trade and the closes of the minutes around it, oldest first: (at_ns, close)."""

    trade: Trade
    minutes: tuple[tuple[int, float], ...]


def tracks_of(bars: Path, trades: Sequence[Trade]) -> list[Track]:
    """Give the closed trades of which the file of bars has at least two minutes; none where there is no such file."""
    if not bars.is_file():
        return []
    try:
        with closing(connect_readonly(bars)) as base:
            found = [track(base, trade) for trade in trades]
    except sqlite3.Error:
        return []  # a cache that is being thrown away, or is of another make
    return [one for one in found if len(one.minutes) > 1]


def track(base: sqlite3.Connection, trade: Trade) -> Track:
    """Give one trade with its minutes, thinned evenly to POINTS_MAX."""
    to_ns = (trade.closed_ns or trade.opened_ns) + AROUND_NS
    rows = base.execute(MINUTES, (trade.instrument, trade.opened_ns - AROUND_NS, to_ns)).fetchall()
    step = -(-len(rows) // POINTS_MAX) or 1
    return Track(trade, tuple((at_ns, close) for at_ns, _, _, close in rows[::step]))


def chart(track: Track) -> str:
    """Draw the price, the entry's level as a line, and a mark where it was entered and at each exit."""
    trade, closes = track.trade, [close for _, close in track.minutes]
    marks = [(trade.opened_ns, trade.entry, "in"), *((out.at_ns, float(out.price), "out") for out in trade.exits)]
    low, high = min(*closes, *(price for _, price, _ in marks)), max(*closes, *(price for _, price, _ in marks))
    begin, end = track.minutes[0][0], max(track.minutes[-1][0], marks[-1][0])
    across, reach = (end - begin) or 1, (high - low) or 1.0

    def place(at_ns: int, price: float) -> tuple[float, float]:
        right = EDGE + (at_ns - begin) / across * (WIDTH - 2 * EDGE)
        return max(right, EDGE), HEIGHT - EDGE - (price - low) / reach * (HEIGHT - 2 * EDGE)

    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*minute) for minute in track.minutes))
    level = place(begin, trade.entry)[1]
    drawn = [f'<polyline points="{points}"/>', f'<line x1="0" y1="{level:.1f}" x2="{WIDTH}" y2="{level:.1f}"/>']
    for at_ns, price, kind in marks:
        x, y = place(at_ns, price)
        drawn.append(
            f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"><title>{kind} at {price:.2f}</title></circle>'
        )
    words = escape(label(trade))
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">'
    return f"<figure><figcaption>{words}</figcaption>{head}{''.join(drawn)}</svg></figure>"


def spark(track: Track) -> str:
    """Draw the price as one row of text, from before the entry to after the exit."""
    closes = [close for _, close in track.minutes]
    step = -(-len(closes) // SPARK_POINTS) or 1
    return f"{sparkline(closes[::step]):<{SPARK_POINTS}}  {label(track.trade)}"


def label(trade: Trade) -> str:
    """Say which trade it is and what it came to."""
    left = "" if trade.exit is None else f", out at {trade.exit:.2f} by {trade.kind}"
    return f"{trade.instrument} {trade.side.lower()} {trade.quantity} at {trade.entry:.2f}{left}: {trade.gained:+,.2f}"
