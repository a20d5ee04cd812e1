"""Markets, hours, bars and history of the fake Capital.com, with the odd rules that were measured at the real one."""

import asyncio
from decimal import Decimal

import pytest

from joed.model.events import Quote
from joed.model.settings import Instrument
from joed.model.values import DAY, HOUR, MINUTE
from joed.sim.loop import START_NS
from tests.fakes.capital.listing import WEEK, Listing
from tests.fakes.capital_rig import gold, with_client


def test_details_have_the_rules_and_the_snapshot():
    """The step of prices and the step of sizes are different rules; a local time without a twin is the snapshot's."""

    async def scenario(fake, client):
        body = await client.get("/markets/GOLD")
        rules, snapshot = body["dealingRules"], body["snapshot"]
        steps = rules["minStepDistance"]["value"], rules["minSizeIncrement"]["value"], rules["minDealSize"]["value"]
        return steps, snapshot["updateTime"], snapshot["marketStatus"], snapshot["bid"], body["instrument"]["type"]

    found = ((0.01, 0.01, 0.01), "2026-09-01T02:00:00.000", "TRADEABLE", 2_399.5, "COMMODITIES")
    assert with_client(scenario) == found


def test_lists_of_markets_come_in_two_shapes():
    """By words they are flat, by epics in detail; words win; unknown epics are left out."""

    async def scenario(fake, client):
        flat = await client.get("/markets", searchTerm="xau", epics="AAPL")
        details = await client.get("/markets", epics="GOLD,NONE,AAPL")
        everything = await client.get("/markets")
        found = [row["instrument"]["epic"] for row in details["marketDetails"]]
        return [row["epic"] for row in flat["markets"]], found, len(everything["markets"])

    assert with_client(scenario) == (["GOLD"], ["GOLD", "AAPL"], 3)


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/markets", {"searchTerm": ""}, 400, "error.null.searchTerm"),
        ("/markets", {"epics": ""}, 400, "error.null.epic"),
        ("/markets", {"epics": ",".join(f"E{n}" for n in range(51))}, 400, "error.invalid.max.epics"),
        ("/markets/NONE", {}, 404, "error.not-found.epic"),
        ("/marketnavigation", {"limit": "0"}, 400, "error.invalid.limit"),
        ("/clientsentiment/NONE", {}, 404, "error.not-found.epic"),
        ("/prices/NONE", {}, 404, "error.not-found.epic"),
        ("/prices/AAPL", {}, 404, "error.prices.not-found"),
        ("/prices/GOLD", {"resolution": "SECOND"}, 400, "error.invalid.resolution"),
        ("/prices/GOLD", {"max": "1001"}, 400, "error.invalid.max"),
        ("/prices/GOLD", {"from": "2026-09-01T00:00:00Z"}, 400, "error.invalid.from"),
        ("/prices/GOLD", {"to": "1788220800"}, 400, "error.invalid.to"),
        ("/prices/GOLD", {"to": "2026-09-01T01:00:00"}, 400, "error.invalid.daterange"),
        ("/prices/GOLD", {"from": "2026-08-31T00:00:00", "to": "2026-08-30T00:00:00"}, 400, "error.invalid.daterange"),
        ("/history/activity", {"from": "yesterday"}, 400, "error.invalid.from"),
        ("/history/activity", {"from": "2026-08-30T23:00:00"}, 400, "error.invalid.daterange"),
        ("/history/activity", {"lastPeriod": "86401"}, 400, "error.invalid.lastPeriod"),
        ("/history/transactions", {"to": "x"}, 400, "error.invalid.to"),
    ],
)
def test_a_question_that_cannot_be_is_refused_by_code(path, query, status, code):
    """Each with its own."""

    async def scenario(fake, client):
        return await client.call("GET", path, **query)

    assert with_client(scenario) == (status, {"errorCode": code})


@pytest.mark.parametrize(
    ("at_ns", "status"),
    [
        (START_NS, "TRADEABLE"),  # Tuesday 00:00
        (START_NS + 21 * HOUR, "CLOSED"),
        (START_NS + 22 * HOUR - 1, "CLOSED"),
        (START_NS + 22 * HOUR, "TRADEABLE"),
        (START_NS + 4 * DAY, "CLOSED"),  # Saturday
        (START_NS + 5 * DAY + 22 * HOUR, "TRADEABLE"),  # Sunday evening
    ],
)
def test_opening_hours_decide_the_status(at_ns, status):
    """Midnight as an end is the day's end; an empty day is closed; a malformed segment is passed over."""
    listing = Listing(Instrument("EURUSD"), hours=WEEK | {"tue": [*WEEK["tue"], "-"]})

    assert listing.state(at_ns) == status
    listing.status = "ON_AUCTION"
    assert listing.state(at_ns) == "ON_AUCTION"


def test_a_closed_market_has_no_prices():
    """Nothing reaches the stream, the bars or the exchange."""

    async def scenario(fake, client):
        fake.listings["GOLD"].status = "CLOSED"
        gold(fake, 2_300.0, 2_300.5)
        snapshot = (await client.get("/markets/GOLD"))["snapshot"]
        return snapshot["marketStatus"], snapshot["bid"], fake.exchange.quotes["XAUUSD"].bid

    assert with_client(scenario) == ("CLOSED", 2_399.5, 2_399.5)


def minutes(first_ns, count, price=100.0):
    """Give so many minutes, each one higher."""
    return [(first_ns + n * MINUTE, [price + n] * 4, [price + n + 0.5] * 4, 1) for n in range(count)]


async def opened(client, epic="AAPL", **query):
    """Give the opens of an epic's bars, their first and last time."""
    rows = (await client.get(f"/prices/{epic}", **query))["prices"]
    return [row["openPrice"]["bid"] for row in rows], rows[0]["snapshotTimeUTC"], rows[-1]["snapshotTimeUTC"]


def test_bars_are_anchored_where_the_question_begins():
    """With `from` the oldest come first, without it the newest; both bounds are inclusive."""

    async def scenario(fake, client):
        fake.tape.seed("AAPL", minutes(START_NS - 100 * MINUTE, 100))
        newest = await opened(client, max="3")
        oldest = await opened(client, **{"from": "2026-08-31T22:20:00", "max": "3"})
        between = await opened(client, **{"from": "2026-08-31T22:20:00", "to": "2026-08-31T22:22:00"})
        usual = await opened(client)
        return newest[0], oldest[0], between, len(usual[0])

    between = ([100.0, 101.0, 102.0], "2026-08-31T22:20:00.000", "2026-08-31T22:22:00.000")
    assert with_client(scenario) == ([197.0, 198.0, 199.0], [100.0, 101.0, 102.0], between, 10)


def test_a_span_is_held_against_max_even_where_it_is_empty():
    """Nine minutes fit into ten rows, ten do not."""

    async def scenario(fake, client):
        fake.tape.seed("AAPL", minutes(START_NS - 100 * MINUTE, 100))
        fits = await opened(client, **{"from": "2026-08-31T22:20:00", "to": "2026-08-31T22:29:00", "max": "10"})
        over = await client.call("GET", "/prices/AAPL", **{"from": "2026-08-31T22:20:00", "to": "2026-08-31T22:30:00"})
        empty = await client.call("GET", "/prices/AAPL", **{"from": "2026-08-01T00:00:00", "to": "2026-08-01T00:05:00"})
        return len(fits[0]), over[1], empty

    assert with_client(scenario) == (
        10,
        {"errorCode": "error.invalid.max.daterange"},
        (404, {"errorCode": "error.prices.not-found"}),
    )


def test_the_newest_bar_is_still_forming():
    """High and low grow with the quotes, close follows; ticks are what they call volume; times come twice."""

    async def scenario(fake, client):
        await asyncio.sleep(3_610)
        await client.login()
        for price in (2_400.0, 2_410.0, 2_395.0):
            gold(fake, price, price + 1)
        before, row = (await client.get("/prices/GOLD", resolution="HOUR"))["prices"][-2:]
        assert before["snapshotTimeUTC"] == "2026-09-01T00:00:00.000"
        names = ("openPrice", "highPrice", "lowPrice", "closePrice")
        return [row[name]["bid"] for name in names], row["lastTradedVolume"], row["snapshotTime"]

    assert with_client(scenario) == ([2_400, 2_410, 2_395, 2_395], 3, "2026-09-01T03:00:00.000")


def test_activity_is_told_for_a_span_a_deal_or_a_kind():
    """Ten minutes where nothing else is asked for; size, level and direction live in the details."""

    async def scenario(fake, client):
        confirm = await client.buy(1, stopLevel=2_380)
        await asyncio.sleep(700)
        await client.login()
        await client.buy(2, stopLevel=2_380)
        deal = confirm["affectedDeals"][0]["dealId"]
        whole = (await client.get("/history/activity", lastPeriod="86400", detailed="true"))["activities"]
        one = (await client.get("/history/activity", lastPeriod="86400", dealId=deal))["activities"]
        kind = await client.get("/history/activity", lastPeriod="86400", filter="type==POSITION;epic==GOLD,SILVER")
        assert "details" not in one[0]
        assert whole[-1]["date"][:13] == "2026-09-01T02"
        counts = len(await client.activity()), len(whole), len(one), len(kind["activities"])
        return counts, [row["details"]["size"] for row in whole if row["type"] == "POSITION"]

    assert with_client(scenario) == ((3, 6, 1, 2), [2, 1])


def test_a_filter_that_says_nothing_is_refused():
    """A term is a name and its values."""

    async def scenario(fake, client):
        return (await client.call("GET", "/history/activity", filter="type"))[1]

    assert with_client(scenario) == {"errorCode": "error.invalid.filter"}


def test_local_times_follow_the_accounts_zone():
    """A field without UTC in its name is shifted; its twin is not. The zone shifts with the season."""

    async def scenario(fake, client):
        await client.buy(1)
        before = (await client.positions())[0]
        fake.funds.offset_h = 1
        after = (await client.positions())[0]
        session = await client.get("/session")
        return before["createdDate"], after["createdDate"], after["createdDateUTC"], session["timezoneOffset"]

    local = "2026-09-01T02:00:00.200", "2026-09-01T01:00:00.200"
    assert with_client(scenario) == (*local, "2026-09-01T00:00:00.200", 1)


def test_another_currency_is_paid_at_its_rate():
    """Results and margin are the account's, levels the instrument's."""

    async def scenario(fake, client):
        fake.listings["AAPL"].currency, fake.funds.rates = "EUR", {"EUR": Decimal("1.1")}
        fake.quote(Quote("AAPL", 100.0, 100.1))
        await client.buy(10, epic="AAPL")
        fake.quote(Quote("AAPL", 110.1, 110.2))
        (row,) = await client.positions()
        return row["currency"], row["upl"]

    assert with_client(scenario) == ("EUR", 110)


def test_navigation_and_sentiment_are_there():
    """One node holds every market."""

    async def scenario(fake, client):
        node = (await client.get("/marketnavigation"))["nodes"][0]["id"]
        markets = (await client.get(f"/marketnavigation/{node}"))["markets"]
        both = await client.get("/clientsentiment", marketIds="GOLD,AAPL")
        one = await client.get("/clientsentiment/GOLD")
        return len(markets), len(both["clientSentiments"]), one["marketId"]

    assert with_client(scenario) == (3, 2, "GOLD")
