"""The adapter for a paper exchange in another process: a link over a Unix socket that is made again when it breaks."""

import asyncio
import socket
from pathlib import Path
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import replace

from joed.brokers.base import Clock, Emit, Permit
from joed.brokers.paper_wire import VERSION, Attach, Frames, Hello, Shutdown, Subscribe, ToClient, frame
from joed.errors import BadMessage, BrokerUnavailable
from joed.model.commands import AmendOrder, CancelForeign, CancelOrder, ReadBroker, SubmitOrder
from joed.model.events import BrokerDown, BrokerUp, Event, Quote

DELAYS_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0)
"""How long to wait before the next try, the last for ever: at most some 25 tries in any minute."""
STEADY_S = 5.0
"""A link that lived as long begins the delays anew."""
ANSWER_S = 5.0
"""How long the exchange has for its Hello."""


class RemotePaperBroker:
    """A broker whose exchange lives elsewhere; commands leave whole in one write, or not at all."""

    def __init__(self, name: str, path: Path, clock: Clock, emit: Emit) -> None:
        """Speak to the exchange that serves at `path`, once `run` runs."""
        self.name = name
        self.up = False
        self.bad_messages = 0
        self._path = path
        self._clock = clock
        self._emit = emit
        self._instruments: tuple[str, ...] | None = None
        self._link: _Link | None = None
        self._stopped = asyncio.Event()

    @property
    def streams(self) -> tuple[str, ...]:
        """Name the instruments that were subscribed; before `subscribe` all of the exchange's come, unnamed here."""
        return tuple(sorted(self._instruments or ()))

    def subscribe(self, instruments: tuple[str, ...]) -> None:
        """Stream the quotes of exactly these, over this link and each later one."""
        self._instruments = instruments
        if self._link is not None and self.up:
            self._link.transport.write(frame(Subscribe(instruments)))

    def start(self) -> None:
        """Nothing yet: `run` connects."""

    async def run(self) -> None:
        """Hold a link to the exchange until `stop`, making it again behind growing delays."""
        tries = 0
        while not self._stopped.is_set():
            steady = await self._hold_link()
            tries = 0 if steady else tries + 1
            delay_s = DELAYS_S[min(tries, len(DELAYS_S) - 1)]
            await _within(self._stopped.wait(), delay_s)

    def stop(self) -> None:
        """End: nothing is emitted any more, the exchange goes on."""
        self._emit = _nobody
        self._stopped.set()
        if self._link is not None:
            self._link.transport.abort()

    def submit(self, command: SubmitOrder, permit: Permit) -> str:
        """Hand a new order over and give "", or the reason why not."""
        return self._hand_over(command, permit)

    def amend(self, command: AmendOrder, permit: Permit) -> str:
        """Hand an amendment over and give "", or the reason why not."""
        return self._hand_over(command, permit)

    def cancel(self, command: CancelOrder, permit: Permit) -> str:
        """Hand a cancel over and give "", or the reason why not."""
        return self._hand_over(command, permit)

    def cancel_foreign(self, command: CancelForeign, permit: Permit) -> str:
        """Hand the cancels of orders that are not ours over and give "", or the reason why not."""
        return self._hand_over(command, permit)

    def read(self, command: ReadBroker) -> None:
        """Ask for the whole book."""
        if self._link is not None and self.up:
            self._link.transport.write(frame(command))

    def _hand_over(self, command: SubmitOrder | AmendOrder | CancelOrder | CancelForeign, permit: Permit) -> str:
        """Ask for permission and write in the same block; not behind bytes that still wait in this process."""
        link = self._link
        if link is None or not self.up or link.transport.is_closing():
            return "not connected"
        if link.transport.get_write_buffer_size():
            return "the exchange does not read"
        try:
            data = frame(command)
        except BadMessage as error:
            return str(error)
        if reason := permit(command):
            return reason
        link.transport.write(data)
        return ""

    async def _hold_link(self) -> bool:
        """Connect, and stay until the link is gone; say whether it lived long enough to trust the next try."""
        loop = asyncio.get_running_loop()
        link = _Link(self)
        try:
            async with asyncio.timeout(ANSWER_S):
                await loop.create_unix_connection(lambda: link, str(self._path))
        except (OSError, TimeoutError):
            return False
        if self._stopped.is_set():
            link.transport.abort()
        self._link = link
        greeting = loop.call_later(ANSWER_S, link.no_answer)
        steady = not await _within(link.gone.wait(), STEADY_S)
        await link.gone.wait()
        greeting.cancel()
        self._link = None
        if self.up:
            self.up = False
            self._emit(BrokerDown(self.name, link.reason or "the exchange's process is gone"))
        return steady

    def take(self, link: "_Link", message: Any) -> None:  # noqa: ANN401 - a union of Structs has no type of its own
        """Pass on one message of the exchange."""
        if isinstance(message, Quote):
            self._emit(replace(message, received_ns=self._clock.now(), broker=self.name))
        elif isinstance(message, Hello):
            link.answered = True
            self._greet(link, message)
        else:
            if isinstance(message, BrokerUp | BrokerDown):
                self.up = isinstance(message, BrokerUp)
            self._emit(message)

    def _greet(self, link: "_Link", hello: Hello) -> None:
        """Attach to an exchange that is ours to speak to."""
        if hello.protocol != VERSION:
            raise BadMessage(f"the exchange speaks version {hello.protocol}, not {VERSION}")
        if hello.name != self.name:
            raise BadMessage(f"the exchange is {hello.name}, not {self.name}")
        link.transport.write(frame(Attach(VERSION, self._instruments)))


class _Link(asyncio.Protocol):
    """One connection to the exchange."""

    transport: asyncio.Transport

    def __init__(self, broker: RemotePaperBroker) -> None:
        self.gone = asyncio.Event()
        self.reason = ""
        self.answered = False
        self._broker = broker
        self._frames = Frames(ToClient)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._frames.feed(data):
                if not self.transport.is_closing():
                    self._broker.take(self, message)
        except BadMessage as error:
            self._broker.bad_messages += 1
            self.reason = str(error)
            self.transport.abort()

    def connection_lost(self, reason: Exception | None) -> None:
        self.reason = self.reason or str(reason or "")
        self.gone.set()

    def no_answer(self) -> None:
        """Give up on an exchange that does not say hello."""
        if not self.answered:
            self.reason = f"no hello within {ANSWER_S:g} s"
            self.transport.abort()


def read_hello(path: Path, timeout_s: float = ANSWER_S) -> Hello:
    """Give an exchange's Hello, from which a process takes its clock; raise BrokerUnavailable where none answers."""
    return _ask(path, None, timeout_s)


def shut_down(path: Path, timeout_s: float = ANSWER_S) -> None:
    """End an exchange's process and wait until it has let its socket go; raise BrokerUnavailable if it does not."""
    _ask(path, Shutdown(), timeout_s)


def _ask(path: Path, message: Struct | None, timeout_s: float) -> Hello:
    """Connect, hear the Hello, and say a word of our own if there is one; then hear the connection end."""
    frames = Frames(ToClient)
    hello: Hello | None = None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(timeout_s)
        try:
            link.connect(str(path))
            while hello is None:
                data = link.recv(4096)
                if not data:
                    raise BrokerUnavailable(f"{path} closed without a word")
                hello = next(iter(frames.feed(data)), None)
            if message is not None:
                link.sendall(frame(message))
                with_rest = link.recv(4096)
                assert not with_rest, "an exchange says nothing to who has not attached"
        except ConnectionResetError:
            pass  # that is how an aborted connection ends
        except OSError as error:
            raise BrokerUnavailable(f"{path}: {error}") from error
    if hello is None:
        raise BrokerUnavailable(f"{path} closed without a word")
    return hello


async def _within(awaited: Any, seconds: float) -> bool:  # noqa: ANN401 - whatever can be awaited
    """Say whether it happened within these seconds."""
    try:
        async with asyncio.timeout(seconds):
            await awaited
    except TimeoutError:
        return False
    return True


def _nobody(_event: Event) -> None:
    """Take an event after the end."""
