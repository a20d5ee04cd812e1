"""Capital.com behind the Broker protocol: what leaves at once is asked here, what follows is the desk's.

| guarantee (base) | how it is kept |
|---|---|
| nothing slips past a kill | `permit` is asked in `submit`, and again in the hook before the request's bytes |
| one order for one id | there is no client order id: our ledger has it, and one entry an epic may be unresolved |
| a submit has one of four outcomes | a refusal at the write is OrderRejected "not_sent": proven, though late |
| what cannot be proven is AMBIGUOUS | OrderDoubted; found again by evidence, and then told by the next whole read |
| a link has a number | the link is REST; a stream that is lost is polled for, and told as FeedChanged |
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path

from joed.brokers.base import Clock, Emit, Permit
from joed.brokers.capital import history
from joed.brokers.capital.books import Books
from joed.brokers.capital.exits import Exits, choose, close_intent
from joed.brokers.capital.faults import Fault
from joed.brokers.capital.feed import Feed, Price, epic_of
from joed.brokers.capital.ledger import Intent, Ledger, Stage
from joed.brokers.capital.limiter import Limiter
from joed.brokers.capital.link import Link
from joed.brokers.capital.listings import is_level, misfit, shut
from joed.brokers.capital.rest import Connector, Rest
from joed.brokers.capital.session import Credentials, Session
from joed.brokers.capital.whole import Whole
from joed.errors import BadMessage, BrokerUnavailable
from joed.model.commands import AmendOrder, CancelForeign, CancelOrder, Command, ReadBroker, SubmitOrder
from joed.model.events import AmendRejected, Event, OrderRejected
from joed.model.settings import Instrument, Settings
from joed.model.values import SECOND, Bar, Host, Leg, decimal

NOT_CONNECTED = "not connected"
LINK_LOST = "the link was lost while it waited"
JOBS_MAX = 64
"""Orders that may be on their way inside this process; one more is refused."""

Job = Callable[[], Awaitable[None]]


class CapitalBroker:
    """The adapter; `run` does its waiting, and everything it learns goes to `emit`."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        clock: Clock,
        emit: Emit,
        credentials: Credentials,
        *,
        directory: Path | None = None,
        connector: Connector | None = None,
    ) -> None:
        """Refuse credentials of the other host; `directory` keeps the ledger and the tokens, None in memory."""
        capital = settings.capital
        credentials.fit(capital.host)
        self.name = name
        self._settings = settings
        self._clock = clock
        self._out = emit
        self._stopped = asyncio.Event()
        orders_hour = capital.orders_hour if capital.host is Host.DEMO else 0
        self.limiter = Limiter(clock, capital.requests_s, orders_hour)
        self._rest = Rest(capital, clock, self.limiter, connector)
        tokens = directory / "capital-tokens.json" if directory is not None else None
        self.session = Session(self._rest, capital, clock, credentials, tokens)
        file = directory / "capital.db" if directory is not None else None
        self._ledger = Ledger(file, threaded=not clock.simulated)
        self._books = Books(name, self._ledger, int(capital.absent_s * SECOND))
        self.feed = Feed(name, settings, clock, self.session, self.limiter, self._emit)
        self._desk = Exits(capital, clock, self.session, self._ledger, self._books, self._look)
        self.link = Link(
            name,
            settings,
            clock,
            self._emit,
            rest=self._rest,
            session=self.session,
            books=self._books,
            desk=self._desk,
            feed=self.feed,
        )
        self._group: asyncio.TaskGroup | None = None
        self._on_way = 0

    def _emit(self, event: Event) -> None:
        if not self._stopped.is_set():
            self._out(event)

    @property
    def streams(self) -> tuple[str, ...]:
        """Name the instruments whose quotes come, by stream or by polling."""
        return tuple(sorted(self.feed.wanted))

    def subscribe(self, instruments: tuple[str, ...]) -> None:
        """Bring the quotes of exactly these, over this link and each later one."""
        self.feed.subscribe(instruments)

    def start(self) -> None:
        """Nothing yet: `run` connects."""

    async def run(self) -> None:
        """Hold the link and carry orders out until `stop`."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.link.run()), group.create_task(self._work())]
                await self._stopped.wait()
                for task in tasks:
                    task.cancel()
        finally:
            self.session.keep()
            await self._rest.close()
            await self._ledger.end()

    async def _work(self) -> None:
        """Be there for what is handed over: each order has a task of its own, from its hand-over on."""
        async with asyncio.TaskGroup() as self._group:
            await self._stopped.wait()

    def stop(self) -> None:
        """End: nothing is emitted any more; orders and stops at Capital.com live on."""
        self._stopped.set()
        self.link.up = False

    def submit(self, command: SubmitOrder, permit: Permit) -> str:
        """Hand a new order over and give "", or the reason why not."""
        row = self.feed.instruments.get(command.instrument)
        if not self._listening:
            return NOT_CONNECTED
        if row is None and command.opens:
            return f"{command.instrument} is not traded here"
        if self._ledger.of(command.order) is not None:
            return self._say(command, permit, [OrderRejected(command.order, "duplicate", "this id was sent before")])
        if command.leg is Leg.STOP:
            return self._guard(command, permit)
        return self._enter(command, permit) if command.opens else self._close(command, permit)

    def _enter(self, command: SubmitOrder, permit: Permit) -> str:
        """Hand an entry over, where nothing here forbids it."""
        row = self.feed.instruments[command.instrument]
        epic = epic_of(row)
        if (other := self._ledger.unresolved(epic)) is not None:
            return f"the fate of {other.order} in {command.instrument} is open"
        if reason := self._forbids(row):
            return reason
        listing, price = self.feed.listings[epic], self.feed.prices[row.symbol]
        refusal = misfit(listing, row, command, decimal(price.bid), decimal(price.ask))
        if refusal is not None:
            legs = [name for name in (command.order, command.stop_order, command.target_order) if name]
            return self._say(command, permit, [OrderRejected(name, *refusal) for name in legs])
        intent = entry_intent(command, epic, self._clock.now(), rests=beyond(command, price))
        if reason := self._desk.prepare(intent, row.tick):
            return reason
        if reason := self._permitted(command, permit):
            return reason
        self._ledger.expect(intent)
        return self._put(
            partial(self._desk.enter, command, intent, self._leaving(intent, permit), self.link.image, self._teller()),
            intent.order,
        )

    def _forbids(self, row: Instrument) -> str:
        """Say what forbids any entry in an instrument now, or ""."""
        price, limit_s = self.feed.prices.get(row.symbol), self._settings.risk.quote_age_max_s
        if self.link.halts:
            return next(iter(self.link.halts.values()))
        if reason := shut(self.feed.listings.get(epic_of(row)), row):
            return reason
        if (wrong := self.feed.aside.get(row.symbol)) is not None:
            return f"{row.symbol} is set aside: {wrong}"
        if price is None or self._clock.now() - price.at_ns > int(limit_s * SECOND):
            return f"no price of {row.symbol} is young enough to place an order by"
        return ""

    def _leaving(self, intent: Intent, permit: Permit) -> Permit:
        """Give an entry's permission, which also asks for what may have changed while it waited to leave.

        What trades at once has no limit at Capital.com: its price has to be within the order's still.
        """
        bound, row = self._bound(permit), self.feed.instruments[intent.instrument]

        def asked(command: Command) -> str:
            if reason := bound(command) or self._forbids(row):
                return reason
            passed = not intent.rests and beyond(intent, self.feed.prices[row.symbol])
            return "the price went beyond the order's limit while it waited" if passed else ""

        return asked

    def _guard(self, command: SubmitOrder, permit: Permit) -> str:
        """Hand a stop over for a position that lost its own."""
        entry = self._ledger.of(command.group)
        if entry is None or entry.stage is not Stage.OPEN:
            entry = self._adopted(command)
        if entry is None:
            return f"no position of {command.instrument} at Capital.com has a size of {command.quantity}"
        if reason := self._permitted(command, permit):
            return reason
        return self._put(partial(self._desk.guard, command, entry, self._bound(permit), self._teller()))

    def _adopted(self, command: SubmitOrder) -> Intent | None:
        """Give a row for a position that somebody else made, so that its stop can be ours."""
        epic = self._epic(command.instrument)
        deals = choose(self.link.image, epic, command, self._ledger.owned())
        if len(deals) != 1:
            return None
        name, now = command.lot or f"{command.order}+", self._clock.now()
        side = command.side.opposite
        row = Intent(name, command.instrument, epic, Leg.ENTRY, side, command.quantity, opens=True, armed_ns=now)
        row.stage, row.deals, row.held = Stage.OPEN, tuple(deals), command.quantity
        held = self.link.image.held if self.link.image is not None else ()
        row.target = next((one.target for one in held if one.deal in deals), None)
        return row

    def _close(self, command: SubmitOrder, permit: Permit) -> str:
        """Hand a close over: of its group's position, or of whole rows that sum up to it."""
        entry, epic = self._ledger.of(command.group), self._epic(command.instrument)
        if entry is not None and entry.stage is Stage.OPEN:
            if command.quantity < entry.held:
                return f"Capital.com closes whole positions: this one is {entry.held}, not {command.quantity}"
            deals = dict.fromkeys(entry.deals, entry.held)
        else:
            deals = choose(self.link.image, epic, command, self._ledger.owned())
        if not deals:
            return f"no rows of {command.instrument} at Capital.com sum up to {command.quantity}"
        if reason := self._permitted(command, permit):
            return reason
        intent = close_intent(command, epic, deals, self._clock.now())
        self._ledger.expect(intent)
        return self._put(partial(self._desk.close, command, intent, self._bound(permit), self._teller()), intent.order)

    def amend(self, command: AmendOrder, permit: Permit) -> str:
        """Hand an amendment over and give "", or the reason why not."""
        if not self._listening:
            return NOT_CONNECTED
        if reason := self._permitted(command, permit):
            return reason
        intent = self._ledger.of(command.order)
        row = self.feed.instruments.get(intent.instrument) if intent is not None else None
        if command.level is not None and row is not None and not is_level(command.level, row):
            return self._tell_later([AmendRejected(command.order, f"{command.level} is no price of {row.symbol}")])
        if intent is not None and self._closes(command, intent):
            return self._put(partial(self._desk.take_target, command, intent, self._bound(permit), self._teller()))
        return self._put(partial(self._desk.amend, command, self._bound(permit), self._teller()))

    def _closes(self, command: AmendOrder, intent: Intent) -> bool:
        """Say whether an amended target is to trade at once: then its position is closed by its number."""
        price = self.feed.prices.get(intent.instrument)
        if command.order != intent.target_order or intent.stage is not Stage.OPEN or command.order in intent.ended:
            return False
        if command.closes or price is None or command.level is None:
            return command.closes
        near = decimal(price.bid) if intent.side.sign > 0 else decimal(price.ask)
        return intent.side.sign * (near - command.level) >= 0

    def cancel(self, command: CancelOrder, permit: Permit) -> str:
        """Hand a cancel over and give "", or the reason why not."""
        if not self._listening:
            return NOT_CONNECTED
        if reason := self._permitted(command, permit):
            return reason
        return self._put(partial(self._desk.cancel, command, self._bound(permit), self._teller()))

    def cancel_foreign(self, command: CancelForeign, permit: Permit) -> str:
        """Ask for the end of working orders that are not ours; the next whole read tells."""
        if not self._listening:
            return NOT_CONNECTED
        if reason := self._permitted(command, permit):
            return reason
        return self._put(partial(self._desk.clear, command, self._bound(permit)))

    def read(self, command: ReadBroker) -> None:
        """Ask for the whole book."""
        if self._listening:
            self.link.ask()

    def settle(self, order: str, broker_id: str) -> None:
        """Take an order in doubt for the deal that a person named, "" for none; the next look follows it."""
        row = self._ledger.of(order)
        if row is not None and self._books.settle(row, broker_id, self.link.image):
            self.link.hasten()

    async def daily(self, instrument: str, days: int) -> tuple[Bar, ...]:
        """Give the last daily bars, oldest first."""
        try:
            return await history.daily(self.session, self._clock, instrument, self._epic(instrument), days)
        except (Fault, BadMessage) as error:
            raise BrokerUnavailable(f"no daily bars of {instrument}: {error}") from None

    async def minutes(self, instrument: str, from_ns: int) -> tuple[Bar, ...]:
        """Give the minute bars from a time on, oldest first."""
        epic, skew_ns = self._epic(instrument), self._desk.skew_ns
        try:
            return await history.minutes(self.session, self._clock, instrument, epic, from_ns, skew_ns)
        except (Fault, BadMessage) as error:
            raise BrokerUnavailable(f"no minute bars of {instrument}: {error}") from None

    @property
    def _listening(self) -> bool:
        return self.link.up and not self._stopped.is_set()

    def _epic(self, instrument: str) -> str:
        row = self.feed.instruments.get(instrument)
        return epic_of(row) if row is not None else instrument

    def _permitted(self, command: SubmitOrder | AmendOrder | CancelOrder | CancelForeign, permit: Permit) -> str:
        """Ask for permission, once there is room for the order on its way; "" lets it go."""
        return "too many orders are on their way" if self._on_way >= JOBS_MAX else permit(command)

    def _say(self, command: SubmitOrder, permit: Permit, events: list[OrderRejected]) -> str:
        """Refuse a permitted order by events, as the broker would."""
        return self._permitted(command, permit) or self._tell_later(events)

    def _tell_later(self, events: Iterable[Event]) -> str:
        tell, told = self._teller(), list(events)

        async def job() -> None:
            tell(told)

        return self._put(job)

    def _put(self, job: Job, order: str = "") -> str:
        """Hand over; room was made sure of before permission was asked. The order is in hand from this moment on."""
        assert self._group is not None, "nothing is handed over before the link is up"
        self._on_way += 1
        if order:
            self._desk.hold(order)
        self._group.create_task(self._carry_out(job, order))
        return ""

    async def _carry_out(self, job: Job, order: str) -> None:
        """Do one job."""
        try:
            await job()
        finally:
            self._on_way -= 1
            if order:
                self._desk.release(order)

    def _bound(self, permit: Permit) -> Permit:
        """Give a permission that ends with this link: what it carried never leaves over the next."""
        connection = self.link.connection

        def asked(command: Command) -> str:
            return permit(command) if self._listening and self.link.connection == connection else LINK_LOST

        return asked

    def _teller(self) -> Callable[[Iterable[Event]], None]:
        """Give what tells over this link alone."""
        connection = self.link.connection

        def tell(events: Iterable[Event]) -> None:
            self.link.tell(list(events), connection)

        return tell

    async def _look(self, young_ns: int) -> Whole:
        return await self.link.look(young_ns)


def beyond(order: SubmitOrder | Intent, price: Price) -> bool:
    """Say whether an entry's limit is not met at this price: then it rests, or must not leave."""
    near = price.ask if order.side.sign > 0 else price.bid
    return order.level is not None and order.side.sign * (decimal(near) - order.level) > 0


def entry_intent(command: SubmitOrder, epic: str, now: int, *, rests: bool) -> Intent:
    """Give the row of an entry; `rests` makes it a working order, else it trades at once."""
    return Intent(
        command.order,
        command.instrument,
        epic,
        command.leg,
        command.side,
        command.quantity,
        opens=True,
        armed_ns=now,
        group=command.group,
        rests=rests,
        level=command.level,
        stop_order=command.stop_order,
        stop=command.stop,
        target_order=command.target_order,
        target=command.target,
    )
