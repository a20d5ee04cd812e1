"""What an exchange holds and remembers, how an order meets a quote, and the laws that its memory must obey."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from joed.model.commands import AmendOrder, SubmitOrder
from joed.model.events import OrderFilled, OrderSeen, PositionSeen, Quote
from joed.model.settings import Instrument
from joed.model.values import ZERO, Kind, Leg, Side, Status, Tif, ceil_to, decimal, floor_to


class Chance(Protocol):
    """A seeded source of chance, such as `random.Random(7)`."""

    def random(self) -> float:
        """Give the next number in [0, 1)."""
        ...


class BookOrder(Struct):
    """One order as the exchange holds it.

    `asked` is what was asked for, `quantity` what may fill in all by now: a child's grows with its entry's fills and
    shrinks with its group's. `group` is the id of the entry that it belongs to, `parent` is set on its children only.
    `slices` counts the quotes that a split execution still takes; `at_ns` is when it came, `changed_ns` when something
    last happened to it.
    """

    order: str
    broker_id: str
    instrument: str
    side: Side
    kind: Kind
    leg: Leg
    opens: bool
    tif: Tif
    asked: Decimal
    quantity: Decimal
    level: Decimal | None
    status: Status
    at_ns: int
    group: str = ""
    parent: str = ""
    signal: str = ""
    filled: Decimal = ZERO
    fee: Decimal = ZERO
    slices: int = 0
    triggered: bool = False
    changed_ns: int = 0

    @property
    def left(self) -> Decimal:
        """Give what may still fill now."""
        return self.quantity - self.filled

    def reached_by(self, quote: Quote) -> bool:
        """Say whether these prices let it execute: a limit that they meet, a stop that they touch, a market order."""
        if self.level is None or self.triggered or self.kind is Kind.MARKET:
            return True
        price = quote.ask if self.side is Side.BUY else quote.bid
        rising = (self.side is Side.BUY) == (self.kind is Kind.STOP)  # a buy stop and a sell limit wait for a rise
        return price >= float(self.level) if rising else price <= float(self.level)

    def price_at(self, quote: Quote, tick: Decimal, slippage: Decimal) -> Decimal:
        """Give what it pays or gets: the quote, on the tick against us, slipped by a share unless it is a limit."""
        buys = self.side is Side.BUY
        raw = decimal(quote.ask if buys else quote.bid)
        slipped = raw if self.kind is Kind.LIMIT else raw * (1 + self.side.sign * slippage)
        price = ceil_to(slipped, tick) if buys else floor_to(slipped, tick)
        beyond = self.kind is Kind.LIMIT and self.level is not None and self.side.sign * (price - self.level) > 0
        return raw if beyond or price <= 0 else price

    def seen(self) -> OrderSeen:
        """Show it as a broker's snapshot does; a child that waits shows what was asked."""
        waits = self.status is Status.ACKED
        return OrderSeen(
            self.order,
            self.broker_id,
            self.instrument,
            self.side,
            self.asked if waits else self.left,
            self.status,
            self.level,
            self.filled,
        )


class Line(Struct):
    """One thing that happened to an order, with the position and its working stops when that turn was over."""

    at_ns: int
    what: str
    order: str
    instrument: str
    quantity: Decimal
    price: Decimal | None = None
    position: Decimal = ZERO
    protection: Decimal = ZERO


class Book(Struct):
    """The account and its counters.

    `cash_carried`, `balances_carried` and `carried` are cash and positions before the oldest execution still in memory:
    what is older than `forgotten_ns` has left it. `cash` is in the account's currency, `balances` are the others'.
    """

    cash: Decimal
    cash_start: Decimal
    cash_carried: Decimal
    fees: Decimal = ZERO
    positions: dict[str, PositionSeen] = {}
    carried: dict[str, Decimal] = {}
    halted: dict[str, bool] = {}
    numbers: int = 0
    executions: int = 0
    draws: int = 0
    day_ended_ns: int = 0
    forgotten_ns: int = 0
    balances: dict[str, Decimal] = {}
    balances_carried: dict[str, Decimal] = {}

    def take(self, execution: OrderFilled) -> None:
        """Move cash and position by an execution; the average moves only as the position grows or turns."""
        signed = execution.side.sign * execution.quantity
        spent = signed * execution.price + execution.fee
        if execution.currency:
            add(self.balances, execution.currency, -spent)
        else:
            self.cash -= spent
        self.fees += execution.fee
        held = self.positions.pop(execution.instrument, PositionSeen(execution.instrument, ZERO, ZERO))
        after = held.quantity + signed
        if not after:
            return
        average = execution.price
        if held.quantity * signed > 0:
            average = (held.quantity * held.average + signed * execution.price) / after
        elif held.quantity * after > 0:
            average = held.average
        self.positions[execution.instrument] = PositionSeen(execution.instrument, after, average)

    def carry(self, execution: OrderFilled) -> None:
        """Keep what an execution did while it is forgotten."""
        signed = execution.side.sign * execution.quantity
        spent = signed * execution.price + execution.fee
        if execution.currency:
            add(self.balances_carried, execution.currency, -spent)
        else:
            self.cash_carried -= spent
        self.carried[execution.instrument] = self.carried.get(execution.instrument, ZERO) + signed


def add(balances: dict[str, Decimal], currency: str, amount: Decimal) -> None:
    """Move one currency's balance; one that is even is none."""
    balances[currency] = balances.get(currency, ZERO) + amount
    if not balances[currency]:
        del balances[currency]


class ExchangeState(Struct):
    """The whole of an exchange, or what one turn changed of it; it shares its parts: encode it before the next turn."""

    book: Book
    orders: list[BookOrder] = []
    executions: list[OrderFilled] = []
    log: list[Line] = []


def orders_of(command: SubmitOrder, now: int) -> list[BookOrder]:
    """Give the orders that a command makes: the order itself, then its stop and its target, which wait for it."""
    order = BookOrder(
        order=command.order,
        broker_id="",
        instrument=command.instrument,
        side=command.side,
        kind=command.kind,
        leg=command.leg,
        opens=command.opens,
        tif=command.tif,
        asked=command.quantity,
        quantity=command.quantity,
        level=command.level,
        status=Status.WORKING,
        at_ns=now,
        group=command.group or (command.order if command.opens else ""),
        signal=command.signal,
    )
    legs = (
        (command.stop_order, Kind.STOP, Leg.STOP, command.stop),
        (command.target_order, Kind.LIMIT, Leg.TARGET, command.target),
    )
    return [order, *(child_of(order, *leg) for leg in legs if leg[0])]


def child_of(entry: BookOrder, order: str, kind: Kind, leg: Leg, level: Decimal | None) -> BookOrder:
    """Give a child of an entry: good until cancelled, on the closing side, waiting for the entry to fill."""
    return BookOrder(
        order=order,
        broker_id="",
        instrument=entry.instrument,
        side=entry.side.opposite,
        kind=kind,
        leg=leg,
        opens=False,
        tif=Tif.GTC,
        asked=entry.asked,
        quantity=ZERO,
        level=level,
        status=Status.ACKED,
        at_ns=entry.at_ns,
        group=entry.group,
        parent=entry.order,
        signal=entry.signal,
    )


def fault_of(orders: list[BookOrder], instrument: Instrument) -> tuple[str, str] | None:
    """Say what is wrong with new orders by themselves: a code and words, None for nothing."""
    quantity = orders[0].quantity
    if not quantity.is_finite() or quantity <= 0 or quantity % instrument.lot:
        return "quantity", f"{quantity} is not a number of lots of {instrument.lot}"
    for order in orders:
        if order.kind is not Kind.MARKET and not is_price(order.level, instrument.tick):
            return "price", f"{order.level} is not a price of {order.instrument}"
    return None


def misfit_of(order: BookOrder, command: AmendOrder, instrument: Instrument) -> str:
    """Say why an amendment does not fit its order, or ""; a quantity is the whole, what has filled included."""
    level, quantity = command.level, command.quantity
    if order.triggered or (level is not None and order.kind is Kind.MARKET):
        return "it executes at the market"
    if level is not None and not is_price(level, instrument.tick):
        return f"{level} is not a price of {order.instrument}"
    if quantity is not None and (quantity <= order.filled or quantity % instrument.lot):
        return f"{quantity} cannot be, with {order.filled} filled"
    return ""


def is_price(level: Decimal | None, tick: Decimal) -> bool:
    """Say whether a level can stand in the book: positive, a whole number of ticks."""
    return level is not None and level.is_finite() and level > 0 and not level % tick


def laws(state: ExchangeState) -> list[str]:
    """List every breach, in words; an empty list is the proof.

    One order for each id and for each signal; at the end of every turn working stops equal to the position; nothing
    that only reduces takes a position through zero; cash, positions and orders equal to the sum of the executions.
    """
    return [*repeated(state), *unprotected(state), *turned(state), *unbalanced(state)]


def repeated(state: ExchangeState) -> Iterator[str]:
    """Find ids that were accepted twice, and signals that made two entries."""
    ids: dict[str, int] = {}
    for line in state.log:
        if line.what == "accepted":
            ids[line.order] = ids.get(line.order, 0) + 1
    entries: dict[str, int] = {}
    for order in state.orders:
        if order.opens and order.signal and order.status is not Status.REJECTED:
            entries[order.signal] = entries.get(order.signal, 0) + 1
    yield from (f"order {order} was accepted {count} times" for order, count in ids.items() if count > 1)
    yield from (f"signal {signal} made {count} entries" for signal, count in entries.items() if count > 1)


def unprotected(state: ExchangeState) -> Iterator[str]:
    """Find the turns after which working stops and position differed."""
    for line in state.log:
        if line.protection != abs(line.position):
            yield (
                f"at {line.at_ns} {line.instrument} held {line.position} with stops for {line.protection}"
                f" ({line.order} {line.what})"
            )


def turned(state: ExchangeState) -> Iterator[str]:
    """Find executions of reducing orders that made a position larger or took it through zero."""
    opens = {order.order: order.opens for order in state.orders}
    held = dict(state.book.carried)
    for execution in state.executions:
        before = held.get(execution.instrument, ZERO)
        after = held[execution.instrument] = before + execution.side.sign * execution.quantity
        if execution.order not in opens:
            yield f"{execution.execution} executes {execution.order}, which is unknown"
        elif not opens[execution.order] and (after * before < 0 or abs(after) > abs(before)):
            yield f"{execution.execution} of {execution.order} took {execution.instrument} from {before} to {after}"


def unbalanced(state: ExchangeState) -> Iterator[str]:
    """Find where cash, positions and filled quantities are not the sum of the executions."""
    cash, held = {"": state.book.cash_carried, **state.book.balances_carried}, dict(state.book.carried)
    filled: dict[str, Decimal] = {}
    for execution in state.executions:
        signed = execution.side.sign * execution.quantity
        paid_in = cash.get(execution.currency, ZERO)
        cash[execution.currency] = paid_in - signed * execution.price - execution.fee
        held[execution.instrument] = held.get(execution.instrument, ZERO) + signed
        filled[execution.order] = filled.get(execution.order, ZERO) + execution.quantity
    for currency, amount in cash.items():
        booked = state.book.balances.get(currency, ZERO) if currency else state.book.cash
        if amount != booked:
            yield f"cash is {booked} {currency}".rstrip() + f", the executions make it {amount}"
    shown = {name: position.quantity for name, position in state.book.positions.items()}
    if shown != {name: quantity for name, quantity in held.items() if quantity}:
        yield f"positions are {shown}, the executions make them {held}"
    names = [execution.execution for execution in state.executions]
    if names != sorted(set(names)):
        yield "execution ids repeat or go back"
    for order in state.orders:
        total = filled.get(order.order, ZERO)
        known = order.at_ns > state.book.forgotten_ns
        if (known and total != order.filled) or order.filled > order.quantity:
            yield f"order {order.order} has {order.filled} of {order.quantity} filled, its executions say {total}"
