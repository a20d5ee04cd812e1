"""An alert from inside the service's sandbox: its address by LoadCredential, its process as confined as joed."""

import json

import pytest

from tests.systemd.machine import PYTHON, wait_for
from tests.systemd.test_life import UNIT

CANARY = "CANARY7q9z"
SINK = """\
import http.server, json

class Sink(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        with open("/run/sink.json", "ab") as file:
            file.write(body + b"\\n")

http.server.HTTPServer(("127.0.0.1", 9500), Sink).serve_forever()
"""


@pytest.fixture
def sink(machine):
    """Give what makes a web service inside the machine hear alerts; all of it ends with the test."""
    machine.write("/run/sink.py", SINK)
    machine.write("/etc/systemd/system/joed-sink.service", f"[Service]\nExecStart={PYTHON} /run/sink.py\n")
    machine.write("/etc/joed/credentials/alert-phone", f"json://127.0.0.1:9500/{CANARY}", 0o600)
    machine.write("/etc/joed/alerts.yaml", "channels: {phone: {credential: alert-phone}}\n")
    machine.ask("systemctl", "daemon-reload")
    machine.ask("systemctl", "start", "joed-sink.service")
    yield machine
    machine.ask("systemctl", "stop", "joed-sink.service")
    left = ("/etc/joed/alerts.yaml", "/etc/joed/credentials/alert-phone", "/etc/systemd/system/joed-sink.service")
    machine.ask("rm", "-f", "/run/sink.json", "/run/sink.py", *left)


def test_a_test_of_a_channel_leaves_the_sandbox_and_its_address_stays_in_it(sink):
    """No right of the service is missing for apprise, and none of its address is in the journal or in an answer."""
    sink.ask("systemctl", "start", UNIT)

    def taken():
        return sink.ask("joectl", "alerts", "test", "phone", check=False)

    wait_for(lambda: taken().returncode == 0, "the channel takes a test", 40, lambda: str(taken()))

    [first, *_] = sink.ask("cat", "/run/sink.json").stdout.splitlines()
    assert json.loads(first)["title"] == "joed paper: test"
    shown = sink.ask("joectl", "alerts", "--json").stdout + sink.journal(UNIT)
    assert CANARY not in shown
