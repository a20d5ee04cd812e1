"""joed.brokers.ibkr.contracts: one contract for each instrument, or the reason why there is none."""

from decimal import Decimal as Money

import pytest

from joed.model.feeds import BrokerExamined, HoursTold, InstrumentServed, InstrumentSetAside
from joed.model.settings import Instrument, Session
from tests.brokers.rigs import UNIVERSE, bracket, permitted


def aside(rig):
    """Give what was set aside, and why."""
    return {event.instrument: event.code for event in rig.events if isinstance(event, InstrumentSetAside)}


def test_a_name_that_means_nothing_there_is_set_aside_alone(make_rig):
    """The others trade; its orders are refused before a byte leaves, with the reason."""
    rig = make_rig(universe={**UNIVERSE, "ZZZ": Instrument("ZZZ")})
    rig.quote(99.9, 100.0)

    assert aside(rig) == {"ZZZ": "unknown"}
    assert rig.broker.submit(bracket(instrument="ZZZ"), permitted) == "ZZZ has no contract: unknown"
    assert rig.broker.submit(bracket(), permitted) == ""


def test_a_name_that_means_two_things_is_set_aside_until_one_is_named(make_rig):
    """Nobody guesses which of them was meant; the settings' `primary` tells them apart."""
    rig = make_rig()
    rig.tws.directory.ambiguous.add("AAA")
    rig.broker._link.contracts.listed.clear()
    rig.fault("reset")
    rig.wait(5.0)
    assert aside(rig) == {"AAA": "ambiguous"}

    named = make_rig(primary={"AAA": "NASDAQ"})
    named.tws.directory.ambiguous.add("AAA")
    named.broker._link.contracts.listed.clear()
    named.fault("reset")
    named.wait(5.0)
    assert aside(named) == {}


def test_a_kind_that_has_no_name_there_is_set_aside(make_rig):
    """A future without its month is no contract."""
    rig = make_rig(universe={**UNIVERSE, "ES": Instrument("ES", kind="future")})

    assert aside(rig) == {"ES": "kind"}


def test_a_description_that_does_not_come_is_asked_for_again_and_then_told(make_rig):
    """Three times, each with its time."""
    rig = make_rig()
    rig.broker._link.contracts.listed.clear()
    rig.fault("drop contractDetailsEnd")
    rig.fault("reset")
    rig.wait(40.0)
    assert aside(rig) == {"AAA": "silent", "BBB": "silent"}

    rig.fault("pass")
    rig.fault("reset")
    rig.wait(10.0)

    assert {event.instrument for event in rig.events if isinstance(event, InstrumentServed)} == {"AAA", "BBB"}


def test_contracts_are_asked_for_once_a_day(rig):
    """A link that was lost is up again without a hundred questions."""
    asked = []
    rig.tws.journal = lambda way, *rest: way == "<<" and asked.append(rest[1][0])
    rig.fault("reset")
    rig.wait(5.0)
    assert "9" not in asked

    rig.wait(86_400.0)
    rig.fault("reset")
    rig.wait(65.0)

    assert asked.count("9") == 2


def test_a_second_process_of_the_day_asks_for_nothing_and_trades_the_same_bytes(make_rig, tmp_path):
    """Contracts, hours and price steps lie on disk; on the next day, or of other words, they are asked for anew."""
    first = make_rig(folder=tmp_path)
    first.quote(99.9, 100.0)
    messages = placed(first)
    second = make_rig(folder=tmp_path, asked=True)
    second.quote(99.9, 100.0)

    assert second.asked == []
    assert placed(second) == messages
    assert second.broker._link.contracts.rules == first.broker._link.contracts.rules != {}
    assert {event.instruments for event in second.events if isinstance(event, HoursTold)} == {("AAA", "BBB")}
    assert make_rig(folder=tmp_path, asked=True, primary={"AAA": "NASDAQ"}).asked == ["9"]


def placed(rig):
    """Trade a bracket, and give the bytes with which it leaves."""
    found = []
    rig.tws.journal = lambda way, *rest: way == "<<" and rest[1][0] == "3" and found.append(rest[1][2:])
    assert rig.broker.submit(bracket(), permitted) == ""
    rig.wait()
    return [fields[:26] for fields in found]


def test_hours_are_told_once_for_all_instruments_that_share_them(make_rig):
    """In spans of time, complete for the days that TWS told of; a link that comes again says nothing new."""
    rig = make_rig()
    (told,) = [event for event in rig.events if isinstance(event, HoursTold)]
    rig.fault("reset")
    rig.wait(10.0)

    assert told.instruments == ("AAA", "BBB")
    assert told.from_ns <= rig.clock.now() < told.until_ns
    assert all(told.from_ns <= begin < end <= told.until_ns for begin, end in told.spans)
    assert len([event for event in rig.events if isinstance(event, HoursTold)]) == 1


def test_where_trading_before_the_open_is_meant_the_longer_hours_count(make_rig):
    """TWS tells both."""
    plain, extended = make_rig(), make_rig(session=Session(extended_hours=True))
    (short,), (long,) = ([event for event in rig.events if isinstance(event, HoursTold)] for rig in (plain, extended))

    assert long.spans[0][0] < short.spans[0][0] < short.spans[0][1] < long.spans[0][1]


def test_price_steps_that_are_not_ours_are_told(make_rig):
    """An order between two of them would be refused when it matters."""
    rig = make_rig(universe={"AAA": Instrument("AAA", tick=Money("0.005")), "BBB": UNIVERSE["BBB"]})

    (told,) = [event for event in rig.events if isinstance(event, BrokerExamined)]
    assert not told.ok
    assert "the tick of AAA is 0.005 in the universe, prices go by 0.01 there" in told.words


@pytest.mark.parametrize(("zone", "hours"), [("US/Eastern", "0930")])
def test_hours_are_kept_as_the_broker_tells_them(rig, zone, hours):
    """In its own zone, closed days among them."""
    listed = rig.broker._link.contracts.listed["AAA"]

    assert listed.zone == zone
    assert f":{hours}-" in listed.liquid_hours
