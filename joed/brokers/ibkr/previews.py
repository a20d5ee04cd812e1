"""What an order would need, asked of TWS without placing one (whatIf): where it is configured, beside all else.

A lot of each instrument that is streamed and traded, now and again, as the least urgent of all messages: no entry ever
waits for it. The engine's gate has the last answer. A preview that comes back is never taken for an order.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from joed.brokers.base import Clock, Emit
from joed.brokers.ibkr.contracts import Contracts
from joed.brokers.ibkr.pacer import Pacer, Urgency
from joed.brokers.ibkr.reading import Asker
from joed.brokers.ibkr.translate import figure, plain
from joed.model.feeds import BrokerExamined, MarginTold
from joed.model.settings import Instrument, Settings
from joed.model.values import SECOND, Side

NAME = "margin previews"
LOOK_NS = 5 * SECOND
"""How often is looked for what is to be asked."""
PENDING_MAX = 500


class Previews:
    """Asks and hears; nothing at all where `ibkr.margin_preview` is not set."""

    def __init__(
        self, name: str, settings: Settings, contracts: Contracts, *, clock: Clock, pacer: Pacer, emit: Emit
    ) -> None:
        """Ask nothing yet."""
        self.wanted: Callable[[], tuple[str, ...]] = tuple
        self._name, self._ibkr, self._contracts = name, settings.ibkr, contracts
        self._sides = (Side.BUY, Side.SELL) if settings.risk.allow_short else (Side.BUY,)
        self._universe: dict[str, Instrument] = settings.universe
        self._clock, self._pacer, self._emit = clock, pacer, emit
        self._asker: Asker | None = None
        self._make: Callable[..., Any] | None = None
        self._account = ""
        self._pending: dict[int, tuple[str, Side]] = {}
        self._asked_ns: dict[tuple[str, Side], int] = {}
        self._refused = ""

    def begin(self, asker: Asker, make: Callable[..., Any], account: str) -> None:
        """Ask over this link; `make` is the library's Order."""
        self.abort()
        if self._ibkr.margin_preview:
            self._asker, self._make, self._account = asker, make, account
            self._clock.call_at(self._clock.now() + LOOK_NS, lambda: self._look(asker))

    def abort(self) -> None:
        """Expect no answer any more."""
        self._asker, self._pending, self._asked_ns = None, {}, {}

    def _look(self, asker: Asker) -> None:
        """Ask for what was not asked for so long, and look again; the link may be another by then."""
        if asker is not self._asker:
            return
        now = self._clock.now()
        for name in self.wanted():
            row = self._universe.get(name)
            if row is None or not row.tradable or name not in self._contracts.listed:
                continue
            for side in self._sides:
                due_ns = self._asked_ns.get((name, side), 0) + int(self._ibkr.preview_s * SECOND)
                if now >= due_ns and len(self._pending) < PENDING_MAX:
                    self._asked_ns[name, side] = now
                    self._pacer.when(Urgency.PAST, partial(self._send, asker, name, side))
        self._clock.call_at(now + LOOK_NS, lambda: self._look(asker))

    def _send(self, asker: Asker, name: str, side: Side) -> None:
        listed = self._contracts.listed.get(name)
        if asker is not self._asker or self._make is None or listed is None:
            return
        number = asker.next_id()
        self._pending[number] = (name, side)
        fields = {"action": side.value, "orderType": "MKT", "tif": "DAY", "account": self._account, "whatIf": True}
        order = self._make(orderId=number, totalQuantity=plain(self._universe[name].lot), **fields)
        asker.send("placeOrder", number, listed.contract, order)
        self._clock.call_at(self._clock.now() + int(self._ibkr.answer_s * SECOND), lambda: self._forget(number))

    def _forget(self, number: int) -> None:
        self._pending.pop(number, None)

    def take(self, number: int, state: Any) -> None:
        """Take an answer; the library's OrderState. One without figures, or too late, says nothing."""
        asked = self._pending.pop(number, None)
        change, before = figure(f"{state.initMarginChange}"), figure(f"{state.initMarginBefore}")
        equity = figure(f"{state.equityWithLoanBefore}")
        if asked is None or change is None or before is None or equity is None:
            return
        name, side = asked
        self._emit(MarginTold(self._name, name, side, self._universe[name].lot, change, equity - before))
        if self._refused:
            self._refused = ""
            self._emit(BrokerExamined(self._name, NAME, ok=True, words="answered"))

    def refused(self, number: int, code: int, words: str) -> bool:
        """Take an error about a preview, which is told once; False where it is about none."""
        asked = self._pending.pop(number, None)
        if asked is None:
            return False
        said = f"{asked[0]}: {code}: {words}"
        if not self._refused:
            self._refused = said
            self._emit(BrokerExamined(self._name, NAME, ok=False, words=said))
        return True
