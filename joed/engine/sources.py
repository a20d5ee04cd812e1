"""Where each price comes from and how old it is, and what each broker says of itself: rows of the View."""

from joed.engine.subjects import held_or_watched
from joed.model.events import Quote
from joed.model.state import Broker, State
from joed.model.values import SECOND
from joed.model.view import BarsView, BrokerView, FindingView, PriceView

PRICES_MAX = 500
"""Prices that are shown; where there are more, those of what is held and watched are among them."""


def source_of(state: State, quote: Quote) -> str:
    """Say how a quote came: by its own word, else as its broker's prices come; "" where nobody said."""
    broker = state.brokers.get(quote.broker)
    return quote.source or (broker.source if broker is not None else "")


def prices(state: State) -> tuple[PriceView, ...]:
    """Give the last price of each instrument, what is held and watched first."""
    found: list[PriceView] = []
    for name in held_or_watched(state):
        market = state.markets.get(name)
        if market is not None and market.quote is not None and len(found) < PRICES_MAX:
            quote = market.quote
            came, old_s = source_of(state, quote), age_s(state.now, quote.received_ns)
            found.append(PriceView(name, quote.broker, quote.bid, quote.ask, quote.last, came, old_s))
    return tuple(found)


def broker_of(broker: Broker, now: int) -> BrokerView:
    """Give one broker's connection, and what it says of itself."""
    return BrokerView(
        name=broker.name,
        up=broker.up,
        account=broker.account,
        connection=broker.connection,
        reconciled=broker.reconciled,
        differences=broker.differences,
        quote_age_s=age_s(now, broker.quoted_ns),
        read_age_s=age_s(now, broker.read_ns),
        changed_ns=broker.changed_ns,
        foreign=broker.foreign_count,
        source=broker.source,
        findings=tuple(FindingView(name, row.ok, row.words, row.halts) for name, row in broker.findings.items()),
        aside=dict(broker.aside),
        bars={
            kind: BarsView(row.instruments, row.bars, dict(row.missing), dict(row.rejected), (now - row.at_ns) / SECOND)
            for kind, row in broker.fetched.items()
        },
    )


def age_s(now: int, then: int) -> float | None:
    """Give how long ago something was, in seconds; None for never."""
    return (now - then) / SECOND if then else None
