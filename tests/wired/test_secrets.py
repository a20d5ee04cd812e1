"""Canary secrets through every path of a real joed, before a Capital.com that tells back what it was sent (S35)."""

import base64
import json
import re
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from joectl.client import Failure, look
from joed.daemon.clock import boot_ns
from joed.daemon.reads import READS
from joed.protocol import find
from tests.daemon.serving import request
from tests.demos import joed
from tests.joectl.running import environment
from tests.wired.house import AT_CAPITAL, AT_CAPITAL_ACCOUNT, SECRETS, House

HOOK, WATCH = "Canary-hook-0099", "Canary-watch-0077"
CANARIES = {
    **SECRETS,
    "summary_key": "sk-canary/0451+words",
    "alert-phone": f"json://127.0.0.1:9/{HOOK}",
    "alert-watch": f"http://127.0.0.1:9/{WATCH}",
}
TOKENS = ("CST00000", "XST00000")
"""How the fake's session tokens begin; the one file that may hold them is this:"""
KEPT_IN = "capital-tokens.json"
OTHER_PASSWORD = "Another-canary-of-9"
CONFIG = """\
brokers: [capital]
account: "%(account)s"
daemon: {metrics_port: %(metrics)s, web_port: %(page)s, ballast_mb: 0}
history: {pace_s: 0}
alerts:
  command: [/bin/sh, -c, 'env >> %(told)s; echo "$@" >> %(told)s', told]
  channels: {phone: {credential: alert-phone, at_least: critical}}
  dead_man: {credential: alert-watch, every_s: 5}
capital:
  rest_url: "http://127.0.0.1:%(port)s"
  stream_url: "ws://127.0.0.1:%(port)s"
  connect_timeout_s: 50
  request_timeout_s: 100
index: SPX
vix: {instrument: BTCUSD}
universe:
  SPX: {broker: capital, kind: index, calendar: FX_24X5, tradable: false, epic: US500}
  BTCUSD: {broker: capital, kind: index, calendar: FX_24X5, tradable: false}
"""
FAULTS = """\
0 echo GET /positions 1
15 echo GET /positions 2
40 revoke
41 cut
"""
SPEED = 10


def free_port():
    """Give a port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


class Vault(House):
    """A Capital.com that answers with what it was sent, and a joed there whose every credential is a canary."""

    def __init__(self, root):
        self.root, self.state, self.log = root, root / "s", root / "log"
        self.clock, self.base_ns = f"2026-09-01T14:00:00Z@{SPEED}", boot_ns()
        self.process, self.tws, self.heard = None, None, []
        self.metrics, self.page = free_port(), free_port()
        (root / "faults").write_text(FAULTS)
        self.capital, port = self.fake("capital", "--faults", root / "faults")
        words = {"account": AT_CAPITAL_ACCOUNT, "metrics": self.metrics, "page": self.page, "port": port}
        self.config = root / "joed.yaml"
        self.config.write_text(CONFIG % {**words, "told": root / "told"} + AT_CAPITAL)
        self.env = {"CREDENTIALS_DIRECTORY": str(root / "secrets"), "PYTHONFAULTHANDLER": "1"}
        (root / "secrets").mkdir(mode=0o700)
        (root / "here").mkdir()
        for name, secret in CANARIES.items():
            self.plant(name, secret)

    def plant(self, name, secret):
        """Write a credential."""
        path = self.root / "secrets" / name
        path.write_text(secret)
        path.chmod(0o600)

    def status(self):
        """Give the status without a process each time, None while nobody answers."""
        try:
            return look(find({}, "", str(self.state)), "status", 5.0).body
        except Failure:
            return None

    def start(self):
        """Start joed where a core would be seen, and let it leave one."""
        words = ["--daemon", "--config", self.config, "--state-dir", self.state, "--log-format", "json"]
        words += ["--clock", f"{self.clock}@{self.base_ns}"]
        command = [sys.executable, "-m", "joed", *map(str, words)]
        where = environment(TMPDIR="/tmp", **self.env)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=where, stdout=log, stderr=log, cwd=self.root / "here")
        _, most = resource.prlimit(self.process.pid, resource.RLIMIT_CORE)
        resource.prlimit(self.process.pid, resource.RLIMIT_CORE, (most, most))

    def hear(self, what, data):
        """Keep what somebody was told."""
        self.heard.append((what, data if isinstance(data, bytes) else data.encode()))

    def ask_everything(self):
        """Ask each verb that only looks, the page and the metrics; look at each process as root could."""
        paths = [f"/v1/{verb}" for verb in READS] + ["/v1/why/EURUSD"]
        for path in paths:
            self.hear(path, answer(self.state / "run" / "control.sock", path))
        for port, path in ((self.metrics, "/metrics"), (self.page, "/view.json"), (self.page, "/curves.json")):
            with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as page:
                self.hear(path, page.read())
        pid = self.process.pid
        for one in (str(pid), *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
            for name in ("cmdline", "environ", "status"):
                self.hear(f"/proc/{name}", Path(f"/proc/{one}/{name}").read_bytes())

    def run(self, *words):
        """Run another mode of joed to its end, and keep what it said."""
        done = joed(*words, "--config", self.config, "--state-dir", self.state, env=self.env)
        self.hear(words[0], done.stdout + done.stderr)
        return done

    def leaks(self, secrets, *, but=()):
        """Name what was told, and each file below us, that has a secret in any form."""
        folders = (self.state, self.root / "here")
        files = [file for folder in folders for file in folder.rglob("*") if file.is_file() and file.name not in but]
        files += [self.log, self.root / "told"]
        told = self.heard + [(str(file), file.read_bytes()) for file in files]
        forms = {form for secret in secrets for form in written(secret)}
        whole = [(what, data + b" " + squeezed(data)) for what, data in told]
        return [what for what, data in whole if any(form in data for form in forms)]


def answer(path, asked):
    """Ask on the control socket; of a stream what comes until half a second is silent."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
        wire.settimeout(30)
        wire.connect(str(path))
        wire.sendall(request("GET", asked, {}))
        found = b""
        try:
            while data := wire.recv(65536):
                found += data
                wire.settimeout(0.5 if asked.endswith("watch") else 30)
        except TimeoutError:
            pass
    assert found.startswith(b"HTTP/1.1 "), asked
    return found


def written(secret):
    """Give a secret as it may stand somewhere: odd letters replaced, in an address, JSON, base64 at any offset."""
    plain = secret.encode()
    shifted = [base64.b64encode(b"\0" * shift + plain)[4 if shift else 0 : -4] for shift in range(3)]
    quoted = [quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1]]
    worn = "".join(letter if letter.isalnum() or letter in "._:- " else "?" for letter in secret).encode()
    return {plain, worn, plain.hex().encode(), *(one.encode() for one in quoted), *shifted}


def squeezed(data):
    """Give data without what lines and quotes may have put between two halves of a secret."""
    return re.sub(rb"[\s\"',]+", b"", data)


@pytest.fixture
def vault(tmp_path):
    """Give one; nothing of it runs any more at the end."""
    made = Vault(tmp_path)
    yield made
    made.end()


def read_whole(shown):
    """Say whether the broker's books are read."""
    return bool(shown["brokers"]) and shown["brokers"][0]["reconciled"]


def fell(shown):
    """Say whether the login was refused, in words that a person reads."""
    return any("error.invalid.details" in block["words"] for block in shown["blocks"])


def test_s35_no_secret_is_anywhere_but_in_its_file(vault):
    """Logins refused, errors that echo, an abort, other modes: not in log, record, metrics, pages, /proc or a core."""
    vault.start()
    vault.until(read_whole, "the books, after two answers that told back what was sent")
    vault.ask_everything()
    vault.process.send_signal(signal.SIGABRT)
    assert vault.process.wait(20) == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in vault.log.read_text()
    tokens = vault.state / KEPT_IN
    assert (tokens.stat().st_mode & 0o777, any(word in tokens.read_text() for word in TOKENS)) == (0o600, True)
    tokens.unlink()

    vault.plant("capital-password", OTHER_PASSWORD)
    vault.start()
    vault.until(fell, "a login that is refused")
    vault.ask_everything()
    assert vault.stop() == 0
    vault.plant("capital-password", CANARIES["capital-password"])
    for words in (("--failsafe", "--json"), ("--check", "--json"), ("--audit", "export")):
        vault.run(*words)

    everything = {*CANARIES.values(), OTHER_PASSWORD, HOOK, WATCH}
    assert '"channel": "phone"' in vault.log.read_text()  # a message whose address was refused
    assert len(vault.heard) > 2 * len(READS)
    assert b"CREDENTIALS_DIRECTORY" not in (vault.root / "told").read_bytes()
    assert vault.leaks(everything) == []
    assert vault.leaks(TOKENS, but=(KEPT_IN,)) == []
    assert not list((vault.root / "here").iterdir())  # no core


def test_s35_the_search_finds_what_it_should(vault):
    """A secret in a log, in base64 in a report, split over two lines of an answer: each is named."""
    secret = CANARIES["capital-password"]
    vault.log.write_text("all is well")
    (vault.root / "told").write_text(f"key={quote(secret)}")
    vault.state.mkdir()
    (vault.state / "report").write_bytes(base64.b64encode(b"Basic " + secret.encode() + b":"))
    vault.hear("status", f'"{secret[:5]}",\n"{secret[5:]}"')

    assert vault.leaks([secret]) == ["status", str(vault.state / "report"), str(vault.root / "told")]
