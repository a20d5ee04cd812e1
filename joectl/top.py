"""The screen of `joectl top`: what status shows, live, read-only; textual draws it (the extra `tui`)."""

from collections.abc import Callable
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable, Footer, Static

from joectl import render
from joectl.client import Failure

EVERY_S = 0.5
STALE_S = 2.5
"""joed's second hand ticks each second: after this long without, what is shown is old, and is said to be."""

Body = dict[str, Any]
HEADS = {
    "positions": ("instrument", "held", "now", "result", "stop", "target", "by"),
    "orders": ("instrument", "leg", "what", "status", "age", "order"),
    "triggers": ("instrument", "trigger", "away", "strategy"),
}


class Top(App[None]):
    """One screen: the line, the facts, what needs a person, and three tables."""

    TITLE = "joed"
    CSS = """
    #line { padding: 0 1; text-style: bold; }
    #line.stale { background: $error; color: $text; }
    #facts, #needs { padding: 0 1; height: auto; }
    .title { padding: 1 1 0 1; text-style: bold; }
    DataTable { height: auto; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "quit", "quit", show=False, priority=True),  # as it ends watch and every other verb
        Binding("r", "look", "look now"),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, fetch: Callable[[], Body], first: Body) -> None:
        """Show `first`, then what `fetch` gives: a status, or it raises Failure."""
        super().__init__()
        self.fetch, self.first = fetch, first
        self.silent_s, self.moved_ns = 0.0, 0

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(id="line", markup=False)
        with VerticalScroll():
            yield Static(id="facts", markup=False)
            yield Static(id="needs", markup=False)
            for name in HEADS:
                yield Static(name, classes="title", markup=False)
                yield DataTable(id=name, cursor_type="none")
        yield Footer()

    def on_mount(self) -> None:
        """Show what is known, and look again and again."""
        for name, heads in HEADS.items():
            self.query_one(f"#{name}", DataTable).add_columns(*heads)
        self.show(self.first)
        self.set_interval(EVERY_S, self.action_look)

    def action_look(self) -> None:
        """Ask once, beside the screen: it never waits for joed."""
        self.run_worker(self.ask, thread=True, exclusive=True, group="look")

    def ask(self) -> None:
        """Fetch and show, in a thread of its own."""
        body, words = None, ""
        try:
            body = self.fetch()
        except Failure as failure:
            words = failure.words
        self.call_from_thread(self.heard, body, words)

    def heard(self, body: Body | None, words: str) -> None:
        """Show an answer; without one, or where its time stands still, count how long."""
        if body is not None and int(body["now_ns"]) != self.moved_ns:
            self.silent_s = 0.0
            self.show(body)
            return
        self.silent_s += EVERY_S
        if self.silent_s >= STALE_S or body is None:
            line = self.query_one("#line", Static)
            line.add_class("stale")
            line.update(f"STALE for {self.silent_s:.0f} s: {words or 'joed does not move'}; what follows is old")

    def show(self, found: Body) -> None:
        """Draw one status."""
        body = render.cleaned(found)
        self.moved_ns = int(body["now_ns"])
        line = self.query_one("#line", Static)
        line.remove_class("stale")
        line.update(str(body["line"]))
        self.query_one("#facts", Static).update("\n".join(render.summary(body)))
        self.query_one("#needs", Static).update("\n".join(render.needs(body, render.plain)))
        for name, rows in rows_of(body).items():
            table = self.query_one(f"#{name}", DataTable)
            table.clear()
            table.add_rows([Text(cell) for cell in row] for row in rows)  # a text is no markup


def rows_of(body: Body) -> dict[str, list[list[str]]]:
    """Give the rows of the three tables, as `joectl status` writes their cells."""
    return {
        "positions": [render.position(row, base=body["base_currency"]) for row in body["positions"]],
        "orders": [render.order(row) for row in body["orders"]],
        "triggers": [render.trigger(row) for row in body["triggers"]],
    }
