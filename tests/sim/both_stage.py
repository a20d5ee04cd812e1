"""The seeded world with both real adapters in it: TWS and Capital.com, each over an exchange of its own.

One process of joed trades at both; while one broker fails the other's own laws hold as if nothing were the matter. Even
seeds have the world's faults, at TWS and in the house; odd ones have the house's, and Capital.com fails.
"""

import sys
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from random import Random
from types import SimpleNamespace

from msgspec.structs import replace as with_fields

from joed.brokers.capital.broker import CapitalBroker
from joed.brokers.capital.session import Credentials
from joed.model import book
from joed.model.commands import SubmitOrder
from joed.model.settings import Capital, Instrument
from joed.model.values import SECOND
from joed.sim.build import settings_of
from joed.sim.house_faults import HOUSE_FAULTS
from joed.sim.laws import Broken, Watch
from joed.sim.odd import OddExchange
from joed.sim.prices import Prices
from joed.sim.rest import REST_LAWS
from joed.sim.scenario import VIX
from joed.sim.wire import Wire
from joed.sim.world import play, scenario_of
from tests.fakes.capital import FakeCapital
from tests.fakes.capital.script import happen
from tests.sim.capital_trouble import LAGS, NAMES, capital_faults
from tests.sim.tws_stage import GONE, AdapterSide, TwsStage

HOUSE = (
    *("cut", "slow_disk", "full_disk", "stop", "upgrade", "reconfigure"),
    *("kill", "pause", "flush", "stall", "fail_jobs"),
)
"""Faults of the world that are nobody's but joed's own house's."""
BOOK_LAWS = (book.repeated, book.unbalanced, book.unprotected, book.turned)
SETTLE_S = 0.05
ENDS_S = 5
"""How long a stopped adapter may take to let go of its sockets."""
ABSENT_S = 75.0
"""How long an order in doubt is searched for: the calm at the end has to outlast it."""


class CapitalSide(AdapterSide):
    """The adapter of Capital.com, and the service at the other end of its wire."""

    name = "capital"

    def __init__(self, settings, exchange, clock, emit, directory):
        super().__init__(exchange, clock, emit)
        self.directory, self.ending = directory, []
        directory.mkdir()
        self.fake = FakeCapital(exchange, clock)
        self.fake.desk.settle_s = SETTLE_S
        clock.loop.run_until_complete(self.fake.listen())
        known = Capital(rest_url=self.fake.url, stream_url=self.fake.stream_url, absent_s=ABSENT_S)
        self.settings = replace(settings, capital=known)
        user = self.fake.user
        self.credentials = Credentials(user.api_key, user.identifier, user.password)

    @property
    def up(self):
        """Say whether this life's link is up."""
        return self.adapter is not None and self.adapter.link.up

    @property
    def connection(self):
        """Number the links over all lives."""
        return (self.links, self.adapter.link.connection if self.adapter else 0)

    def make(self):
        """Give an adapter."""
        return CapitalBroker(
            self.name, self.settings, self.clock, self.emit, self.credentials, directory=self.directory
        )

    def disconnect(self, reason):
        """Let the adapter go with its process; no other end of a link is asked for here."""
        assert reason == GONE
        if self.adapter is not None:
            self.ending.append((self.clock.now(), self.running))
        self.end()

    def overdue(self):
        """Say whether an adapter that was told to end long ago has not."""
        self.ending = [(at_ns, task) for at_ns, task in self.ending if not task.done()]
        late = [at_ns for at_ns, _ in self.ending if self.clock.now() - at_ns > ENDS_S * SECOND]
        return f"{len(late)} adapters live on that were stopped" if late else ""

    def quote(self, quote):
        """Let the market be here."""
        if quote.instrument != VIX:
            self.fake.quote(quote)

    def calm(self):
        """Let everything answer, at once and truly."""
        fake = self.fake
        for words in ("alive", "speak", "thaw", "admit", "hedging off"):
            happen(fake, *words.split())
        for what in LAGS:
            happen(fake, "lag", what, "0")
        for name in NAMES:
            happen(fake, "status", name, "-")
        fake.faults.rejects.clear()


def shared(name):
    """Give an attribute that is the first onlooker's: there is one person, one record, one fear."""

    def setter(self, value):
        if "first" in vars(self):
            setattr(self.first, name, value)

    return property(lambda self: getattr(self.first, name), setter)


class BesideWatch(Watch):
    """The onlooker at Capital.com's exchange. Orders have the service's names there, so nothing is asked by name."""

    killed_ns, paused, unrecorded = shared("killed_ns"), shared("paused"), shared("unrecorded")
    prints_high, fear, sent_ns = shared("prints_high"), shared("fear"), shared("sent_ns")
    checks, alerts, _seqs = shared("checks"), shared("alerts"), shared("_seqs")

    def __init__(self, first, exchange):
        super().__init__(exchange, first.clock, first._journal, first.risk)
        self.first = first
        self.asked = Counter()
        self.broken = None

    def handing(self, command):
        """Judge an order as it is handed over, and remember what it asks for."""
        super().handing(command)
        if isinstance(command, SubmitOrder) and command.opens:
            self.asked[command.instrument, command.side, command.quantity, command.target] += 1

    def leaving(self, command):
        """Judge an order a second time, as its bytes leave: what opens must still be allowed to."""
        opens = isinstance(command, SubmitOrder) and command.opens
        shut = self.killed_ns or self.paused or (self.prints_high >= self.fear[2] > 0)
        if opens and shut and self.broken is None:
            self.broken = Broken("nothing slips past a kill", f"{command.order} left for Capital.com")
        if opens and self.clock.now() > command.expires_at_ns and self.broken is None:
            self.broken = Broken("nothing leaves late", f"{command.order} left for Capital.com after its expiry")

    def look(self):
        """Judge what has been done: also, that there is no entry which nobody asked for, nor one twice."""
        before = self._lines
        super().look()
        for line in list(self.exchange.log)[before:]:
            order = self.exchange.orders.get(line.order)
            if line.what == "accepted" and order is not None and order.opens:
                legs = [one.level for one in self.exchange.orders.values() if one.order == f"{line.order}-T"]
                shape = (order.instrument, order.side, order.asked, legs[0] if legs else None)
                self.asked[shape] -= 1
                words = f"{shape} came to Capital.com more often than it was handed over"
                self.hold("one order an intent", words if self.asked[shape] < 0 else "")


class BesideWire(Wire):
    """A wire whose adapter asks for permission twice: at the hand-over, and as the bytes leave."""

    name = "capital"

    def _hand_over(self, command, permit, hand_over):
        left = False

        def ask(asked):
            nonlocal left
            reason = permit(asked)
            if reason:
                return reason
            if left:
                self.watch.leaving(asked)
            else:
                left = True
                self.watch.handing(asked)
            return ""

        reason = hand_over(command, ask)
        if left:
            self._counts[f"{type(command).__name__} at capital"] += 1
            self.point("handed")
        return reason


class BothStage(TwsStage):
    """A world whose joed trades through TWS and at Capital.com."""

    def __init__(self, scenario, root, calendars, date_ns):
        odd = bool(scenario.seed % 2)
        if odd:
            faults = tuple(one for one in scenario.faults if one.kind in HOUSE or one.kind in HOUSE_FAULTS)
            scenario = with_fields(scenario, faults=faults)
        super().__init__(scenario, root, calendars, date_ns)
        chance = Random(f"{scenario.seed}:capital")
        rows = {name: row for name, row in self.settings.universe.items() if row.broker == "capital"}
        none = Decimal(0)  # no fee and no part of an order is ever told by Capital.com
        free = replace(self.settings.paper, partial_share=0.0, slippage=none, fee_share=none, fee_min=none)
        self.other = OddExchange(rows, free, chance, "capital", base=self.settings.base_currency)
        self.other_watch = BesideWatch(self.watch, self.other)
        self.other_wire = BesideWire(self.clock, self.other_watch, self.counts, self.point, self._seed)
        self.capital = CapitalSide(self.settings, self.other, self.clock, self.other_wire.receive, root / "capital")
        self.other_wire.broker = self.capital
        self.site.beside = (self.other_wire,)
        traits = with_fields(scenario.traits, instruments=NAMES)
        self.other_prices = Prices(self.clock, self._seed + 1, traits, self.capital.quote)
        self.struck, self.strikes = capital_faults(scenario.seed, scenario.safe_s) if odd else ([], 0)

    def make_settings(self):
        """Give joed's settings, with what trades at Capital.com."""
        made = settings_of(self.scenario)
        rows = {name: Instrument(name, broker="capital") for name in NAMES}
        return replace(made, brokers=("paper", "capital"), universe={**made.universe, **rows})

    def run(self, strike):
        """Play the scenario, and Capital.com's part in it."""

        def both():
            strike()
            self.other_prices.start(self.open_ns if not self.scenario.traits.evening else self.start_ns)
            for at_s, words in self.struck:
                self.after(at_s, lambda words=words: self.strike(words))

        super().run(both)

    def strike(self, words):
        """Let something go wrong at Capital.com, unless the calm has begun."""
        if not self.calmed:
            self.counts[f"fault capital {words.split()[0]}"] += 1
            happen(self.capital.fake, *words.split())

    def _settle(self):
        super()._settle()
        self.other_watch.look()
        self.watch.hold("what is stopped ends", self.capital.overdue())
        if self.other_watch.broken is not None:
            raise self.other_watch.broken
        running = self.capital.running
        if self.capital.adapter is not None and running.done():
            raise running.exception() or Broken("nothing escapes", "the adapter has ended by itself")

    def calm(self):
        """Begin the end, at both."""
        super().calm()
        self.capital.calm()
        self.counts["entries at capital before calm"] = self.entries_there()

    def rest(self):
        """Let prices stand still everywhere."""
        self.other_prices.frozen = True
        super().rest()

    def entries_there(self):
        """Count the entries that have filled at Capital.com."""
        return sum(1 for order in self.other.orders.values() if order.opens and order.filled)

    def judge_rest(self):
        """Compare joed's books with both exchanges'."""
        state, one, two = self.state(), self.exchange, self.other
        self.counts["entries at capital"] = self.entries_there()
        here = with_fields(
            state, orders={name: order for name, order in state.orders.items() if order.broker != "capital"}
        )
        for name, law in REST_LAWS.items():
            if name in ("orders agree", "ends agree"):
                self.watch.hold(name, law(here, one))
            elif not (self.scenario.traits.evening and name == "entries are allowed again"):
                self.watch.hold(name, law(state, both_of(one, two)))
        self.watch.hold("orders agree at Capital.com", orders_agree(state, two))
        memory = two.to_state()
        found = [law for judge in BOOK_LAWS for law in judge(memory)]
        self.watch.hold("the exchange's own laws", "; ".join(found[:3]))

    def abandon(self):
        """Let go of both."""
        self.capital.end()
        self.clock.loop.run_until_complete(self.capital.fake.stop())
        self.other_watch.close()
        super().abandon()


def both_of(one, two):
    """Give two exchanges as one book: nothing is traded at both."""
    executions = sorted([*one.executions, *two.executions], key=lambda fill: fill.at_ns)
    positions = {**one.book.positions, **two.book.positions}
    book = SimpleNamespace(positions=positions, cash=one.book.cash + two.book.cash)
    return SimpleNamespace(
        book=book,
        executions=executions,
        orders={**one.orders, **two.orders},
        happened=one.happened,
        strange=one.strange,
    )


def orders_agree(state, exchange):
    """Live orders there are joed's, each with its leg, what is left of it and its level; their names are not asked."""
    ours = sorted(
        (order.instrument, str(order.leg), order.left, order.terms)
        for order in state.orders.values()
        if order.live and order.broker == "capital"
    )
    theirs = sorted(
        (order.instrument, str(order.leg), order.left, order.level)
        for order in exchange.orders.values()
        if not order.status.ended
    )
    return "" if ours == theirs else f"joed has {ours} at Capital.com, the service {theirs}"


def main(seeds):
    """Play these seeds' worlds, and say how each ended: `python -m tests.sim.both_stage 1 2 3`."""
    for seed in map(int, seeds):
        found = play(scenario_of(seed), BothStage)
        counts = found.counts
        entries = f"{counts.get('entries', 0)} entries at TWS, {counts.get('entries at capital', 0)} at Capital.com"
        print(seed, found.law or "ok", found.words, entries, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
