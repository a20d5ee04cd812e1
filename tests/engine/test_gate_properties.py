"""Laws of the gate and of the lots, over many worlds: sizes, reductions, sums, and that nothing ever turns round."""

from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from joed.daemon.carry_out import CarryOut
from joed.daemon.counters import Counters
from joed.engine.lots import lots_of
from joed.engine.money import ONE
from joed.engine.orders import reserved
from joed.engine.risk import CHECKS, Request, refuse
from joed.engine.step import step
from joed.engine.triggers import answer
from joed.engine.view import view
from joed.model.blocks import ALL, Block
from joed.model.commands import AmendOrder, SubmitOrder
from joed.model.events import OperatorAsked, RateSeen, Tick
from joed.model.settings import Instrument, Risk
from joed.model.values import SECOND, Leg, Side, floor_to
from tests.engine.build import (
    START,
    D,
    bracket,
    fill,
    holding,
    of_kind,
    quote,
    settings_of,
    submitted,
    trading_state,
    trigger,
)
from tests.engine.rig import CALM, FAULTS, KILLS, SYMBOLS, Rig

money = st.decimals(min_value=1, max_value=100_000, places=2)
lots = st.sampled_from([D("0.001"), D("0.5"), D(1), D(100)])


@settings(max_examples=300)
@given(
    cash=money,
    lot=lots,
    stop=st.decimals(min_value="100", max_value="199.97", places=2),
    quantity=st.none() | st.decimals(min_value="-5", max_value=1000, places=3),
    share=st.decimals(min_value="0.0001", max_value=1, places=4),
    limits=st.tuples(money, money, money, st.decimals(min_value="0.0001", max_value=1, places=4)),
    rate=st.decimals(min_value="0.01", max_value=100, places=4),
    pending=st.booleans(),
)
def test_what_leaves_is_within_every_limit_and_whole_lots(*, cash, lot, stop, quantity, share, limits, rate, pending):
    """Whatever a strategy asks for: a size is rounded down, and beyond a limit there is a refusal with words."""
    notional, gross, underlying, per_trade = limits
    risk = Risk(notional_max=notional, gross_max=gross, underlying_max=underlying, per_trade=per_trade)
    universe = settings_of().universe | {"SAP": Instrument("SAP", currency="EUR", lot=lot)}
    state = trading_state(cash=str(cash), universe=universe, risk=risk)
    step(state, START, RateSeen("EUR", rate, START, "test"))
    if pending:
        submitted(state, bracket("KO", quantity="1", entry="50.00"))
    before = reserved(state)
    wanted = trigger("SAP", stop=stop, quantity=quantity, risk=share)

    found = answer(state, START, wanted, quote("SAP", 199.98, 200.0), 0)

    if not isinstance(found, SubmitOrder):
        assert found.code in CHECKS
        assert found.words
        return
    worth = found.quantity * found.level * rate
    assert found.quantity > 0
    assert found.quantity % lot == 0
    assert quantity is None or found.quantity == floor_to(quantity, lot)
    assert worth <= min(notional, underlying, cash - before, gross - before)
    assert found.quantity * (found.level - found.stop) * rate <= cash * per_trade


@given(worth=st.decimals(min_value=-10_000, max_value=10, places=2))
def test_where_nothing_may_be_risked_there_is_a_refusal_and_no_order(worth):
    """An account that is worth nothing, or less, sizes to nothing."""
    state = trading_state()
    state.worth = worth

    found = answer(state, START, trigger(quantity=None), quote("AAPL", 199.98, 200.0), 0)

    assert (found.code, found.words) == ("lot", "0 is less than one lot of 1")


scopes = st.sampled_from([ALL, "broker:paper", "calendar:XNYS", "instrument:AAPL", "strategy:breakout"])
reasons = st.sampled_from([*CHECKS, "killed", "paused", "journal_failed", "broker_down", "market_closed", "anything"])
blocks = st.lists(st.builds(Block, scopes, reasons, st.just("words"), latched=st.booleans()), min_size=1, max_size=6)


@settings(max_examples=200)
@given(blocks=blocks, latched=st.booleans())
def test_what_reduces_risk_passes_every_block_and_is_counted_as_no_entry(blocks, latched):
    """A close is decided, permitted and sent whatever forbids entries, and uses up no limit of theirs (I22)."""
    state = holding("AAPL", risk=Risk(orders_minute_max=1, trades_day_max=1))
    state.blocks |= {block.key: block for block in blocks}
    counted = (state.day.orders, state.day.trades, list(state.order_times), dict(state.day.refusals))
    carry_out = CarryOut(
        state,
        brokers={},
        worker=None,
        shell=None,
        latch=SimpleNamespace(present=lambda: latched),
        emit=None,
        now=lambda: START,
        counters=Counters(),
    )

    first = step(state, START, OperatorAsked("kill", "r1", 0, 0, 1, "because", {"scope": "flatten"}))
    later = step(state, START + 31 * SECOND, Tick())

    sent = [*of_kind(first, AmendOrder), *of_kind(later, SubmitOrder)]
    assert [type(one) for one in sent] == [AmendOrder, SubmitOrder]
    assert [carry_out.permit(one) for one in sent] == ["", ""]
    assert carry_out.permit(bracket("AAPL", tag="2"))
    assert not sent[1].opens
    assert (state.day.orders, state.day.trades, state.order_times, state.day.refusals) == counted


def sums(rig):
    """Hold each position to the sum of its lots, and the View to both."""
    shown = {row.instrument: row for row in view(rig.state).positions}
    for position in rig.state.positions.values():
        found = lots_of(rig.state, position)
        assert sum((lot.quantity for lot in found), D(0)) == position.quantity
        if position.quantity:
            row = shown[position.instrument]
            assert [(one.strategy, one.quantity) for one in row.lots] == [(one.strategy, one.quantity) for one in found]
            assert all(rig.state.orders[entry].strategy == lot.strategy for lot in found for entry in lot.orders)


@pytest.mark.parametrize("seed", range(12))
def test_lots_add_up_to_the_position_and_at_rest_to_the_exchanges_book(seed):
    """After every few turns with faults and kills; and when all faults have ended, to what the broker holds."""
    chance = Random(seed)
    rig = Rig(seed, reject_share=chance.choice((0.0, 0.1)))
    for _ in range(25):
        rig.drive(chance, 10, CALM + FAULTS + (KILLS if seed % 2 else ()))
        sums(rig)
    rig.settle()
    sums(rig)

    held = {
        position.instrument: sum(lot.quantity for lot in lots_of(rig.state, position))
        for position in rig.state.positions.values()
        if position.quantity
    }
    assert held == {name: seen.quantity for name, seen in rig.exchange.book.positions.items() if seen.quantity}


def test_two_strategies_that_hold_one_instrument_have_a_lot_each():
    """A late fill can bring that about; each lot has its own average, the position is their sum."""
    state = holding("AAPL", quantity="10", entry="200.00")
    second = bracket("AAPL", quantity="5", entry="203.00", tag="2")
    state.orders["AAPL-e"].strategy = "momentum"
    holding_too(state, second)
    position = state.positions["AAPL"]

    lots = [(lot.strategy, lot.quantity, lot.average, lot.orders) for lot in lots_of(state, position)]

    assert lots == [("momentum", 10, 200, ("AAPL-e",)), ("breakout", 5, 203, ("AAPL2-e",))]
    assert (position.quantity, position.average) == (15, 201)
    state.orders["AAPL-e"].strategy = "breakout"
    [one] = lots_of(state, position)
    assert (one.quantity, one.average, one.orders) == (15, 201, ("AAPL-e", "AAPL2-e"))


def holding_too(state, command):
    """Let another bracket in the same instrument have been filled whole."""
    submitted(state, command)
    step(state, START, fill(command.order, str(command.quantity), str(command.level), execution="x-second"))


class Closers(RuleBasedStateMachine):
    """Stop, target, a kill that flattens and its repeats race for one position, over a wire that fails."""

    @initialize(seed=st.integers(0, 99), partial=st.sampled_from((0.0, 0.6)), trail=st.sampled_from("01"))
    def begin(self, seed, partial, trail):
        """Hold ten of each."""
        self.rig = Rig(seed, partial_share=partial)
        for symbol in SYMBOLS:
            self.rig.quote(symbol, 0)
            self.rig.arm(symbol, 1, trail)
            self.rig.quote(symbol, 2)
        self.rig.settle(3)

    @rule(symbol=st.sampled_from(SYMBOLS), steps=st.sampled_from((-25, -5, -1, 1, 5, 45)))
    def quote(self, symbol, steps):
        """Let the price move, at times through the stop or the target."""
        self.rig.quote(symbol, steps)

    @rule(scope=st.sampled_from(("orders", "flatten", "account")))
    def kill(self, scope):
        """Let a person kill."""
        self.rig.ask_operator("kill", scope=scope)

    @rule(count=st.sampled_from((1, 2, 20)))
    def carry(self, count):
        """Let commands arrive."""
        self.rig.carry(count)

    @rule(count=st.sampled_from((1, 2, 20)))
    def listen(self, count):
        """Let reports arrive."""
        self.rig.listen(count)

    @rule(count=st.sampled_from((1, 16, 31)))
    def wait(self, count):
        """Let a close be late, so that it is tried another way."""
        for _ in range(count):
            self.rig.pass_second()

    @rule(fault=st.sampled_from(FAULTS))
    def fail(self, fault):
        """Lose, repeat or swap a message, cut the link, kill the process."""
        getattr(self.rig, fault)()

    @rule()
    def ask(self):
        """Let the broker be read whole."""
        self.rig.ask()

    @invariant()
    def never_short(self):
        """No close turns a position round at the exchange: short selling is off."""
        if hasattr(self, "rig"):
            assert all(self.rig.exchange.position(symbol) >= 0 for symbol in SYMBOLS)
            self.rig.laws()

    def teardown(self):
        """At rest both books agree."""
        if hasattr(self, "rig"):
            self.rig.settle()
            self.never_short()
            self.rig.agree()


TestClosers = Closers.TestCase
TestClosers.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_two_closes_of_one_position_are_never_under_way_at_once(side):
    """Every reason at once, second after second: one close, for what is held (I22)."""
    terms = {} if side is Side.BUY else {"stop": "204.00", "target": "180.00"}
    state = holding("AAPL", side=side, risk=Risk(allow_short=True), **terms)
    sent = []
    for second in range(200):
        event = OperatorAsked("kill", f"r{second}", 0, 0, 1, "because", {"scope": "flatten"}) if second % 2 else Tick()
        commands = step(state, START + second * SECOND, event)
        sent += [one for one in of_kind(commands, SubmitOrder) if one.leg is Leg.CLOSE]
        live = [one for one in state.orders.values() if one.leg is Leg.CLOSE and one.live]
        assert len(live) <= 1

    assert [one.quantity for one in sent] == [10]


def test_a_short_sale_has_no_road_while_it_is_off():
    """Whatever a Trigger says, at whatever size: the gate refuses a sell entry, and the door builds no other."""
    state = trading_state()
    sell = trigger(side=Side.SELL, stop=D(204), target=D(180))
    for quantity in ("1", "10", "1000"):
        wanted = Request(
            sell,
            state.settings.universe["AAPL"],
            D(quantity),
            D("199.98"),
            D("199.48"),
            quote("AAPL", 199.98, 200.0),
            ONE,
        )
        assert refuse(state, START, wanted).code == "short"
