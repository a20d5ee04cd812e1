"""The frames between the daemon and its worker."""

import pytest
from msgspec import msgpack

from joed.daemon import worker_wire
from joed.daemon.job_context import JobContext
from joed.daemon.worker_wire import FRAME_BYTES_MAX, FROM_CHILD, LENGTH_BYTES, TO_CHILD, Daily, Filled, Minutes, Run
from joed.model.commands import RunJob
from joed.model.events import JobFailed, SummaryWritten
from joed.model.values import Bar

BARS = (Bar("A", 1, 1.0, 2.0, 0.5, 1.5, 9.0),)


@pytest.mark.parametrize(
    "message",
    [
        Minutes(BARS),
        Filled(BARS),
        Daily("A", BARS),
        Run(RunJob("scan", 1, 2, {"scan": {"size": 3}}, ("A",)), JobContext(5), 30.0),
    ],
)
def test_each_message_comes_out_as_it_went_in(message):
    """The prefix is the body's length, the body decodes to an equal message."""
    data = worker_wire.frame(message)

    assert worker_wire.length_of(data[:LENGTH_BYTES]) == len(data) - LENGTH_BYTES
    assert TO_CHILD.decode(data[LENGTH_BYTES:]) == message


@pytest.mark.parametrize("event", [SummaryWritten(3, "text"), JobFailed("scan", 4, "why")])
def test_answers_come_out_as_they_went_in(event):
    """By their tags, as in the journal."""
    assert FROM_CHILD.decode(worker_wire.frame(event)[LENGTH_BYTES:]) == event


def test_a_length_beyond_the_bound_is_no_message():
    """Neither is one sent nor is one waited for."""
    assert worker_wire.length_of(FRAME_BYTES_MAX.to_bytes(LENGTH_BYTES, "big")) == FRAME_BYTES_MAX
    with pytest.raises(ValueError, match="at most"):
        worker_wire.length_of((FRAME_BYTES_MAX + 1).to_bytes(LENGTH_BYTES, "big"))
    with pytest.raises(ValueError, match="at most"):
        worker_wire.frame(SummaryWritten(1, "x" * (FRAME_BYTES_MAX + 1)))


def test_only_answers_are_taken_from_the_child():
    """A child cannot say that an order has filled."""
    with pytest.raises(Exception, match="Invalid value"):
        FROM_CHILD.decode(msgpack.encode({"type": "StopAsked", "reason": "mutiny"}))
