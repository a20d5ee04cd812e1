"""Every order and execution as TWS has them, and what the exchange's reports mean in its words."""

from joed.model.book import Book
from joed.model.events import (
    AmendRejected,
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderWorking,
)
from joed.model.values import Kind, Status
from tests.fakes.tws.checks import REFUSALS
from tests.fakes.tws.contracts import Asked
from tests.fakes.tws.ticket import KINDS, ZERO, Fill, Ticket

FIRST_PERM = 1_400_000_001
BY_CLIENT = "by the client"


class Ledger:
    """The orders of all clients; `wire` takes the words: `order`, `status`, `execution` of a ticket, and `error`."""

    def __init__(self, exchange, directory, clock, wire):
        self.exchange = exchange
        self.directory = directory
        self.clock = clock
        self.wire = wire
        self.tickets = {}
        self.by_name = {}
        self.fills = {}
        self.next_perm = FIRST_PERM
        self.frozen = {}
        self.day_ended_ns = 0
        self.shadow = Book(ZERO, ZERO, ZERO)
        self.handlers = {
            OrderAccepted: self.accepted,
            OrderWorking: self.working,
            OrderFilled: self.filled,
            OrderCancelled: self.cancelled,
            OrderExpired: self.expired,
            OrderRejected: self.rejected,
        }

    def living(self):
        """Give the orders that are not over, oldest first."""
        return [ticket for ticket in self.all() if not ticket.ended]

    def all(self):
        """Give every order of this day: the clients' and those that came to the exchange some other way."""
        others = [ticket for ticket in self.by_name.values() if ticket.order_id == 0]
        return sorted([*self.tickets.values(), *others], key=lambda ticket: ticket.perm_id)

    def by_ref(self, ref):
        """Give the newest order of a reference, the living before the ended."""
        found = [ticket for ticket in self.all() if ref in {ticket.order_ref, ticket.name}]
        assert found, f"no order {ref}"
        return max(found, key=lambda ticket: (not ticket.ended, ticket.perm_id))

    def doubles(self):
        """List the references under which more than one order was taken: what no client of ours may cause."""
        refs = [ticket.order_ref for ticket in self.all() if ticket.order_ref]
        return sorted({ref for ref in refs if refs.count(ref) > 1})

    def settle(self, reports):
        """Turn an exchange's reports into words on the wire."""
        for report in reports:
            if not isinstance(report, AmendRejected | CancelRejected):
                self.handlers[type(report)](report)

    def tell(self, ticket):
        """Tell an order's terms and where it stands."""
        self.wire.order(ticket)
        self.wire.status(ticket)

    def accepted(self, report):
        """Acknowledge an order; it works once the exchange says so."""
        ticket = self.ticket_of(report.order)
        ticket.status, ticket.why_held = (
            "PreSubmitted",
            why_held(ticket, child=self.exchange.orders[report.order].parent),
        )
        self.tell(ticket)

    def working(self, report):
        """Tell the terms on which an order works now."""
        ticket = self.ticket_of(report.order)
        self.take_terms(ticket, report.quantity, report.level)
        self.tell(ticket)

    def take_terms(self, ticket, left, level):
        """Note how an order works: a stop that was not elected shows PreSubmitted for as long as it lives."""
        ticket.left = left
        stop = ticket.order_type == "STP"
        if level is not None and ticket.order_type in {"LMT", "STP"}:
            ticket.limit, ticket.aux = (ticket.limit, level) if stop else (level, ticket.aux)
        if ticket.perm_id not in self.frozen:
            ticket.status, ticket.why_held = ("PreSubmitted", "trigger") if stop else ("Submitted", "")

    def filled(self, report):
        """Tell an execution, or another word on one that was told."""
        self.wire.execution(self.record(report))

    def cancelled(self, report):
        """Tell the end of an order."""
        self.end(self.ticket_of(report.order), "Cancelled", "" if report.reason == BY_CLIENT else report.reason)

    def expired(self, report):
        """Tell that the day of an order is over."""
        self.end(self.ticket_of(report.order), "Cancelled", "the order has expired")

    def end(self, ticket, status, words):
        """End an order and say so."""
        ticket.status, ticket.ended_ns, ticket.why_held = status, self.clock.now(), ""
        ticket.ended_words = words or "Cancelled by Trader"
        self.wire.status(ticket)
        self.wire.error(ticket, 202, f"Order Canceled - reason:{words}")

    def rejected(self, report):
        """Tell a refusal of the exchange in the number that TWS has for it."""
        code, words = REFUSALS.get(report.code, REFUSALS["refused"])
        self.refuse(self.ticket_of(report.order), code, words.format(report.words))

    def refuse(self, ticket, code, words, advanced=""):
        """End an order by a refusal."""
        ticket.status, ticket.why_held = "Inactive", ""
        ticket.ended_ns, ticket.ended_words = self.clock.now(), f"Rejected: {words}"
        self.wire.error(ticket, code, words, advanced)
        self.wire.status(ticket)

    def ticket_of(self, name):
        """Give the ticket of an order in the exchange; one that did not come through here was made by hand in TWS."""
        if name not in self.by_name:
            self.by_name[name] = self.adopted(self.exchange.orders[name])
        return self.by_name[name]

    def adopted(self, order):
        """Make a ticket for an order that somebody else placed: no client's, with no id that a client could name."""
        listed = self.directory.by_name[order.instrument]
        words = {Kind.LIMIT: "LMT", Kind.MARKET: "MKT", Kind.STOP: "STP"}[order.kind]
        asked = Asked(listed.con_id, *("",) * 6, listed.exchange, "", listed.currency, listed.local, "")
        ticket = Ticket(0, 0, self.next_perm, asked, listed, order.side, order.asked, words)
        self.next_perm += 1
        ticket.limit, ticket.aux = (order.level, None) if order.kind is Kind.LIMIT else (None, order.level)
        ticket.account, ticket.tif, ticket.name = self.wire.accounts[0], order.tif.value, order.order
        ticket.left = order.asked
        return ticket

    def record(self, report):
        """Note an execution once, or the newer word on it, and what it does to its order."""
        known = self.fills.get(report.execution)
        if known is not None:
            if report.revision >= known.revision:
                known.revision = report.revision + 1
                known.quantity, known.price, known.fee = report.quantity, report.price, report.fee
            return known
        ticket = self.ticket_of(report.order)
        root = f"0000e0d5.{int(report.execution.rpartition('-')[2]):08x}.01"
        realized = self.realized_by(report)
        fill = Fill(root, ticket, report.at_ns, report.side, report.quantity, report.price, report.fee, ZERO, ZERO)
        ticket.fills.append(fill)
        fill.cumulative, fill.average, fill.realized = ticket.filled, ticket.average, realized
        self.fills[report.execution] = fill
        ticket.left = max(ZERO, ticket.left - fill.quantity)
        if not ticket.left or ticket.filled >= ticket.quantity:
            ticket.status, ticket.why_held = "Filled", ""
            ticket.ended_ns, ticket.ended_words = report.at_ns, f"Filled Size: {ticket.filled}"
        elif not ticket.ended:
            ticket.status, ticket.why_held = "Submitted", ""
        return fill

    def realized_by(self, report):
        """Give what an execution realized, None where it closed nothing."""
        held = self.shadow.positions.get(report.instrument)
        self.shadow.take(report)
        if held is None or held.quantity * report.side.sign >= 0:
            return None
        closed = min(report.quantity, abs(held.quantity))
        return -report.side.sign * (report.price - held.average) * closed - report.fee

    def sync(self):
        """Catch up with what the exchange did without us: a test drives it, or this TWS was away."""
        for execution in self.exchange.executions:
            self.record(execution)
        for name, order in self.exchange.orders.items():
            ticket = self.ticket_of(name)
            if not ticket.ended and not ticket.waits:
                self.catch_up(ticket, order)

    def catch_up(self, ticket, order):
        """Bring a ticket to where its order stands."""
        if order.status.ended:
            ticket.status = ENDS.get(order.status, "Cancelled")
            ticket.ended_ns, ticket.ended_words, ticket.why_held = order.changed_ns, order.status.capitalize(), ""
            ticket.left = order.left
        elif order.status is Status.ACKED:
            ticket.status, ticket.why_held = "PreSubmitted", why_held(ticket, child=True)
        else:
            self.take_terms(ticket, order.left, order.level)

    def end_of_day(self):
        """End the day at the exchange: orders of the day go, and what ended before it is forgotten."""
        before = self.day_ended_ns
        self.settle(self.exchange.end_of_day(self.clock.now()))
        self.day_ended_ns = self.clock.now()
        self.tickets = {key: one for key, one in self.tickets.items() if not 0 < one.ended_ns <= before}
        self.by_name = {key: one for key, one in self.by_name.items() if not 0 < one.ended_ns <= before}
        self.fills = {key: one for key, one in self.fills.items() if one.at_ns > before}


ENDS = {Status.FILLED: "Filled", Status.REJECTED: "Inactive"}


def why_held(ticket, *, child):
    """Say for what an order waits, in the words of whyHeld."""
    stop = KINDS[ticket.order_type] is Kind.STOP
    return ",".join(word for word, true in (("child", child), ("trigger", stop)) if true)
