"""This machine does not fall asleep while something is open at a broker: a lock of logind's, held by a child process.

`systemd-inhibit` asks logind; the lock lasts as long as the child's input is open, so it goes with us however we end.
A block is what is asked for first, and a delay (some seconds) where joed may not have that (docs/operations.md).
"""

import asyncio
import contextlib
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence

from joed.daemon.log import Log
from joed.daemon.worker import PRIVATE
from joed.model.state import State

LOOK_EVERY_S = 2.0
SETTLED_S = 1.0
"""A lock that logind refuses is refused by then."""
TRIES_S = 600.0
"""How long to wait after a refusal: logind may be restarted, or the rule installed."""
WORDS = ("--what=sleep", "--who=joed", "--why=positions or orders are open at a broker")
PROGRAM = ("systemd-inhibit", *WORDS)
HOLDER = ("cat",)
"""What the lock lives with: it ends when its input does."""
MODES = ("block", "delay")


class Awake:
    """Holds the lock while State has something at stake."""

    def __init__(self, state: State, log: Log, program: Sequence[str] = PROGRAM) -> None:
        """Look at this State; a machine without logind is told of once, and so is a lock that is only a delay."""
        self._state, self._log, self._program = state, log, program
        self._holder: Process | None = None
        self._told = ""
        self._wait_s = 0.0

    @property
    def held(self) -> bool:
        """Say whether there is a lock now."""
        return self._holder is not None and self._holder.returncode is None

    async def run(self) -> None:
        """Look until cancelled, then let go."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            await self._let_go()

    async def look(self) -> None:
        """Take the lock, or let it go."""
        if not exposed(self._state):
            await self._let_go()
            self._wait_s = 0.0
        elif not self.held:
            self._wait_s -= LOOK_EVERY_S
            if self._wait_s <= 0:
                await self._take()

    async def _take(self) -> None:
        said = ""
        for mode in MODES:
            try:
                said = await self._hold(mode)
            except OSError as error:
                said = f"{self._program[0]}: {error.strerror}"
                break
            if not said:
                self._tell("sleep_inhibited" if mode == "block" else "sleep_only_delayed", mode)
                return
        self._wait_s = TRIES_S
        self._tell("sleep_not_inhibited", said)

    async def _hold(self, mode: str) -> str:
        """Start a child that holds a lock of this mode; give what it said where it got none."""
        words = (*self._program, f"--mode={mode}", *HOLDER)
        environ = {name: value for name, value in os.environ.items() if name not in PRIVATE}
        child = await asyncio.create_subprocess_exec(*words, stdin=PIPE, stdout=DEVNULL, stderr=PIPE, env=environ)
        try:
            async with asyncio.timeout(SETTLED_S):
                await child.wait()
        except TimeoutError:
            self._holder = child
            return ""
        assert child.stderr is not None
        said = (await child.stderr.read(2000)).decode(errors="replace").strip()
        return said or f"it ended with {child.returncode}"

    async def _let_go(self) -> None:
        child, self._holder = self._holder, None
        if child is None:
            return
        assert child.stdin is not None
        child.stdin.close()
        try:
            async with asyncio.timeout(SETTLED_S):
                await child.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    def _tell(self, event: str, words: str) -> None:
        if event != self._told:
            self._told = event
            self._log.put("info" if event == "sleep_inhibited" else "warning", event, {"reason": words})


def exposed(state: State) -> bool:
    """Say whether anything is at a broker: a position, or an order that may be alive there."""
    return any(position.quantity for position in state.positions.values()) or any(
        order.live for order in state.orders.values()
    )
