"""joed.daemon.runner: Python's loop unless a person chose another, and a plain word where that is missing."""

import asyncio
import sys

import pytest

from joed.daemon.runner import runner
from joed.errors import ConfigError
from joed.model.settings import Settings
from joed.model.values import EventLoop


async def name():
    """Give the module of the loop that runs this."""
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


@pytest.mark.parametrize("loop", EventLoop)
def test_a_coroutine_runs_on_the_loop_that_was_chosen(loop):
    """Python's own by default; uvloop is installed for development."""
    with runner(loop) as running:
        assert running.run(name()) == loop.value

    assert Settings().daemon.loop is EventLoop.ASYNCIO


def test_a_loop_that_is_not_installed_is_named_with_what_to_do(monkeypatch):
    """Before anything is connected."""
    monkeypatch.setitem(sys.modules, "uvloop", None)

    with pytest.raises(
        ConfigError, match=r"daemon\.loop is uvloop, which is not installed: pip install 'joed\[fast\]'"
    ):
        runner(EventLoop.UVLOOP)
