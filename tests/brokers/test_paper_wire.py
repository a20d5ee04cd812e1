"""Frames: whatever the stream's cuts, the same messages; whatever the bytes, messages or BadMessage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joed.brokers.paper_wire import FRAME_BYTES_MAX, Attach, Frames, Shutdown, Subscribe, ToClient, ToServer, frame
from joed.errors import BadMessage
from joed.model.commands import CancelOrder
from joed.model.events import BrokerDown, Quote
from tests.brokers.rigs import bracket

WORDS = [Attach(1, ("AAA",)), Subscribe(("BBB",)), bracket(), CancelOrder("E1", "why"), Shutdown()]


@given(cuts=st.lists(st.integers(1, 40), max_size=200))
def test_messages_come_out_as_they_went_in_however_the_stream_is_cut(cuts):
    """Byte by byte or all at once."""
    stream = b"".join(map(frame, WORDS))
    frames, got = Frames(ToServer), []

    for cut in cuts:
        piece, stream = stream[:cut], stream[cut:]
        got += frames.feed(piece)
    got += frames.feed(stream)

    assert got == WORDS


@given(noise=st.binary(max_size=300))
def test_any_bytes_are_messages_or_a_bad_message(noise):
    """Never another exception, never a guess."""
    try:
        messages = Frames(ToClient).feed(noise)
    except BadMessage:
        return
    assert isinstance(messages, list)


def test_a_frame_longer_than_the_cap_is_refused_before_it_has_come():
    """Its length alone is enough; at the cap it is still read."""
    with pytest.raises(BadMessage, match="a frame of 1048577 bytes, at most 1048576"):
        Frames(ToServer).feed((FRAME_BYTES_MAX + 1).to_bytes(4, "big"))
    assert Frames(ToServer).feed(FRAME_BYTES_MAX.to_bytes(4, "big")) == []


def test_a_message_longer_than_the_cap_is_not_sent():
    """The sender hears of it, not the other end."""
    with pytest.raises(BadMessage, match="BrokerDown of"):
        frame(BrokerDown("paper", "x" * FRAME_BYTES_MAX))


def test_a_word_of_the_other_direction_is_a_bad_message():
    """An exchange is sent no quotes."""
    with pytest.raises(BadMessage):
        Frames(ToServer).feed(frame(Quote("AAA", 1.0, 2.0)))
