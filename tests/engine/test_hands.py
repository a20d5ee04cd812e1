"""A person's hands: what reduces is done at once, what only a person knows needs a reason, nothing is bared."""

import pytest
from msgspec.structs import replace

from joed.engine.step import step
from joed.model.blocks import Block
from joed.model.commands import (
    AdoptPosition,
    AmendOrder,
    Answer,
    CancelOrder,
    ClaimOrder,
    FlattenPosition,
    LiftBlock,
    RetireOrder,
    SubmitOrder,
)
from joed.model.events import (
    BrokerDown,
    CommandSent,
    OperatorAsked,
    OrderAccepted,
    OrderCancelled,
    OrderDoubted,
    OrderSeen,
    OrderWorking,
    PositionSeen,
    Tick,
)
from joed.model.values import SECOND, ZERO, Kind, Leg, Side, Status
from tests.engine.build import (
    START,
    D,
    bracket,
    entry_of,
    fill,
    holding,
    kinds,
    of_kind,
    quote,
    stop_of,
    submitted,
    target_of,
    trading_state,
    whole_read,
)

LATER = START + SECOND


def ask(state, verb, at=None, reason="because", request="r1", **args):
    """Let an operator ask, and give the commands."""
    asked = OperatorAsked(verb, request, 1000, 1000, 1, reason, args)
    return step(state, state.now if at is None else at, asked)


def code(commands):
    """Give the answer's code."""
    return of_kind(commands, Answer)[0].code


def external(quantity="10", *, state=None, at=START, average="200"):
    """Give a State whose broker twice showed a position that is not ours, with a fresh quote and unequal books."""
    state = state or trading_state()
    held = state.positions.get("AAPL")
    theirs = D(quantity) + (held.quantity if held else 0)
    for moment in (at + 1, at + 2):
        shown = (PositionSeen("AAPL", theirs, D(average)),)
        step(state, moment, whole_read(moment, positions=shown, cash=str(state.cash)))
    step(state, at + 3, quote("AAPL", 199.98, 200.0, at=at + 3))
    return state


@pytest.mark.parametrize("leg", ["entry", "target"])
def test_one_order_is_cancelled_and_no_other(leg):
    """The broker's word ends it, as with any cancel."""
    state = holding("AAPL")
    submitted(state, bracket("MSFT"))
    name = {"entry": entry_of("MSFT"), "target": target_of("AAPL")}[leg]

    commands = ask(state, "cancel", order=name)

    assert of_kind(commands, CancelOrder) == [CancelOrder(name, "cancel by uid 1000: because")]
    assert (code(commands), state.orders[name].status) == ("ok", Status.CANCEL_ASKED)


def test_the_only_stop_of_a_position_is_not_cancelled_and_the_answer_says_what_to_do():
    """The fear at the top of the list: nobody takes it away by a typing error."""
    state = holding("AAPL")

    commands = ask(state, "cancel", order=stop_of("AAPL"))

    assert kinds(commands) == ["Answer"]
    assert (code(commands), "joectl flatten AAPL" in commands[0].words) == ("last_stop", True)


def test_the_waiting_stop_of_an_entry_goes_with_the_entry_alone():
    """Without it the entry would fill into a bare position."""
    state = trading_state()
    submitted(state, bracket("AAPL"))

    commands = ask(state, "cancel", order=stop_of("AAPL"))

    assert (code(commands), "joectl cancel AAPL-e" in commands[0].words) == ("last_stop", True)


@pytest.mark.parametrize("why", ["a second one stands", "nothing is held", "the other side"])
def test_a_stop_that_nothing_needs_may_go(why):
    """What is left over is a person's to tidy up."""
    state = holding("AAPL")
    submitted(state, bracket("AAPL", tag="2"))
    step(state, START, OrderCancelled("AAPL2-e"))
    step(state, START, OrderWorking("AAPL2-s", D(10)))
    if why == "nothing is held":
        step(state, START, fill(stop_of("AAPL"), "10", "196", side=Side.SELL, execution="s"))
    if why == "the other side":
        state.orders["AAPL2-s"].side = Side.BUY

    assert code(ask(state, "cancel", order="AAPL2-s")) == "ok"


@pytest.mark.parametrize(
    ("order", "expected"),
    [("AAPL-e", "order_ended"), ("77", "order_unknown"), ("", "order_unknown"), ("nobody", "order_unknown")],
)
def test_what_cannot_be_cancelled_is_refused_by_name(order, expected):
    """Ended, another's, nobody's: each with the next step."""
    state = holding("AAPL")
    state.brokers["paper"].foreign = {"77": "AAPL"}

    commands = ask(state, "cancel", order=order)

    assert (code(commands), kinds(commands)) == (expected, ["Answer"])
    assert ("not ours" in commands[0].words) is (order == "77")


def test_a_cancel_that_nobody_would_hear_is_refused():
    """Sent over a broken link it would be forgotten."""
    state = holding("AAPL")
    step(state, LATER, BrokerDown("paper", "cut"))

    assert code(ask(state, "cancel", order=target_of("AAPL"))) == "broker_down"


@pytest.mark.parametrize("verb", ["cancel", "flatten", "adopt", "resolve"])
def test_a_dry_run_says_exactly_what_would_be_sent_and_sends_nothing(verb):
    """The same deeds as the true run from the same State, in the answer alone; State is as it was."""
    args = {
        "cancel": {"order": target_of("AAPL")},
        "flatten": {},
        "adopt": {"instrument": "AAPL", "stop": "190.00"},
        "resolve": {"order": "MSFT-e", "deal": "absent"},
    }[verb]

    def made():
        state = external() if verb == "adopt" else holding("AAPL")
        if verb == "resolve":
            doubted(state)
        return state

    dry, real = made(), made()
    before = (dict(dry.orders), dict(dry.external), dict(dry.positions))

    told = ask(dry, verb, dry_run="yes", **args)
    done = ask(real, verb, **args)

    assert kinds(told) == ["Answer"]
    assert list(told[0].orders) == done[:-1] == list(done[-1].orders)
    assert (told[0].dry_run, done[-1].dry_run, told[0].words) == (True, False, f"would {done[-1].words}")
    assert (dry.orders, dry.external, dry.positions) == before


def test_a_request_that_comes_twice_is_answered_and_not_done_twice():
    """Its key is the same: so is the answer."""
    state = holding("AAPL")

    first = ask(state, "flatten", instrument="AAPL")
    second = ask(state, "flatten", instrument="AAPL")

    assert second == [first[-1]]


def test_a_position_is_closed_by_hand_without_a_kill_and_pressed_until_it_is_flat():
    """The target made marketable, then a market close; no Block, no latch, and its own entries are cancelled."""
    state = holding("AAPL")
    step(state, START, quote("AAPL", 201.0, at=START))
    submitted(state, bracket("AAPL", tag="2"))

    first = ask(state, "flatten", instrument="AAPL")
    later = [
        command
        for second in range(1, 40)
        for command in step(state, START + second * SECOND, Tick())
        if isinstance(command, SubmitOrder)
    ]
    step(state, START + 41 * SECOND, fill(target_of("AAPL"), "10", "200", side=Side.SELL, execution="t"))

    assert kinds(first) == ["CancelOrder", "FlattenPosition", "AmendOrder", "Answer"]
    assert first[-1].words == "close 10 AAPL and cancel 1 resting"
    assert [(one.leg, one.quantity) for one in later] == [(Leg.CLOSE, 10)]
    assert (state.positions["AAPL"].unwanted, state.killed) == ("", None)


def test_one_instrument_is_flattened_and_the_others_are_kept():
    """Named is named; without a name all go."""
    one, both = (holding("MSFT", state=holding("AAPL")) for _ in range(2))

    assert [one.instrument for one in of_kind(ask(one, "flatten", instrument="MSFT"), FlattenPosition)] == ["MSFT"]
    assert [one.instrument for one in of_kind(ask(both, "flatten"), FlattenPosition)] == ["AAPL", "MSFT"]


def test_nothing_to_flatten_is_said():
    """And what is held by somebody else is not ours to close."""
    assert code(ask(external(), "flatten", instrument="AAPL")) == "nothing_to_flatten"
    assert code(ask(trading_state(), "flatten")) == "nothing_to_flatten"


def test_flattening_while_the_broker_is_away_waits_for_it():
    """Nothing is sent over a broken link; the wish stays."""
    state = holding("AAPL")
    submitted(state, bracket("MSFT"))
    step(state, LATER, BrokerDown("paper", "cut"))

    assert kinds(ask(state, "flatten")) == ["FlattenPosition", "Answer"]
    assert state.positions["AAPL"].unwanted == "flatten by uid 1000: because"


def doubted(state, *candidates):
    """Let MSFT's entry be in doubt, quarantined where there are candidates."""
    submitted(state, bracket("MSFT"))
    step(state, LATER, OrderDoubted("MSFT-e", "no answer", candidates))
    return state


def test_an_order_in_doubt_is_ended_by_a_persons_word_that_it_never_was():
    """Reserved risk is free, the bracket ends, the books are reconciled again; why stands in the record."""
    state = doubted(trading_state())

    commands = ask(state, "resolve", order="MSFT-e", deal="absent", reason="their screen shows none")

    assert of_kind(commands, RetireOrder) == [RetireOrder("MSFT-e", "uid 1000: their screen shows none")]
    assert {order.status for order in state.orders.values()} == {Status.ABSENT_PROVEN}
    assert (list(state.resting), state.brokers["paper"].reconciled) == ([], True)


def test_an_order_in_doubt_becomes_the_deal_that_a_person_names():
    """From then on the broker's number finds it, though the broker knows no id of ours; its exits come with it."""
    state = doubted(trading_state(), "d1", "d2")

    commands = ask(state, "resolve", order="MSFT-e", deal="d2")
    acked = {order.status for order in state.orders.values()}
    seen = OrderSeen("", "d2", "MSFT", Side.BUY, D(10), Status.WORKING, D(200))
    step(state, LATER + 2, whole_read(LATER + 2, cash="100000", orders=(seen,)))

    assert of_kind(commands, ClaimOrder) == [ClaimOrder("MSFT-e", "d2", "uid 1000: because")]
    assert acked == {Status.ACKED}
    assert (state.orders["MSFT-e"].status, state.orders["MSFT-e"].candidates) == (Status.WORKING, ())
    assert state.brokers["paper"].foreign == {}


def test_a_deal_may_also_be_an_order_of_nobody_in_the_instrument():
    """What the last whole read showed there and nobody owns."""
    state = doubted(trading_state())
    state.brokers["paper"].foreign = {"77": "MSFT", "78": "KO"}

    assert code(ask(state, "resolve", order="MSFT-e", deal="78")) == "deal_unknown"
    assert code(ask(state, "resolve", order="MSFT-e", deal="77", request="r2")) == "ok"


@pytest.mark.parametrize(
    ("args", "reason", "expected"),
    [
        ({"order": "nobody", "deal": "absent"}, "x", "order_unknown"),
        ({"deal": "absent"}, "x", "order_unknown"),
        ({"order": "AAPL-s", "deal": "absent"}, "x", "not_in_doubt"),
        ({"order": "MSFT-e", "deal": "absent"}, " ", "reason_needed"),
        ({"order": "MSFT-e"}, "x", "deal_unknown"),
    ],
)
def test_a_doubt_is_not_resolved_without_an_order_in_doubt_a_reason_and_a_deal(args, reason, expected):
    """Only UNCERTAIN and QUARANTINED orders have something to resolve."""
    state = doubted(holding("AAPL"))

    assert code(ask(state, "resolve", reason=reason, **args)) == expected
    assert state.orders["MSFT-e"].status is Status.UNCERTAIN


@pytest.mark.parametrize(("quantity", "stop", "side"), [("10", "190.00", Side.SELL), ("-10", "210.00", Side.BUY)])
def test_a_position_of_somebody_else_becomes_ours_with_its_stop_at_once(quantity, stop, side):
    """A lot of its own: at the broker's price, protected as soon as the stop works, no trade of today."""
    state = external(quantity)

    commands = ask(state, "adopt", instrument="AAPL", stop=stop, quantity=quantity)
    order = of_kind(commands, SubmitOrder)[0]
    bare = state.positions["AAPL"].unprotected_ns
    for word in (CommandSent(state.seq, 1, order.order), OrderAccepted(order.order, "5")):
        step(state, LATER, word)
    step(state, LATER, OrderWorking(order.order, D(10), D(stop)))
    read = whole_read(LATER + 1, cash="100000", positions=(PositionSeen("AAPL", D(quantity), D(200)),))
    seen = OrderSeen(order.order, "5", "AAPL", side, D(10), Status.WORKING)
    lifted = step(state, LATER + 1, replace(read, orders=(seen,)))

    position = state.positions["AAPL"]
    assert kinds(commands) == ["AdoptPosition", "SubmitOrder", "Answer"]
    assert (order.side, order.kind, order.level, order.group, order.opens) == (side, Kind.STOP, D(stop), "", False)
    assert (position.quantity, position.average, position.strategy) == (D(quantity), 200, "adopted")
    assert (bare > 0, position.unprotected_ns, position.stop_order) == (True, 0, order.order)
    assert (state.cash, state.realised, state.day.trades, state.external) == (100_000, ZERO, 0, {})
    assert [one.key for one in of_kind(lifted, LiftBlock)] == ["instrument:AAPL/books_differ"]


def adopted(**more):
    """Give a State that adopted ten AAPL with a working stop at 190."""
    state = external(**more)
    order = of_kind(ask(state, "adopt", instrument="AAPL", stop="190.00", request="a"), SubmitOrder)[0]
    step(state, state.now, OrderWorking(order.order, D(10), D("190.00")))
    return state, order.order


def test_an_adopted_position_ends_by_its_stop_like_any_other():
    """Profit and loss count from the broker's price."""
    state, stop = adopted()

    step(state, LATER, fill(stop, "10", "190", side=Side.SELL, execution="s"))

    assert state.positions["AAPL"].quantity == 0
    assert (state.realised, state.day.losses) == (-100, 1)


def test_an_adopted_position_is_closed_by_its_own_stop_since_no_group_ties_another_order_to_it():
    """Two orders that no group ties together could both fill and turn the position (I5)."""
    state, stop = adopted()
    step(state, LATER, quote("AAPL", 200.0, at=LATER))

    commands = ask(state, "flatten", instrument="AAPL", at=LATER)
    amended = of_kind(commands, AmendOrder)
    waiting = step(state, LATER + SECOND, Tick())

    assert amended == [AmendOrder(stop, D("202.00"), reason="flatten by uid 1000: because", closes=True)]
    assert of_kind(waiting, SubmitOrder | AmendOrder) == []
    assert state.positions["AAPL"].closing == stop


def test_an_adopted_position_that_lost_its_stop_is_closed_at_market_in_its_own_lot():
    """Outside every group at the broker, inside its lot in our books."""
    state, stop = adopted()
    step(state, LATER, OrderCancelled(stop))
    lot = state.positions["AAPL"].group

    order = of_kind(ask(state, "flatten", instrument="AAPL", at=LATER), SubmitOrder)[0]
    step(state, LATER, fill(order.order, "10", "199", side=Side.SELL, execution="c"))

    assert (order.leg, order.group, order.lot, order.quantity) == (Leg.CLOSE, "", lot, 10)
    assert (state.positions["AAPL"].quantity, state.realised) == (0, -10)


def test_what_somebody_added_to_our_position_becomes_a_second_lot():
    """Each lot with its own stop; the sum is what the broker holds."""
    state = external("5", state=holding("AAPL"))

    commands = ask(state, "adopt", instrument="AAPL", stop="190.00")

    assert [(one.quantity, one.level) for one in of_kind(commands, SubmitOrder)] == [(5, D("190.00"))]
    assert (state.positions["AAPL"].quantity, len(state.positions["AAPL"].groups)) == (15, 2)
    assert state.positions["AAPL"].stop_order == stop_of("AAPL")


def test_a_price_that_the_broker_does_not_say_is_the_price_now():
    """Rather an honest zero than a wrong gain."""
    state = external(average="0")

    ask(state, "adopt", instrument="AAPL", stop="190.00")

    assert state.positions["AAPL"].average == D("199.99")


@pytest.mark.parametrize(("closed", "left"), [("-4", 6), ("-10", 0)])
def test_what_somebody_closed_of_ours_by_hand_is_taken_over_without_a_stop(closed, left):
    """The books follow at today's price, the profit is counted, and the instrument may be traded again (F70)."""
    state = external(closed, state=holding("AAPL"))

    commands = ask(state, "adopt", instrument="AAPL")

    assert kinds(commands) == ["AdoptPosition", "Answer"]
    assert (state.positions["AAPL"].quantity, state.external) == (left, {})
    assert state.positions["AAPL"].unprotected_ns == 0
    assert left or (state.realised, state.day.losses) == (D("-0.10"), 1)


def test_flattening_by_hand_while_the_market_is_shut_waits_for_its_open_and_says_so():
    """Nothing is sent that could only be refused."""
    state = holding("AAPL")
    market = Block("calendar:XNYS", "market_closed", "shut")
    state.blocks[market.key] = market

    commands = ask(state, "flatten", instrument="AAPL")

    assert kinds(commands) == ["FlattenPosition", "Answer"]
    assert commands[-1].words == "close 10 AAPL; AAPL at the next open"


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({"stop": "200.50"}, "wrong_stop"),
        ({"stop": "199.98"}, "wrong_stop"),
        ({"stop": "190.001"}, "wrong_stop"),
        ({"stop": "NaN"}, "wrong_stop"),
        ({"stop": "-1"}, "wrong_stop"),
        ({"stop": "cheap"}, "wrong_stop"),
        ({}, "wrong_stop"),
        ({"stop": "190", "quantity": "9"}, "books_moved"),
        ({"stop": "190", "instrument": "XYZ"}, "instrument_unknown"),
        ({"stop": "190", "instrument": "VIX"}, "instrument_unknown"),
        ({"stop": "190", "instrument": "KO"}, "nothing_to_adopt"),
    ],
)
def test_a_position_is_not_adopted_with_a_wrong_stop_or_other_books(args, expected):
    """A stop that would trade at once, off the tick, no number; what was seen is not there any more."""
    state = external()

    commands = ask(state, "adopt", **{"instrument": "AAPL"} | args)

    assert (code(commands), kinds(commands), state.external) == (expected, ["Answer"], {"AAPL": 10})


@pytest.mark.parametrize("why", ["seen once", "down", "opposite", "stale", "no quote"])
def test_a_position_is_not_adopted_on_less_than_proof(why):
    """One sight, no link, a part of ours sold by hand, a price that nobody knows."""
    state, at = external(), START + 4
    if why == "seen once":
        step(state, at, whole_read(at, cash="100000", positions=(PositionSeen("AAPL", D(12), D(200)),)))
    elif why == "down":
        step(state, at, BrokerDown("paper", "cut"))
    elif why == "opposite":
        state = external("-14", state=holding("AAPL"))
    elif why == "stale":
        at = START + 10 * SECOND
    else:
        state.markets["AAPL"].quote = None

    commands = ask(state, "adopt", at=at, instrument="AAPL", stop="190.00")

    expected = {"seen once": "not_proven", "down": "broker_down", "opposite": "opposite", "no quote": "no_quote"}
    assert code(commands) == expected.get(why, "wrong_stop")
    assert of_kind(commands, AdoptPosition) == []
