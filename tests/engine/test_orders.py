"""The life of an order: one door, one table, and nothing forgotten."""

from itertools import product

import pytest
from msgspec.structs import replace

from joed.engine.orders import (
    EXISTS,
    NEXT,
    cancel_entries,
    children_of,
    leg_of,
    listens,
    order_id,
    ours,
    reserved,
    resting,
)
from joed.engine.step import refold, step
from joed.model.commands import CancelOrder, MarkUncertain, OpenSession, RetireOrder, SubmitOrder
from joed.model.events import (
    AmendRejected,
    BrokerDown,
    CancelRejected,
    CommandDropped,
    CommandSent,
    EpochStarted,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderRejected,
    OrderWorking,
    StopAsked,
    Tick,
)
from joed.model.settings import Settings
from joed.model.state import State
from joed.model.values import SECOND, Kind, Leg, Scope, Side, Status, Tif
from tests.engine.build import (
    CLOSE,
    OPEN,
    SESSION,
    START,
    D,
    armed,
    bracket,
    fill,
    holding,
    of_kind,
    quote,
    submitted,
    trading_state,
    trigger,
)

TIMEOUT_NS = 30 * SECOND
NAMED = {(Status.ABSENT_PROVEN, OrderAccepted), (Status.ABSENT_PROVEN, OrderWorking)}
"""The only words that bring an ended order back: late adoption."""


def statuses(state, *orders):
    """Give where orders stand."""
    return [state.orders[order].status for order in orders]


def test_a_trigger_becomes_one_bracket_with_limits_on_every_side():
    """A limit entry a little through the market, stop and target in the same command, gone after the fill time-out."""
    state = armed(trigger())

    commands = step(state, START, quote("AAPL", 199.98, 200.0))

    seq = state.seq
    ids = {leg: order_id(state, 0, leg) for leg in (Leg.ENTRY, Leg.STOP, Leg.TARGET)}
    assert commands == [
        SubmitOrder(
            ids[Leg.ENTRY],
            "paper",
            "AAPL",
            Side.BUY,
            D(10),
            Kind.LIMIT,
            Leg.ENTRY,
            opens=True,
            level=D("200.50"),
            tif=Tif.DAY,
            stop_order=ids[Leg.STOP],
            stop=D("196.00"),
            target_order=ids[Leg.TARGET],
            target=D("220.00"),
            group=ids[Leg.ENTRY],
            strategy="breakout",
            signal="signal-AAPL-200.00",
            expires_at_ns=START + TIMEOUT_NS,
        )
    ]  # fmt: skip - one command, one paragraph
    assert ids[Leg.ENTRY].startswith(f"j1-{SESSION.replace('-', '')}-1-{seq}.0-E-")
    assert statuses(state, *ids.values()) == [Status.ARMED] * 3


def test_ids_of_one_state_differ_by_leg_index_seq_epoch_and_session():
    """No two commands of any life can make the same id."""
    seen = set()
    for seq, epoch, session, index, leg in product((1, 11), (1, 2), ("2026-09-21", "2026-09-22"), (0, 1), Leg):
        state = State(id_key=b"key", seq=seq, epoch=epoch)
        state.day.session = session
        seen.add(order_id(state, index, leg))

    assert len(seen) == 2**4 * len(Leg)


def test_an_id_is_ours_only_with_our_key():
    """A copied form without the tag, or with another key's, is foreign."""
    state = trading_state()
    made = order_id(state, 0, Leg.STOP)

    assert ours(state, made)
    assert not ours(State(id_key=b"other"), made)
    assert not ours(state, made[:-1] + ("0" if made[-1] != "0" else "1"))
    assert not any(ours(state, name) for name in ("", "manual", "j1-", "j1-20260921-1-5.0-E"))


def test_an_id_tells_its_leg():
    """Whoever reads a broker's list knows what an order is for; another's id tells nothing."""
    state = trading_state()

    assert [leg_of(order_id(state, 3, leg)) for leg in Leg] == list(Leg)
    assert [leg_of(name) for name in ("", "manual", "a-b-c-d-X-e")] == [None, None, None]


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


WORDS = {
    OrderAccepted: OrderAccepted("AAPL-e", "77"),
    OrderWorking: OrderWorking("AAPL-e", D(10)),
    OrderCancelled: OrderCancelled("AAPL-e"),
    OrderExpired: OrderExpired("AAPL-e"),
    OrderRejected: OrderRejected("AAPL-e", "margin"),
    CancelRejected: CancelRejected("AAPL-e"),
    AmendRejected: AmendRejected("AAPL-e"),
    CommandSent: CommandSent(1, 0, "AAPL-e"),
    CommandDropped: CommandDropped(1, 0, "AAPL-e", "blocked"),
}


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.PLANNED])
@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.__name__)
def test_a_word_moves_an_order_by_the_table_and_not_otherwise(status, word):
    """A pair that is not in the table changes nothing: the answer came twice, or late."""
    state = trading_state()
    refold(state, START, Tick(), [bracket("AAPL")])
    state.orders["AAPL-e"].status = status

    step(state, START + 1, WORDS[word])

    assert state.orders["AAPL-e"].status is NEXT.get((status, word), status)


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


def test_dropping_a_cancel_ends_nothing_and_lets_it_be_asked_again_at_once():
    """Only a dropped submission proves an order's absence."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    refold(state, START + SECOND, Tick(), [CancelOrder("AAPL-e", "VIX")])

    step(state, START + SECOND, CommandDropped(1, 0, "AAPL-e", "not connected", "CancelOrder"))
    again = step(state, START + TIMEOUT_NS, Tick())

    assert of_kind(again, CancelOrder) == [CancelOrder("AAPL-e", "cancel unanswered")]


def test_an_entry_that_does_not_fill_in_time_is_cancelled_and_never_forgotten():
    """At 30 s, not before; then again each 30 s, until after five tries only the broker's whole book can tell."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    asked = []
    for second in range(1, 241):
        commands = step(state, START + second * SECOND, Tick())
        asked += [(second, type(one).__name__) for one in of_kind(commands, CancelOrder | MarkUncertain)]

    assert asked == [
        (30, "CancelOrder"),
        (60, "CancelOrder"),
        (90, "CancelOrder"),
        (120, "CancelOrder"),
        (150, "CancelOrder"),
        (180, "MarkUncertain"),
    ]
    assert statuses(state, "AAPL-e") == [Status.UNCERTAIN]
    assert reserved(state) == D(2000)


def test_nothing_is_cancelled_over_a_link_that_is_down():
    """A cancel into the void would only use the tries up; it goes out when the books have been read."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    step(state, START, BrokerDown("paper", "cut"))

    commands = [step(state, START + second * SECOND, Tick()) for second in range(1, 100)]

    assert not any(of_kind(each, CancelOrder | MarkUncertain) for each in commands)
    assert not listens(state, "paper")
    assert not listens(state, "unheard of")


@pytest.mark.parametrize(("scope", "cancelled"), [(Scope.ENTRIES, False), (Scope.ORDERS, True)])
def test_under_a_kill_an_entry_that_turns_up_is_cancelled_within_a_second(scope, cancelled):
    """What was in doubt when the kill came, and proves to be working, may not rest until its time-out."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    state.killed = scope

    commands = step(state, START + SECOND, Tick())

    assert of_kind(commands, CancelOrder) == ([CancelOrder("AAPL-e", "killed")] if cancelled else [])


def test_stopping_cancels_entries_and_keeps_protection():
    """The orderly end asks for the end of what could open, and of nothing else (I6)."""
    state = holding("MSFT")
    submitted(state, bracket("AAPL"))

    commands = step(state, START, StopAsked("SIGTERM"))
    again = step(state, START, StopAsked("SIGTERM"))

    assert of_kind(commands, CancelOrder) == [CancelOrder("AAPL-e", "SIGTERM")]
    assert again == []
    assert statuses(state, "MSFT-s", "MSFT-t") == [Status.WORKING] * 2


def test_cancelling_entries_names_each_once_and_nothing_that_reduces():
    """What was asked to end is not asked again."""
    state = holding("MSFT")
    submitted(state, bracket("AAPL"))
    submitted(state, bracket("KO"))
    refold(state, START, Tick(), [CancelOrder("KO-e", "VIX")])

    assert cancel_entries(state, "why") == [CancelOrder("AAPL-e", "why")]


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


def test_an_order_proven_absent_takes_its_unfilled_children_with_it():
    """No word will ever come for children whose parent never was."""
    state = trading_state()
    submitted(state, bracket("AAPL"))

    refold(state, START, Tick(), [RetireOrder("AAPL-e", "absent from 2 complete reads")])

    assert statuses(state, "AAPL-e", "AAPL-s", "AAPL-t") == [Status.ABSENT_PROVEN] * 3
    assert reserved(state) == 0


def test_an_order_proven_absent_that_had_filled_keeps_its_protection():
    """The children of what did fill are judged for themselves."""
    state = holding("AAPL")
    state.orders["AAPL-e"].status = Status.UNCERTAIN

    refold(state, START, Tick(), [RetireOrder("AAPL-e", "absent")])

    assert statuses(state, "AAPL-s", "AAPL-t") == [Status.WORKING] * 2


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


def test_a_session_begins_without_yesterdays_ended_orders():
    """State holds what lives: groups that are flat and over are the journal's; a held position keeps its orders."""
    state = holding("AAPL", state=holding("MSFT"))
    step(state, START, fill("MSFT-s", "10", "196", side=Side.SELL, symbol="MSFT", execution="x9"))
    step(state, START, OrderCancelled("MSFT-t"))
    submitted(state, bracket("KO"))

    refold(state, START + 1, Tick(), [OpenSession("next", OPEN, CLOSE, D(100_000))])

    assert list(state.orders) == ["AAPL-e", "AAPL-s", "AAPL-t", "KO-e", "KO-s", "KO-t"]
    assert [child.order for child in children_of(state, state.orders["AAPL-e"])] == ["AAPL-s", "AAPL-t"]
    assert list(state.resting) == ["KO-e"]


def test_the_fill_time_out_is_a_setting():
    """As the person set it."""
    assert Settings().fill_timeout_s == 30.0
    state = trading_state(fill_timeout_s=2.0)
    submitted(state, bracket("AAPL"))

    assert of_kind(step(state, START + SECOND, Tick()), CancelOrder) == []
    assert len(of_kind(step(state, START + 2 * SECOND, Tick()), CancelOrder)) == 1
