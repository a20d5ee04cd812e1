"""A live account, played by the paper exchange that announces one (tests only): who may let an entry leave, and when.

Everything is real but the money: the engine, the journal, the release, the adapter and the matching model.
"""

from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest
from msgspec import structs

from joed.brokers.paper import PaperBroker
from joed.daemon.calendars import load_table
from joed.daemon.recovery import recover
from joed.daemon.store import Store
from joed.engine.confirming import AT
from joed.engine.view import card_hash
from joed.exchange import Exchange
from joed.model.commands import AmendOrder, SubmitOrder
from joed.model.events import EpochStarted, OperatorAsked, Quote, SettingsLoaded, TriggersMade
from joed.model.settings import Paper, Risk
from joed.model.values import HOUR, SECOND, Leg, Mode
from tests.daemon.shell import NOON, Rig
from tests.engine.build import settings_of, trigger

LIVE = settings_of(mode=Mode.LIVE, calendar="XNYS")
HOURS = {"XNYS": load_table("XNYS")}
QUIET = Paper(latency_s=0.0, partial_share=0.0)


class Life:
    """One process's life on a live account; the exchange outlives it."""

    def __init__(self, folder, *, exchange=None, settings=LIVE, code="code", epoch=1, state=None, start=NOON):
        self.folder, self.settings = folder, settings
        self.rig = Rig(folder, settings=settings, state=state)
        self.rig.clock._now = start
        self.exchange = exchange or Exchange(settings.universe, QUIET, Random(0))
        emit = self.rig.trading.emit
        self.broker = PaperBroker("paper", self.exchange, self.rig.clock, emit, QUIET, account="U1", mode="live")
        loaded = SettingsLoaded(settings, "digest", HOURS)
        self.rig.trading.begin(EpochStarted(epoch, "test", "0", code), loaded, {"paper": self.broker})
        self.requests = 0
        self.seconds(3)

    @property
    def state(self):
        """Give the engine's State."""
        return self.rig.state

    def seconds(self, count):
        """Let time run."""
        until = self.rig.clock.now() + count * SECOND
        self.rig.settle()
        while (due := self.rig.clock.next_ns()) is not None and due <= until:
            self.rig.clock.advance()
            self.rig.settle()

    def emit(self, event):
        """Let something have happened, and all that follows from it."""
        self.rig.trading.emit(event)
        self.seconds(1)

    def ask(self, verb, **args):
        """Ask as a person does, and give the code of the answer."""
        self.requests += 1
        self.emit(OperatorAsked(verb, f"{self.state.epoch}-{self.requests}", 1000, 0, 0, "test", args))
        return self.rig.shell.answers[-1].code

    def price(self, symbol, bid):
        """Let the exchange quote, and us hear it."""
        self.broker.quote(Quote(symbol, bid, bid + 0.02, None, None, self.rig.clock.now(), broker="paper"))
        self.seconds(2)

    def arm(self, symbol, level="200.00"):
        """Have a Trigger wait that the next quote at its level fires."""
        at = self.rig.clock.now()
        row = trigger(symbol, level, signal=f"{symbol}-{at}", valid_until_ns=at + HOUR, trail=Decimal(4))
        self.emit(TriggersMade(1, (row,)))

    def sent(self, kind=SubmitOrder):
        """Give what was decided, and so sent, of one kind, entries only where it is an order."""
        found = [command for _, commands in self.rig.records() for command in commands if isinstance(command, kind)]
        return [command for command in found if kind is not SubmitOrder or command.leg is Leg.ENTRY]

    def tries(self, symbol):
        """Say whether an entry in this instrument leaves now."""
        before = len(self.sent())
        self.arm(symbol)
        self.price(symbol, 200.00)  # the first quote after a silence lifts that Block, and no more
        self.price(symbol, 200.00)
        return len(self.sent()) > before

    def again(self, **changes):
        """End this process without a word, and begin the next on the same exchange and journal."""
        self.broker.stop()
        self.rig.journal.commit()
        self.rig.close()
        store = Store.open(self.folder / "joed.db", ballast_bytes=0)
        state = recover(store, b"key")
        store.close()
        more = {"settings": self.settings, "start": self.rig.clock.now() + SECOND} | changes
        return Life(self.folder, exchange=self.exchange, epoch=state.epoch + 1, state=state, **more)

    def sign(self):
        """Sign the card as it is, and give the code of the answer."""
        return self.ask("confirm", card=card_hash(self.state))


@pytest.fixture
def life(tmp_path):
    """Give the first live day of an account whose doctor has passed."""
    made = Life(tmp_path)
    assert made.state.day.session == "2026-09-21"
    made.ask("doctor", passed="14")
    return made


def other_card(life, **changes):
    """Give the hash of the card as it would be otherwise; nothing of it stays."""
    before = {name: getattr(life.state, name) for name in changes}
    for name, value in changes.items():
        setattr(life.state, name, value)
    found = card_hash(life.state)
    for name, value in before.items():
        setattr(life.state, name, value)
    return found


def test_no_entry_leaves_without_todays_card(life):
    """No card, yesterday's, another configuration's, another build's: none opens the day (I23, F94)."""
    yesterday = replace_day(life.state.day, "2026-09-18")
    cards = {
        "card_expired": other_card(life, day=yesterday),
        "card_settings": other_card(life, settings_digest="another"),
        "card_build": other_card(life, code="another"),
        "card_unknown": "yes",
    }

    assert not life.tries("AAPL")
    for code, card in cards.items():
        assert life.ask("confirm", card=card) == code
    assert not life.tries("MSFT")
    assert life.state.refused[-1].code == "blocked"
    assert life.sign() == "ok"
    assert life.tries("KO")


def replace_day(day, session):
    """Give this day with another name."""
    return structs.replace(day, session=session)


def test_a_card_that_is_void_stops_entries_and_no_trail(life):
    """What is held stays managed: its stop follows the price up while nothing may be opened."""
    life.sign()
    assert life.tries("AAPL")
    assert life.state.positions["AAPL"].quantity > 0
    loose = replace(life.settings, risk=Risk(loss_day_max=Decimal(9000)))
    life.emit(SettingsLoaded(loose, "loose", HOURS, "reload"))
    assert AT in life.state.blocks

    for bid in (205.0, 207.0, 209.0):
        life.price("AAPL", bid)

    assert life.sent(AmendOrder) != []
    assert not life.tries("MSFT")
    stop = life.state.orders[life.state.positions["AAPL"].stop_order]
    assert stop.terms > 196


def test_a_restart_keeps_todays_card_and_a_changed_build_or_loosened_limit_voids_it(life):
    """The same account, settings and build in the same session; a tighter limit too (S2, F20)."""
    life.sign()

    same = life.again()
    assert (AT in same.state.blocks, same.tries("AAPL")) == (False, True)
    tighter = same.again(settings=replace(LIVE, risk=Risk(loss_day_max=Decimal(100))))
    assert (AT in tighter.state.blocks, tighter.tries("MSFT")) == (False, True)
    looser = tighter.again(settings=replace(LIVE, risk=Risk(loss_day_max=Decimal(2001))))
    assert (AT in looser.state.blocks, looser.tries("KO")) == (True, False)
    assert looser.sign() == "ok"
    built = looser.again(code="another", settings=looser.settings)
    assert (AT in built.state.blocks, built.tries("KO")) == (True, False)


def test_the_next_session_has_no_entry_until_it_is_confirmed_again(life):
    """Not with the same settings, not by yesterday's card."""
    card = card_hash(life.state)
    life.sign()
    assert life.tries("AAPL")

    life = life.again(start=NOON + 24 * HOUR)

    assert life.state.day.session == "2026-09-22"
    assert not life.tries("MSFT")
    assert life.ask("confirm", card=card) == "card_expired"
    assert life.sign() == "ok"
    assert life.tries("KO")
    assert (life.state.live_sessions, life.state.live_session) == (2, "2026-09-22")
