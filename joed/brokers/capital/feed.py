"""Prices and listings of one account's instruments: from the stream where it serves, by polling where it does not."""

import asyncio
from contextlib import suppress
from decimal import Decimal

from joed.brokers.base import Clock, Emit
from joed.brokers.capital.faults import Fault, Gone
from joed.brokers.capital.limiter import Lane, Limiter
from joed.brokers.capital.listings import Listing, amiss, listing_of
from joed.brokers.capital.pause import pause, pause_or
from joed.brokers.capital.poll import Need, Net, batches, query
from joed.brokers.capital.session import Session
from joed.brokers.capital.shapes import Market, Markets
from joed.brokers.capital.stream import EPICS_MAX, Stream
from joed.brokers.capital.wire import is_quote
from joed.brokers.paper import pair_of
from joed.model.events import Quote, RateSeen
from joed.model.feeds import POLL, FeedChanged, InstrumentServed, InstrumentSetAside
from joed.model.settings import Instrument, Settings
from joed.model.values import MINUTE, SECOND, decimal

PLACES = Decimal("1E-10")
APART_S = 5.0
"""Between two readings of all listings, however often a market seems to open and shut."""
RATES_NS = MINUTE
"""How often a currency's rate is told."""


class Price:
    """The last quote of one instrument."""

    __slots__ = ("ask", "at_ns", "bid")

    def __init__(self, bid: float, ask: float, at_ns: int) -> None:
        """Keep it, with our time."""
        self.bid, self.ask, self.at_ns = bid, ask, at_ns


class Feed:
    """What is known of the instruments, and their quotes on their way to the daemon."""

    def __init__(
        self, name: str, settings: Settings, clock: Clock, session: Session, limiter: Limiter, emit: Emit
    ) -> None:
        """Serve the instruments of the universe that name this broker."""
        self.listings: dict[str, Listing] = {}
        self.prices: dict[str, Price] = {}
        self.instruments: dict[str, Instrument] = {
            symbol: row for symbol, row in settings.universe.items() if row.broker == name
        }
        self.names = {epic_of(row): symbol for symbol, row in self.instruments.items()}
        self.wanted: tuple[str, ...] = ()
        self.aside: dict[str, str] = {}
        self.stream = Stream(settings.capital, clock, session, limiter, self._on_tick, self.is_open)
        self._name = name
        self._base = settings.base_currency
        self._settings = settings.capital
        self._clock = clock
        self._session = session
        self._emit = emit
        self._net = Net(int(settings.capital.stale_s * SECOND))
        self._told: dict[str, int] = {}
        self._began_ns = 0
        self._listed = asyncio.Event()

    def subscribe(self, instruments: tuple[str, ...]) -> None:
        """Bring the quotes of exactly these."""
        self.wanted = instruments
        self.stream.want(self.epics)

    @property
    def epics(self) -> tuple[str, ...]:
        """Give the epics that are wanted, in the order in which they were asked for."""
        return tuple(epic_of(self.instruments[name]) for name in self.wanted if name in self.instruments)

    def is_open(self, epic: str) -> bool:
        """Say whether an epic's market trades, by its last status."""
        listing = self.listings.get(epic)
        return listing is not None and listing.open

    def _on_tick(self, epic: str, bid: float, ask: float, bid_size: float | None, ask_size: float | None) -> None:
        """Take a quote of the stream; one of what is not wanted any more is left out."""
        name = self.names.get(epic, "")
        if name in self.wanted:
            if not self.is_open(epic):  # a market that quotes has opened, whatever its listing said last
                self._listed.set()
            self._net.streamed(epic, bid, ask)
            self._tell(name, bid, ask, "", bid_size, ask_size)

    def _tell(
        self, name: str, bid: float, ask: float, source: str, bid_size: float | None, ask_size: float | None
    ) -> None:
        now = self._clock.now()
        self.prices[name] = Price(bid, ask, now)
        self._emit(Quote(name, bid, ask, None, None, now, bid_size, ask_size, self._name, source))
        if self.instruments[name].kind == "currency":
            self._tell_rate(name, bid, ask, now)

    def _tell_rate(self, name: str, bid: float, ask: float, now: int) -> None:
        """Tell the rate that a currency pair's quote gives, at most one a minute."""
        currency, inverse = pair_of(name, self._base)
        if not currency or now - self._told.get(currency, -RATES_NS) < RATES_NS:
            return
        self._told[currency] = now
        middle = (decimal(bid) + decimal(ask)) / 2
        rate = (1 / middle if inverse else middle).quantize(PLACES)
        self._emit(RateSeen(currency, rate, now, f"{self._name}: {name}"))

    async def refresh(self) -> None:
        """Read all listings anew; what Capital.com does not know, or lets nobody open, is set aside by name."""
        found: dict[str, Market] = {}
        for batch in batches(tuple(self.names)):
            found |= await self._markets(batch)
        now = self._clock.now()
        for epic, name in self.names.items():
            market = found.get(epic)
            if market is None:
                self.listings.pop(epic, None)
                self._set_aside(name, "unknown", f"Capital.com lists no epic {epic}: mend `epic` in universe.yaml")
                continue
            listing = self.listings[epic] = listing_of(market, now)
            if (wrong := amiss(listing, self.instruments[name])) is not None:
                self._set_aside(name, wrong.code, wrong.words)
            elif self.aside.pop(name, None) is not None:
                self._emit(InstrumentServed(self._name, name))

    def _set_aside(self, name: str, code: str, words: str) -> None:
        """Tell once that an instrument cannot be opened."""
        if self.aside.get(name) != code:
            self.aside[name] = code
            self._emit(InstrumentSetAside(self._name, name, code, words))

    async def _markets(self, epics: tuple[str, ...], lane: Lane = Lane.MARKET) -> dict[str, Market]:
        """Ask for up to fifty markets; where one unknown name spoils the answer, for each alone."""
        try:
            answer = await self._session.get(Markets, "/markets", lane, query(epics))
        except Gone:
            if len(epics) == 1:
                return {}
            half = len(epics) // 2
            return await self._markets(epics[:half], lane) | await self._markets(epics[half:], lane)
        return {row.instrument.epic: row for row in answer.market_details}

    async def keep_listings(self) -> None:
        """Read the listings again and again, sooner while a market that is wanted is shut."""
        while True:
            shut = any(not self.is_open(epic) for epic in self.epics)
            pause_s = min(self._settings.rules_s, self._settings.check_s) if shut else self._settings.rules_s
            await pause_or(self._listed, self._clock, pause_s)
            self._listed.clear()
            with suppress(Fault):  # the links' keeper tells of a service that does not answer
                await self.refresh()
            await pause(self._clock, APART_S)

    async def keep_prices(self) -> None:
        """Poll what the stream does not bring, for as long as it does not."""
        self._began_ns = self._clock.now()
        self._net.source = ""
        while True:
            await pause(self._clock, self._settings.prices_poll_s)
            epics = self.epics
            early = self._clock.now() - self._began_ns < int(self._settings.stale_s * SECOND)
            if not epics or (early and not self.stream.up):
                continue
            stream = self.stream
            streamed = tuple(epic for epic in epics[:EPICS_MAX] if epic not in stream.refused)
            beyond = (*(epic for epic in epics[:EPICS_MAX] if epic in stream.refused), *epics[EPICS_MAX:])
            now = self._clock.now()
            need = self._net.look(
                now,
                streamed,
                beyond,
                down="" if stream.up else stream.reason or "the stream is down",
                quoted_ns=stream.quoted_ns,
                is_open=self.is_open,
            )
            await self._poll(need)
            source, reason = self._net.change(need, stream.quoted_ns, now)
            if source:
                self._emit(FeedChanged(self._name, source, reason or "the stream serves"))

    async def _poll(self, need: Need) -> None:
        """Ask for prices once; a market that is shut has none."""
        for batch in batches(need.epics):
            asked_ns = self._clock.now()
            try:
                found = await self._markets(batch)
            except Fault:
                return  # the link's keeper tells of a service that does not answer
            now = self._clock.now()
            for epic, market in found.items():
                was_open = self.is_open(epic)
                listing = self.listings[epic] = listing_of(market, now)
                if was_open and not listing.open:
                    self._listed.set()
                bid = float(listing.bid) if listing.bid is not None else None
                ask = float(listing.ask) if listing.ask is not None else None
                name = self.names.get(epic, "")
                if name not in self.wanted or not listing.open or bid is None or ask is None or not is_quote(bid, ask):
                    continue
                if self.stream.quoted_ns(epic) < asked_ns or not self.stream.up:  # else the stream was quicker
                    self._net.polled(need, epic, bid, ask)
                    self._tell(name, bid, ask, POLL, None, None)


def epic_of(row: Instrument) -> str:
    """Give an instrument's name at Capital.com."""
    return row.epic or row.symbol
