"""Metrics for Prometheus, on a thread of its own: it reads what the loop leaves behind and never makes the loop wait.

A loop that hangs does not keep the scrape from its answer: the heartbeat's timestamp in it goes stale, and that is what
an alert looks at.
"""

import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from itertools import accumulate
from socket import SHUT_RDWR
from socketserver import TCPServer
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)

from joed.daemon.catalogue import CATALOGUE, PRIVATE, Row
from joed.daemon.counters import Buckets
from joed.daemon.log import Log
from joed.daemon.readings import Sources
from joed.model.values import SECOND
from joed.model.view import View

ADDRESS = "127.0.0.1"
HOSTS = frozenset({"127.0.0.1", "localhost"})
"""The names under which we answer: a web page that makes its own name lead here learns nothing."""
CACHE_NS = SECOND
CLIENT_WAIT_S = 5.0
RETRY_S = 0.5
HINT = "give this joed a daemon.%s_port of its own, or 0 for none, and restart it"

FAMILIES: dict[str, Any] = {
    "gauge": GaugeMetricFamily,
    "counter": CounterMetricFamily,
    "histogram": HistogramMetricFamily,
    "enum": StateSetMetricFamily,
    "info": InfoMetricFamily,
}


class Collector:
    """Turns the catalogue into what prometheus_client writes; a row that fails is left out and counted."""

    def __init__(self, sources: Sources) -> None:
        self.failures = 0
        self._sources = sources
        self._rows = [row for row in CATALOGUE if sources.money or row.name not in PRIVATE]

    def collect(self) -> Iterator[Metric]:
        """Give all metrics as they are now."""
        view = self._sources.view()
        for row in self._rows:
            try:
                yield _family(row, self._sources, view)
            except Exception:  # noqa: BLE001 - one row that cannot be read must not hide all the others
                self.failures += 1
        yield CounterMetricFamily("joed_scrape_failures", "rows that could not be read", value=self.failures)


def _family(row: Row, sources: Sources, view: View) -> Metric:
    """Give one row with all its series."""
    family = FAMILIES[row.type](f"joed_{row.name}", row.help, labels=row.labels)
    for labels, value in row.read(sources, view):
        if isinstance(value, Buckets):
            family.add_metric(labels, *_cumulated(value))
        else:
            family.add_metric(labels, value)
    assert isinstance(family, Metric)
    return family


def _cumulated(found: Buckets) -> tuple[list[tuple[str, float]], float]:
    """Give buckets as Prometheus counts them, each with all below it, and the sum of all observations."""
    total = found.total  # before the counts: a sum that lags misleads less than a count that does
    bounds = [*map(str, found.bounds), "+Inf"]
    return list(zip(bounds, accumulate(list(found.counts)), strict=True)), total


class Page:
    """The page of all metrics, made at most once a second however many ask."""

    def __init__(self, sources: Sources, stopwatch_ns: Callable[[], int]) -> None:
        self._stopwatch_ns = stopwatch_ns
        self._made: dict[str, tuple[int, bytes]] = {}
        self._render_s = 0.0
        self._registry = CollectorRegistry()
        self._registry.register(Collector(sources))
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def collect(self) -> Iterator[Metric]:
        """Give what making the last page cost."""
        yield GaugeMetricFamily("joed_scrape_render_seconds", "the time the last page took", value=self._render_s)

    def text(self, accept: str) -> tuple[str, bytes]:
        """Give the content type that this Accept header asks for, and the page."""
        encode, content_type = choose_encoder(accept)
        now = self._stopwatch_ns()
        made = self._made.get(content_type)
        if made is None or now - made[0] >= CACHE_NS:
            made = self._made[content_type] = (now, encode(self._registry))
            self._render_s = (self._stopwatch_ns() - now) / SECOND
        return content_type, made[1]


class Server:
    """The port on this machine where Prometheus asks; one request at a time, each within a bounded time."""

    def __init__(self, page: Page, port: int) -> None:
        self._server = _Listening((ADDRESS, port), _handler(page))
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._server.closing.set()
        self._server.socket.shutdown(SHUT_RDWR)  # this wakes the thread: it needs no clock of its own
        self._thread.join(CLIENT_WAIT_S)
        self._server.server_close()

    def _run(self) -> None:
        while not self._server.closing.is_set():
            self._server.handle_request()


def serve(page: Page, port: int, log: Log) -> Server | None:
    """Serve metrics on this port; None, with a line in the log, where it is 0 or taken: trading goes on without."""
    if port == 0:
        log.info("metrics_off", reason="daemon.metrics_port is 0")
        return None
    try:
        server = Server(page, port)
    except OSError as error:
        log.warning("metrics_unavailable", address=ADDRESS, port=port, reason=error.strerror, hint=HINT % "metrics")
        return None
    log.info("metrics_ready", address=ADDRESS, port=server.port)
    return server


class _Listening(TCPServer):
    """A plain TCP server: http.server's own would ask the resolver for our name before it listens."""

    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.closing = threading.Event()
        super().__init__(address, handler)

    def get_request(self) -> tuple[Any, Any]:
        """Take a client; where that fails (no descriptor is left), wait before the next try."""
        try:
            return super().get_request()
        except OSError:
            self.closing.wait(RETRY_S)
            raise

    def handle_error(self, request: object, client_address: object) -> None:
        """Forget a client that went away or made no sense."""


def _handler(page: Page) -> type[BaseHTTPRequestHandler]:
    """Give the class that answers with this page."""

    class Handler(BaseHTTPRequestHandler):
        timeout = CLIENT_WAIT_S
        server_version = "joed"
        sys_version = ""

        def do_GET(self) -> None:
            """Answer one request."""
            status, content_type, body = _answer(page, self.path, dict(self.headers.items()))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Say nothing: a scrape is no event."""

    return Handler


def _answer(page: Page, path: str, headers: dict[str, str]) -> tuple[HTTPStatus, str, bytes]:
    """Give status, content type and body."""
    asked = {name.lower(): value for name, value in headers.items()}
    if "origin" in asked or asked.get("host", ADDRESS).partition(":")[0] not in HOSTS:
        return HTTPStatus.FORBIDDEN, "text/plain", b"ask on 127.0.0.1, and not from a web page\n"
    if path.partition("?")[0] != "/metrics":
        return HTTPStatus.NOT_FOUND, "text/plain", b"the metrics are at /metrics\n"
    content_type, body = page.text(asked.get("accept", ""))
    return HTTPStatus.OK, content_type, body
