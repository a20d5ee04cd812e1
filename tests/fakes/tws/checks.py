"""What TWS refuses by itself, in the order in which it looks, and the numbers it has for what the exchange refuses."""

from joed.model.values import Kind
from tests.fakes.tws.ticket import KINDS

REFUSALS = {
    "price": (110, "The price does not conform to the minimum price variation for this contract."),
    "quantity": (10243, "Fractional-sized order cannot be placed via API"),
    "instrument": (201, "Order rejected - reason:No trading permissions. {}"),
    "halted": (201, "Order rejected - reason:Trading is halted. {}"),
    "no_quote": (201, "Order rejected - reason:No market price. {}"),
    "bracket": (201, "Order rejected - reason:Invalid attached order price. {}"),
    "group": (201, "Order rejected - reason:The OCA group is already done. {}"),
    "duplicate": (103, "Duplicate order id"),
    "refused": (201, "Order rejected - reason:{}"),
}
"""By the exchange's code: TWS's number and its words."""


def fault_of(desk, ticket):
    """Give the number and words of the first thing that is wrong with an order, None where nothing is."""
    return next((fault for check in CHECKS if (fault := check(desk, ticket))), None)


def read_only(desk, ticket):
    """The API may only look."""
    if desk.read_only:
        return 321, "Error validating request.-'bN' : cause - The API interface is currently in Read-Only mode."
    return None


def unknown_contract(desk, ticket):
    """A contract is one, or it is none."""
    count = len(desk.directory.find(ticket.asked))
    if count == 1:
        return None
    if count:
        return 200, f"The contract description specified for {ticket.asked.symbol} is ambiguous."
    return 200, "No security definition has been found for the request"


def repeated_id(desk, ticket):
    """An id that was used is the same order, or it is refused."""
    known = (ticket.client_id, ticket.order_id) in desk.tickets
    if not known and not ticket.what_if and ticket.order_id <= desk.floors.get(ticket.client_id, 0):
        return 103, "Duplicate order id"
    return None


def wrong_account(desk, ticket):
    """The account is ours; with several it is named."""
    if not ticket.account and len(desk.wire.accounts) > 1:
        return 435, "You must specify an account."
    if ticket.account and ticket.account not in desk.wire.accounts:
        return 321, "Error validating request.-'bN' : cause - Invalid account code"
    return None


def strange_type(desk, ticket):
    """Four types are spoken here."""
    if ticket.order_type not in KINDS:
        return 387, "Unsupported order type for this exchange and security type."
    if KINDS[ticket.order_type] is not Kind.MARKET and ticket.level is None:
        return 110, "The price does not conform to the minimum price variation for this contract."
    return None


def nothing(desk, ticket):
    """A quantity is more than none."""
    if ticket.quantity <= 0:
        return 434, "The order size cannot be zero."
    return None


def orphan(desk, ticket):
    """A child's parent is known and lives."""
    parent = desk.tickets.get((ticket.client_id, ticket.parent_id))
    if ticket.parent_id and parent is None:
        return 135, "Can't find order with id =" + str(ticket.parent_id)
    if ticket.parent_id and parent.ended and not parent.fills:
        return 201, "Order rejected - reason:Parent order is being cancelled."
    return None


CHECKS = (read_only, repeated_id, unknown_contract, wrong_account, strange_type, nothing, orphan)


def misfit_of(known, asked):
    """Give the number and words for terms that an order cannot take, None where it may."""
    if known.ended:
        return 104, f"Cannot modify a {known.status.lower()} order"
    if asked.order_type != known.order_type:
        return 329, "Order modify failed. Cannot change to the new order type."
    if asked.side is not known.side or asked.listed is not known.listed:
        return 105, "Order being modified does not match original order"
    return None
