"""The order desk: what clients ask in TWS's words becomes commands to the exchange, and its reports TWS's messages.

A parent that is held back (transmit 0) waits with its children for the one that transmits them all; then they are one
bracket of the exchange. Orders that share an OCA group with a bracket join the bracket's group; other OCA groups are
kept here. An order's id in the exchange is its orderRef where it has one that is free.
"""

from joed.model.book import Book
from joed.model.commands import AmendOrder, CancelOrder, SubmitOrder
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
from joed.model.values import Kind, Leg, Side, Status, Tif
from tests.fakes.tws.checks import REFUSALS, fault_of, misfit_of
from tests.fakes.tws.contracts import Asked
from tests.fakes.tws.ticket import KINDS, ZERO, Fill, Ticket

FIRST_PERM = 1_400_000_001
UNTRANSMITTED = "PendingSubmit"
"""What an order shows that waits in TWS for its transmit flag."""
BY_CLIENT = "by the client"


class Desk:
    """The orders of all clients; `wire` takes the words: `order`, `status`, `execution` of a ticket, and `error`."""

    def __init__(self, exchange, directory, clock, wire):
        self.exchange = exchange
        self.directory = directory
        self.clock = clock
        self.wire = wire
        self.accounts = ["DU1234567"]
        self.read_only = False
        self.tickets = {}
        self.by_name = {}
        self.fills = {}
        self.next_id = 1
        self.floors = {}
        self.next_perm = FIRST_PERM
        self.groups = {}
        self.frozen = set()
        self.shadow = Book(ZERO, ZERO, ZERO)
        self.handlers = {
            OrderAccepted: self.accepted,
            OrderWorking: self.working,
            OrderFilled: self.filled,
            OrderCancelled: self.cancelled,
            OrderExpired: self.expired,
            OrderRejected: self.rejected,
        }

    def place(self, ticket):
        """Take an order: a new one, or other terms for one that this client has under the same id."""
        key = (ticket.client_id, ticket.order_id)
        ticket.listed = next(iter(self.directory.find(ticket.asked)), None)
        if fault := fault_of(self, ticket):
            self.wire.error(ticket, *fault)
            return
        if key in self.tickets:
            self.modify(self.tickets[key], ticket)
            return
        ticket.account = ticket.account or self.accounts[0]
        ticket.perm_id, self.next_perm = self.next_perm, self.next_perm + 1
        if ticket.what_if:
            self.wire.preview(ticket)
            return
        self.next_id = max(self.next_id, ticket.order_id + 1)
        self.floors[ticket.client_id] = max(self.floors.get(ticket.client_id, 0), ticket.order_id)
        self.tickets[key] = ticket
        if not ticket.transmit:
            ticket.status = UNTRANSMITTED
            self.wire.order(ticket)
            return
        self.release(ticket)

    def release(self, ticket):
        """Transmit an order, with its whole family where that still waits."""
        parent = self.tickets.get((ticket.client_id, ticket.parent_id)) if ticket.parent_id else None
        if parent is None:
            family = [ticket, *(child for child in self.children(ticket) if not child.name)]
        elif not parent.name:
            family = [parent, *(child for child in self.children(parent) if not child.name)]
        else:
            family = [ticket]
        if ticket.order_type == "STP LMT" and len(family) == 1:
            self.hold(ticket)
            return
        self.submit(family, parent if parent and parent.name else None)

    def children(self, parent):
        """Give an order's children that live."""
        if not parent.order_id:
            return []
        mine = (ticket for ticket in self.tickets.values() if ticket.client_id == parent.client_id)
        return [ticket for ticket in mine if ticket.parent_id == parent.order_id and not ticket.ended]

    def hold(self, ticket):
        """Keep an order that the exchange has no word for until its trigger."""
        ticket.waits, ticket.status, ticket.why_held = True, "PreSubmitted", "trigger"
        ticket.name = self.name_of(ticket)
        self.by_name[ticket.name] = ticket
        self.wire.order(ticket)
        self.wire.status(ticket)

    def submit(self, family, parent=None):
        """Hand a family, or one order, to the exchange."""
        first, legs = family[0], family[1:]
        for ticket in family:
            ticket.transmit = True
            ticket.name = ticket.name or self.name_of(ticket)
            self.by_name[ticket.name] = ticket
        stop = next((leg for leg in legs if KINDS[leg.order_type] is Kind.STOP), None)
        target = next((leg for leg in legs if KINDS[leg.order_type] is Kind.LIMIT), None)
        group = parent.name if parent else self.groups.get(first.oca_group, "")
        opens = not group and (bool(legs) or not self.reduces(first))
        for leg in legs:
            if leg.oca_group:
                self.groups[leg.oca_group] = first.name
        command = SubmitOrder(
            order=first.name,
            broker=self.exchange.name,
            instrument=first.listed.name,
            side=first.side,
            quantity=first.quantity,
            kind=Kind.LIMIT if first.waits else KINDS[first.order_type],
            leg=Leg.ENTRY if opens else Leg.CLOSE,
            opens=opens,
            level=first.limit if first.waits else first.level,
            tif=Tif.GTC if first.tif == "GTC" else Tif.DAY,
            stop_order=stop.name if stop else "",
            stop=stop.level if stop else None,
            target_order=target.name if target else "",
            target=target.level if target else None,
            group="" if opens else group,
        )
        self.settle(self.exchange.submit(self.clock.now(), command))

    def reduces(self, ticket):
        """Say whether an order alone can only make a position smaller."""
        held = self.exchange.position(ticket.listed.name)
        return held * ticket.side.sign < 0 and ticket.quantity <= abs(held)

    def name_of(self, ticket):
        """Give an order its id in the exchange."""
        taken = ticket.order_ref in self.exchange.orders or ticket.order_ref in self.by_name
        return ticket.order_ref if ticket.order_ref and not taken else f"{ticket.order_ref}#{ticket.perm_id}"

    def modify(self, known, asked):
        """Give an order other terms, or say why it keeps its own."""
        if fault := misfit_of(known, asked):
            self.wire.error(known, *fault)
            return
        if not known.name or known.waits:
            known.limit, known.aux, known.quantity, known.left = asked.limit, asked.aux, asked.quantity, asked.quantity
            known.parent_id, known.tif, known.order_ref = asked.parent_id, asked.tif, asked.order_ref
            self.wire.order(known)
            if asked.transmit and not known.name:
                self.release(known)
            return
        level = asked.level if asked.level != known.level else None
        quantity = asked.quantity if asked.quantity not in {known.quantity, known.filled + known.left} else None
        if level is None and quantity is None:
            self.wire.order(known)
            self.wire.status(known)
            return
        reports = self.exchange.amend(self.clock.now(), AmendOrder(known.name, level, quantity))
        if refusals := [report for report in reports if isinstance(report, AmendRejected)]:
            self.wire.error(known, *refusal_to_amend(refusals[0].words))
            return
        known.quantity = quantity if quantity is not None else known.quantity
        known.limit = asked.limit
        self.settle(reports)

    def cancel(self, client_id, order_id, ticket=None):
        """End an order of this client, or say why it is not ended."""
        ticket = ticket or self.tickets.get((client_id, order_id))
        if ticket is None:
            self.wire.refuse(client_id, order_id, 10147, f"OrderId {order_id} that needs to be cancelled is not found.")
            return
        self.sync()
        if ticket.ended or ticket.ended_ns:
            words = f"OrderId {order_id} that needs to be cancelled cannot be cancelled, state: {ticket.status}."
            self.wire.error(ticket, 10148, words)
            return
        if not ticket.name or ticket.waits:
            self.end(ticket, "Cancelled", "")
            for child in self.children(ticket):
                self.end(child, "Cancelled", "")
            return
        reports = self.exchange.cancel(self.clock.now(), CancelOrder(ticket.name, BY_CLIENT))
        self.settle([report for report in reports if not isinstance(report, CancelRejected)])

    def cancel_all(self):
        """End every order, whoever placed it."""
        self.sync()
        for ticket in self.living():
            if not ticket.ended:  # a parent takes its children with it
                self.cancel(ticket.client_id, ticket.order_id, ticket)

    def bind_manual(self, session):
        """Give client 0 the manual orders, each under an id below zero."""
        for ticket in self.living():
            if ticket.order_id == 0 and session.client_id == 0:
                ticket.order_id = min([0, *(number for _, number in self.tickets)]) - 1
                self.tickets[(0, ticket.order_id)] = ticket
                session.send(100, ticket.perm_id, 0, ticket.order_id)

    def living(self):
        """Give the orders that are not over, oldest first."""
        return [ticket for ticket in self.all() if not ticket.ended and not ticket.ended_ns]

    def all(self):
        """Give every order of this day: the clients' and those that came to the exchange some other way."""
        others = [ticket for ticket in self.by_name.values() if ticket.order_id == 0]
        return sorted([*self.tickets.values(), *others], key=lambda ticket: ticket.perm_id)

    def quote(self, quote):
        """Let the exchange have a quote, and what it triggers here."""
        self.settle(self.exchange.quote(self.clock.now(), quote))
        for ticket in [one for one in self.by_name.values() if one.waits and one.listed.name == quote.instrument]:
            price = quote.ask if ticket.side is Side.BUY else quote.bid
            if not ticket.ended and (price - float(ticket.aux)) * ticket.side.sign >= 0:
                ticket.why_held = ""
                self.submit([ticket])
                ticket.waits = False

    def end_of_day(self):
        """End the day at the exchange: orders of the day go, and what ended before it is forgotten."""
        before = self.exchange.book.day_ended_ns
        self.settle(self.exchange.end_of_day(self.clock.now()))
        self.tickets = {key: one for key, one in self.tickets.items() if not 0 < one.ended_ns <= before}
        self.fills = {key: one for key, one in self.fills.items() if one.at_ns > before}

    def settle(self, reports):
        """Turn an exchange's reports into words on the wire."""
        for report in reports:
            if not isinstance(report, AmendRejected | CancelRejected):
                self.handlers[type(report)](report)

    def accepted(self, report):
        """Acknowledge an order; it works once the exchange says so."""
        ticket = self.ticket_of(report.order)
        child, stop = self.exchange.orders[report.order].parent, KINDS[ticket.order_type] is Kind.STOP
        ticket.why_held = ",".join(word for word, true in (("child", child), ("trigger", stop)) if true)
        ticket.status = "PreSubmitted"
        self.wire.order(ticket)
        self.wire.status(ticket)

    def working(self, report):
        """Tell the terms on which an order works now."""
        ticket = self.ticket_of(report.order)
        self.take_terms(ticket, report.quantity, report.level)
        self.wire.order(ticket)
        self.wire.status(ticket)

    def take_terms(self, ticket, left, level):
        """Note how an order works: a stop that was not elected shows PreSubmitted for as long as it lives."""
        ticket.left = left
        stop = ticket.order_type == "STP"
        if level is not None and ticket.order_type in {"LMT", "STP"}:
            ticket.limit, ticket.aux = (ticket.limit, level) if stop else (level, ticket.aux)
        ticket.status, ticket.why_held = ("PreSubmitted", "trigger") if stop else ("Submitted", "")

    def filled(self, report):
        """Tell an execution, and what it did to its OCA group where that is kept here."""
        fill = self.record(report)
        ticket = fill.ticket
        ticket.left -= fill.quantity
        ticket.status, ticket.why_held = ("Submitted", "") if ticket.left > 0 else ("Filled", "")
        if ticket.left <= 0:
            ticket.ended_ns, ticket.ended_words = report.at_ns, f"Filled Size: {ticket.filled}"
        self.wire.execution(fill)
        self.reduce_others(fill)

    def reduce_others(self, fill):
        """Shrink or end the other orders of an OCA group that the exchange knows nothing of."""
        ticket = fill.ticket
        if not ticket.oca_group or ticket.oca_group in self.groups:
            return
        for other in self.living():
            if other is ticket or other.oca_group != ticket.oca_group or other.account != ticket.account:
                continue
            left = other.left - fill.quantity
            if other.oca_type == 1 or left <= 0 or other.waits or not other.name:
                self.cancel(other.client_id, other.order_id, other)
            else:
                self.settle(self.exchange.amend(self.clock.now(), AmendOrder(other.name, quantity=other.filled + left)))

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
        ticket = self.ticket_of(report.order)
        code, words = REFUSALS.get(report.code, REFUSALS["refused"])
        ticket.status, ticket.ended_ns, ticket.ended_words = "Inactive", self.clock.now(), f"Rejected: {report.words}"
        self.wire.error(ticket, code, words.format(report.words))
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
        ticket.account, ticket.tif, ticket.name = self.accounts[0], order.tif.value, order.order
        ticket.left = order.asked
        return ticket

    def record(self, report):
        """Note an execution once."""
        if report.execution in self.fills:
            return self.fills[report.execution]
        ticket = self.ticket_of(report.order)
        root = f"0000e0d5.{int(report.execution.rpartition('-')[2]):08x}.01"
        realized = self.realized_by(report)
        fill = Fill(root, ticket, report.at_ns, report.side, report.quantity, report.price, report.fee, ZERO, ZERO)
        ticket.fills.append(fill)
        fill.cumulative, fill.average, fill.realized = ticket.filled, ticket.average, realized
        self.fills[report.execution] = fill
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
        for name, order in self.exchange.orders.items():
            self.catch_up(self.ticket_of(name), order)
        for execution in self.exchange.executions:
            self.record(execution)

    def catch_up(self, ticket, order):
        """Bring a ticket to where its order stands."""
        if ticket.waits or ticket.ended_ns or ticket.perm_id in self.frozen:
            return
        if order.status.ended:
            rejected = order.status is Status.REJECTED
            ticket.status = "Filled" if order.status is Status.FILLED else "Inactive" if rejected else "Cancelled"
            ticket.ended_ns, ticket.ended_words, ticket.why_held = order.changed_ns, order.status.capitalize(), ""
            ticket.left = order.left
        elif order.status is Status.ACKED:
            ticket.status, ticket.why_held = "PreSubmitted", "child" if order.kind is Kind.LIMIT else "child,trigger"
        else:
            self.take_terms(ticket, order.left, order.level)


def refusal_to_amend(words):
    """Give TWS's number and words for an amendment that the exchange refuses."""
    if "not a price" in words:
        return 110, "The price does not conform to the minimum price variation for this contract."
    if "waits" in words:
        return 2102, "Unable to modify this order as it is still being processed."
    if "no such order" in words or words.startswith("it is "):
        return 104, "Cannot modify a filled order"
    return 105, "Order being modified does not match original order"
