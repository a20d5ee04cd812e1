"""A REST service that says what a test tells it to, word for word, on the virtual loop; it knows no market."""

import json
from contextlib import asynccontextmanager

from aiohttp import web

from joed.brokers.capital.limiter import Limiter
from joed.brokers.capital.rest import Rest
from joed.brokers.capital.session import Credentials, Session
from joed.model.settings import Capital
from joed.sim.loop import LoopClock, VirtualLoop, run

PORT = 8080
URL = f"http://127.0.0.1:{PORT}"
SECRETS = ("the-api-key", "me@example", "the-password")
CREDENTIALS = Credentials(*SECRETS)


class Scripted:
    """Answers by (method, path) from `says`: a status with a body and headers, or a coroutine that makes the response.

    What is not scripted logs in and gives an empty object.
    """

    def __init__(self):
        self.says = {}
        self.heard = []
        self.bodies = []
        self.headers = []
        self.logins = 0

    async def answer(self, request):
        """Take one request."""
        key = (request.method, request.path.removeprefix("/api/v1"))
        self.heard.append(key)
        self.headers.append(dict(request.headers))
        self.bodies.append(await request.read())
        said = self.says.get(key) or self.says.get(key[1])
        if callable(said):
            return await said(request)
        if said is not None:
            status, body, *more = said
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            return web.Response(status=status, body=data, headers=more[0] if more else {})
        if key == ("POST", "/session"):
            return self.login()
        if key == ("GET", "/session/encryptionKey"):
            return web.Response(status=404, body=b'{"errorCode":"error.not-found"}')
        return web.Response(body=b"{}")

    def login(self, **more):
        """Give a login's answer, its tokens numbered."""
        self.logins += 1
        body = {"currentAccountId": "A1", "timezoneOffset": 2, "streamingHost": "wss://host/", **more}
        tokens = {"CST": f"cst-{self.logins}", "X-SECURITY-TOKEN": f"xst-{self.logins}"}
        return web.Response(body=json.dumps(body).encode(), headers=tokens)

    def count(self, method, path):
        """Say how often this was asked for."""
        return self.heard.count((method, path))


@asynccontextmanager
async def serving(script):
    """Serve on the running loop."""
    runner = web.AppRunner(application(script), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", PORT).start()
    try:
        yield
    finally:
        await runner.cleanup()


def application(script):
    """Give an application that takes every path."""
    app = web.Application(client_max_size=1 << 24)
    app.router.add_route("*", "/{path:.*}", script.answer)
    return app


class Place:
    """The parts under test, before a scripted service."""

    def __init__(self, loop, script, file=None, **settings):
        self.loop, self.script = loop, script
        self.settings = Capital(rest_url=URL, **settings)
        self.clock = LoopClock(loop)
        self.limiter = Limiter(self.clock, self.settings.requests_s)
        self.rest = Rest(self.settings, self.clock, self.limiter)
        self.session = Session(self.rest, self.settings, self.clock, CREDENTIALS, file)


def play(act, *, file=None, loop=None, **settings):
    """Run `act(place)` with a scripted service, in virtual time; give what it gives."""
    script = Scripted()

    async def main(loop):
        async with serving(script):
            place = Place(loop, script, file, **settings)
            await place.rest.open()
            try:
                return await act(place)
            finally:
                await place.rest.close()

    return run(main, loop or VirtualLoop())
