"""The link to one account: connected, looked at, lost, and made again; each connection has a number of its own.

REST is the link: orders and books go over it. What happened while it was away is folded in silently before it counts
as up, so that it comes by the next whole read alone. A failed look is no empty account.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from msgspec.structs import replace

from joed.brokers.base import Clock, Emit
from joed.brokers.capital.books import Books
from joed.brokers.capital.exits import Exits
from joed.brokers.capital.faults import BadCredentials, Doubted, Fault, NotSent
from joed.brokers.capital.feed import Feed
from joed.brokers.capital.ledger import Intent, Stage
from joed.brokers.capital.limiter import Lane
from joed.brokers.capital.pause import pause, pause_or
from joed.brokers.capital.reading import read_of
from joed.brokers.capital.rest import Rest
from joed.brokers.capital.session import Session
from joed.brokers.capital.shapes import (
    AccountRow,
    Accounts,
    Activities,
    Confirm,
    Positions,
    Preferences,
    ServerTime,
    Transactions,
    WorkingOrders,
)
from joed.brokers.capital.whole import Whole, act_of, held_of, resting_of, trade_of
from joed.brokers.capital.wire import decode, written_utc
from joed.errors import BadMessage, BrokerUnavailable
from joed.model.events import BrokerDown, BrokerUp, Event
from joed.model.feeds import BrokerExamined
from joed.model.settings import Settings
from joed.model.values import DAY, MINUTE, SECOND, Host

DELAYS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""How long to wait before the next try, the last for ever."""
CUT_LOOKS = 3
"""Looks in a row that found no connection at all: the link is lost without waiting for `dead_s`."""
READS_MAX = 32
SKEW_MAX_NS = 30 * SECOND
HISTORY_NS = 10 * MINUTE
"""How far back activity is asked for at least, while something is open."""
HISTORY_PAUSE_NS, HISTORY_LATE_NS, LATE_NS = 2 * SECOND, 5 * SECOND, 30 * SECOND
"""How often history is asked for while something is open: each 2 s, and after half a minute each 5 s."""
WORLDS = {Host.DEMO: "paper", Host.LIVE: "live"}
DEALING = "ENABLED"
REAL_STOCKS = "PHYSICAL"


class Lost(BrokerUnavailable):
    """The link is gone, for this reason."""


class Link:
    """One account's link."""

    def __init__(  # noqa: PLR0913 - what a link is made of
        self,
        name: str,
        settings: Settings,
        clock: Clock,
        emit: Emit,
        *,
        rest: Rest,
        session: Session,
        books: Books,
        desk: Exits,
        feed: Feed,
    ) -> None:
        """Begin without one."""
        self.up = False
        self.connection = 0
        self.account = settings.account
        self.halts: dict[str, str] = {}
        self.image: Whole | None = None
        self._name = name
        self._settings = settings
        self._capital = settings.capital
        self._clock = clock
        self._emit = emit
        self._rest = rest
        self._session = session
        self._books = books
        self._desk = desk
        self._feed = feed
        self._reads = 0
        self._hurry, self._linked = asyncio.Event(), asyncio.Event()
        self._looking = asyncio.Lock()
        self._missed = 0
        self._history_ns = self._asked_ns = self._opened_ns = 0
        self._examined: dict[str, tuple[bool, str]] = {}
        desk.hasten = self._hurry.set

    def ask(self) -> None:
        """Ask for a whole read over this link."""
        if self.up and self._reads < READS_MAX:
            self._reads += 1
            self._hurry.set()

    def hasten(self) -> None:
        """Look at the account at once."""
        self._hurry.set()

    def tell(self, events: list[Event], connection: int) -> None:
        """Emit what was learned over a link, unless another has taken its place."""
        if self.up and self.connection == connection:
            for event in events:
                self._emit(event)

    async def run(self) -> None:
        """Hold a link, and from the first one on a stream, for as long as the credentials are good."""
        async with asyncio.TaskGroup() as group:
            stream = group.create_task(self._stream())
            await self._hold()
            stream.cancel()

    async def _stream(self) -> None:
        """Stream beside the link: where REST is away prices go on coming, while the stream's tokens hold."""
        await self._linked.wait()
        await self._feed.stream.run()

    async def _hold(self) -> None:
        """Hold a link, and make it again behind growing delays; credentials that are refused are tried no more."""
        tries = 0
        while True:
            try:
                await self._rest.open()
                await self._connect()
                tries = 0
                await self._stay()
            except Lost as lost:
                self._cut(str(lost))
            except BadCredentials as fault:
                host = self._capital.host
                words = f"the {host} host refuses these credentials ({fault.code}): are they of the other host?"
                self._examine("login", words, ok=False, halts=True)
                return
            except (Fault, BadMessage) as error:
                if not self.connection or not isinstance(error, NotSent):  # a lost link was told as one
                    self._examine("login", f"no session: {error}", ok=False)
            await pause(self._clock, DELAYS_S[min(tries, len(DELAYS_S) - 1)])
            tries += 1

    def _cut(self, reason: str) -> None:
        """Tell once that the link is gone; what was asked over it is answered by nobody."""
        self._reads = 0
        self.image = None
        if self.up:
            self.up = False
            self._emit(BrokerDown(self._name, reason))

    async def _connect(self) -> None:
        """Log in, see whose account it is and how it trades, and take over what happened meanwhile without a word."""
        await self._session.ensure()
        active = await self._session.active()
        if self._settings.account and active.account_id != self._settings.account and not self.connection:
            await self._session.switch(self._settings.account)
            active = await self._session.active()
        self.account = active.account_id
        await self._check()
        await self._feed.refresh()
        whole = await self._look(history=True)
        await self._resume()
        self._search_anew(lambda row: row.unresolved)
        self._books.fold(whole, self._clock.now(), self._desk.skew_ns, frozenset(self._desk.hands))
        self._examine("login", f"account {self.account} on the {self._capital.host} host", ok=True)
        self.connection += 1
        self.up, self._missed, self._reads = True, 0, 0
        self._linked.set()
        self._feed.stream.subscribe_again()  # a login or a switch of accounts may have silenced it
        self._emit(BrokerUp(self._name, self.account, WORLDS[self._capital.host], self.connection))

    async def _stay(self) -> None:
        """Look at the account until it is lost."""
        parts: tuple[Callable[[], Awaitable[None]], ...] = (
            self._looks,
            self._checks,
            self._feed.keep_prices,
            self._feed.keep_listings,
        )
        try:
            async with asyncio.TaskGroup() as group:
                for part in parts:
                    group.create_task(_run(part))
        except* Lost as lost:
            reason = str(lost.exceptions[0])
        else:
            return
        raise Lost(reason)

    async def _looks(self) -> None:
        """Look at positions and working orders again and again, at once where somebody waits for it."""
        poll_ns = int(self._capital.orders_poll_s * SECOND)
        while True:
            last_ns = self.image.from_ns if self.image is not None else 0
            left_ns = last_ns + poll_ns - self._clock.now()  # from look to look: so an order finds a young one
            await pause_or(self._hurry, self._clock, max(left_ns, poll_ns // 4) / SECOND)
            self._hurry.clear()
            asked, connection = self._reads, self.connection
            try:
                whole = await self._look(history=bool(asked) or self._wants_history(self.image))
                if whole.acts is None and self._wants_history(whole):
                    whole = await self._with_history(whole)
                await self._resume()
            except (Fault, BadMessage) as error:
                self._miss(error)
                continue
            self._missed = 0
            self._search_anew(lambda row: row.unresolved and not self._feed.is_open(row.epic))
            told = self._books.fold(whole, self._clock.now(), self._desk.skew_ns, frozenset(self._desk.hands))
            self.tell(told, connection)
            self._reads -= asked
            self.tell([self._read(whole)] * asked, connection)

    def _wants_history(self, whole: Whole | None) -> bool:
        """Say whether a look leaves open what history would tell, and it was not asked for a moment ago."""
        pause_ns = HISTORY_PAUSE_NS if self._clock.now() - self._opened_ns < LATE_NS else HISTORY_LATE_NS
        if whole is None or not self._books.wants_history(whole):
            self._opened_ns = self._clock.now()
            return False
        return self._clock.now() - self._asked_ns >= pause_ns

    def _read(self, whole: Whole) -> Event:
        hands = frozenset(self._desk.hands)
        return read_of(
            self._name,
            self.connection,
            whole,
            self._books.ledger,
            self._feed.names,
            hands,
            self._settings.base_currency,
        )

    def _miss(self, error: Exception) -> None:
        """Count a look that failed; give the link up where nothing has answered for long, or nobody is there."""
        self._missed = self._missed + 1 if isinstance(error, NotSent) else 0
        silent_ns = self._clock.now() - self._rest.answered_ns
        if self._missed >= CUT_LOOKS:
            raise Lost(str(error))
        if silent_ns > int(self._capital.dead_s * SECOND):
            raise Lost(f"no answer for {silent_ns // SECOND} s: {error}")

    async def look(self, young_ns: int) -> Whole:
        """Give a look at positions and working orders that is no older than this, for an order that waits for it."""
        async with self._looking:  # who is looking already may be quicker
            if (image := self.young(young_ns)) is not None:
                return image
        return await self._look(history=False, lane=Lane.ORDER)

    def young(self, young_ns: int) -> Whole | None:
        """Give the last look, where it is no older than this."""
        image = self.image
        return image if image is not None and self._clock.now() - image.from_ns <= young_ns else None

    async def _look(self, *, history: bool, lane: Lane = Lane.RECONCILE) -> Whole:
        """Take one complete set over one login; orders before positions, so that one that fills between is in both."""
        async with self._looking:
            session, offset_s = self._session, self._session.offset_s
            await self._same_account(lane)
            from_ns = self._clock.now()
            account = await self._account() if history else None
            orders = await session.get(WorkingOrders, "/workingorders", lane)
            positions = await session.get(Positions, "/positions", lane)
            whole = Whole(
                from_ns,
                self._clock.now(),
                tuple(held_of(row, offset_s) for row in positions.positions),
                tuple(resting_of(row, offset_s) for row in orders.working_orders),
                account=account,
            )
            self.image = whole
        return await self._with_history(whole) if history else whole

    async def _with_history(self, seen: Whole) -> Whole:
        """Add what happened; whoever waits for a look need not wait for this."""
        offset_s = self._session.offset_s
        acts, trades = await self._history()
        whole = replace(
            seen,
            to_ns=self._clock.now(),
            acts=tuple(act_of(row, offset_s) for row in acts.activities),
            trades=tuple(trade_of(row, offset_s) for row in trades.transactions),
        )
        self.image = whole if self.image is seen else self.image
        return whole

    async def _same_account(self, lane: Lane) -> None:
        """See that the account is still the one that this link is to: another's book would look like an empty one."""
        active = await self._session.active(lane)
        if active.account_id != self.account:
            raise Lost(f"the active account was switched elsewhere, from {self.account} to {active.account_id}")

    async def _account(self) -> AccountRow:
        """See what the account is worth."""
        rows = (await self._session.get(Accounts, "/accounts", Lane.RECONCILE)).accounts
        found = next((row for row in rows if row.account_id == self.account), None)
        if found is None:
            raise Doubted(f"account {self.account} is not among the accounts")
        return found

    async def _history(self) -> tuple[Activities, Transactions]:
        """Ask for what happened, back to the last time and to before the oldest order that is open to question."""
        server_ns = self._clock.now() + self._desk.skew_ns
        open_rows = [row for row in self._books.ledger.rows() if not row.over and row.stage is not Stage.OPEN]
        began_ns = min((row.sent_ns or row.armed_ns for row in open_rows), default=server_ns)
        last_ns = self._history_ns or server_ns - DAY + MINUTE
        since_ns = max(min(began_ns - 30 * SECOND, last_ns - HISTORY_NS), server_ns - DAY + MINUTE)
        params = {"from": written_utc(since_ns), "to": written_utc(server_ns)}
        detailed = {**params, "detailed": "true"}
        acts = await self._session.get(Activities, "/history/activity", Lane.RECONCILE, detailed)
        trades = await self._session.get(Transactions, "/history/transactions", Lane.RECONCILE, params)
        self._history_ns, self._asked_ns = server_ns, self._clock.now()
        return acts, trades

    async def _resume(self) -> None:
        """Ask once more for the confirmations of orders that have a reference and nothing else (C5 to C8)."""
        for row in self._books.ledger.rows():
            if row.opens and row.stage is Stage.SENT and row.reference and row.order not in self._desk.hands:
                with suppress(Fault, BadMessage):
                    found = await self._session.get(Confirm, f"/confirms/{row.reference}", Lane.CONFIRM)
                    self._desk.settle(row, found, lambda _events: None)

    def _search_anew(self, chosen: Callable[[Intent], bool]) -> None:
        """Let the search for orders in doubt begin again: while nobody answers or a market is shut, absence is none."""
        for row in self._books.ledger.rows():
            if chosen(row):
                row.search_ns = self._clock.now() + self._desk.skew_ns

    async def _checks(self) -> None:
        """Look at the clock and at how the account trades, again and again."""
        while True:
            await pause(self._clock, self._capital.check_s)
            with suppress(Fault, BadMessage):
                await self._check()
                self._session.keep()
                self._books.ledger.forget(self._clock.now())

    async def _check(self) -> None:
        """Compare clocks, and see whether the account may trade as we trade: not hedging, with stops, not suspended."""
        asked_ns = self._clock.now()
        body, _ = await self._rest.call("GET", "/time", lane=Lane.RECONCILE)
        now = self._clock.now()
        self._desk.skew_ns = decode(ServerTime, body).server_time * 1_000_000 - (asked_ns + now) // 2
        skew_s = self._desk.skew_ns / SECOND
        words = f"Capital.com's clock is {skew_s:+.0f} s off ours"
        self._examine("clock", words, ok=abs(self._desk.skew_ns) <= SKEW_MAX_NS)
        preferences = await self._session.get(Preferences, "/accounts/preferences", Lane.RECONCILE)
        wanted = self._capital.hedging
        words = f"hedging mode is {_on(preferences.hedging_mode)}, capital.hedging says {_on(wanted)}"
        self._examine("hedging", words, ok=preferences.hedging_mode is wanted, halts=True)
        rows = (await self._session.get(Accounts, "/accounts", Lane.RECONCILE)).accounts
        row = next((one for one in rows if one.account_id == self.account), None)
        if row is not None:
            stocks = row.account_type == REAL_STOCKS
            words = f"account {row.account_id} is {row.account_type or 'of no type'}, {row.status.lower()}"
            words += ": real stocks cannot hold stops at the broker, so nothing is opened" if stocks else ""
            self._examine("account", words, ok=not stocks and row.status == DEALING, halts=True)

    def _examine(self, name: str, words: str, *, ok: bool, halts: bool = False) -> None:
        """Tell what was found, when it is news; where it halts nothing is opened until it is well."""
        if halts and not ok:
            self.halts[name] = words
        else:
            self.halts.pop(name, None)
        if self._examined.get(name, (None, ""))[0] is not ok:
            self._emit(BrokerExamined(self._name, name, ok, words, halts))
        self._examined[name] = (ok, words)


def _on(value: bool) -> str:  # noqa: FBT001 - a word for it
    return "on" if value else "off"


async def _run(part: Callable[[], Awaitable[None]]) -> None:
    """Run one part, as a coroutine that a group can hold."""
    await part()
