"""Orders of all kinds at the fake TWS, and what brokers do to them that no order asked for."""

from decimal import Decimal as Money

import pytest

from joed.exchange import laws
from joed.model.events import Quote
from joed.model.values import Status
from tests.fakes.rig import CLIENT, bracket, client, desk, errors_of, lib, settle, traded
from tests.fakes.tws.faults import act


async def test_a_stop_limit_waits_in_tws_until_its_trigger():
    """PreSubmitted and unknown to the exchange; then a limit order like any other."""
    async with desk() as (tws, ib, contract):
        order = lib.StopLimitOrder("BUY", 5, 101.5, 101.0, orderRef="E1")
        (trade,) = await traded(ib, contract, [order])
        assert (trade.orderStatus.status, tws.exchange.orders) == ("PreSubmitted", {})

        order.lmtPrice = 101.2
        await traded(ib, contract, [order])
        tws.quote(Quote("AAPL", 100.9, 101.0))
        await settle(ib)

        assert (trade.orderStatus.status, trade.fills[0].execution.price) == ("Filled", 101.0)
        assert tws.exchange.orders["E1"].level == Money("101.2")


async def test_a_stop_limit_that_waits_can_be_cancelled():
    """The exchange has never heard of it."""
    async with desk() as (tws, ib, contract):
        (trade,) = await traded(ib, contract, [lib.StopLimitOrder("BUY", 5, 101.5, 101.0)])
        ib.cancelOrder(trade.order)
        await settle(ib)
        tws.quote(Quote("AAPL", 100.9, 101.0))
        await settle(ib)

        assert (trade.orderStatus.status, tws.exchange.orders) == ("Cancelled", {})


@pytest.mark.parametrize(("kind", "left"), [(2, 6), (3, 6), (1, 0)])
async def test_an_oca_group_without_an_entry_reduces_or_cancels_its_others(kind, left):
    """A position of before is protected by two orders of one group: types 2 and 3 reduce, 1 cancels."""
    async with desk() as (tws, ib, contract):
        await traded(ib, contract, [lib.MarketOrder("BUY", 10, orderRef="E0")])
        more = {"ocaGroup": "again", "ocaType": kind, "tif": "GTC"}
        stop = lib.StopOrder("SELL", 10, 95.0, orderRef="S", **more)
        target = lib.LimitOrder("SELL", 10, 110.0, orderRef="T", **more)
        trades = await traded(ib, contract, [stop, target])

        tws.quote(Quote("AAPL", 110.0, 110.1, bid_size=4.0))
        await settle(ib)

        assert (trades[1].orderStatus.filled, tws.exchange.protection("AAPL")) == (4, left)
        assert trades[0].orderStatus.status == ("PreSubmitted" if left else "Cancelled")


async def test_a_child_that_comes_after_its_parent_filled_joins_it():
    """A stop that was lost is placed anew, with the parent's id: it closes that parent's position alone."""
    async with desk() as (tws, ib, contract):
        orders = bracket(ib)
        await traded(ib, contract, orders)
        ib.cancelOrder(orders[2])
        await settle(ib)
        assert tws.exchange.protection("AAPL") == 0

        again = lib.StopOrder("SELL", 10, 96.0, orderRef="E1-S2", parentId=orders[0].orderId, tif="GTC")
        await traded(ib, contract, [again])
        assert tws.exchange.protection("AAPL") == 10
        tws.quote(Quote("AAPL", 95.5, 95.6))
        await settle(ib)
        assert tws.exchange.position("AAPL") == 0
        assert tws.exchange.orders["E1-T"].status is Status.CANCELLED


async def test_a_child_without_a_parent_is_refused():
    """135: there is nothing that it could be attached to."""
    async with desk() as (tws, ib, contract):
        errors = errors_of(ib)
        order = lib.StopOrder("SELL", 10, 96.0, parentId=999)
        await traded(ib, contract, [order])

        assert errors == [(order.orderId, 135)]
        assert tws.exchange.orders == {}


async def test_a_child_whose_parent_is_gone_is_refused():
    """201: the parent was cancelled before anything of it filled."""
    async with desk() as (tws, ib, contract):
        (parent,) = await traded(ib, contract, [lib.LimitOrder("BUY", 10, 99.0, orderRef="E1")])
        ib.cancelOrder(parent.order)
        errors = errors_of(ib)
        order = lib.StopOrder("SELL", 10, 96.0, parentId=parent.order.orderId)
        await traded(ib, contract, [order])

        assert errors[-1] == (order.orderId, 201)
        assert list(tws.exchange.orders) == ["E1"]


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (lib.LimitOrder("BUY", 1, 99.005), 110),
        (lib.LimitOrder("BUY", 0.5, 99.0), 10243),
        (lib.LimitOrder("BUY", 0, 99.0), 434),
        (lib.Order(action="BUY", totalQuantity=1, orderType="REL", lmtPrice=99.0), 387),
        (lib.LimitOrder("BUY", 1, 99.0, account="U999"), 321),
    ],
)
async def test_what_cannot_be_an_order_is_refused_by_its_number(order, code):
    """Price, quantity, type, account: each with TWS's own number, and nothing at the exchange that works."""
    async with desk() as (tws, ib, contract):
        errors = errors_of(ib)
        await traded(ib, contract, [order])

        assert errors == [(order.orderId, code)]
        assert all(held.status is Status.REJECTED for held in tws.exchange.orders.values())


async def test_a_read_only_api_takes_no_orders():
    """321 says so."""
    async with desk() as (tws, ib, contract):
        tws.desk.read_only = True
        errors = errors_of(ib)
        await traded(ib, contract, [lib.MarketOrder("BUY", 1)])

        assert [code for _, code in errors] == [321]


async def test_what_may_not_change_does_not():
    """104 for an order that is over, 329 for another type, 105 for the other side; a waiting child 2102."""
    async with desk() as (tws, ib, contract):
        orders = bracket(ib, level=99.0)
        await traded(ib, contract, orders)
        (over,) = await traded(ib, contract, [lib.MarketOrder("BUY", 1, orderRef="M")])
        errors = errors_of(ib)
        entry, wait = orders[0].orderId, orders[2].orderId
        changes = (
            (over.order.orderId, lib.MarketOrder("BUY", 2)),
            (entry, lib.MarketOrder("BUY", 10)),
            (entry, lib.LimitOrder("SELL", 10, 99.0)),
            (wait, lib.StopOrder("SELL", 10, 94.0, parentId=entry)),
        )
        for order_id, order in changes:
            ib.client.placeOrder(order_id, contract, order)
        await settle(ib)

        assert errors == [(over.order.orderId, 104), (entry, 329), (entry, 105), (wait, 2102)]
        assert tws.exchange.orders["E1"].level == Money(99)


async def test_a_quantity_is_the_whole_of_an_order():
    """Ten become six; the same terms again change nothing and are acknowledged."""
    async with desk() as (tws, ib, contract):
        order = lib.LimitOrder("BUY", 10, 99.0, orderRef="E1")
        (trade,) = await traded(ib, contract, [order])
        order.totalQuantity = 6
        await traded(ib, contract, [order])
        await traded(ib, contract, [order])

        assert (tws.exchange.orders["E1"].quantity, trade.orderStatus.remaining) == (6, 6)


async def test_everything_goes_by_a_global_cancel():
    """Both clients' orders, and what was made by hand."""
    async with desk() as (tws, ib, contract), client(tws, 18) as other:
        await traded(ib, contract, bracket(ib, level=99.0))
        await traded(other, contract, [lib.LimitOrder("BUY", 1, 98.0)])
        act(tws, "manual BUY 1 AAPL 97")
        other.reqGlobalCancel()
        await settle(other)

        assert tws.desk.living() == []
        assert {order.status for order in tws.exchange.orders.values()} == {Status.CANCELLED}


async def test_executions_can_be_asked_for_in_part():
    """By client, by symbol, by side, by time."""
    async with desk() as (tws, ib, contract), client(tws, 18) as other:
        await traded(ib, contract, [lib.MarketOrder("BUY", 2)])
        await traded(other, contract, [lib.MarketOrder("SELL", 1)])

        async def count(**wanted):
            return len(await other.reqExecutionsAsync(lib.ExecutionFilter(**wanted)))

        assert [await count(), await count(clientId=CLIENT), await count(side="SELL")] == [2, 1, 1]
        assert [await count(symbol="MSFT"), await count(time="20991231 00:00:00")] == [0, 0]


async def test_the_end_of_a_day_ends_its_orders_and_the_next_forgets_them():
    """Cancelled with 202; a GTC order stays, and after one more day nothing of the first is told."""
    async with desk() as (tws, ib, contract):
        day = lib.LimitOrder("BUY", 1, 99.0, orderRef="D", tif="DAY")
        good = lib.LimitOrder("BUY", 1, 98.0, orderRef="G", tif="GTC")
        trades = await traded(ib, contract, [day, good, lib.MarketOrder("BUY", 1, orderRef="M")])
        tws.desk.end_of_day()
        await settle(ib)
        assert [trade.orderStatus.status for trade in trades] == ["Cancelled", "Submitted", "Filled"]

        tws.desk.end_of_day()
        assert await ib.reqCompletedOrdersAsync(apiOnly=False) == []
        assert len(await ib.reqExecutionsAsync()) == 0
        assert [order.orderRef for order in ib.openOrders()] == ["G"]


async def test_what_fills_after_its_cancel_is_filled():
    """Cancelled, and then the execution: TWS tells both, and the last word is the fill."""
    async with desk() as (tws, ib, contract):
        tws.exchange.armed["late_fill"] = 1
        trades = await traded(ib, contract, bracket(ib, level=99.0))
        ib.cancelOrder(trades[0].order)
        await settle(ib)
        assert trades[0].orderStatus.status == "Cancelled"

        tws.desk.settle(tws.exchange.fill_ghosts(tws.clock.now()))
        await settle(ib)
        assert (trades[0].orderStatus.status, len(trades[0].fills)) == ("Filled", 1)


async def test_more_than_was_ordered_may_fill():
    """An overfill is told like any execution."""
    async with desk() as (tws, ib, contract):
        tws.exchange.armed["overfill"] = 1
        (trade, *_) = await traded(ib, contract, bracket(ib))

        assert [fill.execution.cumQty for fill in trade.fills] == [10, 20]
        assert tws.exchange.position("AAPL") == 20


async def test_a_bracket_may_lose_its_stop():
    """201 for the one leg; the entry and the target work."""
    async with desk() as (tws, ib, contract):
        tws.exchange.armed["stop_rejected"] = 1
        orders = bracket(ib)
        errors = errors_of(ib)
        trades = await traded(ib, contract, orders)

        assert (orders[2].orderId, 201) in errors
        assert [trade.orderStatus.status for trade in trades[:2]] == ["Filled", "Submitted"]
        assert tws.exchange.protection("AAPL") == 0


async def test_a_dead_order_is_not_among_the_open_ones():
    """A rejected bracket is told as over: completed, Inactive, with its reason."""
    async with desk() as (_tws, ib, contract):
        await traded(ib, contract, bracket(ib, quantity=0.5))

        assert await ib.reqAllOpenOrdersAsync() == []
        done = await ib.reqCompletedOrdersAsync(apiOnly=False)
        assert {trade.orderStatus.status for trade in done} == {"Inactive"}


async def test_what_a_test_does_at_the_exchange_is_in_every_later_answer():
    """As in a gap: no word on the wire, but the lists have it."""
    async with desk() as (tws, ib, contract):
        trades = await traded(ib, contract, bracket(ib, level=99.0))
        tws.exchange.quote(tws.clock.now(), Quote("AAPL", 98.8, 98.9))
        await settle(ib)
        assert trades[0].orderStatus.status == "Submitted"

        assert len(await ib.reqExecutionsAsync()) == 1
        assert {one.order.orderRef for one in await ib.reqAllOpenOrdersAsync()} == {"E1-S", "E1-T"}
        assert laws(tws.exchange) == []
