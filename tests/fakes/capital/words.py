"""What every part of the fake says and raises: a refusal in the server's words, its times, its ids, its JSON."""

import datetime as dt
import socket
import struct

import msgspec

from joed.model.values import SECOND

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
HOUR_S = 3_600
ENCODER = msgspec.json.Encoder(decimal_format="number")


class Refused(Exception):
    """An answer other than 200: the status and the errorCode."""

    def __init__(self, status, code):
        super().__init__(code)
        self.status, self.code = status, code


def encoded(body):
    """Give JSON bytes; a Decimal is written digit by digit."""
    return ENCODER.encode(body)


def written(at_ns, *, offset_h=0, millis=True):
    """Write a time as the server does: no zone suffix; local times are shifted by the account's offset."""
    moment = EPOCH + dt.timedelta(microseconds=at_ns // 1_000 + int(offset_h * HOUR_S) * 1_000_000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{moment.microsecond // 1_000:03d}" if millis else "")


def both(name, at_ns, offset_h, utc="UTC"):
    """Give a time field and its UTC twin."""
    return {name: written(at_ns, offset_h=offset_h), f"{name}{utc}": written(at_ns)}


def asked_ns(text, code):
    """Read a time of a request: UTC, to the second, without a zone; refuse everything else with the code."""
    try:
        moment = dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=dt.UTC)
    except ValueError:
        raise Refused(400, code) from None
    return int((moment - EPOCH).total_seconds()) * SECOND


def reset(transport):
    """End a connection by a reset: the peer sees an error, not the end of a stream."""
    if transport is None or transport.is_closing():
        return
    if (link := getattr(transport, "link", None)) is not None:  # of the virtual loop
        link.reset()
        return
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Ids:
    """Deal ids and references, each once, in the shape of theirs and the same in every run."""

    def __init__(self):
        self.made = 0

    def deal(self):
        """Give an id for an order or a position."""
        self.made += 1
        return f"{self.made:08d}-5897-786d-0485-65e8{self.made:08x}"

    def reference(self):
        """Give a reference for an order."""
        self.made += 1
        return f"o_{self.made:08x}-2d4e-4a7b-9c1f-{self.made:012x}"
