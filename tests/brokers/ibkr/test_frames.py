"""joed.brokers.ibkr.frames: bytes become messages, however they were split, and what is no message is refused."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.brokers.ibkr.frames import FRAME_BYTES_MAX, Frames, fields_of, prefixed
from joed.errors import BadMessage

MESSAGES = [["9", "1", "100"], ["4", "2", "-1", "2104", "Market data farm connection is OK:usfarm", ""], ["62", "1"]]


def wire(messages):
    """Give messages as TWS sends them."""
    return b"".join(prefixed("".join(f"{field}\0" for field in fields).encode()) for fields in messages)


@given(st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=200))
def test_messages_are_the_same_wherever_the_network_cut_them(cuts):
    """A message may come byte by byte, and many may come at once."""
    frames, data, found = Frames(), wire(MESSAGES), []
    for cut in cuts:
        found += frames.feed(data[:cut])
        data = data[cut:]
    found += frames.feed(data)

    assert found == MESSAGES


def test_an_empty_field_at_the_end_is_a_field():
    """Fields end in NUL, they are not parted by it."""
    assert fields_of(b"81\x007\x00\x00") == ["81", "7", ""]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pack(">I", 0xFFFFFFF0) + b"9\0", "4294967280 bytes"),
        (pack(">I", FRAME_BYTES_MAX + 1), "16777216 bytes"),
        (prefixed(b""), "without its end"),
        (prefixed(b"9\x001"), "without its end"),
        (prefixed(b"4\x00caf\xe9\x00"), "no UTF-8 at byte 5"),
    ],
)
def test_what_is_no_message_is_refused_in_words(data, words):
    """A length that cannot be is never waited for: memory has a bound, whatever the other side claims."""
    with pytest.raises(BadMessage, match=words):
        Frames().feed(data)


def test_the_longest_message_that_may_be_is_waited_for():
    """Up to the official client's own bound, the rest of it may still be under way."""
    frames = Frames()

    assert frames.feed(pack(">I", FRAME_BYTES_MAX) + b"17\0") == []
