"""The receipt says what the broker's evidence says, and nothing that we hope."""

import pytest

from joed.engine.receipt import FATE, FATES, IN_FLIGHT, ROWS_MAX, receipt_of, summed
from joed.engine.step import refold, step
from joed.model.commands import LatchKill
from joed.model.events import BrokerDown, CancelRejected, OrderExpired, OrderRejected, Tick
from joed.model.values import SECOND, Scope, Side, Status
from tests.engine.build import START, D, bracket, fill, holding, submitted, trading_state
from tests.engine.test_operator import ask


def fates(state):
    """Give what became of each entry, with the words."""
    return {row.order: (row.fate, row.words) for row in receipt_of(state).entries}


def test_without_a_kill_there_is_no_receipt():
    """And none after its release."""
    state = trading_state()
    assert receipt_of(state) is None

    ask(state, "kill")
    ask(state, "release")

    assert receipt_of(state) is None


def test_every_status_has_its_fate():
    """What is not in the table was handed over, and its fate is not known."""
    assert {FATE.get(status, IN_FLIGHT) for status in Status} <= set(FATES)
    ends = ("cancelled", "filled", "never")
    assert all(status.ended == (FATE.get(status, IN_FLIGHT) in ends) for status in Status)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (OrderExpired("MSFT-e"), ("cancelled", "expired")),
        (OrderRejected("MSFT-e", "margin"), ("never", "rejected")),
        (fill("MSFT-e", "10", "200", symbol="MSFT"), ("filled", "10 of 10")),
    ],
)
def test_an_entry_that_ends_otherwise_is_told_as_it_ended(word, expected):
    """Filled instead is not cancelled."""
    state = trading_state()
    submitted(state, bracket("MSFT"))
    ask(state, "kill")

    step(state, START + SECOND, word)

    assert fates(state) == {"MSFT-e": expected}


def test_a_cancel_that_the_broker_refuses_is_told_in_its_words():
    """And is no end: it stays open until evidence comes."""
    state = trading_state()
    submitted(state, bracket("MSFT"))
    ask(state, "kill")

    step(state, START + SECOND, CancelRejected("MSFT-e", "too late to cancel"))

    assert fates(state) == {"MSFT-e": ("refused", "too late to cancel")}
    assert receipt_of(state).waits == ("entry MSFT-e (MSFT): its cancel was refused: too late to cancel",)
    assert not receipt_of(state).done


def test_a_kill_of_entries_waits_for_what_was_handed_over_and_not_for_what_rests():
    """In flight means handed over and unanswered; once the broker has it, it was left to rest."""
    state = trading_state()
    refold(state, START, Tick(), [bracket("KO")])
    submitted(state, bracket("MSFT"))

    ask(state, "kill", scope="entries")

    assert fates(state) == {"KO-e": ("in_flight", "armed"), "MSFT-e": ("resting", "working")}
    assert receipt_of(state).waits == ("entry KO-e (KO): it is armed",)


def test_positions_are_kept_open_or_closed():
    """Kept by a narrow kill; by a wider one open until a fill shows it closed, and why so long."""
    state = holding("AAPL")
    ask(state, "kill")
    kept = receipt_of(state).positions
    ask(state, "kill", scope="flatten")
    open_ones = receipt_of(state).positions
    step(state, START + SECOND, fill("AAPL-t", "10", "198", side=Side.SELL, execution="c"))
    closed = receipt_of(state).positions

    assert [(row.instrument, row.was, row.now, row.fate) for row in (*kept, *open_ones, *closed)] == [
        ("AAPL", D(10), D(10), "kept"),
        ("AAPL", D(10), D(10), "open"),
        ("AAPL", D(10), D(0), "closed"),
    ]
    assert open_ones[0].words


def test_a_broker_that_is_away_is_what_a_kill_waits_for():
    """Its stops live on; the cancels are first when it is back (F91)."""
    state = holding("AAPL")
    ask(state, "kill", scope="flatten")
    step(state, START, BrokerDown("paper", "cut"))

    waits = receipt_of(state).waits
    assert waits[0] == "paper does not answer: the cancels are first when it is back, stops there live on"
    assert any("AAPL +10 is still held: paper does not answer" in words for words in waits)


def test_the_rows_have_a_bound_and_the_counts_tell_of_all():
    """A hundred of each."""
    state = trading_state()
    for number in range(ROWS_MAX + 5):
        refold(state, START, Tick(), [bracket("MSFT", tag=f"-{number}")])
    refold(state, START, Tick(), [LatchKill(Scope.ORDERS, "a test")])

    receipt = receipt_of(state)

    assert (len(receipt.entries), len(receipt.waits)) == (ROWS_MAX, ROWS_MAX)
    assert receipt.counts == {"in_flight": ROWS_MAX + 5}
    assert summed(receipt) == "105 in flight"


def test_orders_of_a_past_session_are_remembered_as_long_as_their_kill():
    """A new session forgets ended orders; the receipt keeps its rows."""
    state = trading_state()
    submitted(state, bracket("MSFT"))
    ask(state, "kill")
    step(state, START, OrderExpired("MSFT-e"))
    del state.orders["MSFT-e"]

    assert fates(state) == {"MSFT-e": ("cancelled", "forgotten with its session")}
