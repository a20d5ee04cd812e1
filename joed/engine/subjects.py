"""What joed has its eyes on, most needed first: what is held or pending, fear, the index, the watchlist, the rest."""

from joed.model.state import State


def held_or_watched(state: State, broker: str = "") -> tuple[str, ...]:
    """Give the instruments of a broker ("" for all), each once, in the order of their need."""
    settings = state.settings
    at = {name: row.broker for name, row in settings.universe.items() if broker in ("", row.broker)}
    held = [name for name, position in state.positions.items() if position.quantity]
    held = [name for name in held if broker in ("", state.positions[name].broker)]
    pending = [order.instrument for order in state.orders.values() if order.live and broker in ("", order.broker)]
    watched = [settings.vix.instrument, settings.index, *(row.instrument for row in state.watchlist)]
    return tuple(dict.fromkeys((*held, *pending, *(name for name in watched if name in at), *at)))
