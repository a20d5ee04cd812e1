"""What TWS answers to each request, by the number that the request begins with; fields are read in its order."""

from decimal import Decimal

from joed.model.values import SECOND
from tests.fakes.tws.account import portfolio_of, values_of
from tests.fakes.tws.contracts import asked_of, hours, stamp
from tests.fakes.tws.history import answer_history, cancel_history
from tests.fakes.tws.lines import BY_TYPE, TICK_LINES_MAX
from tests.fakes.tws.ticket import commission_report, completed_order, exec_details, open_order, order_status, ticket_of

ORDER_TYPES = "ACTIVETIM,AD,ADJUST,ALERT,ALGO,ALLOC,AVGCOST,BASKET,COND,DAY,GTC,LMT,MKT,OCA,STP,STPLMT,WHATIF"
SIZES = {"minimum": "0.0001", "increment": "0.0001", "suggested": "100"}
NO_SECURITY = "No security definition has been found for the request"
MANUAL = 0
"""The client id whose session may bind the orders that were made by hand."""


def place_order(session, fields):
    """Take an order, or other terms for one."""
    tws = session.tws
    tws.desk.place(ticket_of(fields, session.client_id))
    tws.cut_after -= 1
    if tws.cut_after == 0:
        session.reset()


def cancel_order(session, fields):
    """Cancel one order of this client."""
    fields.skip(1)
    tws, client_id, order_id = session.tws, session.client_id, fields.number()
    if tws.cancel_ns:
        tws.desk.pending_cancel(client_id, order_id)
    tws.after(tws.cancel_ns, lambda: tws.desk.cancel(client_id, order_id))


def global_cancel(session, fields):
    """Cancel every order, whoever made it."""
    session.tws.desk.cancel_all()


def next_ids(session, fields):
    """Tell the next order id."""
    session.send(9, 1, session.tws.desk.next_id)


def managed_accounts(session, fields):
    """Tell the accounts."""
    session.send(15, 1, ",".join(session.tws.accounts))


def current_time(session, fields):
    """Tell the time in whole seconds."""
    session.send(49, 1, (session.tws.clock.now() + session.tws.clock_off_ns) // SECOND)


def bind(session, fields):
    """Let client 0 have the manual orders from now on."""
    fields.skip(1)
    session.binds = fields.flag() and session.client_id == MANUAL


def own_orders(session, fields):
    """Tell this client's orders; client 0 thereby takes over the manual ones."""
    desk = session.tws.desk
    desk.sync()
    if session.client_id == MANUAL:
        desk.bind_manual(session)
    tell_orders(session, [ticket for ticket in desk.living() if ticket.client_id == session.client_id])


def all_orders(session, fields):
    """Tell the orders of all clients, and the manual ones, binding none."""
    session.tws.desk.sync()
    tell_orders(session, session.tws.desk.living())


def tell_orders(session, tickets):
    """Tell orders and the end of the list."""
    for ticket in tickets:
        session.send(*open_order(ticket))
        session.send(*order_status(ticket))
    session.send(53, 1)


def completed_orders(session, fields):
    """Tell the orders that are over; `apiOnly` leaves the manual ones out."""
    api_only = fields.flag()
    desk = session.tws.desk
    desk.sync()
    for ticket in desk.all():
        if ticket.ended and (ticket.order_id > 0 or not api_only):
            session.send(*completed_order(ticket, stamp(ticket.ended_ns), ticket.ended_words))
    session.send(102)


def positions(session, fields):
    """Tell the positions of all accounts, and each change from now on."""
    session.wants_positions = True
    session.tws.desk.sync()
    for message in session.tws.position_messages():
        session.send(*message)
    session.send(62, 1)


def stop_positions(session, fields):
    """Tell no more of positions."""
    session.wants_positions = False


def account_updates(session, fields):
    """Tell an account's values and portfolio, and each change from now on."""
    fields.skip(1)
    subscribe, account = fields.flag(), fields.text()
    session.wants_account = (account or session.tws.accounts[0]) if subscribe else ""
    if subscribe:
        session.tws.tell_account(session)
        session.send(54, 1, session.wants_account)


def account_updates_multi(session, fields):
    """Tell an account's values under a request's number."""
    fields.skip(1)
    request, account, model = fields.number(), fields.text(), fields.text()
    for tag, value, currency in values_of(session.tws, account):
        session.send(73, 1, request, account, model, tag, value, currency)
    session.send(74, 1, request)


def account_summary(session, fields):
    """Tell chosen values of all accounts; two such requests at a time, no more."""
    fields.skip(1)
    request, _group, tags = fields.number(), fields.text(), fields.text()
    if request not in session.summaries and len(session.summaries) >= 2:
        words = "Error processing request.-'bS' : cause - Maximum number of account summary requests exceeded"
        session.error(request, 322, words)
        return
    session.summaries[request] = tags
    wanted = tags.split(",")
    ledger = any(tag.startswith("$LEDGER") for tag in wanted)
    for account in session.tws.accounts:
        for tag, value, currency in values_of(session.tws, account):
            if tag in wanted or tags == "All" or (ledger and tag == "CashBalance"):
                session.send(63, 1, request, account, tag, value, currency)
    session.send(64, 1, request)


def cancel_summary(session, fields):
    """Tell no more of it."""
    fields.skip(1)
    session.summaries.pop(fields.number(), None)


def profit(session, fields):
    """Tell the day's profit of an account."""
    request = fields.number()
    rows = portfolio_of(session.tws)
    unrealized = sum((row.unrealized for row in rows), Decimal(0))
    realized = sum((fill.realized or 0 for fill in session.tws.desk.fills.values()), Decimal(0))
    session.send(94, request, unrealized + realized, unrealized, realized)


def executions(session, fields):
    """Tell the executions since midnight, those asked for, each with its commission where that is known."""
    fields.skip(1)
    request, client, account, since = fields.number(), fields.number(), fields.text(), fields.text()
    symbol, _sec_type, _exchange, side = fields.texts(4)
    tws = session.tws
    tws.desk.sync()
    today = stamp(tws.clock.now())[:8]
    for fill in tws.desk.fills.values():
        ticket, at = fill.ticket, stamp(fill.at_ns)
        if at[:8] != today:
            continue  # what is older stands in its trade log, for people
        wanted = (
            (client, ticket.client_id),
            (account, ticket.account),
            (symbol, ticket.listed.symbol),
            (side, ticket.side.value),
        )
        if all(not want or want == have for want, have in wanted) and at[:17] >= since.replace("-", " ")[:17]:
            session.send(*exec_details(request, fill, at))
            if tws.commissions and fill.exec_id not in tws.unpaid:
                session.send(*commission_report(fill, ticket.listed.currency))
    session.send(55, 1, request)


def contract_details(session, fields):
    """Describe the contracts that a description fits."""
    fields.skip(1)
    request, asked = fields.number(), asked_of(fields)
    rows = session.tws.directory.find(asked)
    if not rows:
        session.error(request, 200, NO_SECURITY)
        return
    for row in rows:
        session.send(*details_of(session.tws, request, row, asked))
    session.send(52, 1, request)


def details_of(tws, request, row, asked):
    """Give the fields of contractDetails (10)."""
    stock = row.sec_type == "STK"
    exchanges = f"SMART,{row.primary},IEX,ISLAND" if stock else row.exchange
    rules = ",".join(str(row.rule) for _ in exchanges.split(","))
    trading, liquid = tws.hours(row) if tws.hours else hours_of(tws.clock.now(), row)
    return [
        *(10, request, row.symbol, row.sec_type, "", "0", "", asked.exchange or row.exchange, row.currency),
        *(row.local, row.trading_class, row.trading_class, row.con_id, row.tick, "", ORDER_TYPES, exchanges, 1, 0),
        *(row.long_name, row.primary, "", "Technology", "Computers", "Computers"),
        *("US/Eastern", trading, liquid, "", "", 0, 1, "", "", rules, "", "COMMON" if stock else ""),
        *(SIZES["minimum"], SIZES["increment"], SIZES["suggested"]),
    ]


def hours_of(now, row):
    """Give trading and liquid hours by the contract's calendar: early closes and holidays are in them."""
    return hours(now, row.calendar, extended=True), hours(now, row.calendar)


def market_rule(session, fields):
    """Tell the price steps of a rule: all ours are the same at every price."""
    rule = fields.number()
    rows = session.tws.directory.by_name.values()
    tick = next((row.tick for row in rows if row.rule == rule), None)
    if tick is None:
        session.error(-1, 321, "Error validating request.-'cF' : cause - Invalid market rule id")
    else:
        session.send(93, rule, 1, "0.0", tick)


def data_type(session, fields):
    """Choose live, frozen, delayed or delayed and frozen data for the lines to come."""
    fields.skip(1)
    session.data_type = fields.number(1)


def market_data(session, fields):
    """Open a line."""
    fields.skip(1)
    request, asked = fields.number(), asked_of(fields)
    fields.skip(3 if fields.flag() else 0)
    generic, snapshot = fields.text(), fields.flag()
    rows = session.tws.directory.find(asked)
    session.tws.market.subscribe(session, request, rows, generic=generic, snapshot=snapshot)


def cancel_market_data(session, fields):
    """Close a line."""
    fields.skip(1)
    session.tws.market.cancel(session, fields.number())


def tick_by_tick(session, fields):
    """Open a tick-by-tick line for one of the few that there are."""
    request, asked, kind = fields.number(), asked_of(fields), fields.text()
    rows = session.tws.directory.find(asked)
    count = sum(len(one.tick_lines) for one in session.tws.clients.values())
    if len(rows) != 1 or kind not in BY_TYPE:
        session.error(request, 200, NO_SECURITY)
    elif rows[0].sec_type == "IND":
        session.error(request, 10189, "Failed to request tick-by-tick data:No market data permissions for CBOE IND")
    elif count >= TICK_LINES_MAX:
        session.error(request, 10190, "Max number of tick-by-tick requests has been reached.")
    else:
        session.tick_lines[request] = (rows[0], kind)


def cancel_tick_by_tick(session, fields):
    """Close a tick-by-tick line."""
    session.tick_lines.pop(fields.number(), None)


def nothing(session, fields):
    """Take what a client says in passing."""


ANSWERS = {
    "1": market_data,
    "2": cancel_market_data,
    "3": place_order,
    "4": cancel_order,
    "5": own_orders,
    "6": account_updates,
    "7": executions,
    "8": next_ids,
    "9": contract_details,
    "14": nothing,
    "15": bind,
    "16": all_orders,
    "17": managed_accounts,
    "20": answer_history,
    "25": cancel_history,
    "49": current_time,
    "58": global_cancel,
    "59": data_type,
    "61": positions,
    "62": account_summary,
    "63": cancel_summary,
    "64": stop_positions,
    "76": account_updates_multi,
    "77": nothing,
    "91": market_rule,
    "92": profit,
    "93": nothing,
    "97": tick_by_tick,
    "98": cancel_tick_by_tick,
    "99": completed_orders,
}
NEED_THE_SERVERS = frozenset({"3", "4", "58", "7", "9", "20", "99"})
"""What waits while TWS has lost the servers of IBKR."""
ORDERS = frozenset({"3", "4", "58"})
"""What takes the latency on its way to the exchange."""
