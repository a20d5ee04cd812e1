"""A user's own strategy in a process of its own: fenced in before its first line runs, asked over a pipe.

It gets what ours get, a Context, and gives Triggers; it has no network, no files but Python's, no credentials.
"""

import io
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from hashlib import sha256
from importlib import metadata
from importlib.abc import SourceLoader
from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np
from msgspec import Struct

from joed.analysis.indicators import COLUMNS, Floats
from joed.attached import GROUP, code_of
from joed.daemon.fence import raise_fence
from joed.model.events import Candidate
from joed.model.triggers import Trigger
from joed.strategies.context import Context

FUNCTION = "strategy"
LENGTH_BYTES = 4
TRIGGERS_MAX = 500

Own = Callable[[Context], Iterable[Trigger]]


class Asked(Struct, frozen=True):
    """A Context as it goes through the pipe: arrays as the bytes of float64 rows."""

    now_ns: int
    session: str
    open_ns: int
    close_ns: int
    regime: str
    watchlist: tuple[Candidate, ...]
    params: dict[str, str]
    minutes: dict[str, bytes]
    daily: dict[str, bytes]
    prices: dict[str, float]
    positions: dict[str, Decimal]
    ticks: dict[str, Decimal]
    risk: Decimal


class Said(Struct, frozen=True):
    """What came of it: Triggers, or why there are none."""

    triggers: tuple[Trigger, ...] = ()
    fault: str = ""


_asked = msgspec.msgpack.Decoder(Asked)
_encoder = msgspec.msgpack.Encoder()


def packed(context: Context, params: dict[str, str]) -> bytes:
    """Give a Context as the pipe takes it."""
    asked = Asked(
        now_ns=context.now_ns,
        session=context.session,
        open_ns=context.open_ns,
        close_ns=context.close_ns,
        regime=context.regime,
        watchlist=context.watchlist,
        params=params,
        minutes={name: bars.tobytes() for name, bars in context.minutes.items()},
        daily={name: bars.tobytes() for name, bars in context.daily.items()},
        prices=context.prices,
        positions=context.positions,
        ticks=context.ticks,
        risk=context.risk,
    )
    return _encoder.encode(asked)


def unpacked(data: bytes) -> Context:
    """Give the Context that the pipe brought."""
    asked = _asked.decode(data)
    fields = {name: getattr(asked, name) for name in Asked.__struct_fields__}
    fields["params"] = dict(asked.params)
    for name in ("minutes", "daily"):
        fields[name] = {symbol: rows_of(data) for symbol, data in fields[name].items()}
    return Context(**fields)


def rows_of(data: bytes) -> Floats:
    """Give the bars that these bytes are, to be read only."""
    return np.frombuffer(data, np.float64).reshape(-1, COLUMNS)


class Held(SourceLoader):
    """Loads a module from source that is in hand already: what was hashed is what runs."""

    def __init__(self, file: str, source: bytes) -> None:
        """Hold the source of this file."""
        self._file, self._source = file, source

    def get_filename(self, _name: str) -> str:
        """Give the name that a traceback shows."""
        return self._file

    def get_data(self, _path: str) -> bytes:
        """Give the source."""
        return self._source


def loaded(file: str, entry: str, source: bytes) -> Own:
    """Give the strategy of a file, or of an entry point; raise where there is none."""
    if entry:
        (found,) = metadata.entry_points(group=GROUP, name=entry)
        strategy = found.load()
    else:
        module = ModuleType("own")
        Held(file, source).exec_module(module)
        strategy = getattr(module, FUNCTION, None)
    if not callable(strategy):
        raise TypeError(f"there is no function {FUNCTION}(context) in {file or entry}")
    own: Own = strategy
    return own


def answer(strategy: Own, data: bytes) -> bytes:
    """Ask the strategy and give what it said; whatever it raises is said too."""
    try:
        triggers = tuple(strategy(unpacked(data)))
        if len(triggers) > TRIGGERS_MAX:
            return _encoder.encode(Said(fault=f"{len(triggers)} triggers, at most {TRIGGERS_MAX}"))
        if not all(isinstance(trigger, Trigger) for trigger in triggers):
            return _encoder.encode(Said(fault="it gave something else than triggers"))
        return _encoder.encode(Said(triggers))
    except Exception as error:  # noqa: BLE001 - it is anybody's code; its fault is an answer
        return _encoder.encode(Said(fault=f"{type(error).__name__}: {error}"[:300]))


def write(sink: io.RawIOBase, body: bytes) -> None:
    """Send an answer, whole."""
    data = memoryview(len(body).to_bytes(LENGTH_BYTES, "big") + body)
    while data:
        data = data[sink.write(data) or 0 :]


def refuse_other(source: bytes, digest: str) -> None:
    """Refuse code that is another than what was configured."""
    if digest and sha256(source).hexdigest() != digest:
        raise ValueError("the code is another than what was configured: joectl reload")


def main(arguments: Sequence[str]) -> int:
    """Serve on stdin and stdout: file, entry, digest ("" asks for none) and the memory in MiB."""
    file, entry, digest, memory_mb = arguments
    sink = os.fdopen(os.dup(1), "wb", buffering=0)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    with sink, os.fdopen(os.dup(0), "rb") as pipe:
        try:
            source = Path(file).read_bytes() if file else code_of(entry)
            refuse_other(source, digest)
            raise_fence([], int(memory_mb))
            strategy = loaded(file, entry, source)
        except Exception as error:  # noqa: BLE001 - as above
            write(sink, _encoder.encode(Said(fault=f"{type(error).__name__}: {error}"[:300])))
            return 1
        write(sink, _encoder.encode(Said()))
        while len(prefix := pipe.read(LENGTH_BYTES)) == LENGTH_BYTES:
            write(sink, answer(strategy, pipe.read(int.from_bytes(prefix, "big"))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
