"""A person's hands on single orders and positions: cancel, flatten, resolve, adopt; each can be asked what it would do.

What reduces risk is done at once and pressed until the broker shows it; what only a person can know is taken with its
reason into the record. Nothing here can take the stop of an open position away.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from joed.engine import exits
from joed.engine.closing import shut
from joed.engine.markets import tick_of
from joed.engine.orders import listens, order_id, reduce, resting
from joed.engine.positions import ADOPTED
from joed.engine.protection import protected, stops_of
from joed.model.commands import (
    AdoptPosition,
    AmendOrder,
    Answer,
    CancelOrder,
    ClaimOrder,
    Command,
    FlattenPosition,
    RetireOrder,
    SubmitOrder,
)
from joed.model.events import OperatorAsked
from joed.model.orders import Order, Position
from joed.model.state import State
from joed.model.values import SECOND, ZERO, Leg, Side, Status, decimal

Deed = SubmitOrder | AmendOrder | CancelOrder | RetireOrder | ClaimOrder | AdoptPosition | FlattenPosition
ABSENT = "absent"
"""What `resolve` is told instead of a number at the broker: it never was."""


def refuse(event: OperatorAsked, code: str, words: str, commands: list[Command]) -> None:
    """Answer no, with what to do instead."""
    commands.append(Answer(event.request, event.verb, code, words))


def do(event: OperatorAsked, words: str, deeds: list[Command], commands: list[Command]) -> None:
    """Do what was asked for and say it; in a dry run say it only."""
    dry = event.args.get("dry_run") == "yes"
    shown = tuple(deed for deed in deeds if isinstance(deed, Deed))
    if not dry:
        commands.extend(deeds)
    commands.append(Answer(event.request, event.verb, "ok", f"would {words}" if dry else words, shown, dry))


def cancel(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Ask the broker to cancel one order of ours; never the stop that a position or an entry needs."""
    name = event.args.get("order", "")
    order = state.orders.get(name)
    if order is None:
        known = any(name in broker.foreign for broker in state.brokers.values())
        words = "is not ours: cancel it at the broker" if known else "is no order in the books: see joectl orders"
        refuse(event, "order_unknown", f"{name or 'nothing'} {words}", commands)
    elif not order.live:
        refuse(event, "order_ended", f"{name} is {order.status.lower()} already", commands)
    elif guarded := needed(state, order):
        refuse(event, "last_stop", guarded, commands)
    elif not listens(state, order.broker):
        refuse(event, "broker_down", f"{order.broker} does not listen now: see joectl brokers", commands)
    else:
        side = f"{order.side} {order.left} {order.instrument}"
        do(event, f"cancel {name} ({side})", [CancelOrder(name, said(event))], commands)


def needed(state: State, order: Order) -> str:
    """Say why a stop may not be cancelled, or ""."""
    if order.leg is not Leg.STOP:
        return ""
    entry, position = state.orders.get(order.group), state.positions.get(order.instrument)
    if entry is not None and entry.opens and entry.live:
        return f"{order.order} guards what {entry.order} fills: joectl cancel {entry.order} ends both"
    if position is None or position.quantity == 0 or (order.side is Side.SELL) != (position.quantity > 0):
        return ""
    counts = order in stops_of(state, position)
    if not counts or protected(state, position) - order.left >= abs(position.quantity):
        return ""
    held = f"{position.quantity} {order.instrument}"
    return f"{order.order} is the stop of {held}: joectl flatten {order.instrument} closes the position, and it with it"


def flatten(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Close one position, or all where none is named, with what still wants to open there; pressed until it is flat."""
    name = event.args.get("instrument", "")
    held = [one for one in state.positions.values() if one.quantity and name in ("", one.instrument)]
    entries = [order for order in resting(state) if name in ("", order.instrument)]
    if not held and not entries:
        refuse(event, "nothing_to_flatten", f"joed holds nothing{name and ' of '}{name}", commands)
        return
    deeds: list[Command] = [
        CancelOrder(order.order, said(event))
        for order in entries
        if order.status is not Status.CANCEL_ASKED and listens(state, order.broker)
    ]
    for position in held:
        deeds.append(FlattenPosition(position.instrument, said(event)))
        if not shut(state, position.instrument):
            exits.flatten(state, now, position, said(event), deeds)
    closed = ", ".join(f"{one.quantity} {one.instrument}" for one in held) or "no position"
    pending = f" and cancel {len(entries)} resting" if entries else ""
    later = [one.instrument for one in held if shut(state, one.instrument)]
    waits = f"; {', '.join(later)} at the next open" if later else ""
    do(event, f"close {closed}{pending}{waits}", deeds, commands)


def resolve(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """End a doubt by a person's word: an order is this number at the broker, or it never was."""
    name, deal = event.args.get("order", ""), event.args.get("deal", "")
    order = state.orders.get(name)
    if order is None:
        refuse(event, "order_unknown", f"{name or 'nothing'} is no order in the books: see joectl orders", commands)
    elif not order.status.doubtful:
        refuse(event, "not_in_doubt", f"{name} is {order.status.lower()}: there is nothing to resolve", commands)
    elif not event.reason.strip():
        refuse(event, "reason_needed", "say with --reason how you know", commands)
    elif deal == ABSENT:
        deed: Command = RetireOrder(name, f"uid {event.uid}: {event.reason}")
        do(event, f"take {name} for never having been at {order.broker}", [deed], commands)
    elif deal not in candidates(state, order):
        found = ", ".join(candidates(state, order)) or "nothing"
        refuse(event, "deal_unknown", f"{deal or 'no number'}: {order.broker} shows {found} that it could be", commands)
    else:
        do(event, f"take {name} for {deal}", [ClaimOrder(name, deal, f"uid {event.uid}: {event.reason}")], commands)


def candidates(state: State, order: Order) -> tuple[str, ...]:
    """Give the broker's numbers that an order could be: those it named, else its orders in the instrument of nobody."""
    broker = state.brokers.get(order.broker)
    strange = () if broker is None else (number for number, name in broker.foreign.items() if name == order.instrument)
    return tuple(dict.fromkeys((*order.candidates, *strange)))


def adopt(state: State, now: int, event: OperatorAsked, commands: list[Command]) -> None:
    """Make what somebody else holds ours, as a lot of its own with a stop that goes to the broker at once."""
    name = event.args.get("instrument", "")
    quantity, held = state.external.get(name, ZERO), state.positions.get(name)
    stop = price_of(event.args.get("stop", ""))
    if code_and_words := unadoptable(state, name, quantity, held):
        refuse(event, *code_and_words, commands)
    elif event.args.get("quantity", str(quantity)) != str(quantity):
        words = f"the broker now holds {quantity} {name} beyond our books, not {event.args['quantity']}"
        refuse(event, "books_moved", words, commands)
    elif held is not None and held.quantity * quantity < 0:
        do(event, f"take over that {abs(quantity)} {name} of ours were closed", [lot_of(state, event, name)], commands)
    elif stop is None or (misplaced := wrong_stop(state, now, name, quantity, stop)):
        words = misplaced if stop is not None else f"{event.args.get('stop') or 'no stop'} is no price"
        refuse(event, "wrong_stop", words, commands)
    else:
        deeds = adoption(state, event, name, stop)
        do(event, f"adopt {quantity} {name} with a stop at {stop}", deeds, commands)


def unadoptable(state: State, name: str, quantity: Decimal, held: Position | None) -> tuple[str, str] | None:
    """Say why what is held of an instrument cannot be adopted now: a code and words."""
    instrument = state.settings.universe.get(name)
    if instrument is None or not instrument.tradable:
        return "instrument_unknown", f"{name or 'nothing'} is not traded here: name it in universe.yaml first"
    broker = state.brokers.get(instrument.broker)
    if broker is not None and name in broker.suspected:
        return "not_proven", f"{name} was seen once: wait for the next whole read, a few seconds"
    if not quantity:
        return "nothing_to_adopt", f"the broker holds no {name} beyond our books"
    if not listens(state, instrument.broker):
        return "broker_down", f"{instrument.broker} does not listen now: see joectl brokers"
    if held is not None and held.quantity * quantity < 0 and abs(quantity) > abs(held.quantity):
        words = f"joed holds {held.quantity} {name}, the broker {held.quantity + quantity}"
        return "opposite", f"{words}: close there what stands the other way, then adopt what is left"
    market = state.markets.get(name)
    if market is None or market.quote is None:
        return "no_quote", f"{name} has no quote to value it by"
    return None


def wrong_stop(state: State, now: int, name: str, quantity: Decimal, stop: Decimal) -> str:
    """Say why a stop cannot stand there, or "": it must lie on the losing side of a fresh price, on the tick."""
    market, tick = state.markets.get(name), tick_of(state, name)
    quote = None if market is None else market.quote
    if quote is None or now - quote.received_ns > int(state.settings.risk.quote_age_max_s * SECOND):
        return f"{name} has no fresh quote to measure a stop against"
    if tick is None or stop % tick:
        return f"{stop} is no multiple of {tick}"
    long = quantity > 0
    price = decimal(quote.bid if long else quote.ask)
    if (stop < price) is not long or stop == price:
        return f"a stop of {quantity} {name} belongs {'below' if long else 'above'} {price}, {stop} would trade at once"
    return ""


def adoption(state: State, event: OperatorAsked, name: str, stop: Decimal) -> list[Command]:
    """Give the lot and its stop."""
    taken = lot_of(state, event, name)
    position = Position(name, taken.broker, taken.quantity, taken.average, strategy=ADOPTED)
    return [taken, reduce(state, 1, position, "", abs(taken.quantity), stop, taken.lot)]


def lot_of(state: State, event: OperatorAsked, name: str) -> AdoptPosition:
    """Give the lot that takes the difference over, at the broker's price where that is its own, else at today's."""
    quantity, broker = state.external[name], state.settings.universe[name].broker
    average, held = state.brokers[broker].averages.get(name, ZERO), state.positions.get(name)
    if not average.is_finite() or average <= 0 or (held is not None and held.quantity):
        average = decimal(price_of_quote(state, name))
    return AdoptPosition(name, broker, quantity, average, order_id(state, 0, Leg.ENTRY), said(event))


def price_of_quote(state: State, name: str) -> float:
    """Give the middle of an instrument's last quote; unadoptable has seen that there is one."""
    quote = state.markets[name].quote
    assert quote is not None
    return (quote.bid + quote.ask) / 2


def price_of(text: str) -> Decimal | None:
    """Read a price that a person typed; None where it is none."""
    try:
        price = Decimal(text)
    except InvalidOperation:
        return None
    return price if price.is_finite() and price > 0 else None


def said(event: OperatorAsked) -> str:
    """Give who asked, and why, as the record has it."""
    return f"{event.verb} by uid {event.uid}: {event.reason or 'no reason given'}"


HANDS: dict[str, Callable[[State, int, OperatorAsked, list[Command]], None]] = {
    "cancel": cancel,
    "flatten": flatten,
    "resolve": resolve,
    "adopt": adopt,
}
"""What a person may do to a single order or position."""
