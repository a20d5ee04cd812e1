"""The service: one user with two accounts, of which one trades on the exchange; REST and the stream on one port."""

import asyncio
import json
from collections import deque
from decimal import Decimal

from aiohttp import web

from joed.model.values import DAY, HOUR, SECOND
from tests.fakes.capital.desk import Desk
from tests.fakes.capital.door import Account, Door, User
from tests.fakes.capital.faults import Faults
from tests.fakes.capital.funds import Funds
from tests.fakes.capital.listing import Listing
from tests.fakes.capital.routes import OPEN_ROUTES, Asked, route_of
from tests.fakes.capital.stream import Stream
from tests.fakes.capital.tape import Tape
from tests.fakes.capital.words import Ids, Refused, encoded, reset

PREFIX = "/api/v1"
LOG_MAX = 100_000
KEEP_ALIVE_S = 75.0
ZERO = {"balance": 0, "deposit": 0, "profitLoss": 0, "available": 0}
OTHER = "987654321098765432"


class FakeCapital:
    """Capital.com over an exchange that the test holds, by the clock and on the loop that it is given.

    Public: `exchange`, `listings` (by epic: rules, hours, state), `desk` (deals), `funds` (money, offset, rates),
    `door` (sessions, limits), `stream`, `tape` (bars), `faults`, `log` (each request: when, method, path).
    """

    def __init__(self, exchange, clock, *, account="123456789012345678", epics=None, user=None):
        self.exchange, self.clock = exchange, clock
        self.user = user or User()
        trading = Account(account, currency=exchange.base)
        other = Account(OTHER, "Other", preferred=False, trades=False)
        self.accounts = {account.account_id: account for account in (trading, other)}
        made = [
            Listing(row, (epics or {}).get(row.symbol, "")) for row in exchange.instruments.values() if row.tradable
        ]
        self.listings = {listing.epic: listing for listing in made}
        self.faults = Faults()
        self.funds = Funds(exchange, trading)
        self.desk = Desk(exchange, self.listings, self.funds, clock, self.faults, Ids())
        self.door = Door(self.user, self.accounts, clock)
        self.stream = Stream(self)
        self.tape = Tape(clock)
        self.log = deque(maxlen=LOG_MAX)
        self.journal = None
        self.host, self.port = "127.0.0.1", 0
        self._runner = None
        self._stopping = None

    @property
    def url(self):
        """Give the REST base, without the prefix."""
        return f"http://{self.host}:{self.port}"

    @property
    def streaming_host(self):
        """Give what a session names: with a slash at its end, without `connect`."""
        return f"ws://{self.host}:{self.port}/"

    @property
    def stream_url(self):
        """Give where the stream is."""
        return f"{self.streaming_host}connect"

    async def listen(self, port=0, host="127.0.0.1"):
        """Open the port and give its number."""
        self._stopping = asyncio.get_running_loop().create_future()
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self.handle)
        self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=KEEP_ALIVE_S, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.host, self.port = host, self._runner.addresses[0][1]
        return self.port

    async def stop(self):
        """Close the port and every connection."""
        if self._runner is None:
            return
        if not self._stopping.done():
            self._stopping.set_result(None)
        self.stream.cut()
        await self._runner.cleanup()
        self._runner = None

    def quote(self, quote):
        """Take a price of the market: to the stream, the bars and the exchange, where the market is open."""
        listing, now = self.desk.by_name[quote.instrument], self.clock.now()
        if not 0.0 < quote.bid <= quote.ask or listing.state(now) != "TRADEABLE":
            return
        changed = listing.take(now, quote)
        self.tape.take(listing.epic, quote.bid, quote.ask)
        if changed:
            self.stream.quote(listing, quote)
        self.desk.quote(quote)

    def sync(self):
        """See what the exchange has done since the last time."""
        self.desk.refresh()
        self.desk.sync()

    def balance(self, account):
        """Give an account's four figures."""
        return self.funds.balance() if account.trades else ZERO

    def switch_account(self, account_id):
        """Make another account the active one, as another device does; the stream falls silent."""
        self.door.switch(account_id)
        self.stream.account_switched()

    def close_externally(self, deal, source="USER"):
        """Close a position from elsewhere: by hand in the app (USER), or by the service (CLOSE_OUT, DEALER)."""
        self.desk.carry_out_close(self.desk.find_deal(deal), source)

    def charge_overnight(self):
        """Book a night's fee for each open position, as at 21:00 UTC."""
        for deal in self.funds.open_deals():
            rate = deal.listing.long_rate if deal.side.value == "BUY" else deal.listing.short_rate
            fee = self.funds.to_base(deal.size * deal.level * rate / 100, deal.listing.currency)
            self.funds.account.adjusted += fee
            self.desk.move("SWAP", "Overnight fee", fee, deal)

    def charge_each_night(self):
        """Book the fee of each night at 21:00 UTC from here on."""
        day_ns, at_ns = self.clock.now() // DAY * DAY, 21 * HOUR
        due_ns = day_ns + at_ns if self.clock.now() < day_ns + at_ns else day_ns + at_ns + DAY
        self.clock.call_at(due_ns, self._charge_this_night)

    def _charge_this_night(self):
        self.charge_overnight()
        self.charge_each_night()

    def adjust_dividend(self, epic, per_share):
        """Book a dividend's adjustment for each open position of an epic."""
        for deal in self.funds.open_deals():
            if deal.listing.epic == epic:
                amount = self.funds.to_base(deal.size * deal.side.sign * per_share, deal.listing.currency)
                self.funds.account.adjusted += amount
                self.desk.move("CORPORATE_ACTION", "Dividend adjustment", amount, deal)

    def widen(self, epic, percent):
        """Let stops and profit levels keep a larger distance, as in volatile times."""
        self.listings[epic].min_stop = ("PERCENTAGE", Decimal(percent))

    def asked(self, method, path):
        """Count the requests of a method whose path begins so."""
        return sum(1 for _, verb, place in self.log if verb == method and place.startswith(path))

    async def handle(self, request):
        """Answer one request."""
        if request.path == "/connect":
            return await self.stream.accept(request)
        path, body = request.path.removeprefix(PREFIX), await request.read()
        self.log.append((self.clock.now(), request.method, path))
        trick = self.faults.take(request.method, path)
        status, payload, headers = 200, b"", {}
        if trick is None or trick.carried_out:
            status, payload, headers = self.answer(request, path, body)
        if self.journal is not None:
            self.journal(request.method, path, status)
        if trick is not None:
            return await self.played(request, trick, status, payload, headers)
        return made_of(status, payload, headers)

    def answer(self, request, path, body):
        """Carry a request out and give status, body and headers."""
        asked = Asked(request.method, path, dict(request.query), {}, request.headers)
        try:
            asked.body = parsed(body)
            payload = self.routed(asked)
            status = 200
        except Refused as refusal:
            status, payload = refusal.status, {"errorCode": refusal.code}
        if self.faults.unknown_fields and isinstance(payload, dict):
            payload = {"newField": {"a": [1, None]}, **payload}
        return status, encoded(payload), self.door.answer(asked.tokens) if asked.tokens is not None else {}

    def routed(self, asked):
        """Let a request through the limits and the door, to its route."""
        opened = OPEN_ROUTES.get((asked.method, asked.path))
        if opened is not None:
            return opened(self, asked)
        limits = self.door.limits
        limits.check(self.clock.now(), limits.requests)
        session = self.door.find(asked.headers.get("CST"), asked.headers.get("X-SECURITY-TOKEN"))
        asked.session = asked.tokens = session
        route, asked.parts = route_of(asked.method, asked.path)
        return route(self, asked)

    async def played(self, request, trick, status, payload, headers):
        """Answer as a trick wants it."""
        if trick.how == "hang":
            await self._stopping
        elif trick.how == "late":
            await self.wait(trick.seconds)
        elif trick.how == "lost":
            reset(request.transport)
        elif trick.how == "truncated":
            payload = payload[: len(payload) // 2]
        elif trick.how == "torn":
            await torn(request, status, payload, headers)
            request.transport.abort()
        elif trick.how == "answer":
            return web.Response(status=trick.status, body=trick.body, content_type=trick.kind)
        elif trick.how == "echo":
            sent = [request.headers.get(name, "") for name in ("X-CAP-API-KEY", "CST", "X-SECURITY-TOKEN")]
            said = " ".join([*filter(None, sent), await request.text()])
            return made_of(trick.status, encoded({"errorCode": said}), headers)
        return made_of(status, payload, headers)

    async def wait(self, seconds):
        """Wait on the clock."""
        done = asyncio.get_running_loop().create_future()
        self.clock.call_at(self.clock.now() + int(seconds * SECOND), lambda: done.done() or done.set_result(None))
        await asyncio.wait((done, self._stopping), return_when=asyncio.FIRST_COMPLETED)


def made_of(status, payload, headers):
    """Give a response."""
    return web.Response(status=status, body=payload, headers=headers, content_type="application/json")


async def torn(request, status, payload, headers):
    """Send the head and half of the body."""
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length, response.content_type = len(payload), "application/json"
    await response.prepare(request)
    await response.write(payload[: len(payload) // 2])


def parsed(body):
    """Read a request's body as a JSON object."""
    if not body:
        return {}
    try:
        found = json.loads(body, parse_float=Decimal)
    except ValueError:
        raise Refused(400, "error.invalid.request") from None
    if not isinstance(found, dict):
        raise Refused(400, "error.invalid.request")
    return found
