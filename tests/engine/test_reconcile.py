"""The broker's whole book against ours: shown is believed, missing must be missing twice."""

import pytest
from msgspec.structs import replace

from joed.engine.orders import listens
from joed.engine.step import refold, step
from joed.engine.verdicts import EXTERNAL, UNDEAD
from joed.model.commands import (
    CancelOrder,
    JudgeBooks,
    LiftBlock,
    RaiseAlert,
    RaiseBlock,
    ReadBroker,
    RetireOrder,
    SubmitOrder,
)
from joed.model.events import (
    BrokerDown,
    BrokerUp,
    CancelRejected,
    ClockStepped,
    CommandSent,
    EpochStarted,
    OrderCancelled,
    OrderSeen,
    OrderWorking,
    PositionSeen,
    Tick,
)
from joed.model.values import SECOND, Side, Status, Verdict
from tests.engine.build import (
    START,
    D,
    bracket,
    fill,
    holding,
    kinds,
    of_kind,
    stop_of,
    submitted,
    trading_state,
    whole_read,
)

LATER = START + SECOND
RECONCILING = "broker:paper/reconciling"


def shown(order, quantity="10", status=Status.WORKING, **more):
    """Give one open order as a broker shows it."""
    return OrderSeen(order, "b9", "AAPL", Side.BUY, D(quantity), status, **more)


def entry(status=Status.WORKING):
    """Give a State with one bracket that has this status, last heard of at START."""
    state = trading_state()
    refold(state, START, Tick(), [bracket("AAPL")])
    for order in state.orders.values():
        order.status = status
    return state


def differences(state):
    """Give what the last read changed or left open."""
    return state.brokers["paper"].differences


def test_after_a_sleep_a_broker_that_is_down_is_asked_nothing():
    """It is read whole when it comes back; that the machine slept is told all the same."""
    state = trading_state()
    state.brokers["paper"].up = False

    slept = step(state, LATER, ClockStepped(0, 3600 * SECOND))

    assert of_kind(slept, ReadBroker) == of_kind(slept, RaiseBlock) == []
    assert len(of_kind(slept, RaiseAlert)) == 1


def test_after_a_sleep_nothing_is_opened_until_a_read_that_was_asked_for_since_then():
    """The link may look alive; an answer that was on its way when the machine fell asleep proves nothing."""
    state = trading_state()
    slept = step(state, LATER, ClockStepped(0, 3600 * SECOND))

    assert of_kind(slept, RaiseBlock)[0].block.reason == "reconciling"
    assert ReadBroker("paper", "slept") in slept
    assert "slept for 3600 s" in of_kind(slept, RaiseAlert)[0].words
    old = step(state, LATER + SECOND, replace(whole_read(state), from_ns=START))
    assert (of_kind(old, LiftBlock), state.brokers["paper"].reconciled) == ([], False)
    new = step(state, LATER + 2 * SECOND, replace(whole_read(state), from_ns=LATER + SECOND))
    assert [command.key for command in of_kind(new, LiftBlock)] == [RECONCILING]


def test_a_clock_that_was_set_is_no_sleep():
    """The books stay as trusted as they were."""
    state = trading_state()
    assert step(state, LATER, ClockStepped(7 * SECOND)) == []
    assert (state.brokers["paper"].reconciled, state.utc_offset_ns) == (True, 7 * SECOND)


def test_a_new_connection_forbids_entries_until_it_has_been_read_whole():
    """Up, asked, read: only then may anything be sent there (I25)."""
    state = trading_state()
    step(state, START, BrokerDown("paper", "cut"))

    up = step(state, LATER, BrokerUp("paper", "DEMO", "paper", 2))
    listening = listens(state, "paper")
    partial = step(state, LATER + 1, replace(whole_read(LATER, connection=2), complete=False))
    old = step(state, LATER + 1, whole_read(LATER, connection=1))
    whole = step(state, LATER + 2, whole_read(LATER + 1, connection=2, cash="100000"))

    assert kinds(up) == ["LiftBlock", "RaiseBlock", "ReadBroker"]
    assert up[2] == ReadBroker("paper", "connected")
    assert (listening, partial, old) == (False, [], [])
    assert whole == [LiftBlock(RECONCILING, "its books are read")]
    assert (listens(state, "paper"), state.brokers["paper"].reconciled) == (True, True)


def test_an_account_of_the_other_mode_is_refused_until_the_right_one_comes():
    """Live and paper never mix (I24), and no release lifts that."""
    state = trading_state()

    wrong = step(state, START, BrokerUp("paper", "U123", "live", 2))
    right = step(state, LATER, BrokerUp("paper", "DEMO", "paper", 3))

    block = of_kind(wrong, RaiseBlock)[0].block
    assert (block.key, block.latched) == ("broker:paper/wrong_account", False)
    assert len(of_kind(wrong, RaiseAlert)) == 1
    assert "broker:paper/wrong_account" in [command.key for command in of_kind(right, LiftBlock)]


def test_a_broker_that_is_down_is_told_and_forbids_its_entries():
    """Orders and stops there live on."""
    state = holding("AAPL")

    commands = step(state, START, BrokerDown("paper", "cut"))

    assert kinds(commands) == ["RaiseBlock", "RaiseAlert"]
    assert state.orders[stop_of("AAPL")].status is Status.WORKING


def test_a_clean_read_changes_nothing_and_is_not_worth_a_record():
    """The same orders, the same position, the same cash."""
    state = holding("AAPL")
    read = whole_read(
        LATER,
        orders=(shown("AAPL-s", level=D("196.00")), shown("AAPL-t", level=D("220.00"))),
        positions=(PositionSeen("AAPL", D(10), D(200)),),
        executions=(fill("AAPL-e", "10", "200.00", execution="x-AAPL"),),
        ended={"AAPL-e": Status.FILLED},
        cash="98000",
    )

    assert step(state, LATER, read) == []
    assert differences(state) == 0


CHANGES = {
    "an execution was missed": {"executions": (fill("AAPL-e", "4", "200", execution="new"),)},
    "an order ended": {"ended": {"AAPL-e": Status.CANCELLED}},
    "other terms": {"orders": (shown("AAPL-e", level=D("201.00")),)},
    "another quantity": {"orders": (shown("AAPL-e", "7"),)},
    "other cash": {"cash": "99000"},
    "a position of another": {"positions": (PositionSeen("MSFT", D(5), D(1)),)},
    "missing": {},
}


@pytest.mark.parametrize("change", CHANGES)
def test_everything_that_a_read_changes_makes_it_worth_a_record(change):
    """What is only on the tape may be lost with a second of it; what changed the books may not."""
    state = entry()
    legs = ("AAPL-e", "AAPL-s", "AAPL-t")
    clean = whole_read(LATER, cash="100000", orders=tuple(shown(leg) for leg in legs))
    step(state, LATER, clean)
    base = differences(state)
    parts = {"orders": () if change in ("missing", "an order ended") else tuple(shown(leg) for leg in legs[1:])}
    parts |= {"cash": "100000"} | CHANGES[change]
    if change not in ("missing", "an order ended"):
        rest = () if "orders" in CHANGES[change] else (shown("AAPL-e"),)
        parts["orders"] = (*CHANGES[change].get("orders", ()), *rest, *(shown(leg) for leg in legs[1:]))

    step(state, LATER + SECOND, whole_read(LATER + SECOND, **parts))

    assert base == 0
    assert differences(state) > 0


def test_a_missed_fill_and_its_end_are_taken_from_the_read():
    """The report was lost; the book has it."""
    state = entry()

    step(
        state,
        LATER,
        whole_read(
            LATER,
            executions=(fill("AAPL-e", "10", "200"),),
            ended={"AAPL-e": Status.FILLED},
            orders=(shown("AAPL-s"), shown("AAPL-t")),
            positions=(PositionSeen("AAPL", D(10), D(200)),),
            cash="98000",
        ),
    )

    assert state.positions["AAPL"].quantity == 10
    assert state.orders["AAPL-e"].status is Status.FILLED
    assert (state.external, state.blocks, state.cash) == ({}, {}, 98_000)


def test_an_order_is_absent_only_after_two_whole_reads_five_seconds_apart():
    """One read, or two in quick succession, prove nothing (B7, I13); then its bracket goes with it."""
    state = entry(Status.SENT)
    reads = [START + n * SECOND for n in (1, 2, 5, 7)]

    retired = [
        [command.order for command in of_kind(step(state, at, whole_read(at, cash="100000")), RetireOrder)]
        for at in reads
    ]

    assert retired == [[], [], [], ["AAPL-e", "AAPL-s", "AAPL-t"]]
    assert {order.status for order in state.orders.values()} == {Status.ABSENT_PROVEN}


def test_a_partial_read_proves_no_absence_and_adds_what_it_shows():
    """An end marker is missing: what it lacks may only have been cut off."""
    state = entry(Status.SENT)
    for second in range(1, 30):
        at = START + second * SECOND
        partial = replace(whole_read(at, orders=(shown("AAPL-e"),)), complete=False)
        assert kinds(step(state, at, partial)) == (["JudgeBooks"] if second == 1 else [])

    assert [order.status for order in state.orders.values()] == [Status.WORKING, Status.SENT, Status.SENT]


def test_an_order_that_has_not_left_cannot_be_missed():
    """It waits for its record to be durable; retiring it would let it leave afterwards and live unwatched."""
    state = entry(Status.ARMED)

    retired = [step(state, START + n * SECOND, whole_read(START + n * SECOND, cash="100000")) for n in range(1, 60)]

    assert not any(of_kind(commands, RetireOrder) for commands in retired)


def test_a_word_between_two_reads_begins_the_counting_anew():
    """It was heard of after the first: that read was about another moment."""
    state = entry(Status.SENT)
    step(state, LATER, whole_read(LATER, cash="100000"))
    step(state, LATER + SECOND, CommandSent(1, 0, "AAPL-e"))

    commands = step(state, START + 9 * SECOND, whole_read(START + 9 * SECOND, cash="100000"))

    assert "AAPL-e" not in [command.order for command in of_kind(commands, RetireOrder)]


def test_what_was_heard_after_the_read_began_is_not_taken_back_by_it():
    """Compare only what is older than the read's beginning (reliability 6.7)."""
    state = entry()
    step(state, LATER + 5, OrderWorking("AAPL-e", D(10), D("201.00")))
    read = whole_read(LATER, cash="100000", orders=(shown("AAPL-e", level=D("200.00")),))

    step(state, LATER + 9, read)

    assert state.orders["AAPL-e"].terms == D("201.00")


def test_an_order_in_doubt_is_settled_by_a_read_that_began_after_the_doubt():
    """A read that was under way when the doubt came may show the past."""
    for began, status in ((LATER - 1, Status.UNCERTAIN), (LATER, Status.WORKING)):
        state = entry()
        refold(state, LATER, Tick(), [CancelOrder("AAPL-e", "why")])
        step(state, LATER, CancelRejected("AAPL-e"))

        step(state, LATER + 9, whole_read(began, cash="100000", orders=(shown("AAPL-e"),)))

        assert state.orders["AAPL-e"].status is status
        assert state.brokers["paper"].reconciled is (status is Status.WORKING)


def test_after_a_restart_entries_wait_until_no_fate_is_unknown():
    """What is proven absent settles it in the same record as the proof."""
    state = entry(Status.SENT)
    step(state, LATER, EpochStarted(2, "crash", "0", "c"))
    step(state, LATER, BrokerUp("paper", "DEMO", "paper", 2))

    first = step(state, LATER + SECOND, whole_read(LATER + SECOND, connection=2, cash="100000"))
    waiting = RECONCILING in state.blocks
    second = step(state, LATER + 6 * SECOND, whole_read(LATER + 6 * SECOND, connection=2, cash="100000"))

    assert (first, waiting) == ([], True)
    assert kinds(second) == ["JudgeBooks", "RetireOrder"] * 3 + ["LiftBlock"]
    assert state.brokers["paper"].reconciled


def test_a_cancel_that_we_asked_for_is_still_to_be_answered_when_a_read_shows_the_order():
    """It shows the order working because the cancel has not arrived."""
    state = entry()
    refold(state, START, Tick(), [CancelOrder("AAPL-e", "why")])

    step(state, LATER, whole_read(LATER, cash="100000", orders=(shown("AAPL-e"),)))

    assert state.orders["AAPL-e"].status is Status.CANCEL_ASKED


def test_an_order_proven_absent_that_turns_up_is_adopted():
    """We were sure, the broker knows better: its risk counts again at once."""
    state = entry(Status.ABSENT_PROVEN)

    step(state, LATER, whole_read(LATER, cash="100000", orders=(shown("AAPL-e"),)))

    assert (state.orders["AAPL-e"].status, list(state.resting)) == (Status.WORKING, ["AAPL-e"])


def test_an_order_that_ended_in_our_books_and_lives_at_the_broker_freezes_its_instrument():
    """It never leaves its end by itself (I11): told once, an entry is cancelled, a person releases."""
    state = entry()
    for leg in "et":
        step(state, START, OrderCancelled(f"AAPL-{leg}"))
    read = whole_read(LATER, cash="100000", orders=(shown("AAPL-e"), shown("AAPL-s"), shown("AAPL-t")))

    first = step(state, LATER, read)
    again = step(state, LATER + 1, replace(read, from_ns=LATER + 1))
    third = step(state, LATER + 2, replace(read, from_ns=LATER + 2))

    assert [command.key for command in of_kind(first, RaiseAlert)] == ["order_undead:AAPL-e", "order_undead:AAPL-t"]
    assert [command.order for command in of_kind(first, CancelOrder)] == ["AAPL-e"]
    assert [(one.what, one.verdict) for one in of_kind(first, JudgeBooks)] == [(UNDEAD, Verdict.FREEZE)] * 2
    assert state.blocks["instrument:AAPL/order_undead"].latched
    assert state.orders["AAPL-e"].status is Status.CANCELLED
    assert (kinds(again), kinds(third)) == ([], [])  # its stop too stays, as long as the entry may fill


def test_what_the_broker_holds_beyond_our_books_is_suspected_then_external():
    """The first sight forbids entries, a second whole read of the same counts it; agreement ends both (B8, F70)."""
    state = holding("AAPL")
    base = {"orders": (shown("AAPL-s"), shown("AAPL-t")), "cash": "98000"}
    more = (PositionSeen("AAPL", D(25), D(200)), PositionSeen("KO", D(-3), D(50)))

    differ = step(state, LATER, whole_read(LATER, positions=more, **base))
    first = dict(state.external)
    proven = step(state, LATER + 1, whole_read(LATER + 1, positions=more, **base))
    external = dict(state.external)
    agree = step(state, LATER + 2, whole_read(LATER + 2, positions=(PositionSeen("AAPL", D(10), D(200)),), **base))

    assert (first, external) == ({}, {"AAPL": 15, "KO": -3})
    assert kinds(differ) == ["JudgeBooks"] * 2 + ["RaiseBlock", "RaiseAlert"] * 2
    assert [(one.what, one.instrument) for one in of_kind(proven, JudgeBooks)] == [(EXTERNAL, "AAPL"), (EXTERNAL, "KO")]
    assert kinds(proven) == ["JudgeBooks"] * 2
    assert [command.key for command in agree] == ["instrument:AAPL/books_differ", "instrument:KO/books_differ"]
    assert (state.external, differences(state)) == ({}, 2)


@pytest.mark.parametrize("second", ["other", "agrees", "partial"])
def test_a_difference_that_the_next_whole_read_does_not_repeat_is_not_external(second):
    """A snapshot between two fills, another amount, a read that stops halfway: none is proof (I13)."""
    state = holding("AAPL")
    base = {"orders": (shown("AAPL-s"), shown("AAPL-t")), "cash": "98000"}
    step(state, LATER, whole_read(LATER, positions=(PositionSeen("AAPL", D(25), D(200)),), **base))
    held = {"other": D(26), "agrees": D(10), "partial": D(25)}[second]
    read = whole_read(LATER + 1, positions=(PositionSeen("AAPL", held, D(200)),), **base)

    step(state, LATER + 1, replace(read, complete=second != "partial"))

    assert state.external == {}
    assert ("instrument:AAPL/books_differ" in state.blocks) is (second != "agrees")


def test_a_fill_that_is_newer_than_the_read_makes_no_difference_of_positions():
    """The read shows the moment before it."""
    state = trading_state()
    submitted(state, bracket("AAPL"))
    step(state, LATER + 5, fill("AAPL-e", "10", "200"))

    commands = step(state, LATER + 9, whole_read(LATER, cash="100000", orders=(shown("AAPL-e"),)))

    assert (commands, state.external, state.cash) == ([], {}, 98_000)


def test_cash_of_two_brokers_is_their_sum():
    """One broker's word is no word on the other's."""
    state = trading_state()
    step(state, START, BrokerUp("other", "X", "paper", 1))
    step(state, START, replace(whole_read(START, cash="500"), broker="other"))
    step(state, LATER, whole_read(LATER, cash="90000"))

    assert state.cash == 90_500


@pytest.mark.parametrize("cash", ["NaN", "Infinity"])
def test_cash_that_is_no_number_is_not_taken(cash):
    """The last word stands."""
    state = trading_state()

    step(state, LATER, whole_read(LATER, cash=cash))

    assert state.cash == 100_000


def test_a_read_of_one_broker_touches_nothing_of_another():
    """Neither its orders nor what is external there."""
    state = entry()
    state.orders["AAPL-e"].broker = "other"
    state.external["XYZ"] = D(3)

    step(state, LATER, whole_read(LATER, cash="100000", orders=(shown("AAPL-s"), shown("AAPL-t"))))

    assert (state.orders["AAPL-e"].absent_reads, state.external) == (0, {"XYZ": 3})


def test_an_order_at_a_broker_that_nobody_remembers_can_still_be_retired():
    """Its books are judged when it comes back."""
    state = entry(Status.UNCERTAIN)
    state.brokers.clear()

    refold(state, LATER, Tick(), [RetireOrder("AAPL-e", "a person's word")])

    assert state.orders["AAPL-e"].status is Status.ABSENT_PROVEN


def test_a_stop_that_grew_unheard_and_filled_what_we_knew_of_it_still_works_for_the_rest():
    """Its second half's words are late, the same read shows 10 filled and 10 left: no other stop is sent beside it."""
    state = trading_state()
    submitted(state, bracket("AAPL", quantity="30"))
    for number in (1, 2):
        step(state, START, fill("AAPL-e", "10", "200.00", execution=f"e{number}"))
        if number == 1:
            step(state, START, OrderWorking(stop_of("AAPL"), D("10"), D("196.00")))
    step(state, START, OrderCancelled("AAPL-e"))
    row = OrderSeen(
        stop_of("AAPL"), "b-s", "AAPL", Side.SELL, D("10"), Status.PARTIAL, level=D("196.00"), filled=D("10")
    )
    missed = fill(stop_of("AAPL"), "10", "195.90", side=Side.SELL, execution="s1")
    held = PositionSeen("AAPL", D("10"), D("200"))

    step(state, LATER, whole_read(LATER, orders=(row,), positions=(held,), executions=(missed,)))

    stop = state.orders[stop_of("AAPL")]
    assert (stop.status, stop.left, state.positions["AAPL"].quantity) == (Status.PARTIAL, D("10"), D("10"))
    for second in range(1, 4):
        commands = step(state, LATER + second * SECOND, Tick())
        assert not [command for command in commands if isinstance(command, SubmitOrder)]
