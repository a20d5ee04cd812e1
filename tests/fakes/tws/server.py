"""The TWS itself: one exchange, one account that trades, any number of clients."""

import asyncio
from decimal import Decimal

from joed.model.values import SECOND
from tests.fakes.tws.account import portfolio_of, preview_of, values_of
from tests.fakes.tws.answers import MANUAL, ORDERS
from tests.fakes.tws.contracts import Directory, stamp
from tests.fakes.tws.desk import Desk
from tests.fakes.tws.history import Pacing
from tests.fakes.tws.lines import Market
from tests.fakes.tws.session import Session
from tests.fakes.tws.tampering import Tampering
from tests.fakes.tws.ticket import commission_report, exec_details, open_order, order_status
from tests.fakes.tws.wire import SERVER_VERSION

CASH = Decimal(0)


class FakeTws:
    """A TWS over an exchange that the test holds, by the clock and on the loop that it is given.

    Public: `exchange`, `desk` (orders), `market` (data), `tampering` (single messages), `sessions`, `clients` (by id).
    `gateway` is what a client meets: open, login (up, but nobody has logged in), silent (answers nothing after the
    handshake), mute (nothing at all). `latency_s` is what an order takes to the exchange, and its reports back.
    """

    def __init__(self, exchange, clock, *, account="DU1234567", version=SERVER_VERSION, latency_s=0.0, bars=None):
        self.exchange = exchange
        self.clock = clock
        self.version = version
        self.accounts = [account]
        self.latency_ns = int(latency_s * SECOND)
        self.directory = Directory(exchange.instruments)
        self.desk = Desk(exchange, self.directory, clock, self)
        self.market = Market(self)
        self.tampering = Tampering(clock)
        self.pacing = Pacing()
        self.bars = bars or (lambda name, from_ns, to_ns, interval_ns: [])
        self.hours = None
        self.gateway = "open"
        self.linked = True
        self.paces = True
        self.paces_history = True
        self.commissions = True
        self.commission_delay_s = 0.0
        self.unpaid = set()
        self.other_cash = CASH
        self.overrides = {}
        self.broken_farms = {}
        self.other_positions = {}
        self.sessions = []
        self.clients = {}
        self.held_ids = {}
        self.master = None
        self.parked = []
        self.withheld = []
        self.cancel_ns = 0
        self.cut_after = 0
        self.clock_off_ns = 0
        self.trickle = 0
        self.listener = None
        self.host, self.port = "127.0.0.1", 0
        self.opening = None
        self.journal = None
        self.stopped = False

    async def listen(self, port=0, host="127.0.0.1"):
        """Open the port and give its number."""
        loop = asyncio.get_running_loop()
        self.listener = await loop.create_server(self.accept, host, port)
        sockets = getattr(self.listener, "sockets", None)
        self.host, self.port = host, sockets[0].getsockname()[1] if sockets else port
        return self.port

    def close_port(self):
        """Refuse new connections; those that are there stay."""
        if self.listener is not None:
            self.listener.close()
            self.listener = None

    def open_port(self):
        """Take connections again, on the same port."""
        if self.listener is None and not self.stopped:
            self.opening = asyncio.get_running_loop().create_task(self.listen(self.port, self.host))

    def accept(self):
        """Give the protocol for a new connection."""
        return Session(self)

    def stop(self):
        """Close the port and every connection."""
        self.stopped = True
        self.close_port()
        for session in tuple(self.sessions):
            session.abort()

    def log(self, *words):
        """Note what goes over the wire, where somebody listens."""
        if self.journal is not None:
            self.journal(*words)

    def loop_time(self):
        """Give the loop's time in seconds: rates are counted in it, however fast the market's clock runs."""
        return asyncio.get_running_loop().time()

    def travel(self, number, act):
        """Do what a request asks, after the latency where it goes to the exchange."""
        self.after(self.latency_ns if number in ORDERS else 0, act)

    def after(self, delay_ns, act):
        """Do something later, or at once where there is no delay."""
        if delay_ns:
            self.clock.call_at(self.clock.now() + delay_ns, act)
        else:
            act()

    def in_s(self, seconds, act):
        """Do something after so many seconds of the clock."""
        self.clock.call_at(self.clock.now() + int(float(seconds) * SECOND), act)

    def relink(self, *, told=True):
        """Have the servers again: answer what waited, tell what was withheld, or never tell it."""
        self.linked = True
        withheld, self.withheld = self.withheld, []
        parked, self.parked = self.parked, []
        if told:
            for ticket, messages in withheld:
                self.deliver(ticket, messages)
        for answer in parked:
            answer()

    def forget(self, session):
        """Let go of a connection that ended."""
        self.sessions.remove(session)
        self.leave(session)

    def leave(self, session):
        """Close a client's lines and give its id free."""
        self.market.drop(session)
        if self.clients.get(session.client_id) is session:
            del self.clients[session.client_id]

    def is_taken(self, client_id):
        """Say whether a client id is in use, by a session or by one that TWS believes in still."""
        return client_id in self.clients or self.held_ids.get(client_id, 0) > self.clock.now()

    def quote(self, quote):
        """Take a quote of the market: to whoever watches, and to the exchange."""
        self.market.quote(quote)
        self.desk.quote(quote)

    def halt(self, instrument, *, halted):
        """Halt trading, or resume it."""
        self.market.halt(instrument, halted)
        self.desk.settle(self.exchange.halt(self.clock.now(), instrument, halted))

    def end_of_day(self):
        """End the trading day: orders of the day go."""
        self.desk.end_of_day()

    def broadcast(self, code, words):
        """Tell all clients something that concerns no request."""
        for session in tuple(self.clients.values()):
            session.error(-1, code, words)

    def owners(self, ticket):
        """Give the sessions that hear of an order: its client's and the master's."""
        ids = dict.fromkeys((ticket.client_id, self.master))
        return [self.clients[one] for one in ids if one in self.clients]

    def tell(self, ticket, *messages):
        """Send words of an order after the latency; without the servers nobody hears them."""
        frozen = [tuple(message) for message in messages]
        if not self.linked:
            self.withheld.append((ticket, frozen))
            return
        self.after(self.latency_ns, lambda: self.deliver(ticket, frozen))

    def deliver(self, ticket, messages):
        """Hand words of an order over."""
        for session in self.owners(ticket):
            for message in messages:
                session.send(*message)

    def order(self, ticket):
        """Tell an order's terms."""
        self.tell(ticket, open_order(ticket))

    def status(self, ticket):
        """Tell where an order stands."""
        self.tell(ticket, order_status(ticket))

    def execution(self, fill):
        """Tell an execution: first itself, then its order, then what it cost, then what is held."""
        ticket = fill.ticket
        details = exec_details(-1, fill, stamp(fill.at_ns))
        self.tell(ticket, details, open_order(ticket), order_status(ticket))
        if self.commissions:
            report = commission_report(fill, ticket.listed.currency)
            self.after(int(self.commission_delay_s * SECOND), lambda: self.tell(ticket, report))
        else:
            self.unpaid.add(fill.exec_id)
        for session in tuple(self.clients.values()):
            self.after(self.latency_ns, lambda session=session: self.tell_changes(session, ticket.listed))

    def tell_changes(self, session, listed):
        """Tell a session that asked what is held now."""
        if session.wants_positions:
            for message in self.position_messages():
                if message[3] == listed.con_id:
                    session.send(*message)
            if not self.exchange.position(listed.name):
                session.send(61, 3, self.accounts[0], *listed.held(), 0, 0.0)
        if session.wants_account:
            self.tell_account(session)

    def error(self, ticket, code, words, advanced=""):
        """Tell an error that concerns an order."""
        self.tell(ticket, (4, 2, ticket.order_id, code, words, advanced))

    def manual(self):
        """Bind orders made by hand for client 0, where it asked for that."""
        session = self.clients.get(MANUAL)
        if session is not None and session.binds:
            self.desk.bind_manual(session)

    def refuse(self, client_id, order_id, code, words):
        """Tell an error about an id that is no order."""
        if client_id in self.clients:
            self.clients[client_id].error(order_id, code, words)

    def preview(self, ticket):
        """Answer an order that only asks what it would need."""
        ticket.status = "PreSubmitted"
        self.tell(ticket, open_order(ticket, preview_of(self, ticket)))

    def position_messages(self):
        """Give a message for each position of each account."""
        rows = [(61, 3, self.accounts[0], *row.listed.held(), row.quantity, row.average) for row in portfolio_of(self)]
        for account, held in self.other_positions.items():
            for name, (quantity, average) in held.items():
                rows.append((61, 3, account, *self.directory.by_name[name].held(), quantity, average))
        return rows

    def tell_account(self, session):
        """Tell an account's values, its portfolio and the time of both."""
        account = session.wants_account
        for tag, value, currency in values_of(self, account):
            session.send(6, 2, tag, value, currency, account)
        if account == self.accounts[0]:
            for row in portfolio_of(self):
                listed = row.listed.eleven()
                contract = (*listed[:7], row.listed.primary, *listed[8:])
                figures = (row.quantity, row.price, row.price * row.quantity, row.average, row.unrealized, 0)
                session.send(7, 8, *contract, *figures, account)
        session.send(8, 1, stamp(self.clock.now(), suffix="")[9:14])


__all__ = ["MANUAL", "FakeTws"]
