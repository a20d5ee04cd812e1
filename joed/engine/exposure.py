"""What the account is worth and exposed to at the last quotes: looked at by the limits, kept once a second."""

from decimal import Decimal

from joed.engine.markets import price_of
from joed.engine.money import cash_of, rate_in, rate_of, underlying
from joed.engine.positions import held, mark
from joed.model.state import State
from joed.model.values import ZERO, decimal


def note_worth(state: State) -> None:
    """Value the account at the last quotes, for the limits to look at until the next time (part of `apply`).

    What a broker holds beyond our books is exposure too, and no part of our worth or profit: it is somebody else's
    trade, at the same account's risk.
    """
    net = gross = gained = ZERO
    sides: tuple[dict[str, Decimal], dict[str, Decimal]] = ({}, {})
    positions = held(state)
    for position in positions:
        rate = rate_in(state, position.currency or state.settings.base_currency)
        price = mark(state, position)
        value = position.quantity * price * rate
        net += value
        gross += abs(value)
        gained += (price - position.average) * position.quantity * rate
        _add(state, sides, position.instrument, value)
    for instrument in state.external:
        value = foreign_value(state, instrument)
        gross += abs(value)
        _add(state, sides, instrument, value)
    state.worth, state.exposure, state.unrealised = cash_of(state) + net, gross, gained
    state.longs, state.shorts = sides
    state.held = len(positions)


def _add(state: State, sides: tuple[dict[str, Decimal], dict[str, Decimal]], instrument: str, value: Decimal) -> None:
    side, name = sides[value < 0], underlying(state, instrument)
    side[name] = side.get(name, ZERO) + abs(value)


def foreign_value(state: State, instrument: str) -> Decimal:
    """Give what brokers hold of an instrument beyond our books, signed, in base currency.

    At its last quote; without one at the price at which the broker says that it was taken. 0 where neither is known:
    the Block on its instrument stands all the same.
    """
    market = state.markets.get(instrument)
    if market is not None and market.quote is not None:
        price = decimal(price_of(market.quote))
    else:
        known = (broker.averages.get(instrument) for broker in state.brokers.values())
        price = next((average for average in known if average is not None), ZERO)
    return state.external[instrument] * price * rate_of(state, instrument)
