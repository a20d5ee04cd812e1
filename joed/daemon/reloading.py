"""Settings read again while joed runs: by `joectl reload` and by SIGHUP, all of them or, on any error, none."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec.structs import replace

from joed.daemon.alerts import Alerter
from joed.daemon.log import Log
from joed.engine.directions import differences
from joed.engine.reloading import FAILED, READ
from joed.errors import ConfigError
from joed.model.commands import Answer
from joed.model.events import Event, OperatorAsked, SettingsLoaded
from joed.model.settings import Settings
from joed.model.state import State

FAILED_CHARACTERS_MAX = 4_000
HANGUP = "SIGHUP"

Load = Callable[[Settings], SettingsLoaded]
"""Reads the files again for a daemon that runs with these settings; raises ConfigError."""


class Reloader:
    """Makes the event of a reload: the new settings, or the refusal that names file, line and key."""

    def __init__(self, state: State, load: Load | None, alerter: Alerter, log: Log) -> None:
        """Read by `load` (None: there is no file); the alerter is told of its settings, the engine hears of all."""
        self._state = state
        self._load = load
        self._alerter = alerter
        self._log = log
        self._hung_up = asyncio.Event()

    async def events_of(self, asked: OperatorAsked) -> tuple[Event, ...]:
        """Give what becomes of a request to reload, the request first; the files are read off the loop."""
        if self._load is None:
            return (replace(asked, args={FAILED: "this joed runs without a configuration file"}),)
        running = self._state.settings
        try:
            found = await asyncio.to_thread(self._load, running)
        except ConfigError as error:
            return (replace(asked, args={FAILED: str(error)[:FAILED_CHARACTERS_MAX]}),)
        self._alerter.reload(found.settings.alerts)
        read = replace(asked, args={READ: found.digest})
        return read, replace(found, request=asked.request, changes=differences(running, found.settings))

    def hang_up(self) -> None:
        """Have the settings read soon: called by the signal."""
        self._hung_up.set()

    async def run(self, ask: Callable[[OperatorAsked], Coroutine[Any, Any, Answer]]) -> None:
        """Reload at each signal; several that came meanwhile are one."""
        count = 0
        while True:
            await self._hung_up.wait()
            self._hung_up.clear()
            count += 1
            request = f"{HANGUP}-{self._state.epoch}-{os.getpid()}-{count}"
            answer = await ask(OperatorAsked("reload", request, os.getuid(), os.getgid(), os.getpid(), HANGUP))
            level = "info" if answer.code == "ok" else "error"
            self._log.put(level, "reload", {"code": answer.code, "words": answer.words})
