"""The Interactive Brokers adapter before a TWS that speaks the wire, in virtual time; rigs.py says what a rig is."""

import asyncio

from joed.brokers.ibkr.broker import IbkrBroker
from joed.model.events import BrokerUp, Quote
from joed.model.feeds import HoursTold
from joed.model.settings import Ibkr, Session, Settings
from joed.model.values import SECOND
from joed.sim.loop import LoopClock, VirtualLoop
from tests.fakes.tws import FakeTws
from tests.fakes.tws.faults import act
from tests.faults.measure import Heard

START_NS = 1_750_000_000 * SECOND
UP_S = 120.0
QUESTIONS = ("9", "91")
"""What is asked about contracts: their description, and the price steps of a rule."""
TOLD_OF_AN_ORDER = ("openOrder", "orderStatus", "execDetails", "commissionReport")


class IbkrRig:
    """The adapter with its library, a network in memory, and the TWS with the exchange at its other end."""

    account = "DU1234567"
    asks = 1
    stranger_rows = 3
    burst = ("", "", "killed", "killed")
    unsure = ()

    def __init__(self, exchange, name="paper", universe=None, *, folder=None, asked=False, session=None, **settings):
        self.loop = VirtualLoop(START_NS)
        self.clock = LoopClock(self.loop)
        self.events = []
        self.heard = Heard(self.clock)
        self.exchange = exchange
        self.tws = FakeTws(exchange, self.clock, account=self.account)
        self.doubting = False
        self.run(self.tws.listen())
        port = self.tws.port
        known = Ibkr(port=port, **settings)
        rows = exchange.instruments if universe is None else universe
        self.settings = Settings(account=self.account, universe=dict(rows), ibkr=known, session=session or Session())
        self.broker = IbkrBroker(name, self.settings, self.clock, self.hear, folder)
        self.asked = []
        if asked:
            self.tws.journal = lambda way, *rest: (
                way == "<<" and rest[1][0] in QUESTIONS and self.asked.append(rest[1][0])
            )
        self.came_up = asyncio.Event()
        self.running = None
        self.start()

    def start(self):
        """Run the adapter, and be there when it is up and knows its contracts."""
        self.running = self.loop.create_task(self.broker.run())
        self.run(asyncio.wait_for(self.came_up.wait(), UP_S))
        self.wait()

    def restart(self, dead_s=0.0):
        """End the adapter as with its process, and be another after a while that remembers nothing."""
        self.broker.stop()
        self.run(self.running)
        self.run(asyncio.sleep(dead_s))
        self.came_up.clear()
        self.broker = IbkrBroker(self.broker.name, self.settings, self.clock, self.hear)
        self.start()

    def hear(self, event):
        """Keep what is emitted, and note a link."""
        self.events.append(event)
        self.heard.note(event)
        if isinstance(event, BrokerUp):
            self.came_up.set()

    def run(self, awaited):
        """Let the loop go on until this is done."""
        return self.loop.run_until_complete(awaited)

    def fault(self, words):
        """Have a fault of the TWS happen now."""

        async def happen():
            act(self.tws, words)

        self.run(happen())

    def quote(self, bid, ask, instrument="AAA", **sizes):
        """Let the market be here, and its consequences arrive."""

        async def happen():
            self.tws.quote(Quote(instrument, bid, ask, **sizes))

        self.run(happen())
        self.wait()

    def wait(self, seconds=1.0):
        """Let time pass; with a doubt under way, until the adapter has it and the TWS speaks again."""
        if self.doubting:
            self.doubting = False
            self.run(asyncio.sleep(self.settings.ibkr.order_s + 1.0))
            self.fault("pass")
        self.run(asyncio.sleep(seconds))

    def doubt(self):
        """Lose every word about the next order."""
        self.doubting = True
        for name in TOLD_OF_AN_ORDER:
            self.fault(f"drop {name}")

    def cut(self):
        """Break the link, and refuse the next until it is mended."""
        self.came_up.clear()
        self.fault("refuse")
        self.fault("reset")
        self.run(asyncio.sleep(0.01))

    def mend(self):
        """Let the adapter find the port open again."""
        self.fault("accept")
        self.run(asyncio.wait_for(self.came_up.wait(), UP_S))
        self.wait()

    def take(self):
        """Give what has been emitted since the last time, quotes and market hours left out."""
        events = [event for event in self.events if not isinstance(event, Quote | HoursTold)]
        self.events.clear()
        return events

    def close(self):
        """End both ends and their loop."""
        self.broker.stop()
        self.tws.stop()
        self.run(self.running)
        self.loop.close()
