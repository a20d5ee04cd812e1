"""An account's figures, as TWS tells them: tags with values in text, and the portfolio at the market."""

from decimal import Decimal
from typing import NamedTuple

from joed.model.values import decimal

ZERO = Decimal(0)
MARGIN_SHARE = Decimal("0.25")
LEVERAGE = 4
CENT = Decimal("0.01")


class Holding(NamedTuple):
    """One position at the market."""

    listed: object
    quantity: Decimal
    average: Decimal
    price: Decimal
    unrealized: Decimal


def portfolio_of(tws):
    """Give the positions of the first account, each at the middle of its market."""
    rows = []
    for name, held in tws.exchange.book.positions.items():
        quote = tws.exchange.quotes.get(name)
        price = decimal(round((quote.bid + quote.ask) / 2, 4)) if quote else held.average
        rows.append(
            Holding(
                tws.directory.by_name[name], held.quantity, held.average, price, (price - held.average) * held.quantity
            )
        )
    return rows


def values_of(tws, account):
    """Give an account's tags, values and currencies; only the first account trades here."""
    base = tws.exchange.base
    first = account == tws.accounts[0]
    rows = portfolio_of(tws) if first else []
    cash = tws.exchange.book.cash if first else tws.other_cash
    worth = sum((row.price * row.quantity for row in rows), ZERO)
    gross = sum((abs(row.price * row.quantity) for row in rows), ZERO)
    margin, equity = gross * MARGIN_SHARE, cash + worth
    money = {
        "NetLiquidation": equity,
        "TotalCashValue": cash,
        "CashBalance": cash,
        "SettledCash": cash,
        "EquityWithLoanValue": equity,
        "GrossPositionValue": gross,
        "InitMarginReq": margin,
        "MaintMarginReq": margin,
        "AvailableFunds": equity - margin,
        "ExcessLiquidity": equity - margin,
        "BuyingPower": (equity - margin) * LEVERAGE,
        "UnrealizedPnL": sum((row.unrealized for row in rows), ZERO),
        "RealizedPnL": sum((fill.realized or ZERO for fill in tws.desk.fills.values()), ZERO),
    }
    plain = [("AccountReady", "true", ""), ("AccountType", "INDIVIDUAL", ""), ("DayTradesRemaining", "-1", "")]
    told = [(tag, value, base) for tag, value in money.items()]
    balances = tws.exchange.book.balances if first else {}
    told += [("CashBalance", value, currency) for currency, value in balances.items()]
    rows = [*plain, *told, ("ExchangeRate", "1.00", base)]
    known = {tag for tag, _, _ in rows}
    rows = [(tag, tws.overrides.get(tag, value), currency) for tag, value, currency in rows]
    return rows + [(tag, value, base) for tag, value in tws.overrides.items() if tag not in known]


def preview_of(tws, ticket):
    """Give the nine margins of an order that is not placed, its commission and its currency."""
    quote = tws.exchange.quotes.get(ticket.listed.name)
    price = ticket.level or (decimal(quote.ask) if quote else ZERO)
    change = (ticket.quantity * price * MARGIN_SHARE).quantize(CENT)
    rows = {tag: value for tag, value, _ in values_of(tws, ticket.account) if isinstance(value, Decimal)}
    margin, equity = rows["InitMarginReq"].quantize(CENT), rows["EquityWithLoanValue"].quantize(CENT)
    settings = tws.exchange.settings
    commission = max(settings.fee_min, settings.fee_share * ticket.quantity).quantize(CENT)
    before, changes, after = (margin, margin, equity), (change, change, 0), (margin + change, margin + change, equity)
    return (*before, *changes, *after, commission, ticket.listed.currency)
