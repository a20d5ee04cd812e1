"""The order desk: what clients ask in TWS's words becomes commands to the exchange.

A parent that is held back (transmit 0) waits with its children for the one that transmits them all; then they are one
bracket of the exchange. Orders that share an OCA group with a bracket join the bracket's group; other OCA groups are
kept here. An order's id in the exchange is its orderRef where it has one that is free.
"""

from dataclasses import replace

from joed.model.commands import AmendOrder, CancelOrder, SubmitOrder
from joed.model.events import AmendRejected, CancelRejected
from joed.model.values import Kind, Leg, Side, Tif
from tests.fakes.tws.checks import fault_of, misfit_of
from tests.fakes.tws.ledger import BY_CLIENT, Ledger
from tests.fakes.tws.ticket import KINDS, ZERO
from tests.fakes.tws.tricks import ADVANCED, Tricks, words_of

UNTRANSMITTED = "PendingSubmit"
"""What an order shows that waits in TWS for its transmit flag."""
LOCATING = 404
NOT_FOUND = "OrderId {} that needs to be cancelled is not found."


class Desk(Ledger):
    """Takes orders, other terms for them, and cancels, as TWS does: by the client and its order id."""

    def __init__(self, exchange, directory, clock, wire):
        super().__init__(exchange, directory, clock, wire)
        self.tricks = Tricks()
        self.read_only = False
        self.next_id = 1
        self.floors = {}
        self.groups = {}
        self.held = []

    def place(self, ticket):
        """Take an order: a new one, or other terms for one that this client has under the same id."""
        if self.tricks.take("vanish"):
            return
        key = (ticket.client_id, ticket.order_id)
        ticket.listed = next(iter(self.directory.find(ticket.asked)), None)
        if fault := fault_of(self, ticket):
            self.wire.error(ticket, *fault)
            return
        if key in self.tickets:
            self.modify(self.tickets[key], ticket)
            return
        ticket.account = ticket.account or self.wire.accounts[0]
        ticket.perm_id, self.next_perm = self.next_perm, self.next_perm + 1
        if ticket.what_if:
            self.wire.preview(ticket)
            return
        self.next_id = max(self.next_id, ticket.order_id + 1)
        self.floors[ticket.client_id] = max(self.floors.get(ticket.client_id, 0), ticket.order_id)
        self.tickets[key] = ticket
        if code := self.tricks.take("reject"):
            self.refuse(ticket, code, words_of(code, ticket), ADVANCED if code == 201 else "")
            return
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
        else:
            self.submit(family, parent if parent and parent.name else None)
        for one in family:
            if code := self.tricks.take("note"):
                self.remark(one, code)

    def remark(self, ticket, code):
        """Say a number about an order, which goes on; what waits for shares to borrow says so itself too."""
        self.wire.error(ticket, code, words_of(code, ticket))
        if code == LOCATING and not ticket.ended:
            ticket.why_held = "locate"
            self.wire.status(ticket)

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
        self.held.append(ticket)
        self.tell(ticket)

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
        self.sync()
        if fault := misfit_of(known, asked):
            self.wire.error(known, *fault)
        elif known.name and self.tricks.take("twin"):
            self.split_off(known, asked)
        elif not known.name or known.waits:
            self.rewrite(known, asked)
        else:
            self.amend(known, asked)

    def rewrite(self, known, asked):
        """Take other terms for an order that is still here."""
        known.limit, known.aux, known.quantity, known.left = asked.limit, asked.aux, asked.quantity, asked.quantity
        known.parent_id, known.tif, known.order_ref = asked.parent_id, asked.tif, asked.order_ref
        self.wire.order(known)
        if asked.transmit and not known.name:
            self.release(known)

    def amend(self, known, asked):
        """Have the exchange give an order other terms; what did not change is left out.

        A quantity is what it says: one from before a fill of the group's other exit is asked for anew. A child alone
        whose entry still works is told in two ways, as it was written and as far as it works.
        """
        level = asked.level if asked.level != known.level else None
        parent = self.tickets.get((known.client_id, known.parent_id))
        same = {known.filled + known.left, *([known.quantity] if parent and not parent.ended else [])}
        quantity = asked.quantity if asked.quantity not in same else None
        if level is None and quantity is None:
            self.tell(known)
            return
        reports = self.exchange.amend(self.clock.now(), AmendOrder(known.name, level, quantity))
        if refusals := [report for report in reports if isinstance(report, AmendRejected)]:
            self.wire.error(known, *refusal_to_amend(refusals[0].words))
            return
        known.quantity = quantity if quantity is not None else known.quantity
        self.settle(reports)

    def split_off(self, known, asked):
        """Make a second order of the new terms: what a modification over a broken link has done."""
        twin = replace(
            asked, perm_id=self.next_perm, order_id=self.next_id, account=known.account, fills=[], parent_id=0
        )
        self.next_perm, self.next_id = self.next_perm + 1, self.next_id + 1
        self.tickets[(twin.client_id, twin.order_id)] = twin
        self.submit([twin])

    def cancel(self, client_id, order_id, ticket=None):
        """End an order of this client, or say why it is not ended."""
        self.sync()
        ticket = ticket or self.tickets.get((client_id, order_id))
        if ticket is None:
            self.wire.refuse(client_id, order_id, 10147, NOT_FOUND.format(order_id))
        elif self.tricks.take("forget"):
            return
        elif code := self.tricks.take("cancel") or (10148 if ticket.ended else 0):
            self.wire.error(ticket, code, words_of(code, ticket))
        elif not ticket.name or ticket.waits:
            for one in (ticket, *self.children(ticket)):
                self.end(one, "Cancelled", "")
        else:
            self.frozen.pop(ticket.perm_id, None)
            self.cancel_at_exchange(ticket)

    def cancel_at_exchange(self, ticket):
        """End an order that the exchange has."""
        reports = self.exchange.cancel(self.clock.now(), CancelOrder(ticket.name, BY_CLIENT))
        if refused := next((report for report in reports if isinstance(report, CancelRejected)), None):
            self.wire.error(ticket, 161, f"{words_of(161, ticket)} {refused.words}")
        self.settle(reports)

    def pending_cancel(self, client_id, order_id):
        """Show that a cancel is on its way."""
        ticket = self.tickets.get((client_id, order_id))
        if ticket is not None and not ticket.ended:
            ticket.status = "PendingCancel"
            self.wire.status(ticket)

    def cancel_all(self):
        """End every order, whoever placed it."""
        self.sync()
        for ticket in self.living():
            if not ticket.ended:  # a parent takes its children with it
                self.cancel(ticket.client_id, ticket.order_id, ticket)

    def bind_manual(self, session):
        """Give client 0 the manual orders, each under an id below zero."""
        for ticket in self.living():
            if ticket.order_id == 0:
                ticket.order_id = min([0, *(number for _, number in self.tickets)]) - 1
                self.tickets[(0, ticket.order_id)] = ticket
                session.send(100, ticket.perm_id, 0, ticket.order_id)

    def by_hand(self, reports):
        """Tell what a person did at the screen; client 0 has it at once, if it asked for that."""
        for name in self.exchange.orders:
            self.ticket_of(name)
        self.wire.manual()
        self.settle(reports)

    def quote(self, quote):
        """Let the exchange have a quote, and what it triggers here."""
        self.settle(self.exchange.quote(self.clock.now(), quote))
        for ticket in [one for one in self.held if one.listed.name == quote.instrument]:
            price = quote.ask if ticket.side is Side.BUY else quote.bid
            if ticket.ended:
                self.held.remove(ticket)
            elif (price - float(ticket.aux)) * ticket.side.sign >= 0:
                self.held.remove(ticket)
                self.submit([ticket])
                ticket.waits = False

    def filled(self, report):
        """Tell an execution, and shrink or end the others of an OCA group that the exchange knows nothing of."""
        known = report.execution in self.fills
        super().filled(report)
        fill = self.fills[report.execution]
        ticket = fill.ticket
        if known or not ticket.oca_group or ticket.oca_group in self.groups:
            return
        for other in self.living():
            if other is not ticket and other.oca_group == ticket.oca_group and other.account == ticket.account:
                self.reduce(other, fill.quantity)

    def reduce(self, ticket, quantity):
        """Take from an order what another of its group has filled (type 1: all of it)."""
        left = ticket.left - quantity
        if ticket.oca_type == 1 or left <= ZERO or ticket.waits or not ticket.name:
            self.cancel(ticket.client_id, ticket.order_id, ticket)
        else:
            reduced = AmendOrder(ticket.name, quantity=ticket.filled + left)
            self.settle(self.exchange.amend(self.clock.now(), reduced))

    def shelve(self, ticket):
        """Show an order as Inactive; the exchange goes on with it."""
        self.frozen[ticket.perm_id] = ticket.status
        ticket.status = "Inactive"
        self.tell(ticket)

    def revive(self, ticket):
        """Show it as working again, unless it is over by now."""
        status = self.frozen.pop(ticket.perm_id, None)
        if status and not ticket.ended:
            ticket.status = status
            self.tell(ticket)

    def restart(self, rollback):
        """Forget what lived in TWS alone, and begin counting from ids that were given out before."""
        self.tickets = {key: one for key, one in self.tickets.items() if one.name or one.ended}
        self.next_id = max(1, max((number for _, number in self.tickets), default=0) + 1 - rollback)
        self.floors.clear()


def refusal_to_amend(words):
    """Give TWS's number and words for an amendment that the exchange refuses."""
    if "not a price" in words:
        return 110, "The price does not conform to the minimum price variation for this contract."
    if "waits" in words:
        return 2102, "Unable to modify this order as it is still being processed."
    if "no such order" in words or words.startswith("it is "):
        return 104, "Cannot modify a filled order"
    return 105, "Order being modified does not match original order"
