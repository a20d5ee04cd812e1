"""From executions to trades: what was opened under one entry's id, how it was closed, and what it came to."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec import Struct

from joed.model.commands import AmendOrder, SubmitOrder
from joed.model.values import ZERO, Leg, Side
from joed.report.rows import Fill, Ledger

STOP = "stop"
TRAILING = "trailing stop"
TARGET = "target"
MARKET = "market"
"""A close at the market of which no record says why."""


class Exit(Struct, frozen=True):
    """One execution that reduced a position, and by which order's rule."""

    execution: str
    kind: str
    at_ns: int
    quantity: Decimal
    price: Decimal


class Trade(Struct, frozen=True):
    """A position from its first execution to its last; prices are means, money is after fees.

    `closed_ns` is None while something is held: then `gained` is only what moved so far. `session` is the last
    execution's. `kind` is how the last part was closed.
    """

    group: str
    instrument: str
    strategy: str
    side: Side
    session: str
    opened_ns: int
    closed_ns: int | None
    quantity: Decimal
    held: Decimal
    entry: float
    exit: float | None
    gained: Decimal
    fees: Decimal
    kind: str
    exits: tuple[Exit, ...]


class Story(Struct, frozen=True):
    """What the journal knows of orders: `group` and `strategy` by order, where stops began, what was asked, confirmed.

    `asked` and `confirmed` are by order, oldest first.
    """

    group: dict[str, str]
    strategy: dict[str, str]
    stops: dict[str, Decimal | None]
    targets: dict[str, str]
    reasons: dict[str, str]
    asked: dict[str, list[tuple[int, str]]]
    confirmed: dict[str, list[tuple[int, Decimal | None]]]


def trades_of(ledger: Ledger) -> list[Trade]:
    """Give all trades of a journal, in the order of their first executions."""
    return fold(ledger.fills(), story_of(ledger.submits(), ledger.amendments(), ledger.confirmed()))


def story_of(
    submits: Iterable[tuple[int, SubmitOrder]],
    amendments: Iterable[tuple[int, AmendOrder]],
    confirmed: Iterable[tuple[int, str, Decimal | None]],
) -> Story:
    """Put together what is known of each order."""
    story = Story({}, {}, {}, {}, {}, {}, {})
    for _, command in submits:
        group = command.group or command.order
        for order in filter(None, (command.order, command.stop_order, command.target_order)):
            story.group[order], story.strategy[order] = group, command.strategy
        if command.stop_order:
            story.stops[command.stop_order] = command.stop
        if command.target_order:
            story.targets[group] = command.target_order
        if command.leg is Leg.STOP:
            story.stops[command.order] = command.level
        story.reasons[command.order] = command.reasons[0] if command.reasons and not command.opens else ""
    for seq, amendment in amendments:
        story.asked.setdefault(amendment.order, []).append((seq, amendment.reason))
    for seq, order, level in confirmed:
        story.confirmed.setdefault(order, []).append((seq, level))
    return story


def fold(fills: Sequence[Fill], story: Story) -> list[Trade]:
    """Give the trades that these executions make, in the order of their first ones."""
    groups: dict[str, list[Fill]] = {}
    for fill in fills:
        groups.setdefault(story.group.get(fill.order, fill.order), []).append(fill)
    return [trade(group, parts, story) for group, parts in groups.items()]


def trade(group: str, fills: Sequence[Fill], story: Story) -> Trade:
    """Give the trade that the executions under one entry make."""
    first, last = fills[0], fills[-1]
    entries = [fill for fill in fills if fill.side is first.side]
    closing = [fill for fill in fills if fill.side is not first.side]
    opened, closed = total(entries), total(closing)
    exits = tuple(Exit(fill.execution, kind_of(fill, story), fill.at_ns, fill.quantity, fill.price) for fill in closing)
    return Trade(
        group=group,
        instrument=first.instrument,
        strategy=story.strategy.get(first.order, ""),
        side=first.side,
        session=last.session,
        opened_ns=first.at_ns,
        closed_ns=last.at_ns if opened == closed else None,
        quantity=opened,
        held=(opened - closed) * first.side.sign,
        entry=mean(entries),
        exit=mean(closing) if closing else None,
        gained=sum((fill.cash for fill in fills), ZERO),
        fees=sum((fill.fee for fill in fills), ZERO),
        kind=exits[-1].kind if exits else "",
        exits=exits,
    )


def total(fills: Sequence[Fill]) -> Decimal:
    """Give the quantity of some executions together."""
    return sum((fill.quantity for fill in fills), ZERO)


def mean(fills: Sequence[Fill]) -> float:
    """Give the mean price of some executions, weighed by quantity, to a millionth."""
    worth = sum((fill.quantity * fill.price for fill in fills), ZERO)
    return round(float(worth / total(fills)), 6)


def kind_of(fill: Fill, story: Story) -> str:
    """Say by which rule an execution closed: a stop trailed only once the broker had confirmed another level for it."""
    if fill.leg == Leg.STOP:
        levels = [level for seq, level in story.confirmed.get(fill.order, ()) if seq < fill.seq and level is not None]
        return TRAILING if levels and levels[-1] != story.stops.get(fill.order, levels[-1]) else STOP
    if fill.leg == Leg.TARGET:
        return asked_for(fill.order, fill.seq, story) or TARGET
    target = story.targets.get(story.group.get(fill.order, ""), "")
    return story.reasons.get(fill.order) or asked_for(target, fill.seq, story) or MARKET


def asked_for(order: str, before: int, story: Story) -> str:
    """Give the reason for which an order was last moved, "" where it was not."""
    return next((reason for seq, reason in reversed(story.asked.get(order, ())) if seq < before), "")


def counted(trades: Iterable[Trade]) -> dict[str, int]:
    """Count closed trades by how they ended."""
    kinds: dict[str, int] = {}
    for found in trades:
        if found.closed_ns is not None:
            kinds[found.kind] = kinds.get(found.kind, 0) + 1
    return dict(sorted(kinds.items()))
