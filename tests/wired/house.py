"""Fake brokers and a joed as processes that share a clock, for tests that start, ask, kill and start again."""

import json
import signal
import subprocess
import sys
import time

from joed.daemon.clock import boot_ns
from joed.model.values import SECOND
from tests.demos import joed
from tests.joectl.running import environment, joectl

ACCOUNT = "DU1234567"
CONFIG = """\
brokers: [ibkr]
account: DU1234567
daemon: {loop: %(loop)s, metrics_port: 0, web_port: 0, ballast_mb: 0}
history: {pace_s: 0}
ibkr: {port: %(port)s, connect_s: 100, answer_s: 100, order_s: 50, beat_s: 10, silence_s: 45, first_tick_s: 300}
universe:
  SPY: {kind: etf, tradable: false}
  VIX: {kind: index, tradable: false}
  AAPL: {}
  MSFT: {}
  KO: {}
"""
PATIENCE_S = 60.0


BOTH = """\
capital: {rest_url: "%(rest)s", stream_url: "%(stream)s"}
"""
AT_CAPITAL_ACCOUNT = "123456789012345678"
SECRETS = {
    "capital-api-key": "KeyOfTheFake0001",
    "capital-identifier": "trader@example.com",
    "capital-password": "Words-4-the-fake",
}
AT_CAPITAL = """\
  EURUSD: {broker: capital, kind: currency, calendar: FX_24X5, tick: 0.00001, lot: 100}
  XAUUSD: {broker: capital, kind: commodity, calendar: FX_24X5, tick: 0.01, lot: 0.01, epic: GOLD}
"""


class House:
    """A TWS, where asked for a Capital.com too, and a joed on a state directory; they share a clock."""

    def __init__(self, root, *, origin="2026-09-01T14:00:00Z", speed=10, more="", words=(), both=False, loop="asyncio"):
        self.root, self.state, self.log = root, root / "s", root / "log"
        self.clock, self.base_ns = f"{origin}@{speed}", boot_ns()
        self.process = None
        self.tws, port = self.fake("tws", "--unpaced", "--account", ACCOUNT, *words)
        text, self.capital, self.env = CONFIG % {"port": port, "loop": loop}, None, {}
        if both:
            self.capital, port = self.fake("capital")
            urls = {"rest": f"http://127.0.0.1:{port}", "stream": f"ws://127.0.0.1:{port}"}
            text = text.replace("[ibkr]", "[ibkr, capital]").replace(": {}", ": {broker: ibkr}")
            text = text.replace("{kind:", "{broker: ibkr, kind:").replace(ACCOUNT, f"{ACCOUNT}, {AT_CAPITAL_ACCOUNT}")
            text = BOTH % urls + text + AT_CAPITAL
            self.env = {"CREDENTIALS_DIRECTORY": str(root / "secrets")}
            (root / "secrets").mkdir(mode=0o700)
            for name, secret in SECRETS.items():
                (root / "secrets" / name).write_text(secret)
                (root / "secrets" / name).chmod(0o600)
        self.config = root / "joed.yaml"
        self.config.write_text(text + more)

    def fake(self, name, *words):
        """Start a fake broker, and give its process and its port."""
        port_file = self.root / f"{name}.port"
        words = ["--port", "0", "--port-file", port_file, *words, "--clock", self.clock, "--base-ns", self.base_ns]
        command = [sys.executable, "-m", f"tests.fakes.{name}", *map(str, words)]
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=log)
        assert b"listening" in process.stdout.readline()
        return process, port_file.read_text().strip()

    def start(self):
        """Start joed."""
        words = ["--daemon", "--config", self.config, "--state-dir", self.state, "--log-format", "json"]
        words += ["--clock", f"{self.clock}@{self.base_ns}"]
        command = [sys.executable, "-m", "joed", *map(str, words)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment(TMPDIR="/tmp", **self.env), stderr=log)

    def status(self):
        """Give `joectl status --json`, None while nobody answers."""
        answer = joectl("status", "--json", state_dir=self.state)
        return json.loads(answer.out) if answer.code == 0 else None

    def until(self, holds, what):
        """Ask for the status until something holds of it, and give it."""
        until_ns = boot_ns() + int(PATIENCE_S * SECOND)
        shown = None
        while boot_ns() < until_ns:
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            shown = self.status()
            if shown is not None and holds(shown):
                return shown
            time.sleep(0.2)  # real processes: what is waited for tells nobody
        raise AssertionError(f"{what} did not come within {PATIENCE_S:g} s: {shown}")

    def kill(self):
        """Let it die at once."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """End it in order, and give its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def failsafe(self):
        """Run the failsafe and give its exit status and its report."""
        done = joed("--failsafe", "--state-dir", self.state, "--json", env={"TMPDIR": "/tmp", **self.env})
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def end(self):
        """End everything."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        for fake in (self.tws, self.capital):
            pull(fake)


def pull(fake):
    """End a fake broker, if it lives."""
    if fake is not None and fake.poll() is None:
        fake.terminate()
        fake.communicate()
