"""How a position ends: its stop ratchets behind the price, or its target is made marketable.

At its level the broker's stop is the only closer. joed raises that stop (never loosens it) and, to close for another
reason, moves the target to where it trades at once: the two share a group at the broker, so they cannot both fill.
"""

from decimal import Decimal

from joed.engine.markets import tick_of
from joed.engine.orders import children_of, listens, read_since, reduce
from joed.engine.positions import backed, sums_of
from joed.model.commands import AmendOrder, Command, RatchetTrail
from joed.model.events import Quote
from joed.model.orders import Order, Position
from joed.model.state import State
from joed.model.values import SECOND, ZERO, Leg, Status, ceil_to, decimal, floor_to

MOVABLE = (Status.WORKING, Status.PARTIAL)
CLOSE_DOUBLINGS_MAX = 2
"""How often the wait between refused closes doubles: four fill time-outs at most."""
BACKOFF_MAX = 6
"""Refused amendments in a row after which the wait grows no more: 64 intervals."""


def trail(state: State, now: int, position: Position, quote: Quote, commands: list[Command]) -> None:
    """Start the trail after the first R, then raise the broker's stop with the best price, by at least the step."""
    if position.quantity == 0 or position.trail <= 0 or position.closing:
        return
    if not position.trailing:
        if first_r(position, quote):
            commands.append(RatchetTrail(position.instrument, position.trail))
        return
    ratchet(state, now, position, commands)


def first_r(position: Position, quote: Quote) -> bool:
    """Say whether the price has gone one R our way."""
    if position.quantity > 0:
        return decimal(quote.bid) >= position.average + position.risk
    return decimal(quote.ask) <= position.average - position.risk


def start_trail(state: State, position: Position, distance: Decimal) -> None:
    """Set the trail going from the last quote, or end it where the distance is 0 (part of `apply`)."""
    position.trail, position.trailing = distance, distance > 0
    market = state.markets.get(position.instrument)
    if market is not None and market.quote is not None:
        position.best = market.quote.bid if position.quantity > 0 else market.quote.ask


def note_best(state: State, position: Position, quote: Quote) -> None:
    """Remember the best price of a trailing position (part of `apply`), where it would move the stop.

    Prices below that are not kept: the band lets them pass unseen, and State may not depend on the band.
    """
    if not position.trailing or position.quantity == 0 or position.closing:
        return
    due = raise_due(state, position)
    if due is None:
        return
    if position.quantity > 0 and quote.bid >= due:
        position.best = max(position.best, quote.bid)
    elif position.quantity < 0 and quote.ask <= due:
        position.best = min(position.best, quote.ask)


def raise_due(state: State, position: Position) -> float | None:
    """Give the bid (long) or ask (short) from which the trail moves the stop by at least its step; None: not now."""
    stop = state.orders.get(position.stop_order)
    if stop is None or stop.terms is None or stop.status not in MOVABLE:
        return None
    step = stop.terms * state.settings.protection.trail_step
    if position.quantity > 0:
        return float(stop.terms + step + position.trail)
    return float(stop.terms - step - position.trail)


def raise_waits(state: State, position: Position) -> bool:
    """Say whether the stop is to be raised to a best price of before, once an answer or the interval lets it."""
    stop = state.orders.get(position.stop_order)
    if stop is None or stop.terms is None or not position.trailing or not gained(position, stop.terms):
        return False
    return trailed(state, position, stop.terms) is not None


def ratchet(state: State, now: int, position: Position, commands: list[Command]) -> None:
    """Amend the stop to the best price less the trail: at most once an interval, never while an answer is due.

    A broker that refuses is asked again later and later.
    """
    stop = state.orders.get(position.stop_order)
    if stop is None or stop.terms is None or stop.status not in MOVABLE or stop.asked is not None or stop.twin:
        return
    if not gained(position, stop.terms) or now < ready_ns(state, stop) or not listens(state, stop.broker):
        return
    level = trailed(state, position, stop.terms)
    if level is not None:
        commands.append(AmendOrder(stop.order, level, reason="trail"))


def gained(position: Position, terms: Decimal) -> bool:
    """Say whether the stop could be raised at all; in floats, since nearly always it could not."""
    reach = position.best - float(terms)
    return reach > float(position.trail) if position.quantity > 0 else -reach > float(position.trail)


def ready_ns(state: State, order: Order) -> int:
    """Give from when on an order may be amended again."""
    interval_ns = int(state.settings.protection.trail_interval_s * SECOND)
    return order.asked_ns + (interval_ns << min(order.amend_tries, BACKOFF_MAX))


def trailed(state: State, position: Position, terms: Decimal) -> Decimal | None:
    """Give the stop's new level, or None where it would loosen it or move it by less than the step."""
    tick = tick_of(state, position.instrument)
    if tick is None:
        return None
    step = terms * state.settings.protection.trail_step
    best = decimal(position.best)
    if position.quantity > 0:
        level = floor_to(best - position.trail, tick)
        return level if level >= terms + step else None
    level = ceil_to(best + position.trail, tick)
    return level if level <= terms - step else None


def flatten(
    state: State, now: int, position: Position, reason: str, commands: list[Command], *, patient: bool = False
) -> None:
    """Close a position: first by making its target marketable; where that is not to be had or not filled, at market.

    One close at a time: while one is under way and young, or a market order lives, nothing is added. The fill time-out
    lies between one try and the next. With `patient` the target is moved to where the market stands, again after each
    time-out; whoever closes without patience does not wait for that.
    """
    if not listens(state, position.broker) or under_way(state, now, position, patient=patient):
        return
    group, quantity = share(state, position)
    if not quantity or (group == "" and not read_since(state, position)):
        return
    target = state.orders.get(position.target_order)
    fits = (
        target is not None
        and target.side.sign * position.quantity < 0  # what has been turned round has a target that would add to it
        and target.status in MOVABLE
        and target.left <= quantity
    )
    level = marketable(state, position, 0 if patient else 1)
    alone = ungrouped_stop(state, position, quantity)
    first = position.closing == "" or (position.patient and target is not None and target.amend_tries == 0)
    if first and fits and target is not None and level is not None:
        if not patient or level != target.terms:
            commands.append(AmendOrder(target.order, level, reason=reason, patient=patient))
    elif alone is not None and (touching := marketable(state, position, -1)) is not None:
        commands.append(AmendOrder(alone.order, touching, reason=reason, closes=True))
    else:
        commands.append(reduce(state, len(commands), position, group, quantity))


def ungrouped_stop(state: State, position: Position, quantity: Decimal) -> Order | None:
    """Give the working stop of a position that the broker ties to no group: a close beside it could turn the position.

    So it is itself made to trade at once; where it is too large, unknown or was refused, None.
    """
    stop, entry = state.orders.get(position.stop_order), state.orders.get(position.group)
    if stop is None or stop.status not in MOVABLE or stop.left > quantity or stop.amend_tries:
        return None
    if stop.side.sign * position.quantity > 0:
        return None
    return stop if entry is None or entry.adopted or stop.group == "" else None


def under_way(state: State, now: int, position: Position, *, patient: bool = False) -> bool:
    """Say whether a close that was begun is still to be waited for; without patience, not for a patient one."""
    current = state.orders.get(position.closing)
    young = now - position.closing_ns < wait_ns(state, position)
    if current is None:
        return False
    if current.leg is Leg.CLOSE:
        return young or current.live
    if position.patient and not patient and current.live:
        return False
    return young and current.live and current.amend_tries == 0


def wait_ns(state: State, position: Position) -> int:
    """Give the time between one close and the next: a broker that refuses is asked again later and later (F87).

    What has no stop does not wait so long: it is tried each `flatten_s`.
    """
    if position.refusals and position.unprotected_ns:
        return int(state.settings.protection.flatten_s * SECOND)
    return int(state.settings.fill_timeout_s * SECOND) << min(max(position.refusals - 1, 0), CLOSE_DOUBLINGS_MAX)


def share(state: State, position: Position) -> tuple[str, Decimal]:
    """Give the group that a close belongs to and how much of the position it may take back there.

    What no group explains (a fill after the group was closed) is closed on its own, by what is held.
    """
    held = backed(state, position)
    net, entry = sums_of(state, position.group).quantity, state.orders.get(position.group)
    if entry is None or not entry.opens:  # a close that opened by itself: the broker knows no group of that name
        return "", held
    if refused(state, position, entry):
        return "", held if read_since_refusal(state, position) else ZERO
    if net * position.quantity > 0 and entry.side.sign * position.quantity > 0:
        return position.group, min(held, abs(net))
    return "", held


def refused(state: State, position: Position, entry: Order) -> bool:
    """Say whether the broker, which may sum a group otherwise, refused a close in one that has no stop any more."""
    last = state.orders.get(position.closing)
    tried = last is not None and last.leg is Leg.CLOSE and last.status is Status.REJECTED
    return tried and not any(child.live and child.leg is Leg.STOP for child in children_of(state, entry))


def read_since_refusal(state: State, position: Position) -> bool:
    """Say whether the broker's whole book was read after it refused the close: the refusal may be of what is gone."""
    last, broker = state.orders.get(position.closing), state.brokers.get(position.broker)
    return last is not None and broker is not None and broker.read_from_ns > last.changed_ns


def marketable(state: State, position: Position, way: int = 1) -> Decimal | None:
    """Give a limit that trades at once, a collar's width through the market; None without a quote.

    With `way` -1 a stop's trigger that does: a collar's width on this side of it; with 0 where the market stands.
    """
    market, tick = state.markets.get(position.instrument), tick_of(state, position.instrument)
    if market is None or market.quote is None or tick is None:
        return None
    collar = way * state.settings.risk.collar
    if position.quantity > 0:
        level = floor_to(decimal(market.quote.bid) * (1 - collar), tick)
        return level if level > 0 else None
    return ceil_to(decimal(market.quote.ask) * (1 + collar), tick)


def note_refused(state: State, order: Order) -> None:
    """Count the closes of a position that the broker refuses in a row (part of `apply`)."""
    position = state.positions.get(order.instrument)
    if order.leg is Leg.CLOSE and position is not None:
        position.refusals += 1


def note_closing(state: State, now: int, command: AmendOrder) -> None:
    """Remember that a position is being closed through its target (part of `apply`)."""
    order = state.orders[command.order]
    position = state.positions.get(order.instrument)
    closes = command.closes or order.leg is Leg.TARGET
    if closes and command.level is not None and position is not None:
        position.closing, position.closing_ns, position.patient = order.order, now, command.patient
