"""joed.brokers.capital.link: whose account, whether anybody is there, and what happened while nobody was."""

import pytest

from joed.brokers.capital.session import Credentials
from joed.model.commands import AmendOrder, ReadBroker
from joed.model.events import BrokerDown, BrokerRead, BrokerUp, OrderFilled, OrderRejected, OrderWorking, Quote
from joed.model.feeds import BrokerExamined
from joed.model.settings import Capital, Risk
from joed.model.values import SECOND
from tests.brokers.capital.place import Place
from tests.brokers.rigs import bracket, close, permitted
from tests.faults.measure import measured


@pytest.fixture
def place(tmp_path):
    """Give an account that is connected, with a price."""
    place = Place(tmp_path)
    yield place
    place.close()


def found(place, name):
    """Give what was found of one thing, in order."""
    return [(event.ok, event.halts) for event in place.of(BrokerExamined) if event.name == name]


def test_a_service_that_never_answers_is_seen_within_thirty_seconds(place):
    """Not refused, not reset: silent. By default settings, from the last answer on."""
    assert Capital().dead_s + Capital().request_timeout_s <= 30
    place.fake.faults.dead()
    began_ns = place.clock.now()
    place.until(BrokerDown)

    assert place.clock.now() - began_ns <= 30 * SECOND
    assert place.broker.submit(bracket(), permitted) == "not connected"
    place.fake.faults.clear()
    place.until(BrokerUp)


def test_prices_go_on_coming_while_rest_is_away(place):
    """The stream is no part of the link: it lives on over the same socket, and nothing can be sent meanwhile."""
    sockets = set(place.fake.stream.connections)
    place.fake.faults.dead()
    place.until(BrokerDown)
    place.events.clear()

    for number in range(4):
        place.quote(101.0 + number, 101.1 + number)
        assert place.of(Quote)[-1].bid == 101.0 + number
    assert place.broker.submit(bracket(), permitted) == "not connected"

    place.fake.faults.clear()
    place.until(BrokerUp)
    place.quote(110.0, 110.1)
    assert place.of(Quote)[-1].bid == 110.0
    assert set(place.fake.stream.connections) == sockets


def test_a_search_leaves_room_for_everything_else(tmp_path):
    """An order in doubt is searched for each 2 s, then each 5 s; orders and prices are not starved meanwhile."""

    class Usual(Place):
        capital = Capital()

    place = Usual(tmp_path)
    place.fake.faults.lose_request("POST", "/positions")
    place.submit(bracket())
    place.spin(5.0)
    rates, searches = [], []
    for _ in range(2):
        before, asked = len(place.fake.log), place.fake.asked("GET", "/history/activity")
        place.spin(20.0)
        rates.append((len(place.fake.log) - before) / 20)
        searches.append(place.fake.asked("GET", "/history/activity") - asked)
        place.spin(15.0)

    assert max(rates) <= 5.0
    assert searches[0] >= 5
    assert searches[1] <= 4
    assert place.fake.door.limits.refused == 0
    place.close()


def test_an_order_does_not_wait_for_history_that_is_long_in_coming(place):
    """It needs what lives in the account, no older than two seconds, and looks itself where nobody has just looked."""
    place.fake.faults.delay("GET", "/history/activity", 6.0)
    place.broker.read(ReadBroker("paper"))
    place.spin(3.0)

    place.freshen()
    place.submit(bracket())
    place.spin(0.2)

    assert place.posts() == 1
    assert not place.of(BrokerRead)
    [row] = [row for row in place.broker._ledger.rows() if row.order == "E1"]
    assert row.sent_ns - place.broker.link.image.from_ns <= 2 * SECOND


def test_a_read_that_fails_once_is_no_flat_account(place):
    """A 502, half a list, a bomb: the look is void and the next one counts."""
    place.submit(bracket())
    place.wait()
    place.events.clear()
    for fault in ("html", "truncate", "bomb", "java", "empty", "too_many"):
        getattr(place.fake.faults, fault)("GET", "/positions")
        place.wait()

    assert place.of(BrokerDown, OrderFilled) == []
    assert [held.quantity for held in place.read().positions] == [10]


def test_an_account_that_was_switched_elsewhere_ends_the_link_at_the_next_look(place):
    """Its book is another account's: nothing of it is believed, and the name says whose it is now."""
    place.submit(bracket())
    place.wait()
    place.events.clear()
    other = next(name for name in place.fake.accounts if name != "PAPER-1")
    began_ns = place.clock.now()
    place.fake.switch_account(other)
    place.until(BrokerUp)
    down, up = place.of(BrokerDown, BrokerUp)

    assert down.reason == f"the active account was switched elsewhere, from PAPER-1 to {other}"
    assert up.account == other
    assert place.of(OrderFilled) == []
    back_ns = place.clock.now()
    place.fake.switch_account("PAPER-1")
    place.until(BrokerUp)
    assert place.read().ended["E1"].value == "FILLED"
    detected_s = place.heard.after_s(began_ns, BrokerDown)
    measured("F56", detected_s=detected_s, recovered_s=place.heard.after_s(back_ns, BrokerUp, account="PAPER-1"))


def test_a_hedging_mode_that_is_switched_halts_entries_within_a_minute_and_no_exit(place):
    """It changes what an order means: F80."""
    place.submit(bracket())
    place.wait()
    place.events.clear()
    account = place.fake.accounts["PAPER-1"]
    began_ns = place.clock.now()
    account.hedging = True
    place.spin(61.0)
    place.quote(99.8, 100.0)

    assert found(place, "hedging") == [(False, True)]
    assert "hedging mode is on" in place.broker.submit(bracket("E2"), permitted)
    place.submit(close())
    place.wait()
    assert place.filled() == ["C1"]
    back_ns = place.clock.now()
    account.hedging = False
    place.spin(61.0)
    assert found(place, "hedging") == [(False, True), (True, True)]
    detected_s = place.heard.after_s(began_ns, BrokerExamined, name="hedging")
    measured("F80", detected_s=detected_s, recovered_s=place.heard.after_s(back_ns, BrokerExamined, name="hedging"))


@pytest.mark.parametrize(
    ("change", "words"), [({"kind": "PHYSICAL"}, "real stocks"), ({"status": "DISABLED"}, "disabled")]
)
def test_an_account_that_cannot_hold_stops_or_deal_opens_nothing(place, change, words):
    """Real stocks have none at the broker: an entry there would be a position without a stop."""
    for name, value in change.items():
        setattr(place.fake.accounts["PAPER-1"], name, value)
    place.spin(61.0)
    place.quote(99.8, 100.0)

    assert words in place.broker.submit(bracket(), permitted)
    assert found(place, "account")[-1] == (False, True)


def test_credentials_that_are_refused_are_tried_no_more_and_named(place):
    """No login loop, which would lock the user out; the words say which host refused."""
    place.stop_only()
    logins = place.fake.asked("POST", "/session")
    user = place.fake.user
    place.broker = place.another(Credentials(user.api_key, user.identifier, "wrong-password"))
    place.events.clear()
    place.running = place.loop.create_task(place.broker.run())
    place.spin(600.0)
    row = place.of(BrokerExamined)[-1]

    assert (row.name, row.ok, row.halts) == ("login", False, True)
    assert "the demo host refuses these credentials (error.invalid.details)" in row.words
    assert place.fake.asked("POST", "/session") == logins + 1
    assert "wrong-password" not in repr(place.events)


def test_what_happened_meanwhile_is_in_the_first_read_and_in_no_late_event(place):
    """A stop that worked while we were away: the link is new, and so is everything that is told over it."""
    place.submit(bracket())
    place.wait()
    place.cut()
    place.quote(94.0, 94.1)
    place.events.clear()
    place.mend()

    assert place.of(OrderFilled, OrderWorking) == []
    assert [fill.order for fill in place.read().executions] == ["E1", "E1-S"]


def test_an_account_that_the_settings_name_is_made_the_active_one(tmp_path):
    """At the first connection alone: afterwards somebody else's switch is theirs, and ours to stop at."""

    class Named(Place):
        quoted = False

        def name_account(self, name):
            super().name_account(name)
            other = next(one for one in self.fake.accounts if one != name)
            self.fake.door.switch(other)

        def begin(self):
            from dataclasses import replace

            self.settings = replace(self.settings, account="PAPER-1")
            super().begin()

    place = Named(tmp_path)

    assert place.of(BrokerUp)[0].account == "PAPER-1"
    assert place.fake.asked("PUT", "/session") == 1
    place.close()


def test_a_day_of_idle_expiry_token_cap_silence_storms_and_a_switch_loses_and_doubles_nothing(tmp_path):
    """Each hour's order is there once, with its stop, and no market is called closed.

    Logins die after an hour, the feed is silent for fourteen, 429s come in storms, the account is switched for a while.
    """

    class Day(Place):
        capital = Capital(orders_poll_s=60.0, prices_poll_s=60.0)  # a day's requests at the usual pace take minutes
        risk = Risk(quote_age_max_s=60.0)

    place = Day(tmp_path)
    place.fake.door.cap_s = 3600.0
    place.fake.door.rotate_each = 40
    sent, told = [], []
    for hour in range(24):
        place.fake.stream.silent = 4 <= hour < 18
        if hour % 6 == 5:
            place.fake.faults.too_many("GET", "", times=30)
        if hour == 20:
            place.fake.switch_account(next(name for name in place.fake.accounts if name != "PAPER-1"))
            place.spin(60.0)
            place.fake.switch_account("PAPER-1")
            place.spin(180.0)
        place.fake.quote(quote_of(99.0 + hour / 100))
        place.spin(20.0)
        name = f"D{hour}"
        if place.broker.submit(bracket(name, stop="90.00", target="110.00"), permitted) == "":
            sent.append(name)
        place.spin(40.0)
        place.broker.amend(AmendOrder(f"{name}-S", bracket(stop="91.00").stop), permitted)
        place.spin(20.0)
        sent = [one for one in sent if one not in {event.order for event in place.of(OrderRejected)}]
        told += place.filled()
        place.events.clear()
        place.spin(3600.0 - 120.0)
    seen = place.read(5.0)

    assert len(sent) >= 18
    assert len([order for order in place.exchange.orders.values() if order.opens]) == len(sent)
    assert {fill.order for fill in seen.executions} == set(sent)
    assert set(told) <= set(sent)
    assert len(told) == len(set(told))
    assert place.exchange.position("AAA") == place.exchange.protection("AAA") == 10 * len(sent)
    assert place.broker.feed.is_open("AAA")
    assert place.broker.session.logins <= 40
    place.close()


def quote_of(bid):
    """Give a quote of AAA, a tenth wide."""
    from joed.model.events import Quote

    return Quote("AAA", bid, bid + 0.1)
