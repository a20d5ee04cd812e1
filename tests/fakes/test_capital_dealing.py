"""Deals at the fake Capital.com: ids, confirms, protection, netting, working orders, and the exchange's book."""

import asyncio
from decimal import Decimal

import pytest

from joed.exchange import laws
from joed.model.commands import SubmitOrder
from joed.model.events import Quote
from joed.model.values import Kind, Leg, Side
from tests.fakes.capital_rig import gold, with_client

BRACKET = {"stopLevel": 2_380, "profitLevel": 2_450}


def test_an_opening_makes_an_order_first_and_then_a_position_with_another_id():
    """The confirm names the order; the position is among what it affected, and its row links back."""

    async def scenario(fake, client):
        confirm = await client.buy(1, **BRACKET)
        (row,) = await client.positions()
        (affected,) = confirm["affectedDeals"]
        assert confirm["dealReference"].startswith("o_")
        assert affected == {"dealId": row["dealId"], "status": "OPENED"}
        assert row["workingOrderId"] == confirm["dealId"] != row["dealId"]
        assert row["dealReference"] == f"p_{row['dealId']}"
        assert (confirm["status"], confirm["dealStatus"]) == ("OPEN", "ACCEPTED")
        assert laws(fake.exchange) == []
        return confirm["level"], row["level"], row["stopLevel"], row["profitLevel"], row["upl"]

    assert with_client(scenario) == (2_400, 2_400, 2_380, 2_450, -0.5)


def test_a_sale_pays_the_bid_and_is_marked_at_the_offer():
    """The closing side decides the open profit."""

    async def scenario(fake, client):
        confirm = await client.sell(2, stopLevel=2_420)
        (row,) = await client.positions()
        return confirm["level"], row["direction"], row["upl"]

    assert with_client(scenario) == (2_399.5, "SELL", -1)


@pytest.mark.parametrize(
    ("bid", "ask", "source", "level", "result"),
    [(2_379.0, 2_379.5, "SL", 2_379, "-21.00"), (2_450.5, 2_451.0, "TP", 2_450.5, "50.50")],
)
def test_stop_and_profit_level_close_at_the_quote_that_reaches_them(bid, ask, source, level, result):
    """A gap is paid in full; activity says what it was, a transaction what it brought."""

    async def scenario(fake, client):
        await client.buy(1, **BRACKET)
        gold(fake, bid, ask)
        activity = (await client.get("/history/activity", detailed="true"))["activities"][0]
        (trade,) = (await client.get("/history/transactions"))["transactions"]
        assert await client.positions() == []
        assert activity["details"]["direction"] == "SELL"
        assert laws(fake.exchange) == []
        return activity["source"], activity["details"]["level"], trade["size"], trade["currency"]

    assert with_client(scenario) == (source, level, result, "USDd")


def test_a_guaranteed_stop_fills_at_its_level_whatever_the_gap():
    """It costs distance, and keeps its word."""

    async def scenario(fake, client):
        await client.buy(1, stopLevel=2_370, guaranteedStop=True)
        gold(fake, 2_300.0, 2_301.0)
        return (await client.get("/history/transactions"))["transactions"][0]["size"]

    assert with_client(scenario) == "-30.00"


def test_a_trailing_stop_follows_the_price_and_never_goes_back():
    """By its distance."""

    async def scenario(fake, client):
        await client.buy(1, trailingStop=True, stopDistance=10)
        levels = []
        for bid in (2_410.0, 2_405.0):
            gold(fake, bid, bid + 0.5)
            levels.append((await client.positions())[0]["stopLevel"])
        gold(fake, 2_399.0, 2_399.5)
        return levels, await client.positions()

    assert with_client(scenario) == ([2_400, 2_400], [])


def test_a_close_closes_all_whatever_size_it_names():
    """The reference is the position's, direction and level are the closing trade's, and the result is told."""

    async def scenario(fake, client):
        await client.buy(2, **BRACKET)
        deal = (await client.positions())[0]["dealId"]
        confirm = await client.deal("DELETE", f"/positions/{deal}", size=1)
        gone = await client.call("DELETE", f"/positions/{deal}")
        assert confirm["dealReference"] == f"p_{deal}"
        assert confirm["dealId"] == deal
        assert confirm["affectedDeals"] == [{"dealId": deal, "status": "FULLY_CLOSED"}]
        assert laws(fake.exchange) == []
        return confirm["status"], confirm["direction"], confirm["level"], confirm["profit"], gone

    gone = (404, {"errorCode": "error.not-found.dealId"})
    assert with_client(scenario) == ("CLOSED", "SELL", 2_399.5, -1, gone)


def test_an_amendment_replaces_all_protection():
    """What is not named is cleared: a client that sends only the new stop loses its profit level."""

    async def scenario(fake, client):
        await client.buy(1, **BRACKET)
        deal = (await client.positions())[0]["dealId"]
        confirm = await client.deal("PUT", f"/positions/{deal}", stopLevel=2_390)
        (row,) = await client.positions()
        assert (confirm["status"], confirm["affectedDeals"][0]["status"]) == ("AMENDED", "AMENDED")
        gold(fake, 2_389.0, 2_389.5)
        return row["stopLevel"], "profitLevel" in row, await client.positions()

    assert with_client(scenario) == (2_390, False, [])


def test_protection_can_be_added_and_taken_away():
    """A position without a stop is possible, and the exchange's laws say so."""

    async def scenario(fake, client):
        await client.buy(1)
        deal = (await client.positions())[0]["dealId"]
        await client.deal("PUT", f"/positions/{deal}", **BRACKET)
        full = (await client.positions())[0]
        await client.deal("PUT", f"/positions/{deal}", stopLevel=None, profitLevel=None)
        bare = (await client.positions())[0]
        return full["stopLevel"], full["profitLevel"], "stopLevel" in bare, bool(laws(fake.exchange))

    assert with_client(scenario) == (2_380, 2_450, False, True)


def test_a_netting_account_closes_the_oldest_first_and_opens_what_is_left():
    """Partial closes keep the id with a smaller size; the rest is a new deal the other way."""

    async def scenario(fake, client):
        first, second = await client.buy(1, stopLevel=2_380), await client.buy(2, stopLevel=2_381)
        partial = await client.sell(1.5)
        (left,) = await client.positions()
        assert left["dealId"] == second["affectedDeals"][0]["dealId"]
        turned = await client.sell(2, stopLevel=2_420)
        (row,) = await client.positions()
        assert laws(fake.exchange) == []
        oldest = first["affectedDeals"][0]["dealId"]
        assert partial["affectedDeals"][0] == {"dealId": oldest, "status": "FULLY_CLOSED"}
        statuses = [[deal["status"] for deal in confirm["affectedDeals"]] for confirm in (partial, turned)]
        return partial["status"], left["size"], turned["status"], row["direction"], row["size"], statuses

    assert with_client(scenario) == (
        "PARTIALLY_CLOSED",
        1.5,
        "OPEN",
        "SELL",
        0.5,
        [["FULLY_CLOSED", "PARTIALLY_CLOSED"], ["FULLY_CLOSED", "OPENED"]],
    )


def test_a_hedging_account_holds_both_ways():
    """Nothing is netted, and a guaranteed stop is refused."""

    async def scenario(fake, client):
        await client.call("PUT", "/accounts/preferences", {"hedgingMode": True})
        await client.buy(1, stopLevel=2_380)
        await client.sell(1, stopLevel=2_420)
        body = {"epic": "GOLD", "direction": "BUY", "size": 1, "stopLevel": 2_300, "guaranteedStop": True}
        refused = await client.call("POST", "/positions", body)
        return [row["direction"] for row in await client.positions()], refused[0]

    assert with_client(scenario) == (["BUY", "SELL"], 400)


def working(kind="LIMIT", direction="BUY", level=2_390, **more):
    """Give a working order's body."""
    return {"epic": "GOLD", "direction": direction, "size": 1, "type": kind, "level": level, **more}


def test_a_working_order_has_one_id_and_distances_for_protection():
    """A long one's stop distance comes back with a minus, as theirs does; there is no reference in the row."""

    async def scenario(fake, client):
        confirm = await client.deal("POST", "/workingorders", **working(stopLevel=2_380, profitLevel=2_420))
        (row,) = await client.orders()
        assert confirm["dealId"] == confirm["affectedDeals"][0]["dealId"] == row["dealId"]
        assert "dealReference" not in row
        return row["orderLevel"], row["stopDistance"], row["profitDistance"], row["timeInForce"]

    assert with_client(scenario) == (2_390, -10, 30, "GOOD_TILL_CANCELLED")


@pytest.mark.parametrize(
    ("order", "bid", "ask"),
    [
        (working(stopLevel=2_380), 2_389.0, 2_389.5),
        (working("STOP", level=2_410, stopLevel=2_400), 2_410.0, 2_410.5),
        (working("LIMIT", "SELL", 2_410, stopLevel=2_420), 2_410.5, 2_411.0),
        (working("STOP", "SELL", 2_390, stopLevel=2_400), 2_389.5, 2_390.0),
    ],
)
def test_a_working_order_that_is_reached_becomes_a_position_with_a_new_id(order, bid, ask):
    """Position first, then the order as executed; the position keeps the order's id and its protection."""

    async def scenario(fake, client):
        confirm = await client.deal("POST", "/workingorders", **order)
        gold(fake, bid, ask)
        (row,) = await client.positions()
        assert row["workingOrderId"] == confirm["dealId"] != row["dealId"]
        assert row["stopLevel"] == order["stopLevel"]
        assert await client.orders() == []
        assert laws(fake.exchange) == []
        return (await client.activity())[-2:]

    assert with_client(scenario) == [("USER", "POSITION", "ACCEPTED"), ("SYSTEM", "WORKING_ORDER", "EXECUTED")]


def test_a_cancelled_working_order_answers_with_its_old_reference():
    """One confirm for its whole life: its status changes, its date does not."""

    async def scenario(fake, client):
        made = await client.deal("POST", "/workingorders", **working())
        await asyncio.sleep(60)
        ended = await client.deal("DELETE", f"/workingorders/{made['dealId']}")
        again = await client.call("DELETE", f"/workingorders/{made['dealId']}")
        assert ended["dealReference"] == made["dealReference"]
        assert ended["date"] == made["date"]
        return ended["status"], ended["affectedDeals"][0]["status"], again[0], (await client.activity())[-1]

    assert with_client(scenario) == ("DELETED", "DELETED", 404, ("USER", "WORKING_ORDER", "CANCELLED"))


def test_a_working_order_can_be_given_other_terms_and_keeps_its_id():
    """Level and protection, also those that the exchange takes in a new order only."""

    async def scenario(fake, client):
        made = await client.deal("POST", "/workingorders", **working(stopLevel=2_380))
        path = f"/workingorders/{made['dealId']}"
        await client.deal("PUT", path, level=2_391, stopLevel=2_380)
        await client.deal("PUT", path, level=2_392, stopLevel=2_385, profitLevel=2_430)
        (row,) = await client.orders()
        gold(fake, 2_391.0, 2_391.5)
        (position,) = await client.positions()
        assert row["dealId"] == made["dealId"] == position["workingOrderId"]
        return row["orderLevel"], position["stopLevel"], position["profitLevel"], laws(fake.exchange)

    assert with_client(scenario) == (2_392, 2_385, 2_430, [])


def test_a_working_order_ends_at_its_date():
    """It is UTC, without a suffix; a past one is refused, and so is a Z."""

    async def scenario(fake, client):
        refused = []
        for text in ("2026-08-31T00:00:00", "2026-09-01T01:00:00Z"):
            await asyncio.sleep(0.2)
            refused.append((await client.call("POST", "/workingorders", working(goodTillDate=text)))[1]["errorCode"])
        await client.deal("POST", "/workingorders", **working(goodTillDate="2026-09-01T00:05:00"))
        (row,) = await client.orders()
        await asyncio.sleep(301)
        assert await client.orders() == []
        return refused, row["timeInForce"], row["goodTillDateUTC"], (await client.activity())[-1]

    refused = ["error.not-in-future.goodTillDate", "error.invalid.daterange"]
    expired = ("SYSTEM", "WORKING_ORDER", "EXPIRED")
    assert with_client(scenario) == (refused, "GOOD_TILL_DATE", "2026-09-01T00:05:00", expired)


def test_an_opposite_working_order_nets_when_it_is_reached():
    """Its own protection is not inherited by what it leaves over."""

    async def scenario(fake, client):
        await client.buy(1, stopLevel=2_380)
        order = {**working("LIMIT", "SELL", 2_410, stopLevel=2_420), "size": 1.5}
        await client.deal("POST", "/workingorders", **order)
        gold(fake, 2_411.0, 2_411.5)
        (row,) = await client.positions()
        return row["direction"], row["size"], "stopLevel" in row, await client.orders()

    assert with_client(scenario) == ("SELL", 0.5, False, [])


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/positions", {"epic": "NONE"}, 404, "error.not-found.epic"),
        ("/positions", {"direction": "UP"}, 400, "error.invalid.direction"),
        ("/positions", {"size": 0.001}, 400, "error.invalid.size.minvalue: 0.01"),
        ("/positions", {"size": 1e9}, 400, "error.invalid.size.maxvalue: 10000.00"),
        ("/positions", {"size": 0.015}, 400, "error.invalid.size"),
        ("/positions", {"size": "many"}, 400, "error.invalid.size"),
        ("/positions", {"stopLevel": 2_399.4}, 400, "error.invalid.stoploss.maxvalue: 2399.26005"),
        ("/positions", {"stopLevel": 100}, 400, "error.invalid.stoploss.minvalue: 479.9"),
        ("/positions", {"profitLevel": 2_399.5}, 400, "error.invalid.takeprofit.minvalue: 2399.73995"),
        ("/positions", {"direction": "SELL", "stopLevel": 2_400}, 400, "error.invalid.stoploss.minvalue: 2400.23995"),
        ("/positions", {"stopLevel": 2_380.001}, 400, "error.validation.stop.price"),
        ("/positions", {"trailingStop": True, "stopLevel": 2_380}, 400, "error.invalid.trailingStop"),
        ("/positions", {"guaranteedStop": True}, 400, "error.invalid.guaranteedStop"),
        ("/workingorders", {"type": "MARKET"}, 400, "error.invalid.type"),
        ("/workingorders", {"level": None}, 400, "error.null.level"),
        ("/workingorders", {"level": 2_401}, 400, "error.validation.level.price"),
        ("/workingorders", {"type": "STOP", "level": 2_399}, 400, "error.validation.level.price"),
        ("/positions/1", {}, 404, "error.not-found.endpoint"),
    ],
)
def test_an_order_that_cannot_be_is_refused_at_once(path, body, status, code):
    """No reference is made, and the bound in the code is a price or a size."""

    async def scenario(fake, client):
        asked = {**working(), **body}
        answer = await client.call("POST", path, asked)
        assert fake.exchange.orders == {}
        return answer

    assert with_client(scenario) == (status, {"errorCode": code})


def rejected(confirm):
    """Check the shape of a refusal by confirm, and give its reason."""
    assert (confirm["status"], confirm["dealStatus"], confirm["affectedDeals"]) == ("DELETED", "REJECTED", [])
    assert confirm["level"] == 0
    assert confirm["dealId"]
    return confirm["rejectReason"]


def test_an_order_without_the_margin_is_refused_by_confirm():
    """It gets a reference and even an id; size over price by leverage is what it takes."""

    async def scenario(fake, client):
        fits = await client.buy(830)
        return fits["dealStatus"], rejected(await client.buy(10)), len(await client.positions())

    assert with_client(scenario) == ("ACCEPTED", "RC_NOT_ENOUGH_MARGIN", 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "CLOSED"}, "CLOSED_MARKET"),
        ({"status": "SUSPENDED"}, "CLOSED_MARKET"),
        ({"modes": ["CLOSE_ONLY"]}, "CLOSE_ONLY"),
        ({"quote": None}, "RC_NO_RATES"),
    ],
)
def test_a_market_that_does_not_trade_refuses_by_confirm(change, reason):
    """The POST itself is taken."""

    async def scenario(fake, client):
        fake.quote(Quote("AAPL", 190.0, 190.02))
        vars(fake.listings["AAPL"]).update(change)
        fake.exchange.quotes.pop("AAPL")
        return rejected(await client.buy(1, epic="AAPL"))

    assert with_client(scenario) == reason


def test_a_close_only_market_lets_positions_close():
    """By DELETE and by an opposite order."""

    async def scenario(fake, client):
        await client.buy(2, stopLevel=2_380)
        fake.listings["GOLD"].modes = ["CLOSE_ONLY"]
        partly = await client.sell(1)
        over = rejected(await client.sell(2))
        deal = (await client.positions())[0]["dealId"]
        return partly["status"], over, (await client.deal("DELETE", f"/positions/{deal}"))["status"]

    assert with_client(scenario) == ("PARTIALLY_CLOSED", "CLOSE_ONLY", "CLOSED")


def test_a_real_stock_account_holds_no_stops():
    """Its orders are refused where they carry one."""

    async def scenario(fake, client):
        next(iter(fake.accounts.values())).kind = "PHYSICAL"
        body = {"epic": "GOLD", "direction": "BUY", "size": 1, "stopLevel": 2_380}
        return await client.call("POST", "/positions", body), (await client.buy(1))["dealStatus"]

    assert with_client(scenario) == ((400, {"errorCode": "error.validation.stop.price"}), "ACCEPTED")


def test_money_is_what_the_exchange_has():
    """Deposit moves with results and nights, never with an open position; available is what no margin binds."""

    async def scenario(fake, client):
        await client.buy(1, stopLevel=2_380)
        held = (await client.get("/accounts"))["accounts"][0]["balance"]
        fake.charge_overnight()
        fake.adjust_dividend("GOLD", 2)
        deal = (await client.positions())[0]["dealId"]
        await client.deal("DELETE", f"/positions/{deal}")
        flat = (await client.get("/accounts"))["accounts"][0]["balance"]
        kinds = [row["transactionType"] for row in (await client.get("/history/transactions"))["transactions"]]
        assert flat["deposit"] == float(fake.exchange.book.cash + fake.funds.account.adjusted)
        return held, flat["deposit"], kinds

    held = {"balance": 99_999.5, "deposit": 100_000, "profitLoss": -0.5, "available": 99_879.5}
    assert with_client(scenario) == (held, 100_000.94, ["TRADE", "CORPORATE_ACTION", "SWAP"])


def test_what_happens_to_the_exchange_by_other_hands_is_seen():
    """A test that drives the exchange is another device of the account: rows, ids and activity are made for it."""

    async def scenario(fake, client):
        order = SubmitOrder(
            "stranger", "capital", "XAUUSD", Side.BUY, Decimal(1), Kind.LIMIT, Leg.ENTRY, opens=True,
            level=Decimal(2_390), stop_order="s", stop=Decimal(2_380), group="stranger",
        )  # fmt: skip
        fake.exchange.submit(fake.clock.now(), order)
        (row,) = await client.orders()
        fake.exchange.quote(fake.clock.now(), Quote("XAUUSD", 2_389.0, 2_389.5))
        (position,) = await client.positions()
        cancelled = await client.deal("DELETE", f"/positions/{position['dealId']}")
        return row["stopDistance"], position["stopLevel"], position["level"], cancelled["status"]

    assert with_client(scenario) == (-10, 2_380, 2_389.5, "CLOSED")
