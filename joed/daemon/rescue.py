"""What a broker's book asks of a failsafe: pure judgement on a reading and on what a dead joed left behind."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from joed.daemon.remains import Remains
from joed.model import ids
from joed.model.commands import SubmitOrder
from joed.model.events import BrokerRead, OrderSeen
from joed.model.values import ZERO, Flatten, Kind, Leg, Side, Status, Tif

HOLDING = (Status.WORKING, Status.PARTIAL)
"""Only what the broker says is working protects."""


class Held(Struct, frozen=True):
    """One position: what the broker shows, how much of it our orders' executions explain, what our stops would close.

    `closing` is what working closes of ours will take off it; `groups` are the shares that add up to what is ours.
    """

    instrument: str
    quantity: Decimal
    ours: Decimal
    stops: Decimal
    closing: Decimal = ZERO
    groups: dict[str, Decimal] = {}

    @property
    def missing(self) -> Decimal:
        """Give how much of what is ours has no working stop."""
        return max(ZERO, abs(self.ours) - self.stops)


class Verdict(Struct, frozen=True):
    """What stands in a broker's book, sorted by what it means.

    `entries` of ours may still open something; `strays` are exits of ours that guard nothing, and would open a position
    when they fill; `foreign` counts living orders that are not ours.
    """

    entries: tuple[OrderSeen, ...]
    positions: tuple[Held, ...]
    strays: tuple[OrderSeen, ...]
    foreign: int


def judge(read: BrokerRead, remains: Remains, key: bytes) -> Verdict:
    """Sort a whole reading."""
    living = [order for order in read.orders if not order.status.ended]
    mine = [order for order in living if ids.ours(key, order.order)]
    shares = shares_of(read, remains, key)
    positions = tuple(
        held_of(seen.instrument, seen.quantity, shares.get(seen.instrument, {}), mine) for seen in read.positions
    )
    held = {position.instrument: position.quantity for position in positions}
    entries = tuple(order for order in mine if ids.leg_of(order.order) is Leg.ENTRY)
    waiting = {ids.sibling(key, order.order, Leg.ENTRY) for order in entries}
    strays = tuple(
        order
        for order in mine
        if ids.leg_of(order.order) is not Leg.ENTRY
        and ids.sibling(key, order.order, Leg.ENTRY) not in waiting
        and held.get(order.instrument, ZERO) * order.side.sign >= 0
    )
    return Verdict(entries, positions, strays, len(living) - len(mine))


def shares_of(read: BrokerRead, remains: Remains, key: bytes) -> dict[str, dict[str, Decimal]]:
    """Give what our executions left of each instrument, by group: those that joed knew, and those it never heard of."""
    known = Remains(groups=remains.groups, executions=dict(remains.executions))
    for fill in read.executions:
        if ids.ours(key, fill.order):
            known.hear(fill)
    shares: dict[str, dict[str, Decimal]] = {}
    for (order, _), done in known.executions.items():
        leg = ids.leg_of(order)
        group = known.groups.get(order) or (order if leg is Leg.CLOSE else ids.sibling(key, order, Leg.ENTRY))
        groups = shares.setdefault(done.instrument, {})
        groups[group] = groups.get(group, ZERO) + done.side.sign * done.quantity
    return shares


def held_of(instrument: str, quantity: Decimal, groups: Mapping[str, Decimal], mine: list[OrderSeen]) -> Held:
    """Judge one position: no more of it is ours than the broker shows, and only on the same side."""
    explained = sum(groups.values(), ZERO)
    same = explained * quantity > 0
    ours = min(abs(explained), abs(quantity)) * (1 if quantity > 0 else -1) if same else ZERO
    side = Side.SELL if quantity > 0 else Side.BUY
    working = [o for o in mine if o.instrument == instrument and o.side is side and o.status in HOLDING]
    stops = sum((order.quantity for order in working if ids.leg_of(order.order) is Leg.STOP), ZERO)
    closing = sum((order.quantity for order in working if ids.leg_of(order.order) is Leg.CLOSE), ZERO)
    kept = {group: share for group, share in groups.items() if share * quantity > 0} if same else {}
    return Held(instrument, quantity, ours, stops, closing, kept)


def to_close(verdict: Verdict, policy: Flatten) -> tuple[Held, ...]:
    """Give the positions that the policy closes."""
    if policy is Flatten.NEVER:
        return ()
    return tuple(
        held for held in verdict.positions if abs(held.ours) > held.closing and (policy is Flatten.ALL or held.missing)
    )


def closes_of(held: Held, broker: str, begun: str, key: bytes, index: int) -> list[SubmitOrder]:
    """Give the orders that close what is ours of a position: one a group, whose other exits shrink as it fills.

    `begun` is what their ids begin with. A position whose stop covers a part is closed whole: what remained of the stop
    would guard a part that nobody watches.
    """
    orders, left = list[SubmitOrder](), abs(held.ours) - held.closing
    for group, share in held.groups.items():
        quantity = min(abs(share), left)
        left -= quantity
        if quantity:
            order = ids.made(key, f"{begun}.{index + len(orders)}", Leg.CLOSE)
            orders.append(_close(held, broker, order, group, quantity))
    return orders


def _close(held: Held, broker: str, order: str, group: str, quantity: Decimal) -> SubmitOrder:
    return SubmitOrder(
        order=order,
        broker=broker,
        instrument=held.instrument,
        side=Side.SELL if held.quantity > 0 else Side.BUY,
        quantity=quantity,
        kind=Kind.MARKET,
        leg=Leg.CLOSE,
        opens=False,
        tif=Tif.GTC,
        group=group,
        signal=f"{group}-{Leg.CLOSE.value}",
        reasons=("failsafe",),
    )


def left_of(verdict: Verdict, remains: Remains) -> list[str]:
    """Say what is not as it should be, in words: an empty list is the evidence that all is."""
    left = [
        f"{order.order} ({order.instrument} {order.side} {order.quantity}) still rests" for order in verdict.entries
    ]
    for held in verdict.positions:
        what = f"{held.instrument} {held.quantity:+}"
        if held.missing:
            left.append(f"{what}: {held.missing} of {abs(held.ours)} without a working stop")
        if held.closing:
            left.append(f"{what}: a close of {held.closing} has not filled yet")
        if held.stops > abs(held.quantity):
            left.append(f"{what}: stops of {held.stops} would turn it")
        if remains.damage and abs(held.ours) < abs(held.quantity):
            left.append(f"{what}: whether it is ours is not known, the record cannot be read")
    left += [f"{order.order} ({order.instrument}) guards nothing and would open a position" for order in verdict.strays]
    return left
