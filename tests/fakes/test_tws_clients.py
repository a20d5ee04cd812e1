"""Clients that nobody changed for us trade on the fake TWS, each as a process of its own; and the encoder's bytes."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from joed.exchange import laws
from joed.model.events import Quote
from tests.fakes.rig import house

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TRADER, OFFICIAL = HERE / "trader.py", HERE / "official.py"


@pytest.fixture(scope="session")
def ib_async_python():
    """Give the interpreter that has ib_async, made from its lock where it is not there yet."""
    subprocess.run(["make", "--silent", "ib-async"], cwd=ROOT, check=True)
    return str(ROOT / "build" / "ib-async" / "bin" / "python")


class Stranger:
    """A client's process: what it says line by line, and our nod to go on."""

    def __init__(self, process):
        self.process = process

    async def hear(self):
        """Give its next line."""
        line = await asyncio.wait_for(self.process.stdout.readline(), 60)
        assert line, (await self.process.stderr.read()).decode()
        return json.loads(line)

    def nod(self):
        """Let it go on."""
        self.process.stdin.write(b"\n")


async def watch(tws, *command):
    """Have a client do its rounds and give what it said: at first, with a position, after a fill, back again."""
    pipe = subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, str(tws.port), stdin=pipe, stdout=pipe, stderr=pipe)
    stranger = Stranger(process)
    try:
        said = [await stranger.hear(), await stranger.hear()]
        tws.quote(Quote("AAPL", 110.0, 110.1, bid_size=4.0))
        stranger.nod()
        said.append(await stranger.hear())
        stranger.nod()
        said.append(await stranger.hear())
        assert await process.wait() == 0, (await process.stderr.read()).decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return said


def judge(tws, said):
    """Hold what a client saw against the exchange's own book."""
    start, holding, sold, back = said
    assert start["version"] == 176
    assert (start["accounts"], start["bid"], start["ask"]) == (["DU1234567"], 99.9, 100.0)
    assert holding == {"statuses": ["Filled", "Submitted", "PreSubmitted"], "price": 100.0}
    assert sold == {"sold": 4, "left": 6}
    assert (back["fills"], back["open"]) == ({"E1": 10.0, "E1-T": 4.0}, ["E1-S", "E1-T"])
    assert tws.exchange.protection("AAPL") == tws.exchange.position("AAPL") == 6
    assert laws(tws.exchange) == []


async def test_an_unmodified_ib_insync_trades_in_a_process_of_its_own():
    """Connect, stream, bracket, partial target, disconnect, replay."""
    async with house() as tws:
        judge(tws, await watch(tws, sys.executable, str(TRADER), "ib_insync"))


async def test_an_unmodified_ib_async_does_the_same(ib_async_python):
    """The maintained fork, with the eventkit that it brings."""
    async with house() as tws:
        judge(tws, await watch(tws, ib_async_python, str(TRADER), "ib_async"))


async def test_the_official_client_does_the_same_and_reads_every_field():
    """IBKR's own decoder: commissions, completed orders, positions, the OCA type, hours and ticks too."""
    async with house() as tws:
        said = await watch(tws, sys.executable, str(OFFICIAL))

        judge(tws, said)
        assert (said[0]["tick"], len(said[0]["hours"].split(";"))) == (0.01, 6)
        assert said[3]["commissions"] == [1.0, 1.0]
        assert said[3]["completed"] == ["E1", "Filled"]
        assert said[3]["positions"] == [["AAPL", "6", 100.0]]
        assert said[3]["oca"] == [2]


def test_ib_async_passes_the_tests_that_ib_insync_passes(ib_async_python):
    """Whatever an order can meet is told to either library in words that it reads alike."""
    files = [str(HERE / "test_tws.py"), str(HERE / "test_tws_orders.py")]
    command = [ib_async_python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    done = subprocess.run(
        command,
        env={**os.environ, "JOED_IB_LIBRARY": "ib_async"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_two_libraries_cannot_share_an_environment_and_do_not(ib_async_python):
    """ib_async's eventkit is not ib_insync's: each interpreter has the one that belongs to its library."""
    script = "import eventkit; print(eventkit.__file__)"
    ask = [
        subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout
        for python in (sys.executable, ib_async_python)
    ]
    assert ask[0] != ask[1]
    assert "build/ib-async" in ask[1]
