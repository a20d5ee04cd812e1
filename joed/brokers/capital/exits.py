"""What only reduces: amended stops and targets, lost stops replaced, positions closed by their numbers.

All of it is idempotent by its nature: levels are absolute, and a number that is gone is closed already. So an answer
that is lost is looked up and never asked for again.
"""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

from joed.brokers.base import Permit
from joed.brokers.capital.books import Ending
from joed.brokers.capital.desk import PROOF_S, Desk, Tell
from joed.brokers.capital.faults import Doubted, Fault, Gone, NotSent, refusal_code
from joed.brokers.capital.ledger import Intent, Stage
from joed.brokers.capital.limiter import Lane
from joed.brokers.capital.pause import pause
from joed.brokers.capital.shapes import Confirm, PositionRow, Reference
from joed.brokers.capital.whole import Whole
from joed.brokers.capital.wire import decode, encode, finite
from joed.errors import BadMessage
from joed.model.commands import AmendOrder, CancelOrder, SubmitOrder
from joed.model.events import (
    AmendRejected,
    CancelRejected,
    Event,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderWorking,
)
from joed.model.values import Leg, Status

Levels = tuple[Decimal | None, Decimal | None]
"""A position's stop and target."""


class Exits(Desk):
    """Carries out what reduces, beside what opens."""

    async def cancel(self, command: CancelOrder, permit: Permit, tell: Tell) -> None:
        """End a working order; of a position take the leg away that is asked for."""
        intent = self._ledger.of(command.order)
        if intent is not None and intent.stage is Stage.OPEN and command.order not in (intent.order, *intent.ended):
            await self._strip(intent, command, permit, tell)
        else:
            await super().cancel(command, permit, tell)

    async def _strip(self, intent: Intent, command: CancelOrder, permit: Permit, tell: Tell) -> None:
        """Take a position's stop or target away, as somebody asked for by its id."""
        is_stop = command.order == intent.stop_order
        fault = await self._amend(intent, permit, command, **{"stop" if is_stop else "target": None})
        if fault is not None:
            tell([CancelRejected(command.order, fault)])
            return
        intent.ended[command.order] = Status.CANCELLED
        self._keep(intent, [OrderCancelled(command.order, command.reason)], tell)

    async def amend(self, command: AmendOrder, permit: Permit, tell: Tell) -> None:
        """Move a position's stop or target; the proof is the position that shows it."""
        intent = self._ledger.of(command.order)
        if intent is None or intent.stage is not Stage.OPEN or command.order in (intent.order, *intent.ended):
            tell([AmendRejected(command.order, "there is nothing to amend")])
            return
        is_stop = command.order == intent.stop_order
        level = command.level if command.level is not None else intent.stop if is_stop else intent.target
        if command.quantity is not None and command.quantity != intent.held:
            tell([AmendRejected(command.order, "at Capital.com a position's stop and target are for all of it")])
            return
        fault = await self._amend(intent, permit, command, **{"stop" if is_stop else "target": level})
        if fault is not None:
            tell([AmendRejected(command.order, fault)])
            return
        self._keep(intent, [OrderWorking(command.order, intent.held, intent.stop if is_stop else intent.target)], tell)

    async def _amend(
        self, intent: Intent, permit: Permit, command: AmendOrder | CancelOrder | SubmitOrder, **asked: Decimal | None
    ) -> str | None:
        """PUT the whole bracket, for what is left out would be cleared, and see it shown; give why not, or None."""
        deal = intent.deals[0]
        with self._in_hand(intent.order):
            async with self._lock(deal):
                stop, target = asked.get("stop", intent.stop), asked.get("target", intent.target)
                body = {"stopLevel": stop, "profitLevel": target, "guaranteedStop": False, "trailingStop": False}
                try:
                    await self._session.write(
                        "PUT", f"/positions/{deal}", Lane.CLOSE, body=encode(body), permit=lambda: permit(command)
                    )
                except Doubted:
                    pass  # absolute levels: the position itself shows whether they came
                except Fault as fault:
                    self.hasten()
                    await self._mend(fault)
                    return fault.words
                return await self._proof(intent, deal, (stop, target))

    async def _proof(self, intent: Intent, deal: str, wanted: Levels) -> str | None:
        """See the position show its new levels, or others that Capital.com made of them; give why not, or None."""
        shown: Levels | None = None
        for wait_s in PROOF_S:
            await pause(self._clock, wait_s)
            try:
                part = (await self._session.get(PositionRow, f"/positions/{deal}", Lane.CONFIRM)).position
            except Gone as fault:
                self.hasten()
                return fault.words
            except Fault:
                continue  # too many requests, a reset: the position is there, and shows its levels later
            shown = finite(part.stop_level), finite(part.profit_level)
            if shown == wanted:
                break
        if shown is None:
            return "nothing shows the amendment"
        if shown == (intent.stop, intent.target) != wanted:
            return f"the position still shows {shown[0]} and {shown[1]}"
        intent.stop, intent.target = shown
        return None

    async def guard(self, command: SubmitOrder, intent: Intent, permit: Permit, tell: Tell) -> None:
        """Give a position that lost its stop another, under the new order's id."""
        fault = await self._amend(intent, permit, command, stop=command.level)
        if fault is not None:
            tell([OrderRejected(command.order, "refused", fault)])
            return
        self._ledger.rename_stop(intent, command.order)
        deal = intent.deals[0]
        told: list[Event] = [OrderAccepted(command.order, f"{deal}:S")]
        self._keep(intent, [*told, OrderWorking(command.order, intent.held, intent.stop)], tell)

    async def close(self, command: SubmitOrder, intent: Intent, permit: Permit, tell: Tell) -> None:
        """Close whole position rows by their numbers; a number that is gone is closed already."""
        with self._in_hand(intent.order):
            intent.sent_ns = self._clock.now() + self.skew_ns
            intent.changed_ns = self._clock.now()
            self._put(intent)  # a close leaves whether or not it can be written down
            for deal in intent.deals:
                if not await self._end_position(deal, intent, lambda: permit(command), tell):
                    return

    async def take_target(self, command: AmendOrder, intent: Intent, permit: Permit, tell: Tell) -> None:
        """Close a position in the name of its target, which was asked to trade at once."""
        intent.closer = command.order
        self._put(intent)
        with self._in_hand(intent.order):
            await self._end_position(intent.deals[0], intent, lambda: permit(command), tell)

    async def _end_position(self, deal: str, intent: Intent, permit: Callable[[], str], tell: Tell) -> bool:
        """DELETE one position and follow it to its end; say whether the request may have been carried out."""
        async with self._lock(deal):
            try:
                body = await self._session.write("DELETE", f"/positions/{deal}", Lane.CLOSE, permit=permit)
                reference = decode(Reference, body).deal_reference or f"p_{deal}"
            except (Doubted, BadMessage) as error:
                self.hasten()
                self._doubt(intent, str(error), tell)
                return True
            except Fault as fault:
                self.hasten()
                if intent.opens:
                    tell([AmendRejected(intent.closer, fault.words)])
                    intent.closer = ""
                else:
                    code = "not_sent" if isinstance(fault, NotSent) else refusal_code(fault.code)
                    self._refused(intent, code, fault.words, tell)
                await self._mend(fault)
                return False
            for wait_s in PROOF_S:
                await pause(self._clock, wait_s)
                with suppress(Fault):
                    found = await self._session.get(Confirm, f"/confirms/{reference}", Lane.CONFIRM)
                    closed = {row.deal_id for row in found.affected_deals if row.status == "FULLY_CLOSED"}
                    level = finite(found.level)
                    if found.status == "CLOSED" and deal in closed and level is not None and level > 0:
                        self._closed(intent, Ending(deal, "USER", level, self._clock.now() + self.skew_ns), tell)
                        return True
        self.hasten()
        return True

    def _closed(self, intent: Intent, ending: Ending, tell: Tell) -> None:
        """Tell the end of a position that we closed."""
        entry = self._ledger.owner(ending.deal)
        if entry is None:
            name = f"{ending.deal}:close"
            size = dict(zip(intent.deals, intent.sizes, strict=True))[ending.deal]
            told = OrderFilled(
                intent.order,
                name,
                intent.instrument,
                intent.side,
                size,
                ending.price,
                at_ns=ending.at_ns,
                broker=self._books.name,
            )
            intent.fills = (*intent.fills, told)
            if len(intent.fills) == len(intent.deals):
                intent.stage, intent.ended[intent.order] = Stage.ENDED, Status.FILLED
            self._keep(intent, [told], tell)
        elif entry.stage is Stage.OPEN:
            if not intent.opens:
                tell([OrderAccepted(intent.order, ending.deal), OrderWorking(intent.order, intent.quantity)])
            self._keep(entry, list(self._books.finish(entry, ending)), tell)


def choose(whole: Whole | None, epic: str, command: SubmitOrder, owned: frozenset[str]) -> dict[str, Decimal]:
    """Give the rows, by deal with their sizes, that a close without a group takes back: whole ones, summing up exactly.

    What is nobody's goes first; {} where no rows make the quantity.
    """
    rows = [row for row in (whole.held if whole is not None else ()) if row.epic == epic]
    rows = [row for row in rows if row.side is command.side.opposite]
    for pool in ([row for row in rows if row.deal not in owned], rows):
        if sum((row.size for row in pool), Decimal(0)) == command.quantity:
            return {row.deal: row.size for row in pool}
        for row in pool:
            if row.size == command.quantity:
                return {row.deal: row.size}
    return {}


def close_intent(command: SubmitOrder, epic: str, deals: dict[str, Decimal], now: int) -> Intent:
    """Give the row of a close."""
    return Intent(
        command.order,
        command.instrument,
        epic,
        Leg.CLOSE,
        command.side,
        command.quantity,
        opens=False,
        armed_ns=now,
        group=command.group,
        deals=tuple(deals),
        sizes=tuple(deals.values()),
    )
