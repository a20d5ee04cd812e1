"""The account's money as it is shown: everything in base currency, with the rates that made it so."""

from decimal import Decimal
from typing import TypedDict

from joed.engine.exposure import foreign_value
from joed.engine.money import cash_of, currency_of, rate_in, stale
from joed.engine.settlement import unsettled
from joed.model.state import State
from joed.model.values import SECOND, ZERO, decimal
from joed.model.view import PositionView, RateView


class Funds(TypedDict):
    """The fields of a View that are money."""

    equity: Decimal
    equity_start: Decimal
    cash: Decimal
    gross: Decimal
    daily_pnl: Decimal
    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    balances: dict[str, Decimal]
    rates: tuple[RateView, ...]
    unsettled: Decimal


def funds(state: State, positions: tuple[PositionView, ...]) -> Funds:
    """Give what there is and what the day has made, with these positions at the prices that they show."""
    day, cash = state.day, cash_of(state)
    values = [_value(state, row) for row in positions]
    gained = sum((row.unrealised * rate_in(state, row.currency) for row in positions), ZERO)
    return Funds(
        equity=cash + sum(values, ZERO),
        equity_start=day.equity_start,
        cash=cash,
        gross=sum(map(abs, [*values, *(foreign_value(state, name) for name in state.external)]), ZERO),
        daily_pnl=day.realised - day.fees + gained - day.unrealised_start if day.session else ZERO,
        realised=day.realised,
        unrealised=gained,
        fees=day.fees,
        balances=balances(state),
        rates=rates(state),
        unsettled=sum((unsettled(state, state.now, broker) for broker in state.brokers.values()), ZERO),
    )


def _value(state: State, row: PositionView) -> Decimal:
    """Give a position at its mark, signed, in base currency."""
    price = row.average if row.price is None else decimal(row.price)
    return row.quantity * price * rate_in(state, row.currency)


def balances(state: State) -> dict[str, Decimal]:
    """Give the cash in other currencies than the base, all brokers together."""
    found: dict[str, Decimal] = {}
    for broker in state.brokers.values():
        for currency, amount in broker.balances.items():
            found[currency] = found.get(currency, ZERO) + amount
    return found


def rates(state: State) -> tuple[RateView, ...]:
    """Give the rate of each currency that is traded or held, and how old it is."""
    named = {row.currency for row in state.settings.universe.values() if row.tradable}
    named |= {currency_of(state, name) for name, held in state.positions.items() if held.quantity}
    named |= balances(state).keys()
    return tuple(_rate(state, currency) for currency in sorted(named - {state.settings.base_currency}))


def _rate(state: State, currency: str) -> RateView:
    known, late = state.rates.get(currency), bool(stale(state, state.now, currency))
    if known is None:
        return RateView(currency, None, None, "", late)
    return RateView(currency, known.rate, (state.now - known.at_ns) / SECOND, known.source, late)
