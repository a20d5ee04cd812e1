"""The fake Capital.com as a program of its own: unconfigured, from a file, with faults by script."""

import asyncio
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from joed.errors import ConfigError
from tests.fakes.capital.__main__ import main
from tests.fakes.capital.door import User
from tests.fakes.capital.script import FAULTS, happen, play
from tests.fakes.capital_rig import Client, with_client

ROOT = Path(__file__).resolve().parents[2]
BARS = """\
timestamp,symbol,open,high,low,close,volume
2019-01-02 14:30:00,AAPL,154.00,154.60,153.90,154.50,40000
2019-01-02 14:31:00,AAPL,154.50,155.10,154.40,155.00,44000
"""


class Far:
    """What a client knows of a service that runs elsewhere: what it says as it starts."""

    def __init__(self, words):
        self.url = re.search(r"rest_url (\S+),", words)[1]
        self.stream_url = re.search(r"stream_url (\S+)", words)[1]
        self.user = User()


@contextmanager
def running(*words):
    """Give the service as a process of its own, once it says that it listens."""
    command = [sys.executable, "-m", "tests.fakes.capital", "--port", "0", *map(str, words)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield Far("".join(process.stdout.readline() for _ in range(3)))
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


async def visit(far, look):
    """Log in and look."""
    async with aiohttp.ClientSession() as http:
        client = Client(far, http)
        assert (await client.login())[0] == 200
        return await look(client)


def test_a_person_can_run_it_and_trade(tmp_path):
    """Unconfigured, by a real clock: login, markets, two days of bars, a deal, a price that moves."""

    async def look(client):
        markets = await client.get("/markets", epics="GOLD,BTCUSD,AAPL")
        bars = await client.get("/prices/GOLD", resolution="HOUR", max="10")
        confirm = await client.buy(1, stopDistance=50)
        async with client.stream() as frames:
            await frames.say("marketData.subscribe", epics=["EURUSD", "GOLD", "US500", "BTCUSD", "AAPL", "MSFT"])
            return markets, bars, confirm, await frames.next(20)

    with running("--settle", 0, "--clock", "2026-09-01T12:00:00Z@20", "--port-file", tmp_path / "port") as far:
        markets, bars, confirm, quote = asyncio.run(visit(far, look))

    assert far.url == f"http://127.0.0.1:{(tmp_path / 'port').read_text().strip()}"
    assert [row["snapshot"]["marketStatus"] for row in markets["marketDetails"]] == ["TRADEABLE"] * 3
    assert len(bars["prices"]) == 10
    assert confirm["dealStatus"] == "ACCEPTED"
    assert quote["destination"] == "quote"


def test_it_plays_a_file_and_fails_by_script(tmp_path):
    """Its prices by its clock, a fault from the command line and one from a file."""
    (tmp_path / "bars.csv").write_text(BARS)
    (tmp_path / "faults").write_text("# at once\n0 null AAPL\n")

    async def look(client):
        async with client.stream() as frames:
            answer = await frames.say("marketData.subscribe", epics=["AAPL"])
            first = await frames.next(20)
        return answer, first, await client.call("GET", "/accounts"), await client.call("GET", "/accounts")

    script = ("--fault", "0 html GET /accounts", "--faults", tmp_path / "faults")
    with running("--data", tmp_path / "bars.csv", "--clock", "2019-01-02T14:29:40Z@10", *script) as far:
        answer, first, page, after = asyncio.run(visit(far, look))

    assert answer["payload"]["subscriptions"] == {"AAPL": "PROCESSED"}
    assert first["payload"]["bid"] is None
    assert 153 < first["payload"]["ofr"] < 156
    assert (page[0], after[0]) == (502, 200)


def test_what_a_file_holds_before_the_clock_is_the_past(tmp_path):
    """In its bars, never played; a fault may have a time of the clock's."""
    (tmp_path / "bars.csv").write_text(BARS)
    begin = "2019-01-02T14:31:30Z"

    async def look(client):
        bars = await client.get("/prices/AAPL", resolution="MINUTE", max="10")
        return bars["prices"], await client.call("GET", "/accounts")

    with running("--data", tmp_path / "bars.csv", "--clock", begin, "--fault", f"{begin} html GET /accounts") as far:
        bars, page = asyncio.run(visit(far, look))

    assert [row["snapshotTimeUTC"][:16] for row in bars] == ["2019-01-02T14:30", "2019-01-02T14:31"]
    assert page[0] == 502


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--clock", "yesterday"], "--clock takes ORIGIN@SPEED"),
        (["--clock", "2026-09-01T13:20:00Z@max"], "cannot run at speed max"),
        (["--data", "/nowhere.csv"], "no such file"),
        (["--fault", "soon dead"], "line 1 of the faults says 'soon dead'"),
        (["--fault", "5 deed"], "no fault deed: one of"),
    ],
)
def test_what_it_cannot_do_it_says(words, complaint, capsys):
    """78, and the sentence."""
    assert main(["--port", "0", *words]) == 78
    assert complaint in capsys.readouterr().err


WORDS = {
    **dict.fromkeys(
        ("html", "empty", "java", "echo", "tear", "truncate", "hang", "storm", "lose", "drop"), "GET /accounts 2"
    ),
    "late": "GET /accounts 5",
    "edge": "60",
    "cap": "3600",
    "hedging": "on",
    "lag": "positions 4",
    "status": "GOLD CLOSED",
    "modes": "GOLD CLOSE_ONLY",
    "widen": "GOLD 5",
    "null": "GOLD",
    "price": "GOLD",
    "reject": "RISK_CHECK",
    "offset": "1",
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_of_a_script_happens_at_its_time(name):
    """And changes something: a switch, a trick, a session, an account, a deal."""

    def look(fake):
        states = (vars(part) for part in (fake.faults, fake.stream, fake.funds, fake.funds.account, fake.door))
        gold = fake.listings["GOLD"]
        return repr([*states, gold.status, gold.modes, gold.min_stop, gold.null_bid, len(fake.desk.activities)])

    async def scenario(fake, client):
        opposite = {"alive": "dead", "speak": "silent", "thaw": "freeze", "admit": "refuse", "price": "null GOLD"}
        await client.buy(1)
        async with client.stream(ping_interval=None, close_timeout=1):
            if name in opposite:
                happen(fake, *opposite[name].split())
            before = look(fake)
            play(fake, f"2 {name} {WORDS.get(name, '')}")
            await asyncio.sleep(1)
            early = look(fake)
            await asyncio.sleep(1.5)
            return before == early, early == look(fake)

    assert with_client(scenario) == (True, False)


@pytest.mark.parametrize("line", ["lag tide 5", "hedging maybe", "widen GOLD much", "status NONE CLOSED", "edge"])
def test_a_fault_whose_words_are_none_is_told(line):
    """With the words."""

    async def scenario(fake, client):
        name = line.split()[0]
        with pytest.raises(ConfigError, match=f"the fault {name} does not understand"):
            happen(fake, *line.split())

    with_client(scenario)


def test_each_night_has_its_fee():
    """At 21:00 UTC, once for each position, day after day."""

    async def scenario(fake, client):
        await client.buy(1)
        fake.charge_each_night()
        await asyncio.sleep(21 * 3_600 + 60)
        first = len(fake.desk.transactions)
        await asyncio.sleep(86_400)
        return first, len(fake.desk.transactions)

    assert with_client(scenario) == (1, 2)
