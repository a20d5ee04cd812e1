"""What each second writes into State: the seconds of the markets, the account's worth, and what fades with time."""

from joed.engine import alerting, exposure, fear
from joed.engine.markets import fold_second
from joed.model.events import Tick
from joed.model.state import State
from joed.model.values import MINUTE


def tick(state: State, now: int, event: Tick) -> None:
    """Close the second of every market, value the account, and keep what fades with time.

    Where nothing at all was heard or done since the last Tick there is no second to close and nothing to value anew.
    """
    heard = state.seq != state.ticked_seq + 1
    if heard or now // MINUTE != state.ticked_ns // MINUTE:
        _close_second(state, now)
    if heard:
        exposure.note_worth(state)
    state.ticked_seq, state.ticked_ns = state.seq, now
    fear.note_tick(state, now)
    alerting.forget(state)
    if state.order_times:
        state.order_times = [at_ns for at_ns in state.order_times if at_ns > now - MINUTE]


def _close_second(state: State, now: int) -> None:
    newest: dict[str, int] = {}
    for market in state.markets.values():
        if market.low > market.high and (market.minute is None or market.minute.at_ns + MINUTE > now):
            continue  # no price in this second, and no minute ends with it
        fold_second(state, market, now)
        quote = market.quote
        if quote is not None and quote.received_ns > newest.get(quote.broker, 0):
            newest[quote.broker] = quote.received_ns
    for name, broker in state.brokers.items():
        broker.quoted_ns = max(broker.quoted_ns, newest.get(name, 0))
