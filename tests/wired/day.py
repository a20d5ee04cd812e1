"""A recorded day traded twice: by `joed --backtest`, and by `joed --daemon` over TCP before a TWS that plays the day.

The bars of the file become quotes at 8, 23, 38 and 53 s of each minute, so that no price falls on a full second: there
two processes would have to agree on which of two things of the same instant came first. Both runs get the same file.
"""

import csv
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from joed.daemon.clock import boot_ns, utc_ns
from joed.daemon.store import Store
from joed.data import read
from joed.model.commands import AmendOrder, RefuseEntry, SubmitOrder
from joed.model.events import OrderFilled, TriggersMade
from joed.model.values import SECOND
from tests.joectl.running import environment

ROOT = Path(__file__).resolve().parents[2]
SHIFT_NS = 8 * SECOND
ACCOUNT = "DU1234567"
LEAD_S = 300
CONFIG = """\
daemon: {metrics_port: 0, web_port: 0, ballast_mb: 0}
paper: {latency_s: %(latency)s, partial_share: 0}
risk: {notional_max: 5000, underlying_max: 5000}
eod: {close_positions: true}
session: {lead_s: 300}
feed: {stale_s: 180}
health: {broker_silence_s: 180}
"""
"""What both runs share. Limits of money stay below any account's means: a broker's buying power is no cash balance."""
LIVE = """\
brokers: [ibkr]
account: %(account)s
history: {pace_s: 0}
ibkr: {port: %(port)s, connect_s: 300, answer_s: 300, order_s: 150, beat_s: 15, silence_s: 44, first_tick_s: 900}
"""
"""What the daemon is told besides: patience by its own clock, which runs many times as fast as the wire."""


class Intent(NamedTuple):
    """What was wanted of an instrument: an entry with its levels, a close, or another level of a leg."""

    what: str
    instrument: str
    side: str
    quantity: str
    levels: tuple[str, ...]


class Run(NamedTuple):
    """What a run wanted, with when (ns), its fills (instrument, leg, price), what it refused (instrument, words).

    `made` are the Triggers that its worker made: an answer that comes later than the next quote is another day.
    """

    intents: list[tuple[int, Intent]]
    fills: list[tuple[int, str, str, str]]
    refused: tuple[tuple[int, str, str], ...] = ()
    made: tuple[tuple[int, str], ...] = ()


def quotes_of(path, day, folder, symbols=None):
    """Write a day's quotes as a CSV file, and give it with the names it holds."""
    file = folder / "day.csv"
    names = {}
    with file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["timestamp", "symbol", "bid", "ask", "last", "volume"])
        for at_ns, quote in read(path, utc_ns()).quotes(day):
            if symbols is None or quote.instrument in symbols:
                names[quote.instrument] = None
                at = datetime.fromtimestamp((at_ns + SHIFT_NS) // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                prices = (quote.bid, quote.ask, quote.last, quote.volume or 0)  # VIX is a level that nobody trades
                rows.writerow([at, quote.instrument, *prices])
    return file, tuple(names)


def config_of(folder, name, names, text, more=""):
    """Write a configuration for these names."""
    rows = [f"  {name}: {'{kind: index, tradable: false}' if name == 'VIX' else '{}'}" for name in names]
    path = folder / name
    path.mkdir()
    (path / "joed.yaml").write_text("\n".join([text + more, "universe:", *rows]) + "\n")
    return path / "joed.yaml"


def backtested(folder, file, names, more=""):
    """Run the backtest, and give what it wanted."""
    config = config_of(folder, "backtest", names, CONFIG % {"latency": 0}, more)
    words = ["-m", "joed", "--backtest", file, "--config", config, "--state-dir", folder / "b", "--json"]
    subprocess.run([sys.executable, *map(str, words)], env=environment(), check=True, stdout=subprocess.DEVNULL)
    return run_of(folder / "b")


def traded(folder, file, names, origin, minutes, *, more="", speed=30, latency=0.0, end=None):
    """Have a daemon trade the day over TCP for so many of its minutes, and give what it wanted.

    `end` is given the process and its state directory while the broker still lives; None ends it in order.
    """
    clock, base_ns = f"{origin}@{speed}", boot_ns()
    port_file = folder / "port"
    words = ["-m", "tests.fakes.tws", "--port", "0", "--port-file", port_file, "--clock", clock, "--unpaced"]
    words += ["--base-ns", base_ns, "--data", file, "--latency", latency, "--account", ACCOUNT]
    log = (folder / "log").open("wb")
    tws = subprocess.Popen(
        [sys.executable, *map(str, words)], env=environment(PYTHONPATH=str(ROOT)), stdout=subprocess.PIPE, stderr=log
    )
    try:
        assert b"listening" in tws.stdout.readline()
        live = LIVE % {"account": ACCOUNT, "port": port_file.read_text().strip()}
        config = config_of(folder, "live", names, CONFIG % {"latency": latency} + live, more)
        words = ["-m", "joed", "--daemon", "--config", config, "--state-dir", folder / "l", "--log-format", "json"]
        words += ["--clock", f"{clock}@{base_ns}"]
        joed = subprocess.Popen([sys.executable, *map(str, words)], env=environment(TMPDIR="/tmp"), stderr=log)
        left_s = minutes * 60 / speed - (boot_ns() - base_ns) / SECOND
        try:
            joed.wait(left_s)
        except subprocess.TimeoutExpired:
            (end or orderly)(joed, folder / "l")
    finally:
        tws.terminate()
        tws.communicate()
        log.close()
    return run_of(folder / "l")


def orderly(process, root):
    """End a daemon as systemd would."""
    process.send_signal(signal.SIGTERM)
    process.wait(30)


def run_of(root):
    """Read a record: what was wanted, in order, and what was filled."""
    store = Store.open(root / "joed.db")
    intents, fills, refused, made, legs = [], [], [], [], {}
    for _, now, event, commands in store.read():
        for command in commands:
            if isinstance(command, SubmitOrder):
                legs |= {command.order: "entry", command.stop_order: "stop", command.target_order: "target"}
                legs |= {} if command.opens else {command.order: "close"}
                levels = tuple(str(level) for level in (command.level, command.stop, command.target))
                what = "enter" if command.opens else "close"
                wanted = Intent(what, command.instrument, str(command.side), str(command.quantity), levels)
                intents.append((now, wanted))
                names = {command.order, command.stop_order, command.target_order}
                legs |= {f"{name}:name": command.instrument for name in names}
            elif isinstance(command, RefuseEntry):
                refused.append((now, command.instrument, f"{command.code}: {command.words}"))
            elif isinstance(command, AmendOrder):
                name = legs.get(f"{command.order}:name", "?")
                intents.append((now, Intent(f"move {legs.get(command.order)}", name, "", "", (str(command.level),))))
        if isinstance(event, TriggersMade):
            made += [(now, trigger.instrument) for trigger in event.triggers]
        if isinstance(event, OrderFilled):
            fills.append((now, event.instrument, legs.get(event.order, "?"), str(event.price)))
    store.close()
    return Run(intents, fills, tuple(refused), tuple(made))


def before(run, at_ns):
    """Give what was wanted until then, without when."""
    return [intent for now, intent in run.intents if now < at_ns]


def at(text):
    """Give an ISO time in ns."""
    return int(datetime.fromisoformat(text).timestamp()) * SECOND
