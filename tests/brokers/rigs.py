"""What the broker tests share: orders in words, and rigs that put an adapter before an exchange the test holds.

To have another adapter judged, give it a rig and a row in RIGS, and a row in LACKS for each case that its broker cannot
show, with the reason. A rig is made with an empty directory and then has
`broker` (the adapter, started), `exchange` (the matching model behind the fake that speaks the broker's wire), `clock`
and `events` (all that was emitted), and six verbs: `quote` (a price at the exchange, with its consequences), `wait`
(time passes at both ends), `take` (what was emitted, quotes left out), `doubt` (the next answer never comes), `cut` and
`mend` (the link), and `close`. Nothing in it knows a case; nothing in a case knows a broker.
"""

import asyncio
import random
from decimal import Decimal

from joed.brokers.paper import PaperBroker
from joed.brokers.paper_remote import RemotePaperBroker
from joed.brokers.paper_server import PaperServer
from joed.brokers.paper_store import PaperStore
from joed.daemon.clock import SimulatedClock
from joed.exchange import Exchange
from joed.model.commands import SubmitOrder
from joed.model.events import BrokerUp, Quote
from joed.model.settings import Instrument, Paper
from joed.model.values import SECOND, Kind, Leg, Side, Tif
from tests.brokers.rig_capital import CapitalRig
from tests.brokers.rig_ibkr import IbkrRig

UNIVERSE = {name: Instrument(name) for name in ("AAA", "BBB")}
SETTINGS = Paper(partial_share=0.0, slippage=Decimal(0), latency_s=0.05)
START_NS = 1_750_000_000 * SECOND


def permitted(_command):
    """Let everything leave."""
    return ""


def bracket(order="E1", quantity="10", level="100.00", stop="95.00", target="110.00", instrument="AAA"):
    """Give an entry with its stop and target."""
    return SubmitOrder(
        order=order,
        broker="paper",
        instrument=instrument,
        side=Side.BUY,
        quantity=Decimal(quantity),
        kind=Kind.LIMIT,
        leg=Leg.ENTRY,
        opens=True,
        level=Decimal(level),
        stop_order=f"{order}-S",
        stop=Decimal(stop),
        target_order=f"{order}-T",
        target=Decimal(target),
        group=order,
        signal=order,
    )


def close(order="C1", quantity="10", group="E1"):
    """Give a market close of a long position."""
    return SubmitOrder(
        order=order,
        broker="paper",
        instrument="AAA",
        side=Side.SELL,
        quantity=Decimal(quantity),
        kind=Kind.MARKET,
        leg=Leg.CLOSE,
        opens=False,
        tif=Tif.GTC,
        group=group,
    )


def exchange_of(settings=SETTINGS, seed=7):
    """Give an exchange for AAA and BBB."""
    return Exchange(UNIVERSE, settings, random.Random(seed))


class OwnClock(SimulatedClock):
    """Simulated time that can say how it runs, as an exchange's process does."""

    origin_ns = START_NS
    base_ns = 0
    speed = 1.0

    def pass_to(self, at_ns):
        """Run everything that is due by then, and be there."""
        while (due_ns := self.next_ns()) is not None and due_ns <= at_ns:
            self.advance()
        self._now = max(self._now, at_ns)


class Silence:
    """A feed that says nothing: the test quotes by hand."""

    def start(self, clock, on_quote):
        """Plan nothing."""


class PaperRig:
    """The paper broker with its exchange in the same process."""

    account = "PAPER-1"
    asks = 1
    """How often permission is asked for one command that leaves."""
    stranger_rows = 3
    """How many open orders a stranger's bracket is."""
    burst = ("", "", "killed", "killed")
    """What four orders at once are told, where a kill comes after the second permission."""
    unsure = ()
    """Words that may be said of an order between the loss of the link and its discovery."""

    def __init__(self, directory, settings=SETTINGS):
        self.clock = OwnClock(START_NS)
        self.events = []
        self.exchange = exchange_of(settings)
        self.store = PaperStore(directory / "paper.db")
        self.broker = self.make(self.exchange, settings)
        self.broker.start()

    def make(self, exchange, settings):
        """Give the adapter under test."""
        return PaperBroker("paper", exchange, self.clock, self.events.append, settings, self.store)

    def quote(self, bid, ask, instrument="AAA", **sizes):
        """Let the exchange have a quote, and its consequences arrive."""
        self.broker.quote(Quote(instrument, bid, ask, **sizes))
        self.wait()

    def wait(self, seconds=1.0):
        """Let time pass."""
        self.clock.pass_to(self.clock.now() + int(seconds * SECOND))

    def doubt(self):
        """Let the answer to the next new order be lost, and the adapter know."""
        self.broker.doubt_next()

    def cut(self):
        """Break the link."""
        self.broker.disconnect()

    def mend(self):
        """Let the link be made again."""
        self.broker.connect()
        self.wait()

    def close(self):
        """End all of it."""
        self.broker.stop()
        self.store.close()

    def take(self):
        """Give what has been emitted since the last time, quotes left out."""
        events = [event for event in self.events if not isinstance(event, Quote)]
        self.events.clear()
        return events


class RemoteRig(PaperRig):
    """The remote paper broker, a socket, and the server with the exchange at its other end."""

    def make(self, exchange, settings):
        """Give the client, connected; the server's clock is the test's."""
        self.loop = asyncio.new_event_loop()
        self.path = self.store.path.with_name("paper.sock")

        def make_broker(emit):
            return PaperBroker("paper", exchange, self.clock, emit, settings, self.store)

        self.server = PaperServer(make_broker, Silence(), self.clock, self.path)
        self.serving = self.loop.create_task(self.server.run())
        self.spin()
        self.came_up = asyncio.Event()
        client = RemotePaperBroker("paper", self.path, self.clock, self.hear)
        self.running = self.loop.create_task(client.run())
        self.spin()
        return client

    def hear(self, event):
        """Keep what the client emits, and note a link."""
        self.events.append(event)
        if isinstance(event, BrokerUp):
            self.came_up.set()

    def spin(self, turns=30):
        """Let all bytes that are under way arrive: a Unix socket holds nothing back."""

        async def turn():
            for _ in range(turns):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turn())

    def quote(self, bid, ask, instrument="AAA", **sizes):
        """Quote at the server's side."""
        self.server.broker.quote(Quote(instrument, bid, ask, **sizes))
        self.wait()

    def wait(self, seconds=1.0):
        """Let time pass at both ends."""
        self.spin()
        super().wait(seconds)
        self.spin()

    def doubt(self):
        """Lose the answer at the server's side."""
        self.server.broker.doubt_next()

    def cut(self):
        """Break the link, and keep the socket out of reach until it is mended."""
        self.came_up.clear()
        self.path.rename(self.path.with_suffix(".away"))
        self.broker._link.transport.abort()
        self.spin()

    def mend(self):
        """Let the client find the socket again."""
        self.path.with_suffix(".away").rename(self.path)

        self.loop.run_until_complete(asyncio.wait_for(self.came_up.wait(), 20))
        self.wait()

    def close(self):
        """End both ends and their loop."""
        self.broker.stop()
        self.server.stop()
        self.loop.run_until_complete(asyncio.gather(self.running, self.serving))
        self.loop.close()


def ibkr_rig(directory):
    """Give the Interactive Brokers adapter before a TWS whose exchange is as the others'."""
    return IbkrRig(exchange_of())


def capital_rig(directory):
    """Give Capital.com's adapter before a service whose exchange is as the others', without fees."""
    settings = Paper(SETTINGS.cash, SETTINGS.latency_s, Decimal(0), Decimal(0), SETTINGS.slippage, 0.0)
    return CapitalRig(directory, exchange_of(settings))


RIGS = {"paper": PaperRig, "remote": RemoteRig, "ibkr": ibkr_rig, "capital": capital_rig}

WHOLE = "an order fills whole or not at all: a deal has one level and one size"
LACKS = {
    "capital": {
        "TC-11": WHOLE,
        "TC-32": WHOLE,
        "TC-33": WHOLE,
        "TC-38": "a stop is an attribute of its position, for all of it: tests/brokers/capital/test_exits.py",
    }
}
"""Cases that a broker cannot show, and why."""


def having(case):
    """Name the rigs whose brokers can show a case."""
    return [name for name in RIGS if case not in LACKS.get(name, {})]
