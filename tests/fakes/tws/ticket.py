"""An order as TWS holds it: what the client wrote, what became of it, and the fields that tell it back."""

from dataclasses import dataclass, field
from decimal import Decimal

from joed.model.values import Kind, Side
from tests.fakes.tws.contracts import Asked, Listed, asked_of
from tests.fakes.tws.wire import UNSET

ZERO = Decimal(0)
KINDS = {"LMT": Kind.LIMIT, "MKT": Kind.MARKET, "STP": Kind.STOP, "STP LMT": Kind.STOP}
DAY, OCA_REDUCE_NO_BLOCK = "DAY", 3


@dataclass(slots=True)
class Fill:
    """One execution; `revision` counts from 1, a correction has the next."""

    root: str
    ticket: "Ticket"
    at_ns: int
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    cumulative: Decimal
    average: Decimal
    revision: int = 1
    realized: Decimal | None = None

    @property
    def exec_id(self):
        """Give its id: a correction differs behind the last dot only."""
        return f"{self.root}.{self.revision:02d}"


@dataclass(slots=True)
class Ticket:
    """One order of one client; `name` is its id in the exchange, empty until it was transmitted."""

    order_id: int
    client_id: int
    perm_id: int
    asked: Asked
    listed: Listed | None
    side: Side
    quantity: Decimal
    order_type: str
    limit: Decimal | None = None
    aux: Decimal | None = None
    tif: str = DAY
    oca_group: str = ""
    oca_type: int = 0
    account: str = ""
    order_ref: str = ""
    transmit: bool = True
    parent_id: int = 0
    outside_rth: bool = False
    hidden: bool = False
    good_after: str = ""
    good_till: str = ""
    model_code: str = ""
    what_if: bool = False
    name: str = ""
    status: str = "PendingSubmit"
    left: Decimal = ZERO
    fills: list[Fill] = field(default_factory=list)
    why_held: str = ""
    ended_ns: int = 0
    ended_words: str = ""
    waits: bool = False

    @property
    def level(self):
        """Give the price that the exchange knows: a limit's price, a stop's trigger."""
        return {"LMT": self.limit, "STP": self.aux, "STP LMT": self.aux}.get(self.order_type)

    @property
    def filled(self):
        """Give what has filled, corrections as they stand now."""
        return sum((fill.quantity for fill in self.fills), ZERO)

    @property
    def average(self):
        """Give the average price of what has filled."""
        total = self.filled
        spent = sum((fill.quantity * fill.price for fill in self.fills), ZERO)
        return round(spent / total, 8).normalize() if total else ZERO

    @property
    def ended(self):
        """Say whether it is over; an Inactive one may be, or may revive."""
        return self.ended_ns > 0

    @property
    def last_price(self):
        """Give the price of its latest execution."""
        return self.fills[-1].price if self.fills else ZERO

    def eleven(self):
        """Give its contract's fields, on the route that was asked for."""
        assert self.listed is not None
        return self.listed.eleven(self.asked.exchange)


def ticket_of(fields, client_id):
    """Read placeOrder at version 176; what a matching model has no use for is passed over."""
    order_id = fields.number()
    asked = asked_of(fields)
    fields.skip(2)  # secIdType, secId
    side = Side.BUY if fields.text() == "BUY" else Side.SELL
    quantity = fields.decimal() or ZERO
    order_type = fields.text()
    limit, aux, tif, group, account = fields.decimal(), fields.decimal(), fields.text(), fields.text(), fields.text()
    fields.skip(2)  # openClose, origin
    order_ref, transmit, parent_id = fields.text(), fields.flag(), fields.number()
    fields.skip(4)  # blockOrder, sweepToFill, displaySize, triggerMethod
    ticket = Ticket(order_id, client_id, 0, asked, None, side, quantity, order_type, limit, aux, tif or DAY, group)
    ticket.account, ticket.order_ref, ticket.transmit, ticket.parent_id = account, order_ref, transmit, parent_id
    ticket.outside_rth, ticket.hidden = fields.flag(), fields.flag()
    read_rest(ticket, fields)
    ticket.left = quantity
    return ticket


def read_rest(ticket, fields):
    """Read on to whatIf, over every part that stands there only sometimes."""
    fields.skip(2)  # sharesAllocation, discretionaryAmt
    ticket.good_after, ticket.good_till = fields.text(), fields.text()
    fields.skip(4)  # faGroup, faMethod, faPercentage, faProfile
    ticket.model_code = fields.text()
    fields.skip(3)  # shortSaleSlot, designatedLocation, exemptCode
    ticket.oca_type = fields.number()
    fields.skip(17)  # rule80A to volatilityType
    neutral = fields.text()
    fields.skip(1 + (8 if neutral else 0) + 6)
    increment = fields.decimal()
    fields.skip((7 if increment else 0) + 3)
    if fields.text():  # hedgeType
        fields.skip(1)
    fields.skip(4)  # optOutSmartRouting, clearingAccount, clearingIntent, notHeld
    if fields.flag():  # a delta neutral contract
        fields.skip(3)
    if fields.text():  # algoStrategy
        fields.skip(2 * fields.number())
    fields.skip(1)  # algoId
    ticket.what_if = fields.flag()


def order_head(ticket):
    """Give what openOrder and completedOrder share up to the order's reference."""
    return (
        *ticket.eleven(),
        ticket.side.value,
        ticket.filled + ticket.left if not ticket.ended else ticket.quantity,
        ticket.order_type,
        ticket.limit if ticket.limit is not None else "0.0",
        ticket.aux if ticket.aux is not None else "0.0",
        ticket.tif,
        ticket.oca_group,
        ticket.account,
        "",  # openClose
        0,  # origin
        ticket.order_ref,
    )


def open_order(ticket, margins=()):
    """Give the fields of openOrder (5); `margins` are the nine of a preview, then its commission and currency."""
    margin = list(margins[:9]) or [UNSET] * 9
    commission = [*margins[9:10], "", "", *margins[10:11]] if margins else ["", "", "", ""]
    return [
        *(5, ticket.order_id, *order_head(ticket), ticket.client_id, ticket.perm_id),
        *(ticket.outside_rth, ticket.hidden, 0, ticket.good_after),
        *("", "", "", "", ""),  # sharesAllocation, faGroup, faMethod, faPercentage, faProfile
        *(ticket.model_code, ticket.good_till, "", "", "", 0, "", -1),  # rule80A to exemptCode
        *(0, "", "", "", "", "", ""),  # auctionStrategy to displaySize
        *(0, 0, 0, "", ticket.oca_type or OCA_REDUCE_NO_BLOCK, 0, 0, ""),  # blockOrder to nbboPriceCap
        *(ticket.parent_id, 0, "", 0, "None", ""),  # triggerMethod to deltaNeutralAuxPrice
        *(0, "", "", "", 0, "", "", ""),  # eight more, for the text None is not empty
        *(0, 0, "", "", "", "", ""),  # continuousUpdate to comboLegsDescrip
        *(0, 0, 0, "", "", "", ""),  # combo legs, their prices, routing; scale; hedgeType
        *(0, "", "IB", 0, 0, "", 0, ticket.what_if, ticket.status),  # optOutSmartRouting to status
        *(*margin, *commission, ticket.why_held if ticket.what_if else "", 0, 0, 0),  # to the number of conditions
        *("None", *(UNSET,) * 6, 0, "", "", "", UNSET, 0, 0, 0, ""),  # adjustedOrderType to usePriceMgmtAlgo
        *("", "", 0),  # duration, postToAts, autoCancelParent
        *("", "", "", "", ""),  # minTradeQty to midOffsetAtHalf
    ]


def completed_order(ticket, completed_time, completed_status):
    """Give the fields of completedOrder (101)."""
    return [
        *(101, *order_head(ticket), ticket.perm_id, ticket.outside_rth, ticket.hidden, 0, ticket.good_after),
        *("", "", "", ""),  # faGroup to faProfile
        *(ticket.model_code, ticket.good_till, "", "", "", 0, "", -1),  # rule80A to exemptCode
        *("", "", "", "", "", ""),  # startingPrice to displaySize
        *(0, 0, "", ticket.oca_type, 0, "", 0, "", ""),  # sweepToFill to deltaNeutralAuxPrice
        *(0, 0, "", "", ""),  # continuousUpdate to comboLegsDescrip
        *(0, 0, 0, "", "", "", ""),  # combo legs, their prices, routing; scale; hedgeType
        *("", "IB", 0, 0, "", 0, ticket.status, 0, 0, 0),  # clearingAccount to the number of conditions
        *(UNSET, UNSET, UNSET, 0, 0, "", ticket.filled, 0, 0, "", 0, 0, 0),  # trailStopPrice to parentPermId
        *(completed_time, completed_status),
        *("", "", "", "", ""),  # minTradeQty to midOffsetAtHalf
    ]


def order_status(ticket):
    """Give the fields of orderStatus (3)."""
    left = ticket.left if ticket.status != "Cancelled" else max(ZERO, ticket.quantity - ticket.filled)
    return [
        *(3, ticket.order_id, ticket.status, ticket.filled, left, ticket.average, ticket.perm_id),
        *(ticket.parent_id, ticket.last_price, ticket.client_id, ticket.why_held, 0.0),
    ]


def exec_details(request, fill, at):
    """Give the fields of execDetails (11); `at` is its time in words."""
    ticket = fill.ticket
    return [
        *(11, request, ticket.order_id, *ticket.eleven(), fill.exec_id, at, ticket.account, "ISLAND"),
        *("BOT" if fill.side is Side.BUY else "SLD", fill.quantity, fill.price, ticket.perm_id, ticket.client_id),
        *(0, fill.cumulative, fill.average, ticket.order_ref, "", "", ticket.model_code, 2),
    ]


def commission_report(fill, currency):
    """Give the fields of commissionReport (59)."""
    realized = UNSET if fill.realized is None else fill.realized
    return [59, 1, fill.exec_id, fill.fee, currency, realized, UNSET, ""]
