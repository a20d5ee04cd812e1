"""What stands at a broker and is not ours: counted always, touched by a kill of the whole account alone.

Orders that are not ours are cancelled first; then, where nothing of ours and no such order is left in an instrument,
what is still held there beyond our books is closed, by one order at a time and only after a newer whole read.
"""

from decimal import Decimal

from joed.engine import orders
from joed.model.commands import CancelForeign, Command
from joed.model.events import BrokerRead
from joed.model.orders import Order
from joed.model.state import Broker, State
from joed.model.values import SECOND, ZERO, Scope


def note(state: State, broker: Broker, read: BrokerRead) -> None:
    """Keep what a whole read proves to be held beyond our books (part of `apply`); a suspicion is no proof."""
    shown = [seen.instrument for seen in read.positions if seen.instrument not in broker.suspected]
    broker.beyond = {name: state.external[name] for name in shown if state.external.get(name)}
    note_met(state, broker)


def note_met(state: State, broker: Broker) -> None:
    """Let a kill of the whole account remember what it has met at a broker (part of `apply`)."""
    kill = state.kill
    if kill is None or kill.scope is not Scope.ACCOUNT:
        return
    kill.foreign |= {f"{broker.name}/{number}": instrument for number, instrument in broker.foreign.items()}
    for instrument, quantity in broker.beyond.items():
        kill.external.setdefault(f"{broker.name}/{instrument}", quantity)


def apply_cancel(state: State, now: int, command: CancelForeign) -> None:
    """Note when the broker was asked."""
    state.brokers[command.broker].foreign_asked_ns = now


def clear(state: State, now: int, commands: list[Command]) -> None:
    """Ask each broker that listens for the end of all that is not ours; again after each read that still shows it."""
    for broker in state.brokers.values():
        if not orders.listens(state, broker.name):
            continue
        if broker.foreign and broker.read_from_ns > broker.foreign_asked_ns:
            commands.append(CancelForeign(broker.name, tuple(broker.foreign), alone=alone(state, broker.name)))
        for instrument, quantity in broker.beyond.items():
            if closable(state, now, broker, instrument):
                commands.append(orders.close_foreign(state, len(commands), broker.name, instrument, quantity))


def alone(state: State, broker: str) -> bool:
    """Say whether nothing of ours is held or lives at a broker."""
    held = any(position.quantity and position.broker == broker for position in state.positions.values())
    return not held and not any(order.live and order.broker == broker for order in state.orders.values())


def closable(state: State, now: int, broker: Broker, instrument: str) -> bool:
    """Say whether a close of what is not ours can only reduce: nothing of ours is there, the read is the newest word.

    A close that ended without doing it is tried again after the fill time-out.
    """
    ours = state.positions.get(instrument)
    if (ours is not None and ours.quantity) or instrument in broker.foreign.values():
        return False
    if not state.external.get(instrument, ZERO):
        return False
    pause_ns = int(state.settings.fill_timeout_s * SECOND)
    return all(rests(order, now, broker, pause_ns) for order in state.orders.values() if order.instrument == instrument)


def rests(order: Order, now: int, broker: Broker, pause_ns: int) -> bool:
    """Say whether an order has ended, the broker was read whole since, and another try is not too soon."""
    waited = not order.foreign or now - order.armed_ns >= pause_ns
    return not order.live and order.changed_ns < broker.read_from_ns and waited


def take_fill(state: State, order: Order, quantity: Decimal) -> None:
    """Let a fill of ours shrink what is not ours; the money shows with the broker's next read (part of `apply`)."""
    left = state.external.get(order.instrument, ZERO) + order.side.sign * quantity
    state.external[order.instrument] = left
    if not left:
        del state.external[order.instrument]
