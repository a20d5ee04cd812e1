"""A real Prometheus beside a real joed: every panel shows something, what it shows is the record, and an alert arrives.

Needs Debian's packages `prometheus` and `prometheus-alertmanager`.
"""

import json
import signal
import sqlite3
import time
from contextlib import closing, suppress
from types import SimpleNamespace

import pytest

from tests.daemon.test_showing import free_port
from tests.demos import ROOT
from tests.faults.scene import until
from tests.packaging.watchers import JOB, Alertmanager, Prometheus, Sink
from tests.wired.test_alerts import Daemon
from tests.worlds import copied

BOARDS = sorted((ROOT / "packaging/grafana/dashboards").glob("*.json"))
RARE = {"Answer to a kill, p99"}
"""Quantiles of what has not happened yet: empty until somebody kills."""
RECORD = {
    'sum(joed_fills_total{side="buy"})': "SELECT count(*) FROM fills WHERE side = 'BUY'",
    'sum(joed_fills_total{side="sell"})': "SELECT count(*) FROM fills WHERE side = 'SELL'",
    'sum(joed_orders_total{state="armed"})': "SELECT count(*) FROM orders",
    'sum(joed_orders_total{state="filled"})': "SELECT count(*) FROM orders WHERE status = 'FILLED'",
    'sum(joed_orders_total{state="cancelled"})': "SELECT count(*) FROM orders WHERE status = 'CANCELLED'",
    "joed_trades_today": "SELECT count(*) FROM orders WHERE leg = 'E' AND filled > 0",
    "joed_equity_amount": "SELECT equity FROM equity ORDER BY seq DESC LIMIT 1",
    "joed_cash_amount": "SELECT cash FROM equity ORDER BY seq DESC LIMIT 1",
    "joed_pnl_realised_amount": "SELECT realised FROM equity ORDER BY seq DESC LIMIT 1",
    "joed_fees_day_amount": "SELECT fees FROM equity ORDER BY seq DESC LIMIT 1",
    "joed_commands_sent_total + joed_commands_dropped_total": (
        "SELECT count(*) FROM commands WHERE type IN ('SubmitOrder', 'AmendOrder', 'CancelOrder')"
    ),
}
"""What Prometheus has, and where the record says the same."""


PATIENCE, NONE = "fill_timeout_s: 120\n", "fill_timeout_s: 1\n"
IN_PARTS = "paper:\n  partial_share: 1.0\n"
"""All fills are parts: what has no time is cancelled and what has some is filled, on any machine."""
CANCELLED = "sum(increase(joed_order_cancel_seconds_count[15m])) > 0"
"""Holds where a cancel was timed."""

BUSY = "sum(joed_positions) > 0" + "".join(
    f" and on () sum(increase(joed_order_{what}_seconds_count[15m])) > 0" for what in ("ack", "fill", "cancel")
)
"""Holds where something is held, and where of each kind of duration one was seen."""


def seen(demo, more=""):
    """Have a demo show its metrics, with more configuration; give the port."""
    port = free_port()
    demo.config.write_text(demo.config.read_text().replace("metrics_port: 0", f"metrics_port: {port}") + more)
    return port


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """Give a demo that has traded and was then killed flat, and the Prometheus that watched it from the start.

    `held` is a moment at which positions were held, `ended` one after all were closed; `target` is what Prometheus then
    thought of joed, which has ended since.
    """
    folder = tmp_path_factory.mktemp("day")
    demo = Daemon(folder / "s", "--clock", "2026-09-01T13:20:00Z@300", "--confirm", "auto", "--seed", "7")
    prometheus = Prometheus(folder / "prometheus", seen(demo, NONE + IN_PARTS))
    try:
        begun = time.time()
        demo.start()
        prometheus.start()
        until(lambda: prometheus.query(CANCELLED), what="an order that was cancelled")
        demo.config.write_text(demo.config.read_text().replace(NONE, PATIENCE))
        demo.process.send_signal(signal.SIGHUP)
        until(lambda: prometheus.query(BUSY), what="a position, after orders that filled")
        held = time.time()
        assert demo.ask("kill", "--scope", "flatten", "--no-input", "--reason", "a test").code == 0
        until(lambda: prometheus.value("joed_kill_done") == 1, what="the kill's end")
        until(
            lambda: prometheus.query('ALERTS{alertname="JoedKillSwitchEngaged",alertstate="firing"}'), what="its alert"
        )
        with suppress(AssertionError):  # a test tells what differs
            until(lambda: differing(prometheus, demo) == {}, 20)
        target, ended = prometheus.ask("/api/v1/targets")["data"]["activeTargets"][0], time.time()
        demo.kill()
        yield SimpleNamespace(demo=demo, prometheus=prometheus, begun=begun, held=held, ended=ended, target=target)
    finally:
        prometheus.end()
        demo.kill()


def differing(prometheus, demo, at=None):
    """Give what Prometheus, at a moment, and the record say differently."""
    where = f"{demo.places.journal.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(where, uri=True)) as journal:
        told = {name: journal.execute(sql).fetchone() for name, sql in RECORD.items()}
    found = {name: (prometheus.value(name, at), float((row or [-1])[0])) for name, row in told.items()}
    return {name: both for name, both in found.items() if both[0] != pytest.approx(both[1])}


def filled_in(expression, prometheus):
    """Put Grafana's variables into an expression."""
    words = {"$job": JOB, "$instance": prometheus.instance, "$__rate_interval": "10s"}
    for name, value in words.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


def panels():
    """Give every panel's every query: its dashboard, its title, and the query."""
    boards = [(file.stem, json.loads(file.read_text())) for file in BOARDS]
    return [
        (stem, panel["title"], target)
        for stem, board in boards
        for panel in board["panels"]
        for target in panel["targets"]
    ]


def empty(day, at):
    """Give the panels of which a query had no number until this moment."""
    found = set()
    for stem, title, target in panels():
        expression = filled_in(target["expr"], day.prometheus)
        if target["instant"]:
            numbers = [value for _, value in day.prometheus.query(expression, at) if value == value]  # noqa: PLR0124 - NaN is not itself
        else:
            numbers = day.prometheus.points(expression, day.begun, at)
        if not numbers:
            found.add((stem, title))
    return found


def test_every_panel_of_all_dashboards_shows_something(day):
    """With positions held; what needs a kill has it afterwards."""
    assert len(BOARDS) == 5
    assert {title for _, title in empty(day, day.held)} <= RARE
    assert {row for row in empty(day, day.ended) if row[1] in RARE} == set()


def test_what_prometheus_saw_is_what_the_record_says(day):
    """Eleven values, from counters and gauges, against the journal's own views."""
    assert len(RECORD) >= 6
    assert differing(day.prometheus, day.demo, day.ended) == {}
    assert day.prometheus.value('sum(joed_fills_total{side="sell"})', day.ended) > 0
    assert day.prometheus.value("joed_equity_amount", day.ended) != 100_000


def test_sessions_starts_and_kills_are_drawn_behind_the_panels(day):
    """Each of a dashboard's annotations had its moment."""
    marks = json.loads(BOARDS[0].read_text())["annotations"]["list"]
    spans = {
        mark["name"]: day.prometheus.points(filled_in(mark["expr"], day.prometheus), day.begun, day.ended)
        for mark in marks
    }

    assert set(spans) == {"Sessions", "Starts", "Kills"}
    assert all(spans.values())


def test_a_dashboards_choices_find_this_joed(day):
    """The variables: the job, and the instances of it."""
    for label, chosen in (("job", JOB), ("instance", day.prometheus.instance)):
        found = day.prometheus.ask(f"/api/v1/label/{label}/values", **{"match[]": "joed_build_info"})
        assert found["data"] == [chosen]


def test_prometheus_reads_the_page_and_judges_the_rules(day):
    """No scrape failed, each rule is evaluated without error, and the kill is an alert that fires."""
    groups = day.prometheus.ask("/api/v1/rules")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]

    assert (day.target["health"], day.target["lastError"]) == ("up", "")
    assert {rule["name"]: rule["lastError"] for rule in rules if rule["health"] == "err"} == {}
    assert len([rule for rule in rules if rule["type"] == "alerting"]) >= 27
    fires = day.prometheus.query('ALERTS{alertname="JoedKillSwitchEngaged",alertstate="firing"}', day.ended)
    assert [labels["scope"] for labels, _ in fires] == ["flatten"]
    assert day.prometheus.value("joed_scrape_failures_total", day.ended) == 0
    assert 200 < day.prometheus.value(f'scrape_samples_scraped{{job="{JOB}"}}', day.ended) < 600


def protected(demo):
    """Wait until a demo holds a position with its stop."""
    demo.until(lambda shown: any(row["protected"] for row in shown["positions"]), 60)


def test_a_lost_stop_wakes_somebody_and_its_end_is_told(held_world, tmp_path):
    """From a real exchange's fault through real Prometheus and Alertmanager to a pager, and that it is over.

    The rules as they are shipped: the law allows 5 s; joed closes what cannot be given a stop after 15, by the clock on
    the wall, so that there are ten seconds in which who looks each second must see it.
    """
    demo = copied(held_world, tmp_path / "s", words=("--speed", "1", "--confirm", "auto", "--seed", 7))
    demo.program = ("-m", "tests.packaging.bare")
    sink = Sink()
    alertmanager = Alertmanager(tmp_path / "alertmanager", sink.port)
    prometheus = Prometheus(tmp_path / "prometheus", seen(demo), alertmanager.port)
    try:
        demo.start()
        alertmanager.start()
        prometheus.start()
        protected(demo)
        until(lambda: prometheus.value("sum(joed_positions_unprotected)") == 0, what="a protected position")
        assert sink.alerts("JoedUnprotectedPosition") == []

        (demo.root / "bare").touch()
        told = until(lambda: sink.alerts("JoedUnprotectedPosition"), what="the alert")
        over = until(lambda: [row for row in sink.alerts("JoedUnprotectedPosition") if row["status"] == "resolved"])

        assert [row["status"] for row in told] == ["firing"]
        assert told[0]["labels"]["severity"] == "critical"
        assert told[0]["labels"]["broker"] == "paper"
        assert "a position at paper has no working stop" in told[0]["annotations"]["summary"]
        assert over[0]["fingerprint"] == told[0]["fingerprint"]
        assert demo.status()["positions"] == []
    finally:
        prometheus.end()
        alertmanager.end()
        sink.end()
        demo.kill()
