"""What a daemon does beside trading, on a machine that is somebody's: backups, and a lock against falling asleep."""

from collections.abc import Callable

from joed.daemon.awake import Awake
from joed.daemon.backups import Backups
from joed.daemon.log import Log
from joed.daemon.places import Places
from joed.daemon.supervise import Work
from joed.model.commands import RaiseAlert
from joed.model.settings import Settings
from joed.model.state import State

Upkeep = Callable[[State, Callable[[RaiseAlert], None], Log], list[Work]]
"""Gives the tasks that look after this State; `alert` tells a person."""


def upkeep(settings: Settings, places: Places) -> Upkeep:
    """Give what makes the tasks."""

    def works(state: State, alert: Callable[[RaiseAlert], None], log: Log) -> list[Work]:
        backups = Backups(places, settings.daemon.backups, state, alert, log)
        return [backups.run, Awake(state, log).run]

    return works


def none(state: State, alert: Callable[[RaiseAlert], None], log: Log) -> list[Work]:
    """Give no tasks: a demo's record is nobody's."""
    return []
