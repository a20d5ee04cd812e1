"""A broker's whole book, asked one question after the other; it is whole only with every end marker, from one link.

TWS answers most of these questions without saying whose answer it is: two at a time, and one of them never ends. So
they go in a row, each with its own time, and several readings wait for one another.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from joed.brokers.base import Clock
from joed.brokers.ibkr.outbox import Outbox
from joed.brokers.ibkr.pacer import Pacer, Urgency
from joed.brokers.ibkr.translate import OVER, ended_of, execution_of, figure, fill_of, quantity, seen_of
from joed.model.events import BrokerRead, OrderFilled, OrderSeen, PositionSeen
from joed.model.values import SECOND, ZERO, Status

WAITING_MAX = 8
"""How many readings may wait for the one that is under way; one more is answered by the last of these."""
CASH_TAGS = ("CashBalance", "$LEDGER-CashBalance")
"""The balance of one currency, under the name that it had, and the one that new users of TWS 10.47 have."""
TOTAL_TAG, POWER_TAG, DAY_TRADES_TAG = "TotalCashValue", "BuyingPower", "DayTradesRemaining"
BASE = "BASE"


class Asker(Protocol):
    """Sends a request: a session."""

    def send(self, request: str, *values: object) -> None:
        """Write it."""
        ...

    def next_id(self) -> int:
        """Give a number for it."""
        ...


Name = Callable[[Any], str]
"""Gives our name for the library's Contract, its own where it is none of ours."""


@dataclass(slots=True)
class Shown:
    """One open order, from its openOrder and its orderStatus."""

    order: Any
    instrument: str
    number: int
    words: str
    held: str = ""
    filled: Decimal = ZERO
    left: Decimal = ZERO


@dataclass(slots=True)
class Book:
    """What has been heard of one reading so far."""

    from_ns: int
    opening: bool
    at: int = 0
    request: int = 0
    orders: dict[int, Shown] = field(default_factory=dict)
    completed: dict[int, tuple[str, Status]] = field(default_factory=dict)
    executions: dict[str, tuple[int, Any, str, str]] = field(default_factory=dict)
    positions: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    figures: dict[tuple[str, str], str] = field(default_factory=dict)


class Reader:
    """Asks, listens and puts together. `on_book` hears each whole reading, `on_failure` what was not answered."""

    def __init__(  # noqa: PLR0913 - the broker hands in each part by name
        self,
        clock: Clock,
        pacer: Pacer,
        outbox: Outbox,
        *,
        name_of: Name,
        currency_of: Callable[[str, str], str],
        answer_s: float,
        on_book: Callable[[Book], None],
        on_failure: Callable[[str], None],
    ) -> None:
        """Begin with nothing to read."""
        self.account = ""
        self._clock, self._pacer, self._outbox = clock, pacer, outbox
        self._name_of, self._currency_of = name_of, currency_of
        self._answer_ns = int(answer_s * SECOND)
        self._on_book, self._on_failure = on_book, on_failure
        self._asker: Asker | None = None
        self._book: Book | None = None
        self._waiting: deque[bool] = deque()

    def begin(self, asker: Asker, account: str) -> None:
        """Read over this link from here on, first to learn it."""
        self.abort()
        self._asker, self.account = asker, account
        self.ask(opening=True)

    def abort(self) -> None:
        """Forget what is under way: its link is gone, and no part of it may come over another."""
        self._asker, self._book = None, None
        self._waiting.clear()

    def ask(self, *, opening: bool = False) -> None:
        """Read the whole book, after the readings that wait."""
        if self._asker is None or len(self._waiting) >= WAITING_MAX:
            return
        self._waiting.append(opening)
        self._next()

    def _next(self) -> None:
        if self._book is None and self._waiting and self._asker is not None:
            self._book = Book(self._clock.now(), self._waiting.popleft())
            self._step(self._book)

    def _step(self, book: Book) -> None:
        """Ask the next question as soon as we may, and expect its end."""
        at = book.at
        self._clock.call_at(self._clock.now() + self._answer_ns, lambda: self._expect(book, at))
        self._pacer.when(Urgency.READ, lambda: self._question(book, at))

    def _question(self, book: Book, at: int) -> None:
        if book is self._book and book.at == at and self._asker is not None:
            QUESTIONS[at][1](self, self._asker, book)

    def _expect(self, book: Book, at: int) -> None:
        """Give a reading up whose question was not answered to its end."""
        if book is self._book and book.at == at:
            self._book = None
            self._on_failure(f"{QUESTIONS[at][0]} not told within {self._answer_ns / SECOND:g} s")
            self._next()

    def ends(self, at: int) -> None:
        """Hear the end marker of a question; one that nobody waits for is none."""
        book = self._book
        if book is None or book.at != at:
            return
        self._unsubscribe(book)
        book.at += 1
        if book.at < len(QUESTIONS):
            self._step(book)
            return
        self._book = None
        self._on_book(book)
        self._next()

    def _unsubscribe(self, book: Book) -> None:
        """Have no more told than was asked: positions and figures would come with each change from here on."""
        if book.at == POSITIONS:
            self._later("cancelPositions")
        elif book.at == ACCOUNT:
            self._later("cancelAccountUpdatesMulti", book.request)

    def _later(self, request: str, *values: object) -> None:
        """Send this as soon as we may, over this link."""
        asker = self._asker

        def send() -> None:
            if asker is not None and asker is self._asker:
                asker.send(request, *values)

        self._pacer.when(Urgency.READ, send)

    def ends_for(self, at: int, request: int) -> None:
        """Hear the end of a question that has a number."""
        if self._book is not None and self._book.request == request:
            self.ends(at)

    def asks(self, request: int) -> bool:
        """Say whether a request is of the reading that is under way."""
        return self._book is not None and self._book.request == request and request != 0

    def open_order(self, number: int, contract: Any, order: Any, state: Any) -> None:
        """Keep an open order of our account."""
        if self._book is not None and self._book.at == ORDERS and order.account == self.account:
            left = quantity(order.totalQuantity)
            shown = Shown(order, self._name_of(contract), number, state.status, left=left)
            self._book.orders[order.permId] = shown

    def order_status(self, number: int, status: str, filled: float, remaining: float, *rest: Any) -> None:
        """Keep where it stands."""
        _average, perm, _parent, _last, _client, held, *_ = rest
        shown = self._book.orders.get(perm) if self._book is not None and self._book.at == ORDERS else None
        if shown is not None:
            shown.words, shown.held = status, held
            shown.filled, shown.left = quantity(filled), quantity(remaining)

    def completed_order(self, contract: Any, order: Any, state: Any) -> None:
        """Keep how an order of our account ended."""
        if self._book is not None and self._book.at == COMPLETED and order.account == self.account:
            self._book.completed[order.permId] = (order.orderRef, ended_of(state))

    def executed(self, contract: Any, execution: Any) -> None:
        """Keep an execution; a correction takes the place of what it corrects."""
        if self._book is None or execution.acctNumber != self.account:
            return
        root, revision = execution_of(execution.execId)
        known = self._book.executions.get(root)
        if known is None or known[0] < revision:
            self._book.executions[root] = (revision, execution, self._name_of(contract), contract.currency)

    def position(self, account: str, contract: Any, size: float, average: float) -> None:
        """Keep what is held of something."""
        if self._book is not None and self._book.at == POSITIONS and account == self.account:
            self._book.positions[self._name_of(contract)] = (quantity(size), quantity(average))

    def figure(self, request: int, account: str, model: str, tag: str, value: str, currency: str) -> None:
        """Keep a figure of the account."""
        if self.asks(request) and account == self.account and self._book is not None:
            self._book.figures[tag, currency] = value

    def read_of(self, book: Book, broker: str, connection: int, base: str) -> BrokerRead:
        """Put a whole reading into our words."""
        rows = [shown for perm, shown in book.orders.items() if perm not in book.completed and shown.words not in OVER]
        ended = {order: status for order, status in book.completed.values() if order}
        for shown in rows:
            ended.pop(shown.order.orderRef, None)
        cash, balances = balances_of(book.figures, base)
        day_trades, power = _figure(book, DAY_TRADES_TAG, base), _figure(book, POWER_TAG, base)
        return BrokerRead(
            broker=broker,
            connection=connection,
            from_ns=book.from_ns,
            to_ns=self._clock.now(),
            complete=True,
            orders=tuple(sorted(map(_seen, rows), key=lambda seen: (seen.order, len(seen.broker_id), seen.broker_id))),
            positions=tuple(PositionSeen(name, *held) for name, held in book.positions.items() if held[0]),
            executions=self._fills(book, broker),
            ended=ended,
            cash=cash,
            balances=balances,
            buying_power=power,
            day_trades_left=int(day_trades) if day_trades is not None and day_trades >= 0 else None,
        )

    def _fills(self, book: Book, broker: str) -> tuple[OrderFilled, ...]:
        """Give the executions of orders that have a reference, oldest first."""
        fills = [
            fill_of(one, name, self._currency_of(name, currency), broker, self._outbox.fees.get(one.execId))
            for _revision, one, name, currency in book.executions.values()
            if one.orderRef
        ]
        return tuple(sorted(fills, key=lambda fill: fill.at_ns))

    def ask_orders(self, asker: Asker, book: Book) -> None:
        """Ask for the open orders of all clients, and those that were made by hand; none is bound by that."""
        asker.send("reqAllOpenOrders")

    def ask_completed(self, asker: Asker, book: Book) -> None:
        """Ask for the day's orders that are over."""
        asker.send("reqCompletedOrders", 0)

    def ask_executions(self, asker: Asker, book: Book) -> None:
        """Ask for the day's executions of our account, whoever's they are."""
        book.request = asker.next_id()
        asker.send("reqExecutions", book.request, Filter(acctCode=self.account))

    def ask_positions(self, asker: Asker, book: Book) -> None:
        """Ask for the positions."""
        asker.send("reqPositions")

    def ask_account(self, asker: Asker, book: Book) -> None:
        """Ask for our account's figures, now and not as of three minutes ago."""
        book.request = asker.next_id()
        asker.send("reqAccountUpdatesMulti", book.request, self.account, "", 0)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which executions are wanted, by the names that the library asks for."""

    clientId: int = 0  # noqa: N815 - the library's name
    acctCode: str = ""  # noqa: N815 - the library's name
    time: str = ""
    symbol: str = ""
    secType: str = ""  # noqa: N815 - the library's name
    exchange: str = ""
    side: str = ""


ORDERS, COMPLETED, EXECUTIONS, POSITIONS, ACCOUNT = range(5)
QUESTIONS: tuple[tuple[str, Callable[[Reader, Asker, Book], None]], ...] = (
    ("open orders", Reader.ask_orders),
    ("completed orders", Reader.ask_completed),
    ("executions", Reader.ask_executions),
    ("positions", Reader.ask_positions),
    ("the account", Reader.ask_account),
)
"""The questions in their order: what may end comes before what it left, so nothing falls between two of them."""


def _seen(shown: Shown) -> OrderSeen:
    return seen_of(shown.order, shown.instrument, shown.words, shown.held, shown.filled, shown.left)


def _figure(book: Book, tag: str, base: str) -> Decimal | None:
    """Give a figure in base currency, or one that has no currency."""
    return figure(book.figures.get((tag, base)) or book.figures.get((tag, ""), ""))


def balances_of(figures: dict[tuple[str, str], str], base: str) -> tuple[Decimal | None, dict[str, Decimal]]:
    """Give the cash in base currency and what is held of each other; None where the account does not say."""
    found = {
        currency: value
        for (tag, currency), text in figures.items()
        if tag in CASH_TAGS and currency not in (BASE, "") and (value := figure(text)) is not None
    }
    cash = found.pop(base, None)
    if cash is None and not found:
        cash = figure(figures.get((TOTAL_TAG, base), ""))
    return cash, {currency: value for currency, value in found.items() if value}
