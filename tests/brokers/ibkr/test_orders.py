"""joed.brokers.ibkr.orders: what TWS's messages about our orders become, one by one."""

from decimal import Decimal as Money
from types import SimpleNamespace

import pytest

from joed.brokers.ibkr import orders as orders_module
from joed.brokers.ibkr.codes import meaning
from joed.brokers.ibkr.orders import Orders
from joed.brokers.ibkr.outbox import Outbox
from joed.brokers.ibkr.translate import KEPT, UNSET, Ticket
from joed.daemon.clock import SimulatedClock
from joed.model.events import (
    AmendRejected,
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderDoubted,
    OrderExpired,
    OrderRejected,
    OrderWorking,
)

US, THEM = 17, 4


class House:
    """The orders, with what was told."""

    def __init__(self):
        self.told = []
        clock = SimulatedClock(0)
        self.orders = Orders(US, clock, Outbox(clock, self.told.append))
        self.orders.quiet = False
        self.held = self.orders.add(Ticket("E1", {"orderType": "LMT"}), 5, None)

    def shown(self, status, level=99.0, total=10.0, number=5, ref="E1", client=US, perm=77):
        """Let TWS show an order."""
        fields = dict.fromkeys(KEPT, "")
        order = SimpleNamespace(**{**fields, "orderType": "LMT", "auxPrice": UNSET})
        order.lmtPrice, order.totalQuantity, order.orderRef = level, total, ref
        order.clientId, order.permId = client, perm
        self.orders.open_order(number, None, order, SimpleNamespace(status=status))

    def status(self, status, filled=0.0, left=10.0, held="", number=5, client=US, perm=77):
        """Let TWS say where an order stands."""
        self.orders.order_status(number, status, filled, left, 0.0, perm, 0, 0.0, client, held, 0.0)

    def error(self, code, number=5):
        """Let TWS say a number about an order."""
        return self.orders.error(number, code, meaning(code), "words")


@pytest.fixture
def house():
    """Give the orders, with one that was just sent."""
    return House()


def working(house):
    """Let the order work, and forget that it was told."""
    house.shown("Submitted")
    house.status("Submitted")
    house.told.clear()
    return house


def test_an_order_is_accepted_once_and_then_works_on_its_terms(house):
    """Said twice, told once."""
    for _ in range(2):
        house.shown("PreSubmitted")
        house.status("Submitted")

    assert house.told == [OrderAccepted("E1", "77"), OrderWorking("E1", Money(10), Money(99))]


def test_what_tws_holds_back_is_not_accepted_yet(house):
    """A leg without its transmit flag is in TWS and nowhere else."""
    house.shown("PendingSubmit")
    house.status("PendingSubmit")

    assert house.told == []


def test_a_child_that_waits_does_not_work(house):
    """Accepted, and no more, until its parent fills."""
    house.shown("PreSubmitted")
    house.status("PreSubmitted", held="child,trigger")
    assert house.told == [OrderAccepted("E1", "77")]

    house.status("PreSubmitted", held="trigger")

    assert house.told[1:] == [OrderWorking("E1", Money(10), Money(99))]


def test_a_fill_of_its_own_changes_no_terms(house):
    """Four of ten: what is left is less, what was asked is the same."""
    working(house).status("Submitted", filled=4.0, left=6.0)
    house.shown("Submitted")

    assert house.told == []


def test_a_group_that_reduces_it_is_told(house):
    """The target filled four: the stop is for six."""
    working(house).shown("Submitted", total=6.0)
    house.status("Submitted", left=6.0)

    assert house.told == [OrderWorking("E1", Money(6), Money(99))]


def test_terms_that_were_asked_are_answered_even_if_they_are_the_old_ones(house):
    """The engine waits for the answer."""
    working(house).held.asked = (Money(10), Money(99))
    house.shown("Submitted")

    assert house.told == [OrderWorking("E1", Money(10), Money(99))]
    assert house.held.asked is None


@pytest.mark.parametrize("code", [10349, 399, 2109, 10311, 404, 2161])
def test_a_note_about_a_live_order_ends_nothing(house, code):
    """Cancelled in the library's books, alive at the broker: here it lives."""
    working(house)

    assert house.error(code)
    assert house.told == []
    assert house.held.works


def test_a_refusal_of_a_new_order_is_final(house):
    """With the code of our books and TWS's words."""
    house.error(201)
    house.status("Inactive")

    assert house.told == [OrderRejected("E1", "rejected", "201: words")]


def test_a_refusal_by_the_servers_ends_an_order_that_was_acknowledged(house):
    """PreSubmitted, and then 201: margin is looked at later."""
    house.shown("PreSubmitted")
    house.error(201)

    assert house.told[1:] == [OrderRejected("E1", "rejected", "201: words")]


@pytest.mark.parametrize("code", [110, 104, 105, 2102, 329, 201])
def test_a_refusal_while_other_terms_are_asked_is_about_those(house, code):
    """The order lives on as it was."""
    working(house).held.asked = (Money(10), Money(98))
    house.error(code)

    assert [type(event) for event in house.told] == [AmendRejected]
    assert house.held.works


@pytest.mark.parametrize("code", [161, 10147, 10148, 136, 135])
def test_a_cancel_that_came_too_late_is_refused_and_ends_nothing(house, code):
    """It may have filled: only evidence ends it."""
    working(house).held.cancels = 1
    house.error(code)

    assert house.told == [CancelRejected("E1", f"{code}: words")]
    assert not house.held.ended


def test_a_cancel_that_was_asked_twice_has_two_answers(house):
    """The end, and then the refusal of the second."""
    working(house).held.cancels = 2
    house.status("Cancelled", left=0.0)
    house.error(10148)

    assert house.told == [OrderCancelled("E1"), CancelRejected("E1", "10148: words")]


@pytest.mark.parametrize("code", [103, 98765])
def test_a_number_that_proves_nothing_leaves_a_new_order_in_doubt_once(house, code):
    """It may be there."""
    house.error(code)
    house.error(code)

    assert house.told == [OrderDoubted("E1", f"{code}: words")]


def test_an_unknown_number_about_a_live_order_says_nothing(house):
    """It is acknowledged: its own messages tell."""
    working(house).error(98765)

    assert house.told == []


def test_an_order_that_goes_inactive_is_in_doubt(house):
    """With the broker and idle: it may revive, so it is not over."""
    working(house).status("Inactive")
    house.status("Inactive")

    assert [type(event) for event in house.told] == [OrderDoubted]
    assert not house.held.ended


def test_an_execution_proves_that_an_order_was_accepted(house):
    """A market order may fill without any status."""
    house.orders.executed(SimpleNamespace(orderRef="E1", clientId=US, permId=77, cumQty=10.0))

    assert house.told == [OrderAccepted("E1", "77")]


def test_another_clients_order_is_known_by_its_number_alone(house):
    """Whose it is, so that a kill of the account finds it; no word of it is ours."""
    house.shown("Submitted", number=9, ref="E1", client=THEM, perm=88)
    house.status("Submitted", number=9, client=THEM, perm=88)

    assert house.told == []
    assert house.orders.owners["88"] == (THEM, 9)


def test_an_order_of_an_earlier_process_is_known_again(house):
    """By its reference, with all that is needed to amend it."""
    house.orders.quiet = True
    house.shown("Submitted", number=3, ref="E0")
    house.status("Submitted", number=3)
    house.orders.settle({3})

    held = house.orders.by_ref["E0"]
    assert (held.works, held.number, held.fields["lmtPrice"]) == (True, 3, "99")
    assert house.orders.by_ref["E1"].ended
    assert house.told == []


def test_what_was_asked_over_a_link_that_is_gone_waits_for_no_answer(house):
    """The next link's messages answer nothing of the last one's."""
    working(house).held.cancels, house.held.asked = 1, (Money(10), Money(98))
    house.orders.begin()
    house.orders.quiet = False
    house.error(10147)

    assert house.told == []


def test_an_error_about_no_order_of_ours_is_somebody_elses(house):
    """A request may have the number."""
    assert not house.error(354, number=6)


@pytest.mark.parametrize(
    ("words", "kind"), [("Order Canceled - reason:the order has expired", OrderExpired), ("by risk", OrderCancelled)]
)
@pytest.mark.parametrize("first", ["status", "words"])
def test_an_end_that_nobody_asked_for_is_what_its_words_say(house, words, kind, first):
    """TWS has one status for both, and its words come before or after it."""
    working(house)
    if first == "words":
        house.orders.error(5, 202, meaning(202), words)
    house.status("Cancelled", left=0.0)
    if first == "status":
        assert house.told == []
        house.orders.error(5, 202, meaning(202), words)

    assert [type(event) for event in house.told] == [kind]


def test_what_is_remembered_has_a_bound(house, monkeypatch):
    """A day of a busy account, or a gateway gone mad: the oldest that are over go first, what lives stays."""
    monkeypatch.setattr(orders_module, "KEPT_MAX", 20)
    monkeypatch.setattr(orders_module, "OWNERS_MAX", 20)
    working(house)
    for number in range(100, 160):
        house.orders.add(Ticket(f"X{number}", {}), number, None).ended = True
        house.shown("Submitted", number=number, ref="", client=THEM, perm=number)

    assert len(house.orders.by_ref) <= 20
    assert len(house.orders.owners) <= 20
    assert house.orders.by_ref["E1"].works


def test_an_order_that_a_reading_lacked_and_that_comes_after_all_is_told(house):
    """Under way as its link went, slower than the reading: it is no ghost."""
    house.orders.settle(set())
    assert house.held.ended

    house.shown("Submitted")

    assert house.told == [OrderAccepted("E1", "77"), OrderWorking("E1", Money(10), Money(99))]
