"""The exchange on a bad day: what brokers do to orders that no order asked for, and what a person does beside joed.

Each oddity is armed and happens at the next chance, or is done at once. `own` is what joed's orders hold, `foreign`
what somebody else's hand holds; `shaken` tells when an oddity last touched an instrument, for a law may not blame joed
for what the exchange did, only for what it did not mend in time.
"""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from msgspec.structs import replace

from joed.brokers.paper import PaperBroker
from joed.exchange import Exchange
from joed.model.book import BookOrder, orders_of
from joed.model.commands import AmendOrder, CancelOrder, SubmitOrder
from joed.model.events import AmendRejected, BrokerRead, CancelRejected, Event, OrderFilled, OrderRejected, PositionSeen
from joed.model.values import ZERO, Kind, Leg, Side, Status, Tif, decimal

BY_HAND = "manual-"
"""How the ids of a person's own orders begin; joed is shown them without one."""
CODES = ("201", "110", "tick_size", "min_size", "2109", "halt", "priips", "")
"""Codes with which brokers refuse: margin, price, size, and some that nobody has heard of."""


class OddExchange(Exchange):
    """An Exchange that does as it is told until an oddity is armed."""

    def __init__(self, *args: object, **more: object) -> None:
        """Be an exchange like any other."""
        super().__init__(*args, **more)  # type: ignore[arg-type]  # the very same parameters
        self.armed: Counter[str] = Counter()
        self.happened: Counter[str] = Counter()
        self.foreign: dict[str, Decimal] = {}
        self.shaken: dict[str, int] = {}
        self.odd: set[str] = set()
        self.cleaning: set[str] = set()
        self.refused: dict[str, int] = {}
        self.idle_ns: dict[str, int] = {}
        self.ghosts: list[str] = []
        self.jumped: dict[str, Decimal] = {}
        self.slow_until_ns = 0
        self._hands = 0

    def _match(self, now: int, order: BookOrder) -> None:
        """Execute an order, unless the exchange only takes them for a while."""
        if now >= self.slow_until_ns:
            super()._match(now, order)

    def own(self, instrument: str) -> Decimal:
        """Give what joed's orders hold."""
        return self.position(instrument) - self.foreign.get(instrument, ZERO)

    def protection(self, instrument: str) -> Decimal:
        """Give the quantity of the working stops that would close what joed's orders hold."""
        closing = Side.BUY if self.own(instrument) < 0 else Side.SELL
        either = not self.own(instrument)
        live = self._live.get(instrument, {}).values()
        stops = (o for o in live if o.kind is Kind.STOP and not o.opens and (either or o.side is closing))
        return sum((order.left for order in stops if order.status is not Status.ACKED), ZERO)

    def unguarded(self, instrument: str) -> bool:
        """Say whether an entry rests whose stop was refused: what it fills will be bare, however late it fills."""
        entries = (order for order in self._live.get(instrument, {}).values() if order.opens)
        return any(all(child.kind is not Kind.STOP for child in self._children(entry)) for entry in entries)

    def wait(self, instrument: str, passed_ns: int) -> None:
        """Count how long a close has worked while nobody traded: what the market does not print fills no order."""
        quote = self.quotes.get(instrument)
        live = self._live.get(instrument, {}).values()
        closes = (order for order in live if order.kind is Kind.MARKET and not order.opens)
        if any(quote is None or quote.received_ns <= order.changed_ns for order in closes):
            self.idle_ns[instrument] = self.idle_ns.get(instrument, 0) + passed_ns

    def settle(self, instrument: str) -> None:
        """Forget what an instrument's closes had to wait for: it is protected again."""
        self.refused.pop(instrument, None)
        self.idle_ns.pop(instrument, None)

    def spend(self, oddity: str, instrument: str, now: int) -> bool:
        """Say whether an armed oddity happens now; it shakes its instrument."""
        if not self.armed[oddity]:
            return False
        self.armed[oddity] -= 1
        self.shake(oddity, instrument, now)
        return True

    def shake(self, oddity: str, instrument: str, now: int) -> None:
        """Note that something odd was done to an instrument."""
        self.happened[oddity] += 1
        self.shaken[instrument] = now
        self.odd.add(instrument)

    def strange(self, order: str) -> bool:
        """Say whether an order is not about what joed holds: a person's, or joed's own close of what a person holds."""
        return order.startswith(BY_HAND) or order in self.cleaning

    def submit(self, now: int, command: SubmitOrder) -> list[Event]:
        """Take a new order; its stop may be refused while it works."""
        if command.foreign:
            self.cleaning.add(command.order)
        if command.stop_order and self.armed["stop_rejected"] and command.order not in self.orders:
            return self._without_stop(now, command)
        return super().submit(now, command)

    def _without_stop(self, now: int, command: SubmitOrder) -> list[Event]:
        """Take the entry and its target, and refuse the stop."""
        bare = replace(command, stop_order="", stop=None)
        reports = super().submit(now, bare)
        stop = next(order for order in orders_of(command, now) if order.order == command.stop_order)
        stop.status, stop.changed_ns = Status.REJECTED, now
        self.orders[stop.order] = stop
        if self.orders[command.order].status is not Status.REJECTED:
            self.spend("stop_rejected", command.instrument, now)
        return [*reports, OrderRejected(stop.order, CODES[0], "the stop is not taken")]

    def _refusal(self, command: SubmitOrder, orders: list[BookOrder]) -> tuple[str, str] | None:
        """Refuse for reasons of the exchange's own."""
        refusal = super()._refusal(command, orders)
        now = orders[0].at_ns
        if refusal is not None:
            return refusal
        if command.leg is Leg.CLOSE and self.spend("close_rejected", command.instrument, now):
            return "closed", "no closing orders now"
        if command.leg is Leg.STOP and self.spend("stop_rejected", command.instrument, now):
            return CODES[0], "the stop is not taken"
        if command.opens and self.spend("odd_reject", command.instrument, now):
            return CODES[self.happened["odd_reject"] % len(CODES)], "in words that nobody has read before"
        return None

    def _refuse(self, now: int, orders: list[BookOrder], code: str, words: str) -> list[Event]:
        """Refuse, and count how often in a row what reduces was refused: whoever is refused waits longer each time."""
        if not orders[0].opens:
            self.refused[orders[0].instrument] = self.refused.get(orders[0].instrument, 0) + 1
        return super()._refuse(now, orders, code, words)

    def amend(self, now: int, command: AmendOrder) -> list[Event]:
        """Give an order other terms, or refuse to."""
        order = self.orders.get(command.order)
        if order is not None and not order.status.ended:
            moved = "close_rejected" if order.leg is Leg.TARGET else "amend_rejected"
            if self.spend(moved, order.instrument, now):
                return [AmendRejected(command.order, "not now")]
        return super().amend(now, command)

    def cancel(self, now: int, command: CancelOrder) -> list[Event]:
        """End an order, or refuse to; an ended one may still fill (`ghosts` are those that will)."""
        order = self.orders.get(command.order)
        if order is None or order.status.ended:
            return super().cancel(now, command)
        if self.spend("cancel_rejected", order.instrument, now):
            return [CancelRejected(command.order, "161: not now")]
        if order.opens and not self.strange(order.order) and self.spend("late_fill", order.instrument, now):
            self.ghosts.append(order.order)
        return super().cancel(now, command)

    def fill_ghosts(self, now: int) -> list[Event]:
        """Fill what was cancelled: its bracket is gone, the position is bare."""
        ghosts, self.ghosts = self.ghosts, []
        for order in (self.orders[name] for name in ghosts):
            quote = self.quotes[order.instrument]
            price = decimal(quote.ask if order.side is Side.BUY else quote.bid)
            self.shaken[order.instrument] = now
            self._execute(now, order, order.quantity - order.filled, price)
            order.status = Status.FILLED
        return self._end()

    def _fill(self, now: int, order: BookOrder, quantity: Decimal, price: Decimal) -> None:
        """Fill an order, and then perhaps more than was asked for."""
        if order.order in self.cleaning:
            held = self.foreign.get(order.instrument, ZERO)
            self.foreign[order.instrument] = held + order.side.sign * quantity
        super()._fill(now, order, quantity, price)
        if not order.group and order.instrument in self.odd:
            self.shaken[order.instrument] = now  # it closes what no group explains, and so shrinks nobody's stop
        full = order.opens and order.status is Status.FILLED and not self.strange(order.order)
        if full and self.spend("overfill", order.instrument, now):
            order.quantity += quantity
            self._execute(now, order, quantity, price)

    def _shrink(self, now: int, closer: BookOrder, quantity: Decimal) -> None:
        """Reduce the others of a group, or fill one of them too: the position flips."""
        others = [other for other in self._members(closer) if not other.opens and other.left and other.level]
        if others and not closer.left and self.spend("both_fill", closer.instrument, now):
            other = others[0]
            price = other.level
            assert price is not None
            self._live[other.instrument].pop(other.order)
            self._execute(now, other, other.left, price)
            other.status = Status.FILLED
        super()._shrink(now, closer, quantity)

    def _execute(self, now: int, order: BookOrder, quantity: Decimal, price: Decimal) -> None:
        """Book an execution and let nothing follow from it."""
        order.filled += quantity
        self.book.executions += 1
        name = f"{self.name}-{self.book.executions:09d}"
        execution = OrderFilled(
            order.order, name, order.instrument, order.side, quantity, price, ZERO, at_ns=now, broker=self.name
        )
        self.executions.append(execution)
        self._report(execution)
        self.book.take(execution)
        self._note(now, "filled", order, quantity, price)

    def correct(self, now: int, luck: float, *, bust: bool) -> list[Event]:
        """Say of an execution that it was at another price, or never was (a bust)."""
        own = [index for index, fill in enumerate(self.executions) if fill.quantity and fill.order in self.orders]
        own = [index for index in own if not self.strange(self.executions[index].order)][-12:]
        if not own or self.book.carried:
            return []
        index = own[int(luck * 0.999 * len(own))]
        before = self.executions[index]
        after = replace(before, revision=before.revision + 1, price=before.price + Decimal("0.01"))
        if bust:
            after = replace(after, quantity=ZERO, price=before.price, fee=ZERO)
        self.shake("bust" if bust else "correction", before.instrument, now)
        self.executions[index] = after
        order = self.orders[before.order]
        order.filled -= before.quantity - after.quantity
        order.quantity -= before.quantity - after.quantity  # nothing of it comes to work again
        self._fold(before, after)
        self._note(now, "corrected", order, order.side.sign * (after.quantity - before.quantity), after.price)
        self._report(after)
        return self._end()

    def _fold(self, before: OrderFilled, after: OrderFilled) -> None:
        """Add all executions up anew, with what was there before them."""
        book, sign = self.book, before.side.sign
        book.cash += sign * (before.quantity * before.price - after.quantity * after.price) + before.fee - after.fee
        book.fees += after.fee - before.fee
        cash, fees = book.cash, book.fees
        book.positions = {}
        for fill in self.executions:
            if fill.quantity:
                book.take(fill)
        book.cash, book.fees = cash, fees
        for instrument, quantity in self.jumped.items():
            self._jump(instrument, quantity)

    def split(self, now: int, instrument: str, quantity: Decimal) -> list[Event]:
        """Let a position be another with no execution: a split, a transfer; the stops stay as they are."""
        self.shake("split", instrument, now)
        self.jumped[instrument] = self.jumped.get(instrument, ZERO) + quantity
        self.foreign[instrument] = self.foreign.get(instrument, ZERO) + quantity
        self._jump(instrument, quantity)
        return []

    def drop(self, now: int, luck: float, status: Status) -> list[Event]:
        """End one of joed's live orders for reasons of the exchange's own: it expires, or is refused after all."""
        live = [o for held in self._live.values() for o in held.values() if not self.strange(o.order)]
        live = [order for order in live if order.status is not Status.WORKING or order.opens] or live
        if not live:
            return []
        order = live[int(luck * 0.999 * len(live))]
        self.shake(status.lower(), order.instrument, now)
        self._finish(now, order, status, "for reasons of the exchange's own")
        reports = self._end()
        if status is Status.REJECTED:
            refused = OrderRejected(order.order, CODES[0], "after all")
            ended = (report for report in reports if getattr(report, "order", "") != order.order)
            reports = [refused, *ended]
        return reports

    def unsplit(self, now: int, instrument: str) -> list[Event]:
        """Let a position be again what its executions say."""
        return self.split(now, instrument, -self.jumped.get(instrument, ZERO))

    def _jump(self, instrument: str, quantity: Decimal) -> None:
        held = self.book.positions.pop(instrument, None)
        after = quantity + (held.quantity if held is not None else ZERO)
        if after:
            self.book.positions[instrument] = PositionSeen(instrument, after, held.average if held else ZERO)

    def by_hand(self, now: int, instrument: str, quantity: Decimal) -> list[Event]:
        """Let a person trade at the market, in the same account; positive buys."""
        quote = self.quotes.get(instrument)
        if quote is None or not quantity:
            return []
        order = self._hand_order(now, instrument, quantity, None)
        order.status = Status.FILLED
        self.orders[order.order] = order
        self.foreign[instrument] = self.foreign.get(instrument, ZERO) + quantity
        self.shake("manual", instrument, now)
        self._execute(now, order, abs(quantity), decimal(quote.ask if quantity > 0 else quote.bid))
        return self._end()

    def rest_by_hand(self, now: int, instrument: str) -> list[Event]:
        """Let a person leave an order far from the market."""
        quote = self.quotes.get(instrument)
        if quote is None:
            return []
        order = self._hand_order(now, instrument, Decimal(7), decimal(round(quote.bid * 0.5, 2)))
        self._enter(now, order)
        self._end()
        return []

    def undo(self, now: int) -> list[Event]:
        """Let the person take back what was done by hand, and set right what was split."""
        for instrument in list(self.jumped):
            self.unsplit(now, instrument)
        reports: list[Event] = []
        for instrument, quantity in list(self.foreign.items()):
            reports += self.by_hand(now, instrument, -quantity)
        for order in [order for order in self.orders.values() if order.order.startswith(BY_HAND)]:
            if not order.status.ended:
                self._finish(now, order, Status.CANCELLED, "by hand")
        self.ghosts = []
        self._end()
        return reports

    def _hand_order(self, now: int, instrument: str, quantity: Decimal, level: Decimal | None) -> BookOrder:
        self._hands += 1
        side = Side.BUY if quantity > 0 else Side.SELL
        kind = Kind.MARKET if level is None else Kind.LIMIT
        return BookOrder(
            order=f"{BY_HAND}{self._hands}",
            broker_id="",
            instrument=instrument,
            side=side,
            kind=kind,
            leg=Leg.ENTRY,
            opens=True,
            tif=Tif.GTC,
            asked=abs(quantity),
            quantity=abs(quantity),
            level=level,
            status=Status.WORKING,
            at_ns=now,
        )

    def _end(self) -> list[Event]:
        """Close the turn, with the positions that joed's orders made."""
        first = self._turn
        reports = super()._end()
        for line in self.log[first:]:
            line.position = self.own(line.instrument)
        return reports

    def snapshot(self, now: int) -> BrokerRead:
        """Give the whole book; what a person did carries no id of ours."""
        seen = super().snapshot(now)
        orders = tuple(replace(o, order="") if o.order.startswith(BY_HAND) else o for o in seen.orders)
        fills = tuple(replace(f, order="") if f.order.startswith(BY_HAND) else f for f in seen.executions)
        ended = {name: status for name, status in seen.ended.items() if not name.startswith(BY_HAND)}
        return replace(seen, orders=orders, executions=fills, ended=ended)


class OddBroker(PaperBroker):
    """The paper broker of an odd exchange."""

    exchange: OddExchange

    def act(self, act: Callable[[int], list[Event]]) -> None:
        """Have the exchange do something now, and tell of it."""
        self._turn(lambda: act(self._clock.now()))

    def arrive(self, command: SubmitOrder) -> None:
        """Take an order that was long on its way."""
        self.exchange.shake("late_entry", command.instrument, self._clock.now())  # it may have been given up
        self.act(lambda now: self.exchange.submit(now, command))
