"""The REST routes: one row for each, and what it answers."""

import re
from dataclasses import dataclass, field

from joed.model.values import SECOND
from tests.fakes.capital.desk import NO_DEAL
from tests.fakes.capital.door import Session
from tests.fakes.capital.history import activities_of, transactions_of
from tests.fakes.capital.rows import position_row, working_row
from tests.fakes.capital.ticket import exit_price, number, protection_of, terms_of, ticket_of
from tests.fakes.capital.words import Refused

EPICS_MAX = 50
NODE = "hierarchy_v1.all_group"
SUCCESS = {"status": "SUCCESS"}
LEGS = {
    "stop": ("stopLevel", "stopDistance", "stopAmount"),
    "profit": ("profitLevel", "profitDistance", "profitAmount"),
}


@dataclass
class Asked:
    """A request as the routes see it: `parts` are what the path names."""

    method: str
    path: str
    query: dict
    body: dict
    headers: dict
    session: Session = None
    parts: tuple = ()
    tokens: Session = None
    """The session whose tokens the answer carries."""
    more: dict = field(default_factory=dict)


def login(fake, asked):
    """POST /session."""
    session = fake.door.login(asked.headers, asked.body)
    asked.tokens = session
    account = fake.accounts[session.account_id]
    return {
        "accountType": account.kind,
        "accountInfo": fake.balance(account),
        "currencyIsoCode": account.currency,
        "currencySymbol": "$",
        "currentAccountId": account.account_id,
        "streamingHost": fake.streaming_host,
        "accounts": [account_row(fake, one) for one in fake.accounts.values()],
        "clientId": fake.user.client_id,
        "timezoneOffset": fake.funds.offset_h,
        "hasActiveDemoAccounts": True,
        "hasActiveLiveAccounts": False,
        "trailingStopsEnabled": True,
    }


def account_row(fake, account):
    """Give one account."""
    return {
        "accountId": account.account_id,
        "accountName": account.name,
        "status": account.status,
        "accountType": account.kind,
        "preferred": account.preferred,
        "balance": fake.balance(account),
        "currency": account.currency,
        "symbol": "$",
    }


def session_now(fake, asked):
    """GET /session: which account is active."""
    account = fake.accounts[asked.session.account_id]
    return {
        "clientId": fake.user.client_id,
        "accountId": account.account_id,
        "timezoneOffset": fake.funds.offset_h,
        "locale": "en",
        "currency": account.currency,
        "symbol": "$",
        "streamEndpoint": fake.streaming_host,
    }


def switch(fake, asked):
    """PUT /session: look at another account, with new tokens; its stream falls silent."""
    account_id = asked.body.get("accountId")
    if account_id not in fake.accounts:
        raise Refused(400, "error.invalid.accountId")
    if account_id == asked.session.account_id:
        raise Refused(400, "error.not-different.accountId")
    fake.switch_account(account_id)
    session = asked.session
    session.client, session.account = fake.door.tokens()
    return {
        "trailingStopsEnabled": True,
        "dealingEnabled": fake.accounts[account_id].trades,
        "hasActiveDemoAccounts": True,
        "hasActiveLiveAccounts": False,
    }


def logout(fake, asked):
    """DELETE /session."""
    fake.door.end(asked.session)
    asked.tokens = None
    return SUCCESS


def preferences(fake, asked):
    """GET /accounts/preferences."""
    return fake.funds.preferences()


def prefer(fake, asked):
    """PUT /accounts/preferences."""
    fake.funds.prefer(asked.body)
    return SUCCESS


def top_up(fake, asked):
    """POST /accounts/topUp."""
    fake.funds.top_up(number(asked.body, "amount"))
    return {"successful": True}


def of_account(fake, asked, rows):
    """Give rows of the account that trades; the others have none."""
    return rows if fake.accounts[asked.session.account_id].trades else []


def positions(fake, asked):
    """GET /positions."""
    fake.sync()
    now = fake.clock.now()
    lag_ns = int(fake.faults.positions_lag_s * SECOND)
    shown = [
        shown_position(fake, deal)
        for deal in fake.desk.deals.values()
        if deal.opened_ns + lag_ns <= now and (deal.size or (lag_ns and deal.closed_ns + lag_ns > now))
    ]
    return {"positions": of_account(fake, asked, shown)}


def shown_position(fake, deal):
    """Give a position's row with the levels that stand in the exchange."""
    stop, profit = fake.desk.leg(deal, "stop"), fake.desk.leg(deal, "profit")
    return position_row(deal, stop, profit, fake.clock.now(), fake.funds)


def owned(fake, asked):
    """See what has happened, and refuse an id of another account than the one that is looked at."""
    fake.sync()
    if not fake.accounts[asked.session.account_id].trades:
        raise Refused(404, NO_DEAL)


def position(fake, asked):
    """GET /positions/{dealId}."""
    owned(fake, asked)
    return shown_position(fake, fake.desk.find_deal(asked.parts[0]))


def dealing(fake, asked):
    """Refuse to deal on an account that cannot; count the order against the limits."""
    if not fake.accounts[asked.session.account_id].trades:
        raise Refused(400, "error.dealing.disabled")
    kind = fake.accounts[asked.session.account_id].kind
    if kind == "PHYSICAL" and any(asked.body.get(name) is not None for names in LEGS.values() for name in names):
        raise Refused(400, "error.validation.stop.price")


def open_position(fake, asked):
    """POST /positions."""
    return place(fake, asked, working=False)


def open_order(fake, asked):
    """POST /workingorders."""
    return place(fake, asked, working=True)


def place(fake, asked, *, working):
    """Take a new order."""
    fake.sync()
    dealing(fake, asked)
    limits, now = fake.door.limits, fake.clock.now()
    if fake.faults.throttles_at_confirm and limits.on:
        if not limits.orders.take(now):
            fake.faults.rejects.append("THROTTLING")
    else:
        limits.check(now, limits.orders)
    limits.check(now, limits.orders_hour)
    ticket = ticket_of(asked.body, fake.listings, now, working=working)
    if ticket.protection.guaranteed and fake.funds.account.hedging:
        raise Refused(400, "error.validation.guaranteed-stop.hedging")
    return {"dealReference": fake.desk.open(ticket)}


def amend_position(fake, asked):
    """PUT /positions/{dealId}: what is not named is cleared, or kept under the switch."""
    owned(fake, asked)
    deal = fake.desk.find_deal(asked.parts[0])
    price = exit_price(deal.listing, deal.side)
    wanted = protection_of(asked.body, deal.listing, deal.side, deal.size, (price, price))
    kept = [leg for leg, names in LEGS.items() if not set(names) & set(asked.body)]
    return {"dealReference": fake.desk.amend(deal.deal, wanted, kept if fake.faults.put_keeps_omitted else ())}


def close_position(fake, asked):
    """DELETE /positions/{dealId}."""
    owned(fake, asked)
    return {"dealReference": fake.desk.close(asked.parts[0])}


def orders(fake, asked):
    """GET /workingorders."""
    fake.sync()
    now = fake.clock.now()
    lag_ns = int(fake.faults.orders_lag_s * SECOND)
    rows = []
    for order in fake.desk.working.values():
        entry = fake.exchange.orders.get(order.entry)
        if not order.over and entry is not None and order.made_ns + lag_ns <= now:
            rows.append(working_row(order, entry.left, now, fake.funds))
    return {"workingOrders": of_account(fake, asked, rows)}


def amend_order(fake, asked):
    """PUT /workingorders/{dealId}."""
    owned(fake, asked)
    order = fake.desk.find_working(asked.parts[0])
    level, until_ns = terms_of(asked.body, order, fake.clock.now())
    wanted = protection_of(asked.body, order.listing, order.side, order.size, (level, level))
    return {"dealReference": fake.desk.amend_working(order.deal, level, until_ns, wanted)}


def cancel_order(fake, asked):
    """DELETE /workingorders/{dealId}."""
    owned(fake, asked)
    return {"dealReference": fake.desk.cancel(asked.parts[0])}


def confirm(fake, asked):
    """GET /confirms/{dealReference}."""
    fake.sync()
    now, ttl_s = fake.clock.now(), fake.faults.confirm_ttl_s
    known = fake.desk.confirms.get(asked.parts[0])
    body = known.read(now) if known else None
    expired = known and ttl_s is not None and now - known.states[-1][0] > ttl_s * SECOND
    if body is None or expired:
        raise Refused(404, "error.not-found.dealReference")
    return body


def markets(fake, asked):
    """GET /markets: by words, by epics, or all; the shapes differ."""
    fake.sync()
    now, offset_h, query = fake.clock.now(), fake.funds.offset_h, asked.query
    if "searchTerm" in query:
        if not query["searchTerm"]:
            raise Refused(400, "error.null.searchTerm")
        found = [one for one in fake.listings.values() if query["searchTerm"].lower() in one.name.lower()]
    elif "epics" in query:
        names = [name for name in query["epics"].split(",") if name]
        if not names:
            raise Refused(400, "error.null.epic")
        if len(names) > EPICS_MAX:
            raise Refused(400, "error.invalid.max.epics")
        known = [fake.listings[name] for name in names if name in fake.listings]
        return {"marketDetails": [one.details(now, offset_h) for one in known]}
    else:
        found = list(fake.listings.values())
    return {"markets": [one.flat(now, offset_h) for one in found]}


def market(fake, asked):
    """GET /markets/{epic}."""
    fake.sync()
    if asked.parts[0] not in fake.listings:
        raise Refused(404, "error.not-found.epic")
    return fake.listings[asked.parts[0]].details(fake.clock.now(), fake.funds.offset_h)


def navigation(fake, asked):
    """GET /marketnavigation and /marketnavigation/{id}: one node holds everything."""
    if asked.query.get("limit") == "0":
        raise Refused(400, "error.invalid.limit")
    if not asked.parts:
        return {"nodes": [{"id": NODE, "name": "all_group"}]}
    now, offset_h = fake.clock.now(), fake.funds.offset_h
    return {"nodes": [], "markets": [one.flat(now, offset_h) for one in fake.listings.values()]}


def sentiment(fake, asked):
    """GET /clientsentiment: half of them are wrong."""
    names = [asked.parts[0]] if asked.parts else asked.query.get("marketIds", "").split(",")
    if any(name not in fake.listings for name in names):
        raise Refused(404, "error.not-found.epic")
    rows = [{"marketId": name, "longPositionPercentage": 50, "shortPositionPercentage": 50} for name in names]
    return rows[0] if asked.parts else {"clientSentiments": rows}


def prices(fake, asked):
    """GET /prices/{epic}."""
    fake.sync()
    listing = fake.listings.get(asked.parts[0])
    if listing is None:
        raise Refused(404, "error.not-found.epic")
    return fake.tape.answer(listing, asked.query, fake.funds.offset_h)


ID = r"([^/]+)"
ROUTES = [
    (method, re.compile(pattern), route)
    for method, pattern, route in (
        ("GET", "/session", session_now),
        ("PUT", "/session", switch),
        ("DELETE", "/session", logout),
        ("GET", "/ping", lambda fake, asked: {"status": "OK"}),
        ("GET", "/accounts", lambda fake, asked: {"accounts": [account_row(fake, a) for a in fake.accounts.values()]}),
        ("GET", "/accounts/preferences", preferences),
        ("PUT", "/accounts/preferences", prefer),
        ("POST", "/accounts/topUp", top_up),
        ("GET", "/positions", positions),
        ("POST", "/positions", open_position),
        ("GET", f"/positions/{ID}", position),
        ("PUT", f"/positions/{ID}", amend_position),
        ("DELETE", f"/positions/{ID}", close_position),
        ("GET", "/workingorders", orders),
        ("POST", "/workingorders", open_order),
        ("PUT", f"/workingorders/{ID}", amend_order),
        ("DELETE", f"/workingorders/{ID}", cancel_order),
        ("GET", f"/confirms/{ID}", confirm),
        ("GET", "/history/activity", activities_of),
        ("GET", "/history/transactions", transactions_of),
        ("GET", "/markets", markets),
        ("GET", f"/markets/{ID}", market),
        ("GET", "/marketnavigation", navigation),
        ("GET", f"/marketnavigation/{ID}", navigation),
        ("GET", "/clientsentiment", sentiment),
        ("GET", f"/clientsentiment/{ID}", sentiment),
        ("GET", f"/prices/{ID}", prices),
    )
]
OPEN_ROUTES = {
    ("GET", "/time"): lambda fake, asked: {"serverTime": fake.clock.now() // 1_000_000},
    ("GET", "/session/encryptionKey"): lambda fake, asked: fake.door.encryption_key(asked.headers),
    ("POST", "/session"): login,
}


def route_of(method, path):
    """Give a route and what the path names, or refuse."""
    for verb, pattern, route in ROUTES:
        found = pattern.fullmatch(path) if verb == method else None
        if found is not None:
            return route, found.groups()
    raise Refused(404, "error.not-found.endpoint")
