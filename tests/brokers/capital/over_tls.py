"""An order towards servers whose names, certificates or TLS are not in order: `over_tls FOLDER` prints JSON.

A process of its own, for which FOLDER/ca.pem (in $SSL_CERT_FILE) is all that is trusted. Each server notes what it was
told in the clear and what came through TLS.
"""

import asyncio
import json
import os
import ssl
import sys
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from joed.brokers.capital.broker import CapitalBroker
from joed.brokers.capital.faults import Fault
from joed.brokers.capital.limiter import Lane, Limiter
from joed.brokers.capital.rest import Rest
from joed.brokers.capital.session import Credentials, Session
from joed.brokers.capital.stream import Stream
from joed.daemon.clock import RealClock
from joed.model.feeds import BrokerExamined
from joed.model.settings import Capital, Settings
from tests.brokers.capital.scripted import CREDENTIALS, Scripted, application
from tests.faults.measure import Watch

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
SECRET = "token-of-now"
CASES = {"sound": "sound", "expired": "expired", "another's": "other", "of nobody": "own", "plain": ""}
"""What is wrong -> the certificate of the server, "" for one that speaks no TLS at all."""
WRONG = ("expired", "another's", "of nobody")


def context(folder, name):
    """Give a server's TLS with this certificate, None for none."""
    if not name:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return made


async def asked(url):
    """Send one order there, and give the kind of fault, its words, and how often it was permitted."""
    clock, permits = RealClock(), []
    settings = Capital(rest_url=url, connect_timeout_s=4, request_timeout_s=4)
    rest = Rest(settings, clock, Limiter(clock, settings.requests_s))
    await rest.open()
    try:
        await rest.call(
            "POST",
            "/positions",
            lane=Lane.ORDER,
            body=b'{"epic":"GOLD"}',
            headers=lambda: {"CST": SECRET},
            permit=lambda: permits.append(1) or "",
        )
    except Fault as fault:
        return type(fault).__name__, str(fault), len(permits)
    finally:
        await rest.close()
    return "", "", len(permits)


async def case(folder, name):
    """Ask a server with this certificate, and give what became of it and whether the server heard our secret."""
    heard = bytearray()

    async def answer(reader, writer):
        with suppress(OSError, asyncio.IncompleteReadError):
            heard.extend(await reader.read(65536))
            writer.write(ANSWER)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context(folder, name))
    async with server:
        port = server.sockets[0].getsockname()[1]
        return *await asked(f"https://localhost:{port}"), SECRET.encode() in heard


async def streamed(folder, name):
    """Have the stream connect to a server with this certificate, after a login that went well.

    Give what ended it, whether the server heard anything, and whether our tokens.
    """
    heard, clock = bytearray(), RealClock()

    async def listen(reader, writer):
        with suppress(OSError):
            heard.extend(await reader.read(65536))
        writer.close()

    script = Scripted()
    script.says = {("GET", "/session"): (200, {"accountId": "A1"})}
    runner = web.AppRunner(application(script), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context(folder, name))
    async with server:
        rest_port, port = (one.sockets[0].getsockname()[1] for one in (site._server, server))
        settings = Capital(rest_url=f"http://127.0.0.1:{rest_port}", stream_url=f"wss://localhost:{port}")
        limiter = Limiter(clock, settings.requests_s)
        rest = Rest(settings, clock, limiter)
        await rest.open()
        session = Session(rest, settings, clock, CREDENTIALS)
        stream = Stream(settings, clock, session, limiter, lambda *_: None, lambda _: True)
        met = ""
        try:
            await stream._hold()
        except Exception as error:  # noqa: BLE001 - which it is, is the test's own
            met = type(error).__name__
        await rest.close()
    await runner.cleanup()
    return met, len(heard) > 0, b"cst-1" in heard


async def proxied(folder):
    """Ask the sound server while the environment names a proxy; give that, and what the proxy heard."""
    heard = bytearray()

    async def listen(reader, writer):
        with suppress(OSError):
            heard.extend(await reader.read(65536))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        os.environ.update(dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"), url))
        return await case(folder, "sound"), len(heard)


async def login(folder):
    """Run a whole adapter before a server whose certificate has expired, and give what a person hears first."""
    heard = asyncio.get_running_loop().create_future()

    def hear(event):
        if isinstance(event, BrokerExamined) and not heard.done():
            heard.set_result([event.name, event.ok, event.words])

    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context(folder, "expired"))
    async with server:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        settings = Settings(capital=Capital(rest_url=url, stream_url=url.replace("https", "wss")))
        broker = CapitalBroker("capital", settings, RealClock(), hear, Credentials("key", "name", SECRET))
        broker.start()
        running = asyncio.create_task(broker.run())
        try:
            return await asyncio.wait_for(heard, 20)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def main(folder):
    """Play all cases."""
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the servers' own complaints
    found, took_ms = {}, {}
    for what, name in CASES.items():
        watch = Watch()
        found[what] = await case(folder, name)
        took_ms[what] = watch.ms()
    found["login"] = await login(folder)
    found["streams"] = {what: await streamed(folder, CASES[what]) for what in ("sound", *WRONG)}
    watch = Watch()
    found["no name"] = (*await asked("https://no-such-host.invalid"), False)
    found["took_ms"] = took_ms | {"no name": watch.ms()}
    watch = Watch()
    found["proxied"] = await proxied(folder)
    found["took_ms"]["proxied"] = watch.ms()
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
