"""joed.brokers.ibkr.broker: what leaves, in which bytes, and what never does; the rest is the contract's."""

import random
from decimal import Decimal as Money

import pytest

from joed.engine.step import refold, step
from joed.model.commands import AmendOrder, CancelOrder, ReadBroker
from joed.model.events import (
    AmendRejected,
    BrokerDown,
    BrokerRead,
    BrokerUp,
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderDoubted,
    OrderFilled,
    OrderRejected,
    OrderWorking,
    Tick,
)
from joed.model.values import SECOND, Mode
from joed.sim.odd import OddExchange
from tests.brokers.rigs import SETTINGS, UNIVERSE, bracket, close, permitted
from tests.engine.build import trading_state
from tests.faults.measure import measured


def sent(rig):
    """Collect the messages that leave from here on."""
    found = []
    rig.tws.journal = lambda way, *rest: way == "<<" and found.append(rest[1])
    return found


def of(rig, kind):
    """Give what was told of one kind."""
    return [event for event in rig.take() if isinstance(event, kind)]


def test_a_bracket_leaves_as_three_messages_in_a_row_its_stop_last(rig):
    """No other message comes between them: the link could die there."""
    messages = sent(rig)
    rig.broker.read(ReadBroker("paper"))
    assert rig.broker.submit(bracket(level="99.00"), permitted) == ""
    rig.wait()

    at = [number for number, fields in enumerate(messages) if fields[0] == "3"]
    assert at == list(range(at[0], at[0] + 3))
    legs = [messages[number] for number in at]
    assert [leg[26] for leg in legs] == ["E1", "E1-T", "E1-S"]
    assert [leg[27] for leg in legs] == ["0", "0", "1"]
    assert [leg[28] for leg in legs] == ["0", legs[0][1], legs[0][1]]
    assert {leg[23] for leg in legs} == {"DU1234567"}


def test_permission_is_asked_when_there_is_room_and_before_the_first_byte(rig):
    """After the pacer, in the same block: what it allowed a moment ago is of another moment."""
    messages = sent(rig)
    seen = []
    rig.broker.submit(bracket(), lambda command: seen.append(len(messages)) or "killed")
    rig.wait()

    assert seen == [0]
    assert not [fields for fields in messages if fields[0] == "3"]


def test_a_cancel_leaves_at_once_behind_two_hundred_questions(rig):
    """A kill never waits in a queue of ours, and the library has none."""
    assert rig.broker.submit(bracket(level="99.00"), permitted) == ""
    rig.wait()
    messages = sent(rig)
    for _ in range(200):
        rig.broker._link.contracts._asked.clear()
        rig.broker._link.contracts.ask("AAA")
    assert rig.broker._link.pacer.waiting > 100

    assert rig.broker.cancel(CancelOrder("E1"), permitted) == ""
    rig.wait(0.01)

    assert [fields[0] for fields in messages].index("4") <= 40
    assert [event.order for event in of(rig, OrderCancelled)] == ["E1", "E1-S", "E1-T"]


def test_orders_above_the_rate_are_refused_with_a_reason_and_never_kept(rig):
    """Nothing is queued: what a later moment would send was decided in this one."""
    said = [rig.broker.submit(bracket(f"E{n}", level="99.00"), permitted) for n in range(1, 20)]
    rig.wait(5.0)

    assert said[:12] == [""] * 12
    assert set(said[12:]) == {"40 messages a second are sent already"}
    assert len([event for event in of(rig, OrderAccepted) if "-" not in event.order]) == 12


def test_an_account_of_the_other_kind_is_told_and_sends_nothing(make_rig):
    """A paper account in live mode: refused before any order, and cancels still leave."""
    rig = make_rig()
    object.__setattr__(rig.settings, "mode", Mode.LIVE)
    rig.quote(99.9, 100.0)

    assert rig.broker.submit(bracket(), permitted) == "DU1234567 is a paper account, joed runs in live mode"
    assert [event.mode for event in of(rig, BrokerUp)] == ["paper"]
    assert rig.exchange.orders == {}


def test_no_entry_is_sent_within_a_window_of_restarts_and_exits_are(make_rig):
    """What is sent in that second can vanish: an entry waits, a close is tried."""
    rig = make_rig(no_submit_windows=("00:00-23:59 UTC",))
    rig.quote(99.9, 100.0)

    assert rig.broker.submit(bracket(), permitted) == "no entry is sent within 00:00-23:59 UTC"
    assert rig.broker.submit(close(group=""), permitted) == ""


@pytest.mark.parametrize("code", [201, 203, 460])
def test_a_refusal_of_the_servers_is_told_with_their_number_and_words(rig, code):
    """Each leg that was refused; nothing is tried again blindly."""
    rig.fault(f"reject {code} 3")
    rig.broker.submit(bracket(level="99.00"), permitted)
    rig.wait()

    assert {event.order: event.words[:3] for event in of(rig, OrderRejected)}["E1"] == str(code)


def test_a_duplicate_number_is_doubt_and_the_reading_resolves_it(rig):
    """103: not this order, but whose? It is never sent again by itself."""
    rig.fault("reject 103 3")
    rig.broker.submit(bracket(level="99.00"), permitted)
    rig.wait(10.0)

    assert {event.order for event in of(rig, OrderDoubted)} >= {"E1"}
    rig.broker.read(ReadBroker("paper"))
    rig.wait()
    (seen,) = of(rig, BrokerRead)
    assert "E1" not in {row.order for row in seen.orders}


@pytest.mark.parametrize("code", [161, 10147, 10148])
def test_a_cancel_that_is_answered_by_a_number_ends_nothing(rig, code):
    """The order may have filled: it lives here until its own word."""
    rig.broker.submit(bracket(level="99.00"), permitted)
    rig.wait()
    rig.take()
    rig.fault(f"cancel-answer {code} 1")
    rig.broker.cancel(CancelOrder("E1"), permitted)
    rig.wait()

    assert [type(event) for event in rig.take()] == [CancelRejected]
    rig.quote(98.8, 98.9)
    assert [event.order for event in of(rig, OrderFilled)] == ["E1"]


def test_a_fill_during_a_cancel_is_told_as_both(rig):
    """PendingCancel, and it fills: the refusal of the cancel, and the fill."""
    rig.fault("cancel-slow 2")
    rig.broker.submit(bracket(level="99.00"), permitted)
    rig.wait()
    rig.take()
    rig.broker.cancel(CancelOrder("E1"), permitted)
    rig.wait(0.5)
    rig.quote(98.8, 98.9)
    rig.wait(3.0)

    events = rig.take()
    assert [event.order for event in events if isinstance(event, OrderFilled)] == ["E1"]
    assert [event.order for event in events if isinstance(event, CancelRejected)] == ["E1"]


def test_a_commission_that_never_comes_leaves_a_fill_without_a_fee(rig):
    """Not zero by its word: the reading may tell more."""
    rig.fault("commissions never")
    rig.broker.submit(bracket(), permitted)
    rig.wait()

    assert [(fill.revision, fill.fee) for fill in of(rig, OrderFilled)] == [(0, Money(0))]


def test_a_commission_that_comes_late_is_a_newer_word_on_the_same_execution(rig):
    """The fill is told at once, its price is known."""
    rig.fault("commissions late 3")
    rig.broker.submit(bracket(), permitted)
    rig.wait(5.0)

    fills = of(rig, OrderFilled)
    assert [(fill.revision, fill.fee > 0) for fill in fills] == [(0, False), (1, True)]
    assert len({fill.execution for fill in fills}) == 1


def test_a_fee_that_came_while_no_process_lived_is_booked_by_the_next(rig):
    """The fill was told without it and booked; the next process reads both, and the fee is news."""
    state, decide = held_by_the_engine(rig, fault="commissions late 3")
    assert (state.positions["AAA"].quantity, state.fees) == (Money(10), Money(0))
    rig.restart(dead_s=5.0)
    rig.broker.read(ReadBroker("paper"))
    rig.wait()
    (read,) = [event for event in rig.events if isinstance(event, BrokerRead)]
    state.brokers["paper"].connection = read.connection
    decide()

    assert [(fill.revision, fill.fee) for fill in read.executions] == [(1, state.fees)]
    assert state.fees > 0
    assert state.positions["AAA"].quantity == 10


def test_a_correction_and_a_bust_replace_the_execution(make_rig):
    """The same id but for its last part."""
    rig = make_rig(OddExchange(UNIVERSE, SETTINGS, random.Random(7)))
    rig.quote(99.9, 100.0)
    rig.broker.submit(bracket(), permitted)
    rig.wait()
    (first,) = of(rig, OrderFilled)
    rig.fault("correct 1.0")
    rig.wait()
    rig.fault("bust 1.0")
    rig.wait()

    words = of(rig, OrderFilled)
    assert {fill.execution for fill in words} == {first.execution}
    assert [fill.revision for fill in words] == sorted(fill.revision for fill in words)
    assert words[0].revision > first.revision
    assert (words[0].quantity, words[-1].quantity) == (Money(10), Money(0))


def test_an_amendment_waits_for_the_answer_to_the_one_before(rig):
    """Two terms under way, and nobody knows which holds."""
    rig.broker.submit(bracket(), permitted)
    rig.wait()
    rig.take()
    assert rig.broker.amend(AmendOrder("E1-S", Money("96.00")), permitted) == ""
    assert "not answered" in rig.broker.amend(AmendOrder("E1-S", Money("97.00")), permitted)
    rig.wait()

    assert [event.level for event in of(rig, OrderWorking)] == [Money(96)]
    assert rig.broker.amend(AmendOrder("E1-S", Money("97.00")), permitted) == ""


def held_by_the_engine(rig, fault="pass"):
    """Give a State that holds the rig's bracket, and a function that lets the engine hear and act; under a fault."""
    rig.fault(fault)
    state = trading_state(symbols=("AAA",))
    begun_ns = state.now - rig.clock.now()

    def decide(*commands):
        now = begun_ns + rig.clock.now()
        refold(state, now, Tick(), list(commands))
        for event in rig.take():
            for command in step(state, now, event):
                if isinstance(command, AmendOrder):
                    assert rig.broker.amend(command, permitted) == ""
        rig.wait()

    command = bracket()
    rig.broker.submit(command, permitted)
    rig.wait()
    decide(command)
    return state, decide


def test_a_new_level_that_crosses_a_partial_target_leaves_the_stop_at_what_is_held(rig):
    """TWS knows an amendment as the whole order once more: the quantity that came back with it is mended at once."""
    state, decide = held_by_the_engine(rig)
    rig.fault("latency 0.5")
    raised = AmendOrder("E1-S", Money(97), reason="trail")
    assert rig.broker.amend(raised, permitted) == ""
    rig.quote(110.5, 110.6, bid_size=4.0)
    rig.wait()
    assert (rig.exchange.position("AAA"), rig.exchange.protection("AAA")) == (Money(6), Money(10))

    rig.fault("latency 0")
    decide(raised)

    assert (rig.exchange.position("AAA"), rig.exchange.protection("AAA")) == (Money(6), Money(6))
    decide()
    assert (state.orders["E1-S"].left, state.orders["E1-S"].terms) == (Money(6), Money(97))


def test_after_a_split_the_exits_follow_in_one_amendment_each(make_rig):
    """Forty for ten, before the market opens: level and quantity leave together, and the exchange has both."""
    rig = make_rig(OddExchange(UNIVERSE, SETTINGS, random.Random(7)))
    rig.quote(99.9, 100.0)
    rig.broker.submit(bracket(), permitted)
    rig.wait()
    rig.fault("halt AAA")
    rig.quote(24.97, 25.0)
    rig.fault("jump AAA 30")
    rig.wait()
    for order, level in (("E1-S", "23.75"), ("E1-T", "27.50")):
        assert rig.broker.amend(AmendOrder(order, Money(level), Money(40)), permitted) == ""
    rig.wait()

    exits = [rig.exchange.orders[name] for name in ("E1-S", "E1-T")]
    assert [(order.left, order.level) for order in exits] == [(40, Money("23.75")), (40, Money("27.50"))]
    assert of(rig, AmendRejected) == []


def test_an_amendment_carries_the_quantity_of_the_newest_status(rig):
    """A status may come without the order's terms: what it says is left of it counts as much."""
    rig.broker.submit(bracket(), permitted)
    rig.wait()
    rig.fault("drop openOrder")
    rig.quote(110.5, 110.6, bid_size=4.0)
    rig.fault("pass")
    messages = sent(rig)
    assert rig.broker.amend(AmendOrder("E1-S", Money("96.00")), permitted) == ""
    rig.wait()

    (amendment,) = [fields for fields in messages if fields[0] == "3"]
    assert amendment[17] == "6"
    assert rig.exchange.protection("AAA") == rig.exchange.position("AAA") == Money(6)


def test_a_child_that_waits_for_its_entry_has_no_new_terms_yet(rig):
    """Amended before it works, it would be refused, or worse, taken for a new order."""
    rig.broker.submit(bracket(level="99.00"), permitted)
    rig.wait()

    assert "does not work at the broker yet" in rig.broker.amend(AmendOrder("E1-S", Money("96.00")), permitted)
    assert of(rig, AmendRejected) == []


def test_a_bracket_whose_link_dies_between_its_legs_is_no_order_and_is_cleared_away(rig):
    """Held back for a stop that never came: nothing of it ever works, and the next link cancels what TWS still has."""
    rig.fault("cut-after 2")
    began_ns, ill_ns = rig.clock.now(), 0
    assert rig.broker.submit(bracket(level="99.00"), permitted) == ""
    rig.wait(0.5)
    assert len(rig.tws.desk.living()) == 2
    for _ in range(50):
        ill_ns = rig.clock.now() if rig.tws.desk.living() else ill_ns
        rig.wait(0.1)

    assert rig.tws.desk.living() == []
    cleared_s = (ill_ns - began_ns) / SECOND + 0.1
    measured("F4", detected_s=rig.heard.after_s(began_ns, BrokerDown), recovered_s=cleared_s)
    assert {event.order for event in of(rig, OrderCancelled)} <= {"E1", "E1-T"}
    assert rig.exchange.orders == {}
    rig.broker.read(ReadBroker("paper"))
    rig.wait()
    (seen,) = of(rig, BrokerRead)
    assert (seen.complete, seen.orders) == (True, ())


def test_a_status_that_is_told_twice_or_not_at_all_changes_nothing(rig):
    """Executions count."""
    rig.fault("twice orderStatus")
    rig.broker.submit(bracket(), permitted)
    rig.wait()
    assert [event.order for event in of(rig, OrderFilled)] == ["E1"]
    rig.fault("drop orderStatus")

    rig.quote(94.0, 94.1)

    assert [event.order for event in of(rig, OrderFilled)] == ["E1-S"]


def test_two_orders_of_one_reference_are_both_in_the_reading(rig):
    """The twin has another permId: both count until one is gone."""
    rig.broker.submit(bracket(), permitted)
    rig.wait()
    rig.fault("twin 1 1")
    rig.broker.amend(AmendOrder("E1-S", Money("96.00")), permitted)
    rig.wait()
    rig.take()
    rig.broker.read(ReadBroker("paper"))
    rig.wait()

    (seen,) = of(rig, BrokerRead)
    twins = [row for row in seen.orders if row.order == "E1-S"]
    assert len({row.broker_id for row in twins}) == 2

    assert rig.broker.cancel(CancelOrder("E1-S", "twin", twins[1].broker_id), permitted) == ""
    rig.wait()
    rig.take()
    rig.broker.read(ReadBroker("paper"))
    rig.wait()
    (seen,) = of(rig, BrokerRead)
    assert [row.broker_id for row in seen.orders if row.order == "E1-S"] == [twins[0].broker_id]


def test_nothing_is_handed_over_behind_bytes_that_still_wait_here(rig):
    """A gateway that does not read: what would leave later was permitted in another moment. Permission is not asked."""
    (link,) = rig.loop.network.links_to(rig.tws.port)
    link.up.hold()
    rig.broker._link.session._transport.write(bytes(1_000_000))
    asked = []

    for hand_over, command in ((rig.broker.submit, bracket()), (rig.broker.cancel, CancelOrder("E1"))):
        assert "does not read" in hand_over(command, lambda one: asked.append(one) or "")
    assert asked == []
