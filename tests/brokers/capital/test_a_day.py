"""Twenty-four hours at Capital.com with everything that a day can bring, in the time of a test."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from joed.exchange import laws
from joed.model.events import BrokerUp, OrderDoubted, OrderRejected, Quote
from joed.model.feeds import FeedChanged, InstrumentSetAside
from joed.model.settings import Capital, Risk
from joed.model.values import HOUR, SECOND
from tests.brokers.capital.place import Place
from tests.brokers.rigs import START_NS, bracket, close, permitted

MINE, OTHER = "PAPER-1", "987654321098765432"
TICK_NS, STORM_NS = 20 * SECOND, 25 * SECOND
SILENT_H, LOUD_H, AWAY_H, BACK_H = 2.5, 16.5, 18.15, 18.4
IN_STORM_H = (1.1, 5.1, 9.19, 20.1)
"""Storms that meet an order: three entries and a close."""
LOST_H = (7.1, 13.1)
"""Entries whose answer is lost: carried out, and found again."""
POLLED_GAP_S = 120


class Day(Place):
    """An account whose polls are far enough apart for a day to be played in seconds."""

    capital = Capital(orders_poll_s=30.0, prices_poll_s=30.0, stale_s=60.0, ping_s=60.0, silence_s=150.0)
    risk = Risk(quote_age_max_s=60.0)  # as far apart as its prices
    pace = 1.0

    def begin(self):
        """Be up, with prices that move; note at each whether the market is believed to be open."""
        self.open = set()
        super().begin()
        self.tick()

    def tick(self):
        """Let both have a price that is not the last one."""
        step = (self.clock.now() // TICK_NS * 37 % 101) / 100
        for name in ("AAA", "BBB"):
            self.fake.quote(Quote(name, round(99.5 + step, 2), round(99.6 + step, 2)))
            self.open.add(self.broker.feed.is_open(name))
        self.clock.call_at(self.clock.now() + TICK_NS, self.tick)

    def storm(self):
        """Let other processes use up the account's requests for a while, orders and logins too."""
        for method in ("GET", "POST", "PUT", "DELETE"):
            self.fake.faults.too_many(method, "", times=10_000)
        self.clock.call_at(self.clock.now() + STORM_NS, self.fake.faults.clear)

    def at(self, hours, act):
        """Plan something."""
        self.clock.call_at(START_NS + int(hours * HOUR), act)

    def until_hour(self, hours):
        """Let time pass."""
        self.spin((START_NS + hours * HOUR - self.clock.now()) / SECOND)

    def tried(self, command):
        """Hand an order over; where it was refused, again five minutes later as another; doubt waits for a read."""
        name = command.order
        for number in range(6):
            order = name if not number else f"{name}.{number}"
            legs = {"stop_order": f"{order}-S", "target_order": f"{order}-T"} if command.opens else {}
            said = self.broker.submit(replace(command, order=order, **legs), permitted)
            self.spin(240)
            if order in {fill.order for fill in self.read(60).executions}:
                return order
            assert said or order in {event.order for event in self.of(OrderRejected)}
        raise AssertionError(f"{name} was never carried out")


@pytest.fixture
def day(tmp_path):
    """Give the account at its first minute."""
    (tmp_path / "state").mkdir()
    day = Day(tmp_path / "state")
    yield day
    day.close()


def test_a_day_loses_and_doubles_no_order(day):
    """Tokens that rotate and die each hour, 14 hours without a quote, storms of 429, an account switched elsewhere."""
    day.fake.door.cap_s, day.fake.door.rotate_each = 3_600.0, 40
    day.at(SILENT_H, lambda: setattr(day.fake.stream, "silent", True))
    day.at(LOUD_H, lambda: setattr(day.fake.stream, "silent", False))
    day.at(AWAY_H, lambda: day.fake.switch_account(OTHER))
    day.at(BACK_H, lambda: day.fake.switch_account(MINE))
    for hour in (*range(24), *IN_STORM_H):
        day.at(hour - 0.003, day.storm)
    for hour in LOST_H:
        day.at(hour - 0.001, lambda: day.fake.faults.lose_answer("POST", "/positions"))
    done = []
    for hour in range(23):
        day.until_hour(hour + 0.1)
        entry = bracket(f"E{hour}", level="101.00", stop="95.00", target="110.00")
        done.append(day.tried(entry))
        done.append(day.tried(close(f"C{hour}", group=done[-1])))

    refused = {event.order: event.code for event in day.of(OrderRejected)}
    quoted = [event.received_ns for event in day.of(Quote) if event.instrument == "AAA"]
    assert set(day.filled()) | {"E7", "E13"} == set(done)
    assert len(day.filled()) == len(done) - len(LOST_H) == 44
    assert {"not_sent", "error.not-found.dealId"} == set(refused.values())
    assert [event.order for event in day.of(OrderDoubted)] == ["E7", "E13"]
    assert [event.account for event in day.of(BrokerUp)] == [OTHER, MINE]
    assert max(later - earlier for earlier, later in pairwise(quoted)) <= POLLED_GAP_S * SECOND
    assert [event.source for event in day.of(FeedChanged)][:3] == ["stream", "poll", "stream"]
    assert [event.source for event in day.of(FeedChanged)].count("poll") == 1
    assert (day.of(InstrumentSetAside), day.open) == ([], {True})
    seen = day.read(120)
    assert (seen.complete, seen.positions, seen.orders) == (True, (), ())
    assert laws(day.exchange) == []
    assert len([order for order in day.exchange.orders.values() if order.opens]) == 23
