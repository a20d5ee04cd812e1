"""What a fenced process is told and says, without the fence."""

import io

import msgspec
import numpy as np
import pytest

from joed.daemon.sandbox_main import LENGTH_BYTES, Said, answer, loaded, packed, refuse_other, unpacked, write
from tests.daemon.owning import HEAD, context


def test_a_moment_goes_through_the_pipe_whole():
    """Arrays, decimals and words; the parameters are the strategy's own, and its bars are to be read only."""
    found = unpacked(packed(context(), {"n": "1"}))

    np.testing.assert_array_equal(found.minutes["A"], context().minutes["A"])
    assert (found.risk, found.watchlist, found.params) == (context().risk, context().watchlist, {"n": "1"})
    with pytest.raises(ValueError, match="read-only"):
        found.minutes["A"][0, 0] = 1.0


def test_what_was_hashed_is_what_is_loaded(tmp_path):
    """The file may have changed or gone: the bytes in hand count."""
    source = (HEAD + "def strategy(context): yield buy(context)").encode()
    strategy = loaded(str(tmp_path / "gone.py"), "", source)
    said = msgspec.msgpack.decode(answer(strategy, packed(context(), {})), type=Said)

    assert [trigger.instrument for trigger in said.triggers] == ["A"]
    with pytest.raises(ValueError, match="another than"):
        refuse_other(source, "0" * 64)


def test_an_entry_point_that_is_not_installed_is_none():
    """Its package went away since it was configured."""
    with pytest.raises(ValueError, match="not enough values"):
        loaded("", "nobodys", b"")


def test_an_answer_is_written_whole_to_a_pipe_that_takes_little():
    """A few bytes at a time, its length before it."""

    class Narrow(io.BytesIO):
        def write(self, data):
            return super().write(bytes(data[:3]))

    sink = Narrow()
    write(sink, b"0123456789")

    assert sink.getvalue() == (10).to_bytes(LENGTH_BYTES, "big") + b"0123456789"
