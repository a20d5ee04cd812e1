"""The verbs that only look: ask, show, and say by the exit code what a monitor wants to know."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import joed
from joectl import render
from joectl.cli import Options, tell
from joectl.client import Reply, look
from joectl.receipt import receipt
from joed.protocol import Exit, Header

HEALTH = {"ok": Exit.OK, "degraded": Exit.DEGRADED, "halted": Exit.HALTED}


def fetched(options: Options, path: str) -> Reply:
    """Ask the daemon for one path; warn where it is of another version."""
    reply = look(options.place(), path, options.timeout)
    version = reply.headers.get(Header.VERSION.lower(), joed.__version__)
    if version != joed.__version__:
        tell(f"joed is {version}, joectl is {joed.__version__}", "restart joed when the session allows it")
    return reply


def paint() -> render.Paint:
    """Give colour to a terminal that wants it, none to anything else."""
    wanted = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return render.coloured if wanted else render.plain


def show(options: Options, body: dict[str, Any], drawn: Callable[[dict[str, Any]], str]) -> None:
    """Print an answer: JSON as it came, or the text that is drawn of it."""
    if options.json:
        print(json.dumps(body))
        return
    text = drawn(render.cleaned(body))
    print(render.fitted(text, width) if (width := columns()) else text)


def columns() -> int:
    """Give the width of the terminal, 0 where there is none: a file or a pipe takes lines as long as they are."""
    if not sys.stdout.isatty():
        return 0
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size(sys.stdout.fileno()).columns)
    except (OSError, ValueError):
        return 0


def status(options: Options, *, check: bool) -> Exit:
    """Show everything; with `check` the exit code tells the health."""
    body = fetched(options, "status").body
    brush = paint()
    show(options, body, lambda clean: "\n".join([render.status(clean, brush), *receipts(clean)]))
    return HEALTH.get(str(body.get("health")), Exit.DEGRADED) if check else Exit.OK


def receipts(body: dict[str, Any]) -> list[str]:
    """Give the receipt of a kill in force."""
    return [receipt(body["kill"])] if body.get("kill") else []


def positions(options: Options) -> Exit:
    """Show the positions."""
    brush = paint()
    show(options, fetched(options, "positions").body, lambda clean: render.positions(clean, brush))
    return Exit.OK


def orders(options: Options) -> Exit:
    """Show the living orders."""
    show(options, fetched(options, "orders").body, render.orders)
    return Exit.OK


def watchlist(options: Options) -> Exit:
    """Show the watchlist and the Triggers."""
    from joectl import thinking

    show(options, fetched(options, "watchlist").body, thinking.watchlist)
    return Exit.OK


def regime(options: Options, *, explain: bool) -> Exit:
    """Show the regime; with `explain` every vote, the rule that named it, and what follows."""
    from joectl import thinking

    show(options, fetched(options, "regime").body, thinking.regime if explain else render.regime)
    return Exit.OK


def brokers(options: Options) -> Exit:
    """Show the brokers."""
    show(options, fetched(options, "brokers").body, render.brokers)
    return Exit.OK


def jobs(options: Options) -> Exit:
    """Show the jobs."""
    show(options, fetched(options, "jobs").body, render.jobs)
    return Exit.OK


def alerts(options: Options, *, action: str = "list", channel: str = "") -> Exit:
    """Show the alerts, and whether they leave; or try one channel."""
    if action == "test":
        from joectl.verbs.changes import try_channel

        return try_channel(options, channel)
    from joectl import page

    brush = paint()
    show(options, fetched(options, "alerts").body, lambda clean: page.alerts(clean, brush))
    return Exit.OK


def why(options: Options, *, order: str) -> Exit:
    """Show the story of an order, an instrument or a signal."""
    from urllib.parse import quote

    from joectl import page

    brush = paint()
    show(options, fetched(options, f"why/{quote(order, safe='')}").body, lambda clean: page.why(clean, brush))
    return Exit.OK
