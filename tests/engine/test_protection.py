"""Working protective quantity equals position quantity; what is done when it does not."""

import pytest
from msgspec.structs import replace

from joed.engine.positions import backed
from joed.engine.protection import (
    flipped,
    guards,
    hopeless,
    note,
    note_spare,
    protected,
    refit,
    repair_level,
    shares,
    stops_of,
    to_close,
    turned,
    waits,
)
from joed.engine.step import refold, step
from joed.model.commands import AmendOrder, CancelOrder, JudgeBooks, RaiseAlert, RaiseBlock, ReadBroker, SubmitOrder
from joed.model.events import (
    BrokerDown,
    CommandDropped,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderSeen,
    OrderWorking,
    PositionSeen,
    Tick,
)
from joed.model.settings import Protection
from joed.model.values import SECOND, Kind, Leg, Side, Status, Verdict
from tests.engine.build import (
    START,
    D,
    bracket,
    fill,
    holding,
    of_kind,
    quote,
    stop_of,
    submitted,
    target_of,
    trading_state,
    whole_read,
)


def seconds(state, count, start=START):
    """Let seconds pass and give every order that was sent and every alert that was told, with its second."""
    told = []
    for second in range(1, count + 1):
        commands = of_kind(step(state, start + second * SECOND, Tick()), SubmitOrder | AmendOrder | RaiseAlert)
        told.extend((second, command) for command in commands)
    return told


def seen(state, *names):
    """Give these orders as the broker shows them when the books agree."""
    orders = [state.orders[name] for name in names]
    return tuple(
        OrderSeen(one.order, "b", one.instrument, one.side, one.left, one.status, one.terms, one.filled)
        for one in orders
    )


def agreeing(state, *names, at, quantity="10"):
    """Give a whole read in which position and these orders are as our books have them."""
    positions = (PositionSeen("AAPL", D(quantity), D(200)),) if D(quantity) else ()
    return whole_read(at, orders=seen(state, *names), positions=positions, cash=str(state.cash))


def test_a_position_under_its_working_stop_is_protected():
    """Equal quantities, the right side, working by the broker's word."""
    state = holding("AAPL")

    assert protected(state, state.positions["AAPL"]) == 10
    assert state.positions["AAPL"].unprotected_ns == 0
    assert seconds(state, 20) == []


def test_a_waiting_stop_counts_while_its_entry_works_and_no_longer():
    """The broker lets it work as the entry fills; once that has ended, only a working stop protects."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    step(state, START, fill("AAPL-e", "4", "200"))
    while_filling = state.positions["AAPL"].unprotected_ns

    step(state, START + SECOND, OrderCancelled("AAPL-e"))
    after = state.positions["AAPL"].unprotected_ns
    step(state, START + 2 * SECOND, OrderWorking(stop_of("AAPL"), D(4)))

    assert (while_filling, after, state.positions["AAPL"].unprotected_ns) == (0, START + SECOND, 0)


def test_an_entry_in_doubt_vouches_for_no_stop():
    """Nothing is known of its children either."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    step(state, START, fill("AAPL-e", "4", "200"))

    state.orders["AAPL-e"].status = Status.UNCERTAIN

    assert protected(state, state.positions["AAPL"]) == 0


def test_a_lost_stop_is_replaced_where_it_stood_within_a_second_or_two():
    """Cancelled by another hand: after the grace a new stop goes out in the same group, for what the group holds."""
    state = holding("AAPL")
    step(state, START, OrderCancelled(stop_of("AAPL")))

    [(second, command)] = seconds(state, 4)

    assert second == 1
    assert (command.kind, command.leg, command.level) == (Kind.STOP, Leg.STOP, D("196.00"))
    assert (command.quantity, command.side, command.group, command.opens) == (10, Side.SELL, "AAPL-e", False)
    step(state, START + 4 * SECOND, OrderAccepted(command.order, "9"))
    step(state, START + 4 * SECOND, OrderWorking(command.order, D(10), command.level))
    assert state.positions["AAPL"].unprotected_ns == 0
    assert [order.order for order in stops_of(state, state.positions["AAPL"])] == [command.order]


def test_a_stop_that_ended_because_its_target_filled_is_not_replaced():
    """The two words may come in either order: nothing is sent before the fill had its time to arrive."""
    state = holding("AAPL")
    step(state, START + SECOND - 1, OrderCancelled(stop_of("AAPL")))
    at_once = step(state, START + SECOND, Tick())
    step(state, START + SECOND + 1, fill(target_of("AAPL"), "10", "220", side=Side.SELL, execution="t"))

    assert of_kind(at_once, SubmitOrder) == seconds(state, 20, START + SECOND) == []


def test_after_five_seconds_a_person_is_told_and_after_fifteen_it_is_closed():
    """At the limits, not before; a repair that hangs is not repeated meanwhile (I4)."""
    state = holding("AAPL")
    step(state, START, quote("AAPL", 199.0))
    step(state, START, OrderCancelled(stop_of("AAPL")))

    told = seconds(state, 16)

    assert [(second, type(command).__name__) for second, command in told] == [
        (1, "SubmitOrder"),
        (5, "RaiseAlert"),
        (15, "AmendOrder"),
    ]
    assert told[2][1].order == target_of("AAPL")
    assert told[2][1].reason == "unprotected for 15 s"


def test_a_second_time_unprotected_is_told_again():
    """Each time is a matter of its own."""
    state = holding("AAPL")
    alerts = []
    for round_ in range(2):
        start = START + round_ * 60 * SECOND
        step(state, start, OrderWorking(stop_of("AAPL"), D(6)))
        alerts += [
            command.key
            for _, command in seconds(state, 6, start)
            if isinstance(command, RaiseAlert) and not command.repeat
        ]
        step(state, start + 7 * SECOND, OrderWorking(stop_of("AAPL"), D(10)))

    assert len(set(alerts)) == len(alerts) == 2


@pytest.mark.parametrize("answer", ["rejected", "dropped"])
def test_a_repair_that_does_not_arrive_is_tried_three_times_one_that_is_refused_twice_and_never_in_a_storm(answer):
    """Five seconds lie between two; then the close comes instead."""
    state = holding("AAPL")
    state.positions["AAPL"].risk = D(0)
    step(state, START, OrderCancelled(stop_of("AAPL")))
    sent = []
    for second in range(1, 60):
        now = START + second * SECOND
        for command in of_kind(step(state, now, Tick()), SubmitOrder):
            if command.leg is Leg.STOP:
                sent.append(second)
            step(
                state,
                now,
                OrderRejected(command.order, "no")
                if answer == "rejected"
                else CommandDropped(1, 0, command.order, "not connected"),
            )

    assert sent == ([1, 6] if answer == "rejected" else [1, 6, 11])


def test_no_stop_is_sent_over_a_link_whose_books_are_unread():
    """The old one may be working there (I25)."""
    state = holding("AAPL")
    step(state, START, OrderCancelled(stop_of("AAPL")))
    step(state, START, BrokerDown("paper", "cut"))

    told = seconds(state, 30)

    assert [type(command) for _, command in told] == [RaiseAlert]


def test_where_a_lost_stop_belongs():
    """Where it last stood; else one R from the average on the tick; nowhere if neither is known."""
    state = holding("AAPL")
    held = state.positions["AAPL"]
    stood = repair_level(state, held)
    held.stop_order = ""
    held.average = D("200.003")
    by_risk = repair_level(state, held)
    held.quantity = D(-10)
    short = repair_level(state, held)
    held.risk = D(0)

    assert (stood, by_risk, short) == (D("196.00"), D("196.00"), D("204.01"))
    assert repair_level(state, held) is None


def test_a_stop_that_is_too_small_grows_only_when_a_whole_read_agrees():
    """News that are late may not change what protects: the broker's book has to show the same position."""
    state = holding("AAPL")
    step(state, START, OrderWorking(stop_of("AAPL"), D(6)))
    names = (stop_of("AAPL"), target_of("AAPL"))
    other = agreeing(state, *names, at=START + SECOND, quantity="16")
    early = agreeing(state, *names, at=START)

    by_itself = [command for _, command in seconds(state, 4) if not isinstance(command, RaiseAlert)]
    late = of_kind(step(state, START + 4 * SECOND, early), AmendOrder)
    different = of_kind(step(state, START + 4 * SECOND, other), AmendOrder)
    state.external = {}
    agreed = step(state, START + 5 * SECOND, agreeing(state, *names, at=START + 4 * SECOND + 1))

    assert (by_itself, late, different) == ([], [], [])
    assert of_kind(agreed, AmendOrder) == [AmendOrder(stop_of("AAPL"), quantity=D(10), reason="resize")]
    assert state.positions["AAPL"].closing == ""


def test_exits_that_could_close_more_than_is_held_shrink():
    """Six held, ten under stop and target: both are cut to six, counted with what they have filled."""
    state = holding("AAPL")
    submitted(state, bracket("AAPL", tag="2"))
    step(state, START, fill("AAPL2-t", "4", "220", side=Side.SELL, execution="old"))
    step(state, START, OrderCancelled("AAPL2-e"))
    step(state, START, OrderCancelled("AAPL2-s"))
    step(state, START, OrderCancelled("AAPL2-t"))
    names = (stop_of("AAPL"), target_of("AAPL"))

    commands = step(state, START + SECOND, agreeing(state, *names, at=START + SECOND, quantity="6"))

    assert of_kind(commands, AmendOrder) == [AmendOrder(name, quantity=D(6), reason="resize") for name in names]


def test_an_exit_that_works_for_more_than_its_group_holds_shrinks_at_the_very_word():
    """An amendment that crossed the target's fill brought ten back: cut to six at once, and once a second at most."""
    state = holding("AAPL")
    step(state, START, fill(target_of("AAPL"), "4", "220", side=Side.SELL, execution="t"))
    name = stop_of("AAPL")

    known = step(state, START, OrderWorking(name, D(6), D(198)))
    restored = step(state, START, OrderWorking(name, D(10), D(198)))
    stubborn = step(state, START + SECOND - 1, OrderWorking(name, D(10), D(198)))
    later = step(state, START + SECOND, OrderWorking(name, D(10), D(198)))

    assert of_kind(known + stubborn, AmendOrder) == []
    assert of_kind(restored, AmendOrder) == [AmendOrder(name, quantity=D(6), reason="resize")]
    assert of_kind(later, AmendOrder) == [AmendOrder(name, quantity=D(6), reason="resize")]


def test_an_exit_is_left_alone_while_fills_of_its_entry_may_still_be_heard():
    """An entry that works, or was cancelled in part: what the stop grew by may be a fill on its way to us."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    step(state, START, fill("AAPL-e", "4", "200"))

    working = step(state, START, OrderWorking("AAPL-s", D(7)))
    step(state, START, OrderCancelled("AAPL-e"))
    ended = step(state, START, OrderWorking("AAPL-s", D(7)))

    assert of_kind(working + ended, AmendOrder) == []


def test_a_target_of_a_closed_position_is_cancelled_once_both_books_said_flat_twice():
    """An exit that guards nothing would open a position; until two whole reads agree it is left alone (F68)."""
    state = holding("AAPL")
    step(state, START, fill(stop_of("AAPL"), "10", "196", side=Side.SELL, execution="s"))

    waiting = seconds(state, 30)
    now = START + 31 * SECOND
    once = step(state, now, agreeing(state, target_of("AAPL"), at=now, quantity="0"))
    commands = step(state, now + 1, agreeing(state, target_of("AAPL"), at=now + 1, quantity="0"))

    assert (waiting, once) == ([], [])
    assert of_kind(commands, CancelOrder) == [CancelOrder(target_of("AAPL"), "it guards nothing any more")]


def test_a_stale_exit_of_an_older_group_goes_and_the_present_stop_stays():
    """The present position's own stop is never the one that is cut."""
    state = holding("AAPL")
    step(state, START, fill(target_of("AAPL"), "10", "220", side=Side.SELL, execution="t"))
    submitted(state, bracket("AAPL", tag="2"))
    step(state, START, fill("AAPL2-e", "10", "200", execution="x2"))
    for leg in "st":
        step(state, START, OrderWorking(f"AAPL2-{leg}", D(10)))
    names = (stop_of("AAPL"), "AAPL2-s", "AAPL2-t")

    once = step(state, START + SECOND, agreeing(state, *names, at=START + SECOND))
    commands = step(state, START + 2 * SECOND, agreeing(state, *names, at=START + 2 * SECOND))

    assert of_kind(once, CancelOrder) == []
    assert of_kind(commands, CancelOrder | AmendOrder) == [CancelOrder(stop_of("AAPL"), "it guards nothing any more")]


def test_while_an_entry_still_works_nothing_is_cut():
    """It may fill the very next moment."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    step(state, START, fill("AAPL-e", "4", "200"))
    for leg in "st":
        step(state, START, OrderWorking(f"AAPL-{leg}", D(10)))

    read = agreeing(state, "AAPL-e", "AAPL-s", "AAPL-t", at=START + SECOND, quantity="4")

    assert of_kind(step(state, START + SECOND, read), AmendOrder | CancelOrder) == []


def test_a_turned_position_is_closed_and_gets_no_stop_beside_the_close():
    """Ten short by accident: bought back once the broker's book has shown them; a stop beside could turn it again."""
    state = holding("AAPL")
    step(state, START, fill(stop_of("AAPL"), "10", "196", side=Side.SELL, execution="s"))
    step(state, START, fill(target_of("AAPL"), "10", "220", side=Side.SELL, execution="t"))

    early = [command for _, command in seconds(state, 2) if isinstance(command, SubmitOrder)]
    assert early == []  # not before the broker's whole book has shown the ten: they may be a lost message
    state.brokers["paper"].read_from_ns = START + SECOND
    sent = of_kind(step(state, START + 2 * SECOND, Tick()), SubmitOrder)
    later = [command for _, command in seconds(state, 4) if isinstance(command, SubmitOrder)]

    assert early == []  # they may be a lost message that lets us believe in them
    assert [(one.leg, one.side, one.quantity, one.group) for one in sent] == [(Leg.CLOSE, Side.BUY, 10, "")]
    assert later == []


def test_a_late_bust_of_such_a_close_is_seen_as_ours():
    """It counted in the group that it took back, so its end opens that group again, also beside a newer trade."""
    state = holding("AAPL")
    step(state, START, fill(stop_of("AAPL"), "10", "196", side=Side.SELL, execution="s"))
    step(state, START, fill(target_of("AAPL"), "10", "220", side=Side.SELL, execution="t"))
    state.brokers["paper"].read_from_ns = START + SECOND
    [close] = of_kind(step(state, START + 2 * SECOND, Tick()), SubmitOrder)
    step(state, START + 2 * SECOND, fill(close.order, "10", "200", execution="b"))
    submitted(state, bracket("AAPL", tag="1"), START + 3 * SECOND)
    step(state, START + 3 * SECOND, fill("AAPL1-e", "7", "200", execution="n"))

    step(state, START + 4 * SECOND, fill(close.order, "0", "200", execution="b", revision=1))

    assert state.positions["AAPL"].quantity == -3


def test_a_late_bust_of_a_close_opens_all_that_was_flat_by_it():
    """It took back one group's excess beside what another held: fourteen long and thirty-nine bought back are 53."""
    state = holding("AAPL", quantity="53")
    step(state, START, fill(target_of("AAPL"), "53", "220", side=Side.SELL, execution="t"))
    submitted(state, bracket("AAPL", tag="2", quantity="14"))
    step(state, START, fill("AAPL2-e", "14", "200", execution="e2"))
    for leg in "st":
        step(state, START, OrderWorking(f"AAPL2-{leg}", D(14)))
    step(state, START, fill("AAPL-e", "0", "200", execution="x-AAPL", revision=1))
    step(state, START, OrderCancelled("AAPL-e"))
    assert state.positions["AAPL"].quantity == -39
    state.brokers["paper"].read_from_ns = START + SECOND
    [close] = [one for one in of_kind(step(state, START + 2 * SECOND, Tick()), SubmitOrder) if one.leg is Leg.CLOSE]
    step(state, START + 2 * SECOND, fill(close.order, "39", "200", execution="c"))
    assert state.positions["AAPL"].quantity == 0
    gained = state.day.realised
    submitted(state, bracket("AAPL", tag="3", quantity="5"), START + 3 * SECOND)
    step(state, START + 3 * SECOND, fill("AAPL3-e", "5", "200", execution="e3"))

    step(state, START + 4 * SECOND, fill(close.order, "0", "200", execution="c", revision=1))

    position = state.positions["AAPL"]
    assert position.quantity == 5 - 39
    assert set(position.groups) == {"AAPL3-e", "AAPL-e", "AAPL2-e"}
    step(state, START + 5 * SECOND, fill(close.order, "39", "200", execution="c", revision=2))
    assert state.positions["AAPL"].quantity == 5
    assert state.day.realised == gained


def test_a_turned_position_that_is_not_to_be_closed_gets_a_stop_of_its_own_and_keeps_it():
    """Ten short by accident: a buy stop outside the group, which the next agreeing read leaves in place."""
    state = holding("AAPL", protection=Protection(close_unprotected=False))
    step(state, START, fill(stop_of("AAPL"), "10", "196", side=Side.SELL, execution="s"))
    step(state, START, fill(target_of("AAPL"), "10", "220", side=Side.SELL, execution="t"))
    seconds(state, 1)
    state.brokers["paper"].read_from_ns = START + SECOND

    step(state, START + 2 * SECOND, Tick())
    [command] = [row for row in state.orders.values() if row.group == ""]
    step(state, START + 2 * SECOND, OrderWorking(command.order, D(10), command.terms))
    read = agreeing(state, command.order, at=START + 3 * SECOND, quantity="-10")
    after = step(state, START + 3 * SECOND, read)

    assert (command.side, command.quantity, command.terms) == (Side.BUY, 10, D(212))
    assert of_kind(after, CancelOrder | AmendOrder) == []
    assert state.positions["AAPL"].unprotected_ns == 0


def test_a_group_that_came_late_gets_the_stop_that_it_lacks():
    """Four filled after their bracket was gone: a stop for four, in their own group."""
    state = trading_state()
    submitted(state, bracket("AAPL", tag="1"))
    for leg in "est":
        step(state, START, OrderCancelled(f"AAPL1-{leg}"))
    holding("AAPL", state=state)
    step(state, START, fill("AAPL1-e", "4", "200", execution="late"))

    sent = [command for _, command in seconds(state, 2) if isinstance(command, SubmitOrder)]

    assert [(one.leg, one.quantity, one.group) for one in sent] == [(Leg.STOP, 4, "AAPL1-e")]
    step(state, START + 2 * SECOND, OrderWorking(sent[0].order, D(4), sent[0].level))
    assert protected(state, state.positions["AAPL"]) == 14


def test_an_unprotected_position_is_known_again_after_a_restart():
    """Since when is part of State, so that the limits do not begin anew."""
    state = holding("AAPL")
    refold(state, START, OrderCancelled(stop_of("AAPL")), [])

    assert state.positions["AAPL"].unprotected_ns == START


def test_a_stop_that_is_refused_is_placed_once_more_and_then_the_position_is_closed():
    """F67: a broker that refuses two stops will refuse a third; nobody waits for the fifteenth second."""
    state = holding("AAPL")
    step(state, START, OrderRejected(stop_of("AAPL"), "price", "too near"))

    replaced = [(second, one) for second, one in seconds(state, 2) if isinstance(one, SubmitOrder)]
    step(state, START + 2 * SECOND, OrderRejected(replaced[0][1].order, "price", "too near"))
    closed = of_kind(step(state, START + 3 * SECOND, Tick()), AmendOrder)

    assert [(second, one.leg) for second, one in replaced] == [(1, Leg.STOP)]
    assert [(one.order, one.reason) for one in closed] == [(target_of("AAPL"), "its stop is refused")]


@pytest.mark.parametrize("refused", [False, True])
def test_a_policy_of_alerts_alone_closes_nothing_that_lacks_its_stop(refused):
    """It leaves it to the person who hears the alert; the repair goes on."""
    state = holding("AAPL", protection=Protection(close_unprotected=False))
    step(state, START, OrderRejected(stop_of("AAPL"), "price", "no"))
    told = seconds(state, 2)
    if refused:
        step(state, START, OrderRejected(of_kind([one for _, one in told], SubmitOrder)[0].order, "price", "no"))

    told += seconds(state, 60, START + 2 * SECOND)

    assert {one.leg for _, one in told if isinstance(one, SubmitOrder)} == {Leg.STOP}
    assert any(isinstance(one, RaiseAlert) and one.key.startswith("unprotected") for _, one in told)


def test_a_stop_whose_fill_was_busted_protects_only_once_the_broker_shows_it_working():
    """The position is back, its stop is most likely not: a person hears of it in time though no read comes."""
    state = holding("AAPL")
    step(state, START, fill(stop_of("AAPL"), "10", "196", side=Side.SELL, execution="s"))

    step(state, START + SECOND, fill(stop_of("AAPL"), "0", "196", side=Side.SELL, execution="s", revision=1))
    bare = state.positions["AAPL"].unprotected_ns
    told = [one for _, one in seconds(state, 5, START + SECOND) if isinstance(one, RaiseAlert)]
    step(state, START + 7 * SECOND, OrderWorking(stop_of("AAPL"), D(10), D(196)))

    assert bare == START + SECOND
    assert [one.key for one in told] == [f"unprotected:AAPL:{START + SECOND}"]
    assert state.positions["AAPL"].unprotected_ns == 0


@pytest.mark.parametrize(("quantity", "price"), [("6", "200"), ("10", "201"), ("0", "200")])
def test_a_correction_or_a_bust_replaces_is_told_and_the_stop_is_fitted_within_two_reads(quantity, price):
    """F61: the newest revision counts, once; whatever shrank takes its exits with it."""
    state = holding("AAPL")
    word = fill("AAPL-e", quantity, price, execution="x-AAPL", revision=1)

    told = step(state, START + SECOND, word)
    again = step(state, START + SECOND, word)
    deeds = []
    for second in (2, 3, 4):
        at = START + second * SECOND
        read = agreeing(state, stop_of("AAPL"), target_of("AAPL"), at=at, quantity=quantity)
        deeds += step(state, at, replace(read, ended={"AAPL-e": Status.FILLED}))

    held = D(quantity)
    assert of_kind(told, ReadBroker) == [ReadBroker("paper", "corrected:x-AAPL:1")]
    assert [one.key for one in of_kind(told, RaiseAlert)] == ["corrected:x-AAPL:1"]
    assert again == []
    assert (state.positions["AAPL"].quantity, state.positions["AAPL"].average) == (held, D(price) if held else 0)
    amended = {one.order: one.quantity for one in of_kind(deeds, AmendOrder)}
    cancelled = [one.order for one in of_kind(deeds, CancelOrder) if one.order != "AAPL-e"]
    assert amended == ({stop_of("AAPL"): held, target_of("AAPL"): held} if held == 6 else {})
    assert cancelled == ([] if held else [stop_of("AAPL"), target_of("AAPL")])


def test_a_fee_that_is_told_later_is_booked_and_alarms_nobody():
    """The same execution at the same price: a newer word that corrects nothing."""
    state = holding("AAPL")
    before = state.fees

    told = step(state, START + SECOND, fill("AAPL-e", "10", "200", execution="x-AAPL", revision=1, fee="1.25"))

    assert told == []
    assert state.fees == before + D("1.25")


@pytest.mark.parametrize(("theirs", "kept"), [("6", 6), ("0", 0), ("-5", 0)])
def test_exits_follow_what_somebody_closed_by_hand(theirs, kept):
    """F70: less, flat, turned: after two reads the stop covers what is left there, and what guards nothing goes."""
    state = holding("AAPL")
    names = (stop_of("AAPL"), target_of("AAPL"))
    early, deeds = [], []
    for second in range(1, 6):
        at = START + second * SECOND
        live = [name for name in names if state.orders[name].status is Status.WORKING]
        now = of_kind(step(state, at, agreeing(state, *live, at=at, quantity=theirs)), AmendOrder | CancelOrder)
        (early if second == 1 else deeds).extend(now)
        for one in of_kind(now, AmendOrder):
            step(state, at, OrderWorking(one.order, one.quantity))
    ticks = seconds(state, 60, START + 6 * SECOND)

    assert early == []
    assert [(one.order, one.quantity) for one in of_kind(deeds, AmendOrder)] == ([(n, kept) for n in names if kept])
    assert [one.order for one in of_kind(deeds, CancelOrder)] == ([] if kept else list(names))
    assert [one for _, one in ticks if isinstance(one, SubmitOrder)] == []
    assert state.positions["AAPL"].unprotected_ns == 0


def test_a_stop_that_filled_unheard_is_not_replaced_for_shares_that_are_gone():
    """The broker's book shows it ended and the position flat; its execution is still to come: no stop, no close."""
    state = holding("AAPL")
    read = whole_read(START + SECOND, orders=(), ended={stop_of("AAPL"): Status.FILLED}, cash=str(state.cash))

    step(state, START + SECOND, read)
    told = [one for _, one in seconds(state, 60, START + SECOND) if isinstance(one, SubmitOrder | AmendOrder)]

    assert told == []


def test_an_entry_that_ended_half_filled_has_the_book_read_at_once():
    """F66: its exits are for ten and four are held; the next agreeing read cuts them."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    step(state, START, fill("AAPL-e", "4", "200"))
    for leg in "st":
        step(state, START, OrderWorking(f"AAPL-{leg}", D(10)))

    ended = step(state, START + SECOND, OrderCancelled("AAPL-e"))
    at = START + 2 * SECOND
    deeds = step(state, at, agreeing(state, "AAPL-s", "AAPL-t", at=at, quantity="4"))

    assert ended == [ReadBroker("paper", "AAPL-e ended half filled")]
    assert [(one.order, one.quantity) for one in of_kind(deeds, AmendOrder)] == [("AAPL-s", 4), ("AAPL-t", 4)]


def test_a_position_whose_group_nobody_knows_has_the_stop_that_it_names():
    """A group may have left the ledger; what protects is still looked for by its own name."""
    state = holding("AAPL")
    position = state.positions["AAPL"]
    position.groups = ("gone",)

    assert [stop.order for stop in stops_of(state, position)] == [stop_of("AAPL")]


def test_a_target_that_is_too_small_does_not_grow():
    """It takes profit, it does not protect: only a stop is made larger."""
    state = holding("AAPL")
    step(state, START, OrderWorking(target_of("AAPL"), D(6)))
    at = START + SECOND

    commands = step(state, at, agreeing(state, stop_of("AAPL"), target_of("AAPL"), at=at))

    assert of_kind(commands, AmendOrder) == []


def test_what_a_broker_that_is_gone_denies_nobody_knows():
    """Without a word of a broker the books stand."""
    state = holding("AAPL")
    state.brokers.clear()

    assert backed(state, state.positions["AAPL"]) == 10


def test_a_stop_that_is_placed_for_a_lost_one_stands_in_the_record_as_a_repair():
    """B5: what was seen, the verdict, and the order beside it."""
    state = holding("AAPL")
    step(state, START, OrderCancelled(stop_of("AAPL")))

    commands = step(state, START + SECOND, Tick())

    judged = [(one.what, one.verdict, one.instrument, one.order) for one in of_kind(commands, JudgeBooks)]
    assert judged == [("stop_missing", Verdict.REPAIR, "AAPL", "AAPL-e")]
    assert [one.leg for one in of_kind(commands, SubmitOrder)] == [Leg.STOP]


def turned_over(side=Side.BUY):
    """Give a State in which stop and target of one group have both filled: ten against its entry."""
    state = holding("AAPL", side=side, **({} if side is Side.BUY else {"stop": "204.00", "target": "180.00"}))
    closing = Side.SELL if side is Side.BUY else Side.BUY
    step(state, START, fill(stop_of("AAPL"), "10", "196", side=closing, execution="s"))
    step(state, START, fill(target_of("AAPL"), "10", "220", side=closing, execution="t"))
    return state


@pytest.mark.parametrize(("side", "stop", "target"), [(Side.BUY, "196.00", "220.00"), (Side.SELL, "204.00", "180.00")])
def test_one_share_is_protected_and_repaired_like_many(side, stop, target):
    """Long or short: covered by its stop, bare without it from that instant, and given it back where it stood."""
    state = holding("AAPL", quantity="1", side=side, stop=stop, target=target)
    position = state.positions["AAPL"]

    assert (protected(state, position), shares(state, position)) == (1, [("AAPL-e", 1)])
    assert guards(state, state.orders[stop_of("AAPL")])
    assert repair_level(state, position) == D(stop)
    step(state, START, OrderCancelled(stop_of("AAPL")))
    assert position.unprotected_ns == START
    [(second, command)] = seconds(state, 4)
    assert (second, command.quantity, command.level) == (1, 1, D(stop))
    assert command.side is (Side.SELL if side is Side.BUY else Side.BUY)


@pytest.mark.parametrize(("risk", "level"), [("0.5", "199.50"), ("200", None), ("199.99", "0.01")])
def test_a_stop_of_one_r_lies_above_nothing(risk, level):
    """Where the old one's level is not known; a price of zero is none."""
    state = holding("AAPL")
    state.orders[stop_of("AAPL")].terms = None
    state.positions["AAPL"].risk = D(risk)

    assert repair_level(state, state.positions["AAPL"]) == (None if level is None else D(level))


def test_what_is_told_of_a_small_stop_is_what_it_lacks():
    """Six of ten are covered: four are not."""
    state = holding("AAPL")
    step(state, START, OrderWorking(stop_of("AAPL"), D(6)))

    told = [one.words for _, one in seconds(state, 5) if isinstance(one, RaiseAlert)]

    assert told == ["AAPL: 4 of 10 without a working stop"]


def test_three_repairs_that_never_arrive_are_the_last():
    """Where policy closes nothing, the broker is not stormed either."""
    state = holding("AAPL", protection=Protection(close_unprotected=False))
    step(state, START, OrderCancelled(stop_of("AAPL")))
    sent = []
    for second in range(1, 60):
        for command in of_kind(step(state, START + second * SECOND, Tick()), SubmitOrder):
            sent.append(second)
            step(state, START + second * SECOND, CommandDropped(1, 0, command.order, "not connected"))

    assert sent == [1, 6, 11]


def test_only_the_first_two_children_of_an_entry_under_way_wait_for_it():
    """A stop that was placed later works by itself or not at all; without its entry nobody waits."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    entry, stop = state.orders["AAPL-e"], state.orders["AAPL-s"]
    stop.status = Status.ACKED
    assert waits(state, stop)
    stop.status = Status.WORKING
    assert not waits(state, stop)
    stop.status = Status.ACKED
    entry.children = ("a", "b", "AAPL-s")
    assert not waits(state, stop)
    stop.group = "gone"
    assert not waits(state, stop)
    stop.group, entry.children, entry.status = "AAPL-e", ("AAPL-s",), Status.FILLED
    assert not waits(state, stop)


def test_since_when_a_stop_is_amiss_is_noted_of_one_or_of_all():
    """The one that is named, or each; and it is forgotten with the position."""
    state = holding("AAPL")
    holding("MSFT", state=state)
    for name in ("AAPL", "MSFT"):
        state.orders[stop_of(name)].status = Status.CANCELLED

    note(state, START + 1, "AAPL")
    one = [state.positions[name].unprotected_ns for name in ("AAPL", "MSFT")]
    note(state, START + 2)
    both = [state.positions[name].unprotected_ns for name in ("AAPL", "MSFT")]
    state.positions["AAPL"].quantity = D(0)
    note(state, START + 3)

    assert (one, both) == ([START + 1, 0], [START + 1, START + 2])
    assert state.positions["AAPL"].unprotected_ns == 0


def test_each_odd_fill_is_told_for_what_it_is_and_a_sound_one_not_at_all():
    """Nobody's, late, too much: each by its own name, the last with a Block that is raised once."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    submitted(state, bracket("MSFT"))
    sound = step(state, START, fill("AAPL-e", "10", "200", execution="a"))
    nobodys = step(state, START, fill("nobody", "10", "200", execution="n"))
    too_much = step(state, START, fill("AAPL-e", "2", "200", execution="b"))
    more = step(state, START, fill("AAPL-e", "1", "200", execution="c"))
    step(state, START, OrderCancelled("MSFT-e"))
    late = step(state, START, fill("MSFT-e", "4", "200", symbol="MSFT", execution="d"))

    def told(commands):
        return [one.key for one in of_kind(commands, RaiseAlert)]

    assert (told(sound), of_kind(sound, RaiseBlock)) == ([], [])
    assert told(nobodys) == ["unknown_fill:n"]
    assert told(too_much) == ["overfill:b"]
    assert [one.block.words for one in of_kind(too_much, RaiseBlock)] == ["AAPL-e filled 12 of 10"]
    assert (told(more), of_kind(more, RaiseBlock)) == ([], [])
    assert told(late) == ["late_fill:d"]


@pytest.mark.parametrize("side", list(Side))
def test_a_group_is_turned_once_its_exits_closed_more_than_its_ended_entry_opened(side):
    """Flat is not turned; an entry that is gone, that lives, or that is none says nothing."""
    state = turned_over(side)
    stop, entry, position = state.orders[stop_of("AAPL")], state.orders["AAPL-e"], state.positions["AAPL"]

    assert flipped(state, stop) == turned(state, position)
    assert flipped(state, stop) == "the exits of AAPL-e closed 10 AAPL more than it had opened"
    state.orders["AAPL-t"].filled = D(0)
    assert (flipped(state, stop), turned(state, position)) == ("", "")
    state.orders["AAPL-t"].filled = D(1)
    assert flipped(state, stop)
    assert turned(state, position)
    entry.status = Status.PARTIAL
    assert flipped(state, stop) == ""
    entry.status, entry.opens = Status.FILLED, False
    assert flipped(state, stop) == ""
    stop.group = "gone"
    assert flipped(state, stop) == ""


def test_a_position_of_two_groups_is_turned_if_one_of_them_is():
    """The other one's entry explains only its own."""
    state = turned_over()
    position = state.positions["AAPL"]
    position.groups = ("gone", "AAPL-e")

    assert turned(state, position)


def test_two_stops_refused_are_hopeless_a_stop_and_a_target_are_not():
    """Only what would protect counts."""
    state = holding("AAPL")
    position = state.positions["AAPL"]
    for name in (stop_of("AAPL"), target_of("AAPL")):
        state.orders[name].status = Status.REJECTED
    one = hopeless(state, position)
    state.orders[target_of("AAPL")].leg = Leg.STOP

    assert (one, hopeless(state, position)) == (False, True)


def test_a_position_is_closed_and_not_mended_while_its_close_lives_or_once_it_is_late():
    """At the limit, not before; a target that was moved to close it is no reason to leave it bare."""
    state = holding("AAPL")
    position, limit_ns = state.positions["AAPL"], 15 * SECOND
    target = state.orders[target_of("AAPL")]

    assert [to_close(state, position, age) for age in (0, limit_ns - 1, limit_ns)] == [False, False, True]
    position.closing = target.order
    assert not to_close(state, position, 0)
    target.leg = Leg.CLOSE
    assert to_close(state, position, 0)
    target.status = Status.CANCELLED
    assert not to_close(state, position, 0)


def test_each_group_of_a_position_has_its_share():
    """What holds nothing has none; what no group explains has a share of its own, by size."""
    state = holding("AAPL")
    submitted(state, bracket("AAPL", tag="2"))
    step(state, START, fill("AAPL2-e", "4", "200", execution="x2"))
    submitted(state, bracket("AAPL", tag="3"))
    position = state.positions["AAPL"]
    position.groups = ("AAPL-e", "AAPL2-e", "AAPL3-e", "gone")

    assert shares(state, position) == [("AAPL-e", 10), ("AAPL2-e", 4)]
    position.groups = ("gone",)
    assert shares(state, position) == [("", 14)]


def test_an_exit_is_spare_only_where_book_and_books_say_so_in_a_row():
    """Neither half a read, nor one over an older link, nor one with the entry still open, nor one too early counts."""
    state = holding("AAPL")
    step(state, START, fill(stop_of("AAPL"), "10", "196", side=Side.SELL, execution="s"))
    target = state.orders[target_of("AAPL")]
    read = agreeing(state, target_of("AAPL"), at=START + SECOND, quantity="0")
    counted = []

    def hear(**changes):
        note_spare(state, replace(read, **changes))
        counted.append(target.spare_reads)

    for _ in range(2):
        hear()
    hear(complete=False)
    hear(connection=7)
    hear(from_ns=START - 1)
    hear()
    hear(orders=(*read.orders, replace(read.orders[0], order="AAPL-e")))
    hear(orders=(*read.orders, replace(read.orders[0], order="AAPL-e", status=Status.FILLED)))
    target.broker = "other"
    hear()
    target.broker, target.status = "paper", Status.CANCEL_ASKED
    hear()
    target.status = Status.WORKING
    state.positions["AAPL"].quantity = D(10)
    hear()

    assert counted == [1, 2, 2, 2, 0, 1, 0, 1, 1, 1, 0]
    entry = state.orders["AAPL-e"]
    entry.status = Status.WORKING
    note_spare(state, read)
    assert entry.spare_reads == 0


def test_what_guards_is_on_the_right_side_of_something_held():
    """Not without a position, not where the broker's book denies it all."""
    state = holding("AAPL")
    stop, position = state.orders[stop_of("AAPL")], state.positions["AAPL"]

    assert guards(state, stop)
    state.brokers["paper"].suspected = {"AAPL": D(-10)}
    assert not guards(state, stop)
    state.brokers["paper"].suspected = {}
    position.quantity = D(-10)
    assert not guards(state, stop)
    position.quantity = D(0)
    assert not guards(state, stop)
    stop.group = ""
    del state.positions["AAPL"]
    assert not guards(state, stop)


def test_two_stops_share_what_is_held_in_the_order_in_which_they_came():
    """Six guard six, four are left for the second; one that has a twin is left alone."""
    state = holding("AAPL")
    step(state, START, OrderWorking(stop_of("AAPL"), D(6)))
    stop = state.orders[stop_of("AAPL")]
    state.orders["extra"] = replace(stop, order="extra", group="", quantity=D(10), terms=D(195))
    names = (stop_of("AAPL"), target_of("AAPL"), "extra")

    commands = step(state, START + SECOND, agreeing(state, *names, at=START + SECOND))

    assert AmendOrder("extra", quantity=D(4), reason="resize") in commands
    assert [one.what for one in of_kind(commands, JudgeBooks)].count("exit_misfit") >= 1


@pytest.mark.parametrize(
    ("of", "changes"),
    [
        ("exit", {"twin": "b2"}),
        ("exit", {"leg": Leg.CLOSE}),
        ("exit", {"opens": True}),
        ("exit", {"status": Status.CANCEL_ASKED}),
        ("exit", {"group": "gone"}),
        ("exit", {"quantity": D(6)}),
        ("entry", {"late": "x"}),
        ("entry", {"opens": False}),
        ("entry", {"status": Status.CANCELLED}),
        ("target", {"filled": D(10)}),
    ],
)
def test_an_exit_is_cut_back_at_once_only_where_nothing_else_explains_it(of, changes):
    """Its group holds six, it works for ten: cut. No twin, no close, and not where the entry may have filled more."""
    state = holding("AAPL")
    orders = {"exit": state.orders["AAPL-s"], "entry": state.orders["AAPL-e"], "target": state.orders["AAPL-t"]}
    orders["target"].filled = D(4)
    heard = OrderWorking("AAPL-s", D(10), D(196))
    cut, left = [], []

    refit(state, START, heard, cut)
    for name, value in changes.items():
        setattr(orders[of], name, value)
    refit(state, START, heard, left)
    refit(state, START, OrderWorking("nobody", D(10)), left)

    assert [type(one) for one in cut] == [JudgeBooks, AmendOrder]
    assert cut[1] == AmendOrder("AAPL-s", quantity=D(6), reason="resize")
    assert left == []


def test_an_exit_is_cut_back_to_one_share_too():
    """Nine of ten are gone: one is still held."""
    state = holding("AAPL")
    state.orders["AAPL-t"].filled = D(9)
    cut = []

    refit(state, START, OrderWorking("AAPL-s", D(10)), cut)

    assert of_kind(cut, AmendOrder) == [AmendOrder("AAPL-s", quantity=D(1), reason="resize")]
