"""`joectl watch` as a person runs it."""

import json
import os
import signal
import subprocess
import sys

from joectl.watch import said
from joed.daemon.lanes import Limits
from tests.daemon.serving import serving
from tests.daemon.test_watching import grow
from tests.joectl.running import environment, joectl

QUICK = Limits(watch_poll_s=0.005, ping_s=0.05)


def started(state_dir, *words):
    """Start a watch, and give the process."""
    command = [sys.executable, "-m", "joectl", "--state-dir", str(state_dir), "watch", *words]
    return subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_records_are_printed_as_they_come_and_ctrl_c_is_a_good_end(tmp_path):
    """A line each, at once, also into a pipe; exit 0."""
    with serving(tmp_path / "s", limits=QUICK) as server, started(tmp_path / "s") as watch:
        assert watch.stdout.readline().startswith("at seq 41: TRADING")
        grow(server, 42)
        assert watch.stdout.readline() == "42  OrderAccepted order=o42 broker_id=17\n"
        watch.send_signal(signal.SIGINT)

        assert (watch.wait(10), watch.stderr.read()) == (0, "")


def test_json_is_one_object_a_line_as_the_daemon_sent_it(tmp_path):
    """For programs: hello, records, pings, goodbye."""
    with started_json(tmp_path) as (server, watch):
        assert json.loads(watch.stdout.readline())["kind"] == "hello"
        grow(server, 42)
        kinds = set()
        for _ in range(1000):  # pings come in any number, before the record and after
            kinds.add(json.loads(watch.stdout.readline())["kind"])
            if len(kinds) == 2:
                break
        assert kinds == {"record", "ping"}
    assert json.loads(watch.stdout.read().splitlines()[-1])["kind"] == "bye"
    assert watch.wait(10) == 0
    assert "joed stopped" in watch.stderr.read()
    watch.stdout.close()
    watch.stderr.close()


class started_json:  # noqa: N801 - used as a context, like the function above
    """A watch in JSON whose server ends first."""

    def __init__(self, tmp_path):
        self.serving = serving(tmp_path / "s", limits=QUICK)
        self.state_dir = tmp_path / "s"

    def __enter__(self):
        return self.serving.__enter__(), started(self.state_dir, "--json")

    def __exit__(self, *error):
        return self.serving.__exit__(*error)


def test_the_past_is_given_where_it_is_asked_for(tmp_path):
    """--since replays the record from there."""
    with serving(tmp_path / "s", limits=QUICK), started(tmp_path / "s", "--since", "0") as watch:
        watch.stdout.readline()
        assert watch.stdout.readline() == "5  OrderAccepted order=AAPL-e broker_id=17\n"
        os.kill(watch.pid, signal.SIGINT)
        assert watch.wait(10) == 0
        watch.stdout.read()


def test_a_watch_of_nobody_is_not_running(tmp_path):
    """As every other verb."""
    assert joectl("watch", state_dir=tmp_path).code == 3


def test_a_gap_is_told_and_a_ping_is_not():
    """A person wants to know what is missing, not that nothing happens."""
    assert "records 3 to 9" in said({"kind": "gap", "from": 3, "to": 9})
    assert said({"kind": "ping", "seq": 1, "now_ns": 2}) == ""
