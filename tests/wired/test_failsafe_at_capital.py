"""joed --failsafe at Capital.com: a process that cancels, closes what has no stop, and keeps what has one."""

import asyncio
import json
import subprocess
import sys
from decimal import Decimal

import pytest

from joed.brokers.capital.broker import CapitalBroker
from joed.brokers.capital.session import Credentials
from joed.daemon.clock import RealClock
from joed.daemon.places import places
from joed.daemon.store import Store
from joed.model import ids
from joed.model.commands import SubmitOrder
from joed.model.events import OrderFilled, OrderWorking, Quote, SettingsLoaded
from joed.model.settings import Capital, Instrument, Settings
from joed.model.values import Kind, Leg, Side
from tests.demos import joed
from tests.joectl.running import environment
from tests.wired.house import AT_CAPITAL_ACCOUNT, SECRETS, pull
from tests.wired.ticks import Book, write_secrets

SIZES = {"EURUSD": "1000", "XAUUSD": "0.10", "BTCUSD": "0.0100"}


@pytest.fixture
def port(tmp_path):
    """Give the port of a Capital.com that lives for one test."""
    words = [sys.executable, "-m", "tests.fakes.capital", "--port", "0", "--port-file", str(tmp_path / "port")]
    fake = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE)
    assert b"listening" in fake.stdout.readline()
    yield int((tmp_path / "port").read_text())
    pull(fake)


def settings_of(port):
    """Give the settings that a dead joed left."""
    rows = (
        Instrument("EURUSD", "capital", "currency", "FX_24X5", tick=Decimal("0.00001"), lot=Decimal(100)),
        Instrument("XAUUSD", "capital", "commodity", "FX_24X5", lot=Decimal("0.01"), epic="GOLD"),
        Instrument("BTCUSD", "capital", "crypto", "CRYPTO_24X7", lot=Decimal("0.0001")),
    )
    known = Capital(rest_url=f"http://127.0.0.1:{port}", stream_url=f"ws://127.0.0.1:{port}")
    return Settings(
        brokers=("capital",), account=AT_CAPITAL_ACCOUNT, capital=known, universe={row.symbol: row for row in rows}
    )


class Trader:
    """What joed was before it died: its adapter, its ids, its record."""

    def __init__(self, port, where):
        self.settings, self.where, self.key = settings_of(port), where, where.key()
        self.prices, self.heard, self.sent = {}, [], []
        self.news = asyncio.Event()

    def hear(self, event):
        """Keep what is said."""
        self.news.set()
        if isinstance(event, Quote):
            self.prices[event.instrument] = event
        self.heard.append(event)

    def enter(self, instrument, share):
        """Hand an entry over, at this share of the price."""
        begun = f"j1-20260901-1-{len(self.sent) + 1}.0"
        legs = {leg: ids.made(self.key, begun, leg) for leg in (Leg.ENTRY, Leg.STOP, Leg.TARGET)}
        tick = self.settings.universe[instrument].tick

        def level(of):
            return (Decimal(str(self.prices[instrument].ask)) * Decimal(str(of))).quantize(tick)

        self.sent.append(
            SubmitOrder(
                order=legs[Leg.ENTRY],
                broker="capital",
                instrument=instrument,
                side=Side.BUY,
                quantity=Decimal(SIZES[instrument]),
                kind=Kind.LIMIT,
                leg=Leg.ENTRY,
                opens=True,
                level=level(share),
                stop_order=legs[Leg.STOP],
                stop=level(0.8),
                target_order=legs[Leg.TARGET],
                target=level(1.5),
                group=legs[Leg.ENTRY],
                signal=instrument,
            )
        )
        assert self.broker.submit(self.sent[-1], lambda _command: "") == ""

    async def until(self, holds):
        """Wait until it holds."""
        async with asyncio.timeout(30):
            while not holds():
                self.news.clear()
                await self.news.wait()

    async def live(self):
        """Hold two positions and let an order rest; then be gone."""
        credentials = Credentials(*SECRETS.values())
        self.broker = CapitalBroker(
            "capital", self.settings, RealClock(), self.hear, credentials, directory=self.where.root
        )
        self.broker.subscribe(tuple(self.settings.universe))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(self.broker.run())
            await self.until(lambda: len(self.prices) == len(SIZES))
            for instrument, share in (("EURUSD", 1.01), ("XAUUSD", 1.01), ("BTCUSD", 0.9)):
                self.enter(instrument, share)
            filled = [order.order for order in self.sent[:2]]
            await self.until(lambda: set(filled) <= {one.order for one in self.heard if isinstance(one, OrderFilled)})
            resting = self.sent[2].order
            await self.until(lambda: resting in {one.order for one in self.heard if isinstance(one, OrderWorking)})
            running.cancel()

    def record(self):
        """Leave a record: the settings, and what was asked for."""
        store = Store.open(self.where.journal)
        store.add(1, 1, "2026-09-01", SettingsLoaded(self.settings, "digest"), self.sent)
        store.commit()
        store.close()


def test_it_cancels_what_rests_closes_what_lost_its_stop_and_keeps_what_has_one(port, tmp_path):
    """At the service's own word, asked by a client of the test's; and the report says so, with 0."""
    where = places(tmp_path / "s")
    where.make()
    trader = Trader(port, where)
    asyncio.run(trader.live())
    trader.record()
    book = Book(port)
    [gold] = [row["position"] for row in book.positions if row["market"]["epic"] == "GOLD"]
    book.ask("PUT", f"/positions/{gold['dealId']}", json.dumps({"profitLevel": gold["profitLevel"]}))

    env = {"TMPDIR": "/tmp", "CREDENTIALS_DIRECTORY": str(write_secrets(tmp_path))}
    done = joed("--failsafe", "--state-dir", where.root, "--json", env=env)

    report = json.loads(done.stdout)
    [row] = report["brokers"]
    assert (done.returncode, report["safe"], report["left"]) == (0, True, []), done.stdout
    assert row["cancelled"] == [trader.sent[2].order]
    assert row["closed"] == ["XAUUSD SELL 0.10"]
    assert [(held["instrument"], held["protected"]) for held in row["positions"]] == [("EURUSD", True)]
    after = Book(port)
    assert [row["market"]["epic"] for row in after.positions] == ["EURUSD"]
    assert after.positions[0]["position"]["stopLevel"]
    assert after.orders == []
