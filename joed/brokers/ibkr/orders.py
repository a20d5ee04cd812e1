"""The orders of this client as TWS's own messages tell them, and the events that follow; no library's state is asked.

An order is found by its orderRef, which is our id; its number is TWS's for this client, its permId the account's. A
status may come twice or not at all: executions count, and a word that changes nothing is told once.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from joed.brokers.base import Clock
from joed.brokers.ibkr.codes import Means, Row
from joed.brokers.ibkr.outbox import Outbox
from joed.brokers.ibkr.translate import (
    OVER,
    UNSENT,
    WAITS_FOR_PARENT,
    WORKING,
    Fields,
    Ticket,
    fields_of,
    level_of,
    quantity,
)
from joed.model.events import (
    AmendRejected,
    CancelRejected,
    Event,
    OrderAccepted,
    OrderCancelled,
    OrderDoubted,
    OrderExpired,
    OrderRejected,
    OrderWorking,
)
from joed.model.values import SECOND, ZERO, Status

KEPT_MAX = 20_000
"""Orders that are remembered; of those that are over the oldest go first."""
OWNERS_MAX = 50_000
"""Numbers of all clients' orders that are remembered; the oldest go first."""
FINAL = frozenset({"rejected", "not_allowed", "no_permission"})
"""Refusals that end even an order that was acknowledged before: IBKR's servers look later than TWS does."""

ENDED_CODE, EXPIRED = "202:", "expire"
"""The number whose words tell how an order ended, and what they say of one whose time was over."""


@dataclass(slots=True)
class Held:
    """One order of ours: what was said of it, what was told, and what it was asked and has not answered."""

    order: str
    number: int
    contract: Any
    fields: Fields
    perm: int = 0
    words: str = ""
    held: str | None = None
    total: Decimal = ZERO
    filled: Decimal = ZERO
    level: Decimal | None = None
    told: tuple[Decimal, Decimal | None] | None = None
    accepted: bool = False
    doubted: bool = False
    ended: bool = False
    missing: bool = False
    cancels: int = 0
    asked: tuple[Decimal, Decimal | None] | None = None
    asked_ns: int = 0
    reason: str = ""

    @property
    def works(self) -> bool:
        """Say whether it can be executed now, as far as TWS said."""
        return not self.ended and self.told is not None


class Orders:
    """All of them. While `quiet`, what is heard is learned and not told: the reading that follows tells it."""

    def __init__(self, client_id: int, clock: Clock, outbox: Outbox) -> None:
        """Begin with none."""
        self.quiet = True
        self.by_ref: dict[str, Held] = {}
        self.by_number: dict[int, Held] = {}
        self.owners: dict[str, tuple[int, int]] = {}
        """The client and number that stand behind each permId, whosever it is."""
        self.highest = 0
        self._client_id = client_id
        self._clock = clock
        self._outbox = outbox

    def add(self, ticket: Ticket, number: int, contract: Any) -> Held:
        """Know a new order from here on."""
        self._prune()
        held = Held(ticket.order, number, contract, ticket.fields)
        self.by_ref[ticket.order] = self.by_number[number] = held
        self.highest = max(self.highest, number)
        return held

    def begin(self) -> None:
        """Learn anew over another link: what was asked over the last one is not answered any more."""
        self.quiet = True
        for held in self.by_ref.values():
            held.cancels, held.asked, held.reason = 0, None, ""

    def settle(self, living: set[int]) -> None:
        """Take those that a whole reading does not show among the living for over, and speak again."""
        for held in self.by_ref.values():
            if not held.ended and held.number not in living:
                held.ended = held.missing = True
        self.quiet = False

    def open_order(self, number: int, contract: Any, order: Any, state: Any) -> None:
        """Take an order's terms; the library's Contract, Order and OrderState."""
        if len(self.owners) >= OWNERS_MAX:
            self.owners.pop(next(iter(self.owners)))
        self.owners[str(order.permId)] = (order.clientId, number)
        if order.clientId != self._client_id or number <= 0 or not order.orderRef:
            return
        held = self.by_number.get(number)
        if held is None or held.order != order.orderRef:
            held = self.add(Ticket(order.orderRef, {}), number, contract)
        if held.missing:  # it came after all: what was on its way when its link went
            held.ended = held.missing = False
        held.contract = held.contract or contract
        held.fields = {**held.fields, **fields_of(order)}
        held.perm = order.permId or held.perm
        held.total, held.level = quantity(order.totalQuantity), level_of(order)
        answered = held.asked is not None and (held.total, held.level) == held.asked
        if answered:
            held.asked = None
        self._advance(held, state.status, again=answered)

    def order_status(self, number: int, status: str, filled: float, remaining: float, *rest: Any) -> None:
        """Take where an order stands."""
        _average, perm, _parent, _last, client_id, held_for, *_ = rest
        held = self.by_number.get(number) if client_id == self._client_id else None
        if held is None:
            return
        held.perm, held.held = perm or held.perm, held_for
        held.filled = max(held.filled, quantity(filled))
        if status in WORKING:
            held.total = quantity(filled) + quantity(remaining)
        self._advance(held, status)

    def executed(self, execution: Any) -> None:
        """Take that an order fills: it was accepted, whether or not that was said."""
        held = self.by_ref.get(execution.orderRef)
        if held is not None and execution.clientId == self._client_id:
            held.perm = execution.permId or held.perm
            held.filled = max(held.filled, quantity(execution.cumQty))
            self._accept(held)

    def error(self, number: int, code: int, row: Row, words: str) -> bool:
        """Take a number and its words about an order; False where it is about no order of ours."""
        held = self.by_number.get(number)
        if held is None:
            return False
        held.reason = said = f"{code}: {words}"
        if row.means is Means.ENDED:
            self._outbox.put_words(held.order, words)
        if row.means is Means.DOUBT:
            self.doubt(held, said)
        elif row.means in (Means.REFUSED, Means.UNKNOWN, Means.NO_DATA, Means.GONE):
            self._refuse(held, row, said)
        return True

    def doubt(self, held: Held, reason: str) -> None:
        """Say that nothing is known of what became of a new order; once."""
        if not (held.accepted or held.ended or held.doubted):
            held.doubted = True
            self._tell(OrderDoubted(held.order, reason))

    def unanswered(self, held: Held, after_s: float) -> bool:
        """Say whether terms that were asked for are still to be answered."""
        return held.asked is not None and self._clock.now() - held.asked_ns < int(after_s * SECOND)

    def _refuse(self, held: Held, row: Row, said: str) -> None:
        """Let a refusal be about what was asked last."""
        if held.cancels:
            held.cancels -= 1
            self._tell(CancelRejected(held.order, said))
        elif held.asked is not None:
            held.asked = None
            self._tell(AmendRejected(held.order, said))
        elif not held.ended and not held.filled and (not held.accepted or row.code in FINAL):
            held.ended = True
            self._tell(OrderRejected(held.order, row.code or "no_parent", said))

    def _advance(self, held: Held, words: str, *, again: bool = False) -> None:
        """Tell what a status adds to what was told; `again` is the answer to terms that may be the old ones."""
        held.words = words
        if held.ended or words in UNSENT:
            return
        if words == "Inactive":
            self._idle(held)
            return
        self._accept(held)
        if words in OVER:
            self._end(held, OVER[words])
        elif words == "Submitted" or (words in WORKING and held.held is not None and not _waits(held)):
            terms = (held.total, held.level)
            if terms != held.told or again:
                held.told, held.doubted = terms, False
                self._tell(OrderWorking(held.order, held.total - held.filled, held.level))

    def _accept(self, held: Held) -> None:
        if not held.accepted and held.perm:
            held.accepted = True
            self._tell(OrderAccepted(held.order, str(held.perm)))

    def _end(self, held: Held, status: Status) -> None:
        """Note the end; a fill tells itself."""
        held.ended = True
        if status is not Status.CANCELLED:
            return
        asked, held.cancels = held.cancels > 0, max(0, held.cancels - 1)
        if self.quiet:
            return
        if asked or held.reason.startswith(ENDED_CODE):
            self._outbox.put(_ended(held.order, held.reason))
        else:
            self._outbox.put_end(held.order, lambda words: _ended(held.order, words))

    def _idle(self, held: Held) -> None:
        """Doubt an order that was acknowledged and does nothing: margin, a closed exchange, or a refusal to come."""
        if held.accepted and not held.doubted:
            held.doubted, held.told = True, None
            self._tell(OrderDoubted(held.order, held.reason or "TWS shows it as inactive"))

    def _tell(self, event: Event) -> None:
        if not self.quiet:
            self._outbox.put(event)

    def _prune(self) -> None:
        """Forget the oldest that are over, where there are too many."""
        if len(self.by_ref) >= KEPT_MAX:
            over = [held for held in self.by_ref.values() if held.ended]
            for held in over[: KEPT_MAX // 10]:
                del self.by_ref[held.order]
                self.by_number.pop(held.number, None)


def _ended(order: str, words: str) -> Event:
    """Give the end that these words tell."""
    return OrderExpired(order) if EXPIRED in words.lower() else OrderCancelled(order, words)


def _waits(held: Held) -> bool:
    return WAITS_FOR_PARENT in (held.held or "").split(",")
