"""The worker's side of a user's own strategies: each in a fenced process, asked with a deadline, judged, ended.

One that raises, takes too long, dies or makes nonsense is a fault by its name; the others are asked on.
"""

import os
import select
import subprocess
import sys
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec.structs import replace

import joed
from joed.daemon.clock import stopwatch_ns
from joed.daemon.sandbox_main import LENGTH_BYTES, Said, packed
from joed.model.triggers import Trigger
from joed.model.values import SECOND, Crossing, Side
from joed.strategies.context import Context, Params

PREFIX = "own:"
START_S, ANSWER_S = 15.0, 2.0
ANSWER_BYTES_MAX = 1 << 20
MEMORY_MB = 768
PARAM = "params."

_said = msgspec.msgpack.Decoder(Said)


class OwnFailed(Exception):
    """A user's strategy raised, ran over its time, died or made nonsense; its words are the fault."""


class Sandbox:
    """One fenced process; it ends with its pipe."""

    def __init__(self, file: str, entry: str, digest: str) -> None:
        """Start it and wait until it has loaded; raise OwnFailed where it cannot."""
        root = str(Path(joed.__file__).parent.parent)
        words = [sys.executable, "-P", "-m", "joed.daemon.sandbox_main", file, entry, digest, str(MEMORY_MB)]
        environment = {"PYTHONPATH": root, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd="/", start_new_session=True
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        try:
            self._heard(b"", START_S)
        except OwnFailed:
            self.end()
            raise

    def ask(self, context: Context, params: dict[str, str]) -> tuple[Trigger, ...]:
        """Give its Triggers for this moment; raise OwnFailed."""
        body = packed(context, params)
        return self._heard(len(body).to_bytes(LENGTH_BYTES, "big") + body, ANSWER_S).triggers

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._process.wait()

    def _heard(self, data: bytes, allowed_s: float) -> Said:
        """Send this and give the answer, both within the time."""
        try:
            said = _said.decode(self._exchange(data, stopwatch_ns() + int(allowed_s * SECOND), allowed_s))
        except (OSError, msgspec.MsgspecError) as error:
            raise OwnFailed(f"its process answers nonsense ({error})"[:300]) from error
        if said.fault:
            raise OwnFailed(said.fault)
        return said

    def _exchange(self, data: bytes, until_ns: int, allowed_s: float) -> bytes:
        """Write and read until an answer is whole."""
        found, length = b"", -1
        while length < 0 or len(found) < length:
            left_s = (until_ns - stopwatch_ns()) / SECOND
            writers = [self._in] if data else []
            readable, writable, _ = select.select([self._out], writers, [], max(0.0, left_s))
            if not readable and not writable:
                raise OwnFailed(f"it ran over its {allowed_s:g} s")
            if writable:
                with suppress(BlockingIOError, BrokenPipeError):
                    data = data[os.write(self._in, data) :]
            if readable:
                part = os.read(self._out, 1 << 16)
                if not part:
                    raise OwnFailed(f"its process ended with status {self._process.wait()}")
                found += part
            if length < 0 and len(found) >= LENGTH_BYTES:
                length, found = int.from_bytes(found[:LENGTH_BYTES], "big"), found[LENGTH_BYTES:]
                if length > ANSWER_BYTES_MAX:
                    raise OwnFailed(f"an answer of {length} bytes, at most {ANSWER_BYTES_MAX}")
        return found


class Fenced:
    """All of the user's strategies that run: one process for each name, file and digest."""

    def __init__(self) -> None:
        """Begin with none."""
        self._running: dict[tuple[str, ...], Sandbox] = {}

    def ask(self, name: str, given: Params, context: Context) -> tuple[Trigger, ...]:
        """Give what one strategy says, its Triggers under its own name; raise OwnFailed, its process ended."""
        if context.regime not in list_of(given.get("regimes")):
            return ()
        key = (name, *(str(given.get(part, "")) for part in ("file", "entry", "digest")))
        params = {word.removeprefix(PARAM): str(value) for word, value in given.items() if word.startswith(PARAM)}
        try:
            if key not in self._running:
                self.forget(name)
                self._running[key] = Sandbox(*key[1:])
            said = self._running[key].ask(context, params)
            return tuple(judged(name, trigger, context) for trigger in said)
        except OwnFailed:
            self.forget(name)
            raise

    def forget(self, name: str) -> None:
        """End the processes of a strategy."""
        for key in [key for key in self._running if key[0] == name]:
            self._running.pop(key).end()


def list_of(value: object) -> list[object]:
    """Give a list, empty where it is none."""
    return value if isinstance(value, list) else []


def judged(name: str, trigger: Trigger, context: Context) -> Trigger:
    """Give a Trigger under its strategy's name and within the session; raise OwnFailed where it is nonsense."""
    prices = (trigger.level, trigger.stop, trigger.target, trigger.trail, trigger.risk)
    if not all(price.is_finite() for price in prices):
        raise OwnFailed(f"{trigger.instrument}: a number that is none")
    if trigger.instrument not in {candidate.instrument for candidate in context.watchlist}:
        raise OwnFailed(f"{trigger.instrument!r} is not on the watchlist"[:300])
    low, high = (trigger.stop, trigger.target) if trigger.side is Side.BUY else (trigger.target, trigger.stop)
    if not Decimal(0) < low < trigger.level < high or trigger.trail < 0:
        raise OwnFailed(f"{trigger.instrument}: stop {trigger.stop}, level {trigger.level}, target {trigger.target}")
    assert isinstance(trigger.crossing, Crossing)
    signal = f"{name}-{context.session}-{trigger.signal}"[:200]
    until_ns = min(trigger.valid_until_ns, context.close_ns)
    return replace(trigger, strategy=name, signal=signal, valid_until_ns=until_ns, risk=min(trigger.risk, context.risk))


fenced = Fenced()
"""This process's own."""
