"""The adapter before the fake, as the contract's rig has it, with what this adapter's own tests need besides."""

import shutil
from decimal import Decimal as Money

from joed.brokers.capital.broker import CapitalBroker
from joed.model.commands import ReadBroker
from joed.model.events import BrokerRead, OrderFilled, Quote
from joed.model.settings import Paper
from tests.brokers.rig_capital import CapitalRig
from tests.brokers.rigs import exchange_of, permitted

FREE = Paper(partial_share=0.0, slippage=Money(0), fee_share=Money(0), fee_min=Money(0))
OPENING = ("/positions", "/workingorders")


class Place(CapitalRig):
    """One account, connected, with AAA at 99.90 to 100.00 unless asked otherwise."""

    quoted = True
    nudge = False

    def __init__(self, directory):
        super().__init__(directory, exchange_of(FREE))

    def begin(self):
        """Wait until it is up, and let it have a price."""
        super().begin()
        if self.quoted:
            self.quote(99.9, 100.0)
            self.events.clear()

    def freshen(self):
        """Let AAA have a price of this moment; the same one again would not be streamed."""
        self.nudge = not self.nudge
        self.fake.quote(Quote("AAA", 99.89 if self.nudge else 99.9, 100.0))
        self.spin(0.1)

    def submit(self, command, permit=permitted):
        """Hand an order over, and see that it was taken."""
        assert self.broker.submit(command, permit) == ""

    def of(self, *kinds):
        """Give the events of these kinds, and leave them."""
        return [event for event in self.events if isinstance(event, kinds)]

    def read(self, seconds=1.0):
        """Give the whole book."""
        self.broker.read(ReadBroker("paper"))
        self.wait(seconds)
        return self.of(BrokerRead)[-1]

    def posts(self):
        """Count the requests that could open something."""
        return sum(1 for _, method, path in self.fake.log if method == "POST" and path in OPENING)

    def filled(self):
        """Give each fill that was told, by its order."""
        return [event.order for event in self.of(OrderFilled)]

    def photograph(self, name):
        """Give a copy of what is durable at this instant."""
        copy = self.directory.with_name(f"{self.directory.name}-{name}")
        shutil.copytree(self.directory, copy)
        return copy

    def crash(self, directory):
        """End the process as a power cut does: nothing after the photograph has happened to its disk."""
        self.broker.stop()
        self.loop.run_until_complete(self.running)
        self.directory = directory
        self.events.clear()
        self.quoted = False
        self.begin()

    def stop_only(self):
        """End the adapter alone."""
        self.broker.stop()
        self.loop.run_until_complete(self.running)

    def another(self, credentials):
        """Give an adapter with other credentials, not started."""
        return CapitalBroker("paper", self.settings, self.clock, self.events.append, credentials)
