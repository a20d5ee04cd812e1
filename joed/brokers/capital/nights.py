"""What holding costs and brings: overnight fees, dividends, conversions, on the positions that they are for; pure.

Capital.com moves the money and names the epic, not the position. So each movement is shared among the rows that were
held, by their sizes, and told as a correction of the opening's fee: the same execution, one revision on.
"""

from collections.abc import Iterator
from decimal import Decimal

from msgspec.structs import replace

from joed.brokers.capital.ledger import Intent, Ledger, Stage
from joed.brokers.capital.whole import Trade, Whole
from joed.model.events import OrderFilled
from joed.model.values import ZERO

KINDS = frozenset(
    {
        *("SWAP", "CORPORATE_ACTION", "CONVERSION", "FX_COMMISSION"),
        *("TRADE_COMMISSION", "TRADE_COMMISSION_GSL", "TRADE_CORRECTION", "TRADE_SLIPPAGE_PROTECTION"),
    }
)
"""Movements that belong to a position; deposits and the like do not, and a TRADE is told by its prices."""
PLACES = Decimal("1E-8")
BOOKED_MAX = 1_000
"""Movements that one position remembers as booked: some years of nights."""


def booked(ledger: Ledger, whole: Whole, now: int) -> list[OrderFilled]:
    """Book each movement that is news, and give the corrections; what is in other money reaches the equity alone."""
    told: list[OrderFilled] = []
    for trade in whole.trades or ():
        rows = [row for row in ledger.rows() if _bears(row, trade)]
        if trade.kind not in KINDS or not trade.amount or not rows:
            continue
        deals = {deal for row in rows for deal in row.deals}
        others = [held for held in whole.held if held.epic == trade.epic and held.deal not in deals]
        currencies = {held.currency[:3] for held in whole.held if held.epic == trade.epic and held.currency}
        if currencies - {trade.currency}:
            continue
        total = sum((opening(row).quantity for row in rows), ZERO) + sum((held.size for held in others), ZERO)
        for row in rows:
            told += _correct(row, trade, total)
            row.changed_ns = now
            ledger.note(row)
    return told


def opening(row: Intent) -> OrderFilled:
    """Give the execution that opened a position."""
    return next(fill for fill in row.fills if fill.order == row.order)


def _bears(row: Intent, trade: Trade) -> bool:
    """Say whether an entry was held when the money moved, and does not have it yet."""
    if not row.opens or row.epic != trade.epic or mark_of(trade) in row.swaps or len(row.swaps) >= BOOKED_MAX:
        return False
    if not any(fill.order == row.order and fill.at_ns <= trade.at_ns for fill in row.fills):
        return False
    ends = [fill.at_ns for fill in row.fills if fill.order != row.order]
    return row.stage is Stage.OPEN or (row.stage is Stage.ENDED and bool(ends) and max(ends) >= trade.at_ns)


def _correct(row: Intent, trade: Trade, total: Decimal) -> Iterator[OrderFilled]:
    """Give the opening's next revision, with this share of the movement in its fee."""
    before = opening(row)
    share = (trade.amount * before.quantity / total).quantize(PLACES)
    after = replace(before, fee=before.fee - share, revision=before.revision + 1)
    row.fills = tuple(after if fill is before else fill for fill in row.fills)
    row.swaps = (*row.swaps, mark_of(trade))
    yield after


def mark_of(trade: Trade) -> str:
    """Give what tells one movement from another: its reference, or all that it says."""
    return trade.reference or f"{trade.kind}:{trade.at_ns}:{trade.amount}"
