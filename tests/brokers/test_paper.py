"""The paper broker: latency, the commit before the word, faults on request, and a world that resumes."""

from decimal import Decimal
from random import Random

import pytest

from joed.brokers.paper import PaperBroker, pair_of
from joed.brokers.paper_store import PaperStore
from joed.errors import BrokerUnavailable
from joed.exchange import Exchange, laws
from joed.model.commands import AmendOrder, ReadBroker
from joed.model.events import (
    BrokerDown,
    BrokerRead,
    BrokerUp,
    OrderAccepted,
    OrderExpired,
    OrderFilled,
    OrderWorking,
    Quote,
    RateSeen,
)
from joed.model.settings import Instrument, Paper
from joed.model.values import MINUTE, SECOND
from tests.brokers.rigs import SETTINGS, START_NS, OwnClock, PaperRig, bracket, exchange_of, permitted

LATENCY_NS = 50_000_000


@pytest.fixture
def rig(tmp_path):
    """Give a connected paper broker with AAA quoted."""
    rig = PaperRig(tmp_path)
    rig.quote(99.9, 100.0)
    rig.take()
    yield rig
    rig.close()


class FullDisk:
    """A store whose disk is full until it is not; it keeps what was committed to count it."""

    def __init__(self):
        self.full = False
        self.commits = 0

    def load(self):
        """Begin with nothing."""

    def commit(self, changes):
        """Commit, or fail as SQLite does."""
        if self.full:
            raise BrokerUnavailable("paper.db: database or disk is full")
        self.commits += 1

    def close(self):
        """Let go of nothing."""


def broker_on(store, clock, events, settings=SETTINGS, **words):
    """Give a started broker on a store."""
    broker = PaperBroker("paper", exchange_of(settings), clock, events.append, settings, store, **words)
    broker.start()
    return broker


def of(events, kind):
    """Give the events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def test_an_order_takes_the_latency_there_and_its_answer_the_latency_back(rig):
    """At the exchange after 50 ms, answered after 100."""
    rig.broker.submit(bracket(), permitted)

    rig.clock.pass_to(rig.clock.now() + LATENCY_NS - 1)
    before = len(rig.exchange.orders)
    rig.clock.pass_to(rig.clock.now() + 1)
    arrived, told = len(rig.exchange.orders), len(rig.events)
    rig.clock.pass_to(rig.clock.now() + LATENCY_NS)

    assert (before, arrived, told) == (0, 3, 0)
    assert of(rig.events, OrderFilled)[0].at_ns == rig.clock.now() - LATENCY_NS


def test_nothing_is_said_before_it_is_committed(rig):
    """At each report the file already holds the order."""
    held = []
    rig.broker._emit = lambda event: held.append([order.order for order in rig.store.load().orders])

    rig.broker.submit(bracket(), permitted)
    rig.wait()

    assert held == [["E1", "E1-S", "E1-T"]] * 7


def test_quotes_alone_commit_nothing(tmp_path):
    """A thousand quotes past resting orders cost no sync."""
    clock, store = OwnClock(START_NS), FullDisk()
    broker = broker_on(store, clock, [])
    broker.quote(Quote("AAA", 99.9, 100.0))
    broker.submit(bracket(level="99.00"), permitted)
    clock.pass_to(clock.now() + SECOND)
    before = store.commits

    for _ in range(1000):
        broker.quote(Quote("AAA", 99.9, 100.0))

    assert (before, store.commits) == (1, 1)


def test_a_full_disk_ends_the_link_and_stops_the_exchange_until_it_can_commit():
    """No report, BrokerDown with the reason, nothing matches; then the link again, and the read has what happened."""
    clock, store, events = OwnClock(START_NS), FullDisk(), []
    broker = broker_on(store, clock, events)
    broker.quote(Quote("AAA", 99.9, 100.0))
    broker.submit(bracket(), permitted)
    store.full = True
    clock.pass_to(clock.now() + 2 * SECOND)
    broker.quote(Quote("AAA", 90.0, 90.1))
    while_full = [event for event in events if not isinstance(event, Quote)]
    executions, refused = len(broker.exchange.executions), broker.submit(bracket("E2"), permitted)
    events.clear()

    store.full = False
    clock.pass_to(clock.now() + 2 * SECOND)
    broker.read(ReadBroker("paper"))
    clock.pass_to(clock.now() + SECOND)

    assert [type(event) for event in while_full] == [BrokerUp, BrokerDown]
    assert while_full[1].reason == "paper.db: database or disk is full"
    assert (executions, refused) == (1, "not connected")
    assert [type(event) for event in events] == [BrokerUp, BrokerRead]
    assert [fill.order for fill in events[1].executions] == ["E1"]


def test_a_link_that_was_cut_on_purpose_is_not_made_again_by_a_commit():
    """Only what the full disk cut is mended when it is not full any more."""
    clock, store, events = OwnClock(START_NS), FullDisk(), []
    broker = broker_on(store, clock, events)
    broker.quote(Quote("AAA", 99.9, 100.0))
    broker.submit(bracket(), permitted)
    store.full = True
    clock.pass_to(clock.now() + SECOND)
    broker.disconnect()
    store.full = False

    clock.pass_to(clock.now() + 5 * SECOND)

    assert not broker.up
    broker.connect()
    assert broker.up


def test_a_restart_on_the_same_file_resumes_the_account(tmp_path):
    """Position, stop, cash and the names of executions go on."""
    rig = PaperRig(tmp_path)
    rig.quote(99.9, 100.0)
    rig.broker.submit(bracket(), permitted)
    rig.wait()
    rig.close()

    again = PaperRig(tmp_path)
    again.quote(94.0, 94.1)

    assert again.exchange.position("AAA") == 0
    assert [fill.execution for fill in again.exchange.executions] == ["paper-000000001", "paper-000000002"]
    assert laws(again.exchange) == []
    again.close()


def test_a_report_can_be_lost_and_the_next_read_has_it(rig):
    """Everything of one turn, then nothing more."""
    rig.broker.drop_next(7)
    rig.broker.submit(bracket(), permitted)
    rig.wait()
    lost = rig.take()

    rig.broker.read(ReadBroker("paper"))
    rig.wait()

    assert lost == []
    assert [fill.order for fill in rig.take()[0].executions] == ["E1"]


def test_a_command_can_be_lost_on_its_way(rig):
    """It was handed over, and the exchange never had it; the next one arrives."""
    rig.broker.drop_command()

    assert rig.broker.submit(bracket(), permitted) == ""
    rig.broker.submit(bracket("E2"), permitted)
    rig.wait()

    assert "E1" not in rig.exchange.orders
    assert "E2" in rig.exchange.orders


def test_a_fill_can_come_twice_under_one_name(rig):
    """The repeat is the same execution, so that it can be told apart from a second one."""
    rig.broker.duplicate()
    rig.broker.submit(bracket(), permitted)
    rig.broker.submit(bracket("E2"), permitted)
    rig.wait()

    fills = of(rig.take(), OrderFilled)
    assert [fill.order for fill in fills] == ["E1", "E1", "E2"]
    assert fills[0] == fills[1]


def test_what_was_under_way_when_the_link_broke_arrives_there_and_its_answer_is_lost(rig):
    """The order is at the exchange, protected; we only learn so from a read."""
    rig.broker.submit(bracket(), permitted)
    rig.cut()
    rig.wait()
    rig.mend()

    assert [type(event) for event in rig.take()] == [BrokerDown, BrokerUp]
    assert rig.exchange.protection("AAA") == Decimal(10)


def test_an_answer_of_the_old_link_does_not_come_over_a_new_one(rig):
    """Cut and mended within the latency: it is lost all the same."""
    rig.broker.submit(bracket(), permitted)
    rig.clock.pass_to(rig.clock.now() + LATENCY_NS)
    rig.cut()
    rig.mend()

    assert [type(event) for event in rig.take()] == [BrokerDown, BrokerUp]


def test_the_day_ends_at_its_time_also_for_who_slept(tmp_path):
    """A resting entry expires at the close; a close that passed while we were away is made up for once."""
    close_ns = START_NS + MINUTE
    clock, events = OwnClock(START_NS), []
    broker = broker_on(PaperStore(tmp_path / "paper.db"), clock, events, closes=(close_ns, close_ns + 2 * MINUTE))
    broker.quote(Quote("AAA", 99.9, 100.0))
    broker.submit(bracket(level="99.00"), permitted)
    clock.pass_to(close_ns + SECOND)
    broker.stop()
    late = OwnClock(close_ns + 5 * MINUTE)
    again = broker_on(PaperStore(tmp_path / "paper.db"), late, [], closes=(close_ns, close_ns + 2 * MINUTE))

    assert of(events, OrderExpired) == [OrderExpired("E1")]
    assert again.exchange.book.day_ended_ns == late.now()
    assert again.exchange.orders == {}
    again.stop()


def test_a_halt_and_its_end_go_through_to_the_exchange(rig):
    """Nothing matches in between."""
    rig.broker.submit(bracket(), permitted)
    rig.wait()
    rig.broker.halt("AAA", halted=True)
    rig.quote(90.0, 90.1)
    held = rig.exchange.position("AAA")
    rig.broker.halt("AAA", halted=False)
    rig.quote(90.0, 90.1)

    assert (held, rig.exchange.position("AAA")) == (10, 0)


def test_a_paper_account_can_announce_itself_as_live():
    """So that tests can see the daemon refuse the wrong mode."""
    events = []
    broker_on(None, OwnClock(START_NS), events, account="U123", mode="live")

    assert events == [BrokerUp("paper", "U123", "live", 1)]


def test_without_latency_the_road_is_the_same():
    """Zero is a latency: still by the clock, still in order."""
    clock, events = OwnClock(START_NS), []
    broker = broker_on(None, clock, events, Paper(latency_s=0.0, partial_share=0.0))
    broker.quote(Quote("AAA", 99.9, 100.0))
    broker.submit(bracket(), permitted)
    broker.amend(AmendOrder("E1-S", Decimal("96.00")), permitted)
    at_once = [event for event in events if isinstance(event, OrderAccepted)]

    clock.pass_to(clock.now())

    assert at_once == []
    assert of(events, OrderWorking)[-1] == OrderWorking("E1-S", Decimal(10), Decimal("96.00"))


def test_after_the_end_the_exchange_does_nothing_more(rig):
    """What was still under way is lost with the process."""
    rig.broker.submit(bracket(), permitted)
    rig.broker.stop()
    rig.wait()
    rig.broker.quote(Quote("AAA", 99.9, 100.0))

    assert rig.exchange.orders == {}
    assert rig.take() == []


def test_before_a_subscription_everything_streams():
    """The names are those of the exchange; after it, those asked for."""
    broker = broker_on(None, OwnClock(START_NS), [])
    before = broker.streams
    broker.subscribe(("BBB",))

    assert (before, broker.streams) == (("AAA", "BBB"), ("BBB",))


async def test_there_is_nothing_to_wait_for(rig):
    """`run` ends at once: the clock calls."""
    await rig.broker.run()

    assert rig.broker.up


def rates_of(events):
    """Give the rates among events, and when each was told."""
    return [(event.currency, event.rate, event.source) for event in events if isinstance(event, RateSeen)]


def test_the_settings_rates_are_told_with_each_link_and_each_minute_while_it_is_up():
    """So that they stay young; over a broken link nothing is told, over a new one once a minute again."""
    clock, events = OwnClock(START_NS), []
    broker = broker_on(None, clock, events, Paper(rates={"EUR": Decimal("1.08")}))
    first = rates_of(events)
    clock.pass_to(START_NS + 2 * MINUTE)
    young = len(rates_of(events))
    broker.disconnect()
    clock.pass_to(START_NS + 4 * MINUTE)
    cut = len(rates_of(events))
    broker.connect()
    clock.pass_to(START_NS + 5 * MINUTE)

    assert first == [("EUR", Decimal("1.08"), "paper: paper.rates")]
    assert (young, cut, len(rates_of(events))) == (3, 3, 5)


def test_a_currency_pairs_quotes_tell_the_rate_once_a_minute():
    """The middle, the right way round; what is no market tells nothing, what the settings say goes before it."""
    clock, events = OwnClock(START_NS), []
    pairs = {name: Instrument(name, kind="currency") for name in ("EURUSD", "USDJPY", "GBPUSD")}
    settings = Paper(rates={"GBP": Decimal("1.3")})
    broker = PaperBroker("paper", Exchange(pairs, settings, Random(1)), clock, events.append, settings)
    broker.start()
    events.clear()

    for name, bid, ask in (
        ("EURUSD", 0.0, 1.1),
        ("EURUSD", 1.0999, 1.1001),
        ("EURUSD", 1.2, 1.2),
        ("USDJPY", 160.0, 160.0),
        ("GBPUSD", 1.0, 1.0),
    ):
        broker.quote(Quote(name, bid, ask))
    once = rates_of(events)
    clock.pass_to(START_NS + MINUTE)
    events.clear()
    broker.quote(Quote("EURUSD", 1.2, 1.2))

    assert once == [("EUR", Decimal("1.1"), "paper: EURUSD"), ("JPY", Decimal("0.00625"), "paper: USDJPY")]
    assert rates_of(events) == [("EUR", Decimal("1.2"), "paper: EURUSD")]


@pytest.mark.parametrize(
    ("instrument", "base", "expected"),
    [
        ("EURUSD", "USD", ("EUR", False)),
        ("eur/usd", "USD", ("EUR", False)),
        ("USDJPY", "USD", ("JPY", True)),
        ("EURGBP", "USD", ("", False)),
        ("USDUSD", "USD", ("", False)),
        ("GOLD", "USD", ("", False)),
    ],
)
def test_a_pairs_name_says_whose_rate_it_is(instrument, base, expected):
    """Six letters, one half of them the base."""
    assert pair_of(instrument, base) == expected
