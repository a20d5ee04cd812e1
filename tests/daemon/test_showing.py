"""What a running joed shows by itself."""

import asyncio
import gc
import os
import socket
import urllib.request

from joed.daemon.alerts import RESULTS, Alerter
from joed.daemon.catalogue import CATALOGUE
from joed.daemon.counters import Counters
from joed.daemon.log import Log
from joed.daemon.showing import ANSWERS, answers, kept, show, show_metrics, tell_status
from joed.daemon.systemd import Notifier
from joed.engine.view import view
from joed.model.settings import Daemon, Settings
from tests.engine.build import trading_state


def free_port():
    """Give a port that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def quiet_log():
    """Give a log that nobody reads."""
    return Log("json", lambda: 0, descriptor=os.open(os.devnull, os.O_WRONLY))


def test_metrics_are_served_on_the_port_that_the_settings_name():
    """What is shown is the View and the counters."""
    shown, port = view(trading_state()), free_port()
    server = show_metrics(lambda: shown, Counters(), Settings(daemon=Daemon(metrics_port=port)), quiet_log())
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert b"joed_" in answer.read()
    finally:
        server.close()
        gc.callbacks.clear()


def test_sums_are_served_unless_the_settings_keep_them_back():
    """`metrics_money` reaches the page; the rest of it stays."""
    for money in (True, False):
        shown, port = view(trading_state()), free_port()
        settings = Settings(daemon=Daemon(metrics_port=port, metrics_money=money))
        server = show_metrics(lambda shown=shown: shown, Counters(), settings, quiet_log())
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                page = answer.read()
        finally:
            server.close()
            gc.callbacks.clear()
        assert (b"joed_equity_amount" in page, b"joed_positions{" in page) == (money, True)


def test_no_port_is_no_server():
    """Port 0 is off."""
    shown = view(trading_state())

    assert show_metrics(lambda: shown, Counters(), Settings(daemon=Daemon(metrics_port=0)), quiet_log()) is None
    gc.callbacks.clear()


def test_answers_are_counted_by_what_they_come_to():
    """Every status has its place, and each place is there from the start."""
    counts = {
        ("status", 200): 5,
        ("kill", 202): 1,
        ("confirm", 409): 2,
        ("pause", 403): 1,
        ("run", 429): 4,
        ("", 400): 3,
    }
    found = answers({**counts, ("watch", 503): 1, ("why", 404): 1, ("ack", 504): 1, ("reload", 422): 1})

    assert found == {"ok": 6, "refused": 3, "denied": 1, "busy": 5, "unreadable": 4, "failed": 1}
    assert answers({}) == dict.fromkeys(ANSWERS, 0)


def test_what_others_keep_is_in_the_catalogue_and_whole_from_the_start():
    """Alerts by result, the socket's answers, who watches, the journal's bytes."""

    class Socket:
        counts, watchers = {("status", 200): 1}, 2

    intake = ["an event"]
    found = kept(Alerter(Settings().alerts, quiet_log()), Socket(), Desk(), intake)
    intake.append("another")

    assert set(found) <= {row.name for row in CATALOGUE}
    assert dict(found["alert_deliveries_total"]()) == dict.fromkeys(RESULTS, 0)
    assert found["ctl_requests_total"]()["ok"] == 1
    assert found["ctl_watchers"]() == 2
    assert found["journal_bytes"]() == {"db": 7, "wal": 0}
    assert found["queue_depth"]() == 2


class Planned:
    """A plan, as far as what is shown looks at it."""

    def __init__(self, **ports):
        self.settings, self.pages = Settings(daemon=Daemon(**ports)), []
        self.on_page = self.pages.append


class Desk:
    """A desk, as far as what is shown looks at it."""

    def view(self):
        """Give a View."""
        return view(trading_state())

    def hurry(self):
        """Have nothing to hurry."""

    def sizes(self):
        """Give the journal's bytes."""
        return {"db": 7, "wal": 0}

    def marks(self, session):
        """Give none: nothing was before."""
        return ()

    def recent(self):
        """Give no record."""
        return []


def test_the_page_is_served_where_the_settings_say_and_somebody_hears_where():
    """Beside the metrics; what is served is given, to be closed."""
    port = free_port()
    plan = Planned(metrics_port=0, web_port=port)
    servers = show(Desk(), Counters(), plan, quiet_log())
    try:
        assert plan.pages == [f"http://127.0.0.1:{port}/"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            assert b"joed" in answer.read()
    finally:
        for server in servers:
            server.close()
        gc.callbacks.clear()


def test_where_nothing_is_asked_for_nothing_is_served():
    """A port of 0 is off, and nobody is told of a page that is not there."""
    plan = Planned(metrics_port=0)

    assert show(Desk(), Counters(), plan, quiet_log()) == []
    assert plan.pages == []
    gc.callbacks.clear()


async def test_systemd_shows_the_line_that_joectl_shows(tmp_path, monkeypatch):
    """Sent again only where it has changed."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notifier = Notifier()
        telling = asyncio.ensure_future(tell_status(notifier, lambda: "TRADING"))
        assert await asyncio.to_thread(manager.recv, 100) == b"STATUS=TRADING"
        telling.cancel()
        notifier.close()
