"""The dealing desk: what a client asks becomes commands to the exchange, and its log this account's deals.

Nothing is believed but the exchange's own log: each turn of it is folded here, whoever caused it, so that a position
which a test or another device made has its row, its activity and its transaction like every other. A position is one
entry's group in the exchange; its stop and profit level are the group's other two orders.
"""

from collections import deque
from functools import partial

from joed.model.commands import AmendOrder, CancelOrder, SubmitOrder
from joed.model.events import AmendRejected, OrderRejected, Quote
from joed.model.values import SECOND, ZERO, Kind, Leg, Side, Tif
from tests.fakes.capital.rows import Activity, Confirm, Deal, Transaction, Working
from tests.fakes.capital.ticket import Protection, Ticket, entry_price, exit_price
from tests.fakes.capital.words import Refused, written

ROWS_MAX = 100_000
STATES_MAX = 50
CLOSED_KEPT_NS = 3_600 * SECOND
SOURCES = {Leg.STOP: "SL", Leg.TARGET: "TP"}
REASONS = {
    "halted": "CLOSED_MARKET",
    "no_quote": "RC_NO_RATES",
    "bracket": "INVALID_PRICE",
    "price": "INVALID_PRICE",
    "quantity": "INVALID_ORDER_QTY",
    "instrument": "INSTRUMENT_NOT_AVAILABLE",
}
NO_DEAL = "error.not-found.dealId"


class Desk:
    """The orders and positions of the account that trades."""

    def __init__(self, exchange, listings, funds, clock, faults, ids):
        self.exchange, self.listings, self.funds = exchange, listings, funds
        self.clock, self.faults, self.ids = clock, faults, ids
        self.by_name = {listing.name: listing for listing in listings.values()}
        self.settle_s = 0.0
        """How long an order is under way inside the service before it is carried out."""
        self.deals, self.by_group = funds.deals, {}
        self.working, self.by_entry = {}, {}
        self.markets = {}
        self.confirms = {}
        self.activities, self.transactions = deque(maxlen=ROWS_MAX), deque(maxlen=ROWS_MAX)
        self.source, self.ending = "USER", "CANCELLED"
        self._last = None
        self._affected, self._result, self._price = [], ZERO, ZERO

    def open(self, ticket):
        """Take a market order, or a working order, and give its reference; acceptance is not execution."""
        ticket.order, ticket.reference = self.ids.deal(), self.ids.reference()
        self.after(partial(self.rest if ticket.working else self.execute, ticket))
        return ticket.reference

    def after(self, act):
        """Do something once the service has come to it."""
        if self.settle_s:
            self.clock.call_at(self.clock.now() + int(self.settle_s * SECOND), act)
        else:
            act()

    def execute(self, ticket):
        """Carry a market order out: against what is held the other way first, unless the account hedges."""
        self.sync()
        if reason := self.refusal(ticket):
            self.reject(ticket, reason)
            return
        self._begin()
        left = ticket.size if self.funds.account.hedging else self.net(ticket)
        if ticket.working and left < ticket.size:
            ticket.protection = None  # a working order's is not inherited by what it leaves over
        if left and (reason := self.enter(ticket, left, f"{ticket.order}.m" if ticket.working else "")):
            self.reject(ticket, reason)
            return
        statuses = dict(self._affected).values()
        status = "OPEN" if left else "CLOSED" if "PARTIALLY_CLOSED" not in statuses else "PARTIALLY_CLOSED"
        more = {} if left == ticket.size else self._profit()
        self.confirm(ticket.reference, ticket.order, status, ticket, self._price, more=more)

    def refusal(self, ticket):
        """Say why a market order is not carried out, in the service's word, or ""."""
        if reason := self.faults.rejects.pop(0) if self.faults.rejects else "":
            return reason
        listing, now = ticket.listing, self.clock.now()
        if listing.state(now) != "TRADEABLE":
            return "CLOSED_MARKET"
        price = entry_price(listing, ticket.side)
        if price is None:
            return "RC_NO_RATES"
        left = ticket.size - (ZERO if self.funds.account.hedging else self.held_against(ticket))
        if left <= 0:
            return ""
        if "CLOSE_ONLY" in listing.modes:
            return "CLOSE_ONLY"
        if "LONG_ONLY" in listing.modes and ticket.side is Side.SELL:
            return "LONG_ONLY"
        funds = self.funds
        free = funds.deposit() + funds.profit() - funds.margin()
        return "RC_NOT_ENOUGH_MARGIN" if funds.needs(listing, left, price) > free else ""

    def against(self, ticket):
        """Give the positions that a netting account would close first, the oldest first."""
        rows = (deal for deal in self.deals.values() if deal.size and deal.listing is ticket.listing)
        return sorted((deal for deal in rows if deal.side is not ticket.side), key=lambda deal: deal.deal)

    def held_against(self, ticket):
        """Give how much is held the other way."""
        return sum((deal.size for deal in self.against(ticket)), ZERO)

    def net(self, ticket):
        """Close what is held the other way and give what is left of the order."""
        left = ticket.size
        for number, deal in enumerate(self.against(ticket)):
            portion = min(left, deal.size)
            if portion:
                self.close_part(deal, portion, f"{ticket.order}.{number}")
            left -= portion
        return left

    def close_part(self, deal, size, order):
        """Have the exchange close a part of a position, or all of it, at the market."""
        self.turn(
            SubmitOrder(
                order=order,
                broker=self.exchange.name,
                instrument=deal.listing.name,
                side=deal.side.opposite,
                quantity=size,
                kind=Kind.MARKET,
                leg=Leg.CLOSE,
                opens=False,
                tif=Tif.GTC,
                group=deal.group,
            )
        )

    def enter(self, ticket, size, entry=""):
        """Have the exchange take an entry with its protection; give the reason where it does not, or ""."""
        entry = entry or ticket.order
        self.markets[entry] = ticket
        wanted = ticket.protection or Protection()
        events = self.turn(
            SubmitOrder(
                order=entry,
                broker=self.exchange.name,
                instrument=ticket.listing.name,
                side=ticket.side,
                quantity=size,
                kind=Kind(ticket.kind),
                leg=Leg.ENTRY,
                opens=True,
                level=ticket.level,
                tif=Tif.GTC,
                stop_order=f"{entry}-S" if wanted.stop is not None else "",
                stop=wanted.stop,
                target_order=f"{entry}-T" if wanted.profit is not None else "",
                target=wanted.profit,
                group=entry,
            )
        )
        refused = next((event for event in events if isinstance(event, OrderRejected)), None)
        return REASONS.get(refused.code, "RISK_CHECK") if refused else ""

    def rest(self, ticket):
        """Put a working order into the book."""
        self.sync()
        if reason := self.faults.rejects.pop(0) if self.faults.rejects else "":
            self.reject(ticket, reason)
            return
        wanted = ticket.protection or Protection()
        order = Working(
            ticket.order,
            ticket.reference,
            ticket.order,
            ticket.listing,
            ticket.side,
            ticket.size,
            ticket.kind,
            ticket.level,
            self.clock.now(),
            ticket.until_ns,
            wanted.stop,
            wanted.profit,
            wanted.guaranteed,
            wanted.trailing,
            wanted.distance,
        )
        self.working[order.deal] = self.by_entry[order.entry] = order
        if reason := self.enter(ticket, ticket.size):
            del self.working[order.deal], self.by_entry[order.entry]
            self.reject(ticket, reason)
            return
        self.act(order.deal, order, ("USER", "WORKING_ORDER", "CREATED"), order.side, order.size, order.level)
        self._affected = [(order.deal, "OPENED")]
        self.confirm(ticket.reference, order.deal, "OPEN", ticket, order.level)
        if order.until_ns:
            self.clock.call_at(order.until_ns, lambda: self.expire(order))

    def expire(self, order):
        """End a working order whose time is over."""
        self.sync()
        if not order.over and order.until_ns and order.until_ns <= self.clock.now():
            self.end(order, "SYSTEM", "EXPIRED")

    def end(self, order, source, status):
        """Take a working order out of the book."""
        self.source, self.ending = source, status
        self.turn(CancelOrder(order.entry))
        self.source, self.ending = "USER", "CANCELLED"

    def cancel(self, deal):
        """Take DELETE /workingorders: the confirm goes by the order's old reference."""
        self.sync()
        order = self.find_working(deal)
        self.end(order, "USER", "CANCELLED")
        self._affected = [(deal, "DELETED")]
        self.confirm(order.reference, deal, "DELETED", order, order.level)
        return order.reference

    def amend_working(self, deal, level, until_ns, wanted):
        """Give a working order other terms; where the exchange cannot amend, it gets a new order for the old one."""
        order = self.find_working(deal)
        same = (order.stop, order.profit) == (wanted.stop, wanted.profit)
        order.until_ns, order.level = until_ns, level
        order.stop, order.profit = wanted.stop, wanted.profit
        order.guaranteed, order.trailing, order.distance = wanted.guaranteed, wanted.trailing, wanted.distance
        if same:
            self.turn(AmendOrder(order.entry, level=level))
        else:
            old, order.versions = order.entry, order.versions + 1
            order.entry = f"{order.deal}.v{order.versions}"
            self.by_entry[order.entry] = order
            self.turn(CancelOrder(old))
            ticket = Ticket(order.listing, order.side, order.size, order.kind, level, until_ns, wanted)
            ticket.order, ticket.reference, ticket.working = order.deal, order.reference, True
            self.enter(ticket, order.size, order.entry)
        if until_ns:
            self.clock.call_at(until_ns, lambda: self.expire(order))
        self.act(deal, order, ("USER", "WORKING_ORDER", "MODIFIED"), order.side, order.size, level)
        self._affected = [(deal, "AMENDED")]
        self.confirm(order.reference, deal, "AMENDED", order, level)
        return order.reference

    def close(self, deal_id):
        """Take DELETE /positions: all of it, whatever size was asked for."""
        self.sync()
        deal = self.find_deal(deal_id)
        self.after(partial(self.carry_out_close, deal, "USER"))
        return deal.reference

    def carry_out_close(self, deal, source):
        """Close a position at the market."""
        self.sync()
        if not deal.size:
            self.reject_deal(deal, "POSITION_NOT_FOUND")
            return
        if source == "USER" and deal.listing.state(self.clock.now()) != "TRADEABLE":
            self.reject_deal(deal, "CLOSED_MARKET")
            return
        self.source = source
        self.close_part(deal, deal.size, f"{deal.deal}.c{self.ids.deal()}")
        self.source = "USER"

    def amend(self, deal_id, wanted, kept=()):
        """Take PUT /positions: `wanted` is the whole protection; the names in `kept` stay as they are."""
        deal = self.find_deal(deal_id)
        if "stop" not in kept:
            self.set_leg(deal, "stop", wanted.stop)
            deal.guaranteed, deal.trailing, deal.distance = wanted.guaranteed, wanted.trailing, wanted.distance
        if "profit" not in kept:
            self.set_leg(deal, "profit", wanted.profit)
        self.act(deal.deal, deal, ("USER", "EDIT_STOP_AND_LIMIT", "ACCEPTED"), deal.side, deal.size, deal.level)
        self._affected = [(deal.deal, "AMENDED")]
        self.confirm(deal.reference, deal.deal, "AMENDED", deal, deal.level)
        return deal.reference

    def set_leg(self, deal, word, level):
        """Give a position its stop or profit level, another one, or none."""
        name = f"{word}_id"
        order, old = getattr(deal, name), self.leg(deal, word)
        if level is None:
            if old is not None:
                self.turn(CancelOrder(order))
            return
        if old is not None:
            events = self.turn(AmendOrder(order, level=level))
            if any(isinstance(event, AmendRejected) for event in events):
                raise Refused(400, f"error.validation.{word}.price")
            return
        made = f"{deal.group}-{word[0]}{self.ids.deal()}"
        setattr(deal, name, made)
        self.turn(
            SubmitOrder(
                order=made,
                broker=self.exchange.name,
                instrument=deal.listing.name,
                side=deal.side.opposite,
                quantity=deal.size,
                kind=Kind.STOP if word == "stop" else Kind.LIMIT,
                leg=Leg.STOP if word == "stop" else Leg.TARGET,
                opens=False,
                level=level,
                tif=Tif.GTC,
                group=deal.group,
            )
        )

    def leg(self, deal, word):
        """Give the level of a position's stop or profit, None where it has none."""
        order = self.exchange.orders.get(getattr(deal, f"{word}_id"))
        return order.level if order is not None and not order.status.ended else None

    def find_deal(self, deal_id):
        """Give an open position, or refuse."""
        deal = self.deals.get(deal_id)
        if deal is None or not deal.size:
            raise Refused(404, NO_DEAL)
        return deal

    def find_working(self, deal_id):
        """Give a working order, or refuse."""
        order = self.working.get(deal_id)
        if order is None or order.over:
            raise Refused(404, NO_DEAL)
        return order

    def quote(self, quote):
        """Take a price: what it reaches is carried out, and trailing stops follow it."""
        self.sync()
        name, now = quote.instrument, self.clock.now()
        self.source = "SYSTEM"
        opposed = self.opposed(quote)
        for order, _ticket in opposed:
            self.end_quietly(order)
        for level in self.guaranteed_levels(quote):
            self.exchange.quote(now, Quote(name, level, level))
        self.exchange.quote(now, Quote(name, quote.bid, quote.ask))
        self.sync()
        for _order, ticket in opposed:
            self.execute(ticket)
        self.trail(self.by_name[name])
        self.source = "USER"

    def opposed(self, quote):
        """Find the working orders that this price fills against a position, or one another: only netting does that."""
        if self.funds.account.hedging:
            return []
        found = []
        for order in self.working.values():
            entry = self.exchange.orders.get(order.entry)
            if order.over or order.listing.name != quote.instrument or entry is None or not entry.reached_by(quote):
                continue
            ticket = Ticket(order.listing, order.side, entry.left, protection=self.protection_of(order))
            ticket.order, ticket.reference, ticket.working = order.deal, self.ids.reference(), True
            found.append((order, ticket))
        both = len({order.side for order, _ in found}) > 1
        return found if both or any(self.against(ticket) for _, ticket in found) else []

    def protection_of(self, order):
        """Give a working order's protection."""
        return Protection(order.stop, order.profit, order.guaranteed, order.trailing, order.distance)

    def end_quietly(self, order):
        """Take a working order out of the exchange because it is carried out by other means."""
        order.over = True
        del self.by_entry[order.entry]
        self.turn(CancelOrder(order.entry))
        self.act(order.deal, order, ("SYSTEM", "WORKING_ORDER", "EXECUTED"), order.side, order.size, order.level)

    def guaranteed_levels(self, quote):
        """Find the guaranteed stops that a price jumps over: they fill at their level, as if it had been quoted."""
        for deal in list(self.deals.values()):
            if not deal.size or not deal.guaranteed or deal.listing.name != quote.instrument:
                continue
            level = self.leg(deal, "stop")
            price = quote.bid if deal.side is Side.BUY else quote.ask
            if level is not None and deal.side.sign * (float(level) - price) > 0:
                yield float(level)

    def trail(self, listing):
        """Let trailing stops follow the price, never back."""
        for deal in list(self.deals.values()):
            price = exit_price(listing, deal.side)
            if not deal.size or not deal.trailing or deal.listing is not listing or price is None:
                continue
            level, old = price - deal.side.sign * deal.distance, self.leg(deal, "stop")
            if old is not None and deal.side.sign * (level - old) > 0 and not level % listing.tick:
                self.turn(AmendOrder(deal.stop_id, level=level))

    def turn(self, command):
        """Have the exchange take a command, fold what came of it, and give its reports."""
        verbs = {SubmitOrder: "submit", AmendOrder: "amend", CancelOrder: "cancel"}
        events = getattr(self.exchange, verbs[type(command)])(self.clock.now(), command)
        self.sync()
        return events

    def sync(self):
        """Fold what the exchange has done since the last time."""
        for line in self.new_lines():
            order = self.exchange.orders.get(line.order)
            if order is None:
                continue
            if line.what == "accepted" and order.opens and order.order not in self.markets:
                self.adopt(order)
            elif line.what == "filled" and order.opens:
                self.opened(order, line)
            elif line.what == "filled":
                self.reduced(order, line)
            elif line.what == "amended" and order.order in self.by_entry:
                self.by_entry[order.order].level = order.level
            elif line.what in ("cancelled", "expired") and order.order in self.by_entry:
                self.gone(self.by_entry[order.order], order)

    def refresh(self):
        """Take over the prices that reached the exchange by another way."""
        for name, quote in self.exchange.quotes.items():
            self.by_name[name].refresh(self.clock.now(), quote)

    def new_lines(self):
        """Give the exchange's log from where we were; what it has forgotten meanwhile was seen."""
        lines = []
        for line in reversed(self.exchange.log):
            if line is self._last:
                break
            lines.append(line)
        if lines:
            self._last = lines[0]
        return reversed(lines)

    def adopt(self, order):
        """Take an entry that somebody else gave to the exchange."""
        ticket = Ticket(self.by_name[order.instrument], order.side, order.asked, order.kind.value, order.level)
        ticket.order, ticket.reference = self.ids.deal(), self.ids.reference()
        self.markets[order.order] = ticket
        if order.kind is Kind.MARKET:
            return
        legs = {other.leg: other.level for other in self.children(order.order)}
        made = Working(
            ticket.order,
            ticket.reference,
            order.order,
            ticket.listing,
            order.side,
            order.asked,
            order.kind.value,
            order.level,
            self.clock.now(),
            stop=legs.get(Leg.STOP),
            profit=legs.get(Leg.TARGET),
        )
        self.working[made.deal] = self.by_entry[order.order] = made

    def children(self, entry):
        """Give the exchange's stop and profit orders of an entry."""
        return [order for order in self.exchange.orders.values() if order.parent == entry]

    def opened(self, order, line):
        """Fold a fill of an entry: a position with a new id."""
        deal, now = self.by_group.get(order.order), self.clock.now()
        self._price = line.price
        if deal is not None:
            whole = deal.size + line.quantity
            deal.level = (deal.size * deal.level + line.quantity * line.price) / whole
            deal.size, deal.closed_ns = whole, 0
            return
        ticket, working = self.markets[order.order], self.by_entry.get(order.order)
        legs = {other.leg: other.order for other in self.children(order.order)}
        wanted = self.protection_of(working) if working else ticket.protection or Protection()
        deal = Deal(
            self.ids.deal(),
            ticket.order,
            order.order,
            ticket.listing,
            order.side,
            line.quantity,
            line.price,
            line.at_ns,
            legs.get(Leg.STOP, ""),
            legs.get(Leg.TARGET, ""),
            wanted.guaranteed,
            wanted.trailing,
            wanted.distance,
        )
        self.deals[deal.deal] = self.by_group[order.order] = deal
        self._affected.append((deal.deal, "OPENED"))
        if working is None and not ticket.working:
            for source in ("USER", "SYSTEM"):
                self.act(deal.order, deal, (source, "WORKING_ORDER", "ACCEPTED"), deal.side, line.quantity, ZERO)
        self.act(deal.deal, deal, ("USER", "POSITION", "ACCEPTED"), deal.side, line.quantity, line.price, deal.order)
        if working is not None:
            working.over = not order.left
            self.act(
                working.deal, working, ("SYSTEM", "WORKING_ORDER", "EXECUTED"), order.side, order.asked, order.level
            )
        self.forget(now)

    def reduced(self, order, line):
        """Fold a fill that closes; one without a group closes the oldest positions."""
        deal = self.by_group.get(order.group)
        source = SOURCES.get(order.leg, self.source)
        ticket = Ticket(self.by_name[order.instrument], order.side, line.quantity)
        rows, left = [deal] if deal is not None else self.against(ticket), line.quantity
        for row in rows:
            portion = min(left, row.size)
            if portion:
                self.reduce(row, portion, line, source)
            left -= portion

    def reduce(self, deal, size, line, source):
        """Book a close of a position, in part or whole."""
        result = (line.price - deal.level) * size * deal.side.sign
        deal.size -= size
        self._result, self._price = self._result + result, line.price
        status = "PARTIALLY_CLOSED" if deal.size else "FULLY_CLOSED"
        if not deal.size:
            deal.closed_ns = line.at_ns
        side, money = deal.side.opposite, self.funds.to_base(result, deal.listing.currency)
        self.act(deal.deal, deal, (source, "POSITION", "ACCEPTED"), side, size, line.price, deal.order)
        self.move("TRADE", "Trade closed", money, deal)
        outer = [*self._affected, (deal.deal, status)], self._result, self._price
        self._affected = [(deal.deal, status)]
        closing = Ticket(deal.listing, side, size, reference=deal.reference)
        shown = "CLOSED" if not deal.size else "PARTIALLY_CLOSED"
        self.confirm(deal.reference, deal.deal, shown, closing, line.price, more=self._profit(result))
        self._affected, self._result, self._price = outer

    def gone(self, working, order):
        """Fold the end of a working order."""
        if working.entry != order.order or working.over:
            return
        working.over = True
        self.act(
            working.deal, working, (self.source, "WORKING_ORDER", self.ending), order.side, order.left, order.level
        )

    def forget(self, now):
        """Let go of positions that have been closed for long."""
        old = [deal for deal in self.deals.values() if not deal.size and now - deal.closed_ns > CLOSED_KEPT_NS]
        for deal in old:
            del self.deals[deal.deal], self.by_group[deal.group]

    def act(self, deal, row, how, side, size, level, order=""):
        """Note an activity (`how` is source, type and status), to be seen when the service gets round to it."""
        now = self.clock.now()
        seen_ns = now + int(self.faults.activity_delay_s * SECOND)
        details = {
            "dealReference": row.reference,
            "marketName": row.listing.name,
            "currency": row.listing.currency,
            "size": size,
            "direction": side.value,
            "level": level or 0,
            "guaranteedStop": row.guaranteed,
        }
        if order:
            details["workingOrderId"] = order
        levels_ns = seen_ns + int(self.faults.activity_level_delay_s * SECOND)
        self.activities.append(Activity(now, seen_ns, levels_ns, row.listing.epic, deal, *how, details))

    def move(self, kind, note, amount, deal):
        """Note a movement of money."""
        currency, reference = self.funds.account.currency, self.ids.reference()[2:10]
        self.transactions.append(
            Transaction(self.clock.now(), deal.listing.epic, kind, note, amount, deal.deal, reference, currency)
        )

    def confirm(self, reference, deal, status, row, level, *, more=None):
        """Set what a reference shows from now on, or from when the service is that far."""
        now = self.clock.now()
        known = self.confirms.setdefault(reference, Confirm(reference))
        body = {
            "date": known.states[0][1]["date"] if known.states else written(now),
            "status": status,
            "dealStatus": "ACCEPTED",
            "epic": row.listing.epic,
            "dealReference": reference,
            "dealId": deal,
            "affectedDeals": [{"dealId": name, "status": what} for name, what in self._affected],
            "level": level,
            "size": row.size,
            "direction": row.side.value,
            "guaranteedStop": bool(getattr(row, "guaranteed", False)),
            "trailingStop": bool(getattr(row, "trailing", False)),
            **(more or {}),
        }
        known.states = [*known.states[-STATES_MAX:], (now + int(self.faults.confirm_delay_s * SECOND), body)]
        self._begin()

    def reject(self, ticket, reason):
        """Confirm that an order was refused: it has an id all the same."""
        self._affected = []
        more = {"dealStatus": "REJECTED", "rejectReason": reason}
        self.confirm(ticket.reference, ticket.order, "DELETED", ticket, ZERO, more=more)
        self.act(ticket.order, Reject(ticket), ("USER", "WORKING_ORDER", "REJECTED"), ticket.side, ticket.size, ZERO)

    def reject_deal(self, deal, reason):
        """Confirm that a close was refused."""
        self._affected = []
        more = {"dealStatus": "REJECTED", "rejectReason": reason}
        self.confirm(deal.reference, deal.deal, "DELETED", deal, ZERO, more=more)

    def _begin(self):
        """Start to collect what one action does."""
        self._affected, self._result, self._price = [], ZERO, ZERO

    def _profit(self, result=None):
        account = self.funds.account.currency
        return {"profit": self._result if result is None else result, "profitCurrency": account}


class Reject:
    """A refused order as a row of the activity sees it."""

    guaranteed = False

    def __init__(self, ticket):
        self.reference, self.listing = ticket.reference, ticket.listing
