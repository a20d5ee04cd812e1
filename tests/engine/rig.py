"""The engine against the matching model, over a wire that delays, loses, repeats and swaps, and a process that dies.

What holds is judged by the exchange's own book. Every turn is also taken by a twin whose bands are emptied first, and
recorded, so that recovery can be compared with what lived.
"""

from decimal import Decimal
from random import Random

from msgspec.structs import replace

from joed.daemon.record import decode_state, encode_state
from joed.engine.markets import empty_bands
from joed.engine.risk import matches
from joed.engine.step import refold, step
from joed.exchange import Exchange, laws
from joed.model.commands import AmendOrder, CancelOrder, ReadBroker, SubmitOrder
from joed.model.events import (
    BrokerDown,
    BrokerUp,
    CommandDropped,
    CommandSent,
    EpochStarted,
    OperatorAsked,
    Quote,
    Tick,
    TriggersMade,
)
from joed.model.settings import Fear, Paper
from joed.model.values import SECOND, Status
from tests.engine.build import D, trading_state, trigger, without_bands

MOMENT_NS = SECOND // 1000
SYMBOLS = ("AAPL", "MSFT")
CALM = (
    ("quote",) * 8 + ("carry", "listen") * 6 + ("pass_second",) * 4 + ("arm", "ask") * 2 + ("snapshot", "fear", "fear")
)
FAULTS = ("lose_report", "lose_command", "repeat", "swap", "disconnect", "connect", "connect", "crash")
KILLS = ("kill", "release")


class Rig:
    """One engine, one exchange, the two directions between them, and all that was recorded."""

    def __init__(self, seed=0, partial_share=0.4, reject_share=0.0, **settings):
        """Begin in the middle of a session with 100,000 in cash on both sides."""
        self.state = trading_state(symbols=SYMBOLS, vix=Fear(hold_s=20.0), **settings)
        self.twin = decode_state(encode_state(self.state), b"key")
        self.snapshots = [(0, encode_state(self.state))]
        self.records = []
        self.now = self.state.now
        paper = Paper(partial_share=partial_share, reject_share=reject_share)
        self.exchange = Exchange(self.state.settings.universe, paper, Random(seed))
        self.prices = dict.fromkeys(SYMBOLS, D(200))
        self.out, self.heard, self.within = [], [], []
        self.connection, self.up, self.epoch, self.signals, self.requests = 1, True, 1, 0, 0
        self.moved_stops = {}

    def turn(self, event):
        """Take one event in, in both engines, and hand on what they decide."""
        self.now = max(self.now, self.state.now)
        scopes = {block.scope for block in self.state.blocks.values()}
        statuses = {name: order.status for name, order in self.state.orders.items()}
        empty_bands(self.twin)
        commands = step(self.state, self.now, event)
        assert step(self.twin, self.now, event) == commands, event
        self.records.append((self.now, event, commands))
        self.check(commands, scopes, statuses)
        self.release(commands)
        return commands

    def check(self, commands, scopes, statuses):
        """Hold each turn to what no turn may do."""
        sent = [one for one in commands if isinstance(one, SubmitOrder)]
        for one in sent:
            assert not one.opens or not scopes & {"all", "broker:paper", f"instrument:{one.instrument}"}, commands
        closes = [one.instrument for one in sent if one.leg == "C"]
        assert len(closes) == len(set(closes)), commands
        for one in commands:
            if isinstance(one, AmendOrder) and one.reason == "trail":
                assert one.level >= self.moved_stops.get(one.order, D(0)), "a stop was loosened"
                self.moved_stops[one.order] = one.level
        for name, before in statuses.items():
            after = self.state.orders[name].status
            assert after.ended or not before.ended or before is Status.ABSENT_PROVEN, (name, before, after)

    def release(self, commands):
        """Hand over what goes to the broker, as the shell does: checked once more, its fate told."""
        for index, command in enumerate(commands):
            if isinstance(command, ReadBroker):
                self.ask()
            elif isinstance(command, SubmitOrder | AmendOrder | CancelOrder):
                kind = type(command).__name__
                opens = isinstance(command, SubmitOrder) and command.opens
                blocked = opens and matches(self.state, command.instrument, command.strategy)
                if not self.up or blocked:
                    self.within.append(CommandDropped(self.state.seq, index, command.order, "dropped", kind))
                else:
                    self.out.append(command)
                    self.within.append(CommandSent(self.state.seq, index, command.order, kind))

    def ask(self):
        """Ask for the whole book; the answer is as the book is when the question arrives."""
        if self.up:
            self.out.append((self.connection, self.now))

    def quote(self, symbol, steps):
        """Let the price move by so many tenths of a percent, at the exchange and then here."""
        self.prices[symbol] = max(D(20), (self.prices[symbol] * (1 + D(steps) / 1000)).quantize(D("0.01")))
        self.pass_moment()
        price = self.prices[symbol]
        seen = Quote(symbol, float(price), float(price + D("0.02")), received_ns=self.now, broker="paper")
        self.hear(self.exchange.quote(self.now, seen))
        if self.up:
            self.turn(seen)

    def fear(self, price):
        """Let VIX print."""
        self.pass_moment()
        if self.up:
            self.turn(Quote("VIX", price, price, received_ns=self.now, broker="paper"))

    def pass_moment(self):
        """Let a thousandth of a second pass."""
        self.now += MOMENT_NS

    def pass_second(self):
        """Let the next full second come."""
        self.now += SECOND - self.now % SECOND
        self.turn(Tick())

    def hear(self, reports):
        """Put the exchange's reports on their way, if there is a link."""
        if self.up:
            self.heard.extend(reports)

    def carry(self, count=1):
        """Let the next commands arrive at the exchange."""
        for _ in range(min(count, len(self.out))):
            self.pass_moment()
            command = self.out.pop(0)
            if isinstance(command, tuple):
                connection, asked = command
                seen = self.exchange.snapshot(self.now)
                if self.up and connection == self.connection:
                    read = replace(seen, connection=connection, from_ns=asked, to_ns=self.now)
                    self.heard.append(read)
                continue
            name = {SubmitOrder: "submit", AmendOrder: "amend", CancelOrder: "cancel"}[type(command)]
            self.hear(getattr(self.exchange, name)(self.now, command))

    def listen(self, count=1):
        """Let the next reports arrive here, after what the shell says of its own."""
        while self.within:
            self.turn(self.within.pop(0))
        for _ in range(min(count, len(self.heard))):
            self.pass_moment()
            self.turn(self.heard.pop(0))
            while self.within:
                self.turn(self.within.pop(0))

    def lose_report(self):
        """Lose the next report; a snapshot is lost whole."""
        if self.heard:
            self.heard.pop(0)

    def lose_command(self):
        """Lose the next command, after it was handed over."""
        if self.out:
            self.out.pop(0)

    def repeat(self):
        """Deliver the next report twice."""
        if self.heard:
            self.heard.insert(1, self.heard[0])

    def swap(self):
        """Let two reports of different orders overtake each other."""
        if len(self.heard) > 1 and getattr(self.heard[0], "order", 0) != getattr(self.heard[1], "order", 1):
            self.heard[0], self.heard[1] = self.heard[1], self.heard[0]

    def disconnect(self):
        """Cut the link: what is under way to us is lost."""
        if self.up:
            self.up, self.heard = False, []
            self.turn(BrokerDown("paper", "cut"))

    def connect(self):
        """Make a new link."""
        if not self.up:
            self.up = True
            self.connection += 1
            self.turn(BrokerUp("paper", "DEMO", "paper", self.connection))

    def crash(self):
        """Kill the process; its books come back from a snapshot and the records."""
        self.recover(len(self.snapshots) - 1)
        self.within, self.heard, self.up = [], [], False
        self.epoch += 1
        self.turn(EpochStarted(self.epoch, "crash", "0", "code"))
        self.connect()

    def snapshot(self):
        """Take a snapshot, as the daemon does from time to time."""
        self.snapshots.append((len(self.records), encode_state(self.state)))

    def recover(self, which):
        """Fold the records after a snapshot and compare with what lived."""
        at, data = self.snapshots[which]
        state = decode_state(data, b"key")
        for now, event, commands in self.records[at:]:
            refold(state, now, event, commands)
        assert without_bands(state) == without_bands(self.state)
        self.state = state

    def arm(self, symbol, steps, trail="0"):
        """Let a strategy want to buy a little above the price."""
        self.signals += 1
        level = (self.prices[symbol] * (1 + D(steps) / 1000)).quantize(D("0.01"))
        stop, target = (level * D("0.98")).quantize(D("0.01")), (level * D("1.04")).quantize(D("0.01"))
        wanted = trigger(symbol, str(level), stop=stop, target=target, trail=D(trail), signal=f"signal-{self.signals}")
        others = tuple(one for one in self.state.triggers.values() if one.instrument != symbol)
        self.turn(TriggersMade(self.signals, (*others, wanted)))

    def ask_operator(self, verb, **args):
        """Let a person ask for something."""
        self.requests += 1
        self.turn(OperatorAsked(verb, f"r{self.requests}", 1000, 1000, 1, "because", args))

    def laws(self):
        """Hold the exchange's own book to its laws."""
        assert laws(self.exchange) == []

    def settle(self, seconds=100):
        """Let all faults end, time pass and the books be read until both sides must agree."""
        self.connect()
        for second in range(seconds):
            self.carry(len(self.out))
            self.listen(len(self.heard) + 10)
            for symbol in SYMBOLS:
                self.quote(symbol, 0)
            self.pass_second()
            if second % 5 == 0:
                self.ask()
        self.carry(len(self.out))
        self.listen(len(self.heard) + 10)

    def agree(self):
        """Compare the books with the exchange's: positions, living orders, cash, protection."""
        held = {one.instrument: one.quantity for one in self.state.positions.values() if one.quantity}
        assert held == {name: seen.quantity for name, seen in self.exchange.book.positions.items() if seen.quantity}
        live = {order.order: order.status for order in self.state.orders.values() if order.live}
        theirs = {order.order: order.status for order in self.exchange.orders.values() if not order.status.ended}
        assert live == theirs
        assert Status.UNCERTAIN not in live.values()
        assert self.state.cash == self.exchange.book.cash
        assert self.state.external == {}
        assert not any(one.unprotected_ns for one in self.state.positions.values() if one.quantity)
        assert self.state.brokers["paper"].reconciled
        self.money()

    def drive(self, chance, steps, acts):
        """Do so many things by chance, each weighted by how often it is named, and hold the exchange to its laws."""
        for _ in range(steps):
            symbol, act = chance.choice(SYMBOLS), chance.choice(acts)
            if act == "quote":
                self.quote(symbol, chance.choice((-8, -4, -2, -1, 0, 1, 2, 4, 8)))
            elif act in ("carry", "listen"):
                getattr(self, act)(chance.choice((1, 1, 2, 5, 20)))
            elif act == "pass_second":
                for _ in range(chance.choice((1, 1, 2, 7))):
                    self.pass_second()
            elif act == "arm":
                self.arm(symbol, chance.choice((1, 1, 2, 4)), chance.choice("012"))
            elif act == "fear":
                self.fear(chance.choice((14.0, 15.0, 15.0, 15.0, 16.0, 17.2, 17.3, 36.0)))
            elif act == "kill":
                self.ask_operator("kill", scope=chance.choice(("entries", "orders", "flatten")))
            elif act == "release":
                self.ask_operator("release")
            else:
                getattr(self, act)()
            self.laws()

    def money(self):
        """Hold the books to arithmetic: what was gained and what is held is what the cash says."""
        at_cost = sum((one.quantity * one.average for one in self.state.positions.values()), Decimal(0))
        gained = self.state.realised - self.state.fees
        assert abs(self.state.cash + at_cost - D(100_000) - gained) < D("1E-6")
