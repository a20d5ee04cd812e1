"""What is held: the sum of executions, each counted once, a correction replacing what it corrects.

A group is an entry with its exits. A position is the sum of its groups, mostly one, and is summed anew at each fill:
so neither the order in which executions arrive nor a late word on an old one can leave a trace.

A position's figures are in its instrument's currency, the account's in base currency. What was realised crosses at the
rate in force when the closing fill is booked, whatever the rate was when the lot was bought: what the money itself
gained or lost meanwhile shows in the cash that is held in that currency, not in the trade.
"""

from decimal import Decimal
from typing import NamedTuple

from joed.engine import foreign, settlement
from joed.engine.life import AFTER_FILL
from joed.engine.markets import empty_band, market_of, price_of
from joed.engine.money import cash_of, currency_of, pay, rate_in, rate_of
from joed.engine.orders import children_of, note_resting
from joed.engine.verdicts import LATE, RESIZED, find
from joed.model.blocks import key
from joed.model.commands import AdoptPosition, FlattenPosition, SubmitOrder
from joed.model.events import OrderFilled
from joed.model.orders import Execution, Order, Position
from joed.model.state import State
from joed.model.values import ZERO, Kind, Leg, Side, Status, decimal

NOTHING = Execution(ZERO, ZERO, ZERO, -1)
ADOPTED = "adopted"
"""The strategy of what a person handed over."""
PLACES = Decimal("1E-10")
"""How far an average price is carried where it does not come out even."""


class Sums(NamedTuple):
    """What was bought and sold, in units and in money."""

    bought: Decimal = ZERO
    paid: Decimal = ZERO
    sold: Decimal = ZERO
    earned: Decimal = ZERO

    @property
    def quantity(self) -> Decimal:
        """Give what is left, signed."""
        return self.bought - self.sold

    @property
    def average(self) -> Decimal:
        """Give the price at which what is left was taken; 0 where nothing is left."""
        if self.quantity > 0:
            return averaged(self.paid, self.bought)
        return averaged(self.earned, self.sold) if self.quantity < 0 else ZERO

    @property
    def carried(self) -> Decimal:
        """Give what is left at its own price, signed."""
        return self.average * self.quantity

    @property
    def flow(self) -> Decimal:
        """Give the money that came in, less what went out."""
        return self.earned - self.paid


def averaged(money: Decimal, quantity: Decimal) -> Decimal:
    """Give an average price, exact where it comes out even."""
    price = money / quantity
    return price if price * quantity == money else price.quantize(PLACES)


def sums_of(state: State, group: str) -> Sums:
    """Give the sums of a group's executions."""
    entry = state.orders.get(group)
    if entry is None:
        return Sums()
    bought = paid = sold = earned = ZERO
    for order in (entry, *children_of(state, entry)):
        if order.side is Side.BUY:
            bought, paid = bought + order.filled, paid + order.cost
        else:
            sold, earned = sold + order.filled, earned + order.cost
    return Sums(bought, paid, sold, earned)


def group_of(state: State, order: Order) -> str:
    """Give the group that an order's fills count in: its entry's, or one of its own where it has no entry."""
    return order.group if order.group in state.orders else order.order


def sound(state: State, fill: OrderFilled) -> bool:
    """Say whether an execution can be of the order that it names: a broker's nonsense is told, never booked."""
    order = state.orders.get(fill.order)
    if order is None or fill.instrument != order.instrument or fill.side is not order.side:
        return False
    if fill.currency and fill.currency != currency_of(state, fill.instrument):
        return False
    finite = fill.quantity.is_finite() and fill.price.is_finite() and fill.fee.is_finite()
    return finite and fill.quantity >= 0 and (fill.price > 0 or fill.quantity == 0)


def place_close(state: State, command: SubmitOrder) -> None:
    """Let a close that no group of the broker's holds count in the group of ours whose excess it takes back.

    On its own it would only offset that group, and a late word on either would look like somebody else's (`apply`).
    """
    close = state.orders[command.order]
    if command.opens or command.group or command.lot or command.leg is not Leg.CLOSE:
        return
    if group := excess_group(state, command.instrument):
        close.group = group
        entry = state.orders[group]
        entry.children = (*entry.children, close.order)


def excess_group(state: State, instrument: str) -> str:
    """Give the first group of a position that holds something on its side, "" where none does."""
    position = state.positions.get(instrument)
    if position is None:
        return ""
    held = (name for name in position.groups if sums_of(state, name).quantity * position.quantity > 0)
    return next((name for name in held if name in state.orders), "")


def apply_fill(state: State, now: int, fill: OrderFilled) -> bool:
    """Book one execution; say whether it was news (a repeat of the same word is none).

    A fill of an order that is not in the ledger is another's: it touches nothing of ours, and the next whole read of
    the broker counts what it left as external.
    """
    order = state.orders.get(fill.order)
    if order is None:
        return False
    known = order.executions.get(fill.execution, NOTHING)
    if known.revision >= fill.revision or not sound(state, fill):
        return False  # the revision first: each whole read brings the session's executions again
    group = group_of(state, order)
    before = sums_of(state, group)
    corrected = known is not NOTHING and (known.quantity, known.price) != (fill.quantity, fill.price)
    order.executions[fill.execution] = Execution(fill.quantity, fill.price, fill.fee, fill.revision, corrected)
    signed = order.side.sign * (fill.quantity * fill.price - known.quantity * known.price)
    order.filled += fill.quantity - known.quantity
    order.cost += fill.quantity * fill.price - known.quantity * known.price
    fee = fill.fee - known.fee
    _move(state, order, now, fill)
    if order.foreign:
        foreign.take_fill(state, order, fill.quantity - known.quantity)
        return True
    _pay(state, now, order, -signed - fee)
    fee_in_base = fee * rate_of(state, order.instrument)
    state.fees += fee_in_base
    state.day.fees += fee_in_base
    state.day.fills += known is NOTHING
    state.day.trades += known is NOTHING and order.leg is Leg.ENTRY and len(order.executions) == 1
    _book(state, now, order, group, before, fee)
    empty_band(market_of(state, order.instrument))
    return True


def _move(state: State, order: Order, now: int, fill: OrderFilled) -> None:
    """Let the fill move the order by its table, and note one that came after the end."""
    order.changed_ns, order.absent_reads = now, 0
    if order.status.ended and order.status is not Status.FILLED:
        order.late = fill.execution
    if order.status is Status.ABSENT_PROVEN:
        find(state, LATE, order.broker, f"it filled {fill.quantity} at {fill.price}", order)
    whole, part = AFTER_FILL[order.status]
    order.status = whole if order.left <= 0 else part
    note_resting(state, order)


def _pay(state: State, now: int, order: Order, amount: Decimal) -> None:
    """Let money come in or go out; what a sale brings has still to settle."""
    currency = currency_of(state, order.instrument)
    pay(state, order.broker, currency, amount)
    if order.side is Side.SELL:
        settlement.note_sale(state, now, order.broker, order.instrument, currency, amount)


def _book(state: State, now: int, order: Order, group: str, before: Sums, fee: Decimal) -> None:
    """Sum the position anew; a word on a trade that is over and done changes its profit alone."""
    after = sums_of(state, group)
    position = state.positions.get(order.instrument)
    if position is None or group not in position.groups:
        if after.quantity == before.quantity:
            _gain(state, order.instrument, after.flow + after.carried - before.flow - before.carried)
            return
        position = _join(state, now, order, group, position)
        position.realised += before.flow + before.carried
        if before.quantity:
            _join_partners(state, position)
    earlier = position.realised
    _sum(state, position)
    position.changed_ns = now
    position.fees += fee
    _gain(state, order.instrument, position.realised - earlier)
    _rebind(state, position)
    _score(state, position)


def _join_partners(state: State, position: Position) -> None:
    """Let the groups that were flat only together with one that a late word opens again be open with it.

    A close may have taken back the excess of one beside what another held (`place_close`): each alone is not flat.
    """
    ours = (one for one in state.orders.values() if one.instrument == position.instrument and not one.foreign)
    for group in dict.fromkeys(group_of(state, order) for order in ours):
        sums = sums_of(state, group)
        if sums.quantity and group not in position.groups:
            position.groups = (*position.groups, group)
            position.realised += sums.flow + sums.carried


def apply_adopted(state: State, now: int, command: AdoptPosition) -> None:
    """Take somebody's position in as a lot of its own, as if an entry had filled; its money was paid by its owner."""
    side = Side.BUY if command.quantity > 0 else Side.SELL
    quantity = abs(command.quantity)
    entry = Order(
        order=command.lot,
        broker=command.broker,
        instrument=command.instrument,
        side=side,
        quantity=quantity,
        kind=Kind.MARKET,
        leg=Leg.ENTRY,
        opens=True,
        status=Status.FILLED,
        group=command.lot,
        strategy=ADOPTED,
        signal=command.lot,
        terms=command.average,
        filled=quantity,
        cost=quantity * command.average,
        armed_ns=now,
        changed_ns=now,
        adopted=True,
    )
    state.orders[command.lot] = entry
    position = _join(state, now, entry, command.lot, state.positions.get(command.instrument))
    before, earlier = _open_profit(state, position), position.realised
    _sum(state, position)
    gained = _open_profit(state, position) - before
    state.day.unrealised_start += gained  # what it had made before it was ours is no result of this day
    position.changed_ns = now
    _gain(state, command.instrument, position.realised - earlier)
    _rebind(state, position)
    _score(state, position)
    state.external.pop(command.instrument, None)
    empty_band(market_of(state, command.instrument))


def apply_flatten(state: State, now: int, command: FlattenPosition) -> None:
    """Note that a person wants it gone."""
    state.positions[command.instrument].unwanted = command.reason


def _gain(state: State, instrument: str, gained: Decimal) -> None:
    in_base = gained * rate_of(state, instrument)
    state.realised += in_base
    state.day.realised += in_base


def _join(state: State, now: int, order: Order, group: str, held: Position | None) -> Position:
    """Let a group be part of what is held; from flat it begins a new position."""
    if held is not None and held.quantity:
        held.groups = (*held.groups, group)
        return held
    currency = currency_of(state, order.instrument)
    position = state.positions[order.instrument] = Position(order.instrument, order.broker, currency=currency)
    position.groups, position.opened_ns = (group,), now
    _bind(state, position, group)
    return position


def _bind(state: State, position: Position, group: str) -> None:
    """Let a group's stop and target be the position's, with its first R and the trail that it asked for."""
    position.group, position.stop_order, position.target_order = group, "", ""
    position.trailing, position.closing = False, ""
    entry = state.orders.get(group)
    if entry is None:
        return
    position.strategy, position.trail = entry.strategy, state.trails.get(entry.signal, ZERO)
    for child in children_of(state, entry):
        if child.leg is Leg.STOP and (child.live or not position.stop_order):
            position.stop_order = child.order
            position.risk = position.risk or abs((entry.terms or ZERO) - (child.terms or ZERO))
        elif child.leg is Leg.TARGET:
            position.target_order = child.order


def _sum(state: State, position: Position) -> None:
    """Give the position the quantity, average and profit of its groups' executions."""
    sums = [sums_of(state, group) for group in position.groups]
    quantity = sum((one.quantity for one in sums), ZERO)
    carried = sum((one.carried for one in sums), ZERO)
    position.quantity = quantity
    position.realised = sum((one.flow for one in sums), ZERO) + (carried if quantity else ZERO)
    open_ones = [one for one in sums if one.quantity]
    if len(open_ones) == 1:
        position.average = open_ones[0].average
    else:
        position.average = averaged(carried, quantity) if quantity else ZERO


def _rebind(state: State, position: Position) -> None:
    """Look after another group where the one looked after so far has been closed."""
    if position.quantity == 0 or sums_of(state, position.group).quantity:
        return
    for group in position.groups:
        if sums_of(state, group).quantity:
            position.risk = ZERO
            _bind(state, position, group)
            return


def _score(state: State, position: Position) -> None:
    """Count a finished trade as won or lost, after its fees; take the count back where a late word opens it again."""
    result = 0
    if position.quantity == 0:
        result = 1 if position.realised > position.fees else -1
        position.trailing, position.closing, position.unwanted = False, "", ""
        position.unprotected_ns = position.repairs = position.refusals = 0
    state.day.wins += (result > 0) - (position.result > 0)
    state.day.losses += (result < 0) - (position.result < 0)
    position.result = result


def backed(state: State, position: Position) -> Decimal:
    """Give how much of a position the broker's book does not deny: no order may close more than that.

    Where somebody closed a part of it by hand, a stop of the old size would open a position the other way.
    """
    broker, name = state.brokers.get(position.broker), position.instrument
    beyond = state.external.get(name, ZERO)
    if broker is not None:
        beyond = broker.suspected.get(name, beyond)
    net = position.quantity + beyond
    return min(abs(position.quantity), abs(net)) if net * position.quantity > 0 else ZERO


def unrealised(state: State) -> Decimal:
    """Give the open profit at the middle of the last quotes, in base currency."""
    return sum((_open_profit(state, position) for position in held(state)), ZERO)


def held(state: State) -> list[Position]:
    """Give the positions that are not flat."""
    return [position for position in state.positions.values() if position.quantity]


def _rate(state: State, position: Position) -> Decimal:
    return rate_in(state, position.currency or state.settings.base_currency)


def _open_profit(state: State, position: Position) -> Decimal:
    return (mark(state, position) - position.average) * position.quantity * _rate(state, position)


def mark(state: State, position: Position) -> Decimal:
    """Give the price a position is valued at: the last quote, or what it cost while there is none that fits it.

    Where a split may lie between our books and the market, its price would make a loss that nobody had.
    """
    market = state.markets.get(position.instrument)
    quote = None if market is None or frozen(state, position.instrument) else market.quote
    return position.average if quote is None else decimal(price_of(quote))


def frozen(state: State, instrument: str) -> bool:
    """Say whether an instrument is left alone because its quantity changed over the night and nobody says why."""
    return bool(state.blocks) and key(f"instrument:{instrument}", RESIZED) in state.blocks


def value_of(state: State, position: Position) -> Decimal:
    """Give a position at its mark, signed, in base currency."""
    return position.quantity * mark(state, position) * _rate(state, position)


def equity(state: State) -> Decimal:
    """Give cash and positions at their marks, in base currency."""
    return cash_of(state) + sum((value_of(state, position) for position in held(state)), ZERO)


def day_result(state: State) -> Decimal:
    """Give what the session has made at all brokers, in base currency: realised, less fees, and open profit's change.

    A sum of trades and not of balances: money paid in or out, or a person's own trade, is neither profit nor loss.
    """
    day = state.day
    return day.realised - day.fees + state.unrealised - day.unrealised_start
