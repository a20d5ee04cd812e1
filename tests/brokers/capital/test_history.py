"""joed.brokers.capital.history: bars of the past, by the odd rules of GET /prices."""

import json

import pytest
from aiohttp import web

from joed.brokers.capital import history
from joed.brokers.capital.faults import Gone
from joed.brokers.capital.wire import utc_ns, written_utc
from joed.errors import BadMessage
from joed.model.values import DAY, HOUR, MINUTE, SECOND, Bar
from joed.sim.loop import START_NS, VirtualLoop
from tests.brokers.capital.scripted import play


def row(at_ns, low=9.0, high=12.0, **more):
    """Give a row of theirs: bid and ask a tenth apart."""
    prices = {"openPrice": 10.0, "closePrice": 11.0, "highPrice": high, "lowPrice": low}
    shown = {name: {"bid": price - 0.05, "ask": price + 0.05} for name, price in prices.items()}
    return {"snapshotTimeUTC": written_utc(at_ns), "lastTradedVolume": 7, **shown, **more}


class Prices:
    """A service that has bars of one span, and keeps its own rules."""

    def __init__(self, span_ns, rows):
        self.span_ns, self.rows, self.asked = span_ns, rows, []

    async def __call__(self, request):
        """Answer a window, or refuse it by the rule that it breaks."""
        query = dict(request.query)
        self.asked.append(query)
        if int(query["max"]) > 1000:
            return refusal(400, "error.invalid.max")
        if "from" not in query:
            return rows_of(self.rows[-int(query["max"]) :])
        first, last = utc_ns(query["from"]), utc_ns(query["to"])
        if last - first > 999 * self.span_ns:
            return refusal(400, "error.invalid.max.daterange")
        found = [one for one in self.rows if first <= utc_ns(one["snapshotTimeUTC"]) <= last]
        return rows_of(found) if found else refusal(404, "error.prices.not-found")


def rows_of(rows):
    """Give an answer."""
    return web.Response(body=json.dumps({"prices": rows, "instrumentType": "SHARES"}).encode())


def refusal(status, code):
    """Give a refusal."""
    return web.Response(status=status, body=json.dumps({"errorCode": code}).encode())


def ask(prices, act, now_ns=START_NS):
    """Ask a service."""

    async def main(place):
        place.script.says = {"/prices/AAA.X": prices}
        return await act(place)

    return play(main, loop=VirtualLoop(now_ns))


def daily(place, days=3):
    """Ask for days."""
    return history.daily(place.session, place.clock, "AAA", "AAA.X", days)


def test_days_are_whole_and_their_prices_lie_between_bid_and_ask():
    """The newest is still being made, for days too."""
    now_ns = START_NS + 15 * HOUR
    rows = [row(START_NS - n * DAY) for n in range(5, -1, -1)]
    found = ask(Prices(DAY, rows), daily, now_ns)

    assert [bar.at_ns for bar in found] == [START_NS - n * DAY for n in (3, 2, 1)]
    assert found[0] == Bar("AAA", START_NS - 3 * DAY, 10.0, 12.0, 9.0, 11.0, 7.0)


def test_minutes_come_in_windows_that_are_answered_and_none_is_lost_between_them():
    """Both bounds are included, a span above max - 1 is refused, and a weekend without bars is no end."""
    minute_ns = [START_NS + n * MINUTE for n in range(2_500) if not 600 <= n < 1_900]
    prices = Prices(MINUTE, [row(at_ns) for at_ns in minute_ns])
    now_ns = START_NS + 2_500 * MINUTE + 10 * SECOND

    async def act(place):
        return await history.minutes(place.session, place.clock, "AAA", "AAA.X", START_NS, 0)

    found = ask(prices, act, now_ns)

    assert [bar.at_ns for bar in found] == minute_ns
    assert len(prices.asked) == 3


def test_a_minute_that_is_still_being_made_is_left_out():
    """Its high and low are not yet."""

    async def act(place):
        return await history.minutes(place.session, place.clock, "AAA", "AAA.X", START_NS, 0)

    found = ask(Prices(MINUTE, [row(START_NS), row(START_NS + MINUTE)]), act, START_NS + 119 * SECOND)

    assert [bar.at_ns for bar in found] == [START_NS]


def test_an_epic_that_is_unknown_is_told_and_one_without_prices_has_none():
    """Two answers with one status."""
    assert ask((404, {"errorCode": "error.prices.not-found"}), daily) == ()
    assert ask((404, {"errorCode": "error.no.such"}), daily) == ()
    with pytest.raises(Gone):
        ask((404, {"errorCode": "error.not-found.epic"}), daily)


def test_a_bar_that_contradicts_itself_is_none():
    """Corrupt data is worse than none: no half answer."""
    with pytest.raises(BadMessage, match="contradict"):
        ask(Prices(DAY, [row(START_NS - 2 * DAY, low=13.0)]), daily)


def test_a_row_without_a_side_is_left_out():
    """Null bids come in history as well."""
    bare = row(START_NS - 2 * DAY, openPrice={"bid": None, "ask": 10.0})

    assert ask(Prices(DAY, [bare]), daily) == ()
