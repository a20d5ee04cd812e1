"""joed.brokers.capital.desk: one POST an order, what its answer proves, and nothing sent twice."""

import asyncio

import pytest
from msgspec.structs import replace

from joed.model.commands import AmendOrder, CancelOrder
from joed.model.events import (
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderDoubted,
    OrderFilled,
    OrderRejected,
    OrderWorking,
    Quote,
)
from joed.model.values import SECOND, Status
from tests.brokers.capital.place import Place
from tests.brokers.rigs import bracket, permitted

LEGS = ["E1", "E1-S", "E1-T"]


@pytest.fixture
def place(tmp_path):
    """Give an account that is connected, with a price."""
    place = Place(tmp_path)
    yield place
    place.close()


def test_a_position_is_born_with_its_stop_and_its_target(place):
    """In the same POST, as absolute levels: there is no moment without them, whatever is lost."""
    place.submit(bracket())
    place.wait()

    assert place.posts() == 1
    assert place.exchange.protection("AAA") == 10
    assert not [path for _, method, path in place.fake.log if method == "PUT"]


@pytest.mark.parametrize("fault", ["html", "empty", "java", "truncate", "tear", "lose_answer", "hang", "bomb"])
@pytest.mark.parametrize("carried_out", [True, False])
def test_an_answer_that_proves_nothing_leaves_the_order_in_doubt_and_is_never_asked_for_again(
    place, fault, carried_out
):
    """HTML, nothing, a Java class, half a JSON, a reset, silence: carried out or not, one POST and one truth."""
    if (fault, carried_out) in {("lose_answer", False), ("bomb", True)}:
        fault, carried_out = "lose_request" if fault == "lose_answer" else "bomb", False
    more = {} if fault in {"lose_answer", "lose_request", "bomb"} else {"carried_out": carried_out}
    getattr(place.fake.faults, fault)("POST", "/positions", **more)
    place.submit(bracket())
    place.wait(5.0)
    early, told = place.read(), place.of(OrderDoubted, OrderRejected, OrderAccepted, OrderFilled)
    place.wait(40.0)
    seen = place.read()

    assert [(type(event), event.order) for event in told] == [(OrderDoubted, "E1")]
    assert place.posts() == 1
    if carried_out:
        assert seen.ended["E1"] is Status.FILLED
        assert place.exchange.position("AAA") == 10
    else:
        assert [row.status for row in early.orders] == [Status.UNCERTAIN] * 3
        assert (seen.orders, seen.ended, place.exchange.position("AAA")) == ((), {}, 0)


def test_an_epic_is_frozen_while_an_order_on_it_is_in_doubt_and_others_go_on(place):
    """One unresolved POST an epic; when it is found, or absent, the next may go."""
    place.fake.faults.lose_request("POST", "/positions")
    place.submit(bracket())
    place.wait(5.0)

    assert place.broker.submit(bracket("E2"), permitted) == "the fate of E1 in AAA is open"
    place.quote(49.9, 50.0, "BBB")
    place.submit(bracket("E3", level="50.00", stop="45.00", target="60.00", instrument="BBB"))
    place.wait(40.0)
    place.quote(99.8, 100.0)
    place.submit(bracket("E4"))
    place.wait()
    assert place.filled() == ["E3", "E4"]


def test_an_order_that_shows_itself_after_it_counted_as_absent_is_adopted_with_its_stop(place):
    """F78: counted at once, with its words, and its protection is there."""
    place.fake.faults.positions_lag_s = place.fake.faults.activity_delay_s = 200.0
    place.fake.faults.lose_answer("POST", "/positions")
    place.submit(bracket())
    place.wait(45.0)
    gone = place.read()
    place.wait(10.0)

    assert (gone.orders, gone.ended) == ((), {})
    assert place.filled() == ["E1"]
    assert place.of(OrderWorking)[-2:] == [
        OrderWorking("E1-S", 10, bracket().stop),
        OrderWorking("E1-T", 10, bracket().target),
    ]
    assert place.posts() == 1


def test_a_manual_order_of_the_same_size_in_the_same_second_is_not_taken_for_ours(place):
    """F77: the fingerprint decides."""
    place.fake.faults.lose_request("POST", "/positions")
    place.submit(bracket())
    place.exchange.submit(place.clock.now(), bracket("APP-1", stop="94.00", target="111.00"))
    place.wait(45.0)
    seen = place.read()

    assert place.exchange.position("AAA") == 10
    assert (seen.orders, seen.executions, seen.ended) == ((), (), {})
    assert [held.quantity for held in seen.positions] == [10]


def test_a_rejection_by_confirmation_ends_the_order_with_its_reason(place):
    """200 and a reference first, then no: for each leg, by our word for it."""
    place.fake.faults.rejects.append("RC_NOT_ENOUGH_MARGIN")
    place.submit(bracket())
    place.wait()

    assert [(event.order, event.code) for event in place.of(OrderRejected)] == [(name, "margin") for name in LEGS]
    assert place.exchange.position("AAA") == 0


def test_a_refusal_at_once_ends_the_order_with_its_reason(place):
    """A 4xx with a code of theirs is definitive; the epic is free again."""
    place.fake.faults.error("POST", "/positions", "error.invalid.stoploss.minvalue: 98.1", status=400)
    place.submit(bracket())
    place.wait()
    place.freshen()
    place.submit(bracket("E2"))
    place.wait()

    assert [(event.order, event.code) for event in place.of(OrderRejected)] == [(name, "stop") for name in LEGS]
    assert place.filled() == ["E2"]


def test_a_confirmation_that_comes_late_is_waited_for_and_the_books_are_searched_meanwhile(place):
    """404 for half a minute after a POST that was carried out: in doubt, found, once."""
    place.fake.faults.confirm_delay_s = 30.0
    place.submit(bracket())
    place.wait(10.0)
    seen = place.read()

    assert [type(event) for event in place.of(OrderDoubted, OrderFilled)] == [OrderDoubted]
    assert [fill.order for fill in seen.executions] == ["E1"]
    assert place.posts() == 1


def test_a_kill_between_the_hand_over_and_the_write_lets_no_post_leave(place):
    """Asked again where the bytes leave: refused there, and told as not sent."""
    asked = []

    def permit(command):
        asked.append(command.order)
        return "killed" if len(asked) > 1 else ""

    place.submit(bracket(), permit)
    place.wait()

    assert asked == ["E1", "E1"]
    assert place.posts() == 0
    assert [(event.order, event.code, event.words) for event in place.of(OrderRejected)] == [
        (name, "not_sent", "killed") for name in LEGS
    ]


@pytest.mark.parametrize("wait", ["look", "turn"])
def test_an_entry_that_cannot_leave_within_its_time_is_refused_then_and_never_leaves(place, wait):
    """A 429 silences its look at the account, or its own turn, for longer: at its expiry it is over, proven."""
    place.freshen()
    place.broker.limiter.refused()
    if wait == "look":
        place.broker.link.image = None
    place.submit(replace(bracket(), expires_at_ns=place.clock.now() + SECOND // 2))
    place.spin(0.4)
    before = place.of(OrderRejected)
    place.spin(0.2)
    told = [(event.order, event.code, event.words) for event in place.of(OrderRejected)]
    place.wait()

    assert (before, told) == ([], [(name, "not_sent", "expired") for name in LEGS])
    assert place.of(OrderRejected)[3:] == place.of(OrderDoubted) == []
    assert (place.posts(), place.broker._ledger.unresolved("AAA")) == (0, None)
    place.freshen()
    place.submit(bracket("E2"))
    place.wait()
    assert place.filled() == ["E2"]


def test_a_login_that_fails_before_an_order_leaves_is_no_doubt_about_the_order(place):
    """The tokens are too old as its turn comes, and nobody answers the login: not one byte of the order has left."""
    place.freshen()
    tokens = place.broker.session.tokens
    tokens.born_ns = tokens.used_ns = 0
    place.fake.faults.html("POST", "/session", 2)
    place.submit(bracket())
    place.wait()

    assert place.of(OrderDoubted) == []
    assert [(event.order, event.code) for event in place.of(OrderRejected)] == [(name, "not_sent") for name in LEGS]
    assert place.posts() == 0


def test_an_entry_whose_bytes_have_left_is_not_called_off_by_its_expiry(place):
    """Its answer takes longer than its time: it is waited for, and the order is what it says."""
    place.fake.faults.delay("POST", "/positions", 2.0)
    place.submit(replace(bracket(), expires_at_ns=place.clock.now() + SECOND))
    place.wait()

    assert (place.filled(), place.of(OrderRejected, OrderDoubted)) == (["E1"], [])


def test_an_entry_that_is_cancelled_before_its_bytes_leave_is_cancelled_at_once_and_never_leaves(place):
    """It waits for its look at the account; nothing was sent, so there is nothing to take back."""
    place.broker.link.image = None
    place.fake.faults.delay("GET", "/workingorders", 5.0)
    place.submit(bracket())
    place.spin(1.0)
    assert place.broker.cancel(CancelOrder("E1", "killed"), permitted) == ""
    place.spin(0.1)
    told = [(event.order, event.reason) for event in place.of(OrderCancelled)]
    place.wait(10.0)

    assert told == [(name, "killed") for name in LEGS]
    assert (place.posts(), place.of(OrderRejected, OrderDoubted)) == (0, [])


@pytest.mark.parametrize(
    ("bid", "words"),
    [
        (100.9, "the price went beyond the order's limit while it waited"),
        (99.95, ""),
        (None, "no price of AAA is young enough to place an order by"),
    ],
)
def test_an_entry_that_waited_leaves_only_on_a_young_price_that_is_still_within_its_limit(place, bid, words):
    """What trades at once has no limit at Capital.com: its own is asked again directly before the bytes."""
    place.broker.link.image = None
    place.fake.faults.delay("GET", "/workingorders", 6.0)
    place.submit(bracket())
    place.spin(3.0)
    if bid is not None:
        place.fake.quote(Quote("AAA", bid, bid + 0.05))
    place.wait(2.0)

    assert place.posts() == (0 if words else 1)
    assert [event.words for event in place.of(OrderRejected)] == ([words] * 3 if words else [])


def test_a_cancel_of_an_entry_that_has_no_number_yet_is_done_as_soon_as_it_has_one(place):
    """Asked while the POST is under way: kept, and carried out; not lost, and not refused."""
    place.fake.faults.confirm_delay_s = 3.0
    place.submit(bracket(level="99.00"))
    place.spin(0.3)
    assert place.broker.cancel(CancelOrder("E1", "killed"), permitted) == ""
    place.wait(3.0)

    assert [event.order for event in place.of(OrderCancelled)] == LEGS
    assert place.read().orders == ()


def test_a_cancel_whose_answer_is_lost_is_refused_and_the_books_tell(place):
    """It may have been carried out: the order is gone from the lists, and that is told."""
    place.submit(bracket(level="99.00"))
    place.wait()
    place.fake.faults.lose_answer("DELETE", "/workingorders")
    place.broker.cancel(CancelOrder("E1"), permitted)
    place.wait(3.0)

    assert [event.order for event in place.of(CancelRejected)] == ["E1"]
    assert [event.order for event in place.of(OrderCancelled)] == LEGS


def test_a_resting_entry_that_nobody_cancels_dies_by_itself(place):
    """goodTillDate: an order that nobody sees any more ends after two minutes."""
    place.submit(bracket(level="99.00"))
    place.wait(35.0)

    assert place.read().ended == dict.fromkeys(LEGS, Status.EXPIRED)


def test_two_orders_of_one_shape_differ_in_their_stop(place):
    """By a tick, nearer: so that each can be told from the other for a day."""
    place.submit(bracket())
    place.wait()
    place.freshen()
    place.submit(bracket("E2"))
    place.wait()

    assert [str(event.level) for event in place.of(OrderWorking) if event.order.endswith("-S")] == ["95.00", "95.01"]


def test_what_a_429_refused_was_not_carried_out_and_is_not_sent_again(place):
    """A definitive refusal; what to do next is the engine's to decide."""
    place.fake.faults.too_many("POST", "/positions")
    place.submit(bracket())
    place.wait(3.0)

    assert [(event.order, event.code) for event in place.of(OrderRejected)] == [(name, "rate") for name in LEGS]
    assert place.posts() == 1


def test_an_amendment_meanwhile_of_another_order_is_not_held_up(place):
    """Each order is carried out in a task of its own: one that hangs delays no stop."""
    place.submit(bracket())
    place.wait()
    place.quote(49.9, 50.0, "BBB")
    place.fake.faults.hang("POST", "/positions")
    place.submit(bracket("E2", level="50.00", stop="45.00", target="60.00", instrument="BBB"))
    place.broker.amend(AmendOrder("E1-S", bracket().stop + 1), permitted)
    place.wait()

    assert OrderWorking("E1-S", 10, bracket().stop + 1) in place.events


@pytest.mark.parametrize("fault", ["too_many", "html", "truncate", "lose_answer", "bomb"])
@pytest.mark.parametrize("path", ["/confirms", "/positions", "/workingorders", "/session"])
def test_whatever_fails_around_an_order_ends_neither_the_adapter_nor_the_truth(place, fault, path):
    """A storm on any question while an order is carried out: one POST at most, and the books have it in the end."""
    getattr(place.fake.faults, fault)("GET", path, 12)
    said = place.broker.submit(bracket(), permitted)
    place.wait(12.0)
    place.fake.faults.clear()
    place.wait(12.0)
    seen = place.read(3.0)

    assert not place.running.done()
    assert said == ""
    assert place.posts() <= 1
    assert place.exchange.position("AAA") == 10 * place.posts()
    assert len(seen.executions) == place.posts()


def test_an_account_that_is_switched_as_an_order_is_handed_over_gets_no_order(place):
    """The look before the order finds another account: nothing leaves, and the adapter lives on."""
    place.broker.link.image = None
    place.fake.switch_account(next(name for name in place.fake.accounts if name != "PAPER-1"))
    place.broker.submit(bracket(), permitted)
    place.wait(3.0)

    assert place.posts() == 0
    assert not place.running.done()


def test_a_confirmation_whose_time_is_none_is_asked_for_again_and_the_books_tell(place):
    """What cannot be read is no answer, and no end of anything."""
    body = b'{"dealStatus":"ACCEPTED","status":"OPEN","dealId":"x","level":1,"size":1,"date":"soon",'
    body += b'"affectedDeals":[{"dealId":"y","status":"OPENED"}]}'
    trick = place.fake.faults.error("GET", "/confirms", "", 99, status=200)
    trick.body = body
    place.submit(bracket())
    place.wait(10.0)

    assert not place.running.done()
    assert place.read().ended["E1"] is Status.FILLED


@pytest.mark.parametrize(("slow", "tries", "posts"), [(1, 2, 1), (9, 2, 0)])
def test_a_disk_that_is_slow_once_costs_another_look_and_one_that_stays_slow_the_order(
    place, monkeypatch, slow, tries, posts
):
    """What the account held is at most two seconds old as the order leaves; else it does not leave, and says so."""
    ledger, tried = place.broker._ledger, []
    arm = ledger.arm

    async def late(intent):
        tried.append(intent.order)
        if len(tried) <= slow:
            await asyncio.sleep(3.0)
        await arm(intent)

    monkeypatch.setattr(ledger, "arm", late)
    place.freshen()
    place.submit(bracket())
    place.spin(20.0)

    assert (len(tried), place.posts()) == (tries, posts)
    assert [event.code for event in place.of(OrderRejected)] == ["not_sent"] * (0 if posts else 3)


def test_what_is_written_down_of_an_order_that_waited_for_its_turn_is_the_moment_at_which_it_leaves(place):
    """The turn first, then the row: a look that the wait made old is taken anew, and the time is the POST's own."""
    for pause_s in (1.0, 2.0):
        place.broker.limiter.refused()
        place.spin(pause_s)
    place.broker.limiter.refused()  # four seconds of silence
    place.spin(2.0)
    place.broker.link.image = replace(place.broker.link.image, from_ns=place.clock.now() - SECOND)
    place.freshen()
    place.submit(bracket())
    place.wait()

    [at_ns] = [at_ns for at_ns, method, path in place.fake.log if (method, path) == ("POST", "/positions")]
    [row] = [row for row in place.broker._ledger.rows() if row.order == "E1"]
    assert at_ns - row.sent_ns < SECOND // 10
    looks = [ns for ns, method, path in place.fake.log if (method, path) == ("GET", "/positions") and ns < at_ns]
    assert at_ns - looks[-1] <= 2 * SECOND
