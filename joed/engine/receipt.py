"""What a kill did, derived from State at each look: from the broker's evidence, never from hope."""

from collections import Counter
from collections.abc import Iterator

from joed.engine.orders import listens
from joed.model.kill import EntryFate, ForeignFate, Kill, PositionFate, Receipt
from joed.model.orders import Order
from joed.model.state import State
from joed.model.values import SECOND, ZERO, Leg, Scope, Status

ROWS_MAX = 100
SHUT = "killed"
"""What permit says where the kill's file is there."""

CANCELLED, FILLED, NEVER, RESTING = "cancelled", "filled", "never", "resting"
ASKED, REFUSED, IN_FLIGHT = "asked", "refused", "in_flight"
FATES = (CANCELLED, FILLED, NEVER, RESTING, ASKED, REFUSED, IN_FLIGHT)
"""What may become of an entry: cancelled; filled, wholly or in part, instead; never taken by the broker; left to rest
by a kill of scope entries; asked to be cancelled; its cancel refused by the broker; handed over and unanswered."""

FATE = {
    Status.CANCELLED: CANCELLED,
    Status.EXPIRED: CANCELLED,
    Status.FILLED: FILLED,
    Status.REJECTED: NEVER,
    Status.ABSENT_PROVEN: NEVER,
    Status.ACKED: RESTING,
    Status.WORKING: RESTING,
    Status.PARTIAL: RESTING,
    Status.CANCEL_ASKED: ASKED,
}
"""The fate that a status tells; every other means that the order was handed over and its fate is not known."""


def receipt_of(state: State) -> Receipt | None:
    """Give the receipt of the kill in force, as far as it has come; None where there is none."""
    kill = state.kill
    if kill is None:
        return None
    entries = [entry_fate(state, kill, name) for name in kill.entries]
    positions = position_fates(state, kill)
    foreign = foreign_fates(state, kill)
    fates = [*(row.fate for row in entries), *(row.fate for row in positions), *(row.fate for row in foreign)]
    waits = list(open_ends(state, kill))
    return Receipt(
        scope=kill.scope,
        words=kill.words,
        request=kill.request,
        since_ns=kill.since_ns,
        age_s=(state.now - kill.since_ns) / SECOND,
        done=bool(kill.done_ns) and not waits,
        done_s=(kill.done_ns - kill.since_ns) / SECOND if kill.done_ns else None,
        drill=kill.drill,
        counts=dict(Counter(fates)),
        entries=tuple(entries[:ROWS_MAX]),
        positions=tuple(positions[:ROWS_MAX]),
        foreign=tuple(foreign[:ROWS_MAX]),
        waits=tuple(waits[:ROWS_MAX]),
    )


def entry_fate(state: State, kill: Kill, name: str) -> EntryFate:
    """Say what became of one entry."""
    order = state.orders.get(name)
    if order is None:
        return EntryFate(name, "", CANCELLED, "forgotten with its session")
    fate = FATE.get(order.status, IN_FLIGHT)
    if order.live and order.refusal and kill.scope is not Scope.ENTRIES:
        return EntryFate(name, order.instrument, REFUSED, order.refusal)
    if order.filled and not order.live:
        return EntryFate(name, order.instrument, FILLED, f"{order.filled} of {order.quantity}")
    if fate is RESTING and kill.scope is not Scope.ENTRIES:
        fate = ASKED if order.cancel_tries else IN_FLIGHT
    return EntryFate(name, order.instrument, fate, order.status.lower().replace("_", " "))


def position_fates(state: State, kill: Kill) -> list[PositionFate]:
    """Say what became of each position that was held when the kill came, or is held now."""
    held = {name: position.quantity for name, position in state.positions.items() if position.quantity}
    rows = []
    for name in dict.fromkeys([*kill.held, *held]):
        was, now = kill.held.get(name, ZERO), held.get(name, ZERO)
        kept = kill.scope.width < Scope.FLATTEN.width
        words = "" if kept or not now else closing_words(state, name)
        rows.append(PositionFate(name, was, now, "closed" if not now else "kept" if kept else "open", words))
    return rows


def closing_words(state: State, instrument: str) -> str:
    """Say how far the close of a position is."""
    position = state.positions[instrument]
    order = state.orders.get(position.closing)
    if not listens(state, position.broker):
        return f"{position.broker} does not answer; its stop there lives on"
    if order is None or not order.live:
        return "no close is working yet"
    means = "its target was made marketable" if order.leg is Leg.TARGET else "a market order"
    return f"{means}: {order.status.lower().replace('_', ' ')}"


def foreign_fates(state: State, kill: Kill) -> list[ForeignFate]:
    """Say what became of what is not ours."""
    rows = []
    for name, instrument in kill.foreign.items():
        broker, _, number = name.partition("/")
        left = number in state.brokers[broker].foreign
        rows.append(ForeignFate(broker, number, instrument, "left" if left else "gone"))
    for name, quantity in kill.external.items():
        broker, _, instrument = name.partition("/")
        left = bool(state.brokers[broker].beyond.get(instrument) and state.external.get(instrument))
        rows.append(ForeignFate(broker, f"{quantity:+}", instrument, "left" if left else "gone"))
    return rows


def open_ends(state: State, kill: Kill) -> Iterator[str]:
    """Say what is still open of a kill, each with why; nothing at all means that it is done."""
    yield from _brokers(state, kill)
    yield from _orders(state, kill.scope)
    if kill.scope.width >= Scope.FLATTEN.width:
        for name, position in state.positions.items():
            if position.quantity:
                yield f"{name} {position.quantity:+} is still held: {closing_words(state, name)}"
    if kill.scope is Scope.ACCOUNT:
        yield from _foreign(state)
    if kill.drill and kill.proof != SHUT:
        yield (
            f"permit said {kill.proof or 'yes'!r} to an entry" if kill.rehearsed else "the drill's file is not made yet"
        )


def _brokers(state: State, kill: Kill) -> Iterator[str]:
    """Name the brokers that could not be asked; a kill of the account, or a drill, also wants them read since."""
    if kill.scope is Scope.ENTRIES and not kill.drill:
        return
    for name in state.settings.brokers:
        broker = state.brokers.get(name)
        if broker is None or not listens(state, name):
            yield f"{name} does not answer: the cancels are first when it is back, stops there live on"
        elif (kill.scope is Scope.ACCOUNT or kill.drill) and broker.read_from_ns < kill.since_ns:
            yield f"{name} has not been read whole since"


def _orders(state: State, scope: Scope) -> Iterator[str]:
    """Name the orders whose end is still to come: entries, and from flatten on also whatever else of ours lives."""
    for order in state.orders.values():
        if order.live and _matters(order, scope):
            status = order.status.lower().replace("_", " ")
            why = f"its cancel was refused: {order.refusal}" if order.refusal else f"it is {status}"
            kind = "entry" if order.opens else "exit"
            yield f"{kind} {order.order} ({order.instrument}): {why}"


def _matters(order: Order, scope: Scope) -> bool:
    if scope is Scope.ENTRIES:
        return order.opens and FATE.get(order.status, IN_FLIGHT) is IN_FLIGHT
    return order.opens or scope.width >= Scope.FLATTEN.width


def _foreign(state: State) -> Iterator[str]:
    for broker in state.brokers.values():
        for number, instrument in broker.foreign.items():
            yield f"order {number} ({instrument}) at {broker.name}, which is not ours, still works"
        for instrument, quantity in broker.suspected.items():
            yield f"{instrument} {quantity:+} at {broker.name} is beyond our books: the next read tells"
        for instrument, quantity in broker.beyond.items():
            if state.external.get(instrument):
                yield f"{instrument} {quantity:+} at {broker.name}, which is not ours, is still held"


def summed(receipt: Receipt) -> str:
    """Give a receipt's counts in one breath."""
    said = [f"{number} {fate.replace('_', ' ')}" for fate, number in sorted(receipt.counts.items())]
    return ", ".join(said) or "nothing was open"
