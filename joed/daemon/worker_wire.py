"""The words between the daemon and its worker: length-prefixed msgpack, bars and runs one way, answers the other."""

import msgspec
from msgspec import Struct

from joed.daemon.job_context import JobContext
from joed.model import events
from joed.model.commands import RunJob
from joed.model.values import Bar

LENGTH_BYTES = 4
FRAME_BYTES_MAX = 64 * 1024 * 1024


class Minutes(Struct, frozen=True, tag="Minutes"):
    """Completed minute bars, each instrument's oldest first."""

    bars: tuple[Bar, ...]


class Daily(Struct, frozen=True, tag="Daily"):
    """One instrument's whole daily history, oldest first."""

    instrument: str
    bars: tuple[Bar, ...]


class Filled(Struct, frozen=True, tag="Filled"):
    """Minute bars of the past, each instrument's oldest first, in place of what is there of these minutes."""

    bars: tuple[Bar, ...]


class Run(Struct, frozen=True, tag="Run"):
    """One job to do now; the child ends itself when it takes longer than `allowed_s` and some grace."""

    command: RunJob
    context: JobContext
    allowed_s: float


Message = Minutes | Daily | Filled | Run

Answer = (
    events.RegimeJudged
    | events.MarketScanned
    | events.WatchlistScored
    | events.TriggersMade
    | events.AnalyticsMade
    | events.SummaryWritten
    | events.CryptoRead
    | events.JobFailed
)

ENCODER = msgspec.msgpack.Encoder()
TO_CHILD: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
FROM_CHILD: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def frame(message: Message | events.Event) -> bytes:
    """Give a message as it goes through the pipe; raise ValueError when it is too long for it."""
    body = ENCODER.encode(message)
    return bounded(len(body)).to_bytes(LENGTH_BYTES, "big") + body


def length_of(prefix: bytes) -> int:
    """Read a length prefix; raise ValueError for one that no message of ours has."""
    return bounded(int.from_bytes(prefix, "big"))


def bounded(length: int) -> int:
    """Give a length back that a message may have."""
    if length > FRAME_BYTES_MAX:
        raise ValueError(f"a message of {length} bytes, at most {FRAME_BYTES_MAX}")
    return length
