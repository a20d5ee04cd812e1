"""joed.daemon.metrics: a page that Prometheus reads, served beside the loop and never in its way."""

import http.client
import os
import re
import socket
import threading
from decimal import Decimal
from itertools import count
from socketserver import TCPServer

import pytest
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from joed.daemon import metrics
from joed.daemon.counters import Counters
from joed.daemon.log import Log
from joed.daemon.metrics import Page, Server, serve
from joed.daemon.readings import Sources
from joed.engine.view import view
from joed.model.state import State
from joed.model.values import SECOND, Severity
from joed.model.view import Need
from tests.daemon.serving import state_of_a_day
from tests.daemon.users import as_user
from tests.faults.measure import Attack

SEEN = view(State())


def still():
    """Give a stopwatch that stands still."""
    return 0


@pytest.fixture
def sources():
    """Give sources with three brokers, where nothing has happened."""
    return Sources(lambda: SEEN, brokers=("paper", "ibkr", "capital"), python="3.11.7")


@pytest.fixture
def port(sources):
    """Serve them, and give the port."""
    server = Server(Page(sources, still), 0)
    yield server.port
    server.close()


def samples(page):
    """Give every sample of a page: (name, its labels) -> value."""
    text = page.text("")[1].decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def ask(port, path="/metrics", **headers):
    """Give status, content type and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.headers["Content-Type"], answer.read().decode()
    connection.close()
    return found


def test_the_page_reads_as_prometheus_reads_it_and_stays_small(sources):
    """Fewer than 600 series, none of them `_created`, all of joed's with its prefix, and those of the process."""
    found = samples(Page(sources, still))
    names = {name for name, *_ in found}

    assert 200 < len(found) < 600
    assert not any(name.endswith("_created") for name in names)
    assert all(name.startswith(("joed_", "process_", "python_gc_")) for name in names)
    assert {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"} <= names
    assert found["joed_scrape_failures_total",] == 0


def test_types_and_help_are_those_of_the_catalogue(sources):
    """What dashboards are made from."""
    text = Page(sources, still).text("")[1].decode()

    for row in metrics.CATALOGUE:
        name = f"joed_{row.name}_info" if row.type == "info" else f"joed_{row.name}"
        assert f"# HELP {name} {row.help}\n" in text
        kind = {"enum": "gauge", "info": "gauge"}.get(row.type, row.type)
        assert f"# TYPE {name} {kind}\n" in text


def test_a_histogram_counts_upward_with_its_sum(sources):
    """Each bucket holds all below it; +Inf is the count."""
    for seconds in (0.0001, 0.002, 0.002, 5.0):
        sources.counters.commit.observe(seconds)

    found = samples(Page(sources, still))

    bucket = "joed_wal_commit_seconds_bucket"
    assert found[bucket, ("le", "0.0001")] == 1
    assert found[bucket, ("le", "0.0025")] == 3
    assert found[bucket, ("le", "1.0")] == 3
    assert found[bucket, ("le", "+Inf")] == found["joed_wal_commit_seconds_count",] == 4
    assert found["joed_wal_commit_seconds_sum",] == pytest.approx(5.0041)


def test_a_page_is_made_at_most_once_a_second(sources):
    """Twenty scrapers cost what one does; each format is a page of its own."""
    ticks = count()
    seconds = [0.0]
    made = []

    def shown():
        made.append(next(ticks))
        return SEEN

    page = Page(Sources(shown), lambda: int(seconds[0] * SECOND))
    made.clear()  # registering describes itself by collecting once
    first = page.text("")
    seconds[0] = 0.999
    assert page.text("") is not None
    assert page.text("") == first
    assert len(made) == 1
    seconds[0] = 1.0
    page.text("")
    assert len(made) == 2
    page.text("application/openmetrics-text; version=1.0.0")
    assert len(made) == 3


def test_openmetrics_is_spoken_to_who_asks_for_it(port):
    """Prometheus asks for it; both are whole."""
    status, kind, body = ask(port, Accept="application/openmetrics-text; version=1.0.0; charset=utf-8")

    assert status == 200
    assert kind.startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")
    assert "# TYPE joed_mode stateset" in body


def test_what_making_the_page_costs_is_on_the_next_one(sources):
    """A scrape that grows slow is seen."""
    ticks = count(0, SECOND // 2)
    page = Page(sources, lambda: next(ticks))
    page.text("")
    page.text("")

    assert samples(page)["joed_scrape_render_seconds",] == 0.5


def test_a_row_that_cannot_be_read_hides_no_other(sources):
    """The scrape goes on without it, and says so."""
    sources.readings["queue_depth"] = lambda: 1 // 0

    found = samples(Page(sources, still))

    assert ("joed_queue_depth",) not in found
    assert found["joed_scrape_failures_total",] >= 1
    assert ("joed_mode", ("joed_mode", "paper")) in found


def test_each_scrape_sees_the_view_of_its_moment(sources):
    """The loop swaps the View; nobody locks anything."""
    seconds = [0]
    page = Page(sources, lambda: seconds[0] * SECOND)
    before = samples(page)
    sources.view = lambda: replace(SEEN, paused=True, needs=(Need(Severity.CRITICAL, "unprotected", "A"),))
    sources.counters.events["OrderFilled"] += 2
    sources.counters.fills["ibkr", "sell"] = 1
    seconds[0] = 5
    after = samples(page)

    assert (before["joed_paused",], after["joed_paused",]) == (0, 1)
    assert after["joed_needs", ("severity", "critical")] == 1
    assert after["joed_events_total", ("kind", "OrderFilled")] == 2
    assert after["joed_fills_total", ("broker", "ibkr"), ("side", "sell")] == 1
    assert after["joed_fills_total", ("broker", "ibkr"), ("side", "buy")] == 0


def test_the_port_answers_for_metrics_and_for_nothing_else(port):
    """One path, one method; what is asked wrongly is told where to ask."""
    status, kind, body = ask(port)

    assert status == 200
    assert kind.startswith("text/plain; version=")
    assert "joed_mode" in body
    assert ask(port, "/")[::2] == (404, "the metrics are at /metrics\n")
    assert ask(port, "/metrics?name=joed_mode")[0] == 200


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example:9464"}, {"Host": "127.0.0.1.evil.example"}, {"Origin": "http://evil.example"}]
)
def test_a_web_page_learns_nothing(port, headers):
    """A name of its own that leads to 127.0.0.1 does not make a page one of us: equity is nobody's business."""
    status, _, body = ask(port, **headers)

    assert status == 403
    assert "joed_" not in body


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:9464", "localhost", "127.0.0.1"])
def test_our_own_names_are_answered_with_any_port(port, host):
    """Through a tunnel the port differs."""
    assert ask(port, Host=host)[0] == 200


def test_a_method_that_changes_things_is_refused(port):
    """There is nothing to change here."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/metrics", body=b"x")

    assert connection.getresponse().status == 501
    connection.close()


def test_nonsense_and_a_client_that_leaves_do_no_harm(port, capsys):
    """The next one is answered, and nothing is written to the terminal."""
    for data in (b"\x00\xff\n\n", b"GET\r\n\r\n", b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(data)

    assert ask(port)[0] == 200
    assert capsys.readouterr() == ("", "")


def test_a_client_that_says_nothing_holds_the_port_for_a_bounded_time_only(port, monkeypatch, sources):
    """The next one waits until then, and is answered."""
    monkeypatch.setattr(metrics, "CLIENT_WAIT_S", 0.1)
    server = Server(Page(sources, still), 0)
    with socket.create_connection(("127.0.0.1", server.port)):
        assert ask(server.port)[0] == 200
    server.close()


def test_a_process_without_descriptors_waits_before_it_tries_again(sources, monkeypatch):
    """An accept that fails at once must not become a busy loop; the wait ends early when the daemon does."""
    server = metrics._Listening(("127.0.0.1", 0), metrics._handler(Page(sources, still)))
    server.closing = Waits()
    monkeypatch.setattr(TCPServer, "get_request", no_descriptors)

    with pytest.raises(OSError, match="Too many"):
        server.get_request()

    assert server.closing.waited == [metrics.RETRY_S]
    server.server_close()


class Waits:
    """An event that notes how long it was waited for."""

    def __init__(self):
        self.waited = []

    def wait(self, timeout):
        """Note it."""
        self.waited.append(timeout)


def no_descriptors(_):
    """Fail as accept does."""
    raise OSError(24, "Too many open files")


class Words:
    """A log that keeps what is said."""

    def __init__(self):
        self.said = []

    def info(self, event, **fields):
        """Keep it."""
        self.said.append(("info", event, fields))

    def warning(self, event, **fields):
        """Keep it."""
        self.said.append(("warning", event, fields))


def test_a_taken_port_is_a_warning_and_nothing_more(sources):
    """Trading goes on without metrics."""
    words = Words()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert serve(Page(sources, still), port, words) is None

    ((level, event, fields),) = words.said
    assert (level, event, fields["port"]) == ("warning", "metrics_unavailable", port)
    assert re.search("in use", fields["reason"])
    assert "a daemon.metrics_port of its own" in fields["hint"]


def test_port_nought_serves_none_and_says_so(sources):
    """As the settings have it."""
    words = Words()

    assert serve(Page(sources, still), 0, words) is None
    assert words.said == [("info", "metrics_off", {"reason": "daemon.metrics_port is 0"})]


def test_a_free_port_is_served_and_can_be_taken_again_after_the_end(sources):
    """A restart finds it free."""
    words = Words()
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    for _ in range(2):
        server = serve(Page(sources, still), port, words)
        assert ask(port)[0] == 200
        server.close()

    assert {event for _, event, _ in words.said} == {"metrics_ready"}


def test_a_scrape_while_the_counters_run_reads_true_numbers(tmp_path):
    """The loop counts on while the page is made: each value is one that was."""
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    log = Log("journald", still, descriptor=file)
    counters = Counters()
    sources = Sources(lambda: SEEN, counters, {"ctl_requests_total": lambda: asked}, log=log)
    asked = {}
    ended = threading.Event()

    def run():
        at = 0
        while not ended.is_set():
            at += 1
            counters.events["Quote"] += 1
            counters.commit.observe(0.001)
            asked["status", at % 1000] = at
            log.info("line")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ticks = count(0, 2 * SECOND)
    page = Page(sources, lambda: next(ticks))
    values = [samples(page) for _ in range(10)]
    ended.set()
    thread.join(10)
    log.close(10)
    os.close(file)

    quotes = [value["joed_events_total", ("kind", "Quote")] for value in values]
    assert quotes == sorted(quotes)
    assert all(value["joed_scrape_failures_total",] == 0 for value in values)


ODD = ("a\n# HELP joed_up x", 'a",x="b', "a\\", "a\r\njoed_up 1", "\u2028", "é{}")


def holding_of(names):
    """Give a View that holds one of each of these, long, in an account."""
    (row,) = view(state_of_a_day()).positions
    return replace(SEEN, account="U1234567", positions=tuple(replace(row, instrument=name) for name in names))


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_a_label_that_would_break_out_is_a_label(accept):
    """Line ends, quotes and backslashes come back as they went in: no word of outside becomes a series (S27)."""
    shown = holding_of(ODD)
    server = Server(Page(Sources(lambda: shown), still), 0)
    attack = Attack("S27")
    status, _, body = ask(server.port, Accept=accept)
    attack.refused()
    shown = holding_of(["AAPL"])
    assert ask(server.port)[0] == 200
    attack.answered()
    server.close()

    read = openmetrics if accept else text_string_to_metric_families
    found = [sample for family in read(body) for sample in family.samples]
    symbols = {sample.labels["symbol"] for sample in found if sample.name == "joed_position_quantity"}
    assert (status, symbols) == (200, {*ODD, "other"})
    assert "joed_up" not in {sample.name for sample in found}


@pytest.mark.needs_root
@pytest.mark.parametrize(("money", "symbols"), [(True, 51), (False, 0)])
def test_who_scrapes_learns_no_account_and_what_the_settings_let_out(money, symbols):
    """The port is every user's of this machine: the account is on it never, sums and names as is asked for (S26).

    Of names there are fifty and the others' sum at most; with `metrics_money: false` neither they nor any sum.
    """
    shown = replace(holding_of([f"S{number}" for number in range(60)]), equity=Decimal("98765.43"))
    server = Server(Page(Sources(lambda: shown, money=money), still), 0)
    attack = Attack("S26")

    def scrape():
        return ask(server.port)[2].encode()

    body = as_user(65534, scrape).decode()
    attack.refused()
    assert ask(server.port)[0] == 200
    attack.answered()
    server.close()

    series = [line for line in body.splitlines() if line.startswith("joed_position_quantity{")]
    assert len(series) == symbols
    assert "U1234567" not in body
    assert ("98765.43" in body, "_amount{" in body, "joed_limit_value" in body) == (money, money, money)
    assert "joed_limit_utilisation_ratio{" in body
