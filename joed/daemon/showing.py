"""What a running joed shows by itself: metrics and the page, each from a thread of its own; systemd's status line."""

import asyncio
import platform
from collections.abc import Callable

from joed.daemon.clock import stopwatch_ns
from joed.daemon.counters import Counters, GcWatch
from joed.daemon.desk import Desk
from joed.daemon.log import Log
from joed.daemon.metrics import Page, Server, serve
from joed.daemon.plan import Plan
from joed.daemon.readings import Sources
from joed.daemon.systemd import Notifier
from joed.daemon.web import server as web
from joed.model.settings import Settings
from joed.model.view import View

STATUS_EVERY_S = 2.0


def show_metrics(view: Callable[[], View], counters: Counters, settings: Settings, log: Log) -> Server | None:
    """Serve metrics; None where the port is not to be had, and trading goes on without."""
    GcWatch(counters, stopwatch_ns).start()
    sources = Sources(view, counters, brokers=settings.brokers, python=platform.python_version(), log=log)
    return serve(Page(sources, stopwatch_ns), settings.daemon.metrics_port, log)


def show(desk: Desk, counters: Counters, plan: Plan, log: Log) -> list[Server | web.Server]:
    """Serve what the settings ask for, and give what is to be closed at the end."""
    metrics = show_metrics(desk.view, counters, plan.settings, log)
    page = web.serve(desk, plan.settings.daemon.web_port, log)
    if page is not None and plan.on_page is not None:
        plan.on_page(f"http://{web.ADDRESS}:{page.port}/")
    return [server for server in (metrics, page) if server is not None]


async def tell_status(notifier: Notifier, line: Callable[[], str]) -> None:
    """Keep systemd's status line the same as joectl's, until cancelled."""
    while True:
        notifier.status(line())
        await asyncio.sleep(STATUS_EVERY_S)
