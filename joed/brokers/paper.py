"""The paper broker: the embedded exchange behind a wire's latency, its account durable before it is acknowledged.

Orders reach the exchange after the latency, answers come back after it again. What a turn of the exchange changed is
committed before any word of it leaves; where the commit fails the link ends and the exchange stands still until the
commit succeeds, so that what was never said has never happened.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from joed.brokers.base import Clock, Emit, Permit
from joed.errors import BrokerUnavailable
from joed.exchange import Exchange
from joed.model.book import ExchangeState
from joed.model.commands import AmendOrder, CancelForeign, CancelOrder, ReadBroker, SubmitOrder
from joed.model.events import BrokerDown, BrokerUp, Event, OrderDoubted, OrderFilled, Quote, RateSeen
from joed.model.settings import Paper
from joed.model.values import MINUTE, SECOND, decimal

Order = SubmitOrder | AmendOrder | CancelOrder | CancelForeign

NOT_CONNECTED = "not connected"
RETRY_NS = SECOND
"""How long a failed commit waits for its next try; the exchange does nothing else meanwhile."""
RATES_NS = MINUTE
"""How often a currency's rate is told."""
PAIR_LETTERS = 6
PLACES = Decimal("1E-10")


class Store(Protocol):
    """Where the account is kept: `paper_store.PaperStore`, or a disk that a seeded world breaks."""

    def load(self) -> ExchangeState | None:
        """Give what was committed last, None where nothing was."""
        ...

    def commit(self, changes: ExchangeState) -> None:
        """Make one turn durable, or raise BrokerUnavailable with nothing of it kept."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class PaperBroker:
    """An adapter for the exchange in this process; `store` None keeps the account in memory."""

    def __init__(  # noqa: PLR0913 - the composition root hands in each part by name
        self,
        name: str,
        exchange: Exchange,
        clock: Clock,
        emit: Emit,
        settings: Paper,
        store: Store | None = None,
        *,
        account: str = "PAPER-1",
        mode: str = "paper",
        closes: tuple[int, ...] = (),
    ) -> None:
        """Resume the account that the store holds; `closes` are when trading days end, in nanoseconds."""
        self.name = name
        self.account = account
        self.mode = mode
        self.exchange = exchange
        self.up = False
        self.connection = 0
        self._wanted = False
        self._stopped = False
        self._clock = clock
        self._emit = emit
        self._latency_ns = int(settings.latency_s * SECOND)
        self._store = store
        self._closes = closes
        self._streams: dict[str, None] | None = None
        self._stuck: list[Callable[[], list[Event]]] | None = None
        self._lost = {"command": 0, "report": 0, "repeat": 0, "answer": 0}
        self._rates = settings.rates
        self._told: dict[str, int] = {}
        self._pairs = frozenset(name for name, row in exchange.instruments.items() if row.kind == "currency")
        if store is not None and (state := store.load()) is not None:
            exchange.from_state(state)

    @property
    def streams(self) -> tuple[str, ...]:
        """Name the instruments whose quotes are streamed: all of the exchange's before `subscribe`."""
        return tuple(sorted(self.exchange.instruments if self._streams is None else self._streams))

    def subscribe(self, instruments: tuple[str, ...]) -> None:
        """Stream the quotes of exactly these."""
        self._streams = dict.fromkeys(instruments)

    def start(self) -> None:
        """Open the exchange and connect to it."""
        self.open()
        self.connect()

    def open(self) -> None:
        """Let the exchange keep its days, with or without a link to it; a day that ended meanwhile ends now."""
        now, ended_ns = self._clock.now(), self.exchange.book.day_ended_ns
        if any(ended_ns < close_ns <= now for close_ns in self._closes):
            self.end_of_day()
        for close_ns in self._closes:
            if close_ns > now:
                self._clock.call_at(close_ns, self.end_of_day)

    async def run(self) -> None:
        """Wait for nothing: the clock calls."""

    def stop(self) -> None:
        """End the link without a word and let the file go; what is still under way to the exchange is lost."""
        self.up = False
        self._stopped = True
        self._emit = _nobody
        if self._store is not None:
            self._store.close()
            self._store = None

    def connect(self) -> None:
        """Make a link to the exchange, numbered anew."""
        self._wanted = True
        if self.up or self._stuck is not None:
            return
        self.up = True
        self.connection += 1
        self._emit(BrokerUp(self.name, self.account, self.mode, self.connection))
        if self._rates:
            self._tell_rates(self.connection)

    def _tell_rates(self, connection: int) -> None:
        """Tell the settings' rates, now and each minute while this link is up."""
        if not self.up or self.connection != connection:
            return
        now = self._clock.now()
        for currency, rate in self._rates.items():
            self._emit(RateSeen(currency, rate, now, f"{self.name}: paper.rates"))
        self._clock.call_at(now + RATES_NS, partial(self._tell_rates, connection))

    def _tell_rate(self, now: int, quote: Quote) -> None:
        """Tell the rate that a currency pair's quote gives, at most one a minute; the settings' own goes before it."""
        currency, inverse = pair_of(quote.instrument, self.exchange.base)
        known = now - self._told.get(currency, -RATES_NS) < RATES_NS
        if not currency or currency in self._rates or known or not 0.0 < quote.bid <= quote.ask < float("inf"):
            return
        self._told[currency] = now
        middle = (decimal(quote.bid) + decimal(quote.ask)) / 2
        rate = (1 / middle if inverse else middle).quantize(PLACES)
        self._emit(RateSeen(currency, rate, now, f"{self.name}: {quote.instrument}"))

    def disconnect(self, reason: str = "the link was cut") -> None:
        """Cut the link: what is under way to us is lost, the exchange goes on."""
        self._wanted = False
        self._cut(reason)

    def submit(self, command: SubmitOrder, permit: Permit) -> str:
        """Hand a new order over and give "", or the reason why not."""
        return self._hand_over(command, permit, lambda now: self._place(now, command))

    def amend(self, command: AmendOrder, permit: Permit) -> str:
        """Hand an amendment over and give "", or the reason why not."""
        return self._hand_over(command, permit, lambda now: self.exchange.amend(now, command))

    def cancel(self, command: CancelOrder, permit: Permit) -> str:
        """Hand a cancel over and give "", or the reason why not."""
        return self._hand_over(command, permit, lambda now: self.exchange.cancel(now, command))

    def cancel_foreign(self, command: CancelForeign, permit: Permit) -> str:
        """Hand the cancels of orders that are not ours over and give "", or the reason why not."""
        return self._hand_over(command, permit, lambda now: self._end_numbered(now, command.numbers))

    def read(self, command: ReadBroker) -> None:
        """Ask for the whole book, as it will be when the question arrives."""
        if not self.up:
            return
        asked, connection = self._clock.now(), self.connection

        def arrive() -> None:
            if self._stuck is None:
                seen = self.exchange.snapshot(self._clock.now())
                self._answer(connection, replace(seen, broker=self.name, connection=connection, from_ns=asked))

        self._clock.call_at(asked + self._latency_ns, arrive)

    def quote(self, quote: Quote) -> None:
        """Take a quote of the feed: on to the daemon at once, and to the exchange."""
        now = self._clock.now()
        if self.up and (self._streams is None or quote.instrument in self._streams):
            self._emit(replace(quote, received_ns=now, broker=self.name))
            if quote.instrument in self._pairs:
                self._tell_rate(now, quote)
        if self._stuck is None and not self._stopped:
            self._settle(self.exchange.quote(now, quote))

    def halt(self, instrument: str, *, halted: bool) -> None:
        """Halt trading of an instrument, or resume it."""
        self._turn(lambda: self.exchange.halt(self._clock.now(), instrument, halted))

    def end_of_day(self) -> None:
        """End the trading day at the exchange."""
        self._turn(lambda: self.exchange.end_of_day(self._clock.now()))

    def drop_next(self, count: int = 1) -> None:
        """Lose the next messages to us."""
        self._lost["report"] += count

    def drop_command(self, count: int = 1) -> None:
        """Lose the next commands on their way, after they were handed over."""
        self._lost["command"] += count

    def doubt_next(self, count: int = 1) -> None:
        """Lose the answers to the next new orders, which reach the exchange, and say so: a request that timed out."""
        self._lost["answer"] += count

    def duplicate(self, count: int = 1) -> None:
        """Deliver the next fills twice."""
        self._lost["repeat"] += count

    def _cut(self, reason: str) -> None:
        if self.up:
            self.up = False
            self._emit(BrokerDown(self.name, reason))

    def _hand_over(self, command: Order, permit: Permit, act: Callable[[int], list[Event]]) -> str:
        """Ask for permission and, in the same block, put the command on its way."""
        if not self.up:
            return NOT_CONNECTED
        if reason := permit(command):
            return reason
        if not self._spend("command"):
            self._clock.call_at(self._clock.now() + self._latency_ns, lambda: self._turn(partial(self._act, act)))
        return ""

    def _place(self, now: int, command: SubmitOrder) -> list[Event]:
        reports = self.exchange.submit(now, command)
        return [OrderDoubted(command.order, "no answer in time")] if self._spend("answer") else reports

    def _end_numbered(self, now: int, numbers: tuple[str, ...]) -> list[Event]:
        """Cancel what lives under these numbers of the exchange's own."""
        orders = [order for order in self.exchange.orders.values() if order.broker_id in numbers]
        living = [order.order for order in orders if not order.status.ended]
        return [report for name in living for report in self.exchange.cancel(now, CancelOrder(name, "by its number"))]

    def _act(self, act: Callable[[int], list[Event]]) -> list[Event]:
        return act(self._clock.now())

    def _turn(self, act: Callable[[], list[Event]]) -> None:
        """Let the exchange do one thing; while it stands still, the thing waits."""
        if self._stuck is not None:
            self._stuck.append(act)
        elif not self._stopped:
            self._settle(act())

    def _settle(self, reports: list[Event]) -> None:
        """Commit a turn, and only then put its reports on their way."""
        if self._committed():
            for report in reports:
                self._answer(self.connection, report)

    def _committed(self) -> bool:
        """Make what changed durable; where that fails, cut the link, stand still and try again."""
        changes = self.exchange.changes()
        if changes is None:
            return True
        try:
            if self._store is not None:
                self._store.commit(changes)
        except BrokerUnavailable as error:
            self._cut(str(error))
            self._stuck = self._stuck or []
            self._clock.call_at(self._clock.now() + RETRY_NS, self._retry)
            return False
        self.exchange.stored()
        return True

    def _retry(self) -> None:
        """Try the commit again; the reports of that turn are lost with the link, the next read has them."""
        if not self._committed():
            return
        waiting, self._stuck = self._stuck or [], None
        for act in waiting:
            self._turn(act)
        if self._wanted:
            self.connect()

    def _answer(self, connection: int, event: Event) -> None:
        """Send a message to us; it arrives after the latency, unless its link is gone by then."""
        if self._spend("report"):
            return
        repeats = 2 if isinstance(event, OrderFilled) and self._spend("repeat") else 1

        def arrive() -> None:
            if self.up and self.connection == connection:
                self._emit(event)

        for _ in range(repeats):
            self._clock.call_at(self._clock.now() + self._latency_ns, arrive)

    def _spend(self, fault: str) -> bool:
        """Say whether a fault that was asked for happens now."""
        if not self._lost[fault]:
            return False
        self._lost[fault] -= 1
        return True


def pair_of(instrument: str, base: str) -> tuple[str, bool]:
    """Give the currency whose rate a pair's price is, and whether it is the other way round; "" where it is none.

    EURUSD or EUR/USD is the rate of EUR against a base of USD; USDJPY the inverse of that of JPY.
    """
    letters = "".join(letter for letter in instrument.upper() if letter.isalpha())
    first, second = letters[:3], letters[3:]
    if len(letters) != PAIR_LETTERS or base not in {first, second} or first == second:
        return "", False
    return (first, False) if second == base else (second, True)


def _nobody(_event: Event) -> None:
    """Take an event after the end."""
