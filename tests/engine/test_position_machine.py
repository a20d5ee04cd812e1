"""Positions under every sequence of executions, corrections and busts, against sums on the back of an envelope."""

from decimal import Decimal
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from joed.engine.orders import children_of
from joed.engine.positions import apply_fill, equity
from joed.engine.protection import protected, stops_of
from joed.engine.step import step
from joed.model.events import OrderWorking, Tick
from joed.model.values import SECOND, ZERO, Leg, Side
from tests.engine.build import START, D, bracket, fill, quote, submitted, trading_state

TAGS = ("1", "2")
PRICES = st.sampled_from(("196", "200", "203.33", "220"))
SIDES = {"e": Side.BUY, "s": Side.SELL, "t": Side.SELL}


def opened():
    """Give a State with two brackets of one instrument, each accepted, and a price."""
    state = trading_state()
    step(state, START, quote("AAPL", 199.98, 200.0))
    for tag in TAGS:
        submitted(state, bracket("AAPL", tag=tag))
    return state


def word_of(tag, leg, root, revision, quantity, price):
    """Give one word on one execution; a root belongs to its order."""
    name = f"AAPL{tag}-{leg}"
    return fill(name, str(quantity), price, side=SIDES[leg], execution=f"{name}-{root}", revision=revision, fee="0.35")


WORDS = st.builds(
    word_of,
    st.sampled_from(TAGS),
    st.sampled_from("eest"),
    st.sampled_from("ab"),
    st.integers(0, 2),
    st.integers(0, 8),
    PRICES,
)


def newest(words):
    """Give the newest word on each execution; of two with one revision the first counts."""
    found = {}
    for word in words:
        known = found.get(word.execution)
        if known is None or known.revision < word.revision:
            found[word.execution] = word
    return found.values()


class Envelope(RuleBasedStateMachine):
    """Two groups of one instrument; fills of entries and exits come as they like."""

    @initialize()
    def begin(self):
        """Begin flat, with 100,000."""
        self.state, self.words, self.now = opened(), [], START

    def turn(self, event):
        """Let a moment pass and something happen."""
        self.now += 1
        return step(self.state, self.now, event)

    @rule(word=WORDS)
    def hear(self, word):
        """Let an execution come, a correction, a bust, or either again."""
        self.words.append(word)
        self.turn(word)

    @rule(tag=st.sampled_from(TAGS), leg=st.sampled_from("st"), left=st.integers(1, 10))
    def work(self, tag, leg, left):
        """Let a child work for so much."""
        self.turn(OrderWorking(f"AAPL{tag}-{leg}", D(left), D(196 if leg == "s" else 220)))

    @rule(seconds=st.integers(1, 7))
    def pass_seconds(self, seconds):
        """Let time pass: protection is watched."""
        for _ in range(seconds):
            self.now += SECOND
            self.turn(Tick())

    @property
    def position(self):
        """Give what is held."""
        return self.state.positions.get("AAPL")

    @invariant()
    def the_position_is_the_sum_of_executions(self):
        """Each counted once, the newest revision alone (I10)."""
        held = sum((word.side.sign * word.quantity for word in newest(self.words)), ZERO)
        assert (self.position.quantity if self.position else ZERO) == held

    @invariant()
    def money_is_the_sum_of_what_was_paid(self):
        """Cash and fees to the cent; equity is cash and what is held at its mark."""
        words = newest(self.words)
        spent = sum((word.side.sign * word.quantity * word.price + word.fee for word in words), ZERO)
        assert self.state.cash == 100_000 - spent
        assert self.state.fees == sum((word.fee for word in newest(self.words)), ZERO)
        held = self.position.quantity if self.position else ZERO
        assert abs(equity(self.state) - self.state.cash - held * D("199.99")) < Decimal("1E-6")

    @invariant()
    def what_was_gained_and_what_is_held_explain_the_cash(self):
        """No profit is invented and none is lost: realised, fees and the position at cost add up."""
        at_cost = self.position.quantity * self.position.average if self.position else ZERO
        gained = self.state.realised - self.state.fees
        assert abs(self.state.cash + at_cost - 100_000 - gained) < Decimal("1E-6")

    @invariant()
    def a_stop_is_amiss_exactly_while_it_covers_too_little(self):
        """The clock of the law runs from the moment, and stops with it (I4)."""
        position = self.position
        if position is None or position.quantity == 0:
            return
        short = protected(self.state, position) < abs(position.quantity)
        assert (position.unprotected_ns > 0) is short

    @invariant()
    def every_repair_stands_on_the_closing_side_and_in_its_group(self):
        """No stop is sent that could enlarge what is held, none for more than its group holds."""
        for order in self.state.orders.values():
            if order.leg is Leg.STOP and order.armed_ns > START and order.live and self.position.quantity:
                group = self.state.orders.get(order.group)
                assert group is None or order in children_of(self.state, group)
                assert order in stops_of(self.state, self.position) or order.group not in self.position.groups


TestEnvelope = Envelope.TestCase
TestEnvelope.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)


def books(state):
    """Give all that executions make: what is held at which price, money, and what each order has filled."""
    position = state.positions.get("AAPL")
    held = (position.quantity, position.average) if position and position.quantity else (ZERO, ZERO)
    return held, state.cash, state.fees, state.realised, {name: one.filled for name, one in state.orders.items()}


@given(words=st.lists(WORDS, max_size=12), seed=st.integers(0, 10_000))
@settings(max_examples=200, deadline=None)
def test_the_order_in_which_executions_arrive_makes_no_difference(words, seed):
    """Fills, corrections and busts in any order, each as often as it likes: the same books (I10, F60).

    Of one execution and revision there is one word: a broker that says it twice says the same.
    """
    unique = list({(word.execution, word.revision): word for word in words}.values())
    shuffled = unique + unique[: len(unique) // 2]
    Random(seed).shuffle(shuffled)
    straight, mixed = opened(), opened()

    for word in unique:
        apply_fill(straight, START, word)
    for word in shuffled:
        apply_fill(mixed, START, word)

    held, cash, fees, realised, filled = books(straight)
    other = books(mixed)
    assert (held[0], cash, fees, filled) == (other[0][0], other[1], other[2], other[4])
    assert abs(held[1] - other[0][1]) < Decimal("1E-8")
    assert abs(realised - other[3]) < Decimal("1E-6")
