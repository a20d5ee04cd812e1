"""The life of an order: changed only by the table, ended once."""

from itertools import product

import pytest
from msgspec.structs import replace

from joed.engine.life import AFTER_FILL, EXISTS, NEXT, OUTCOMES
from joed.engine.orders import reserved, resting
from joed.engine.step import refold, step
from joed.engine.verdicts import LATE
from joed.model.commands import CancelOrder, JudgeBooks, RaiseAlert, ReadBroker, RetireOrder
from joed.model.events import (
    AmendRejected,
    BrokerDown,
    CancelRejected,
    CommandDropped,
    CommandSent,
    EpochStarted,
    OrderAccepted,
    OrderCancelled,
    OrderDoubted,
    OrderExpired,
    OrderRejected,
    OrderWorking,
    Tick,
)
from joed.model.values import SECOND, Outcome, Side, Status
from tests.engine.build import START, D, bracket, fill, holding, submitted, trading_state, whole_read

NAMED = {(Status.ABSENT_PROVEN, OrderAccepted), (Status.ABSENT_PROVEN, OrderWorking)}
"""The only words that bring an ended order back: late adoption."""

WORDS = {
    OrderAccepted: OrderAccepted("AAPL-e", "77"),
    OrderWorking: OrderWorking("AAPL-e", D(10)),
    OrderCancelled: OrderCancelled("AAPL-e"),
    OrderExpired: OrderExpired("AAPL-e"),
    OrderRejected: OrderRejected("AAPL-e", "margin"),
    OrderDoubted: OrderDoubted("AAPL-e", "no answer"),
    CancelRejected: CancelRejected("AAPL-e"),
    AmendRejected: AmendRejected("AAPL-e"),
    CommandSent: CommandSent(1, 0, "AAPL-e"),
    CommandDropped: CommandDropped(1, 0, "AAPL-e", "blocked"),
}


def statuses(state, *orders):
    """Give where orders stand."""
    return [state.orders[order].status for order in orders]


def test_the_table_lets_no_ended_order_live_again_but_by_late_adoption():
    """A terminal state never leaves, except where the broker proves that what never was is there (I11)."""
    back = {(status, word) for (status, word), after in NEXT.items() if status.ended and not after.ended}

    assert back == NAMED
    assert {status for status, _ in NEXT if status.ended} == {Status.ABSENT_PROVEN}


def test_every_live_status_can_be_ended_by_the_brokers_word():
    """Nothing waits for a word that the table does not know."""
    live = [status for status in Status if not status.ended and status is not Status.PLANNED]

    for status, word in product(live, (OrderCancelled, OrderExpired, OrderRejected)):
        assert NEXT[status, word].ended, (status, word)


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PLANNED])
@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.__name__)
def test_a_word_moves_an_order_by_the_table_and_not_otherwise(status, word):
    """A pair that is not in the table changes nothing: the answer came twice, or late."""
    state = trading_state()
    refold(state, START, Tick(), [bracket("AAPL")])
    state.orders["AAPL-e"].status = status

    step(state, START + 1, WORDS[word])

    assert state.orders["AAPL-e"].status is NEXT.get((status, word), status)


@pytest.mark.parametrize("status", AFTER_FILL)
@pytest.mark.parametrize("quantity", ["10", "4"])
def test_a_fill_moves_an_order_by_its_table_whatever_came_before(status, quantity):
    """Ended or not: what the broker executed is booked; only a late adoption or a bust lets an ended order live."""
    state = trading_state()
    refold(state, START, Tick(), [bracket("AAPL")])
    state.orders["AAPL-e"].status = status

    step(state, START + 1, fill("AAPL-e", quantity, "200"))

    assert state.orders["AAPL-e"].status is AFTER_FILL[status][quantity != "10"]
    assert state.positions["AAPL"].quantity == D(quantity)
    assert ("AAPL-e" in state.resting) is state.orders["AAPL-e"].live


def test_every_status_of_the_ledger_has_a_row_for_fills():
    """PLANNED is none of the ledger's: what is decided is durable or nothing."""
    assert set(AFTER_FILL) == set(Status) - {Status.PLANNED}


def test_the_four_outcomes_are_told_by_four_words():
    """Closed: an adapter cannot invent a fifth, and each moves an order that was sent, or proves that it was not."""
    assert set(OUTCOMES) == set(Outcome)
    moved = {outcome: NEXT[Status.ARMED, word] for outcome, word in OUTCOMES.items()}
    assert moved == {
        Outcome.NOT_SENT: Status.ABSENT_PROVEN,
        Outcome.REFUSED: Status.REJECTED,
        Outcome.ACCEPTED: Status.ACKED,
        Outcome.AMBIGUOUS: Status.UNCERTAIN,
    }


def test_a_doubted_order_keeps_its_risk_and_the_broker_is_asked_at_once():
    """A time-out is no answer (I15): the bracket is in doubt whole, its notional stays reserved."""
    state = trading_state()
    refold(state, START, Tick(), [bracket("AAPL")])
    step(state, START, CommandSent(state.seq, 0, "AAPL-e"))

    commands = step(state, START + 1, OrderDoubted("AAPL-e", "timed out"))

    assert commands == [ReadBroker("paper", "AAPL-e: timed out")]
    assert statuses(state, "AAPL-e", "AAPL-s", "AAPL-t") == [Status.UNCERTAIN] * 3
    assert reserved(state) == D(2000)


def test_an_order_that_could_be_several_waits_for_a_person_and_for_no_absence():
    """QUARANTINED: named to a person, never retired by reads that lack it, ended by the broker's own word (F77)."""
    state = trading_state()
    refold(state, START, Tick(), [bracket("AAPL")])
    step(state, START, CommandSent(state.seq, 0, "AAPL-e"))

    told = step(state, START + 1, OrderDoubted("AAPL-e", "two deals", ("d1", "d2")))
    reads = [step(state, at, whole_read(at, cash="100000")) for at in range(START + 2, START + 30 * SECOND, 5 * SECOND)]
    quarantined = statuses(state, "AAPL-e", "AAPL-s", "AAPL-t")
    candidates = state.orders["AAPL-e"].candidates
    step(state, START + 31 * SECOND, OrderAccepted("AAPL-e", "d1"))

    assert [type(command) for command in told] == [ReadBroker, RaiseAlert]
    assert "joectl resolve" in told[1].words
    assert (quarantined, candidates) == ([Status.QUARANTINED] * 3, ("d1", "d2"))
    assert not any(isinstance(command, RetireOrder) for commands in reads for command in commands)
    assert (state.orders["AAPL-e"].status, state.orders["AAPL-e"].candidates) == (Status.ACKED, ())


def test_what_was_sent_over_a_link_that_broke_unanswered_is_in_doubt():
    """No later link brings that answer; what was answered stays as it was."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    refold(state, START, Tick(), [bracket("MSFT")])
    step(state, START, CommandSent(state.seq, 0, "MSFT-e"))

    step(state, START + 1, BrokerDown("paper", "cut"))

    assert statuses(state, "AAPL-e", "MSFT-e", "MSFT-s") == [Status.WORKING, Status.UNCERTAIN, Status.UNCERTAIN]


@pytest.mark.parametrize(
    "word", [OrderAccepted("AAPL-e", "7"), OrderWorking("AAPL-e", D(10)), fill("AAPL-e", "4", "200")]
)
def test_an_order_given_up_that_shows_itself_is_adopted_and_told(word):
    """LATE_ADOPTED (F78): its risk counts again at once, the verdict and an alert stand in the record."""
    state = trading_state()
    refold(state, START, Tick(), [bracket("AAPL")])
    for order in state.orders.values():
        order.status = Status.ABSENT_PROVEN
    state.resting.clear()

    told = step(state, START + 1, word)
    quiet = step(state, START + 2, OrderWorking("AAPL-e", D(6)))

    assert [(type(one), getattr(one, "what", "")) for one in told[:2]] == [(JudgeBooks, LATE), (RaiseAlert, "")]
    assert list(state.resting) == ["AAPL-e"]
    assert [one for one in quiet if isinstance(one, JudgeBooks)] == []


def test_a_word_on_an_order_that_nobody_knows_changes_nothing():
    """Another client's order is not ours to follow."""
    state = trading_state()

    for word in WORDS.values():
        step(state, START, replace(word, order="manual"))

    assert (state.orders, state.resting, state.rejects) == ({}, {}, {})


def test_the_children_share_what_only_the_parent_is_told():
    """Sent, dropped and refused concern the whole bracket; an acknowledgement each leg for itself."""
    for word, expected in (
        (CommandSent(1, 0, "AAPL-e"), Status.SENT),
        (CommandDropped(1, 0, "AAPL-e", "blocked"), Status.ABSENT_PROVEN),
        (OrderRejected("AAPL-e", "margin"), Status.REJECTED),
        (OrderAccepted("AAPL-e", "1"), Status.ARMED),
    ):
        state = trading_state()
        refold(state, START, Tick(), [bracket("AAPL")])

        step(state, START, word)

        assert statuses(state, "AAPL-s", "AAPL-t") == [expected] * 2


def test_a_bracket_refused_leg_by_leg_counts_once():
    """One refusal of one intent, though the broker says it three times."""
    state = trading_state()
    refold(state, START, Tick(), [bracket("AAPL")])

    told = [step(state, START, OrderRejected(f"AAPL-{leg}", "margin", "no")) for leg in "estse"]

    assert state.rejects == {"AAPL": 1}
    assert [len(commands) for commands in told] == [1, 0, 0, 0, 0]


def test_a_refusal_because_the_id_exists_proves_that_the_order_does():
    """A duplicate is no rejection (reliability B7): the order may live, so its risk stays and a read must tell."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    refold(state, START, Tick(), [bracket("MSFT")])

    step(state, START, OrderRejected("AAPL-e", EXISTS))
    step(state, START, OrderRejected("MSFT-e", EXISTS))

    assert statuses(state, "AAPL-e", "MSFT-e", "MSFT-s") == [Status.WORKING, Status.UNCERTAIN, Status.ARMED]
    assert state.rejects == {}


def test_a_command_dropped_after_its_cancel_was_asked_never_left():
    """Killed while it waited for its record: proven, for the children too."""
    state = trading_state()
    refold(state, START, Tick(), [bracket("AAPL"), CancelOrder("AAPL-e", "killed")])

    step(state, START, CommandDropped(state.seq, 0, "AAPL-e", "killed"))

    assert statuses(state, "AAPL-e", "AAPL-s", "AAPL-t") == [Status.ABSENT_PROVEN] * 3
    assert resting(state) == []


def test_a_new_process_doubts_what_was_under_way_and_nothing_else():
    """Armed, sent, acknowledged, cancel asked: maybe. Working and ended: as they were."""
    state = trading_state()
    for name in ("AAPL", "MSFT", "KO"):
        refold(state, START, Tick(), [bracket(name)])
    for order, status in zip(state.orders, [*list(Status)[1:7], Status.FILLED, Status.CANCELLED], strict=False):
        state.orders[order].status = status
    before = {name: order.status for name, order in state.orders.items()}

    step(state, START + 1, EpochStarted(2, "crash", "0", "code"))

    doubted = {Status.ARMED, Status.SENT, Status.ACKED, Status.CANCEL_ASKED}
    for name, status in before.items():
        assert state.orders[name].status is (Status.UNCERTAIN if status in doubted else status)


def test_an_entrys_quantity_is_what_was_asked_whatever_a_late_word_says():
    """A repeated "working, 10 left" after 6 have filled would reserve 16 otherwise."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    step(state, START, fill("AAPL-e", "6", "200"))

    step(state, START, OrderWorking("AAPL-e", D(10)))

    assert (state.orders["AAPL-e"].quantity, state.orders["AAPL-e"].left) == (10, 4)
    assert reserved(state) == D(800)


def test_a_late_word_on_an_ended_order_changes_none_of_its_terms():
    """What is over does not grow again."""
    state = holding("AAPL")
    step(state, START, fill("AAPL-s", "10", "196", side=Side.SELL, execution="x9"))

    step(state, START, OrderWorking("AAPL-s", D(10), D("190")))

    assert (state.orders["AAPL-s"].status, state.orders["AAPL-s"].left) == (Status.FILLED, 0)
    assert state.orders["AAPL-s"].terms == D("196.00")


def test_a_refused_parent_leaves_an_exit_that_has_ended_as_it_ended():
    """What is told to all legs concerns those that live."""
    state = trading_state()
    refold(state, START, Tick(), [bracket("AAPL")])
    step(state, START, OrderCancelled("AAPL-s"))

    step(state, START, OrderRejected("AAPL-e", "margin"))

    assert statuses(state, "AAPL-e", "AAPL-s", "AAPL-t") == [Status.REJECTED, Status.CANCELLED, Status.REJECTED]
