"""The bytes of the TWS wire: frames of NUL-terminated fields, and how values are written and read in them."""

from decimal import Decimal, InvalidOperation
from struct import pack, unpack

SERVER_VERSION = 176
"""The newest version whose messages ib_insync knows; ib_async and the official client negotiate down to it."""
CLIENT_VERSION_MIN = 157
PREFIX = b"API\0"
FRAME_BYTES_MAX = 0xFFFFFF
"""What a TWS takes as one message; more is no client of ours."""
UNSET = "1.7976931348623157E308"
UNSET_NUMBERS = {"", "1.7976931348623157E308", "1.7976931348623157e+308", "2147483647", "Infinite"}


class BadFrame(Exception):
    """A length or a field that cannot be."""


WRITERS = {
    bool: lambda value: "1" if value else "0",
    Decimal: lambda value: format(value, "f"),
    type(None): lambda value: "",
}
"""How the values are written that are not written as Python writes them."""


def frame(*fields):
    """Give one message as bytes: its length, then each field with its NUL."""
    body = "".join([WRITERS.get(type(field), str)(field) + "\0" for field in fields]).encode()
    return pack(">I", len(body)) + body


def raw_frame(body, length=None):
    """Give a frame with any body and any length: for what no TWS should send."""
    return pack(">I", len(body) if length is None else length) + body


class Frames:
    """Cuts a stream of bytes into messages, however it was split on its way."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data):
        """Take bytes and give the bodies that are whole; raise BadFrame for a length that no client sends."""
        self.buffer += data
        bodies, at = [], 0
        while len(self.buffer) - at >= 4:
            (length,) = unpack(">I", self.buffer[at : at + 4])
            if length > FRAME_BYTES_MAX:
                raise BadFrame(f"a frame of {length} bytes")
            if len(self.buffer) - at < 4 + length:
                break
            bodies.append(bytes(self.buffer[at + 4 : at + 4 + length]))
            at += 4 + length
        del self.buffer[:at]
        return bodies


def fields_of(body):
    """Give a message's fields."""
    return body.decode(errors="backslashreplace").split("\0")[:-1]


class Fields:
    """A message's fields, read in their order; what is missing reads as empty, as in a message of an older client."""

    def __init__(self, values):
        self.values = values
        self.at = 0

    def text(self):
        """Read the next one."""
        self.at += 1
        return self.values[self.at - 1] if self.at <= len(self.values) else ""

    def texts(self, count):
        """Read the next ones."""
        return [self.text() for _ in range(count)]

    def skip(self, count):
        """Pass over some."""
        self.at += count

    def number(self, default=0):
        """Read a whole number."""
        value = self.text()
        if value in UNSET_NUMBERS:
            return default
        try:
            return int(value)
        except ValueError:
            raise BadFrame(f"{value!r} is no whole number") from None

    def flag(self):
        """Read a flag."""
        return self.text() in {"1", "true", "True"}

    def decimal(self):
        """Read a price or a quantity, None where it is unset."""
        value = self.text()
        if value in UNSET_NUMBERS:
            return None
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise BadFrame(f"{value!r} is no number") from None
        if not number.is_finite():
            raise BadFrame(f"{value!r} is no number")
        return number
