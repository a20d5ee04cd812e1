"""joed.brokers.ibkr.farms: a blink is nothing, a break is named, and its end is."""

import pytest

from joed.brokers.ibkr.farms import PATIENCE_NS, Farms, farm_of
from joed.daemon.clock import SimulatedClock
from joed.model.feeds import BrokerExamined
from joed.model.values import SECOND

BROKEN, OK = "Market data farm connection is broken:usfarm", "Market data farm connection is OK:usfarm"


@pytest.fixture
def house():
    """Give a clock, what was told, how often prices were awaited anew, and the farms."""
    clock, told, back = SimulatedClock(0), [], []
    return clock, told, back, Farms("ibkr", clock, told.append, lambda: back.append(1))


def test_a_blink_alerts_nobody_and_prices_are_awaited_anew(house):
    """2103 and 2104 within seconds, several times a day."""
    clock, told, back, farms = house
    farms.down(BROKEN)
    clock.call_at(5 * SECOND, lambda: farms.up(OK))
    while clock.advance():
        pass

    assert (told, back) == ([], [1])


def test_a_long_break_is_told_once_and_its_end_too(house):
    """Half a minute is a break: a person should know that prices are old."""
    clock, told, _back, farms = house
    farms.down(BROKEN)
    farms.down(BROKEN)
    clock.advance()
    assert (clock.now(), told) == (PATIENCE_NS, [BrokerExamined("ibkr", "farm usfarm", ok=False, words=BROKEN)])

    farms.up(OK)

    assert told[1:] == [BrokerExamined("ibkr", "farm usfarm", ok=True, words=OK)]


def test_a_farm_that_was_well_is_nothing_new(house):
    """The three notes of each connection's beginning."""
    _clock, told, back, farms = house
    farms.up(OK)

    assert (told, back) == ([], [])
    assert farm_of("no name at all:") == "unnamed"
