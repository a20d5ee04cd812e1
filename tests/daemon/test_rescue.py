"""joed.daemon.rescue: what a broker's book asks of a failsafe, by example."""

from decimal import Decimal

import pytest

from joed.daemon.remains import Executed, Remains
from joed.daemon.rescue import closes_of, judge, left_of, to_close
from joed.model import ids
from joed.model.events import BrokerRead, OrderFilled, OrderSeen, PositionSeen
from joed.model.values import Flatten, Leg, Side, Status

KEY = bytes(range(32))
BEGUN = "j1-20260901-1-7.0"
ENTRY, STOP, TARGET = (ids.made(KEY, BEGUN, leg) for leg in (Leg.ENTRY, Leg.STOP, Leg.TARGET))
CLOSE = ids.made(KEY, "j1-20260901-0-1.0", Leg.CLOSE)
BOUGHT = Remains(
    groups={ENTRY: ENTRY, STOP: ENTRY}, executions={(ENTRY, "x1"): Executed("KO", Side.BUY, Decimal(10), 0)}
)


def seen(order, side=Side.SELL, quantity="10", status=Status.WORKING, instrument="KO"):
    """Give a living order of the broker's book."""
    return OrderSeen(order, "1", instrument, side, Decimal(quantity), status)


def book(*orders, held="10", executions=()):
    """Give a whole reading with one position."""
    positions = (PositionSeen("KO", Decimal(held), Decimal(50)),) if Decimal(held) else ()
    return BrokerRead("paper", 1, 1, 2, True, orders, positions, tuple(executions))


def verdict(*orders, remains=BOUGHT, **shown):
    """Judge a reading."""
    return judge(book(*orders, **shown), remains, KEY)


def test_a_position_with_a_working_stop_of_its_size_wants_nothing():
    """No close under `unprotected`, nothing left."""
    found = verdict(seen(STOP))

    assert [held.missing for held in found.positions] == [0]
    assert to_close(found, Flatten.UNPROTECTED) == ()
    assert left_of(found, BOUGHT) == []


@pytest.mark.parametrize(
    ("stop", "missing"),
    [
        (None, 10),
        (seen(STOP, quantity="4"), 6),
        (seen(STOP, side=Side.BUY), 10),
        (seen(STOP, status=Status.ACKED), 10),
        (seen(STOP, status=Status.CANCELLED), 10),
        (seen(STOP, instrument="PEP"), 10),
        (seen(TARGET), 10),
        (seen(ids.made(bytes(32), BEGUN, Leg.STOP)), 10),
    ],
)
def test_only_a_working_stop_of_ours_on_the_closing_side_protects(stop, missing):
    """A stop that waits, is too small, another's, a target: each leaves the position bare by so much."""
    found = verdict(*([stop] if stop else []))

    assert [held.missing for held in found.positions] == [missing]
    assert [held.instrument for held in to_close(found, Flatten.UNPROTECTED)] == ["KO"]
    assert to_close(found, Flatten.NEVER) == ()
    assert [words for words in left_of(found, BOUGHT) if "without a working stop" in words]


def test_a_bare_position_is_closed_whole_in_its_group():
    """A market order on the closing side, by an id of ours, that shrinks what else may close it."""
    (held,) = to_close(verdict(seen(STOP, quantity="4")), Flatten.UNPROTECTED)

    (close,) = closes_of(held, "paper", "j1-20260901-0-1", KEY, 0)

    assert (close.order, close.side, close.quantity, close.group, close.opens) == (
        CLOSE,
        Side.SELL,
        Decimal(10),
        ENTRY,
        False,
    )


def test_all_closes_also_what_is_protected():
    """As a kill of scope flatten asks."""
    assert [held.instrument for held in to_close(verdict(seen(STOP)), Flatten.ALL)] == ["KO"]


def test_what_our_executions_do_not_explain_is_not_ours():
    """A person's shares are counted and never closed; of a mixed position only our part is."""
    strange = verdict(remains=Remains())
    mixed = verdict(held="25")

    assert [held.ours for held in strange.positions] == [0]
    assert to_close(strange, Flatten.ALL) == ()
    assert [held.ours for held in mixed.positions] == [10]
    (held,) = to_close(mixed, Flatten.ALL)
    assert [close.quantity for close in closes_of(held, "paper", "j1-s-0-1", KEY, 0)] == [Decimal(10)]


def test_a_position_that_turned_beyond_our_books_is_not_ours():
    """We bought, the broker shows short: whoever sold, it was not we."""
    assert [held.ours for held in verdict(held="-5").positions] == [0]


def test_where_the_record_cannot_be_read_a_strange_position_is_named():
    """It may be ours: nobody knows."""
    unknown = Remains(damage=["orders: gone"])

    assert [words for words in left_of(verdict(remains=unknown), unknown) if "is not known" in words]
    assert left_of(verdict(remains=Remains()), Remains()) == []


def test_an_execution_that_only_the_broker_told_of_counts():
    """The fill that joed died before hearing is ours by its order's key; a stranger's is not."""
    fill = OrderFilled(ENTRY, "x1", "KO", Side.BUY, Decimal(10), Decimal(50))
    strange = OrderFilled("hand", "x2", "KO", Side.BUY, Decimal(10), Decimal(50))

    assert [held.ours for held in verdict(remains=Remains(), executions=[fill]).positions] == [10]
    assert [held.ours for held in verdict(remains=Remains(), executions=[strange]).positions] == [0]


def test_a_close_under_way_is_not_sent_twice_and_is_left_until_it_fills():
    """Two closes could turn the position."""
    found = verdict(seen(CLOSE))

    assert to_close(found, Flatten.ALL) == ()
    assert [words for words in left_of(found, BOUGHT) if "has not filled yet" in words]


def test_entries_rest_while_they_live_and_their_children_wait():
    """An entry is cancelled whatever its status; the waiting children go with it and are no strays."""
    waiting = (seen(ENTRY, side=Side.BUY, status=Status.PARTIAL), seen(STOP, status=Status.ACKED))
    found = verdict(*waiting, held="0", remains=Remains())

    assert [order.order for order in found.entries] == [ENTRY]
    assert found.strays == ()
    assert [words for words in left_of(found, BOUGHT) if "still rests" in words]


@pytest.mark.parametrize("held", ["0", "-10"])
def test_an_exit_that_guards_nothing_is_named(held):
    """It would open a position when it fills."""
    found = verdict(seen(STOP), held=held, remains=Remains())

    assert [order.order for order in found.strays] == [STOP]
    assert [words for words in left_of(found, BOUGHT) if "guards nothing" in words]


def test_stops_of_more_than_the_position_are_named():
    """Together they would turn it."""
    second = ids.made(KEY, "j1-20260901-1-8.0", Leg.STOP)

    assert [w for w in left_of(verdict(seen(STOP), seen(second, quantity="1")), BOUGHT) if "would turn it" in w]


def test_orders_of_others_are_counted_and_nothing_else():
    """A foreign order has no id, or one that our key did not make."""
    found = verdict(seen(""), seen("j1-20260901-1-7.0-E-0000"), seen(STOP))

    assert (found.foreign, found.entries, found.strays) == (2, (), ())
