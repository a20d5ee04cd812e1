"""joed.brokers.capital.books: what a look at the account means for our orders."""

from decimal import Decimal as Money

import pytest

from joed.brokers.capital.books import Books
from joed.brokers.capital.ledger import Ledger, Stage
from joed.model.events import OrderAccepted, OrderCancelled, OrderDoubted, OrderExpired, OrderFilled, OrderWorking
from joed.model.values import SECOND, Leg, Side, Status
from tests.brokers.capital.rows import SENT_NS, act, closing, entry, held, opened, resting, trade, whole

LEGS = [OrderAccepted("E1", "d1"), OrderAccepted("E1-S", "d1:S"), OrderAccepted("E1-T", "d1:T")]
NOBODY = frozenset()


def book_of(*rows):
    """Give the books of these rows."""
    ledger = Ledger()
    for row in rows:
        ledger.put(row)
    return Books("capital", ledger, 120 * SECOND)


def fold(books, look, hands=NOBODY):
    """Take a look over, at its own time."""
    return books.fold(look, look.to_ns, 0, hands)


def fill_of(order="E1", execution="d1:open", price="100", side=Side.BUY, at_s=1):
    """Give a fill of ten."""
    at_ns = SENT_NS + at_s * SECOND
    return OrderFilled(order, execution, "AAA", side, Money(10), Money(price), at_ns=at_ns, broker="capital")


def closed_by(order, price):
    """Give the fill that closed it."""
    return fill_of(order, "d1:close", price, Side.SELL, at_s=9)


def test_an_order_in_doubt_that_is_found_is_told_by_the_next_read_alone():
    """Its fill is booked here without a word: the doubt was told, and a whole read ends it."""
    row = entry(doubted=True)
    books = book_of(row)

    assert fold(books, whole(held())) == []
    assert (row.stage, row.deals, row.fills) == (Stage.OPEN, ("d1",), (fill_of(),))
    assert row.doubted is False


def test_an_order_that_a_confirmation_named_needs_no_fingerprint():
    """C7: accepted, and the position is there: by the order's id that it names, whatever its levels."""
    row = entry(working="o1", stage=Stage.SENT)
    fold(book_of(row), whole(held(working="o1", stop=Money(94))))

    assert (row.stage, row.deals) == (Stage.OPEN, ("d1",))


def test_an_order_that_is_being_carried_out_is_not_judged():
    """Its own answer is on its way."""
    row = entry()

    assert fold(book_of(row), whole(held()), frozenset({"E1"})) == []
    assert row.stage is Stage.ARMED


def test_a_look_that_is_older_than_what_we_know_says_nothing():
    """It was taken before the order's last word."""
    row = opened(changed_ns=whole().from_ns)
    fold(book_of(row), whole(acts=[closing()]))

    assert row.stage is Stage.OPEN


def test_several_candidates_are_told_and_a_later_look_may_tell_them_apart():
    """QUARANTINED names them once; when one is gone the other is it."""
    row = entry(doubted=True)
    books = book_of(row)

    assert fold(books, whole(held("d1"), held("d2"))) == [OrderDoubted("E1", "it may be one of several", ("d1", "d2"))]
    assert fold(books, whole(held("d1"), held("d2"), at_s=21)) == []
    assert row.stage is Stage.QUARANTINED
    fold(books, whole(held("d1"), at_s=22))
    assert (row.stage, row.deals) == (Stage.OPEN, ("d1",))


def test_an_order_that_nothing_ever_shows_counts_as_never_made_and_may_still_come():
    """After two minutes and three sets; then, within a day, it is adopted with all its words."""
    row = entry(doubted=True)
    books = book_of(row)
    for at_s in (5, 60, 119):
        fold(books, whole(at_s=at_s))
    assert row.stage is Stage.ARMED
    fold(books, whole(at_s=120))
    assert row.stage is Stage.ABSENT

    told = fold(books, whole(held(), at_s=4_000))
    assert told[:3] == LEGS
    assert fill_of() in told


def test_a_working_order_that_fills_is_found_by_the_order_that_its_position_names():
    """The position has a new id; by the old one alone the order would seem to vanish."""
    row = entry(stage=Stage.RESTING, rests=True, working="w1")

    assert fold(book_of(row), whole(held(working="w1"))) == [
        fill_of(),
        OrderWorking("E1-S", Money(10), Money(95)),
        OrderWorking("E1-T", Money(10), Money(110)),
    ]


def test_a_working_order_that_filled_and_closed_between_two_looks_is_told_whole():
    """Two activities say what no list shows."""
    row = entry(stage=Stage.RESTING, rests=True, working="w1")
    told = fold(book_of(row), whole(acts=[act(working="w1"), closing()]))

    assert [event for event in told if isinstance(event, OrderFilled)] == [fill_of(), closed_by("E1-S", "95")]
    assert row.stage is Stage.ENDED


@pytest.mark.parametrize(
    ("status", "kind"), [("EXPIRED", OrderExpired), ("CANCELLED", OrderCancelled), ("REJECTED", OrderCancelled)]
)
def test_a_working_order_ends_as_its_activity_says(status, kind):
    """It, and its legs with it."""
    row = entry(stage=Stage.RESTING, rests=True, working="w1")
    told = fold(book_of(row), whole(acts=[act("w1", kind="WORKING_ORDER", status=status)]))

    assert [(type(event), event.order) for event in told] == [(kind, name) for name in ("E1", "E1-S", "E1-T")]


def test_a_working_order_that_is_nowhere_is_waited_for_before_it_counts_as_cancelled():
    """Lists lag, activity comes late: three looks and a minute and a half."""
    row = entry(stage=Stage.RESTING, rests=True, working="w1")
    books = book_of(row)
    for at_s in (1, 30, 90):
        assert fold(books, whole(at_s=at_s)) == []
    assert [type(event) for event in fold(books, whole(at_s=91))] == [OrderCancelled] * 3


def test_a_working_order_that_comes_back_into_view_was_never_lost():
    """The count begins again."""
    row = entry(stage=Stage.RESTING, rests=True, working="w1")
    books = book_of(row)
    for at_s, rows in ((1, ()), (50, ()), (80, (resting(),)), (81, ()), (120, ())):
        assert fold(books, whole(*rows, at_s=at_s)) == []


@pytest.mark.parametrize(("source", "filled", "gone"), [("SL", "E1-S", "E1-T"), ("TP", "E1-T", "E1-S")])
def test_a_position_that_ended_was_closed_by_the_leg_that_its_activity_names(source, filled, gone):
    """That leg has the fill, the other is gone."""
    told = fold(book_of(opened()), whole(acts=[closing(source, "95")]))

    assert told == [closed_by(filled, "95"), OrderCancelled(gone, f"the position ended ({source})")]


def test_a_position_that_is_missing_has_not_ended_before_something_says_how():
    """One failed or late list is not flat (S6): nothing is told."""
    row = opened()

    assert fold(book_of(row), whole()) == []
    assert row.stage is Stage.OPEN


def test_an_ending_waits_for_its_price_and_in_the_end_takes_it_from_the_result():
    """Activity comes with level 0 first; the money that the trade made is the price's own proof."""
    row = opened(fills=(fill_of(),))
    books = book_of(row)

    assert fold(books, whole(acts=[closing(level="")])) == []
    told = fold(books, whole(acts=[closing(level="")], trades=[trade(amount="-50")], at_s=21))
    assert told[0].price == Money(95)


def test_a_position_that_our_close_ended_is_the_closes():
    """C1 has the fill, both legs are gone, and the close is over."""
    close = entry("C1", leg=Leg.CLOSE, side=Side.SELL, opens=False, deals=("d1",), stop_order="", target_order="")
    told = fold(book_of(opened(), close), whole(acts=[closing("USER", "99")]))

    assert told[0] == closed_by("C1", "99")
    assert [event.order for event in told[1:]] == ["E1-S", "E1-T"]
    assert (close.stage, close.ended) == (Stage.ENDED, {"C1": Status.FILLED})


def test_a_stop_that_fires_while_our_close_is_under_way_has_the_fill():
    """The source says who was first; the close finds nothing."""
    close = entry("C1", leg=Leg.CLOSE, side=Side.SELL, opens=False, deals=("d1",), stop_order="", target_order="")

    assert fold(book_of(opened(), close), whole(acts=[closing("SL")]))[0].order == "E1-S"


@pytest.mark.parametrize("source", ["USER", "CLOSE_OUT", "DEALER"])
def test_a_position_that_somebody_else_ended_is_no_fill_of_ours(source):
    """By hand, or by the service: legs are gone, and the next read shows a position that our books do not explain."""
    told = fold(book_of(opened()), whole(acts=[closing(source)]))

    assert [(type(event), event.order) for event in told] == [(OrderCancelled, "E1-S"), (OrderCancelled, "E1-T")]


def test_levels_that_somebody_moved_are_the_brokers():
    """A stop raised by hand works where the broker holds it."""
    told = fold(book_of(opened()), whole(held(stop=Money(96), target=None)))

    assert told == [
        OrderWorking("E1-S", Money(10), Money(96)),
        OrderCancelled("E1-T", "the position has no target any more"),
    ]


def test_a_stop_is_lost_when_two_looks_lack_it():
    """One row without its level may be sparse; two are a position without a stop, and that is told at once."""
    books = book_of(opened())

    assert fold(books, whole(held(stop=None))) == []
    assert fold(books, whole(held(stop=None), at_s=21)) == [OrderCancelled("E1-S", "the position has no stop any more")]


def test_a_position_that_became_smaller_has_smaller_legs():
    """Somebody's order the other way netted it: what is left is what stop and target are for."""
    told = fold(book_of(opened()), whole(held(size=Money(6))))

    assert [(event.order, event.quantity) for event in told] == [("E1-S", Money(6)), ("E1-T", Money(6))]


def test_a_fill_smaller_than_asked_ends_the_rest():
    """A netting account met positions the other way: the whole of what was opened is protected."""
    row = entry(stage=Stage.RESTING, rests=True, working="w1")
    told = fold(book_of(row), whole(held(working="w1", size=Money(4))))

    assert [type(event) for event in told] == [OrderFilled, OrderCancelled, OrderWorking, OrderWorking]
    assert {event.quantity for event in told if isinstance(event, OrderWorking)} == {Money(4)}


def test_a_close_whose_position_lives_on_was_never_carried_out():
    """Twenty seconds after it was sent: the next read lacks it, and it may be asked for anew."""
    close = entry("C1", leg=Leg.CLOSE, side=Side.SELL, opens=False, deals=("d1",), stop_order="", target_order="")
    books = book_of(opened(), close)
    fold(books, whole(held(), at_s=19))
    assert close.stage is Stage.ARMED
    fold(books, whole(held(), at_s=21))

    assert close.stage is Stage.ABSENT


def test_a_close_that_its_position_did_not_wait_for_is_no_doubt_for_ever():
    """The target ended the position as the close was on its way, and the close's answer was lost: nothing is left."""
    close = entry("C1", leg=Leg.CLOSE, side=Side.SELL, opens=False, deals=("d1",), stop_order="", target_order="")
    books = book_of(opened(), close)
    assert fold(books, whole(acts=[closing("TP")], at_s=19))[0].order == "E1-T"
    assert close.stage is Stage.ARMED
    fold(books, whole(at_s=21))

    assert close.stage is Stage.ABSENT
    assert close.fills == ()


@pytest.mark.parametrize(
    ("row", "look", "wants"),
    [
        (opened(), whole(held()), False),
        (opened(), whole(), True),
        (entry(), whole(), True),
        (entry(stage=Stage.RESTING, working="w1"), whole(resting()), False),
        (entry(stage=Stage.RESTING, working="w1"), whole(), True),
        (entry(stage=Stage.ENDED), whole(), False),
    ],
)
def test_history_is_asked_for_only_where_the_lists_leave_something_open(row, look, wants):
    """Two requests more each look would starve the orders."""
    assert book_of(row).wants_history(look) is wants


def test_a_person_settles_which_of_several_an_order_is():
    """The named one is it from the next look on, open, closed meanwhile, or resting; none is never having been."""
    for look, stage in ((whole(held("d2")), Stage.OPEN), (whole(acts=[act("d2"), closing(deal="d2")]), Stage.ENDED)):
        row = entry(stage=Stage.QUARANTINED, candidates=("d1", "d2"))
        books = book_of(row)
        assert books.settle(row, "d2", None)
        fold(books, look)
        assert (row.stage, row.deals, row.fills[0].execution) == (stage, ("d2",), "d2:open")

    row = entry(stage=Stage.QUARANTINED, candidates=("w1", "w2"), rests=True)
    assert book_of(row).settle(row, "w2", whole(resting("w2")))
    assert (row.stage, row.working) == (Stage.RESTING, "w2")

    row = entry(stage=Stage.QUARANTINED, candidates=("d1", "d2"))
    assert book_of(row).settle(row, "", None)
    assert row.stage is Stage.ABSENT


def test_a_word_about_what_is_in_no_doubt_changes_nothing():
    """Two whole reads retire an order here that is known to rest there: the ledger knows better."""
    row = opened()

    assert not book_of(row).settle(row, "", None)
    assert row.stage is Stage.OPEN
