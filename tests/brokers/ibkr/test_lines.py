"""joed.brokers.ibkr.lines: what is wanted is streamed, and only what is live is a quote."""

import random

import pytest

from joed.exchange import Exchange
from joed.model.events import Quote
from joed.model.feeds import BrokerExamined, InstrumentServed, InstrumentSetAside
from joed.model.settings import Instrument
from tests.brokers.rigs import SETTINGS, UNIVERSE


def of(rig, kind):
    """Give the events of one kind, and forget all."""
    found = [event for event in rig.events if isinstance(event, kind)]
    rig.events.clear()
    return found


@pytest.fixture
def watching(rig):
    """Give the rig with AAA streamed, and its first quote heard."""
    rig.broker.subscribe(("AAA",))
    rig.wait()
    assert [(quote.bid, quote.ask) for quote in of(rig, Quote)] == [(99.9, 100.0)]
    return rig


def test_a_quote_has_both_sides_their_sizes_the_last_price_and_the_days_volume(watching):
    """One quote for what came together: no side of it is of another moment."""
    watching.quote(100.0, 100.1, bid_size=300.0, ask_size=200.0, last=100.1, volume=1500.0)

    (quote,) = of(watching, Quote)
    assert (quote.bid, quote.ask, quote.bid_size, quote.ask_size) == (100.0, 100.1, 300.0, 200.0)
    assert (quote.last, quote.volume, quote.broker) == (100.1, 1500.0, "paper")


def test_minus_one_is_no_price_and_what_follows_is_one_again(watching):
    """After hours TWS says -1: nothing of it leaves here."""
    watching.fault("no-prices AAA")
    watching.wait()
    assert of(watching, Quote) == []

    watching.quote(99.0, 99.1)

    assert [(quote.bid, quote.ask) for quote in of(watching, Quote)] == [(99.0, 99.1)]


def test_prices_of_a_halt_are_none(watching):
    """Halted: silence; resumed: the newest prices."""
    watching.fault("halt AAA on")
    watching.quote(90.0, 90.1)
    assert of(watching, Quote) == []

    watching.fault("halt AAA off")
    watching.wait()

    assert [(quote.bid, quote.ask) for quote in of(watching, Quote)] == [(90.0, 90.1)]


@pytest.mark.parametrize("code", [354, 10089, 10168, 10186])
def test_an_instrument_without_permission_is_set_aside_by_name_and_the_others_stream(rig, code):
    """3 of 20 symbols: 17 trade."""
    rig.tws.market.refusals["BBB"] = code
    rig.broker.subscribe(("AAA", "BBB"))
    rig.wait()

    assert [(event.instrument, event.code) for event in of(rig, InstrumentSetAside)] == [("BBB", "no_permission")]
    rig.quote(100.0, 100.1)
    assert [quote.instrument for quote in of(rig, Quote)] == ["AAA"]


def test_a_permission_that_came_is_found_with_the_next_link(rig):
    """A new link asks everything anew."""
    rig.tws.market.permits["AAA"] = "none"
    rig.broker.subscribe(("AAA",))
    rig.wait()
    assert len(of(rig, InstrumentSetAside)) == 1

    rig.tws.market.permits["AAA"] = "live"
    rig.fault("reset")
    rig.wait(5.0)

    assert [event.instrument for event in of(rig, InstrumentServed)] == ["AAA"]


def test_frozen_and_delayed_prices_are_told_apart_and_never_traded_on(watching):
    """The type comes before the prices; a line that goes live again is served again."""
    line = watching.broker._link.lines.lines["AAA"]
    session = next(iter(watching.tws.sessions))
    for kind, words in ((2, "frozen"), (3, "delayed"), (4, "delayed and frozen")):
        watching.run(_send(session, 58, 1, line.request, kind))
        watching.wait()
        watching.quote(100.0 + kind, 100.1 + kind)
        told = [event for event in watching.events if isinstance(event, InstrumentSetAside)]
        assert of(watching, Quote) == []
        if kind == 2:
            assert [(event.code, words in event.words) for event in told] == [("delayed", True)]

    watching.run(_send(session, 58, 1, line.request, 1))
    watching.wait()
    watching.quote(105.0, 105.1)

    assert [event.instrument for event in watching.events if isinstance(event, InstrumentServed)] == ["AAA"]
    assert [quote.bid for quote in of(watching, Quote)] == [105.0]


async def _send(session, *fields):
    session.send(*fields)


def test_the_lines_that_there_are_go_to_the_first_that_are_wanted(make_rig):
    """What has no line is named; a place that becomes free is taken."""
    rig = make_rig(lines_max=1)
    rig.quote(99.9, 100.0)
    rig.quote(49.9, 50.0, instrument="BBB")
    rig.events.clear()
    rig.broker.subscribe(("BBB", "AAA"))
    rig.wait()
    assert [event.words for event in rig.events if isinstance(event, BrokerExamined)] == [
        "1 instruments have no data line, 1 there are: AAA"
    ]
    assert [quote.instrument for quote in of(rig, Quote)] == ["BBB"]

    rig.broker.subscribe(("AAA",))
    rig.wait()

    assert [quote.instrument for quote in of(rig, Quote)] == ["AAA"]
    assert rig.tws.market.count() == 1


def test_a_limit_that_is_lower_than_the_settings_say_is_learned(rig):
    """101: no line is asked for again and again."""
    rig.fault("lines 1")
    rig.broker.subscribe(("AAA", "BBB"))
    rig.wait(5.0)

    assert [event.name for event in of(rig, BrokerExamined)] == ["lines"]
    assert rig.tws.market.count() == 1


def test_an_index_has_a_last_price_alone(make_rig):
    """VIX: no bid, no ask, no size; its last is both."""
    rows = {**UNIVERSE, "VIX": Instrument("VIX", kind="index", tradable=False)}
    rig = make_rig(Exchange(rows, SETTINGS, random.Random(7)))
    rig.broker.subscribe(("VIX",))
    rig.wait()
    rig.events.clear()

    rig.quote(17.2, 17.2, instrument="VIX", last=17.2)

    (quote,) = of(rig, Quote)
    assert (quote.instrument, quote.bid, quote.ask, quote.last) == ("VIX", 17.2, 17.2, 17.2)


def test_a_line_that_stays_silent_is_asked_for_anew_and_then_named(make_rig):
    """Subscribed is not streaming: only the first tick proves it. BBB has no price yet."""
    rig = make_rig(first_tick_s=10.0)
    rig.broker.subscribe(("BBB",))
    rig.wait(11.0)
    assert of(rig, InstrumentSetAside) == []

    rig.wait(11.0)
    assert [(event.instrument, event.code) for event in of(rig, InstrumentSetAside)] == [("BBB", "silent")]

    rig.quote(49.9, 50.0, instrument="BBB")
    assert [event.instrument for event in of(rig, InstrumentServed)] == ["BBB"]


def test_another_session_of_the_same_user_takes_the_data_and_it_is_told(watching):
    """10197: entries stop at this broker until prices come again."""
    watching.fault("compete on")
    watching.wait()
    (taken,) = of(watching, BrokerExamined)
    assert (taken.name, taken.ok, taken.halts) == ("market data", False, True)

    watching.fault("compete off")
    watching.quote(100.0, 100.1)

    assert [(event.name, event.ok) for event in of(watching, BrokerExamined)] == [("market data", True)]


def test_a_chosen_few_are_streamed_tick_by_tick_besides(make_rig):
    """Unconflated; once they come, the conflated prices are the older ones."""
    rig = make_rig(tick_by_tick=("AAA",))
    rig.broker.subscribe(("AAA", "BBB"))
    rig.wait()

    assert [listed.name for listed, _kind in next(iter(rig.tws.clients.values())).tick_lines.values()] == ["AAA"]
    rig.events.clear()
    rig.quote(99.9, 100.0)
    assert {(quote.bid, quote.ask) for quote in of(rig, Quote)} == {(99.9, 100.0)}
