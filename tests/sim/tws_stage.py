"""The seeded world with the real Interactive Brokers adapter in it: TWS speaks its wire over the world's exchange.

joed's other half is unchanged: the adapter, the library under it and the fake TWS run on the world's own loop, and each
life of joed has an adapter of its own, as each process has.
"""

import asyncio
import os
import sys
from dataclasses import replace

from msgspec.structs import replace as known_as

from joed.brokers.ibkr.broker import IbkrBroker
from joed.model.settings import Ibkr
from joed.sim.loop import LoopClock, VirtualLoop
from joed.sim.stage import Stage
from joed.sim.world import play, scenario_of
from tests.fakes.tws import FakeTws
from tests.fakes.tws.faults import act

ACCOUNT = "DU1234567"
LIBRARY = os.environ.get("JOED_IB_LIBRARY", "ib_insync")
"""ib_async has an environment of its own: `make ib-async`."""
GONE = "the process is gone"


class AdapterSide:
    """What the world calls its broker: the adapter of this life, if it has one, before the far end of its wire."""

    def __init__(self, exchange, clock, emit):
        self.exchange, self.clock, self.emit = exchange, clock, emit
        self.links = 0
        self.adapter = self.running = None
        self.wanted = tuple(exchange.instruments)

    @property
    def streams(self):
        """Name what is streamed."""
        return self.adapter.streams if self.adapter else ()

    def subscribe(self, instruments):
        """Stream these."""
        self.wanted = instruments
        if self.adapter is not None:
            self.adapter.subscribe(instruments)

    def connect(self):
        """Let a life have its adapter."""
        if self.adapter is None:
            self.links += 1
            self.adapter = self.make()
            self.adapter.subscribe(self.wanted)
            self.running = self.clock.loop.create_task(self.adapter.run())

    def end(self):
        """Let the adapter go with its process."""
        if self.adapter is not None:
            self.adapter.stop()
        self.adapter = None

    def submit(self, command, permit):
        """Hand a new order over."""
        return self.adapter.submit(command, permit) if self.adapter else "not connected"

    def amend(self, command, permit):
        """Hand an amendment over."""
        return self.adapter.amend(command, permit) if self.adapter else "not connected"

    def cancel(self, command, permit):
        """Hand a cancel over."""
        return self.adapter.cancel(command, permit) if self.adapter else "not connected"

    def cancel_foreign(self, command, permit):
        """Ask for the end of strangers' orders."""
        return self.adapter.cancel_foreign(command, permit) if self.adapter else "not connected"

    def read(self, command):
        """Ask for the whole book."""
        if self.adapter is not None:
            self.adapter.read(command)


class TwsBroker(AdapterSide):
    """The adapter of Interactive Brokers, and the TWS at the other end of its wire."""

    name = "paper"

    def __init__(self, settings, exchange, clock, emit, closes):
        super().__init__(exchange, clock, emit)
        self.closes, self.shut = closes, False
        self.sent = {}
        self.resized = {}
        self.enter, exchange.submit = exchange.submit, self.take
        self.alter, exchange.amend = exchange.amend, self.restate
        self.tws = FakeTws(exchange, clock, account=ACCOUNT, latency_s=settings.paper.latency_s)
        clock.loop.run_until_complete(self.tws.listen())
        known = Ibkr(port=self.tws.port, library=LIBRARY, connect_s=2.0, answer_s=4.0, order_s=2.0)
        self.settings = replace(settings, account=ACCOUNT, ibkr=known)

    @property
    def up(self):
        """Say whether this life's link is up."""
        return self.adapter is not None and self.adapter.up

    @property
    def connection(self):
        """Number the links over all lives."""
        return (self.links, self.adapter._link.connection if self.adapter else 0)

    def open(self):
        """Let the exchange keep its day."""
        for close_ns in self.closes:
            self.clock.call_at(close_ns, self.tws.desk.end_of_day)

    def connect(self):
        """Let TWS be reached; a new life begins with a new adapter."""
        if self.shut:
            self.shut = False
            self.soon("accept")
        super().connect()

    def make(self):
        """Give an adapter."""
        return IbkrBroker(self.name, self.settings, self.clock, self.emit)

    def disconnect(self, reason):
        """Cut the link, and refuse the next; with a process its adapter goes."""
        if reason == GONE:
            self.end()
        elif not self.shut:
            self.shut = True
            self.soon("refuse")
            self.soon("reset")

    def soon(self, words):
        """Have a fault of the TWS happen at once, on the loop."""
        self.clock.call_at(self.clock.now(), lambda: act(self.tws, words))

    def take(self, now, command):
        """Let the exchange know what no wire tells and its laws ask: an order's leg, and for whose position it is."""
        known = self.sent.get(command.order)
        if known is not None:
            command = known_as(command, leg=known.leg, foreign=known.foreign, signal=known.signal)
        return self.enter(now, command)

    def restate(self, now, command):
        """Let the exchange know what TWS brings back: a quantity that joed asked for in no amendment, only carried.

        An order of TWS is amended whole. What a fill of its group took from it meanwhile is there again: that is TWS's
        doing, and joed's to mend in time.
        """
        order = self.exchange.orders.get(command.order)
        grows = order is not None and command.quantity is not None and command.quantity > order.quantity
        if grows and self.resized.get(command.order) != command.quantity:
            self.exchange.shake("restored", order.instrument, now)
        return self.alter(now, command)

    def submit(self, command, permit):
        """Hand a new order over."""
        self.sent[command.order] = command
        return super().submit(command, permit)

    def amend(self, command, permit):
        """Hand an amendment over."""
        if command.quantity is not None:
            self.resized[command.order] = command.quantity
        return super().amend(command, permit)

    def act(self, act_now):
        """Have the exchange do something now, and tell of it."""
        self.tws.desk.settle(act_now(self.clock.now()))

    def quote(self, quote):
        """Let the market be here."""
        self.tws.quote(quote)

    def halt(self, instrument, *, halted):
        """Halt trading of an instrument, or resume it."""
        self.tws.halt(instrument, halted=halted)

    def arrive(self, command):
        """Take an order that was long on its way."""
        self.exchange.shake("late_entry", command.instrument, self.clock.now())
        self.submit(command, lambda _command: "")


class TwsStage(Stage):
    """A world whose joed trades through TWS."""

    def make_clock(self):
        """Give the loop's time."""
        return LoopClock(VirtualLoop(self.start_ns))

    def make_broker(self):
        """Give the adapter and its TWS."""
        return TwsBroker(self.settings, self.exchange, self.clock, self.wire.receive, (self.close_ns,))

    def abandon(self):
        """Let the loop go too."""
        super().abandon()
        loop = self.clock.loop
        self.broker.end()
        self.broker.tws.stop()
        loop.run_until_complete(_rest())
        loop.close()


async def _rest():
    """Let what was told to end do so."""
    await asyncio.sleep(1.0)


def main(seeds):
    """Play these seeds' worlds, and say how each ended: `python -m tests.sim.tws_stage 1 2 3`."""
    for seed in map(int, seeds):
        outcome = play(scenario_of(seed), TwsStage)
        print(seed, outcome.law or "ok", outcome.words, outcome.counts.get("fills", 0), "fills", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
