"""An unmodified ib_insync lives with the fake TWS: it connects, streams, trades, and finds everything again."""

from decimal import Decimal as Money

from joed.exchange import laws
from joed.model.events import Quote
from joed.model.values import Status
from tests.fakes.rig import bracket, client, desk, errors_of, house, lib, settle, traded


async def test_a_client_connects_and_is_synchronised():
    """Accounts, the next id and all end markers come: nothing times out, and the values are the exchange's."""
    async with house() as tws, client(tws) as ib:
        assert ib.client.serverVersion() == 176
        assert ib.managedAccounts() == ["DU1234567"]
        assert ib.client.getReqId() >= tws.desk.next_id
        values = {row.tag: row.value for row in ib.accountValues() if row.currency in {"USD", ""}}
        assert Money(values["NetLiquidation"]) == tws.exchange.book.cash


async def test_a_contract_is_described_with_its_hours_and_its_steps():
    """One contract of one conId, hours in the zone that they name, and a rule for each exchange."""
    async with desk() as (_tws, ib, contract):
        (details,) = await ib.reqContractDetailsAsync(contract)

        assert (contract.conId, contract.primaryExchange, details.minTick) == (265598, "NASDAQ", 0.01)
        assert details.timeZoneId == "US/Eastern"
        assert len(details.liquidHours.split(";")) == 6
        assert len(details.marketRuleIds.split(",")) == len(details.validExchanges.split(","))
        (step,) = await ib.reqMarketRuleAsync(26)
        assert step.increment == 0.01


async def test_quotes_are_streamed_with_sizes_and_volume():
    """The first ticks tell what is known, the later ones what the market says, whole at every update."""
    async with desk() as (tws, ib, contract):
        ticker = ib.reqMktData(contract)
        await settle(ib)
        assert (ticker.bid, ticker.ask, ticker.last, ticker.marketDataType) == (99.9, 100.0, 99.95, 1)

        seen = []
        ticker.updateEvent += lambda one: seen.append((one.bid, one.ask))
        tws.quote(Quote("AAPL", 101.0, 101.1, 101.1, 1500.0, bid_size=300.0, ask_size=200.0))
        await settle(ib)

        assert seen[-1] == (101.0, 101.1)
        assert (ticker.bidSize, ticker.askSize, ticker.volume, ticker.halted) == (300, 200, 1500, 0)


async def test_a_bracket_is_held_back_until_its_last_leg():
    """Two legs of three are nothing at the exchange; the third transmits all, in one turn."""
    async with desk() as (tws, ib, contract):
        orders = bracket(ib, level=99.0)
        await traded(ib, contract, orders[:2])
        assert tws.exchange.orders == {}

        trades = [ib.placeOrder(contract, orders[2])]
        await settle(ib)

        assert list(tws.exchange.orders) == ["E1", "E1-S", "E1-T"]
        assert trades[0].orderStatus.status == "PreSubmitted"
        assert trades[0].orderStatus.whyHeld == "child,trigger"


async def test_a_bracket_fills_is_protected_and_reduces_its_stop():
    """OCA type 2: four of ten sold at the target leave a stop for six."""
    async with desk() as (tws, ib, contract):
        parent, target, stop = await traded(ib, contract, bracket(ib))
        assert parent.orderStatus.status == "Filled"
        assert parent.fills[0].commissionReport.commission == 1.0
        assert (target.orderStatus.status, stop.orderStatus.status) == ("Submitted", "PreSubmitted")

        tws.quote(Quote("AAPL", 110.0, 110.1, bid_size=4.0))
        await settle(ib)

        assert (target.orderStatus.filled, target.orderStatus.remaining) == (4, 6)
        assert stop.orderStatus.remaining == 6
        assert tws.exchange.protection("AAPL") == 6
        assert [(row.contract.conId, row.position) for row in ib.positions()] == [(contract.conId, 6)]
        assert laws(tws.exchange) == []


async def test_an_order_is_modified_under_its_id():
    """The same id with another trigger moves the stop; a price off the tick moves nothing and is refused."""
    async with desk() as (tws, ib, contract):
        *_, stop = orders = bracket(ib)
        await traded(ib, contract, orders)
        errors = errors_of(ib)

        stop.auxPrice = 97.0
        await traded(ib, contract, [stop])
        assert tws.exchange.orders["E1-S"].level == Money(97)

        stop.auxPrice = 97.005
        await traded(ib, contract, [stop])
        assert errors == [(stop.orderId, 110)]
        assert tws.exchange.orders["E1-S"].level == Money(97)


async def test_a_marketable_target_closes_the_position():
    """How joed closes: the target's limit goes to the bid, the stop ends with it."""
    async with desk() as (tws, ib, contract):
        orders = bracket(ib)
        await traded(ib, contract, orders)
        errors = errors_of(ib)

        orders[1].lmtPrice = 99.0
        await traded(ib, contract, [orders[1]])

        assert errors == [(orders[2].orderId, 202)]
        assert tws.exchange.position("AAPL") == 0
        assert tws.exchange.orders["E1-S"].status is Status.CANCELLED
        assert laws(tws.exchange) == []


async def test_a_cancelled_parent_takes_its_children_along():
    """All three end, each with its own word."""
    async with desk() as (tws, ib, contract):
        trades = await traded(ib, contract, bracket(ib, level=99.0))

        ib.cancelOrder(trades[0].order)
        await settle(ib)

        assert [trade.orderStatus.status for trade in trades] == ["Cancelled"] * 3
        assert {order.status for order in tws.exchange.orders.values()} == {Status.CANCELLED}


async def test_a_close_joins_the_group_by_its_oca_name():
    """A market order in the bracket's OCA group closes the position and ends both children."""
    async with desk() as (tws, ib, contract):
        await traded(ib, contract, bracket(ib))
        close = lib.MarketOrder("SELL", 10, orderRef="C1", ocaGroup="E1-oca", ocaType=2)
        again = lib.MarketOrder("SELL", 10, orderRef="C2", ocaGroup="E1-oca", ocaType=2)
        errors = errors_of(ib)
        await traded(ib, contract, [close, again])

        assert tws.exchange.position("AAPL") == 0
        assert (again.orderId, 201) in errors
        assert laws(tws.exchange) == []


async def test_everything_is_found_again_by_the_next_connection():
    """Executions with their commissions, the open orders, what is completed, the position: all by orderRef."""
    async with desk() as (tws, ib, contract):
        await traded(ib, contract, bracket(ib))
        ib.disconnect()
        tws.quote(Quote("AAPL", 110.0, 110.1, bid_size=4.0))

        async with client(tws) as back:
            fills = {fill.execution.orderRef: fill for fill in back.fills()}
            assert {ref: fill.execution.shares for ref, fill in fills.items()} == {"E1": 10, "E1-T": 4}
            assert fills["E1-T"].commissionReport.realizedPNL == 39.0
            assert {order.orderRef for order in back.openOrders()} == {"E1-S", "E1-T"}
            completed = await back.reqCompletedOrdersAsync(apiOnly=False)
            assert [(one.order.orderRef, one.orderStatus.status) for one in completed] == [("E1", "Filled")]
            assert [row.position for row in back.positions()] == [6]


async def test_a_margin_preview_places_nothing():
    """WhatIf answers with what the order would need, and the exchange never hears of it."""
    async with desk() as (tws, ib, contract):
        state = await ib.whatIfOrderAsync(contract, lib.LimitOrder("BUY", 10, 100.0))

        assert (state.initMarginChange, state.initMarginAfter, state.commission) == ("250.00", "250.00", 1.0)
        assert tws.exchange.orders == {}


async def test_a_used_id_and_an_unknown_order_are_refused_by_number():
    """103 for an id behind the newest, 10147 for a cancel of nothing, 10148 for one that came too late."""
    async with desk() as (tws, ib, contract):
        errors = errors_of(ib)
        trades = await traded(ib, contract, [lib.MarketOrder("BUY", 1, orderRef="E1")])
        order_id = trades[0].order.orderId
        ib.client.cancelOrder(order_id, "")
        ib.client.cancelOrder(9999, "")
        ib.client.placeOrder(order_id - 1, contract, lib.MarketOrder("BUY", 1))
        await settle(ib)

        assert errors == [(order_id, 10148), (9999, 10147), (order_id - 1, 103)]
        assert tws.exchange.position("AAPL") == 1


async def test_each_client_sees_its_own_orders_and_may_ask_for_all():
    """Another client's order is in the list of all, and cannot be cancelled from here."""
    async with desk() as (tws, ib, contract), client(tws, 18) as other:
        (trade,) = await traded(ib, contract, bracket(ib, level=99.0)[:1])
        trade.order.transmit = True
        await traded(ib, contract, [trade.order])
        errors = errors_of(other)

        assert await other.reqOpenOrdersAsync() == []
        assert [one.order.orderRef for one in await other.reqAllOpenOrdersAsync()] == ["E1"]
        other.client.cancelOrder(trade.order.orderId, "")
        await settle(other)

        assert errors == [(trade.order.orderId, 10147)]
        assert tws.exchange.orders["E1"].status is Status.WORKING
