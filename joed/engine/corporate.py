"""What a split or a dividend does to what is held over the night: our books follow the broker's, and its exits ours.

The dates that `scan.dates_file` names say what is due ("AAPL,2026-11-30,split 4:1", "KO,2026-11-30,dividend 0.51"), the
broker's whole book says that it has happened. Where only the book says so, the instrument is frozen: a stop at a price
of before the split would sell at once what it should guard.
"""

import datetime as dt
import re
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from joed.engine.markets import empty_band, market_of
from joed.engine.orders import children_of
from joed.engine.positions import frozen
from joed.engine.verdicts import ADJUSTED, RESIZED, VERDICTS
from joed.model.blocks import Block
from joed.model.commands import AdjustPosition, AmendOrder, Command, JudgeBooks, LiftBlock, RaiseAlert, RaiseBlock
from joed.model.events import BrokerRead
from joed.model.orders import Order, Position
from joed.model.state import State
from joed.model.values import SECOND, ZERO, Leg, Severity, Side, Status, ceil_to, decimal, floor_to

ROW = re.compile(r"(\d{4}-\d\d-\d\d) (?:split ([1-9]\d{0,3}):([1-9]\d{0,3})|dividend (\d{1,6}(?:\.\d{1,6})?))")
WHOLE_MAX, SMALL_MAX = 50, 4
"""A difference that no date names may be a split's where it is a ratio of whole numbers, of which one is small."""
ONE = Decimal(1)
ID_PARTS, DATE_DIGITS = 6, 8
MOVABLE = (Status.WORKING, Status.PARTIAL)


class Due(NamedTuple):
    """What the dates name between a position's first day and this session: new shares for old, and cash for each."""

    new: int
    old: int
    dividend: Decimal
    date: str


NOTHING = Due(1, 1, ZERO, "")


def due(state: State, position: Position) -> Due:
    """Give what the dates file names for a position since it was opened, or since the last that was taken over."""
    opened, found = first_day(position), NOTHING
    for row in sorted(state.settings.dates.get(position.instrument, ())):
        match = ROW.fullmatch(row)
        if match is None or not max(opened, position.adjusted) < match[1] <= state.day.session:
            continue
        new, old = (int(match[2]), int(match[3])) if match[2] else (1, 1)
        found = Due(found.new * new, found.old * old, found.dividend + Decimal(match[4] or 0), match[1])
    return found


def first_day(position: Position) -> str:
    """Give the date of the session in which a position was opened: its entry's id has it, or the clock."""
    parts = position.groups[0].split("-") if position.groups else []
    if len(parts) == ID_PARTS and len(parts[1]) == DATE_DIGITS and parts[1].isdigit():
        return f"{parts[1][:4]}-{parts[1][4:6]}-{parts[1][6:]}"
    return dt.datetime.fromtimestamp(position.opened_ns // SECOND, dt.UTC).date().isoformat()


def over_night(state: State, position: Position) -> bool:
    """Say whether a position is from before this session, and the broker has not shown its size in this one."""
    return position.quantity != 0 and position.opened_ns < state.day.open_ns and position.sized != state.day.session


def note_sized(state: State, read: BrokerRead) -> None:
    """Note which positions the broker holds in the size that our books explain (part of `apply`).

    What somebody holds beside ours is explained where it was there in the last session; what changes within a session
    is a person's trade, and no split.
    """
    if not read.complete or read.connection != state.brokers[read.broker].connection:
        return
    theirs = {row.instrument: row.quantity for row in read.positions}
    for position in state.positions.values():
        if position.broker != read.broker or not position.quantity or position.changed_ns >= read.from_ns:
            continue
        apart = theirs.get(position.instrument, ZERO) - position.quantity
        if position.sized == state.day.session or position.opened_ns >= state.day.open_ns:
            position.apart = apart
        if apart == position.apart:
            position.sized = state.day.session


def in_question(state: State, position: Position) -> bool:
    """Say whether the broker holds a position from the night in another size that may be a split's.

    Until that is judged no stop is put in place of a lost one, and nothing is closed for want of one.
    """
    broker = state.brokers.get(position.broker)
    if broker is None or not over_night(state, position):
        return False
    beyond = broker.suspected.get(position.instrument, state.external.get(position.instrument, ZERO))
    return whole(position.quantity + position.apart, position.quantity + beyond) is not None


def whole(ours: Decimal, theirs: Decimal) -> tuple[int, int] | None:
    """Give the ratio of two quantities of one side as small whole numbers, None where it is none."""
    if ours * theirs <= 0 or ours == theirs:
        return None
    less, more = sorted((abs(ours), abs(theirs)))
    for small in range(1, SMALL_MAX + 1):
        large, rest = divmod(more * small, less)
        if not rest and large <= WHOLE_MAX:
            return (int(large), small) if abs(theirs) > abs(ours) else (small, int(large))
    return None


def explains(found: Due, ours: Decimal, theirs: Decimal) -> bool:
    """Say whether what is due makes their quantity of ours; the fraction of a share is paid in cash."""
    if ours * theirs <= 0:
        return False
    expected = abs(ours) * found.new / found.old
    return 0 <= expected - abs(theirs) < 1


def on_read(state: State, now: int, read: BrokerRead, commands: list[Command]) -> None:
    """Judge each position from the night by a whole read: take over what is due, or freeze what nobody explains."""
    if not read.complete or read.connection != state.brokers[read.broker].connection:
        return
    theirs = {row.instrument: row.quantity for row in read.positions}
    for position in state.positions.values():
        old = position.quantity != 0 and position.opened_ns < state.day.open_ns
        if position.broker == read.broker and old and position.changed_ns < read.from_ns:
            _judge(state, now, position, theirs.get(position.instrument, ZERO), commands)
    for block in state.blocks.values():
        held = state.positions.get(block.scope.partition(":")[2])
        if block.reason == RESIZED and (held is None or not held.quantity or held.sized == state.day.session):
            commands.append(LiftBlock(block.key, "the books agree again"))


def _judge(state: State, now: int, position: Position, theirs: Decimal, commands: list[Command]) -> None:
    found, ours = due(state, position), position.quantity
    before, split = ours + position.apart, found.new != found.old
    if found is not NOTHING and (explains(found, before, theirs) if split else theirs == before):
        ratio = found.new * ONE / found.old
        shares = floor_to(abs(ours) * ratio, ONE).copy_sign(ours) if position.apart else theirs
        _adjust(state, position, found, shares, commands)
    elif over_night(state, position) and state.external.get(position.instrument) == theirs - ours:
        seen = whole(before, theirs)
        if seen is not None and not frozen(state, position.instrument):
            _freeze(state, now, position, theirs, seen, commands)


def _adjust(state: State, position: Position, found: Due, theirs: Decimal, commands: list[Command]) -> None:
    """Take it over, tell of it, and have the exits that still work follow."""
    name, ours = position.instrument, position.quantity
    cash = f", {found.dividend} paid on each" if found.dividend else ""
    words = f"{ours} {name} are {theirs} by {found.new}:{found.old} of {found.date}{cash}"
    commands.append(JudgeBooks(position.broker, VERDICTS[ADJUSTED].verdict, ADJUSTED, words, "", name))
    commands.append(AdjustPosition(name, theirs, found.new, found.old, found.dividend, found.date))
    commands.append(RaiseAlert(f"{ADJUSTED}:{name}:{found.date}", Severity.WARNING, f"{words}: its exits follow"))
    if found.new == found.old:
        return
    for order in _exits(state, position):
        if order.status in MOVABLE and order.leg in (Leg.STOP, Leg.TARGET) and order.terms is not None:
            row = state.settings.universe.get(name)
            tick, lot = (row.tick, row.lot) if row is not None else (Decimal("0.01"), Decimal(1))
            rounded = floor_to if order.side is Side.SELL else ceil_to
            level = rounded(order.terms * found.old / found.new, tick)
            left = floor_to(order.left * found.new / found.old, lot) or order.left
            commands.append(
                AmendOrder(order.order, level, order.filled + left, reason=f"split {found.new}:{found.old}")
            )


def _freeze(
    state: State, now: int, position: Position, theirs: Decimal, ratio: tuple[int, int], commands: list[Command]
) -> None:
    """Leave an instrument alone whose quantity changed over the night for a reason that nobody named."""
    name, row = position.instrument, f"split {ratio[0]}:{ratio[1]}"
    words = (
        f"{name}: {position.quantity + position.apart} were held over the night, the broker has {theirs} now. "
        f"If that is a split, add '{name},{state.day.session},{row}' to the file of scan.dates_file and reload; if "
        f"not, joectl adopt {name} or joectl flatten {name}. Until then no stop of it is replaced and nothing is "
        f"closed for want of one"
    )
    commands.append(JudgeBooks(position.broker, VERDICTS[RESIZED].verdict, RESIZED, words, "", name))
    commands.append(RaiseBlock(Block(f"instrument:{name}", RESIZED, words, now)))
    commands.append(RaiseAlert(f"{RESIZED}:{name}:{state.day.session}", Severity.CRITICAL, words))


def apply_adjusted(state: State, now: int, command: AdjustPosition) -> None:
    """Scale what is ours of an instrument: fills, prices of exits, first R and trail; the money paid stays the same.

    What a whole number leaves over (cash in place of a fraction) is taken from the entry of the group looked after.
    """
    position = state.positions[command.instrument]
    new, old = command.new, command.old
    average, before = position.average, position.quantity
    for order in dict.fromkeys(_named(state, position)):
        _scale(state.orders[order], new, old)
    main = state.orders.get(position.group)
    if main is not None:
        rest = abs(command.quantity) - abs(before) * new / old
        main.filled, main.quantity = main.filled + rest, main.quantity + rest
    position.quantity, position.average = command.quantity, average * abs(before) / abs(command.quantity)
    position.risk, position.trail = position.risk * old / new, position.trail * old / new
    position.best = position.best * old / new - float(command.dividend) if position.best else 0.0
    position.adjusted, position.sized, position.changed_ns = command.date, state.day.session, now
    state.external.pop(command.instrument, None)
    state.brokers[position.broker].suspected.pop(command.instrument, None)
    _scale_quote(state, command, average)
    empty_band(market_of(state, command.instrument))


def _named(state: State, position: Position) -> list[str]:
    return [order.order for order in _exits(state, position)] + [one for one in position.groups if one in state.orders]


def _exits(state: State, position: Position) -> list[Order]:
    """Give all exits of a position's groups."""
    entries = [state.orders[group] for group in position.groups if group in state.orders]
    return [child for entry in entries for child in children_of(state, entry)]


def _scale(order: Order, new: int, old: int) -> None:
    """Let an order's fills, and its level, be those of the new shares; what is left of a live one the broker says."""
    filled = order.filled * new / old
    left = order.left if order.live else order.left * new / old
    order.filled, order.quantity = filled, filled + left
    if order.terms is not None:
        order.terms = order.terms * old / new


def _scale_quote(state: State, command: AdjustPosition, average: Decimal) -> None:
    """Let a price of before the split be one of after it: what is held is valued by it until the next."""
    market, ratio = market_of(state, command.instrument), command.new / command.old
    quote = market.quote
    if quote is None or command.new == command.old:
        return
    middle, before = decimal((quote.bid + quote.ask) / 2), average
    if abs(middle - before) < abs(middle - before * command.old / command.new):
        last = None if quote.last is None else quote.last / ratio
        market.quote = replace(quote, bid=quote.bid / ratio, ask=quote.ask / ratio, last=last)
