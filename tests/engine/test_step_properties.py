"""Laws over sequences of events: the engine against the matching model, over a wire that fails and a process that dies.

After each turn the exchange's own book proves that every position has its stop and that a signal made one entry; a twin
whose bands are emptied before each event decides the same; recovery from any snapshot gives the State that lived.
"""

from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from joed.engine.step import step
from joed.exchange import laws
from joed.model.commands import CancelOrder
from joed.model.settings import Fear
from joed.model.values import Leg, Status
from tests.engine.build import trading_state, without_bands
from tests.engine.rig import CALM, FAULTS, KILLS, SYMBOLS, Rig

symbols = st.sampled_from(SYMBOLS)
counts = st.sampled_from((1, 2, 5, 20))


class Market(RuleBasedStateMachine):
    """Prices move, orders travel, messages are lost, repeated and overtaken, the link breaks and the process dies."""

    @initialize(seed=st.integers(0, 99), rejects=st.sampled_from((0.0, 0.0, 0.2)))
    def begin(self, seed, rejects):
        """Begin with a price for each instrument."""
        self.rig = Rig(seed, reject_share=rejects)
        for symbol in SYMBOLS:
            self.rig.quote(symbol, 0)

    @rule(symbol=symbols, steps=st.integers(-9, 9))
    def quote(self, symbol, steps):
        """Let a price move by tenths of a percent."""
        self.rig.quote(symbol, steps)

    @rule(symbol=symbols, steps=st.integers(0, 4), trail=st.sampled_from("012"))
    def arm(self, symbol, steps, trail):
        """Let a strategy want to buy a little above the price."""
        self.rig.arm(symbol, steps, trail)

    @rule(price=st.sampled_from((14.0, 15.0, 16.0, 17.2, 17.3, 36.0)))
    def fear(self, price):
        """Let VIX print."""
        self.rig.fear(price)

    @rule(count=counts)
    def carry(self, count):
        """Let commands arrive at the exchange."""
        self.rig.carry(count)

    @rule(count=counts)
    def listen(self, count):
        """Let reports arrive here."""
        self.rig.listen(count)

    @rule(count=st.sampled_from((1, 2, 7, 31)))
    def pass_seconds(self, count):
        """Let seconds pass."""
        for _ in range(count):
            self.rig.pass_second()

    @rule()
    def ask(self):
        """Ask for the whole book."""
        self.rig.ask()

    @precondition(lambda self: self.rig.heard)
    @rule(fault=st.sampled_from(("lose_report", "repeat", "swap")))
    def disturb(self, fault):
        """Lose, repeat or overtake a report."""
        getattr(self.rig, fault)()

    @precondition(lambda self: self.rig.out)
    @rule()
    def lose_command(self):
        """Lose a command after it was handed over."""
        self.rig.lose_command()

    @rule()
    def disconnect(self):
        """Cut the link."""
        self.rig.disconnect()

    @precondition(lambda self: not self.rig.up)
    @rule()
    def connect(self):
        """Make a new link."""
        self.rig.connect()

    @rule()
    def snapshot(self):
        """Take a snapshot."""
        self.rig.snapshot()

    @rule()
    def crash(self):
        """Kill the process and recover."""
        self.rig.crash()

    @rule(scope=st.sampled_from(("entries", "orders", "flatten")))
    def kill(self, scope):
        """Let a person kill."""
        self.rig.ask_operator("kill", scope=scope)

    @rule()
    def release(self):
        """Let a person release the kill."""
        self.rig.ask_operator("release")

    @invariant()
    def protected(self):
        """Hold the exchange's book to its laws."""
        self.rig.laws()

    def teardown(self):
        """Let all faults end and compare."""
        if hasattr(self, "rig"):
            finish(self.rig)


def finish(rig):
    """Let all faults end, and compare: the books with the exchange's, every recovery with what lived."""
    rig.settle()
    rig.laws()
    rig.agree()
    for which in range(len(rig.snapshots)):
        rig.recover(which)
    assert without_bands(rig.twin) == without_bands(rig.state)


TestMarket = Market.TestCase
TestMarket.settings = settings(max_examples=60, stateful_step_count=50)


@pytest.mark.parametrize("seed", range(40))
def test_no_seed_breaks_a_law(seed):
    """Hundreds of turns with faults and kills: each law after each turn, agreement and recovery at the end."""
    chance = Random(seed)
    rig = Rig(seed, reject_share=chance.choice((0.0, 0.0, 0.1)))
    acts = CALM + (FAULTS if seed % 5 else ()) + (KILLS if seed % 3 == 0 else ())

    rig.drive(chance, 250, acts)

    finish(rig)


def test_the_seeds_are_not_idle():
    """Entries, partial fills, trails, stops, targets and market closes all happen in them."""
    happened = set()
    for seed in range(40, 60):
        rig = Rig(seed)
        rig.drive(Random(seed), 400, CALM + KILLS)
        for order in rig.exchange.orders.values():
            happened |= {
                (order.leg, order.status),
                *([(order.leg, "partly")] if 0 < order.filled < order.asked else []),
            }
        happened |= {line.what for line in rig.exchange.log}

    expected = {(leg, Status.FILLED) for leg in Leg} | {(Leg.ENTRY, Status.CANCELLED), "amended", "reduced"}
    assert expected <= happened


def test_the_same_events_give_the_same_commands_twice():
    """Nothing but State and the event decides: no clock, no chance, no order of a set."""
    rig = Rig(7)
    rig.drive(Random(7), 300, CALM + FAULTS[:4])
    again = trading_state(symbols=SYMBOLS, vix=Fear(hold_s=20.0))

    for now, event, commands in rig.records:
        assert step(again, now, event) == commands
    assert without_bands(again) == without_bands(rig.state)


def test_a_stop_that_another_hand_cancelled_is_replaced_at_the_exchange():
    """Its own book shows the new one within seconds, once, and for all that is held."""
    rig = Rig(0, partial_share=0.0)
    for symbol in SYMBOLS:
        rig.quote(symbol, 0)
    rig.arm("AAPL", 1)
    rig.quote("AAPL", 1)
    rig.settle(3)
    [stop] = [order for order in rig.exchange.orders.values() if order.leg is Leg.STOP and not order.status.ended]
    rig.hear(rig.exchange.cancel(rig.now, CancelOrder(stop.order, "by hand")))
    without = rig.exchange.protection("AAPL")

    rig.settle(4)

    assert (without, rig.exchange.position("AAPL"), rig.exchange.protection("AAPL")) == (0, 10, 10)
    assert all("held 10 with stops for 0" in breach for breach in laws(rig.exchange))


def test_without_any_link_nothing_is_sent_and_afterwards_the_books_agree():
    """The stop at the broker closed the position meanwhile: joed learns of it and closes nothing twice."""
    rig = Rig(0, partial_share=0.0)
    for symbol in SYMBOLS:
        rig.quote(symbol, 0)
    rig.arm("AAPL", 1)
    rig.quote("AAPL", 1)
    rig.settle(3)
    rig.disconnect()
    before = len(rig.out)
    rig.quote("AAPL", -60)
    for _ in range(60):
        rig.pass_second()
    sent = len(rig.out) - before

    rig.settle(20)

    assert (sent, rig.exchange.position("AAPL")) == (0, 0)
    finish(rig)
