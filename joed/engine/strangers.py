"""What a broker's book holds that ours does not name: orders of others, twins of ours, and ours from a lost journal.

Another's order is counted and never touched, except by a kill of the whole account. An id that was made with our key
and stands in no book of ours tells of an older journal put back: it is adopted, entries are killed (reliability B9).
"""

from decimal import Decimal

from msgspec.structs import replace

from joed.engine.orders import leg_of, note_resting, ours, sibling
from joed.engine.positions import excess_group, sums_of
from joed.engine.verdicts import RECOVERED, TWINS, find
from joed.model.blocks import Block, key
from joed.model.commands import CancelOrder, Command, RaiseAlert, RaiseBlock
from joed.model.events import BrokerRead, OrderFilled, OrderSeen
from joed.model.ids import of_session
from joed.model.orders import Order
from joed.model.state import Broker, State
from joed.model.values import ZERO, Kind, Leg, Severity, Status

FOREIGN_MAX = 1_000
"""Orders of others that are kept by name at one broker; all are counted."""

KINDS = {Leg.ENTRY: Kind.LIMIT, Leg.STOP: Kind.STOP, Leg.TARGET: Kind.LIMIT, Leg.CLOSE: Kind.MARKET}
"""How an order of ours is priced, by its leg."""
STRATEGY = "recovered"
TWIN_BLOCK = "two_orders"


def note_foreign(state: State, broker: Broker, read: BrokerRead) -> bool:
    """Keep the open orders that are not ours; say whether they changed. An incomplete read takes none away."""
    claimed = {order.broker_id for order in state.orders.values() if order.live and order.broker == read.broker}
    shown = [seen for seen in read.orders if foreign(state, seen) and (seen.order or seen.broker_id not in claimed)]
    rows = {} if read.complete else dict(broker.foreign)
    rows |= {seen.broker_id: seen.instrument for seen in shown}
    kept = dict(list(rows.items())[:FOREIGN_MAX])
    count = len(rows) if read.complete else max(broker.foreign_count, len(rows))
    if (kept, count) == (broker.foreign, broker.foreign_count):
        return False
    broker.foreign, broker.foreign_count = kept, count
    return True


def by_order(state: State, read: BrokerRead) -> dict[str, list[OrderSeen]]:
    """Give what a read shows of each order of ours: by our id, or by the number that a person said it is."""
    here = [order for order in state.orders.values() if order.live and order.broker == read.broker]
    claimed = {order.broker_id: order.order for order in here if order.broker_id}
    rows: dict[str, list[OrderSeen]] = {}
    for seen in read.orders:
        name = seen.order or claimed.get(seen.broker_id, "")
        if name:
            rows.setdefault(name, []).append(seen)
    return rows


def foreign(state: State, seen: OrderSeen) -> bool:
    """Say whether an open order is another's: by no id in our books, and none that our key made."""
    return not seen.status.ended and seen.order not in state.orders and not (seen.order and ours(state, seen.order))


def merged(rows: list[OrderSeen]) -> tuple[OrderSeen, str]:
    """Give what the broker holds under one id of ours as one order, and the number of its twin, mostly "".

    Of two, the one that has filled is kept, else the lower number; both count until the other is gone (B6).
    """
    first, *others = sorted(rows, key=lambda seen: (seen.filled == 0, len(seen.broker_id), seen.broker_id))
    if not others:
        return first, ""
    quantity = sum((seen.quantity for seen in rows), ZERO)
    filled = sum((seen.filled for seen in rows), ZERO)
    return replace(first, quantity=quantity, filled=filled), others[0].broker_id


def note_twin(state: State, order: Order, twin: str) -> None:
    """Keep that there are two orders of one id, or that there are no more."""
    if twin and twin != order.twin:
        find(state, TWINS, order.broker, f"the broker holds {twin} under the same id", order)
    order.twin = twin


def part_twins(state: State, now: int, broker: str, commands: list[Command]) -> None:
    """Ask for the end of every twin, a bounded number of times, and freeze its instrument until a person has looked."""
    for order in state.orders.values():
        if not order.twin or order.broker != broker:
            continue
        at = f"instrument:{order.instrument}"
        words = f"{order.order} stands twice at {broker}, also as {order.twin}"
        if key(at, TWIN_BLOCK) not in state.blocks:
            commands.append(RaiseBlock(Block(at, TWIN_BLOCK, words, now, latched=True)))
            commands.append(RaiseAlert(f"{TWIN_BLOCK}:{order.order}", Severity.CRITICAL, words))
        if order.cancel_tries < state.settings.cancel_tries:
            commands.append(CancelOrder(order.order, "its twin is kept", order.twin))


def recover(state: State, now: int, read: BrokerRead) -> int:
    """Adopt the open orders that carry our tag and stand in no book of ours, each with its entry; count them."""
    lost = [seen for seen in read.orders if is_lost(state, seen)]
    for seen in lost:
        leg = leg_of(seen.order)
        assert leg is not None
        order = _order(seen, leg, read.broker, now)
        entry = sibling(state, seen.order, Leg.ENTRY)
        if leg is Leg.STOP and entry not in state.orders:
            entry = _guarded(state, seen) or entry
        if leg in (Leg.STOP, Leg.TARGET) and _entry(state, now, entry, order, read) is not None:
            order.group = entry
        state.orders[order.order] = order
        note_resting(state, order)
        find(state, RECOVERED, read.broker, f"{leg.name.lower()} {seen.side} {seen.quantity} at {seen.level}", order)
    for seen in lost:
        _join(state, state.orders[seen.order])
    return len(lost)


def _guarded(state: State, seen: OrderSeen) -> str:
    """Name the one entry of ours that a stop with a name of its own may guard, "" where there is none or a choice.

    It was placed for a lost one while the journal could not say so: unknown, it would get another one beside it.
    """
    entries = [
        order.order
        for order in state.orders.values()
        if order.opens and order.instrument == seen.instrument and order.side is seen.side.opposite
        if order.live or sums_of(state, order.order).quantity
    ]
    return entries[0] if len(entries) == 1 else ""


def recover_spent(state: State, now: int, read: BrokerRead) -> int:
    """Adopt reductions that carry our tag, stand in no book of ours and have executed already; count them.

    What reduces leaves at once while the journal cannot commit: if the power goes before it can, the broker alone
    knows of it. Such an order takes back the group whose excess it closed; its executions are then booked as ours.
    Of this session alone: what ended in an earlier one was forgotten on purpose (`orders.forget_ended`).
    """
    lost: dict[str, list[OrderFilled]] = {}
    for fill in read.executions:
        if fill.order not in state.orders and of_session(fill.order, state.day.session) and ours(state, fill.order):
            lost.setdefault(fill.order, []).append(fill)
    spent = {name: fills for name, fills in lost.items() if leg_of(name) not in (None, Leg.ENTRY) and _sum(fills)[0]}
    for name, fills in spent.items():
        first, leg = fills[0], leg_of(name)
        assert leg is not None
        quantity, price = _sum(fills)
        seen = OrderSeen(name, "", first.instrument, first.side, quantity, Status.ACKED, price)
        order = state.orders[name] = _order(seen, leg, read.broker, now)
        order.group = excess_group(state, first.instrument)
        _join(state, order)
        find(state, RECOVERED, read.broker, f"{leg.name.lower()} {first.side} {quantity} at {price}, executed", order)
    return len(spent)


def is_lost(state: State, seen: OrderSeen) -> bool:
    """Say whether an open order was made with our key and is in no book of ours."""
    if not seen.order or seen.order in state.orders or seen.status.ended or not seen.quantity.is_finite():
        return False
    return ours(state, seen.order) and leg_of(seen.order) is not None


def _order(seen: OrderSeen, leg: Leg, broker: str, now: int) -> Order:
    """Give an order as far as the broker shows it; its executions add what has filled."""
    return Order(
        order=seen.order,
        broker=broker,
        instrument=seen.instrument,
        side=seen.side,
        quantity=seen.quantity + seen.filled,
        kind=KINDS[leg],
        leg=leg,
        opens=leg is Leg.ENTRY,
        status=seen.status,
        group=seen.order if leg is Leg.ENTRY else "",
        strategy=STRATEGY,
        signal=seen.order,
        terms=seen.level,
        broker_id=seen.broker_id,
        armed_ns=now,
        changed_ns=now,
        executions={},
    )


def _entry(state: State, now: int, name: str, child: Order, read: BrokerRead) -> Order | None:
    """Give the entry of a recovered exit: the one in our books, or one made from its executions; None without any."""
    fills = [fill for fill in read.executions if fill.order == name]
    if name in state.orders or not fills:
        return state.orders.get(name)
    entry = replace(child, order=name, leg=Leg.ENTRY, kind=Kind.LIMIT, opens=True, side=child.side.opposite)
    entry.group, entry.signal, entry.executions, entry.filled = name, name, {}, ZERO
    entry.quantity, entry.terms = _sum(fills)
    entry.status = Status.PARTIAL
    state.orders[name] = entry
    return entry


def _sum(fills: list[OrderFilled]) -> tuple[Decimal, Decimal]:
    """Give the quantity of executions and their average price."""
    quantity = sum((fill.quantity for fill in fills), ZERO)
    return quantity, sum((fill.quantity * fill.price for fill in fills), ZERO) / quantity if quantity else ZERO


def _join(state: State, order: Order) -> None:
    """Let a recovered exit be among its entry's children, the stop first."""
    entry = state.orders.get(order.group)
    if entry is not None and entry is not order and order.order not in entry.children:
        children = (*entry.children, order.order)
        entry.children = tuple(sorted(children, key=lambda name: state.orders[name].leg is not Leg.STOP))
