"""What the composition root has chosen for one life of the daemon."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from joed.brokers.base import Broker
from joed.daemon.clock import Clock
from joed.daemon.reads import Record
from joed.daemon.supervise import Work
from joed.daemon.trading import Worker
from joed.daemon.upkeep import Upkeep, none
from joed.model.calendars import Calendar
from joed.model.events import Event, SettingsLoaded
from joed.model.settings import Settings

Emit = Callable[[Event], None]


@dataclass(frozen=True)
class Plan:
    """Everything that was chosen.

    `clock` is given the time of the newest record and makes the clock that goes on from there; `prepare` is slow, and
    called in a thread once joed is ready; `connect` makes the brokers and starts nothing; `feed` starts the quotes once
    the brokers are up; `worker` gives where jobs run and the tasks that belong to it; `tell` hears each record as it
    becomes durable. `wall_time` says that the clock is the wall's, so that a wall clock that is set is news.
    `reload` reads the files again for a daemon that runs with these settings; `on_page` hears where the live page is.
    `streams` says that the brokers stream what they are asked for, and not what an embedded market plays. `upkeep`
    gives the tasks that look after the record and the machine.
    """

    settings: Settings
    digest: str
    calendars: dict[str, Calendar]
    clock: Callable[[int], Clock]
    connect: Callable[[Clock, Emit], Mapping[str, Broker]]
    feed: Callable[[Clock, Mapping[str, Broker]], None]
    worker: Callable[[Clock, Path], tuple[Worker, list[Work]]]
    version: str
    code: str
    reason: str = "manual"
    auto_confirm: bool = False
    tell: Callable[[Record], None] | None = None
    wall_time: bool = False
    prepare: Callable[[], object] | None = None
    reload: Callable[[Settings], SettingsLoaded] | None = None
    on_page: Callable[[str], None] | None = None
    streams: bool = False
    upkeep: Upkeep = none
