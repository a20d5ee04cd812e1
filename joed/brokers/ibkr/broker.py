"""Interactive Brokers behind the Broker protocol: what may leave, and the bytes with which it leaves.

What differs from the contract's words, because TWS does: an order's number at the broker is its permId, and
`cancel_foreign` ends only what TWS lets a client end.
"""

import asyncio
from pathlib import Path

from joed.brokers.base import Clock, Emit, Permit
from joed.brokers.ibkr import lib
from joed.brokers.ibkr.link import Link
from joed.brokers.ibkr.orders import Held
from joed.brokers.ibkr.pacer import Urgency
from joed.brokers.ibkr.sweep import Sweep
from joed.brokers.ibkr.translate import amended, tickets_of
from joed.model.commands import AmendOrder, CancelForeign, CancelOrder, Command, ReadBroker, SubmitOrder
from joed.model.events import AmendRejected, CancelRejected, Event, OrderRejected
from joed.model.feeds import BrokerExamined
from joed.model.settings import Settings
from joed.model.values import SECOND, Bar
from joed.model.windows import windows_of, within

ANSWER_NS = SECOND // 5
"""When we answer ourselves what is not worth a question."""


class IbkrBroker:
    """The adapter; its link, and all that is heard over it, is another's work."""

    def __init__(self, name: str, settings: Settings, clock: Clock, emit: Emit, folder: Path | None = None) -> None:
        """Speak to the gateway that the settings name, once `run` runs; what it keeps for the day is in `folder`."""
        self.name = name
        self._settings, self._ibkr, self._clock = settings, settings.ibkr, clock
        self._closed_windows = windows_of(self._ibkr.no_submit_windows)
        self._link = Link(name, settings, clock, emit, folder)
        self._sweep = Sweep(self._ibkr, clock, self._tell_of_sweep)

    @property
    def up(self) -> bool:
        """Say whether orders can leave."""
        return self._link.up

    @property
    def bad_messages(self) -> int:
        """Count the messages that could not be what they claimed; each ended its link."""
        return self._link.bad_messages

    @property
    def streams(self) -> tuple[str, ...]:
        """Name the instruments that are to be streamed."""
        return tuple(sorted(self._link.lines.wanted))

    async def run(self) -> None:
        """Hold a link until `stop`, making it again behind growing delays; visit TWS as another client where asked."""
        library = lib.load(self._ibkr.library)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._link.run(library))
            tasks.create_task(self._sweep.run(library))

    def stop(self) -> None:
        """End: nothing is emitted any more; orders and stops at the broker live on."""
        self._link.stop()
        self._sweep.stop()

    def _tell_of_sweep(self, words: str) -> None:
        self._link.say(BrokerExamined(self.name, "others' orders", ok=False, words=words))

    def subscribe(self, instruments: tuple[str, ...]) -> None:
        """Stream the quotes of exactly these, over this link and each later one; the first get the lines there are."""
        self._link.lines.want(instruments)

    def start(self) -> None:
        """Nothing yet: `run` connects."""

    async def daily(self, instrument: str, days: int) -> tuple[Bar, ...]:
        """Give the last `days` daily bars of regular hours, oldest first, each at its session's begin."""
        return await self._link.history.daily(instrument, days)

    async def minutes(self, instrument: str, from_ns: int) -> tuple[Bar, ...]:
        """Give the 1-minute bars from `from_ns` until now, oldest first, those of regular hours."""
        return await self._link.history.minutes(instrument, from_ns)

    def submit(self, command: SubmitOrder, permit: Permit) -> str:
        """Hand a new order over, with its bracket, and give "", or the reason why not."""
        session = self._link.session
        if (reason := self._refusal(command)) or session is None:
            return reason
        listed = self._link.contracts.listed.get(command.instrument)
        if listed is None:
            why = self._link.contracts.aside.get(command.instrument, "TWS has not described it yet")
            return f"{command.instrument} has no contract: {why}"
        tickets = tickets_of(command, self._link.account, extended=self._settings.session.extended_hours)
        if any(ticket.order in self._link.orders.by_ref for ticket in tickets):
            words = f"{command.order} is known"
            return permit(command) or self._later(OrderRejected(command.order, "duplicate", words))
        if reason := self._spend(command, permit, Urgency.ORDER, len(tickets)):
            return reason
        numbers = [session.next_id() for _ in tickets]
        held = [
            self._link.orders.add(ticket, number, listed.contract)
            for ticket, number in zip(tickets, numbers, strict=True)
        ]
        for one in held[1:]:
            if command.opens:
                one.fields["parentId"] = numbers[0]
        orders = [self._link.library.Order(orderId=one.number, **one.fields) for one in held]
        for one, order in zip(held, orders, strict=True):
            session.send("placeOrder", one.number, one.contract, order)
        self._expect(held[0])
        return ""

    def amend(self, command: AmendOrder, permit: Permit) -> str:
        """Hand an amendment over and give "", or the reason why not: only what works at the broker has new terms."""
        session = self._link.session
        if (reason := self._refusal(command)) or session is None:
            return reason
        held = self._link.orders.by_ref.get(command.order)
        if held is None:
            return permit(command) or self._later(AmendRejected(command.order, "the broker knows no such order"))
        if not held.ended and not held.works:
            return f"{command.order} does not work at the broker yet"
        if self._link.orders.unanswered(held, self._ibkr.order_s):
            return f"{command.order} has terms under way that are not answered"
        if reason := self._spend(command, permit, Urgency.ORDER, 1):
            return reason
        fields = amended(held.fields, command, held.total)
        order = self._link.library.Order(orderId=held.number, **fields)
        level = command.level if command.level is not None else held.level
        held.asked = (command.quantity if command.quantity is not None else held.total, level)
        held.asked_ns = self._clock.now()
        session.send("placeOrder", held.number, held.contract, order)
        return ""

    def cancel(self, command: CancelOrder, permit: Permit) -> str:
        """Hand a cancel over and give "", or the reason why not."""
        session = self._link.session
        if (reason := self._refusal(command)) or session is None:
            return reason
        held = self._link.orders.by_ref.get(command.order)
        target = held.number if held is not None else 0
        if command.broker_id and (held is None or command.broker_id != str(held.perm)):
            client, target = self._link.orders.owners.get(command.broker_id, (0, 0))
            target = target if client == self._ibkr.client_id else 0
        if target <= 0:
            return permit(command) or self._later(CancelRejected(command.order, "the broker knows no such order"))
        if reason := self._spend(command, permit, Urgency.CANCEL, 1):
            return reason
        if held is not None and target == held.number:
            held.cancels += 1
        session.send("cancelOrder", target)
        return ""

    def cancel_foreign(self, command: CancelForeign, permit: Permit) -> str:
        """Ask for the end of orders that are not ours; give "" or the reason why not. The next whole read tells."""
        session = self._link.session
        if (reason := self._refusal(command)) or session is None:
            return reason
        if command.alone:
            if reason := self._spend(command, permit, Urgency.CANCEL, 1):
                return reason
            session.send("reqGlobalCancel")
            return ""
        return permit(command) or self._sweep_up(command, permit)

    def _sweep_up(self, command: CancelForeign, permit: Permit) -> str:
        """Plan a visit to TWS as each client whose orders are to end; those of ours are left out."""
        orders = self._link.orders
        ours = {str(held.perm) for held in orders.by_ref.values()}
        clients: dict[int, list[int]] = {}
        for row in command.numbers:
            if row not in ours and (owner := orders.owners.get(row)) is not None:
                clients.setdefault(owner[0], []).append(int(row))
        own = clients.pop(self._ibkr.client_id, [])
        for client, perms in clients.items():
            if not self._sweep.add(client, frozenset(perms), lambda: permit(command)):
                return "too many visits to other clients wait"
        for perm in own:
            if reason := self._spend(command, permit, Urgency.CANCEL, 1):
                return reason
            assert self._link.session is not None
            self._link.session.send("cancelOrder", orders.owners[str(perm)][1])
        return ""

    def read(self, command: ReadBroker) -> None:
        """Ask for the whole book; BrokerRead answers, or nothing does where the link is lost meanwhile."""
        if self._link.up:
            self._link.reader.ask()

    def _refusal(self, command: Command) -> str:
        """Say why nothing may be handed over now, "" where it may."""
        if not self._link.up or self._link.session is None:
            return self._link.why
        if self._link.session.clogged:
            return "the gateway does not read: bytes of earlier messages still wait"
        if isinstance(command, SubmitOrder | AmendOrder) and self._link.mode != self._settings.mode.value:
            return f"{self._link.account} is a {self._link.mode} account, joed runs in {self._settings.mode} mode"
        if isinstance(command, SubmitOrder) and command.opens:
            window = within(self._closed_windows, self._clock.now())
            return f"no entry is sent within {window}" if window else ""
        return ""

    def _spend(self, command: Command, permit: Permit, urgency: Urgency, count: int) -> str:
        """Take the room for some messages, and only then ask for permission: nothing comes between it and the bytes."""
        if not self._link.pacer.take(urgency, count):
            return f"{self._ibkr.messages_s} messages a second are sent already"
        if reason := permit(command):
            self._link.pacer.give_back(count)
            return reason
        return ""

    def _later(self, event: Event) -> str:
        """Tell this behind what TWS answers to earlier commands: it is ours to answer, no byte has left."""
        self._clock.call_at(self._clock.now() + ANSWER_NS, lambda: self._link.outbox.put(event))
        return ""

    def _expect(self, held: Held) -> None:
        """Doubt a new order of which no word comes."""
        connection, order_s = self._link.connection, self._ibkr.order_s

        def look() -> None:
            if self._link.up and self._link.connection == connection:
                self._link.orders.doubt(held, f"no word of it within {order_s:g} s")

        self._clock.call_at(self._clock.now() + int(order_s * SECOND), look)
