"""The stream of prices: one WebSocket, our tokens in every frame, and two watchdogs, for a pipe is not a feed.

A healthy socket was seen to carry no quote for fourteen hours. So there is one watch for a socket that sends nothing
at all, and one for an open market that sends no quote: it subscribes again, then connects again, each time more
patiently. Error frames carry our own tokens back; nothing of a frame is ever shown but its code.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from joed.brokers.base import Clock
from joed.brokers.capital.faults import SESSION_CODES, Fault
from joed.brokers.capital.limiter import Lane, Limiter
from joed.brokers.capital.pause import pause
from joed.brokers.capital.session import Session
from joed.brokers.capital.shapes import Frame, Subscribed, Tick
from joed.brokers.capital.wire import clean, decode, is_quote, without
from joed.errors import BadMessage
from joed.model.settings import Capital
from joed.model.values import SECOND

EPICS_MAX = 40
"""Instruments that one stream carries; what is beyond comes by polling."""
FRAME_BYTES_MAX = 1 << 20
DELAYS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
STEADY_NS = 30 * SECOND
"""A stream that lived as long begins the delays anew."""
PATIENCE_MAX_S = 600.0
HOST = "wss://api-streaming-capital.backend-capital.com"
LIBRARY_PING_S = 20.0

OnTick = Callable[[str, float, float, float | None, float | None], None]
"""Takes a quote: epic, bid, ask and their sizes."""


class Straight(connect):
    """A connection that goes where it was sent: the tokens of its first frame are for that host and no other."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Follow no redirect."""
        return exc


class Stream:
    """One stream, made again when it breaks."""

    def __init__(
        self,
        settings: Capital,
        clock: Clock,
        session: Session,
        limiter: Limiter,
        on_tick: OnTick,
        is_open: Callable[[str], bool],
    ) -> None:
        """Give quotes to `on_tick`; `is_open` says whether an epic's market trades."""
        self.up = False
        self.reason = "not connected yet"
        self.frames = 0
        self.bad = 0
        self.reconnects = 0
        self.round_trip_ns = 0
        self.refused: dict[str, str] = {}
        self._settings = settings
        self._clock = clock
        self._session = session
        self._limiter = limiter
        self._on_tick = on_tick
        self._is_open = is_open
        self._wanted: tuple[str, ...] = ()
        self._changed = asyncio.Event()
        self._frame_ns = 0
        self._quoted: dict[str, int] = {}
        self._pings: dict[str, int] = {}
        self._numbers = 0
        self._patience_s = settings.quote_silence_s
        self._again = False

    def want(self, epics: tuple[str, ...]) -> None:
        """Stream exactly these, the first forty of them."""
        self._wanted = epics[:EPICS_MAX]
        self._changed.set()

    def subscribe_again(self) -> None:
        """Ask for all of it once more, with the tokens of now."""
        self._changed.set()

    def quoted_ns(self, epic: str) -> int:
        """Give when an epic's last quote came over this stream."""
        return self._quoted.get(epic, 0)

    async def run(self) -> None:
        """Hold a stream, and make it again behind growing delays; ends only with its task."""
        tries = 0
        while True:
            began_ns = self._clock.now()
            try:
                await self._hold()
                self.reason = "it was closed"
            except* (OSError, TimeoutError, WebSocketException, Fault, BadMessage) as group:
                self.reason = _words(group)
            finally:
                self.up = False
            if _ended():
                raise asyncio.CancelledError
            steady = self._clock.now() - began_ns > STEADY_NS
            tries = 0 if steady else tries + 1
            self.reconnects += 1
            await pause(self._clock, DELAYS_S[min(tries, len(DELAYS_S) - 1)])

    async def _hold(self) -> None:
        """Connect with tokens that a request has just proven, and stay until the stream is lost."""
        await self._session.active(Lane.MARKET)  # a stream never hears that its tokens are dead
        async with Straight(
            self._address(),
            max_size=FRAME_BYTES_MAX,
            open_timeout=self._settings.connect_timeout_s,
            close_timeout=1.0,
            ping_interval=LIBRARY_PING_S,
            ping_timeout=LIBRARY_PING_S,
            compression=None,
            proxy=None,
        ) as socket:
            self._frame_ns = self._clock.now()
            self._changed.set()
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(part(socket)) for part in (self._subscribe, self._ping, self._watch)]
                try:
                    await self._listen(socket)
                finally:
                    for task in tasks:
                        task.cancel()

    def _address(self) -> str:
        """Give where the stream is: the settings' own word, else what the session told, always with its path."""
        told = self._session.tokens.stream_host
        host = self._settings.stream_url or (told if told.startswith("wss://") else HOST)
        return host.rstrip("/").removesuffix("/connect") + "/connect"

    async def _listen(self, socket: ClientConnection) -> None:
        """Take frames until there are none."""
        async for frame in socket:
            self._frame_ns = self._clock.now()
            self.frames += 1
            self.take(frame)
            if self._again:
                self._again = False
                raise BadMessage("the stream's session is over")

    def take(self, data: str | bytes) -> None:
        """Take one frame; one that cannot be read is counted and left out."""
        try:
            frame = decode(Frame, data)
            if frame.destination == "quote":
                self._quote(decode(Tick, frame.payload))
            elif frame.status == "ERROR":
                self._error(frame)
            elif frame.destination == "ping":
                sent_ns = self._pings.pop(frame.correlation_id or "", 0)
                self.round_trip_ns = self._clock.now() - sent_ns if sent_ns else self.round_trip_ns
            elif frame.destination == "marketData.subscribe":
                self._subscribed(decode(Subscribed, frame.payload))
        except BadMessage:
            self.bad += 1

    def _quote(self, tick: Tick) -> None:
        """Hand a quote on, if it is one."""
        bid, ask = tick.bid, tick.ofr
        if bid is None or ask is None or not is_quote(bid, ask):
            self.bad += 1
            return
        self.up, self.reason = True, ""
        self._quoted[tick.epic] = self._clock.now()
        self._patience_s = self._settings.quote_silence_s
        self._on_tick(tick.epic, bid, ask, tick.bid_qty, tick.ofr_qty)

    def _error(self, frame: Frame) -> None:
        """Take an error's code and nothing else of it."""
        code = frame.error_code or ""
        with suppress(msgspec.DecodeError, ValueError):
            payload = msgspec.json.decode(frame.payload)
            code = str(payload.get("errorCode") or code) if isinstance(payload, dict) else code
        self.bad += 1
        self.reason = clean(without(code, self._session.secrets()))
        self._again = code.startswith(SESSION_CODES)

    def _subscribed(self, answer: Subscribed) -> None:
        """Note which epics are streamed; any word but PROCESSED is a refusal of that epic alone."""
        for epic, word in answer.subscriptions.items():
            if word == "PROCESSED":
                self.refused.pop(epic, None)
                self.up, self.reason = True, ""
            else:
                self.refused[epic] = clean(word)

    async def _subscribe(self, socket: ClientConnection) -> None:
        """Keep what is streamed what is wanted."""
        streamed: tuple[str, ...] = ()
        while True:
            await self._changed.wait()
            self._changed.clear()
            wanted = self._wanted
            gone = [epic for epic in streamed if epic not in wanted]
            if gone:
                await self._say(socket, "marketData.unsubscribe", {"epics": gone})
            if wanted:
                now = self._clock.now()
                self._quoted |= dict.fromkeys(wanted, now)
                await self._say(socket, "marketData.subscribe", {"epics": list(wanted)})
            streamed = wanted

    async def _ping(self, socket: ClientConnection) -> None:
        """Ask for a sign of life, with the tokens of the moment."""
        while True:
            await pause(self._clock, self._settings.ping_s)
            self._pings.clear()
            await self._say(socket, "ping", None, lane=Lane.CONFIRM)

    async def _say(
        self, socket: ClientConnection, destination: str, payload: dict[str, Any] | None, lane: Lane = Lane.MARKET
    ) -> None:
        """Send one frame, in its turn: subscriptions count as requests.

        Tokens that cannot be renewed, for REST is away, may be good here all the same: the service says where not.
        """
        if destination != "ping":
            with suppress(Fault):
                await self._session.ensure()
        await self._limiter.turn(lane)
        self._numbers += 1
        number, tokens = str(self._numbers), self._session.tokens
        frame: dict[str, Any] = {
            "destination": destination,
            "correlationId": number,
            "cst": tokens.client,
            "securityToken": tokens.account,
        }
        if payload is not None:
            frame["payload"] = payload
        if destination == "ping":
            self._pings[number] = self._clock.now()
        await socket.send(msgspec.json.encode(frame).decode())

    async def _watch(self, socket: ClientConnection) -> None:
        """Make the stream again where no frame comes; subscribe, then connect again, where no quote does."""
        silence_ns = int(self._settings.silence_s * SECOND)
        asked = False
        while True:
            await pause(self._clock, 1.0)
            now = self._clock.now()
            if now - self._frame_ns > silence_ns:
                raise BadMessage(f"no frame for {self._settings.silence_s:g} s")
            trading = [epic for epic in self._wanted if self._is_open(epic)]
            newest_ns = max((self._quoted.get(epic, 0) for epic in trading), default=now)
            if now - newest_ns <= int(self._patience_s * SECOND):
                continue
            self._patience_s = min(self._patience_s * 2, PATIENCE_MAX_S)
            if asked:
                raise BadMessage("an open market sends no quote")
            asked = True
            self._changed.set()

    @property
    def newest_ns(self) -> int:
        """Give when the newest quote came."""
        return max(self._quoted.values(), default=0)


def _ended() -> bool:
    """Say whether this task was told to end: of that and of an error at the same time a TaskGroup keeps the error."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _words(group: BaseExceptionGroup[BaseException]) -> str:
    """Say what ended a stream: our own words, or the kind of another's error and nothing that it carries."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) if isinstance(error, Fault | BadMessage) else type(error).__name__
