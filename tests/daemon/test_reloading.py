"""Settings read again while joed runs."""

import asyncio
import os

import pytest

from joed.compose import reload_of
from joed.config import load
from joed.daemon.alerts import Alerter
from joed.daemon.log import Log
from joed.daemon.reloading import FAILED_CHARACTERS_MAX, Reloader
from joed.errors import ConfigError
from joed.model.commands import Answer
from joed.model.events import OperatorAsked, SettingsLoaded
from joed.model.settings import Alerts
from joed.model.state import State

ASKED = OperatorAsked("reload", "r1", 1000, 1000, 7)


@pytest.fixture
def log(tmp_path):
    """Give a log that a test can read."""
    made = Log("json", lambda: 0, descriptor=os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY))
    yield made
    made.close()


def reloader(log, file):
    """Give a reloader of this file, and the State it reads for."""
    settings = load(file) if file else None
    state = State(settings=settings) if settings else State()
    read = reload_of(lambda: (load(file), None)) if file else None
    return Reloader(state, read, Alerter(Alerts(), log), log), state


async def test_a_reload_brings_what_changed_and_holds_back_what_needs_a_start(log, tmp_path):
    """Read strictly, merged with what runs; the request and its user are in the event."""
    file = tmp_path / "joed.yaml"
    file.write_text("risk:\n  loss_day_max: 1500\n")
    made, state = reloader(log, file)
    state.settings = reload_of(lambda: (load(file), None))(state.settings).settings
    file.write_text("mode: live\nrisk:\n  loss_day_max: 3000\nalerts:\n  command: [tell]\n")

    request, event = await made.events_of(ASKED)

    assert (request.verb, request.uid, request.args) == ("reload", 1000, {"read": event.digest})
    assert isinstance(event, SettingsLoaded)
    assert (event.request, event.reason) == ("r1", "reload")
    assert [change.field for change in event.changes] == ["risk.loss_day_max", "alerts.command"]
    assert [change.field for change in event.held if not change.field.startswith("universe")] == ["mode"]
    assert (event.settings.mode, event.settings.risk.loss_day_max) == ("paper", 3000)
    assert set(event.calendars) >= {"XNYS"}


async def test_an_error_names_file_line_and_key_and_becomes_a_refusal(log, tmp_path):
    """No event of settings at all: the old ones stay."""
    file = tmp_path / "joed.yaml"
    file.write_text("index: SPY\n")
    made, _ = reloader(log, file)
    file.write_text("index: SPY\nrisk:\n  loss_dya_max: 1\n")

    (event,) = await made.events_of(ASKED)

    assert (type(event), event.request) == (OperatorAsked, "r1")
    assert "risk.loss_dya_max is no key, did you mean 'loss_day_max'?" in event.args["failed"]
    assert f"{file}:3" in event.args["failed"]


async def test_without_a_file_there_is_nothing_to_read(log):
    """A demo says so."""
    made, _ = reloader(log, None)

    assert "without a configuration file" in (await made.events_of(ASKED))[0].args["failed"]


async def test_a_refusal_has_an_end(log):
    """A file of errors fills no record."""

    def read(running):
        raise ConfigError("x" * 100_000)

    made = Reloader(State(), read, Alerter(Alerts(), log), log)

    assert len((await made.events_of(ASKED))[0].args["failed"]) == FAILED_CHARACTERS_MAX


async def test_each_signal_asks_once_under_a_key_of_its_own(log, tmp_path):
    """Two that came together are one; the answer stands in the log."""
    made, asked = reloader(log, None)[0], []

    async def ask(event):
        asked.append(event)
        return Answer(event.request, event.verb, "config_invalid", "no file")

    running = asyncio.create_task(made.run(ask))
    made.hang_up()
    made.hang_up()
    while len(asked) < 1:  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0)
    made.hang_up()
    while len(asked) < 2:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0)
    running.cancel()

    assert [event.verb for event in asked] == ["reload", "reload"]
    assert asked[0].request != asked[1].request
    log.close()
    assert "config_invalid" in (tmp_path / "log").read_text()
