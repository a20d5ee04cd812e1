"""A recorded day wants the same over TCP as in a backtest."""

import json

from tests.demos import joed
from tests.wired.day import at, backtested, before, quotes_of, traded

FILE = "intraday/eqker_us_1min_2019.parquet"
DAY = "2019-02-12"
BEGIN, END = f"{DAY}T14:22:00Z", f"{DAY}T14:54:00Z"
SYMBOLS = ("AAPL", "AMZN", "DFS", "MSFT", "QQQ", "SPY", "VIX", "XLP")
EAGER = "strategies: {breakout: {range_minutes: 5, atr_minutes: 5}}\njobs: {scan_s: 300, regime_s: 300}\n"


def test_a_daemon_over_tcp_wants_what_the_backtest_wants_and_its_stops_outlive_it(data_dir, tmp_path):
    """Instrument, side, quantity, levels and order of every intent of a real half hour, played 20 times as fast.

    Then it is killed with its positions open, and the failsafe finds each with its stop at the broker.
    """
    file, names = quotes_of(data_dir / FILE, DAY, tmp_path, SYMBOLS)
    reports = []

    def die(process, root):
        process.kill()
        process.wait()
        done = joed("--failsafe", "--state-dir", root, "--json", env={"TMPDIR": "/tmp"})
        reports.append(json.loads(done.stdout))

    expected = before(backtested(tmp_path, file, names, EAGER), at(END))
    found = before(traded(tmp_path, file, names, BEGIN, 33, more=EAGER, speed=20, end=die), at(END))

    entered = [intent.instrument for intent in expected if intent.what == "enter"]
    assert len(entered) >= 3
    assert found == expected
    [report] = reports
    [row] = report["brokers"]
    assert report["safe"]
    assert sorted(held["instrument"] for held in row["positions"]) == sorted(entered)
    assert all(held["protected"] and held["stops"] == held["quantity"] for held in row["positions"])
