"""Orders on their way: one POST, PUT or DELETE each, what its answer proves, and the events that tell it.

Nothing is sent twice. An answer that is lost leaves the order in doubt, and only the books tell (books, evidence).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any

from joed.brokers.base import Clock, Permit
from joed.brokers.capital.books import Books, end, fill, rest
from joed.brokers.capital.evidence import apart, taken
from joed.brokers.capital.faults import Fault, Refused, SessionOver, refusal_code
from joed.brokers.capital.ledger import Intent, Ledger, Stage
from joed.brokers.capital.limiter import Kind, Lane
from joed.brokers.capital.pause import Patience, pause
from joed.brokers.capital.session import Session
from joed.brokers.capital.shapes import Confirm, Reference
from joed.brokers.capital.whole import Whole
from joed.brokers.capital.wire import decode, encode, finite, utc_ns, written_utc
from joed.errors import BadMessage, BrokerUnavailable
from joed.model.commands import CancelForeign, CancelOrder, SubmitOrder
from joed.model.events import (
    CancelRejected,
    Event,
    OrderDoubted,
    OrderRejected,
)
from joed.model.settings import Capital
from joed.model.values import SECOND, Status

IMAGE_NS = 2 * SECOND
"""How old the look may be that an order's before-image is taken from."""
ARM_TRIES = 2
"""How often an order is written down whose look at the account grew too old meanwhile: a disk may be slow once."""
CONFIRM_S = (0.2, 0.3, 0.5, 1.0, 1.0, 2.0, 2.0, 3.0, 4.0)
"""The waits between two questions for a confirmation, the last for ever."""
PROOF_S = (0.0, 0.2, 0.5, 1.0, 2.0)
"""The waits before the questions whether an amendment shows."""

Tell = Callable[[Iterable[Event]], None]


class Desk:
    """Carries out orders at one account."""

    def __init__(
        self,
        settings: Capital,
        clock: Clock,
        session: Session,
        ledger: Ledger,
        books: Books,
        look: Callable[[int], Awaitable[Whole]],
    ) -> None:
        """Send over this session; `look` gives one at positions and working orders that is no older than so much."""
        self.hands: dict[str, int] = {}
        self.skew_ns = 0
        self.hasten: Callable[[], None] = lambda: None
        self._settings = settings
        self._clock = clock
        self._session = session
        self._ledger = ledger
        self._books = books
        self._look = look
        self._deals: dict[str, asyncio.Lock] = {}
        self._waiting: dict[str, Patience] = {}

    def hold(self, order: str) -> None:
        """Keep the books from judging an order while it is being carried out."""
        self.hands[order] = self.hands.get(order, 0) + 1

    def release(self, order: str) -> None:
        """Let the books judge it again."""
        self.hands[order] -= 1
        if not self.hands[order]:
            del self.hands[order]

    @contextmanager
    def _in_hand(self, order: str) -> Iterator[None]:
        """Hold an order for as long as this lasts."""
        self.hold(order)
        try:
            yield
        finally:
            self.release(order)

    async def enter(
        self, command: SubmitOrder, intent: Intent, permit: Permit, image: Whole | None, tell: Tell
    ) -> None:
        """Open a position with its stop and target in the same POST, or rest an order for one."""
        with self._in_hand(intent.order):
            patience = Patience(self._clock, command.expires_at_ns)
            self._waiting[intent.order] = patience
            try:
                async with patience:
                    await self._arm(intent, image)
                    intent.reference = await self._post(intent, lambda: permit(command) or patience.begin())
            except (BrokerUnavailable, BadMessage, TimeoutError) as error:
                await self._failed(intent, patience, error, tell)
                return
            finally:
                del self._waiting[intent.order]
            intent.stage = Stage.SENT
            self._put(intent)
            await self._confirm(intent, tell)
        if intent.cancel:
            await self.cancel(CancelOrder(intent.order, intent.cancel), lambda _command: "", tell)

    async def _post(self, intent: Intent, permit: Callable[[], str]) -> str:
        """Send an order, once, and give its reference."""
        path = "/workingorders" if intent.rests else "/positions"
        body = encode(self._body(intent))
        answer = await self._session.write("POST", path, Lane.ORDER, body=body, kind=Kind.CREATE, permit=permit)
        reference = decode(Reference, answer).deal_reference
        if not reference:
            raise BadMessage("an answer without a reference")
        return reference

    async def _failed(self, intent: Intent, patience: Patience, error: Exception, tell: Tell) -> None:
        """Tell what a failure proves: that not one byte left, a refusal, or nothing."""
        if not patience.begun and intent.cancel:
            self._keep(intent, list(end(intent, Status.CANCELLED, intent.cancel)), tell)
        elif not patience.begun:
            self._refused(intent, "not_sent", patience.words or str(error), tell)
        elif isinstance(error, Refused):
            self._refused(intent, refusal_code(error.code), error.words, tell)
            await self._mend(error)
        else:
            self._doubt(intent, str(error), tell)

    async def _arm(self, intent: Intent, image: Whole | None) -> None:
        """Write an order down with what lives in the account, by a look that is still young as the order leaves.

        A long wait for its turn comes before: what is written down is the moment at which it leaves. The turn itself is
        taken directly before the bytes, for by these the service counts, and a disk takes now more and now less.
        """
        for _ in range(ARM_TRIES):
            await self._session.ready(Lane.ORDER, Kind.CREATE)
            if image is None or self._clock.now() - image.from_ns > IMAGE_NS:
                image = await self._look(IMAGE_NS)
            intent.before = image.deals
            intent.sent_ns = self._clock.now() + self.skew_ns
            intent.changed_ns = self._clock.now()
            await self._ledger.arm(intent)
            if self._clock.now() - image.from_ns <= IMAGE_NS:
                return
        raise BrokerUnavailable("the disk took too long to write the order down")

    def _body(self, intent: Intent) -> dict[str, Any]:
        """Give the body of an order: absolute levels, so that even a lost one is born with its stop."""
        body: dict[str, Any] = {
            "epic": intent.epic,
            "direction": intent.side.value,
            "size": intent.quantity,
            "guaranteedStop": False,
            "trailingStop": False,
            "stopLevel": intent.stop,
        }
        if intent.target is not None:
            body["profitLevel"] = intent.target
        if intent.rests:
            until_ns = self._clock.now() + self.skew_ns + int(self._settings.rest_s * SECOND)
            body |= {"type": "LIMIT", "level": intent.level, "goodTillDate": written_utc(until_ns)}
        return body

    async def _confirm(self, intent: Intent, tell: Tell) -> None:
        """Ask what became of a reference, until it says something that belongs to this action."""
        until_ns = self._clock.now() + int(self._settings.confirm_s * SECOND)
        waits = iter(CONFIRM_S)
        while self._clock.now() < until_ns:
            await pause(self._clock, next(waits, CONFIRM_S[-1]))
            with suppress(Fault, BadMessage):
                found = await self._session.get(Confirm, f"/confirms/{intent.reference}", Lane.CONFIRM)
                if self.settle(intent, found, tell):
                    return
        self._doubt(intent, f"no confirmation within {self._settings.confirm_s:g} s", tell)

    def settle(self, intent: Intent, found: Confirm, tell: Tell) -> bool:
        """Take a confirmation over, if it is of this action; say whether that ended the waiting."""
        if found.deal_status == "REJECTED":
            reason = found.reject_reason or found.reason or "UNKNOWN"
            self._refused(intent, refusal_code(reason), reason, tell)
            return True
        if found.deal_status != "ACCEPTED" or found.status != "OPEN" or found.epic not in ("", intent.epic):
            return False
        intent.working = intent.working or found.deal_id
        if intent.rests:
            deals = [row.deal_id for row in found.affected_deals] or [found.deal_id]
            if not found.deal_id:
                return False
            self._keep(intent, list(rest(intent, deals[0])), tell)
            return True
        opened = [row.deal_id for row in found.affected_deals if row.status == "OPENED"]
        level, size = finite(found.level), finite(found.size)
        if len(opened) != 1 or level is None or level <= 0:
            return False
        at_ns = utc_ns(found.date) or intent.sent_ns
        self._keep(intent, list(fill(self._books.name, intent, opened[0], size or intent.quantity, level, at_ns)), tell)
        return True

    async def cancel(self, command: CancelOrder, permit: Permit, tell: Tell) -> None:
        """Take a working order back; one that has no number yet as soon as it has one."""
        intent = self._ledger.of(command.order)
        if intent is None or not intent.opens:
            tell([CancelRejected(command.order, "it is unknown, or a close")])
            return
        if command.broker_id and command.broker_id.partition(":")[0] not in (intent.working, *intent.deals):
            tell([CancelRejected(command.order, f"it is not {command.broker_id}")])
            return
        if command.order == intent.order and intent.stage in (Stage.ARMED, Stage.SENT):
            intent.cancel = command.reason or "cancelled"
            self._put(intent)
            if (patience := self._waiting.get(intent.order)) is not None:
                patience.end(intent.cancel)
        elif command.order == intent.order and intent.stage is Stage.RESTING:
            await self._withdraw(intent, command, permit, tell)
        else:
            tell([CancelRejected(command.order, "there is nothing left to cancel")])

    async def _withdraw(self, intent: Intent, command: CancelOrder, permit: Permit, tell: Tell) -> None:
        """Take a working order back; its reference is that of its making, so only DELETED proves it."""
        with self._in_hand(intent.order):
            async with self._lock(intent.working):
                await self._delete(intent, command, permit, tell)

    async def _delete(self, intent: Intent, command: CancelOrder, permit: Permit, tell: Tell) -> None:
        if intent.stage is not Stage.RESTING:
            tell([CancelRejected(command.order, "there is nothing left to cancel")])
            return
        path = f"/workingorders/{intent.working}"
        try:
            body = await self._session.write("DELETE", path, Lane.CLOSE, permit=lambda: permit(command))
            reference = decode(Reference, body).deal_reference or intent.reference
        except (Fault, BadMessage) as error:
            tell([CancelRejected(command.order, str(error))])
            self.hasten()
            if isinstance(error, Fault):
                await self._mend(error)
            return
        for wait_s in PROOF_S:
            await pause(self._clock, wait_s)
            with suppress(Fault):
                found = await self._session.get(Confirm, f"/confirms/{reference}", Lane.CONFIRM)
                if found.status == "DELETED" and found.deal_status == "ACCEPTED":
                    self._keep(intent, list(end(intent, Status.CANCELLED, command.reason)), tell)
                    return
        self.hasten()

    async def clear(self, command: CancelForeign, permit: Permit) -> None:
        """Delete working orders that are not ours; one that is gone is deleted already."""
        owned = self._ledger.owned()
        for number in command.numbers:
            if number in owned:
                continue
            with suppress(Fault):
                await self._session.write(
                    "DELETE", f"/workingorders/{number}", Lane.KILL, permit=lambda: permit(command)
                )
        self.hasten()

    def prepare(self, intent: Intent, tick: Decimal) -> str:
        """Give an order a fingerprint of its own; say why that cannot be, or ""."""
        others = taken(self._ledger.intents.values(), self._clock.now())
        return "" if apart(intent, others, tick) else "too many orders of one shape within a day"

    def refuse(self, order: str, legs: tuple[str, ...], code: str, words: str, tell: Tell) -> None:
        """Tell that an order is refused before anything was sent."""
        tell(OrderRejected(name, code, words) for name in legs or (order,))

    def _refused(self, intent: Intent, code: str, words: str, tell: Tell) -> None:
        """End an order that was not carried out, and all of its legs."""
        intent.stage = Stage.ENDED
        intent.ended |= dict.fromkeys(intent.legs, Status.REJECTED)
        self._keep(intent, [OrderRejected(name, code, words) for name in intent.legs], tell)

    def _doubt(self, intent: Intent, words: str, tell: Tell) -> None:
        """Tell that nobody knows; from here on the books search for it."""
        order = intent.closer if intent.opens and intent.stage is Stage.OPEN else intent.order
        intent.doubted = intent.doubted or intent.stage in (Stage.ARMED, Stage.SENT)
        self._keep(intent, [OrderDoubted(order, words)], tell)

    def _keep(self, intent: Intent, events: list[Event], tell: Tell) -> None:
        """Write down what became of an order, then tell it."""
        intent.changed_ns = self._clock.now()
        self._put(intent)
        tell(events)

    def _put(self, intent: Intent) -> None:
        """Write a row down; a disk that refuses costs the memory of a restart, never the order's way."""
        self._ledger.note(intent)

    def _lock(self, deal: str) -> asyncio.Lock:
        """Give the lock of one deal: its requests go one after the other."""
        if len(self._deals) > len(self._ledger.intents) + 100:
            self._deals = {name: lock for name, lock in self._deals.items() if lock.locked()}
        return self._deals.setdefault(deal, asyncio.Lock())

    async def _mend(self, fault: Fault) -> None:
        """Log in anew after a refusal that says so; what was refused is not sent again."""
        if isinstance(fault, SessionOver):
            with suppress(Fault):
                await self._session.renew(self._session.generation)
