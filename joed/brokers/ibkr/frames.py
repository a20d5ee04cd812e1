"""The bytes of the TWS wire, cut into messages: a length in four bytes, then that many of NUL-terminated fields.

Nothing here trusts the other side: a length that cannot be, a body without its last NUL and text that is no UTF-8 are a
BadMessage, and the link that carried them ends.
"""

from struct import Struct

from joed.errors import BadMessage

FRAME_BYTES_MAX = 0xFFFFFF
"""The longest message that the official client takes (its comm.py); a longer one is no message."""
SHOWN_MAX = 60
"""How much of a bad message is told."""

_LENGTH = Struct(">I")


class Frames:
    """What has come and is not a whole message yet; an offset, no copy, marks what has been taken of a read."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[list[str]]:
        """Take bytes and give the messages that are whole, each as its fields; raise BadMessage."""
        data = self._rest + data if self._rest else data
        found, at, end = [], 0, len(data)
        while end - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, at)
            if length > FRAME_BYTES_MAX:
                raise BadMessage(f"a message of {length} bytes, at most {FRAME_BYTES_MAX} can be")
            start = at + _LENGTH.size
            if end - start < length:
                break
            at = start + length
            found.append(fields_of(data[start:at]))
        self._rest = data[at:]
        return found


def fields_of(body: bytes) -> list[str]:
    """Give a message's fields."""
    try:
        fields = body.decode().split("\0")
    except UnicodeDecodeError as error:
        raise BadMessage(f"a message that is no UTF-8 at byte {error.start}: {body[:SHOWN_MAX]!r}") from error
    if fields.pop() or not fields:
        raise BadMessage(f"a message without its end: {body[-SHOWN_MAX:]!r}")
    return fields


def prefixed(body: bytes) -> bytes:
    """Give a body with its length before it."""
    return _LENGTH.pack(len(body)) + body
