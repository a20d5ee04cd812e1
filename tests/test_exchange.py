"""The matching model: what each order does at each price, and laws that hold after any sequence of turns."""

import random
from decimal import Decimal

import msgspec
import pytest
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from joed.exchange import Exchange, laws
from joed.model.book import ExchangeState
from joed.model.commands import AmendOrder, CancelOrder, SubmitOrder
from joed.model.events import (
    AmendRejected,
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderWorking,
    Quote,
)
from joed.model.settings import Instrument, Paper
from joed.model.values import Kind, Leg, Side, Status, Tif

D = Decimal
PLAIN = Paper(partial_share=0.0, slippage=D(0), fee_share=D(0), fee_min=D(0))
UNIVERSE = {name: Instrument(name) for name in ("AAA", "BBB")} | {"VIX": Instrument("VIX", tradable=False)}


def exchange_with(settings=PLAIN, seed=7, quote=(99.9, 100.0)):
    """Give an exchange where AAA is quoted."""
    exchange = Exchange(UNIVERSE, settings, random.Random(seed))
    if quote:
        exchange.quote(1, Quote("AAA", *quote))
    return exchange


def bracket(order="E1", side=Side.BUY, quantity="10", level="100.00", stop="95.00", target="110.00", **words):
    """Give an entry with its stop and target."""
    return SubmitOrder(
        order=order,
        broker="paper",
        instrument=words.pop("instrument", "AAA"),
        side=side,
        quantity=D(quantity),
        kind=words.pop("kind", Kind.LIMIT),
        leg=Leg.ENTRY,
        opens=True,
        level=D(level) if level else None,
        stop_order=f"{order}-S",
        stop=D(stop) if stop else None,
        target_order=f"{order}-T",
        target=D(target) if target else None,
        group=order,
        signal=words.pop("signal", order),
        **words,
    )


def close(order="C1", side=Side.SELL, quantity="10", group="E1", kind=Kind.MARKET, level=None, leg=Leg.CLOSE):
    """Give an order that can only reduce."""
    return SubmitOrder(
        order=order,
        broker="paper",
        instrument="AAA",
        side=side,
        quantity=D(quantity),
        kind=kind,
        leg=leg,
        opens=False,
        level=D(level) if level else None,
        tif=Tif.GTC,
        group=group,
    )


def holding(quantity="10", settings=PLAIN, **words):
    """Give an exchange that holds a long position in AAA at 100, protected at 95, with a target at 110."""
    exchange = exchange_with(settings, **words)
    exchange.submit(2, bracket(quantity=quantity))
    return exchange


def quoted(exchange, bid, ask, now=3, **sizes):
    """Quote AAA."""
    return exchange.quote(now, Quote("AAA", bid, ask, **sizes))


def kinds(reports):
    """Give what was reported of whom."""
    return [(type(report).__name__, report.order) for report in reports]


def test_a_marketable_entry_fills_at_the_ask_and_its_children_work_in_the_same_turn():
    """Accepted thrice, working, filled, then stop and target working for what filled: one turn, no gap."""
    reports = exchange_with().submit(2, bracket())

    assert reports == [
        OrderAccepted("E1", "1"),
        OrderAccepted("E1-S", "2"),
        OrderAccepted("E1-T", "3"),
        OrderWorking("E1", D(10), D("100.00")),
        OrderFilled("E1", "paper-000000001", "AAA", Side.BUY, D(10), D("100.0"), at_ns=2, broker="paper"),
        OrderWorking("E1-S", D(10), D("95.00")),
        OrderWorking("E1-T", D(10), D("110.00")),
    ]


def test_an_entry_away_from_the_market_rests_until_the_ask_comes_to_it():
    """A limit is met by an equal price; one tick away it waits."""
    exchange = exchange_with()
    exchange.submit(2, bracket(level="99.00"))

    assert quoted(exchange, 98.9, 99.01) == []
    assert kinds(quoted(exchange, 98.9, 99.0))[0] == ("OrderFilled", "E1")
    assert exchange.executions[0].price == D("99.0")


def test_children_wait_until_their_entry_has_filled():
    """A stop whose level is passed while the entry rests does nothing."""
    exchange = exchange_with()
    exchange.submit(2, bracket(level="90.00", stop="85.00"))
    exchange.submit(2, bracket("E2", level="99.00", stop="98.50", target="99.50"))

    quoted(exchange, 99.6, 99.7)

    assert exchange.orders["E2-T"].status is Status.ACKED
    assert exchange.executions == []


def test_children_grow_with_each_partial_fill_of_their_entry():
    """They work for what has filled so far: four, then ten."""
    exchange = exchange_with(quote=None)
    quoted(exchange, 99.9, 100.0, now=1, ask_size=4.0)

    exchange.submit(2, bracket())
    first = exchange.protection("AAA")
    quoted(exchange, 99.9, 100.0, ask_size=50.0)

    assert (first, exchange.protection("AAA")) == (D(4), D(10))
    assert laws(exchange) == []


def test_a_partial_target_reduces_the_stop_by_the_same_quantity():
    """OCA type 2: three of ten gone by the target leave a stop for seven."""
    exchange = holding()

    reports = quoted(exchange, 110.0, 110.1, bid_size=3.0)

    assert kinds(reports) == [("OrderFilled", "E1-T"), ("OrderWorking", "E1-S")]
    assert reports[1].quantity == D(7)
    assert laws(exchange) == []


def test_a_partial_stop_reduces_the_target_and_goes_on_at_the_market():
    """A stop that has triggered sells what is left at the next quote, wherever that is."""
    exchange = holding()

    quoted(exchange, 95.0, 95.1, bid_size=4.0)
    left = exchange.orders["E1-T"].left
    quoted(exchange, 97.0, 97.1)

    assert left == D(6)
    assert [execution.price for execution in exchange.executions[1:]] == [D("95.0"), D("97.0")]
    assert exchange.position("AAA") == 0
    assert exchange.orders["E1-T"].status is Status.CANCELLED


def test_a_target_that_fills_whole_cancels_the_stop():
    """Nothing is left that could open the other way."""
    exchange = holding()

    reports = quoted(exchange, 110.0, 110.1)

    assert kinds(reports) == [("OrderFilled", "E1-T"), ("OrderCancelled", "E1-S")]


@pytest.mark.parametrize(("bid", "filled"), [(95.01, False), (95.0, True), (80.0, True)])
def test_a_stop_triggers_at_its_level_and_pays_the_gap(bid, filled):
    """At the level, not a tick before; through a gap it gets what is there, never its own level."""
    exchange = holding()

    quoted(exchange, bid, bid + 0.1)

    assert [e.price for e in exchange.executions[1:]] == ([D(repr(bid))] if filled else [])


def test_cancelling_an_unfilled_entry_cancels_both_children():
    """With nothing to protect they go with it."""
    exchange = exchange_with()
    exchange.submit(2, bracket(level="99.00"))

    reports = exchange.cancel(3, CancelOrder("E1"))

    assert kinds(reports) == [("OrderCancelled", "E1"), ("OrderCancelled", "E1-S"), ("OrderCancelled", "E1-T")]


def test_cancelling_a_partly_filled_entry_keeps_its_children_for_what_filled():
    """Four of ten filled: the children go on for four."""
    exchange = exchange_with(quote=None)
    quoted(exchange, 99.9, 100.0, now=1, ask_size=4.0)
    exchange.submit(2, bracket())

    reports = exchange.cancel(3, CancelOrder("E1"))

    assert kinds(reports) == [("OrderCancelled", "E1")]
    assert exchange.protection("AAA") == D(4)


def test_a_close_joins_the_group_and_takes_stop_and_target_with_it():
    """A market close of the whole ends both; nothing is left working."""
    exchange = holding()

    reports = exchange.submit(3, close())

    ended = [report.order for report in reports if isinstance(report, OrderCancelled)]
    assert ended == ["E1-S", "E1-T"]
    assert (exchange.position("AAA"), laws(exchange)) == (D(0), [])


def test_a_close_that_comes_after_the_stop_is_refused_and_opens_nothing():
    """The race of a close with its stop cannot turn the position."""
    exchange = holding()
    quoted(exchange, 94.0, 94.1)

    reports = exchange.submit(4, close())

    assert [report.code for report in reports] == ["group"]
    assert exchange.position("AAA") == 0


def test_a_close_of_more_than_is_left_closes_what_is_left():
    """The target took three while a close for ten was on its way: it closes seven."""
    exchange = holding()
    quoted(exchange, 110.0, 110.1, bid_size=3.0)
    quoted(exchange, 105.0, 105.1)

    reports = exchange.submit(4, close())

    assert [report.quantity for report in reports if isinstance(report, OrderFilled)] == [D(7)]
    assert laws(exchange) == []


def test_the_first_close_ends_what_is_left_of_the_entry():
    """An entry that still rests may not open again behind a stop that has worked."""
    exchange = exchange_with(quote=None)
    quoted(exchange, 99.9, 100.0, now=1, ask_size=4.0)
    exchange.submit(2, bracket())

    reports = quoted(exchange, 95.0, 101.0)

    assert ("OrderCancelled", "E1") in kinds(reports)
    assert (exchange.position("AAA"), laws(exchange)) == (D(0), [])


def test_a_new_stop_replaces_a_cancelled_one_in_the_group():
    """Without its stop the position is a breach, told by the laws; from the new one on it is protected."""
    exchange = holding()
    exchange.cancel(3, CancelOrder("E1-S"))

    exchange.submit(4, close("S2", kind=Kind.STOP, level="94.00", leg=Leg.STOP))

    assert exchange.protection("AAA") == D(10)
    assert [words.split(" held ")[1] for words in laws(exchange)] == ["10 with stops for 0 (E1-S cancelled)"]


def test_a_short_position_is_the_mirror_of_a_long_one():
    """Sold at the bid, stopped above at the ask, at a loss."""
    exchange = exchange_with()
    exchange.submit(2, bracket(side=Side.SELL, level="99.90", stop="105.00", target="90.00"))
    held = exchange.position("AAA"), exchange.protection("AAA")

    quoted(exchange, 105.0, 105.2)

    assert held == (D(-10), D(10))
    assert [execution.price for execution in exchange.executions] == [D("99.9"), D("105.2")]
    assert exchange.book.cash == PLAIN.cash - D(53)


def test_amending_a_stop_answers_with_its_terms():
    """A trail moves the stop; the answer is what the broker holds now."""
    exchange = holding()

    assert exchange.amend(3, AmendOrder("E1-S", D("98.00"))) == [OrderWorking("E1-S", D(10), D("98.00"))]
    assert kinds(quoted(exchange, 98.0, 98.1))[0] == ("OrderFilled", "E1-S")


def test_a_target_amended_through_the_market_fills_at_once_at_the_quote():
    """An exit by making the target marketable gets the bid, not its limit."""
    exchange = holding()

    reports = exchange.amend(3, AmendOrder("E1-T", D("98.90")))

    assert kinds(reports) == [("OrderWorking", "E1-T"), ("OrderFilled", "E1-T"), ("OrderCancelled", "E1-S")]
    assert exchange.executions[1].price == D("99.9")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (AmendOrder("E9", D(1)), "no such order"),
        (AmendOrder("E1", D(1)), "it is filled"),
        (AmendOrder("E1-S", D("95.001")), "95.001 is not a price of AAA"),
        (AmendOrder("E1-S", D(-1)), "-1 is not a price of AAA"),
        (AmendOrder("E1-S", quantity=D(0)), "0 cannot be, with 0 filled"),
        (AmendOrder("E2-S", D("96.00")), "it waits for its entry"),
    ],
)
def test_an_amendment_that_cannot_be_changes_nothing(command, words):
    """Gone, off the tick, not positive, or not yet working: refused, the order stays as it was."""
    exchange = holding()
    exchange.submit(2, bracket("E2", level="99.00"))
    before = msgspec.json.encode(exchange.to_state())

    assert exchange.amend(3, command) == [AmendRejected(command.order, words)]
    assert msgspec.json.encode(exchange.to_state()) == before


def test_the_quantity_of_a_resting_entry_can_be_amended():
    """Twenty asked, twelve wanted after all: twelve fill and twelve are protected."""
    exchange = exchange_with()
    exchange.submit(2, bracket(quantity="20", level="99.00"))

    exchange.amend(3, AmendOrder("E1", quantity=D(12)))
    waiting = [seen.quantity for seen in exchange.snapshot(3).orders]
    quoted(exchange, 98.9, 99.0)

    assert waiting == [D(12)] * 3
    assert (exchange.position("AAA"), laws(exchange)) == (D(12), [])


def test_cancelling_what_is_gone_is_refused():
    """An order that is unknown, or has filled, cannot be cancelled."""
    exchange = holding()

    assert exchange.cancel(3, CancelOrder("E1")) == [CancelRejected("E1", "it is filled")]
    assert exchange.cancel(3, CancelOrder("E9")) == [CancelRejected("E9", "no such order")]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (bracket(instrument="CCC"), "instrument"),
        (bracket(instrument="VIX"), "instrument"),
        (bracket(instrument="BBB"), "no_quote"),
        (bracket(quantity="0"), "quantity"),
        (bracket(quantity="-1"), "quantity"),
        (bracket(quantity="1.5"), "quantity"),
        (bracket(quantity="NaN"), "quantity"),
        (bracket(level=None), "price"),
        (bracket(level="100.001"), "price"),
        (bracket(stop="0"), "price"),
        (bracket(stop="100.00"), "bracket"),
        (bracket(target="100.00"), "bracket"),
        (bracket(side=Side.SELL), "bracket"),
        (close(group="E9"), "group"),
    ],
)
def test_an_order_that_cannot_be_is_refused_with_its_code(command, code):
    """Each leg is told, nothing rests, and the id counts as ended."""
    exchange = exchange_with()

    reports = exchange.submit(2, command)

    assert {(type(report), report.code) for report in reports} == {(OrderRejected, code)}
    assert exchange.snapshot(3).orders == ()
    assert exchange.snapshot(3).ended[command.order] is Status.REJECTED


def test_an_id_makes_one_order_however_often_it_is_sent():
    """The repeat is refused as a duplicate; the first lives on."""
    exchange = exchange_with()
    exchange.submit(2, bracket(level="99.00"))

    again = exchange.submit(3, bracket(level="99.00"))

    assert [(report.order, report.code) for report in again] == [("E1", "duplicate")]
    assert exchange.orders["E1"].status is Status.WORKING
    assert [line.what for line in exchange.log].count("accepted") == 3


def test_a_halt_refuses_entries_matches_nothing_and_lets_closes_wait():
    """What reduces is taken and executes when trading resumes."""
    exchange = holding()
    exchange.halt(3, "AAA", True)

    refused = exchange.submit(4, bracket("E2"))
    quoted(exchange, 90.0, 90.1, now=5)
    exchange.submit(6, close())
    nothing = len(exchange.executions)
    exchange.halt(7, "AAA", False)
    quoted(exchange, 91.0, 91.1, now=8)

    assert refused[0].code == "halted"
    assert (nothing, exchange.position("AAA"), laws(exchange)) == (1, D(0), [])


def test_the_day_ends_its_own_orders_and_keeps_the_others():
    """A resting entry expires and takes its children; the stop of a position is good until cancelled."""
    exchange = holding()
    exchange.submit(3, bracket("E2", level="99.00"))

    reports = exchange.end_of_day(4)

    assert reports[0] == OrderExpired("E2")
    assert kinds(reports[1:]) == [("OrderCancelled", "E2-S"), ("OrderCancelled", "E2-T")]
    assert exchange.protection("AAA") == D(10)


def test_what_was_over_a_day_ago_is_forgotten_and_the_sums_still_hold():
    """Memory keeps this session and the one before it; cash, positions and living groups stay whole."""
    exchange = holding()
    exchange.submit(3, bracket("E2"))
    exchange.submit(4, close("C2", group="E2"))
    exchange.end_of_day(10)
    kept = len(exchange.executions)
    exchange.end_of_day(20)

    assert (kept, len(exchange.executions)) == (3, 0)
    assert sorted(exchange.orders) == ["E1", "E1-S", "E1-T"]
    assert laws(exchange) == []
    quoted(exchange, 95.0, 95.1, now=30)
    assert (exchange.position("AAA"), laws(exchange)) == (D(0), [])


def test_fees_are_a_share_with_one_minimum_an_order():
    """Ten shares in two parts: the minimum once; then the share, where it is more."""
    settings = Paper(partial_share=0.0, slippage=D(0), fee_share=D("0.1"), fee_min=D("0.35"))
    exchange = exchange_with(settings, quote=None)
    quoted(exchange, 99.9, 100.0, now=1, ask_size=2.0)
    exchange.submit(2, bracket())

    quoted(exchange, 99.9, 100.0)

    assert [execution.fee for execution in exchange.executions] == [D("0.35"), D("0.65")]


def test_slippage_is_against_us_on_the_tick_and_only_at_the_market():
    """A stop at 95 pays a tenth of a percent, rounded down to the tick; a limit pays none."""
    exchange = holding(settings=Paper(partial_share=0.0, slippage=D("0.001"), fee_share=D(0), fee_min=D(0)))

    quoted(exchange, 95.0, 95.1)

    assert [execution.price for execution in exchange.executions] == [D("100.0"), D("94.90")]


def test_an_execution_can_be_split_over_two_or_three_quotes():
    """With a share of one each first execution is a part; the rest follows with later quotes."""
    settings = Paper(partial_share=1.0, slippage=D(0), fee_share=D(0), fee_min=D(0))
    exchange = exchange_with(settings)
    exchange.submit(2, bracket(quantity="100"))
    first = exchange.executions[0].quantity

    for now in range(3, 30):
        quoted(exchange, 99.9, 100.0, now=now)

    assert first in {D(34), D(50)}
    assert exchange.orders["E1"].status is Status.FILLED
    assert laws(exchange) == []


def test_rejects_come_by_chance_where_they_are_asked_for():
    """A share of one refuses everything, a share of nothing nothing."""
    assert exchange_with(Paper(reject_share=1.0)).submit(2, bracket())[0].code == "refused"


@pytest.mark.parametrize("prices", [(100.1, 100.0), (0.0, 1.0), (-1.0, 1.0), (float("nan"), 1.0), (1.0, float("inf"))])
def test_prices_that_cannot_be_are_not_taken(prices):
    """Crossed, zero, negative, NaN and infinite: nothing trades on them."""
    exchange = holding()

    assert quoted(exchange, *prices) == []
    assert (exchange.quotes["AAA"].bid, len(exchange.executions)) == (99.9, 1)


def test_nothing_shown_twice_is_taken_twice_of_one_quote():
    """Two orders share the five that are offered."""
    exchange = exchange_with(quote=None)
    quoted(exchange, 99.9, 100.0, now=1, ask_size=5.0)

    exchange.submit(2, bracket("E1", quantity="4"))
    exchange.submit(2, bracket("E2", quantity="4"))

    assert [execution.quantity for execution in exchange.executions] == [D(4), D(1)]


def test_each_quote_offers_its_size_anew():
    """Five were taken of the last one; the next five are there, with nobody waiting in between too."""
    exchange = exchange_with(quote=None)
    quoted(exchange, 99.9, 100.0, now=1, ask_size=5.0)
    exchange.submit(2, bracket("E1", quantity="5"))
    exchange.cancel(2, CancelOrder("E1-S"))
    exchange.cancel(2, CancelOrder("E1-T"))
    quoted(exchange, 99.9, 100.0, ask_size=5.0)

    exchange.submit(4, bracket("E2", quantity="5"))

    assert [execution.quantity for execution in exchange.executions] == [D(5), D(5)]


def test_a_state_that_was_stored_goes_on_where_it_was():
    """After a restart, chance included, the same quotes give the same reports; quotes themselves are not kept."""
    settings = Paper(partial_share=0.5)
    going, source = exchange_with(settings), random.Random(7)
    going.submit(2, bracket(quantity="100"))
    state = msgspec.json.decode(msgspec.json.encode(going.to_state()), type=ExchangeState)
    resumed = Exchange(UNIVERSE, settings, source)
    resumed.from_state(state)

    assert resumed.quotes == {}
    for now, bid in enumerate((99.9, 101.0, 94.0, 93.0, 92.0), start=3):
        assert quoted(resumed, bid, bid + 0.1, now=now) == quoted(going, bid, bid + 0.1, now=now)
    assert resumed.executions == going.executions


def test_changes_are_what_a_turn_changed_and_quotes_alone_change_nothing():
    """Nothing to store for a quote that nobody acts on; after an execution, its orders, lines and cash."""
    exchange = holding()
    exchange.stored()

    quoted(exchange, 99.8, 99.9)
    quiet = exchange.changes()
    quoted(exchange, 110.0, 110.1)
    changes = exchange.changes()

    assert quiet is None
    assert changes is not None
    assert [order.order for order in changes.orders] == ["E1-T", "E1-S"]
    assert [execution.order for execution in changes.executions] == ["E1-T"]
    exchange.stored()
    assert exchange.changes() is None


class Trading(RuleBasedStateMachine):
    """Any sequence of brackets, quotes, amendments, cancels, closes, halts, days and restarts keeps the laws."""

    def __init__(self):
        """Begin with an exchange that splits, slips and charges."""
        super().__init__()
        self.now = 1
        self.number = 0
        self.middle = 10_000
        self.settings = Paper(partial_share=0.4, slippage=D("0.0005"))
        self.exchange = Exchange(UNIVERSE, self.settings, random.Random(3))
        self.worst = []

    def turn(self):
        """Let a moment pass."""
        self.now += 1
        return self.now

    def live(self, **words):
        """Give the live orders that are so."""
        orders = self.exchange.orders.values()
        return [
            order
            for order in orders
            if not order.status.ended and all(getattr(order, name) == value for name, value in words.items())
        ]

    @rule(move=st.integers(-300, 300), spread=st.integers(1, 10), size=st.none() | st.integers(0, 30))
    def quote(self, move, spread, size):
        """Prices move by up to three percent."""
        self.middle = max(500, self.middle + move)
        bid, ask = self.middle / 100, (self.middle + spread) / 100
        before = len(self.exchange.executions)
        self.exchange.quote(self.turn(), Quote("AAA", bid, ask, bid_size=size, ask_size=size))
        for execution in self.exchange.executions[before:]:
            best = D(repr(ask)) if execution.side is Side.BUY else D(repr(bid))
            assert execution.side.sign * (execution.price - best) >= 0, "better than the quote"

    @rule(quantity=st.integers(1, 60), away=st.integers(-100, 100), short=st.booleans())
    def enter(self, quantity, away, short):
        """A new bracket, on the side that is held."""
        sides = {order.side for order in self.live(opens=True)}
        sides |= {Side.BUY if held.quantity > 0 else Side.SELL for held in self.exchange.book.positions.values()}
        side = min(sides, default=Side.SELL if short else Side.BUY)
        self.number += 1
        level = D(max(300, self.middle + away)) / 100
        self.exchange.submit(
            self.turn(),
            bracket(
                f"E{self.number}",
                side=side,
                quantity=str(quantity),
                level=str(level),
                stop=str(level - side.sign * D(2)),
                target=str(level + side.sign * D(3)),
            ),
        )

    @precondition(lambda self: self.live())
    @rule(data=st.data(), level=st.integers(1, 20_000))
    def amend(self, data, level):
        """Another level for anything that lives, also through the market."""
        order = data.draw(st.sampled_from(self.live()))
        self.exchange.amend(self.turn(), AmendOrder(order.order, D(level) / 100))

    @precondition(lambda self: self.live(opens=True))
    @rule(data=st.data())
    def cancel(self, data):
        """Only entries and targets: cancelling a stop is the breach itself."""
        order = data.draw(st.sampled_from(self.live(opens=True) + self.live(leg=Leg.TARGET)))
        self.exchange.cancel(self.turn(), CancelOrder(order.order))

    @precondition(lambda self: self.exchange.book.positions)
    @rule(data=st.data(), quantity=st.integers(1, 90), away=st.none() | st.integers(-50, 50))
    def close(self, data, quantity, away):
        """A close of any quantity, at the market or at a limit, in a group that may be gone."""
        group = data.draw(st.sampled_from([order.order for order in self.exchange.orders.values() if order.opens]))
        side = self.exchange.orders[group].side.opposite
        self.number += 1
        kind = Kind.MARKET if away is None else Kind.LIMIT
        level = None if away is None else str(D(self.middle + away) / 100)
        command = close(f"C{self.number}", side=side, quantity=str(quantity), group=group, kind=kind, level=level)
        self.exchange.submit(self.turn(), command)

    @precondition(lambda self: self.exchange.orders)
    @rule(data=st.data())
    def repeat(self, data):
        """An id that was used comes again."""
        known = data.draw(st.sampled_from(sorted(self.exchange.orders)))
        reports = self.exchange.submit(self.turn(), bracket(known))
        assert [report.code for report in reports] == ["duplicate"]

    @rule(halted=st.booleans())
    def halt(self, halted):
        """Trading halts, or resumes."""
        self.exchange.halt(self.turn(), "AAA", halted)

    @rule()
    def day(self):
        """The day ends."""
        assume(len(self.exchange.log) > 10)
        self.exchange.end_of_day(self.turn())

    @rule()
    def restart(self):
        """The process ends and another takes over from its bytes."""
        state = msgspec.json.decode(msgspec.json.encode(self.exchange.to_state()), type=ExchangeState)
        quotes = self.exchange.quotes
        self.exchange = Exchange(UNIVERSE, self.settings, random.Random(3))
        self.exchange.from_state(state)
        self.exchange.quotes = quotes

    @invariant()
    def the_laws_hold(self):
        """No breach; nothing overfilled; each group has closed no more than it opened."""
        assert laws(self.exchange) == []
        for order in self.exchange.orders.values():
            assert 0 <= order.filled <= order.quantity <= order.asked
            if order.opens:
                assert self.exchange._held_by(order.order) >= 0


TestTrading = Trading.TestCase


def test_what_trades_in_another_currency_is_paid_in_it_and_the_book_still_balances():
    """The account's own cash is untouched; a restart and a forgotten day change no balance."""
    universe = {"AAA": Instrument("AAA", currency="EUR")}
    exchange = Exchange(universe, Paper(partial_share=0.0, slippage=D(0)), random.Random(3), base="USD")
    exchange.quote(1, Quote("AAA", 99.9, 100.0))
    exchange.submit(2, bracket())
    [execution] = exchange.executions

    spent = -execution.quantity * execution.price - execution.fee
    assert (execution.currency, exchange.book.balances) == ("EUR", {"EUR": spent})
    assert (exchange.book.cash, exchange.snapshot(3).balances) == (100_000, {"EUR": spent})
    assert laws(exchange) == []
    exchange.end_of_day(4)
    exchange.end_of_day(5)
    assert (exchange.executions, exchange.book.balances_carried) == ([], {"EUR": spent})
    assert laws(exchange) == []
    exchange.book.balances["EUR"] += 1
    assert laws(exchange) == [f"cash is {spent + 1} EUR, the executions make it {spent}"]
