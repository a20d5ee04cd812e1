"""One matching model: quotes and orders go in, reports come out; the paper broker and every fake stand on it.

No I/O and no clock: each method is one turn at `now` (nanoseconds, UTC) and gives that turn's reports. Orders match
against the best bid and ask alone, never at a better price. What happened stays in `orders`, `executions` and `log`,
from which `laws` proves afterwards that each intent made one order and that no position was ever without its stop.
"""

from collections.abc import Mapping
from decimal import Decimal

from joed.model import book as model
from joed.model.book import Book, BookOrder, Chance, ExchangeState, Line, fault_of, misfit_of, orders_of
from joed.model.commands import AmendOrder, CancelOrder, SubmitOrder
from joed.model.events import (
    AmendRejected,
    BrokerRead,
    CancelRejected,
    Event,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderWorking,
    Quote,
)
from joed.model.settings import Instrument, Paper
from joed.model.values import ZERO, Kind, Side, Status, Tif, ceil_to, decimal, floor_to

INFINITE = float("inf")
Instruments = Mapping[str, Instrument]


class Exchange:
    """A book of orders for one account: market, limit and stop orders, brackets, groups that reduce one another.

    The account is in the `base` currency; what trades in another is paid in that.
    """

    def __init__(
        self, instruments: Instruments, settings: Paper, chance: Chance, name: str = "paper", base: str = "USD"
    ) -> None:
        self.instruments = instruments
        self.base = base
        self.settings = settings
        self.name = name
        self.book = Book(settings.cash, settings.cash, settings.cash)
        self.orders: dict[str, BookOrder] = {}
        self.executions: list[OrderFilled] = []
        self.log: list[Line] = []
        self.quotes: dict[str, Quote] = {}
        self._chance = chance
        self._live: dict[str, dict[str, BookOrder]] = {}
        self._taken: dict[str, dict[Side, Decimal]] = {}
        self._reports: list[Event] = []
        self._changed: dict[str, BookOrder] = {}
        self._marks = (0, 0)
        self._turn = 0

    def submit(self, now: int, command: SubmitOrder) -> list[Event]:
        """Take a new order, with its bracket, or refuse it; what can match matches at once."""
        orders = orders_of(command, now)
        first = orders[0]
        if refusal := self._refusal(command, orders):
            return self._refuse(now, orders, *refusal)
        if first.group and not first.opens:
            first.quantity = min(first.quantity, self._held_by(first.group))
        for order in orders:
            self._enter(now, order)
        self._report(OrderWorking(first.order, first.left, first.level))
        self._match(now, first)
        return self._end()

    def amend(self, now: int, command: AmendOrder) -> list[Event]:
        """Give an order other terms, and match it at once if they allow; or say why not."""
        order = self.orders.get(command.order)
        if words := self._unamendable(order, command):
            return [AmendRejected(command.order, words)]
        assert order is not None
        order.level = command.level if command.level is not None else order.level
        if command.quantity is not None:
            order.quantity = command.quantity
            for one in (order, *self._children(order)):
                one.asked = command.quantity
        self._note(now, "amended", order, order.left, order.level)
        self._report(OrderWorking(order.order, order.left, order.level))
        self._match(now, order)
        return self._end()

    def cancel(self, now: int, command: CancelOrder) -> list[Event]:
        """End an order; its children go with it, or protect what has filled."""
        order = self.orders.get(command.order)
        if order is None or order.status.ended or command.broker_id not in ("", order.broker_id):
            return [CancelRejected(command.order, f"it is {order.status.lower()}" if order else "no such order")]
        self._finish(now, order, Status.CANCELLED, command.reason)
        return self._end()

    def quote(self, now: int, quote: Quote) -> list[Event]:
        """Take new best prices and match what they reach; prices that cannot be are not taken."""
        if not 0.0 < quote.bid <= quote.ask < INFINITE:
            return []
        name = quote.instrument
        self.quotes[name] = quote
        self._taken.pop(name, None)
        live = self._live.get(name)
        if not live:
            return []
        for order in list(live.values()):
            self._match(now, order)
        return self._end()

    def halt(self, now: int, instrument: str, halted: bool) -> list[Event]:  # noqa: FBT001 - the state is the argument
        """Stop matching an instrument, or let it match again from its next quote on."""
        self.book.halted |= {instrument: halted}
        self.log.append(Line(now, "halted" if halted else "resumed", "", instrument, ZERO))
        return self._end()

    def end_of_day(self, now: int) -> list[Event]:
        """Expire the orders of the day, and forget what was over before this day began."""
        self._forget(self.book.day_ended_ns)
        self.book.day_ended_ns = now
        for order in [order for live in self._live.values() for order in live.values() if order.tif is Tif.DAY]:
            if not order.status.ended:
                self._finish(now, order, Status.EXPIRED, "the day is over")
        return self._end()

    def snapshot(self, now: int) -> BrokerRead:
        """Give the whole book as a broker's complete answer; the caller knows its connection and when it was asked."""
        orders = self.orders.values()
        return BrokerRead(
            broker=self.name,
            connection=0,
            from_ns=now,
            to_ns=now,
            complete=True,
            orders=tuple(order.seen() for order in orders if not order.status.ended),
            positions=tuple(self.book.positions.values()),
            executions=tuple(self.executions),
            ended={order.order: order.status for order in orders if order.status.ended},
            cash=self.book.cash,
            balances=dict(self.book.balances),
        )

    def position(self, instrument: str) -> Decimal:
        """Give the signed quantity held of an instrument."""
        held = self.book.positions.get(instrument)
        return held.quantity if held else ZERO

    def protection(self, instrument: str) -> Decimal:
        """Give the quantity of the working stops that would close an instrument's position."""
        closing = Side.BUY if self.position(instrument) < 0 else Side.SELL
        live = self._live.get(instrument, {}).values()
        either = not self.position(instrument)  # with nothing held, a working stop on any side would open
        stops = (o for o in live if o.kind is Kind.STOP and not o.opens and (either or o.side is closing))
        return sum((order.left for order in stops), ZERO)

    def to_state(self) -> ExchangeState:
        """Give everything that must outlive the process."""
        return ExchangeState(self.book, list(self.orders.values()), self.executions, self.log)

    def from_state(self, state: ExchangeState) -> None:
        """Go on where that state ends; chance, handed in fresh from its seed, is brought to where it was."""
        self.book, self.executions, self.log = state.book, list(state.executions), list(state.log)
        self.orders = {order.order: order for order in state.orders}
        self._live = {}
        for order in self.orders.values():
            if not order.status.ended:
                self._live.setdefault(order.instrument, {})[order.order] = order
        for _ in range(self.book.draws):
            self._chance.random()
        self._turn = len(self.log)
        self.stored()

    def changes(self) -> ExchangeState | None:
        """Give what changed since it was last `stored`; None where nothing did."""
        executions, lines = self._marks
        if not self._changed and lines == len(self.log):
            return None
        return ExchangeState(self.book, list(self._changed.values()), self.executions[executions:], self.log[lines:])

    def stored(self) -> None:
        """Note that all changes so far are durable."""
        self._changed = {}
        self._marks = (len(self.executions), len(self.log))

    def _forget(self, before_ns: int) -> None:
        """Let go of what was over by then; a group stays whole while one of its orders lives."""
        book = self.book
        old = [execution for execution in self.executions if execution.at_ns <= before_ns]
        for execution in old:
            book.carry(execution)
        lines = sum(1 for line in self.log if line.at_ns <= before_ns)
        self.executions, self.log = self.executions[len(old) :], self.log[lines:]
        self._marks = (max(0, self._marks[0] - len(old)), max(0, self._marks[1] - lines))
        self._turn -= lines
        living = {order.group for live in self._live.values() for order in live.values()}
        self.orders = {
            name: order
            for name, order in self.orders.items()
            if order.changed_ns > before_ns or not order.status.ended or (order.group and order.group in living)
        }
        book.forgotten_ns = max(book.forgotten_ns, before_ns)

    def _refusal(self, command: SubmitOrder, orders: list[BookOrder]) -> tuple[str, str] | None:
        """Say why an order is not taken: a code and words."""
        instrument = self.instruments.get(command.instrument)
        if taken := [order.order for order in orders if order.order in self.orders]:
            return "duplicate", f"{taken[0]} is known"
        if instrument is None or not instrument.tradable:
            return "instrument", f"{command.instrument} is not traded here"
        if fault := fault_of(orders, instrument):
            return fault
        if command.opens and (refusal := self._refusal_to_open(command)):
            return refusal
        if not command.opens and command.group and self._held_by(command.group) <= 0:
            return "group", f"nothing of {command.group} is left to close"
        return ("refused", "by chance") if self._happens(self.settings.reject_share) else None

    def _refusal_to_open(self, command: SubmitOrder) -> tuple[str, str] | None:
        """Say why an entry is not taken now; what reduces is: it waits for a quote, or for the end of a halt."""
        quote = self.quotes.get(command.instrument)
        if self.book.halted.get(command.instrument):
            return "halted", f"{command.instrument} is halted"
        if quote is None:
            return "no_quote", f"{command.instrument} has no price"
        reference = command.level or decimal(quote.ask if command.side is Side.BUY else quote.bid)
        sign = command.side.sign
        nameless = bool(command.stop_order) != (command.stop is not None)
        wrong_stop = command.stop is not None and sign * (reference - command.stop) <= 0
        wrong_target = command.target is not None and sign * (command.target - reference) <= 0
        if nameless or wrong_stop or wrong_target:
            return "bracket", f"stop {command.stop} and target {command.target} do not lie around {reference}"
        return None

    def _refuse(self, now: int, orders: list[BookOrder], code: str, words: str) -> list[Event]:
        """Report a refusal for each leg; an id that is known keeps its order as it is."""
        first = orders[0]
        if code == "duplicate":
            self.log.append(Line(now, code, first.order, first.instrument, first.asked))
            self._report(OrderRejected(first.order, code, words))
            return self._end()
        for order in orders:
            order.status = Status.REJECTED
            self.orders[order.order] = order
            self._note(now, "rejected", order, order.asked, order.level)
            self._report(OrderRejected(order.order, code, words))
        return self._end()

    def _enter(self, now: int, order: BookOrder) -> None:
        """Put an order into the book under the next number."""
        self.book.numbers += 1
        order.broker_id = str(self.book.numbers)
        self.orders[order.order] = order
        self._live.setdefault(order.instrument, {})[order.order] = order
        self._note(now, "accepted", order, order.asked, order.level)
        self._report(OrderAccepted(order.order, order.broker_id))

    def _match(self, now: int, order: BookOrder) -> None:
        """Execute an order against the last quote as far as its terms and the quoted size allow."""
        quote = self.quotes.get(order.instrument)
        working = order.status in (Status.WORKING, Status.PARTIAL) and order.left > 0
        if quote is None or not working or self.book.halted.get(order.instrument) or not order.reached_by(quote):
            return
        order.triggered = order.triggered or order.kind is Kind.STOP
        self._changed[order.order] = order
        instrument = self.instruments[order.instrument]
        if quantity := self._portion(order, quote, instrument.lot):
            self._fill(now, order, quantity, order.price_at(quote, instrument.tick, self.settings.slippage))

    def _portion(self, order: BookOrder, quote: Quote, lot: Decimal) -> Decimal:
        """Give how much fills against this quote: all that is left, or a slice by chance; never more than its size."""
        if order.slices == 0:
            split = order.left > lot and self._happens(self.settings.partial_share)
            order.slices = 2 + self._happens(0.5) if split else 1
        portion = min(order.left, ceil_to(order.left / order.slices, lot))
        size = quote.ask_size if order.side is Side.BUY else quote.bid_size
        if size is not None and 0 <= size < INFINITE:
            taken = self._taken.setdefault(order.instrument, {})
            before = taken.get(order.side, ZERO)
            portion = max(ZERO, min(portion, floor_to(decimal(size), lot) - before))
            taken[order.side] = before + portion
        order.slices -= portion > 0
        return portion

    def _fill(self, now: int, order: BookOrder, quantity: Decimal, price: Decimal) -> None:
        """Book one execution, then let its bracket and group follow within the same turn."""
        order.filled += quantity
        fee = max(self.settings.fee_min, self.settings.fee_share * order.filled) - order.fee
        order.fee += fee
        self.book.executions += 1
        currency = self.instruments[order.instrument].currency
        execution = OrderFilled(
            order.order,
            f"{self.name}-{self.book.executions:09d}",
            order.instrument,
            order.side,
            quantity,
            price,
            fee,
            at_ns=now,
            broker=self.name,
            currency="" if currency == self.base else currency,
        )
        self.executions.append(execution)
        self._report(execution)
        self.book.take(execution)
        self._note(now, "filled", order, quantity, price)
        order.status = Status.PARTIAL if order.left else Status.FILLED
        if not order.left:
            self._live[order.instrument].pop(order.order)
        if order.opens:
            self._grow(now, order, quantity)
        elif order.group:
            self._shrink(now, order, quantity)

    def _grow(self, now: int, entry: BookOrder, quantity: Decimal) -> None:
        """Let an entry's children work for what has just filled of it."""
        for child in self._children(entry):
            child.quantity += quantity
            child.status = Status.WORKING
            self._note(now, "working", child, child.left, child.level)
            self._report(OrderWorking(child.order, child.left, child.level))

    def _shrink(self, now: int, closer: BookOrder, quantity: Decimal) -> None:
        """Reduce the others of a group by what one of them has closed (OCA type 2); its entry may open no more."""
        for other in self._members(closer):
            if other.opens:
                self._finish(now, other, Status.CANCELLED, "its position is being closed")
                continue
            if other.status.ended:
                continue
            other.quantity -= min(quantity, other.left)
            if other.left:
                self._note(now, "reduced", other, other.left, other.level)
                self._report(OrderWorking(other.order, other.left, other.level))
            else:
                self._finish(now, other, Status.CANCELLED, f"{closer.order} closed it")

    def _finish(self, now: int, order: BookOrder, status: Status, words: str) -> None:
        """End an order, and its children unless they protect what has filled."""
        order.status = status
        self._live[order.instrument].pop(order.order)
        self._note(now, status.lower(), order, order.left, order.level)
        expired = status is Status.EXPIRED
        self._report(OrderExpired(order.order) if expired else OrderCancelled(order.order, words))
        for child in self._children(order):
            if not child.left:
                self._finish(now, child, Status.CANCELLED, "its entry ended")

    def _children(self, order: BookOrder) -> list[BookOrder]:
        """Give the live children of an entry."""
        return [other for other in self._members(order) if other.parent == order.order]

    def _members(self, order: BookOrder) -> list[BookOrder]:
        """Give the other live orders of an order's group, in the order in which they came."""
        live = self._live[order.instrument].values()
        return [other for other in live if other.group == order.group and other is not order]

    def _held_by(self, group: str) -> Decimal:
        """Give what a group's entry has opened and its other orders have not closed."""
        members = [order for order in self.orders.values() if order.group == group]
        return sum((order.filled if order.opens else -order.filled for order in members), ZERO)

    def _unamendable(self, order: BookOrder | None, command: AmendOrder) -> str:
        """Say why an order keeps its terms, or ""."""
        if order is None or order.status.ended:
            return f"it is {order.status.lower()}" if order else "no such order"
        follows = order.parent in self._live[order.instrument]
        if follows and (order.status is Status.ACKED or command.quantity is not None):
            return "it waits for its entry"
        return misfit_of(order, command, self.instruments[order.instrument])

    def _happens(self, share: float) -> bool:
        """Draw from chance, counted, so that a restart goes on where it was."""
        if share <= 0:
            return False
        self.book.draws += 1
        return self._chance.random() < share

    def _note(self, now: int, what: str, order: BookOrder, quantity: Decimal, price: Decimal | None) -> None:
        self.log.append(Line(now, what, order.order, order.instrument, quantity, price))
        self._changed[order.order], order.changed_ns = order, now

    def _report(self, event: Event) -> None:
        self._reports.append(event)

    def _end(self) -> list[Event]:
        """Close the turn: note how each position that it touched stands, and give its reports."""
        for line in self.log[self._turn :]:
            line.position = self.position(line.instrument)
            line.protection = self.protection(line.instrument)
        self._turn = len(self.log)
        reports, self._reports = self._reports, []
        return reports


def laws(exchange: Exchange) -> list[str]:
    """List every breach in an exchange's memory, in words (`joed.model.book.laws`); an empty list is the proof."""
    return model.laws(exchange.to_state())
