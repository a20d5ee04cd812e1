"""A stranger's program with the official client as it is: connect, stream, trade a bracket, come back.

Run as `python official.py PORT`; it prints one JSON line a step and waits for a line on stdin between them, as
trader.py does.
"""

import json
import queue
import sys
import threading

from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.execution import ExecutionFilter
from ibapi.order import Order
from ibapi.wrapper import EWrapper

WAIT_S = 20


class Program(EWrapper, EClient):
    """The client, with its words in a queue."""

    def __init__(self, port, client_id):
        EClient.__init__(self, self)
        self.words = queue.Queue()
        self.connect("127.0.0.1", port, client_id)
        threading.Thread(target=self.run, daemon=True).start()

    def wait(self, name, true=lambda *_: True):
        """Give the next word of this name for which something holds."""
        while True:
            said, facts = self.words.get(timeout=WAIT_S)
            if said == name and true(*facts):
                return facts

    def nextValidId(self, order_id):
        """Hear the next id."""
        self.words.put(("id", (order_id,)))

    def managedAccounts(self, accounts):
        """Hear the accounts."""
        self.words.put(("accounts", (accounts,)))

    def contractDetails(self, request, details):
        """Hear of a contract."""
        self.words.put(("contract", (details.contract, details.minTick, details.liquidHours)))

    def tickPrice(self, request, tick, price, attributes):
        """Hear a price."""
        self.words.put(("price", (tick, price)))

    def orderStatus(self, *facts):
        """Hear where an order stands: id, status, filled, remaining and more."""
        self.words.put(("status", facts))

    def openOrder(self, order_id, contract, order, state):
        """Hear an order's terms."""
        self.words.put(("order", (order.orderRef, order.permId, str(order.totalQuantity), order.ocaType)))

    def openOrderEnd(self):
        """Hear the end of the orders."""
        self.words.put(("orders", ()))

    def execDetails(self, request, contract, execution):
        """Hear an execution."""
        self.words.put(("execution", (request, execution.orderRef, str(execution.shares), execution.execId)))

    def execDetailsEnd(self, request):
        """Hear the end of the executions."""
        self.words.put(("executions", (request,)))

    def commissionAndFeesReport(self, report):
        """Hear what an execution cost."""
        self.words.put(("commission", (report.execId, report.commissionAndFees)))

    def completedOrder(self, contract, order, state):
        """Hear of an order that is over."""
        self.words.put(("completed", (order.orderRef, state.status)))

    def positionEnd(self):
        """Hear the end of the positions."""
        self.words.put(("positions", ()))

    def position(self, account, contract, quantity, average):
        """Hear a position."""
        self.words.put(("position", (contract.symbol, str(quantity), average)))

    def everything(self, end):
        """Give all words up to an end."""
        found = []
        while True:
            said, facts = self.words.get(timeout=WAIT_S)
            if said == end:
                return found
            found.append((said, facts))


def say(**facts):
    """Print one step's facts."""
    print(json.dumps(facts), flush=True)


def order_of(order_id, parent, side, kind, ref):
    """Give a leg of a bracket; `kind` is its type, its limit and its trigger."""
    order = Order()
    order.orderId, order.parentId, order.action, order.totalQuantity = order_id, parent, side, 10
    order.orderType, limit, trigger = kind
    order.lmtPrice = limit or order.lmtPrice
    order.auxPrice = trigger or order.auxPrice
    order.tif, order.orderRef, order.transmit = "GTC", ref, trigger is not None
    if parent:
        order.ocaGroup, order.ocaType = "E1-oca", 2
    return order


def main(port):
    """Do it all."""
    program = Program(port, 17)
    (accounts,) = program.wait("accounts")
    (first,) = program.wait("id")
    wanted = Contract()
    wanted.symbol, wanted.secType, wanted.exchange, wanted.currency = "AAPL", "STK", "SMART", "USD"
    program.reqContractDetails(1001, wanted)
    contract, tick, hours = program.wait("contract")
    program.reqMktData(1002, contract, "", False, False, [])
    bid = program.wait("price", lambda tick, _price: tick == 1)[1]
    ask = program.wait("price", lambda tick, _price: tick == 2)[1]
    say(version=program.serverVersion(), accounts=accounts.split(","), bid=bid, ask=ask, tick=tick, hours=hours)

    legs = (
        order_of(first, 0, "BUY", ("LMT", 100.0, None), "E1"),
        order_of(first + 1, first, "SELL", ("LMT", 110.0, None), "E1-T"),
        order_of(first + 2, first, "SELL", ("STP", None, 95.0), "E1-S"),
    )
    for leg in legs:
        program.placeOrder(leg.orderId, contract, leg)
    filled = program.wait("status", lambda order, status, *_: (order, status) == (first, "Filled"))
    program.wait("status", lambda order, status, *_: (order, status) == (first + 1, "Submitted"))
    say(statuses=["Filled", "Submitted", "PreSubmitted"], price=filled[4])

    sys.stdin.readline()
    sold = program.wait("status", lambda order, _status, done, *_: order == first + 1 and done == 4)
    left = program.wait("status", lambda order, _status, _done, left, *_: order == first + 2 and left == 6)
    say(sold=int(sold[2]), left=int(left[3]))
    program.disconnect()

    sys.stdin.readline()
    again = Program(port, 18)  # its reader lets go of the first one's socket a second later
    again.wait("id")
    again.reqExecutions(2001, ExecutionFilter())
    told = again.everything("executions")
    again.reqAllOpenOrders()
    orders = again.everything("orders")
    again.reqCompletedOrders(False)
    completed = again.wait("completed")
    again.reqPositions()
    positions = again.everything("positions")
    say(
        fills={facts[1]: float(facts[2]) for said, facts in told if said == "execution"},
        open=sorted(facts[0] for said, facts in orders if said == "order"),
        commissions=[facts[1] for said, facts in told if said == "commission"],
        completed=completed,
        positions=[facts for said, facts in positions if said == "position"],
        oca=sorted({facts[3] for said, facts in orders if said == "order"}),
    )
    again.disconnect()


if __name__ == "__main__":
    main(int(sys.argv[1]))
