"""The link to TWS or Gateway, made again whenever it is lost, and the parts that hear what comes over it.

It supervises: connects, learns the whole book before it says BrokerUp, and begins anew where no sign of life comes. A
TWS that has lost IBKR's servers is no link either, though its socket is well. The parts know nothing of one another:
this one hears a message and says who takes it.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from joed.brokers.base import Clock, Emit
from joed.brokers.ibkr.codes import Means, meaning
from joed.brokers.ibkr.contracts import Contracts
from joed.brokers.ibkr.farms import Farms
from joed.brokers.ibkr.history import History
from joed.brokers.ibkr.lines import Lines
from joed.brokers.ibkr.orders import Orders
from joed.brokers.ibkr.outbox import Outbox
from joed.brokers.ibkr.pacer import Pacer, Urgency
from joed.brokers.ibkr.previews import Previews
from joed.brokers.ibkr.reading import ACCOUNT, COMPLETED, EXECUTIONS, ORDERS, POSITIONS, Book, Reader
from joed.brokers.ibkr.session import Session
from joed.brokers.ibkr.shelf import Shelf
from joed.brokers.ibkr.translate import UNSENT, fill_of, is_paper, number
from joed.errors import BrokerUnavailable
from joed.model.events import BrokerDown, BrokerUp, Event
from joed.model.feeds import BrokerExamined
from joed.model.settings import Settings
from joed.model.values import SECOND, Mode
from joed.model.windows import windows_of, within

DELAYS_S = (1.0, 2.0, 5.0, 5.0, 10.0, 10.0, 10.0, 30.0, 60.0)
"""How long to wait before the next try to connect, the last for ever."""
STEADY_NS = 60 * SECOND
"""A link that lived as long begins the delays anew."""
TRIES_TOLD = 3
"""After so many failures in a row a person is told, once for each reason."""
NOT_CONNECTED = "not connected"


class Link:
    """One link after the other. `session` is the connection that there is, `up` says that its book is known."""

    def __init__(self, name: str, settings: Settings, clock: Clock, emit: Emit, folder: Path | None = None) -> None:
        """Prepare; `run` connects. What TWS says of our instruments is kept in `folder` for the day."""
        self.name = name
        self.up = False
        self.why = NOT_CONNECTED
        self.account = ""
        self.mode = ""
        self.connection = 0
        self.bad_messages = 0
        self.library: Any = None
        self.session: Session | None = None
        self._settings, self._ibkr = settings, settings.ibkr
        self._clock, self._emit = clock, emit
        self._stopped = asyncio.Event()
        self._tries = self._failures = 0
        self._told = ""
        self._lost = self._lines_live = False
        self._resets = windows_of(self._ibkr.reset_windows)
        self._whole: dict[Means, Callable[[int, str], None]] = {
            Means.LOST: self._lose,
            Means.BACK: self._regain,
            Means.BACK_BARE: self._regain_bare,
            Means.TAKEN: self._refuse,
            Means.SETTING: self._refuse,
            Means.STOLEN: self._steal,
            Means.FARM_DOWN: self._farm_down,
            Means.FARM_UP: self._farm_up,
            Means.PACED: self._paced,
        }
        self._make_parts(Shelf(folder))

    def _make_parts(self, shelf: Shelf) -> None:
        """Make what takes the messages; what it learns outlives each connection."""
        name, ibkr, clock = self.name, self._ibkr, self._clock
        self.pacer = Pacer(ibkr.messages_s, clock)
        self.outbox = Outbox(clock, self.say)
        self.orders = Orders(ibkr.client_id, clock, self.outbox)
        self.contracts = Contracts(
            name,
            {symbol: row for symbol, row in self._settings.universe.items() if row.broker == name},
            ibkr.primary,
            clock=clock,
            pacer=self.pacer,
            emit=self.say,
            answer_s=ibkr.answer_s,
            shelf=shelf,
            extended=self._settings.session.extended_hours,
        )
        self.lines = Lines(
            name,
            self.contracts,
            clock=clock,
            pacer=self.pacer,
            emit=self.say,
            lines_max=ibkr.lines_max,
            first_tick_s=ibkr.first_tick_s,
            tick_by_tick=ibkr.tick_by_tick,
        )
        self.contracts.on_listed = self.lines.listed
        self.previews = Previews(name, self._settings, self.contracts, clock=clock, pacer=self.pacer, emit=self.say)
        self.previews.wanted = lambda: self.lines.wanted
        self.farms = Farms(name, clock, self.say, self.lines.expect)
        self.history = History(self.contracts, clock, self.pacer, ibkr.answer_s)
        self.reader = Reader(
            clock,
            self.pacer,
            self.outbox,
            name_of=self.contracts.name_of,
            currency_of=self.contracts.currency_of,
            answer_s=ibkr.answer_s,
            on_book=self._take_book,
            on_failure=self._miss_book,
        )

    def say(self, event: Event) -> None:
        """Emit this, until the end."""
        self._emit(event)

    def stop(self) -> None:
        """End: nothing is emitted any more."""
        self._emit = _nobody
        self.outbox.forget()
        self._stopped.set()
        if self.session is not None:
            self.session.end("joed stops")

    async def run(self, library: Any) -> None:
        """Hold a link until `stop`, making it again behind growing delays."""
        self.library = library
        while not self._stopped.is_set():
            since_ns = self._clock.now()
            await self._hold()
            if self._clock.now() - since_ns >= STEADY_NS:
                self._tries = 0
            delay_s = min(DELAYS_S[min(self._tries, len(DELAYS_S) - 1)], self._ibkr.retry_max_s)
            self._tries += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._stopped.wait()

    async def _hold(self) -> None:
        """Connect, and stay until the link is gone."""
        gone = asyncio.Event()

        def ended(session: Session, reason: str) -> None:
            self.bad_messages += session.bad
            self._go_down(reason)
            gone.set()

        session = Session(self.library, self._ibkr, self._clock, self.pacer, self._listeners(), self.lines.flush, ended)
        self.pacer.clear()
        self._lost = self._lines_live = False
        try:
            self.session = session
            await session.open()
        except BrokerUnavailable as error:
            self._note_failure(str(error))
            self.session = None
            return
        if self._choose_account(session) and not self._lost:
            self._begin(session)
        connection = self.connection
        await gone.wait()
        self.session = None
        if connection == self.connection:
            self._note_failure(session.reason)

    def _choose_account(self, session: Session) -> bool:
        """Take the account that the settings name; end a link to a login that has none of them."""
        named = [name.strip() for name in self._settings.account.split(",")]
        found = [account for account in session.accounts if account in named]
        if len(found) == 1:
            self.account, self.mode = found[0], Mode.PAPER.value if is_paper(found[0]) else Mode.LIVE.value
            return True
        has = ", ".join(session.accounts)
        session.end(f"the login has {has}, the settings name {self._settings.account}")
        return False

    def _begin(self, session: Session) -> None:
        """Learn the whole book over a new link, or over one that has its servers again."""
        self._lost = False
        self.orders.begin()
        session.pass_id(self.orders.highest)
        session.send("reqMarketDataType", 1)
        self.reader.begin(session, self.account)

    def _take_book(self, book: Book) -> None:
        """Pass a whole reading on; the first of a link is for ourselves: after it the link is up."""
        session = self.session
        assert session is not None
        if not book.opening:
            self.outbox.flush()
            self.say(self.reader.read_of(book, self.name, self.connection, self._settings.base_currency))
            return
        for shown in book.orders.values():
            session.pass_id(shown.number)
        for _revision, execution, _name, _currency in book.executions.values():
            if execution.clientId == self._ibkr.client_id:
                session.pass_id(execution.orderId)
        self.orders.settle({shown.number for shown in book.orders.values()})
        self._go_up(session)
        self._clear_untransmitted(session, book)

    def _clear_untransmitted(self, session: Session, book: Book) -> None:
        """Cancel what an earlier link left in TWS without its last leg: nobody will transmit it (reliability B4)."""
        for shown in book.orders.values():
            ours = shown.order.clientId == self._ibkr.client_id and shown.order.orderRef and shown.number > 0
            if ours and shown.words in UNSENT and self.pacer.take(Urgency.CANCEL):
                session.send("cancelOrder", shown.number)

    def _miss_book(self, failure: str) -> None:
        """End a link that cannot tell its book: a gateway that answers half is as bad as none."""
        if self.session is not None and not self._lost:
            self.session.end(f"{failure}: is the API read-only, or the gateway not logged in?")

    def _go_up(self, session: Session) -> None:
        self.connection += 1
        self.up, self.why, self._failures = True, "", 0
        if self._told:
            self._told = ""
            self.say(BrokerExamined(self.name, "link", ok=True, words="connected"))
        self.say(BrokerUp(self.name, self.account, self.mode, self.connection))
        self.lines.begin(session, keep=self._lines_live)
        self._lines_live = False
        self.history.begin(session)
        self.contracts.begin(session, self.library.Contract)
        self.previews.begin(session, self.library.Order, self.account)

    def _go_down(self, reason: str) -> None:
        """Say that the link is gone, once, and forget what it was asked."""
        self.why = f"{NOT_CONNECTED}: {reason}"
        self.reader.abort()
        self.lines.pause()
        self.history.abort()
        self.contracts.abort()
        self.previews.abort()
        self.pacer.clear()
        self.orders.quiet = True
        if self.up:
            self.outbox.flush()
            self.up = False
            self.say(BrokerDown(self.name, self._expected(reason)))

    def _expected(self, reason: str) -> str:
        """Add to a reason that it was to be expected at this time of the day."""
        window = within(self._resets, self._clock.now())
        return f"{reason} (expected within {window})" if window else reason

    def _note_failure(self, reason: str) -> None:
        """Tell a person of a link that does not come, once for each reason; a reset may take its time."""
        expected = within(self._resets, self._clock.now())
        self._failures += 1
        if self._failures >= TRIES_TOLD and not expected and reason != self._told and not self._stopped.is_set():
            self._told = reason
            self.say(BrokerExamined(self.name, "link", ok=False, words=reason))

    def _listeners(self) -> dict[str, Callable[..., None]]:
        """Say who hears each message, by the library's name for it."""
        reader, lines, contracts = self.reader, self.lines, self.contracts
        return {
            "priceSizeTick": lines.price,
            "tickSize": lines.size,
            "tickGeneric": lines.generic,
            "tickByTickBidAsk": lines.exact,
            "marketDataType": lines.data_type,
            "error": self._error,
            "openOrder": self._open_order,
            "openOrderEnd": lambda: reader.ends(ORDERS),
            "orderStatus": self._order_status,
            "completedOrder": reader.completed_order,
            "completedOrdersEnd": lambda: reader.ends(COMPLETED),
            "execDetails": self._executed,
            "execDetailsEnd": lambda request: reader.ends_for(EXECUTIONS, request),
            "commissionReport": self._commission,
            "position": reader.position,
            "positionEnd": lambda: reader.ends(POSITIONS),
            "accountUpdateMulti": reader.figure,
            "accountUpdateMultiEnd": lambda request: reader.ends_for(ACCOUNT, request),
            "contractDetails": contracts.details,
            "contractDetailsEnd": contracts.details_end,
            "marketRule": contracts.market_rule,
            "historicalData": self.history.bar,
            "historicalDataEnd": self.history.bars_end,
        }

    def _open_order(self, order_id: int, contract: Any, order: Any, state: Any) -> None:
        if self.session is not None:
            self.session.pass_id(order_id)
        if order.whatIf:
            self.previews.take(order_id, state)
            return
        self.orders.open_order(order_id, contract, order, state)
        self.reader.open_order(order_id, contract, order, state)

    def _order_status(self, order_id: int, status: str, filled: float, remaining: float, *rest: Any) -> None:
        self.orders.order_status(order_id, status, filled, remaining, *rest)
        self.reader.order_status(order_id, status, filled, remaining, *rest)

    def _executed(self, request: int, contract: Any, execution: Any) -> None:
        """Take an execution: one that was asked for is a reading's, any other has just happened."""
        if self.reader.asks(request):
            self.reader.executed(contract, execution)
        elif execution.orderRef and execution.acctNumber == self.account and self.up:
            self.orders.executed(execution)
            name = self.contracts.name_of(contract)
            currency = self.contracts.currency_of(name, contract.currency)
            self.outbox.put_fill(execution.execId, lambda fee: fill_of(execution, name, currency, self.name, fee))

    def _commission(self, report: Any) -> None:
        fee = number(report.commission)
        if fee is not None:
            self.outbox.put_fee(report.execId, fee)

    def _error(self, about: int, code: int, words: str, _advanced: str = "") -> None:
        """Let whoever asked for it hear an error; the others are about the whole."""
        row = meaning(code)
        if about > 0 and (
            self.orders.error(about, code, row, words)
            or self.lines.refused(about, code, row, words)
            or self.contracts.refused(about, code, words)
            or self.history.refused(about, code, words)
            or self.previews.refused(about, code, words)
        ):
            if row.means is Means.STOLEN:
                self.lines.stolen(f"{code}: {words}")
            return
        self._whole.get(row.means, self._ignore)(code, words)

    def _lose(self, code: int, words: str) -> None:
        """Hear that TWS has lost the servers: the link to it is there, and leads nowhere."""
        if not self._lost:
            self._lost = True
            self._go_down(f"{code}: {words}")

    def _regain(self, code: int, words: str) -> None:
        """Hear that TWS has the servers again, and the data lines: learn the book anew."""
        self._lines_live = True
        self._resume()

    def _regain_bare(self, code: int, words: str) -> None:
        """Hear that TWS has the servers again, and no data line: open all of them anew too."""
        self._lines_live = False
        self._resume()

    def _resume(self) -> None:
        if self._lost and self.session is not None:
            self._begin(self.session)

    def _refuse(self, code: int, words: str) -> None:
        """End a link that the gateway does not want, without waiting for more of it."""
        if self.session is not None:
            self.session.end(f"{code}: {words}")

    def _steal(self, code: int, words: str) -> None:
        self.lines.stolen(f"{code}: {words}")

    def _farm_down(self, code: int, words: str) -> None:
        self.farms.down(words)

    def _farm_up(self, code: int, words: str) -> None:
        self.farms.up(words)

    def _paced(self, code: int, words: str) -> None:
        """Go slower; a person is told where that does not help."""
        if self.pacer.slow():
            self.say(BrokerExamined(self.name, "pace", ok=False, words=f"{code}: {words}: lower ibkr.messages_s"))

    def _ignore(self, code: int, words: str) -> None:
        """Leave it: it is about nothing that waits."""


def _nobody(_event: Event) -> None:
    """Take an event after the end."""
