"""joectl top: one screen, driven by a pilot, over a real socket."""

import pytest
from textual.widgets import DataTable, Static

from joectl.client import Failure, look
from joectl.top import Top, rows_of
from joed import protocol
from joed.protocol import Exit
from tests.daemon.serving import serving, state_of_a_day, unconfirmed


def status_at(state_dir):
    """Give what fetches a status."""
    place = protocol.find({}, "", str(state_dir))
    return lambda: look(place, "status", 5.0).body


def said(app, name):
    """Give what a part of the screen says."""
    return str(app.query_one(name, Static).render())


def cells(app, name):
    """Give the rows of a table."""
    table = app.query_one(f"#{name}", DataTable)
    return [[str(cell) for cell in table.get_row_at(at)] for at in range(table.row_count)]


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_the_whole_picture_is_on_one_screen(tmp_path, key):
    """The line, what needs a person, and the cells that status shows."""
    with serving(tmp_path / "s", unconfirmed(state_of_a_day())):
        fetch = status_at(tmp_path / "s")
        body = fetch()
        app = Top(fetch, body)
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause()

            assert said(app, "#line") == body["line"]
            assert "joectl confirm" in said(app, "#needs")
            assert "account" in said(app, "#facts")
            assert cells(app, "positions") == rows_of(body)["positions"]
            assert cells(app, "orders") == rows_of(body)["orders"]
            assert cells(app, "triggers") == rows_of(body)["triggers"]
            await pilot.press(key)
        assert app.return_code == 0


async def test_it_follows_what_changes(tmp_path):
    """A look at the press of a key, as each half second by itself."""
    state = state_of_a_day()
    with serving(tmp_path / "s", state):
        body = status_at(tmp_path / "s")()
    later = body | {"line": "TRADING: later", "now_ns": body["now_ns"] + 1, "positions": []}
    app = Top(lambda: later, body)
    async with app.run_test() as pilot:
        await pilot.press("r")
        await app.workers.wait_for_complete()
        await pilot.pause()

        assert said(app, "#line") == "TRADING: later"
        assert cells(app, "positions") == []


async def test_what_is_old_is_said_to_be(tmp_path):
    """Where nobody answers, or time stands still, the line says so; the next answer that moves takes it back."""
    with serving(tmp_path / "s"):
        body = status_at(tmp_path / "s")()
    answers = [Failure(Exit.NOT_RUNNING, "joed is not running"), body | {"now_ns": body["now_ns"] + 1}]

    def fetch():
        found = answers[0]
        if isinstance(found, Failure):
            raise found
        return found

    app = Top(fetch, body)
    async with app.run_test() as pilot:
        await pilot.press("r")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert said(app, "#line").startswith("STALE for")
        assert "joed is not running" in said(app, "#line")

        del answers[0]
        await pilot.press("r")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert said(app, "#line") == body["line"]


async def test_no_word_of_the_daemons_is_read_as_markup(tmp_path):
    """A symbol in brackets is a symbol in brackets."""
    with serving(tmp_path / "s"):
        body = status_at(tmp_path / "s")()
    body["positions"][0]["instrument"] = "[red]X[/red]"
    body["line"] = "[bold]TRADING[/bold]: x"
    app = Top(lambda: body, body)
    async with app.run_test() as pilot:
        await pilot.pause()

        assert said(app, "#line") == "[bold]TRADING[/bold]: x"
        assert cells(app, "positions")[0][0] == "[red]X[/red]"
