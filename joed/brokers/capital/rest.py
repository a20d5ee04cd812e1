"""One request to Capital.com's REST service: its turn, its bytes, its bounded answer, and what a failure proves.

Nothing here tries twice. A write's permission is asked where its bytes leave: aiohttp buffers the headers and writes
them together with the body, in a task of its own on some Pythons, so the hook that stands directly before the write is
that of the body's chunk, or of the headers where there is no body. What raises there leaves no byte behind.
"""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import aiohttp

from joed.brokers.base import Clock
from joed.brokers.capital.faults import Doubted, Fault, NotSent, TooMany, fault_of
from joed.brokers.capital.limiter import Kind, Lane, Limiter
from joed.brokers.capital.wire import code_of
from joed.model.settings import Capital

HOSTS = {
    "demo": "https://demo-api-capital.backend-capital.com",
    "live": "https://api-capital.backend-capital.com",
}
PREFIX = "/api/v1"
CHUNK = 65536

Answer = tuple[bytes, Mapping[str, str]]
Connector = Callable[[], aiohttp.BaseConnector]


class Gate:
    """What stands before the bytes of one request: asked once, in the same synchronous block as their write."""

    def __init__(self, permit: Callable[[], str], *, has_body: bool, clock: Clock) -> None:
        """Ask `permit`; "" lets the bytes go."""
        self._permit = permit
        self._has_body = has_body
        self._clock = clock
        self.sent = False
        self.sent_ns = 0
        self.reason = ""

    def at_headers(self) -> None:
        """Stand before the headers, which wait for the body where there is one; a second attempt ends here.

        aiohttp holds PUT and DELETE for harmless and sends them anew over another connection when the first is lost.
        """
        if self.sent:
            raise NotSent("a second attempt")
        if not self._has_body:
            self._pass()

    def at_chunk(self) -> None:
        """Stand before the body's first bytes, and with them the headers."""
        if not self.sent:
            self._pass()

    def _pass(self) -> None:
        self.reason = self._permit()
        if self.reason:
            raise NotSent(self.reason)
        self.sent, self.sent_ns = True, self._clock.now()


def free() -> str:
    """Let a request go that needs nobody's permission: a read, a login."""
    return ""


class Rest:
    """Requests, one attempt each."""

    def __init__(self, settings: Capital, clock: Clock, limiter: Limiter, connector: Connector | None = None) -> None:
        """Speak to the host that the settings name; `connector` makes the connections, aiohttp's own where None."""
        self.base = (settings.rest_url or HOSTS[settings.host]).rstrip("/") + PREFIX
        self.limiter = limiter
        self.answered_ns = 0
        self.secrets: Callable[[], tuple[str, ...]] = tuple
        """What of ours no words of a failure may hold; who logs in knows."""
        self._settings = settings
        self._clock = clock
        self._connector = connector
        self._client: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the pool of connections."""
        if self._client is not None:
            return
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_at_headers)
        trace.on_request_chunk_sent.append(_at_chunk)
        self._client = aiohttp.ClientSession(
            connector=self._connector() if self._connector else aiohttp.TCPConnector(limit=8),
            timeout=aiohttp.ClientTimeout(
                total=self._settings.request_timeout_s, sock_connect=self._settings.connect_timeout_s
            ),
            trace_configs=[trace],
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "joed"},
        )

    async def close(self) -> None:
        """Let the connections go."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def call(  # noqa: PLR0913 - what one request is
        self,
        method: str,
        path: str,
        *,
        lane: Lane,
        kind: Kind = Kind.PLAIN,
        params: Mapping[str, str] | None = None,
        body: bytes = b"",
        headers: Callable[[], Mapping[str, str]] = dict,
        permit: Callable[[], str] = free,
    ) -> Answer:
        """Wait for a turn, send once, and give the body and the headers of a 2xx answer; raise a Fault else.

        `headers` are asked for after the wait, so that none of them is stale.
        """
        await self.limiter.turn(lane, kind)
        if self._client is None:
            raise NotSent("not connected")
        gate = Gate(permit, has_body=bool(body), clock=self._clock)
        sent = {"Content-Type": "application/json", **headers()} if body else headers()
        try:
            async with self._client.request(
                method,
                self.base + path,
                params=params,
                data=body or None,
                headers=sent,
                allow_redirects=False,
                trace_request_ctx=gate,
            ) as response:
                status, found = response.status, await self._bounded(response)
                answer = found, response.headers
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, NotSent) as error:
            raise _failure(gate, error) from None
        if 200 <= status < 300:
            self.answered_ns = self._clock.now()
            self.limiter.answered()
            return answer
        fault = fault_of(status, code_of(found, (*sent.values(), *self.secrets())))
        if not isinstance(fault, Doubted):
            self.answered_ns = self._clock.now()
        if isinstance(fault, TooMany):
            self.limiter.refused()
        raise fault

    async def _bounded(self, response: aiohttp.ClientResponse) -> bytes:
        """Read a body that is not too large; what is larger was never meant for us."""
        limit = self._settings.answer_max_kb * 1024
        found = bytearray()
        async for chunk in response.content.iter_chunked(CHUNK):
            found += chunk
            if len(found) > limit:
                response.close()
                raise ValueError(f"an answer of more than {limit} bytes")
        return bytes(found)


def _failure(gate: Gate, error: Exception) -> Fault:
    """Give what a failure proves; its words name its kind and nothing that was sent."""
    words = str(error) if isinstance(error, ValueError) else "reset" if gate.sent else type(error).__name__
    if isinstance(error, aiohttp.ClientConnectorCertificateError):  # a ValueError too; its own words are a page
        words = getattr(error.certificate_error, "verify_message", words)
    if not gate.sent:
        return NotSent(gate.reason or f"no connection: {words}")
    return Doubted("no answer in time" if isinstance(error, TimeoutError) else f"the answer was lost: {words}")


async def _at_headers(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:  # noqa: ANN401 - aiohttp's hook
    gate_of(context).at_headers()


async def _at_chunk(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:  # noqa: ANN401 - aiohttp's hook
    gate_of(context).at_chunk()


def gate_of(context: SimpleNamespace) -> Gate:
    """Give the gate that `call` put into the request's context."""
    gate = context.trace_request_ctx
    assert isinstance(gate, Gate), "every request of ours has a gate"
    return gate
