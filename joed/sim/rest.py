"""The laws at rest: once the faults are over and prices stand still, joed's books are the exchange's books."""

from collections.abc import Callable
from decimal import Decimal

from joed.model.book import BookOrder
from joed.model.events import OrderFilled
from joed.model.orders import Order
from joed.model.state import State
from joed.model.values import ZERO, Leg, Status
from joed.sim.odd import BY_HAND, OddExchange

SETTLED = (Status.WORKING, Status.PARTIAL)
TIMED = ("market_closed", "no_session", "vix")
"""Blocks that only time lifts."""
EXACT = Decimal("1e-6")
"""Averages are quotients, which joed rounds: so far may two ways to add them up differ."""


def positions(state: State, exchange: OddExchange) -> str:
    """Each position is the exchange's: its quantity and its average price; nothing is somebody else's."""
    ours = {name: held.quantity for name, held in state.positions.items() if held.quantity}
    theirs = {name: seen.quantity for name, seen in exchange.book.positions.items()}
    if ours != theirs:
        return f"joed holds {shown(ours)}, the exchange {shown(theirs)}"
    for name, seen in exchange.book.positions.items():
        if not exchange.happened and abs(state.positions[name].average - seen.average) > EXACT:
            return f"{name} cost {state.positions[name].average} here, {seen.average} there"
    foreign = {name: quantity for name, quantity in state.external.items() if quantity}
    return f"{shown(foreign)} are taken for somebody else's" if foreign else ""


def cash(state: State, exchange: OddExchange) -> str:
    """Cash is the exchange's, to the last digit."""
    return "" if state.cash == exchange.book.cash else f"joed has {state.cash}, the exchange {exchange.book.cash}"


def orders(state: State, exchange: OddExchange) -> str:
    """Live orders are the exchange's, each with its status, what is left of it and its level."""
    ours = {o.order: (o.status.value, o.left, o.terms) for o in state.orders.values() if o.live}
    live = [o for o in exchange.orders.values() if not o.status.ended and not o.order.startswith(BY_HAND)]
    theirs = {o.order: (o.status.value, o.left, o.level) for o in live}
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            return f"{name} is {told(ours.get(name))} here, {told(theirs.get(name))} there"
    return ""


def ends(state: State, exchange: OddExchange) -> str:
    """Both sides have seen orders end the same way, as far as joed still remembers them."""
    for order in state.orders.values():
        theirs = exchange.orders.get(order.order)
        if not order.status.ended:
            continue
        if theirs is None:
            if order.filled or order.status is not Status.ABSENT_PROVEN:
                return f"{order.order} is {order.status} here, the exchange never had it"
        elif order.filled != theirs.filled or (order.status is not theirs.status and not filled_up(order, theirs)):
            return f"{order.order} is {order.status} with {order.filled}, there {theirs.status} with {theirs.filled}"
    return ""


def filled_up(ours: Order, theirs: BookOrder) -> bool:
    """Say whether an exit was reduced to what it had filled: one may call that filled, the other cancelled."""
    return theirs.quantity == theirs.filled > 0 and {ours.status, theirs.status} == {Status.FILLED, Status.CANCELLED}


def reconciled(state: State, exchange: OddExchange) -> str:
    """Every broker is up and read whole; nothing is uncertain, no amendment waits for its answer."""
    for broker in state.brokers.values():
        if not (broker.up and broker.reconciled):
            return f"{broker.name}: up {broker.up}, reconciled {broker.reconciled}"
    for order in state.orders.values():
        if order.live and (order.status not in SETTLED or order.asked is not None):
            return f"{order.order} is {order.status}, asked for {order.asked}"
    return ""


def open_again(state: State, exchange: OddExchange) -> str:
    """No Block remains that nothing but a restart would lift."""
    left = [block.key for block in state.blocks.values() if block.reason not in TIMED]
    return f"still there: {', '.join(left)}" if left else ""


def counters(state: State, exchange: OddExchange) -> str:
    """Trades, fills, fees and profit of the day are the sum of the exchange's executions.

    What an oddity did to a trade leaves it open which one won, so there wins and profit are not asked.
    """
    found = tally(exchange)
    day = state.day
    ours = {"trades": day.trades, "fills": day.fills, "fees": day.fees}
    if not exchange.happened:
        ours |= {"wins": day.wins, "losses": day.losses}
    for name, value in ours.items():
        if value != found[name]:
            return f"{name} are {value} here, {found[name]} there"
    realised = Decimal(found["realised"])
    if exchange.happened or abs(day.realised - realised) <= EXACT:
        return ""
    return f"realised {day.realised} here, {realised} there"


def tally(exchange: OddExchange) -> dict[str, Decimal | int]:
    """Add the executions of joed's orders up, oldest first, at average cost; a trade is an entry that has filled."""
    held: dict[str, tuple[Decimal, Decimal, Decimal]] = {}
    sums: dict[str, Decimal | int] = {"trades": 0, "fills": 0, "wins": 0, "losses": 0, "fees": ZERO, "realised": ZERO}
    ours = [fill for fill in exchange.executions if not exchange.strange(fill.order)]
    sums["trades"] = len({fill.order for fill in ours if exchange.orders[fill.order].leg is Leg.ENTRY})
    for fill in ours:
        quantity, average, won = held.get(fill.instrument, (ZERO, ZERO, ZERO))
        sums["fills"] += 1
        sums["fees"] += fill.fee
        if not fill.quantity:
            continue
        after, cost, gained = added(quantity, average, fill)
        sums["realised"] += gained
        won = (won if quantity else ZERO) + gained - fill.fee
        held[fill.instrument] = (after, cost, won)
        if not after:
            sums["wins" if won > 0 else "losses"] += 1
    return sums


def added(quantity: Decimal, average: Decimal, fill: OrderFilled) -> tuple[Decimal, Decimal, Decimal]:
    """Give quantity, average price and realised profit after one execution that does not pass through zero."""
    signed = fill.side.sign * fill.quantity
    after = quantity + signed
    if quantity * signed >= 0:
        return after, (average * quantity + fill.price * signed) / after if after else ZERO, ZERO
    return after, average if after else ZERO, (average - fill.price) * signed


def shown(held: dict[str, Decimal]) -> str:
    """Give quantities in words."""
    return ", ".join(f"{quantity:+} {name}" for name, quantity in sorted(held.items())) or "nothing"


def told(found: tuple[str, Decimal, Decimal | None] | None) -> str:
    """Give an order in words."""
    return "not there" if found is None else f"{found[0]} with {found[1]} left at {found[2]}"


REST_LAWS: dict[str, Callable[[State, OddExchange], str]] = {
    "positions agree": positions,
    "cash agrees": cash,
    "orders agree": orders,
    "ends agree": ends,
    "brokers are reconciled": reconciled,
    "counters agree": counters,
    "entries are allowed again": open_again,
}
"""Asked of the last life's State, at the world's end."""
