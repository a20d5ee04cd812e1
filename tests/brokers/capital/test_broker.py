"""joed.brokers.capital.broker: what is asked and refused at once, before anything is on its way."""

import logging

import pytest
from msgspec.structs import replace

from joed.brokers.base import Broker, Historian, Settler
from joed.brokers.capital.broker import JOBS_MAX, LINK_LOST, CapitalBroker, entry_intent
from joed.brokers.capital.session import Credentials
from joed.errors import BrokerUnavailable, ConfigError
from joed.model.commands import AmendOrder, CancelForeign, CancelOrder
from joed.model.events import OrderDoubted, OrderRejected
from tests.brokers.capital.place import Place
from tests.brokers.rigs import bracket, permitted


@pytest.fixture
def place(tmp_path):
    """Give an account that is connected, with a price."""
    place = Place(tmp_path)
    yield place
    place.close()


def test_it_is_a_broker_and_tells_of_the_past(place):
    """All three protocols, by the one object."""
    broker: Broker = place.broker

    assert isinstance(broker, Historian)
    assert isinstance(broker, Settler)
    assert broker.name == "paper"


def test_credentials_of_the_other_host_are_refused_by_name_before_anything_connects(place):
    """A live host with demo credentials, or the other way: at start."""
    with pytest.raises(ConfigError, match=r"capital\.host is demo, and the credentials are for the live host"):
        place.another(Credentials("key", "me", "word", host="live"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"instrument": "ZZZ"}, "ZZZ is not traded here"),
        ({"instrument": "BBB", "level": None}, "no price of BBB is young enough"),
    ],
)
def test_what_cannot_leave_is_refused_at_once_with_words(place, change, words):
    """A reason, no event, and permission not even asked."""
    asked = []

    assert words in place.broker.submit(replace(bracket(), **change), lambda command: asked.append(command) or "")
    assert asked == []


def test_a_price_that_is_old_places_no_order(place):
    """Whether an entry trades at once or rests is decided by it."""
    place.spin(61.0)

    assert "no price of AAA is young enough" in place.broker.submit(bracket(), permitted)


def test_a_market_that_is_shut_opens_nothing(place):
    """Its status decides."""
    place.fake.listings["AAA"].status = "CLOSED"
    place.loop.run_until_complete(place.broker.feed.refresh())

    assert place.broker.submit(bracket(), permitted) == "AAA is CLOSED at Capital.com"


def test_an_order_that_breaks_the_dealing_rules_is_refused_by_event_and_never_sent(place):
    """As the broker would; a stop nearer than it allows among them."""
    place.submit(bracket(stop="99.895"))
    place.submit(bracket("E2", stop="99.95"))
    place.wait()

    assert [(event.order, event.code) for event in place.of(OrderRejected)] == [
        *((name, "price") for name in ("E1", "E1-S", "E1-T")),
        *((name, "stop") for name in ("E2", "E2-S", "E2-T")),
    ]
    assert place.posts() == 0


def test_an_entry_that_would_trade_at_once_is_a_market_order_and_any_other_rests(place):
    """No limit order is taken on the wrong side of the market."""
    place.submit(bracket(level="100.00"))
    place.wait()
    place.freshen()
    place.submit(bracket("E2", level="99.99"))
    place.wait()

    paths = [path for _, method, path in place.fake.log if method == "POST" and path != "/session"]
    assert paths == ["/positions", "/workingorders"]


def test_orders_on_their_way_have_a_bound(place):
    """One more is refused, and permission for it is not asked."""
    said = [place.broker.cancel(CancelOrder(f"E{n}"), permitted) for n in range(JOBS_MAX + 1)]

    assert said[:JOBS_MAX] == [""] * JOBS_MAX
    assert said[JOBS_MAX] == "too many orders are on their way"


def test_without_a_link_everything_is_refused(place):
    """Submit, amend, cancel, and the clearing of what is not ours."""
    place.cut()
    broker = place.broker

    for said in (
        broker.submit(bracket(), permitted),
        broker.amend(AmendOrder("E1-S"), permitted),
        broker.cancel(CancelOrder("E1"), permitted),
        broker.cancel_foreign(CancelForeign("paper", ("1",)), permitted),
    ):
        assert said == "not connected"


def test_what_waited_when_the_link_was_lost_never_leaves_over_the_next(place):
    """Handed over, cut, mended: the order belongs to the link that is gone."""
    place.submit(bracket())
    place.cut()
    place.mend()
    place.wait(10.0)

    assert place.posts() == 0
    assert place.exchange.position("AAA") == 0


def test_a_permission_ends_with_the_link_that_it_was_asked_over(place):
    """However long an order waits for its turn: at its write it is asked over which link it was handed over."""
    permit = place.broker._bound(permitted)
    assert permit(bracket()) == ""
    place.cut()
    assert permit(bracket()) == LINK_LOST
    place.mend()

    assert permit(bracket()) == LINK_LOST
    assert place.broker._bound(permitted)(bracket()) == ""


def test_history_comes_by_its_name_and_its_absence_as_unavailable(place):
    """Bars or BrokerUnavailable, nothing half."""
    place.spin(180.0)
    bars = place.loop.run_until_complete(place.broker.minutes("AAA", place.clock.now() - 600 * 10**9))
    assert bars
    assert {bar.instrument for bar in bars} == {"AAA"}

    for ask in (place.broker.daily("NO.SUCH", 5), place.broker.minutes("NO.SUCH", place.clock.now() - 600 * 10**9)):
        with pytest.raises(BrokerUnavailable, match=r"NO\.SUCH"):
            place.loop.run_until_complete(ask)


def test_no_secret_is_in_any_log_event_or_error(place, caplog):
    """Through a day's worth of failures, at the most talkative level."""
    caplog.set_level(logging.DEBUG)
    user, tokens = place.fake.user, place.broker.session.tokens
    secrets = (user.api_key, user.password, tokens.client, tokens.account)
    place.fake.faults.html("POST", "/positions")
    place.submit(bracket())
    place.wait(3.0)
    place.fake.faults.error("GET", "/positions", "error.invalid.session.token", status=401)
    place.fake.stream.cut()
    place.wait(3.0)
    place.cut()
    place.mend()
    said = caplog.text + repr(place.events) + repr(place.broker.link.halts) + place.broker.feed.stream.reason

    assert not [secret for secret in secrets if secret in said]


def test_an_entry_is_written_down_with_everything_that_tells_it_from_others():
    """Side, size, levels and the ids of its legs."""
    row = entry_intent(bracket(), "AAA.X", 7, rests=True)

    assert (row.epic, row.rests, row.armed_ns, row.legs) == ("AAA.X", True, 7, ("E1", "E1-S", "E1-T"))
    assert (row.stop, row.target, row.level) == (bracket().stop, bracket().target, bracket().level)


def test_nothing_is_made_before_it_runs(tmp_path):
    """Its making opens no connection: a configuration can be looked at without a broker."""
    place = Place(tmp_path)
    made = CapitalBroker("x", place.settings, place.clock, lambda _event: None, Credentials("a", "b", "c"))

    assert made.streams == ()
    assert made.submit(bracket(), permitted) == "not connected"
    place.close()


def test_of_two_that_it_may_be_a_person_says_which(place):
    """One lost answer and strangers' orders of the very same shape: named, frozen, settled; the others are external."""
    place.fake.faults.lose_answer("POST", "/positions")
    place.exchange.submit(place.clock.now(), replace(bracket("APP-1"), signal="APP-1"))
    place.submit(bracket())
    place.exchange.submit(place.clock.now(), replace(bracket("APP-2"), signal="APP-2"))
    place.wait(2.0)
    doubt = place.of(OrderDoubted)[-1]
    assert len(doubt.candidates) == 3
    assert "the fate of E1" in place.broker.submit(bracket("E2"), permitted)

    place.broker.settle("E1", doubt.candidates[0])
    place.wait()
    seen = place.read()
    assert [fill.execution for fill in seen.executions] == [f"{doubt.candidates[0]}:open"]
    assert {row.order for row in seen.orders} == {"E1-S", "E1-T"}
    assert [held.quantity for held in seen.positions] == [30]
