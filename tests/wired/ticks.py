"""Real ticks at Capital.com's wire: EURUSD over a press conference, played through the service's stream to a daemon.

The service is a process, joed is a process, between them are REST and a WebSocket over loopback; both live by one
clock. Gold is there as the market's index: its days give the regime a past, which one day of ticks has not.
"""

import csv
import json
import subprocess
import sys
from decimal import Decimal
from http.client import HTTPConnection
from typing import NamedTuple

from joed.daemon.clock import boot_ns, utc_ns
from joed.daemon.store import Store
from joed.data import read
from joed.model.commands import SubmitOrder
from joed.model.events import OrderFilled, Quote
from joed.model.feeds import FeedChanged
from joed.model.values import MINUTE, SECOND
from tests.joectl.running import environment
from tests.wired.day import ROOT, at, orderly
from tests.wired.house import AT_CAPITAL_ACCOUNT, SECRETS

EURUSD = "fx_cfd/lean_oanda_eurusd_tick_2014-05-08_ECB.parquet"
GOLD = "fx_cfd/lean_oanda_cfd_1m_quotes.parquet"
QUIET_FROM, UNTIL = "2014-05-08T11:30:00Z", "2014-05-08T12:50:00Z"
CONFIG = """\
brokers: [capital]
account: "%(account)s"
capital: {rest_url: "%(rest)s", stream_url: "%(stream)s"}
daemon: {metrics_port: 0, web_port: 0, ballast_mb: 0}
calendar: FX_24X5
index: XAUUSD
vix: {instrument: ""}
history: {pace_s: 0}
risk: {notional_max: 5000, underlying_max: 20000}
scan: {value_day_min: 0, price_min: 0.1}
strategies: {breakout: {range_minutes: 5, atr_minutes: 5, volume_ratio: 0, stop_atr: 0.5, trail_atr: 0.3}}
jobs: {scan_s: 60, regime_s: 60, strategies_s: 15}
universe:
  EURUSD: {kind: currency, calendar: FX_24X5, tick: 0.00001, lot: 100}
  XAUUSD: {kind: commodity, calendar: FX_24X5, tick: 0.001, lot: 1, tradable: false}
"""


class Entry(NamedTuple):
    """An entry: its order, when it was decided (ns), and how old the price was that it was decided on."""

    order: str
    at_ns: int
    age_ns: int


class Played(NamedTuple):
    """What the record says: entries, fills, quotes (when they came, instrument, source), changes of the source."""

    entries: list[Entry]
    fills: list[OrderFilled]
    quotes: list[tuple[int, str, str]]
    changes: list[tuple[int, str]]
    last_ns: int


def ticks(data_dir, folder):
    """Write what is to be played: the press conference's ticks, and gold's last week before it, thinly."""
    file = folder / "ticks.csv"
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["timestamp", "symbol", "bid", "ask"])
        rows.writerows(thin_gold(data_dir, at(QUIET_FROM)))
        for at_ns, quote in read(data_dir / EURUSD, utc_ns()).quotes():
            if at(QUIET_FROM) <= at_ns < at(UNTIL):
                rows.writerow([at_ns, quote.instrument, quote.bid, quote.ask])
    return file


def thin_gold(data_dir, thin_until_ns):
    """Give gold's quotes as rows: one in half an hour until then, all of them later."""
    for at_ns, quote in read(data_dir / GOLD, utc_ns()).quotes():
        wanted = at_ns > thin_until_ns or at_ns % (30 * MINUTE) == 0
        if quote.instrument == "XAUUSD" and at_ns < at(UNTIL) and wanted:
            yield [at_ns, quote.instrument, quote.bid, quote.ask]


def play(data_dir, folder, origin, seconds, *, speed, faults):
    """Have a daemon trade so many of its own seconds from a time on; give its record and the service's own book."""
    clock, base_ns = f"{origin}@{speed}", boot_ns()
    shared = ["--clock", clock, "--base-ns", base_ns]
    port_file, log = folder / "port", (folder / "log").open("wb")
    words = ["-m", "tests.fakes.capital", "--port", 0, "--port-file", port_file, "--data", ticks(data_dir, folder)]
    words += [*shared, *(word for fault in faults for word in ("--fault", fault))]
    service = subprocess.Popen(
        [sys.executable, *map(str, words)], env=environment(PYTHONPATH=str(ROOT)), stdout=subprocess.PIPE, stderr=log
    )
    try:
        assert b"listening" in service.stdout.readline(), (folder / "log").read_text()[-2000:]
        port = int(port_file.read_text())
        words = ["-m", "joed", "--daemon", "--config", config_of(folder, port), "--state-dir", folder / "s"]
        words += ["--clock", f"{clock}@{base_ns}", "--log-format", "json"]
        env = environment(TMPDIR="/tmp", CREDENTIALS_DIRECTORY=str(folder / "secrets"))
        joed = subprocess.Popen([sys.executable, *map(str, words)], env=env, stderr=log)
        try:
            joed.wait(seconds / speed - (boot_ns() - base_ns) / SECOND)
        except subprocess.TimeoutExpired:
            orderly(joed, folder)
        return record_of(folder / "s"), Book(port)
    finally:
        service.terminate()
        service.communicate()
        log.close()


def config_of(folder, port):
    """Write a daemon's configuration and credentials, and give the configuration's path."""
    urls = {"rest": f"http://127.0.0.1:{port}", "stream": f"ws://127.0.0.1:{port}"}
    write_secrets(folder)
    path = folder / "joed.yaml"
    path.write_text(CONFIG % {"account": AT_CAPITAL_ACCOUNT, **urls})
    return path


def write_secrets(folder):
    """Write the service's credentials where only we read them, and give the directory."""
    directory = folder / "secrets"
    directory.mkdir(mode=0o700)
    for name, secret in SECRETS.items():
        (directory / name).write_text(secret)
        (directory / name).chmod(0o600)
    return directory


def record_of(root):
    """Read what was decided on which prices, and what came of it."""
    store = Store.open(root / "joed.db")
    found, priced, now = Played([], [], [], [], 0), {}, 0
    for _, now, event, commands in store.read():
        if isinstance(event, Quote):
            priced[event.instrument] = event.received_ns
            found.quotes.append((event.received_ns, event.instrument, event.source))
        elif isinstance(event, OrderFilled):
            found.fills.append(event)
        elif isinstance(event, FeedChanged):
            found.changes.append((now, event.source))
        for command in commands:
            if isinstance(command, SubmitOrder) and command.opens:
                found.entries.append(Entry(command.order, now, now - priced[command.instrument]))
    store.close()
    return found._replace(last_ns=now)


def deals_of(acts):
    """Give what positions' activity says was dealt: (named as the record would, side, size, price), and when.

    A position's first row is its opening; a second one is its end.
    """
    found, begun = {}, set()
    for row in sorted(acts, key=lambda row: row["dateUTC"]):
        if row["type"] == "POSITION" and row["status"] == "ACCEPTED":
            told = row["details"]
            what = "close" if row["dealId"] in begun else "open"
            begun.add(row["dealId"])
            numbers = Decimal(str(told["size"])), Decimal(str(told["level"]))
            found[f"{row['dealId']}:{what}", told["direction"], *numbers] = at(row["dateUTC"] + "Z")
    return found


class Book:
    """What the service says of its account, asked by a client that shares no code with the adapter."""

    def __init__(self, port):
        self.link = HTTPConnection("127.0.0.1", port, timeout=10)
        self.head = {"X-CAP-API-KEY": SECRETS["capital-api-key"], "Content-Type": "application/json"}
        body = {"identifier": SECRETS["capital-identifier"], "password": SECRETS["capital-password"]}
        self.ask("POST", "/session", json.dumps(body))
        self.positions = self.ask("GET", "/positions")["positions"]
        self.orders = self.ask("GET", "/workingorders")["workingOrders"]
        self.deals = deals_of(self.ask("GET", "/history/activity?lastPeriod=3600&detailed=true")["activities"])

    def ask(self, method, path, body=None):
        """Ask once."""
        self.link.request(method, "/api/v1" + path, body, self.head)
        answer = self.link.getresponse()
        text = answer.read()
        self.link.close()  # the next question opens it again
        assert answer.status == 200, text
        self.head |= {name: answer.headers[name] for name in ("CST", "X-SECURITY-TOKEN") if answer.headers[name]}
        return json.loads(text)
