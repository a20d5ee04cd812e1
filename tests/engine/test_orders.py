"""The life of an order: one door, one table, and nothing forgotten."""

from itertools import product

import pytest

from joed.daemon.record import decode_state, encode_state
from joed.engine import risk
from joed.engine.orders import (
    cancel_entries,
    children_of,
    leg_of,
    listens,
    order_id,
    ours,
    overdue,
    reduce,
    reserved,
    resting,
    spent,
)
from joed.engine.risk import again, forgetful
from joed.engine.step import refold, step
from joed.model.commands import (
    CancelOrder,
    ClaimOrder,
    MarkUncertain,
    OpenSession,
    RefuseEntry,
    RetireOrder,
    SubmitOrder,
)
from joed.model.events import (
    BrokerDown,
    CommandDropped,
    EpochStarted,
    OrderCancelled,
    StopAsked,
    Tick,
    TriggersMade,
)
from joed.model.settings import Instrument, Settings
from joed.model.state import Rate, State
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
from tests.engine.test_risk import request

TIMEOUT_NS = 30 * SECOND


def statuses(state, *orders):
    """Give where orders stand."""
    return [state.orders[order].status for order in orders]


def test_a_signal_of_three_sessions_ago_never_enters_again():
    """One intent for (strategy, signal) for ever (I7): over sessions, restarts, snapshots and the pruning of orders."""
    state = armed(trigger())
    step(state, START, quote("AAPL", 199.98, 200.0))
    entered = list(resting(state))
    for order in list(state.orders):
        step(state, START, OrderCancelled(order))
    for day in range(22, 25):
        refold(state, START + day * SECOND, Tick(), [OpenSession(f"2026-09-{day}", OPEN, CLOSE, D("100000"))])
        state = decode_state(encode_state(state), b"key")
    step(state, START, EpochStarted(2, "restart", "0", "code"))
    forgotten = dict(state.orders), dict(state.signals)

    step(state, START, TriggersMade(2, (trigger(), trigger(strategy="other"))))

    assert (len(entered), forgotten) == (1, ({}, {}))
    assert [one.strategy for one in state.triggers.values()] == ["other"]
    assert again(state, START, request(state)) == "signal-AAPL-200.00 was entered before"
    assert again(state, START, request(state, strategy="other")) == ""


def test_a_refused_signal_may_be_wanted_again_another_day():
    """It never became an intent."""
    state = armed(trigger())
    refold(state, START, Tick(), [RefuseEntry("AAPL", "breakout", "signal-AAPL-200.00", "cash", "no")])
    today = spent(state, trigger())

    refold(state, START, Tick(), [OpenSession("2026-09-22", OPEN, CLOSE, D("100000"))])

    assert (today, spent(state, trigger())) == (True, False)


def test_when_no_more_signals_can_be_remembered_none_enters(monkeypatch):
    """The bound fails shut and says so: a forgotten signal could enter twice."""
    monkeypatch.setattr(risk, "SIGNALS_MAX", 1)
    state = trading_state()
    free = forgetful(state, START, request(state))
    refold(state, START, Tick(), [bracket("MSFT")])

    assert free == ""
    assert forgetful(state, START, request(state)) == "1 signals are remembered, none more can be"


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
            basis=commands[0].basis,
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


def test_an_order_proven_absent_takes_its_unfilled_children_with_it():
    """No word will ever come for children whose parent never was."""
    state = trading_state()
    submitted(state, bracket("AAPL"))

    refold(state, START, Tick(), [RetireOrder("AAPL-e", "absent from 2 complete reads")])

    assert statuses(state, "AAPL-e", "AAPL-s", "AAPL-t") == [Status.ABSENT_PROVEN] * 3
    assert reserved(state) == 0


@pytest.mark.parametrize(("status", "filled"), [(Status.REJECTED, 0), (Status.FILLED, 10), (Status.ACKED, 4)])
def test_an_order_proven_absent_leaves_a_child_that_ended_or_filled_its_own_fate(status, filled):
    """What the broker said of a child is never overwritten by what is concluded about its parent."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    stop, target = children_of(state, state.orders["AAPL-e"])
    stop.status, stop.filled = status, filled

    refold(state, START, Tick(), [RetireOrder("AAPL-e", "absent")])

    assert (stop.status, target.status) == (status, Status.ABSENT_PROVEN)


def test_an_order_proven_absent_that_had_filled_keeps_its_protection():
    """The children of what did fill are judged for themselves."""
    state = holding("AAPL")
    state.orders["AAPL-e"].status = Status.UNCERTAIN

    refold(state, START, Tick(), [RetireOrder("AAPL-e", "absent")])

    assert statuses(state, "AAPL-s", "AAPL-t") == [Status.WORKING] * 2


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


def test_an_entry_rests_no_longer_once_the_end_has_begun():
    """One that comes back to life during the wind-down is cancelled too."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    state.stopping = "the session is over"

    assert overdue(state, START + 1) == [CancelOrder("AAPL-e", "the session is over")]


def test_a_reduction_of_what_is_not_held_any_more_changes_no_position():
    """Recovery folds what was recorded, whatever is held by then."""
    state = holding("AAPL")
    close = reduce(state, 0, state.positions.pop("AAPL"), "AAPL-e", D(10))

    refold(state, START, Tick(), [close])

    assert (state.orders[close.order].status, state.positions) == (Status.ARMED, {})


def test_a_claim_settles_the_legs_in_doubt_and_no_other():
    """A stop that was cancelled meanwhile stays so."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    for order in state.orders.values():
        order.status = Status.CANCELLED if order.leg is Leg.STOP else Status.UNCERTAIN

    refold(state, START, Tick(), [ClaimOrder("AAPL-e", "d1", "seen")])

    assert statuses(state, *state.orders) == [Status.ACKED, Status.CANCELLED, Status.ACKED]


def test_an_entry_is_counted_by_everything_that_bounds_entries():
    """Its minute, its day, its signal with a bracket's three orders, what may still fill, what was spent: once each."""
    state = trading_state()
    command = bracket("AAPL")

    refold(state, START, Tick(), [command])

    assert (state.order_times, state.day.orders, list(state.resting)) == ([START], 1, ["AAPL-e"])
    assert (state.signals, state.signal_orders) == ({"signal-AAPL": "entered"}, {"signal-AAPL": 3})
    assert (len(state.spent), spent(state, trigger(signal="signal-AAPL"))) == (1, True)
    refold(state, START + 1, Tick(), [bracket("MSFT"), bracket("AAPL", tag="2")])
    assert (state.order_times, state.day.orders) == ([START, START + 1, START + 1], 3)
    assert state.signal_orders == {"signal-AAPL": 3, "signal-MSFT": 3, "signal-AAPL2": 3}


def test_an_exit_is_counted_for_the_signal_of_its_entry_and_opens_nothing():
    """A storm of stops and closes has its cause counted; one without an entry counts for its instrument."""
    state = holding("AAPL")
    position = state.positions["AAPL"]
    before = (list(state.order_times), state.day.orders, dict(state.spent))

    refold(state, START, Tick(), [reduce(state, 0, position, "AAPL-e", D(10), D(195))])
    refold(state, START, Tick(), [reduce(state, 1, position, "AAPL-e", D(10))])
    refold(state, START, Tick(), [reduce(state, 2, position, "", D(10))])

    assert state.signal_orders == {"signal-AAPL": 5, "AAPL": 1}
    assert (list(state.order_times), state.day.orders, dict(state.spent), list(state.resting)) == (*before, [])


def test_each_new_stop_is_a_repair_of_its_moment_and_a_close_is_impatient():
    """The tries are counted, for they are few; a close that is asked for anew is not one that waits for the open."""
    state = holding("AAPL")
    position = state.positions["AAPL"]
    position.patient = True

    for count in (1, 2):
        refold(state, START + count, Tick(), [reduce(state, count, position, "AAPL-e", D(10), D(195))])
        assert (position.repairs, position.repaired_ns) == (count, START + count)
    close = reduce(state, 9, position, "AAPL-e", D(10))
    refold(state, START + 5, Tick(), [close])

    assert (position.closing, position.closing_ns, position.patient) == (close.order, START + 5, False)
    assert (position.repairs, close.side) == (2, Side.SELL)


def test_what_a_session_forgets_is_no_child_of_what_it_keeps():
    """A held group keeps all of its orders, ended ones too; an adopted stop of a forgotten entry lives on alone."""
    state = holding("AAPL", state=holding("MSFT"))
    step(state, START, OrderCancelled("AAPL-t"))
    step(state, START, fill("MSFT-s", "10", "196", side=Side.SELL, symbol="MSFT", execution="x9"))
    step(state, START, OrderCancelled("MSFT-t"))
    state.orders["MSFT-e"].group = "AAPL-e"

    refold(state, START + 1, Tick(), [OpenSession("next", OPEN, CLOSE, D(100_000))])

    assert list(state.orders) == ["MSFT-e", "AAPL-e", "AAPL-s", "AAPL-t"]
    assert state.orders["MSFT-e"].children == ()


def test_what_an_entry_may_still_add_is_counted_in_base_currency():
    """Half filled, at a rate of a half: a quarter of its notional."""
    state = trading_state(universe={"AAPL": Instrument("AAPL", currency="EUR")})
    submitted(state, bracket("AAPL"))
    step(state, START, fill("AAPL-e", "5", "200"))
    state.rates["EUR"] = Rate(D("0.5"), START, "test")

    assert reserved(state) == D(500)
