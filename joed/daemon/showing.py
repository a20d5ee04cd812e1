"""What a running joed shows by itself: metrics and the page, each from a thread of its own; systemd's status line."""

import asyncio
import platform
from collections.abc import Callable, Mapping, Sized

from joed.daemon.alerts import Alerter
from joed.daemon.clock import stopwatch_ns
from joed.daemon.control import Control
from joed.daemon.counters import Counters, GcWatch
from joed.daemon.desk import Desk
from joed.daemon.log import Log
from joed.daemon.metrics import Page, Server, serve
from joed.daemon.plan import Plan
from joed.daemon.readings import Readings, Sources
from joed.daemon.systemd import Notifier
from joed.daemon.web import server as web
from joed.model.settings import Settings
from joed.model.view import View

STATUS_EVERY_S = 2.0


RESULTS = {403: "denied", 409: "refused", 410: "refused", 422: "refused", 429: "busy", 503: "busy"}
"""What an answer's status comes to for whoever counts; another below 500 is a request that cannot be understood."""
ANSWERS = ("ok", "refused", "denied", "busy", "unreadable", "failed")


def answers(counts: Mapping[tuple[str, int], int]) -> dict[str, int]:
    """Count the control socket's answers by what they come to."""
    found = dict.fromkeys(ANSWERS, 0)
    for (_, status), number in dict(counts).items():
        usual = "ok" if status < 300 else "unreadable" if status < 500 else "failed"
        found[RESULTS.get(status, usual)] += number
    return found


def kept(alerter: Alerter, control: Control, desk: Desk, intake: Sized) -> Readings:
    """Give the numbers that others keep; what waits in the intake as it is now, not as the last heartbeat found it."""
    return {
        "alert_deliveries_total": lambda: alerter.results,
        "ctl_requests_total": lambda: answers(control.counts),
        "ctl_watchers": lambda: control.watchers,
        "journal_bytes": desk.sizes,
        "queue_depth": lambda: len(intake),
    }


def show_metrics(
    view: Callable[[], View], counters: Counters, settings: Settings, log: Log, readings: Readings | None = None
) -> Server | None:
    """Serve metrics; None where the port is not to be had, and trading goes on without."""
    GcWatch(counters, stopwatch_ns).start()
    python = platform.python_version()
    daemon = settings.daemon
    sources = Sources(
        view,
        counters,
        readings or {},
        brokers=settings.brokers,
        python=python,
        log=log,
        money=daemon.metrics_money,
    )
    return serve(Page(sources, stopwatch_ns), daemon.metrics_port, log)


def show(
    desk: Desk, counters: Counters, plan: Plan, log: Log, readings: Readings | None = None
) -> list[Server | web.Server]:
    """Serve what the settings ask for, and give what is to be closed at the end."""
    metrics = show_metrics(desk.view, counters, plan.settings, log, readings)
    page = web.serve(desk, plan.settings.daemon.web_port, log)
    if page is not None and plan.on_page is not None:
        plan.on_page(f"http://{web.ADDRESS}:{page.port}/")
    return [server for server in (metrics, page) if server is not None]


async def tell_status(notifier: Notifier, line: Callable[[], str]) -> None:
    """Keep systemd's status line the same as joectl's, until cancelled."""
    while True:
        notifier.status(line())
        await asyncio.sleep(STATUS_EVERY_S)
