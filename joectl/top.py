"""`joectl top`: the whole picture in the terminal, live, read-only; textual draws it (the extra `tui`)."""

from collections.abc import Callable
from typing import Any, ClassVar

from joectl import render
from joectl.cli import Options
from joectl.client import Failure, look
from joed.protocol import Exit

EVERY_S = 0.5
STALE_S = 2.5
"""joed's second hand ticks each second: after this long without, what is shown is old, and is said to be."""
ANSWER_S = 2.0

Body = dict[str, Any]
HEADS = {
    "positions": ("instrument", "held", "now", "result", "stop", "target", "by"),
    "orders": ("instrument", "leg", "what", "status", "age", "order"),
    "triggers": ("instrument", "trigger", "away", "strategy"),
}


def top(options: Options) -> Exit:
    """Show it until `q`; where textual is not installed, say how to get it and what does the same without."""
    place = options.place()
    body = look(
        place, "status", options.timeout
    ).body  # nobody there, or not permitted: said before the screen is taken
    try:
        app = made(lambda: look(place, "status", ANSWER_S).body, body)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "textual":
            raise
        hint = "pip install 'joed[tui]', or watch -n 1 joectl status"
        raise Failure(Exit.FAILED, "joectl top needs textual, which is not installed", hint) from error
    app.run()
    return Exit.OK


def made(fetch: Callable[[], Body], first: Body) -> Any:  # noqa: ANN401, C901 - textual's App: a class within, so that only this verb needs it
    """Give the application; `fetch` gives a status, or raises Failure."""
    from rich.text import Text
    from textual.app import App, ComposeResult
    from textual.binding import Binding, BindingType
    from textual.containers import VerticalScroll
    from textual.widgets import DataTable, Footer, Static

    class Top(App[None]):
        """One screen: the line, what needs a person, and three tables."""

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
            Binding("r", "look", "look now"),
        ]
        ENABLE_COMMAND_PALETTE = False

        def compose(self) -> ComposeResult:
            """Lay it out."""
            yield Static(id="line", markup=False)
            with VerticalScroll():
                yield Static(id="facts", markup=False)
                yield Static(id="needs", markup=False)
                for name in HEADS:
                    yield Static(name, classes="title", markup=False)
                    yield DataTable(id=name, cursor_type="none", zebra_stripes=False)
            yield Footer()

        def on_mount(self) -> None:
            """Show what is known, and look again and again."""
            self.silent_s, self.moved_ns = 0.0, 0
            for name, heads in HEADS.items():
                self.query_one(f"#{name}", DataTable).add_columns(*heads)
            self.show(first)
            self.set_interval(EVERY_S, self.action_look)

        def action_look(self) -> None:
            """Ask once, beside the screen: it never waits for joed."""
            self.run_worker(self.ask, thread=True, exclusive=True, group="look")

        def ask(self) -> None:
            """Fetch and show, in a thread of its own."""
            try:
                body, words = fetch(), ""
            except Failure as failure:
                body, words = None, failure.words
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
            rows = rows_of(body)
            for name in HEADS:
                table = self.query_one(f"#{name}", DataTable)
                table.clear()
                table.add_rows([Text(cell) for cell in row] for row in rows[name])  # a text is no markup

    return Top()


def rows_of(body: Body) -> dict[str, list[list[str]]]:
    """Give the rows of the three tables, as `joectl status` writes their cells."""
    return {
        "positions": [render.position(row, base=body["base_currency"]) for row in body["positions"]],
        "orders": [render.order(row) for row in body["orders"]],
        "triggers": [render.trigger(row) for row in body["triggers"]],
    }
