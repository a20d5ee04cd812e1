"""Capital.com's adapter before a service that speaks its wire, in virtual time; rigs.py says what a rig is."""

import asyncio
from dataclasses import replace

from joed.brokers.capital.broker import CapitalBroker
from joed.brokers.capital.session import Credentials
from joed.model import feeds
from joed.model.events import BrokerDown, BrokerUp, OrderDoubted, OrderRejected, Quote
from joed.model.settings import Capital, Risk, Settings
from joed.model.values import SECOND
from joed.sim.loop import LoopClock, VirtualLoop
from tests.fakes.capital import FakeCapital
from tests.faults.measure import Heard

START_NS = 1_750_000_000 * SECOND
FINDINGS = (feeds.BrokerExamined, feeds.FeedChanged, feeds.InstrumentServed, feeds.InstrumentSetAside)
"""What an adapter tells of its account beside orders: each adapter's own tests judge it."""


class CapitalRig:
    """Capital.com's adapter before the fake that speaks its REST and its stream, in virtual time."""

    account = "PAPER-1"
    asks = 2  # in `submit`, and again where the request's bytes leave
    stranger_rows = 1  # stop and target are its attributes
    burst = ("", *("the fate of E1 in AAA is open",) * 3)  # one unresolved order an epic: reliability 6.5
    unsure = (OrderDoubted, OrderRejected)  # requests fail one by one before the link counts as lost
    pace = 4.0
    """Seconds that pass for each that a case asks for: what happens to an order is seen by looking again and again."""
    capital = Capital(orders_poll_s=0.5, stale_s=600.0)
    risk = Risk()

    def __init__(self, directory, exchange):
        self.directory = directory
        self.loop = VirtualLoop(START_NS)
        self.clock = LoopClock(self.loop)
        self.events = []
        self.heard = Heard(self.clock)
        self.exchange = exchange
        self.fake = FakeCapital(exchange, self.clock)
        self.name_account(self.account)
        self.loop.run_until_complete(self.fake.listen())
        self.settings = Settings(
            brokers=("capital",),
            universe=self.universe(),
            risk=self.risk,
            capital=replace(self.capital, rest_url=self.fake.url, stream_url=self.fake.stream_url),
        )
        self.begin()

    def universe(self):
        """Give the instruments that the adapter is to know: those of the exchange."""
        return dict(self.exchange.instruments)

    def name_account(self, name):
        """Let the trading account go by this name."""
        account = next(row for row in self.fake.accounts.values() if row.trades)
        del self.fake.accounts[account.account_id]
        account.account_id = name
        self.fake.accounts[name] = account
        self.fake.door.switch(name)

    def begin(self):
        """Make the adapter and wait until it is up."""
        user = self.fake.user
        credentials = Credentials(user.api_key, user.identifier, user.password)
        self.broker = CapitalBroker(
            "paper", self.settings, self.clock, self.hear, credentials, directory=self.directory
        )
        self.broker.start()
        self.broker.subscribe(tuple(self.settings.universe))
        self.running = self.loop.create_task(self.broker.run())
        self.until(BrokerUp)
        self.spin(2.0)

    def hear(self, event):
        """Keep what is emitted, and when."""
        self.events.append(event)
        self.heard.note(event)

    def spin(self, seconds):
        """Let time pass at both ends."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def until(self, kind, seconds=90):
        """Wait for an event of this kind, longer than anything may take."""
        began = len(self.events)
        for _ in range(seconds * 10):
            if any(isinstance(event, kind) for event in self.events[began:]):
                return
            self.spin(0.1)
        raise AssertionError(f"no {kind.__name__} within {seconds} s")

    def quote(self, bid, ask, instrument="AAA", **sizes):
        """Let the market have a price, and its consequences be seen."""
        self.fake.quote(Quote(instrument, bid, ask, **sizes))
        self.wait()

    def wait(self, seconds=1.0):
        """Let time pass."""
        self.spin(seconds * self.pace)

    def doubt(self):
        """Let the next order be carried out and its answer be lost."""
        self.fake.faults.lose_answer("POST", "/positions")

    def cut(self):
        """Put the service out of reach."""
        key = (self.fake.host, self.fake.port)
        self.loop.network.route(key).refused = True
        for link in self.loop.network.links_to(self.fake.port):
            link.reset()
        self.until(BrokerDown)

    def mend(self):
        """Let it be found again."""
        self.loop.network.route((self.fake.host, self.fake.port)).refused = False
        self.until(BrokerUp)
        self.wait()

    def close(self):
        """End all of it."""
        self.broker.stop()
        self.loop.run_until_complete(self.running)
        self.loop.run_until_complete(self.fake.stop())
        self.loop.close()

    def take(self):
        """Give what has been emitted since the last time, quotes and findings left out."""
        events = [event for event in self.events if not isinstance(event, (Quote, *FINDINGS))]
        self.events.clear()
        return events
