"""What the tests of the fake Capital.com share: the service on the virtual loop, and a plain client of it.

Nothing here knows joed's adapter: requests are aiohttp's, frames are websockets', as anybody would send them.
"""

import asyncio
import json
import random
from contextlib import asynccontextmanager
from decimal import Decimal

import aiohttp
from websockets.asyncio.client import connect

from joed.exchange import Exchange
from joed.model.events import Quote
from joed.model.settings import Instrument, Paper
from joed.sim.loop import LoopClock, VirtualLoop, run
from tests.fakes.capital import FakeCapital

UNIVERSE = {
    "XAUUSD": Instrument("XAUUSD", kind="commodity", lot=Decimal("0.01"), epic="GOLD"),
    "SILVER": Instrument("SILVER", kind="commodity", tick=Decimal("0.001"), lot=Decimal("0.1")),
    "AAPL": Instrument("AAPL"),
}
PAPER = Paper(partial_share=0.0, slippage=Decimal(0), fee_share=Decimal(0), fee_min=Decimal(0), latency_s=0.0)


class Client:
    """A client that logs in and keeps whatever tokens it is given."""

    def __init__(self, fake, http):
        self.fake, self.http = fake, http
        self.tokens = {}

    async def call(self, method, path, body=None, **query):
        """Ask, and give status and parsed body."""
        headers = {"X-CAP-API-KEY": self.fake.user.api_key, **self.tokens}
        url = f"{self.fake.url}/api/v1{path}"
        async with self.http.request(method, url, json=body, params=query, headers=headers) as response:
            text = await response.text()
            for name in ("CST", "X-SECURITY-TOKEN"):
                if name in response.headers:
                    self.tokens[name] = response.headers[name]
            return response.status, json.loads(text) if text.startswith("{") else text

    async def get(self, path, **query):
        """Ask for something that is there, no faster than ten a second."""
        await asyncio.sleep(0.12)
        status, body = await self.call("GET", path, **query)
        assert status == 200, body
        return body

    async def login(self, **body):
        """Log in."""
        user = self.fake.user
        asked = {"identifier": user.identifier, "password": user.password, "encryptedPassword": False, **body}
        return await self.call("POST", "/session", asked)

    async def deal(self, method, path, **body):
        """Ask for a deal that is taken, and give its confirm."""
        await asyncio.sleep(0.2)  # orders come no faster
        status, answer = await self.call(method, path, body or None)
        assert status == 200, answer
        return await self.get(f"/confirms/{answer['dealReference']}")

    async def buy(self, size=1, epic="GOLD", **more):
        """Buy at the market."""
        return await self.deal("POST", "/positions", epic=epic, direction="BUY", size=size, **more)

    async def sell(self, size=1, epic="GOLD", **more):
        """Sell at the market."""
        return await self.deal("POST", "/positions", epic=epic, direction="SELL", size=size, **more)

    async def positions(self):
        """Give the positions' own halves."""
        return [row["position"] for row in (await self.get("/positions"))["positions"]]

    async def orders(self):
        """Give the working orders' own halves."""
        return [row["workingOrderData"] for row in (await self.get("/workingorders"))["workingOrders"]]

    async def activity(self, **query):
        """Give activity, the oldest first: source, type, status."""
        rows = (await self.get("/history/activity", **query))["activities"]
        return [(row["source"], row["type"], row["status"]) for row in reversed(rows)]

    @asynccontextmanager
    async def stream(self, **options):
        """Open the stream."""
        async with connect(self.fake.stream_url, proxy=None, **options) as socket:
            yield Frames(socket, self.tokens)


class Frames:
    """The stream as its client sees it."""

    def __init__(self, socket, tokens):
        self.socket, self.tokens = socket, tokens
        self.count = 0

    async def say(self, destination, **payload):
        """Send a message with the tokens, and give its answer; pushes that come before it are left out."""
        self.count += 1
        frame = {
            "destination": destination,
            "correlationId": self.count,
            "cst": self.tokens.get("CST"),
            "securityToken": self.tokens.get("X-SECURITY-TOKEN"),
            "payload": payload,
        }
        await self.socket.send(json.dumps(frame))
        while True:
            answer = json.loads(await self.socket.recv())
            if answer.get("correlationId") == str(self.count):
                return answer

    async def next(self, seconds=5.0):
        """Give the next frame, None where none comes."""
        try:
            async with asyncio.timeout(seconds):
                return json.loads(await self.socket.recv())
        except TimeoutError:
            return None


def gold(fake, bid=2_399.5, ask=2_400.0):
    """Let gold have a price."""
    fake.quote(Quote("XAUUSD", bid, ask))


def exchange_of(**changed):
    """Give an exchange for gold, silver and a share."""
    return Exchange(UNIVERSE, Paper(**{**vars_of(PAPER), **changed}), random.Random(7), "capital")


def vars_of(settings):
    """Give a settings object's fields."""
    return {name: getattr(settings, name) for name in settings.__slots__}


def with_client(scenario, *, log_in=True, **changed):
    """Run a scenario with the service and a client that is logged in, gold standing at 2399.50 to 2400.00."""

    async def main(loop):
        fake = FakeCapital(exchange_of(**changed), LoopClock(loop))
        await fake.listen()
        gold(fake)
        async with aiohttp.ClientSession() as http:
            client = Client(fake, http)
            if log_in:
                status, _ = await client.login()
                assert status == 200
            found = await scenario(fake, client)
        await fake.stop()
        return found

    return run(main, VirtualLoop(limit_s=10 * 86_400))
