"""Events, commands and State as bytes, and the hash that chains one record to the next.

Facts are JSON, so that SQL can read them; money is text in it. Dicts keep their order: a recovered State must iterate
as the living one did. The tape and snapshots are MessagePack. The key of ids never enters any of them.
"""

import struct
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec

from joed.errors import BadMessage
from joed.model import commands, events
from joed.model.commands import Command
from joed.model.events import Event
from joed.model.state import State

Row = tuple[int, int, Event]
"""One row of tape: seq, now, event."""

GENESIS = bytes(32)
"""What stands in the place of a hash before the first record."""

SEAL = "Tape"
"""The kind of the record that stands for a block of tape in the chain."""

FLOATING = (
    events.Quote,
    events.RegimeJudged,
    events.MarketScanned,
    events.WatchlistScored,
    events.AnalyticsMade,
    events.CryptoRead,
    commands.RunJob,
)
"""What carries floats: JSON has no NaN, and a null in its place would be a record that cannot be read again."""

_json = msgspec.json.Encoder()
_pack = msgspec.msgpack.Encoder()
_event: msgspec.json.Decoder[Event] = msgspec.json.Decoder(events.ANY)
_commands: msgspec.json.Decoder[list[Command]] = msgspec.json.Decoder(list[commands.ANY])
_rows: msgspec.msgpack.Decoder[list[Row]] = msgspec.msgpack.Decoder(list[tuple[int, int, events.ANY]])
_state = msgspec.msgpack.Decoder(State)


class Seal(msgspec.Struct, frozen=True):
    """What a block's record says of it; `digest` is the SHA-256 of the block's rows as they were first stored."""

    first: int
    last: int
    count: int
    digest: str


_seal = msgspec.json.Decoder(Seal)


class Block(msgspec.Struct, frozen=True):
    """A block of tape, ready to be stored: its rows as bytes, and its seal."""

    seal: Seal
    at_ns: int
    rows: bytes


def encode_event(event: Event) -> bytes:
    """Give an event as JSON; raise BadMessage where a float in it is not a number."""
    data = _json.encode(event)
    if b"null" in data and isinstance(event, FLOATING):
        _refuse_lost(_event, data, event)
    return data


def _refuse_lost(decoder: msgspec.json.Decoder[Any], data: bytes, meant: object) -> None:
    """Raise BadMessage unless these bytes read back as what was meant."""
    try:
        same = bool(decoder.decode(data) == meant)
    except msgspec.ValidationError:
        same = False
    if not same:
        raise BadMessage(f"not a finite number in {data.decode()}")


def decode_event(data: bytes | str) -> Event:
    """Read an event; raise msgspec.DecodeError (ValidationError is one) where it is none."""
    return _event.decode(data)


def encode_commands(issued: Sequence[Command]) -> bytes:
    """Give commands as a JSON array; raise BadMessage where a job's parameter is not a finite number."""
    if not issued:
        return b"[]"
    data = _json.encode(issued)
    if b"null" in data and any(isinstance(command, FLOATING) for command in issued):
        _refuse_lost(_commands, data, list(issued))
    return data


def decode_commands(data: bytes | str) -> list[Command]:
    """Read a record's commands; raise msgspec.DecodeError where they are none."""
    return [] if data in (b"[]", "[]") else _commands.decode(data)


def kind_of(event: Event) -> str:
    """Give the word that a record's kind holds: the event's own tag, which outlives a class's name."""
    return str(type(event).__struct_config__.tag)


def encode_rows(rows: Sequence[Row]) -> bytes:
    """Give rows of tape as one block's bytes; each carries its seq, since facts may stand between them."""
    return _pack.encode(rows)


def decode_rows(data: bytes) -> list[Row]:
    """Read a block's rows; raise msgspec.DecodeError where they are none."""
    return _rows.decode(data)


def seal_rows(rows: Sequence[Row]) -> Block:
    """Pack rows of tape, at least one, into a block."""
    data = encode_rows(rows)
    seal = Seal(rows[0][0], rows[-1][0], len(rows), sha256(data).hexdigest())
    return Block(seal, rows[-1][1], data)


def encode_seal(seal: Seal) -> bytes:
    """Give a seal as the JSON of its record."""
    return _json.encode(seal)


def decode_seal(data: bytes | str) -> Seal:
    """Read a block's seal; raise msgspec.DecodeError where it is none."""
    return _seal.decode(data)


def encode_state(state: State) -> bytes:
    """Give a snapshot's bytes, without the key of ids."""
    return _pack.encode(msgspec.structs.replace(state, id_key=b""))


def decode_state(data: bytes, id_key: bytes) -> State:
    """Read a snapshot and give it its key back; raise msgspec.DecodeError where it is none."""
    state = _state.decode(data)
    state.id_key = id_key
    return state


def digest_snapshot(seq: int, at_ns: int, state: bytes) -> bytes:
    """Give the SHA-256 that stands beside a snapshot."""
    return sha256(struct.pack(">qq", seq, at_ns) + state).digest()


_lengths = struct.Struct(">qqIIII").pack


def chain(previous: bytes, seq: int, at_ns: int, session: bytes, kind: bytes, event: bytes, issued: bytes) -> bytes:
    """Give a record's hash: SHA-256 over the one before it, two 64-bit numbers, four 32-bit lengths, and the columns.

    All numbers are big-endian. The lengths keep one column's end from passing for the next one's beginning.
    """
    lengths = _lengths(seq, at_ns, len(session), len(kind), len(event), len(issued))
    return sha256(b"".join((previous, lengths, session, kind, event, issued))).digest()
