"""The words between joed and an exchange in a process of its own: msgpack frames behind a length of four bytes."""

from typing import Any

import msgspec
from msgspec import Struct

from joed.errors import BadMessage
from joed.model import events as e
from joed.model.commands import AmendOrder, CancelForeign, CancelOrder, ReadBroker, SubmitOrder

VERSION = 2
FRAME_BYTES_MAX = 1 << 20
"""A longer frame is no frame of ours."""
LENGTH_BYTES = 4


class Hello(Struct, frozen=True, tag="Hello"):
    """The exchange's first word to whoever connects: what it is, and its time.

    A RealClock of `origin_ns`, `speed` and `base_ns` (the boot time of the origin) shows the same time elsewhere.
    """

    protocol: int
    name: str
    account: str
    mode: str
    now_ns: int
    origin_ns: int
    base_ns: int
    speed: float
    pid: int


class Attach(Struct, frozen=True, tag="Attach"):
    """Make this connection the one that trades; None streams all instruments."""

    protocol: int
    instruments: tuple[str, ...] | None = None


class Subscribe(Struct, frozen=True, tag="Subscribe"):
    """Stream the quotes of exactly these."""

    instruments: tuple[str, ...]


class Shutdown(Struct, frozen=True, tag="Shutdown"):
    """End the exchange's process in order."""


ToClient = (
    Hello
    | e.Quote
    | e.BrokerUp
    | e.BrokerDown
    | e.BrokerRead
    | e.RateSeen
    | e.OrderAccepted
    | e.OrderWorking
    | e.OrderFilled
    | e.OrderCancelled
    | e.OrderExpired
    | e.OrderRejected
    | e.OrderDoubted
    | e.CancelRejected
    | e.AmendRejected
)
ToServer = Attach | Subscribe | Shutdown | SubmitOrder | AmendOrder | CancelOrder | CancelForeign | ReadBroker

_ENCODER = msgspec.msgpack.Encoder()


def frame(message: Struct) -> bytes:
    """Give a message as its bytes on the wire; raise BadMessage where it is too long."""
    data = _ENCODER.encode(message)
    if len(data) > FRAME_BYTES_MAX:
        raise BadMessage(f"{type(message).__name__} of {len(data)} bytes, at most {FRAME_BYTES_MAX}")
    return len(data).to_bytes(LENGTH_BYTES, "big") + data


class Frames:
    """What has come of a stream of frames, cut into messages."""

    def __init__(self, words: Any) -> None:  # noqa: ANN401 - a union of Structs has no type of its own
        """Read the messages of one direction."""
        self._decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(words)
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """Give the messages that these bytes complete; raise BadMessage where they can be none."""
        self._bytes += data
        messages, at = [], 0
        while len(self._bytes) - at >= LENGTH_BYTES:
            length = int.from_bytes(self._bytes[at : at + LENGTH_BYTES], "big")
            if length > FRAME_BYTES_MAX:
                raise BadMessage(f"a frame of {length} bytes, at most {FRAME_BYTES_MAX}")
            end = at + LENGTH_BYTES + length
            if len(self._bytes) < end:
                break
            try:
                messages.append(self._decoder.decode(memoryview(self._bytes)[at + LENGTH_BYTES : end].tobytes()))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise BadMessage(f"a frame of {length} bytes: {error}") from error
            at = end
        del self._bytes[:at]
        return messages
