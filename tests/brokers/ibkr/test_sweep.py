"""joed.brokers.ibkr.sweep: a kill of the account reaches what others made, and nothing of ours."""

import pytest

from joed.model.commands import CancelForeign, ReadBroker
from joed.model.events import BrokerRead
from joed.model.feeds import BrokerExamined
from tests.brokers.rigs import bracket, permitted


@pytest.fixture
def mixed(rig):
    """Give the rig with a position of ours under its exits, and an order that was made by hand."""
    rig.broker.submit(bracket(), permitted)
    rig.fault("manual BUY 5 AAA 90.0")
    rig.wait()
    rig.take()
    return rig


def orders(rig):
    """Read the book, and give its open orders."""
    rig.broker.read(ReadBroker("paper"))
    rig.wait()
    (seen,) = [event for event in rig.take() if isinstance(event, BrokerRead)]
    return seen.orders


def foreign(rig):
    """Give the command that ends all that is not ours."""
    return CancelForeign("paper", tuple(row.broker_id for row in orders(rig) if not row.order))


def test_an_order_made_by_hand_ends_and_our_exits_work_on(mixed):
    """TWS hands manual orders to client 0 alone: joed comes as that for a moment, and leaves."""
    assert mixed.broker.cancel_foreign(foreign(mixed), permitted) == ""
    mixed.wait(3.0)

    assert [row.order for row in orders(mixed)] == ["E1-S", "E1-T"]
    assert list(mixed.tws.clients) == [17]


def test_permission_is_asked_again_as_the_bytes_leave(mixed):
    """Between the command and the visit a release may come."""
    command, answers = foreign(mixed), iter(["", "released", "released"])

    assert mixed.broker.cancel_foreign(command, lambda _command: next(answers)) == ""
    mixed.wait(3.0)

    assert [row.order for row in orders(mixed)] == ["", "E1-S", "E1-T"]


def test_a_client_that_is_connected_keeps_its_orders_and_a_person_is_told(mixed):
    """TWS refuses its number to another (326)."""
    command = foreign(mixed)
    mixed.fault("taken 0 60")

    assert mixed.broker.cancel_foreign(command, permitted) == ""
    mixed.wait(15.0)

    (told,) = [event for event in mixed.take() if isinstance(event, BrokerExamined)]
    assert "orders of client 0 cannot be cancelled: 326" in told.words
    assert len(orders(mixed)) == 3


def test_our_own_numbers_among_them_are_left_out(mixed):
    """Whoever names them: a stop is never cancelled as a stranger's."""
    ours = tuple(row.broker_id for row in orders(mixed) if row.order)

    assert mixed.broker.cancel_foreign(CancelForeign("paper", ours), permitted) == ""
    mixed.wait(3.0)

    assert mixed.exchange.protection("AAA") == 10


def test_where_nothing_of_ours_lives_one_word_ends_everything(rig):
    """The global cancel also ends stops, so it waits for `alone`."""
    rig.fault("manual BUY 5 AAA 90.0")
    rig.fault("manual BUY 6 AAA 89.0")
    rig.wait()
    rig.take()

    assert rig.broker.cancel_foreign(CancelForeign("paper", (), alone=True), permitted) == ""
    rig.wait()

    assert orders(rig) == ()
