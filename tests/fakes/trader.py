"""A stranger's program: with ib_insync or ib_async as they are, connect, stream, trade a bracket, come back.

Run as `python trader.py LIBRARY PORT`; it prints one JSON line a step and waits for a line on stdin between them. It
stands alone, for it also runs where ib_async is installed instead.
"""

import asyncio
import importlib
import json
import sys


def say(**facts):
    """Print one step's facts."""
    print(json.dumps(facts), flush=True)


async def go_on():
    """Wait for the other side's word."""
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def until(event, true):
    """Wait for an event after which something holds."""
    done = asyncio.get_running_loop().create_future()

    def look(*_words):
        if true() and not done.done():
            done.set_result(None)

    event += look
    look()
    await asyncio.wait_for(done, 20)


async def trade(lib, port):
    """Do it all."""
    ib = lib.IB()
    await ib.connectAsync("127.0.0.1", port, clientId=17, timeout=10)
    (contract,) = await ib.qualifyContractsAsync(lib.Stock("AAPL", "SMART", "USD"))
    ticker = ib.reqMktData(contract)
    await until(ib.pendingTickersEvent, lambda: ticker.bid == ticker.bid)
    say(version=ib.client.serverVersion(), accounts=ib.managedAccounts(), bid=ticker.bid, ask=ticker.ask)

    orders = ib.bracketOrder("BUY", 10, 100.0, 110.0, 95.0, tif="GTC")
    for order, ref in zip(orders, ("E1", "E1-T", "E1-S"), strict=True):
        order.orderRef = ref
    trades = [ib.placeOrder(contract, order) for order in orders]
    await until(ib.orderStatusEvent, lambda: trades[1].orderStatus.status == "Submitted")
    say(statuses=[trade.orderStatus.status for trade in trades], price=trades[0].fills[0].execution.price)

    await go_on()
    await until(ib.orderStatusEvent, lambda: trades[2].orderStatus.remaining == 6)
    say(sold=trades[1].orderStatus.filled, left=trades[2].orderStatus.remaining)
    ib.disconnect()

    await go_on()
    again = lib.IB()
    await again.connectAsync("127.0.0.1", port, clientId=17, timeout=10)
    fills = {fill.execution.orderRef: fill.execution.shares for fill in again.fills()}
    say(fills=fills, open=sorted(order.orderRef for order in again.openOrders()))
    again.disconnect()


if __name__ == "__main__":
    asyncio.run(trade(importlib.import_module(sys.argv[1]), int(sys.argv[2])))
