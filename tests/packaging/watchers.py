"""Prometheus and Alertmanager as a test starts them: real ones, on loopback, in folders of their own."""

import json
import math
import subprocess
import threading
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

from tests.daemon.test_showing import free_port
from tests.demos import ROOT
from tests.faults.scene import until

RULES = ROOT / "packaging/prometheus/joed.rules.yml"
ROUTES = ROOT / "packaging/prometheus/alertmanager.yml"
JOB = "joed"
START_S = 30.0


class Program:
    """A program that answers HTTP on a port of its own."""

    def __init__(self, folder, name, ready):
        """Have nothing run yet; `ready` is the path that answers once it does."""
        self.folder, self.name, self.port = folder, name, free_port()
        self._ready = ready
        self._process = None
        self.folder.mkdir(parents=True)

    def begin(self, *words):
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen([self.name, *map(str, words)], stdout=log, stderr=log, cwd=self.folder)
        until(self._answers, START_S, f"{self.name} ({(self.folder / 'log').read_text()[-500:]})")
        return self

    def _answers(self):
        assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{self._ready}", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def end(self):
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def ask(self, path, **words):
        """Give the JSON that it answers with."""
        query = urllib.parse.urlencode(words)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}?{query}", timeout=20) as answer:
            return json.load(answer)


class Prometheus(Program):
    """One that looks at one joed each second, with the rules as they are shipped."""

    def __init__(self, folder, target, alertmanager=None):
        super().__init__(folder, "prometheus", "/-/ready")
        self.instance = f"127.0.0.1:{target}"
        routes = [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}] if alertmanager else []
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "alerting": {"alertmanagers": routes},
            "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": [self.instance]}]}],
        }
        self.config = folder / "prometheus.yml"
        self.config.write_text(yaml.safe_dump(config))

    def start(self):
        """Start it."""
        where = ("--config.file", self.config, "--storage.tsdb.path", self.folder / "data")
        return self.begin(*where, f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn")

    def query(self, expression, at=None):
        """Give the series of an expression, each with its labels and its value."""
        words = {"query": expression} | ({"time": at} if at else {})
        found = self.ask("/api/v1/query", **words)["data"]["result"]
        return [(row["metric"], float(row["value"][1])) for row in found]

    def value(self, expression, at=None):
        """Give the one value of an expression, None where there is none."""
        found = self.query(expression, at)
        return found[0][1] if len(found) == 1 else None

    def points(self, expression, begin, end):
        """Give all finite values of an expression over a while, a second apart, the last one at its very end."""
        begin = end - int(end - begin)
        found = self.ask("/api/v1/query_range", query=expression, start=begin, end=end, step=1)["data"]["result"]
        values = [float(value) for row in found for _, value in row["values"]]
        return [value for value in values if math.isfinite(value)]


class Alertmanager(Program):
    """One with the routes as they are shipped, in a hurry, whose messages come to a sink."""

    def __init__(self, folder, sink):
        super().__init__(folder, "prometheus-alertmanager", "/-/ready")
        routes = yaml.safe_load(ROUTES.read_text().replace("127.0.0.1:9099", f"127.0.0.1:{sink}"))
        routes["route"] |= {"group_wait": "0s", "group_interval": "1s"}
        self.config = folder / "alertmanager.yml"
        self.config.write_text(yaml.safe_dump(routes))

    def start(self):
        """Start it."""
        where = ("--config.file", self.config, "--storage.path", self.folder / "data")
        return self.begin(
            *where, f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=", "--log.level=warn"
        )


class Sink:
    """Where webhooks arrive: what came, and at which path."""

    def __init__(self):
        self.came = came = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                """Keep it."""
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                came.append((self.path, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *words):
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def alerts(self, name, path="/pager"):
        """Give the alerts of this name that came to a path, each as it was told."""
        bodies = [body for where, body in list(self.came) if where == path]
        return [alert for body in bodies for alert in body["alerts"] if alert["labels"]["alertname"] == name]

    def end(self):
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
