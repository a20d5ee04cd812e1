"""What became of orders, counted for metrics: each state that an order came to, each execution, how long and how dear.

It looks at State after a step and compares with what it saw before, so a message that came twice counts once and what
only a reading of the broker's book told counts too. An order that was there before this process is not counted again.
"""

from collections.abc import Sequence

from joed.daemon.counters import Counters
from joed.model.commands import CancelOrder, ClaimOrder, Command, MarkUncertain, RetireOrder, SubmitOrder
from joed.model.events import BrokerDown, BrokerRead, EpochStarted, Event
from joed.model.orders import Order
from joed.model.state import State
from joed.model.values import SECOND, Leg, Status

MOVING = (CancelOrder, MarkUncertain, RetireOrder, ClaimOrder)
"""Commands that put an order into another state."""
WIDE = frozenset({BrokerRead, BrokerDown, EpochStarted})
"""Events that may move any order."""
NEW = (Status.ARMED, 0)
UNHEARD = (Status.ARMED, Status.SENT)
ANSWERED = (Status.ACKED, Status.WORKING, Status.PARTIAL, Status.FILLED, Status.REJECTED)
FORGET_AT = 256
"""Names remembered beyond those in State before they are looked through."""


class Tally:
    """Counts for one State, into these counters; `note` is called after each recorded step."""

    def __init__(self, state: State, counters: Counters) -> None:
        self._state = state
        self._counters = counters
        self._seen: dict[str, tuple[Status, int]] = {
            name: (order.status, len(order.executions)) for name, order in state.orders.items()
        }
        self._decided: dict[str, float] = {}
        """The price on which each entry was decided."""

    def note(self, now: int, event: Event, commands: Sequence[Command]) -> None:
        """Count what this step made of orders; `now` is its time. An entry waits for this: no more than it must."""
        for command in commands:
            if isinstance(command, SubmitOrder):
                self._armed(command)
            elif isinstance(command, MOVING):
                self._look(now, command.order)
        if type(event) in WIDE:
            self._note_wide(now, event)
        elif name := getattr(event, "order", ""):
            self._look(now, name)

    def _armed(self, command: SubmitOrder) -> None:
        """Count a new order and its bracket: they are in the ledger, ARMED, and nothing was heard of them."""
        names = [name for name in (command.order, command.stop_order, command.target_order) if name]
        for name in names:
            self._seen[name] = NEW
        at = (command.broker, "armed")
        self._counters.orders[at] = self._counters.orders.get(at, 0) + len(names)
        if command.basis is not None:
            self._decided[command.order] = float(command.basis.price)
        if len(self._seen) > 2 * len(self._state.orders) + FORGET_AT:
            self._forget()

    def _note_wide(self, now: int, event: Event) -> None:
        """Count what was read of a broker or lost with it, and look at every order."""
        if isinstance(event, BrokerRead):
            self._note_read(event)
        elif isinstance(event, BrokerDown):
            self._counters.losses[event.broker] = self._counters.losses.get(event.broker, 0) + 1
        for name in list(self._state.orders):
            self._look(now, name)

    def _look(self, now: int, name: str) -> None:
        """Compare an order, and the exits of an entry, with what was seen of them."""
        order = self._state.orders.get(name)
        if order is None:
            return
        self._compare(now, order)
        for child in order.children if order.opens else ():
            if (found := self._state.orders.get(child)) is not None:
                self._compare(now, found)

    def _compare(self, now: int, order: Order) -> None:
        before, executions = self._seen.get(order.order, (None, 0))
        self._seen[order.order] = (order.status, len(order.executions))
        if order.status is not before:
            self._moved(now, order, before)
        if len(order.executions) > executions:
            self._filled(order, executions)

    def _moved(self, now: int, order: Order, before: Status | None) -> None:
        """Count the state that an order came to, and how long it took."""
        counters, status = self._counters, order.status
        at = (order.broker, status.lower())
        counters.orders[at] = counters.orders.get(at, 0) + 1
        if before in UNHEARD and status in ANSWERED:
            counters.order_ack.observe((now - order.armed_ns) / SECOND)
        if status is Status.FILLED and order.leg in (Leg.ENTRY, Leg.CLOSE):
            counters.order_fill.observe((now - order.armed_ns) / SECOND)
        if before is Status.CANCEL_ASKED and status.ended:
            counters.order_cancel.observe((now - order.asked_ns) / SECOND)

    def _filled(self, order: Order, known: int) -> None:
        """Count executions that are new, and what each cost beyond the price that was meant."""
        side = "buy" if order.side.sign > 0 else "sell"
        at = (order.broker, side)
        self._counters.fills[at] = self._counters.fills.get(at, 0) + len(order.executions) - known
        meant = self._meant(order)
        for execution in list(order.executions.values())[known:] if meant else ():
            beyond = order.side.sign * (float(execution.price) / meant - 1) * 10_000
            worse = self._counters.slippage_adverse if beyond >= 0 else self._counters.slippage_favourable
            worse.observe(abs(beyond))

    def _meant(self, order: Order) -> float:
        """Give the price that an order was meant to get: decided on, or its stop's level; 0 where none was."""
        if order.leg is Leg.ENTRY:
            return self._decided.get(order.order, 0.0)
        return float(order.terms) if order.leg is Leg.STOP and order.terms else 0.0

    def _note_read(self, read: BrokerRead) -> None:
        """Count a reading of a broker's book by what it found."""
        counters, known = self._counters, self._state.brokers.get(read.broker)
        differs = known is not None and known.differences > 0
        result = "partial" if not read.complete else "differs" if differs else "clean"
        at = (read.broker, result)
        counters.reads[at] = counters.reads.get(at, 0) + 1
        counters.read_s[read.broker] = (read.to_ns - read.from_ns) / SECOND

    def _forget(self) -> None:
        """Forget what State has forgotten."""
        orders = self._state.orders
        self._seen = {name: seen for name, seen in self._seen.items() if name in orders}
        self._decided = {name: price for name, price in self._decided.items() if name in orders}


def quotes_by_broker(state: State) -> dict[str, int]:
    """Count the quotes taken in from each broker, by the instruments that it has now."""
    found: dict[str, int] = {}
    for market in state.markets.values():
        if market.quote is not None:
            name = market.quote.broker
            found[name] = found.get(name, 0) + market.quotes
    return found
