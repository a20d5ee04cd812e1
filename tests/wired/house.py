"""A fake TWS and a joed as two processes that share a clock, for tests that start, ask, kill and start again."""

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
daemon: {metrics_port: 0, web_port: 0, ballast_mb: 0}
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


class House:
    """One TWS and one joed on a state directory; `origin` and `speed` make their clock."""

    def __init__(self, root, *, origin="2026-09-01T14:00:00Z", speed=10, more="", words=()):
        self.root, self.state, self.log = root, root / "s", root / "log"
        self.clock, self.base_ns = f"{origin}@{speed}", boot_ns()
        self.process = None
        port_file = root / "port"
        words = ["--port", "0", "--port-file", port_file, "--unpaced", "--account", ACCOUNT, *words]
        words += ["--clock", self.clock, "--base-ns", self.base_ns]
        command = [sys.executable, "-m", "tests.fakes.tws", *map(str, words)]
        with self.log.open("ab") as log:
            self.tws = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=log)
        assert b"listening" in self.tws.stdout.readline()
        self.config = root / "joed.yaml"
        self.config.write_text(CONFIG % {"port": port_file.read_text().strip()} + more)

    def start(self):
        """Start joed."""
        words = ["--daemon", "--config", self.config, "--state-dir", self.state, "--log-format", "json"]
        words += ["--clock", f"{self.clock}@{self.base_ns}"]
        command = [sys.executable, "-m", "joed", *map(str, words)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment(TMPDIR="/tmp"), stderr=log)

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
        done = joed("--failsafe", "--state-dir", self.state, "--json", env={"TMPDIR": "/tmp"})
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def end(self):
        """End everything."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.pull()

    def pull(self):
        """End the TWS, if it lives."""
        if self.tws.poll() is None:
            self.tws.terminate()
            self.tws.communicate()
