"""What money is worth in base currency: each other currency at its last journalled rate, which has an age.

A rate is a word like a quote: one that cannot be is left out, a leap waits for a second that agrees. Old ones still
value what is held (nothing better is known), but nothing is opened on them.
"""

from decimal import Decimal

from joed.model.events import RateSeen
from joed.model.state import Broker, Rate, State
from joed.model.values import SECOND, ZERO, decimal

ONE = Decimal(1)


def currency_of(state: State, instrument: str) -> str:
    """Give the currency of an instrument's prices; of one that the settings no longer name, its position's."""
    found = state.settings.universe.get(instrument)
    if found is not None:
        return found.currency
    position = state.positions.get(instrument)
    return (position.currency if position is not None else "") or state.settings.base_currency


def rate_in(state: State, currency: str) -> Decimal:
    """Give the base units that one unit of a currency is worth, at its last rate; 1 where none was ever heard of."""
    if currency == state.settings.base_currency:
        return ONE
    known = state.rates.get(currency)
    return ONE if known is None else known.rate


def rate_of(state: State, instrument: str) -> Decimal:
    """Give the rate of an instrument's currency."""
    return rate_in(state, currency_of(state, instrument))


def stale(state: State, now: int, currency: str) -> str:
    """Say why nothing may be opened in a currency, or "": it has no rate, or none that is young enough."""
    if currency == state.settings.base_currency:
        return ""
    known = state.rates.get(currency)
    if known is None:
        return f"no rate of {currency} is known"
    limit_s = state.settings.risk.rate_age_max_s
    age_ns = now - known.at_ns
    return f"the rate of {currency} is {age_ns / SECOND:.0f} s old, the limit is {limit_s:g} s" * (
        age_ns > int(limit_s * SECOND)
    )


def note_rate(state: State, now: int, event: RateSeen) -> None:
    """Take a rate over, or leave it out (part of `apply`): impossible, of no currency of ours, or a leap on its own."""
    named = {row.currency for row in state.settings.universe.values()}
    if event.currency not in named or event.currency == state.settings.base_currency:
        return
    known = state.rates.get(event.currency)
    possible = event.rate.is_finite() and event.rate > 0
    if known is None:
        if possible:
            state.rates[event.currency] = Rate(event.rate, min(event.at_ns, now), event.source)
    elif not possible or (leaps(state, known.rate, event.rate) and not confirmed(state, known, event.rate)):
        known.suspect, known.rejected = event.rate if possible else None, known.rejected + 1
    else:
        known.rate, known.at_ns = event.rate, max(known.at_ns, min(event.at_ns, now))
        known.source, known.suspect = event.source, None


def leaps(state: State, before: Decimal, after: Decimal) -> bool:
    """Say whether two rates lie too far apart to be neighbours."""
    return abs(after - before) >= before * decimal(state.settings.feed.jump_max)


def confirmed(state: State, known: Rate, rate: Decimal) -> bool:
    """Say whether a leap is the second in a row that says so."""
    return known.suspect is not None and not leaps(state, known.suspect, rate)


def cash_at(state: State, broker: Broker) -> Decimal:
    """Give all cash at a broker, in base currency."""
    if not broker.balances:
        return broker.cash
    foreign = (amount * rate_in(state, currency) for currency, amount in broker.balances.items())
    return broker.cash + sum(foreign, ZERO)


def cash_of(state: State) -> Decimal:
    """Give all cash, in base currency."""
    return state.cash + sum((cash_at(state, broker) - broker.cash for broker in state.brokers.values()), ZERO)


def pay(state: State, name: str, currency: str, amount: Decimal) -> None:
    """Let money come in or go out at a broker (part of `apply`)."""
    broker = state.brokers.get(name)
    if currency == state.settings.base_currency:
        state.cash += amount
        if broker is not None:
            broker.cash += amount
    elif broker is not None:
        left = broker.balances.get(currency, ZERO) + amount
        broker.balances = {**broker.balances, currency: left} if left else without(broker.balances, currency)


def without(balances: dict[str, Decimal], currency: str) -> dict[str, Decimal]:
    """Give the balances of the other currencies."""
    return {name: amount for name, amount in balances.items() if name != currency}


def underlying(state: State, instrument: str) -> str:
    """Give the name under which exposure adds up: of a share and its CFD at two brokers the same.

    What the settings no longer name adds up under its own.
    """
    found = state.settings.universe.get(instrument)
    return (found.underlying if found is not None else "") or instrument
