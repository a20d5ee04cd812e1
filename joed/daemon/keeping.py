"""What is done again and again beside trading: State is stored each minute, and a demo's card is signed."""

import os
from collections.abc import Callable

from joed.daemon.clock import utc_ns
from joed.daemon.counters import Counters
from joed.daemon.journal import Journal
from joed.daemon.record import encode_state
from joed.engine.card import card_of, digest_of
from joed.engine.confirming import premature
from joed.engine.view import view
from joed.model.events import Event, OperatorAsked
from joed.model.state import State
from joed.model.values import SECOND


class Keeping:
    """Looks after one State; `look` is asked after each turn and costs a few comparisons."""

    def __init__(
        self,
        state: State,
        journal: Journal,
        emit: Callable[[Event], None],
        counters: Counters,
        *,
        every_s: float,
        confirms: bool,
    ) -> None:
        """Store State each `every_s`; with `confirms` sign the card that waits, as somebody asked beforehand."""
        self._state = state
        self._journal = journal
        self._emit = emit
        self._counters = counters
        self._every_ns = int(every_s * SECOND)
        self._confirms = confirms
        self._stored_ns = 0
        self._signed_ns = 0

    def look(self) -> None:
        """Do what is due."""
        self._journal.look()
        now = self._state.now
        if now - self._stored_ns >= self._every_ns:
            self.store()
        if self._confirms and now - self._signed_ns >= SECOND:
            self._signed_ns = now
            if self._state.regime is not None and premature(self._state, now) is None:
                self._sign()

    def store(self, *, kept: bool = False) -> None:
        """Have the journal take State as it is now."""
        state = self._state
        self._stored_ns = state.now
        if state.seq:
            self._counters.snapshot_ns = utc_ns()
            self._journal.snapshot(state.seq, state.now, encode_state(state), kept=kept)

    def _sign(self) -> None:
        """Sign the day's card; a paper account's, see the composition root."""
        state = self._state
        args = {"card": digest_of(card_of(view(state)))}
        request = f"auto-{state.epoch}-{state.seq}"
        self._emit(OperatorAsked("confirm", request, os.getuid(), os.getgid(), os.getpid(), "--confirm auto", args))
