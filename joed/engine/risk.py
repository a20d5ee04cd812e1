"""The one gate before the one door: every reason for which an entry may not be sent, each with its code and words.

Reducing risk does not pass here and needs no permission.
"""

from bisect import bisect_right
from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from joed.engine.orders import SIGNALS_MAX, reserved, resting, spent
from joed.model.blocks import ALL, Block
from joed.model.events import Quote
from joed.model.settings import Instrument
from joed.model.state import State
from joed.model.triggers import Trigger
from joed.model.values import MINUTE, SECOND, Side, decimal


class Request(Struct, frozen=True, gc=False):
    """An entry as it would leave: the Trigger behind it, its size, the price now and the limit it would carry."""

    trigger: Trigger
    instrument: Instrument
    quantity: Decimal
    price: Decimal
    limit: Decimal
    quote: Quote


class Refusal(Struct, frozen=True, gc=False):
    """Why an entry may not be sent: a code from the closed list CHECKS, and words for a person."""

    code: str
    words: str


def refuse(state: State, now: int, request: Request) -> Refusal | None:
    """Say why this entry may not be sent, or None if it may."""
    for code, check in CHECKS.items():
        words = check(state, now, request)
        if words:
            return Refusal(code, words)
    return None


def blocked(state: State, now: int, request: Request) -> str:
    """Refuse under any Block that matches."""
    block = matches(state, request.instrument.symbol, request.trigger.strategy)
    return "" if block is None else f"{block.reason}: {block.words}"


def matches(state: State, symbol: str, strategy: str) -> Block | None:
    """Give the first Block that forbids this strategy an entry in this instrument, or None."""
    if not state.blocks:
        return None
    scopes = [ALL, f"instrument:{symbol}", f"strategy:{strategy}"]
    instrument = state.settings.universe.get(symbol)
    if instrument is not None:  # a reload may have taken it away while its order waited for the disk
        scopes += [f"broker:{instrument.broker}", f"calendar:{instrument.calendar}"]
    return next((block for block in state.blocks.values() if block.scope in scopes), None)


def not_tradable(state: State, now: int, request: Request) -> str:
    """Refuse what has a price and no market: an index."""
    return "" if request.instrument.tradable else f"{request.instrument.symbol} is watched, not traded"


def stale(state: State, now: int, request: Request) -> str:
    """Refuse an old quote; its age counts from when it was received, not from when it was handled."""
    age_ns = now - request.quote.received_ns
    limit_ns = int(state.settings.risk.quote_age_max_s * SECOND)
    return f"the quote is {age_ns / SECOND:.1f} s old" if age_ns > limit_ns else ""


def wide(state: State, now: int, request: Request) -> str:
    """Refuse a wide spread: the price would be a guess."""
    spread = (request.quote.ask - request.quote.bid) / request.quote.bid
    return f"the spread is {spread:.2%}" if spread > float(state.settings.risk.spread_max) else ""


def through(state: State, now: int, request: Request) -> str:
    """Refuse a price far beyond the Trigger's level: it is another trade than the one that was thought out."""
    reach = abs(request.price - request.trigger.level)
    limit = request.trigger.level * state.settings.risk.collar
    return f"{request.price} is {reach} away from {request.trigger.level}" if reach > limit else ""


def wrong_side(state: State, now: int, request: Request) -> str:
    """Refuse a bracket whose prices do not lie around the entry's: it would trade against itself at once."""
    below, above = request.trigger.stop, request.trigger.target
    if request.trigger.side is Side.SELL:
        below, above = above, below
    low, high = min(decimal(request.quote.bid), request.limit), max(decimal(request.quote.ask), request.limit)
    inside = below < low and high < above
    return "" if inside and below > 0 else f"stop {request.trigger.stop} and target {request.trigger.target} do not fit"


def off_tick(state: State, now: int, request: Request) -> str:
    """Refuse prices that the market does not have: a bracket that is refused in part protects nothing."""
    tick = request.instrument.tick
    off = [price for price in (request.limit, request.trigger.stop, request.trigger.target) if price % tick]
    return f"{off[0]} is no multiple of {tick}" if off else ""


def short(state: State, now: int, request: Request) -> str:
    """Refuse to sell what is not held, unless the settings allow it."""
    return "short selling is off" if request.trigger.side is Side.SELL and not state.settings.risk.allow_short else ""


def too_small(state: State, now: int, request: Request) -> str:
    """Refuse less than one lot: the risk does not buy it."""
    lot = request.instrument.lot
    return f"{request.quantity} is less than one lot of {lot}" if request.quantity < lot else ""


def pending(state: State, now: int, request: Request) -> str:
    """Refuse a second entry in an instrument while one is pending."""
    for order in resting(state):
        if order.instrument == request.instrument.symbol:
            return f"an entry is pending: {order.order}"
    return ""


def again(state: State, now: int, request: Request) -> str:
    """Refuse a signal that became an entry before, in whatever session: one intent for ever."""
    return f"{request.trigger.signal} was entered before" if spent(state, request.trigger) else ""


def forgetful(state: State, now: int, request: Request) -> str:
    """Refuse an entry whose signal could not be remembered for ever beside all earlier ones."""
    count = len(state.spent)
    return f"{count} signals are remembered, none more can be" if count >= SIGNALS_MAX else ""


def held(state: State, now: int, request: Request) -> str:
    """Refuse to add to a position, so that one bracket protects it whole."""
    position = state.positions.get(request.instrument.symbol)
    return "" if position is None or position.quantity == 0 else f"{position.quantity} are held already"


def external(state: State, now: int, request: Request) -> str:
    """Refuse to add to what a person trades by hand."""
    foreign = state.external.get(request.instrument.symbol)
    return f"{foreign} are held by somebody else" if foreign else ""


def too_many_positions(state: State, now: int, request: Request) -> str:
    """Refuse one more than the limit of positions and pending entries together."""
    limit = state.settings.risk.position_max
    if len(state.positions) + len(state.resting) < limit:
        return ""  # without the sum: flat positions count in this, but there are too few even so
    names = {position.instrument for position in state.positions.values() if position.quantity}
    names |= {order.instrument for order in resting(state)}
    return f"{len(names)} positions are held or pending, the limit is {limit}" if len(names) >= limit else ""


def too_large(state: State, now: int, request: Request) -> str:
    """Refuse an order of too large a value."""
    notional = request.quantity * request.limit
    limit = state.settings.risk.notional_max
    return f"{notional} is over the limit of {limit} an order" if notional > limit else ""


def too_much(state: State, now: int, request: Request) -> str:
    """Refuse too large a book, counting everything that may still fill."""
    total = state.exposure + reserved(state) + request.quantity * request.limit
    limit = state.settings.risk.gross_max
    return f"gross exposure would be {total:.0f}, the limit is {limit}" if total > limit else ""


def no_cash(state: State, now: int, request: Request) -> str:
    """Refuse a buy that is not paid for by cash that nothing pending may spend first."""
    needed = request.quantity * request.limit
    free = state.cash - reserved(state)
    return f"{needed:.2f} is needed, {free:.2f} is free" if request.trigger.side is Side.BUY and needed > free else ""


def too_fast(state: State, now: int, request: Request) -> str:
    """Refuse too many entries within a minute."""
    recent = len(state.order_times) - bisect_right(state.order_times, now - MINUTE)
    limit = state.settings.risk.orders_minute_max
    return f"{recent} orders in the last minute, the limit is {limit}" if recent >= limit else ""


def too_often(state: State, now: int, request: Request) -> str:
    """Refuse too many trades in a session."""
    limit = state.settings.risk.trades_day_max
    return f"{state.day.trades} trades today, the limit is {limit}" if state.day.trades >= limit else ""


def lost_enough(state: State, now: int, request: Request) -> str:
    """Refuse once the day has lost what it may, open positions included."""
    lost = state.day.equity_start - state.worth
    limit = state.settings.risk.loss_day_max
    return f"{lost:.2f} lost today, the limit is {limit}" if lost >= limit else ""


def rejected_often(state: State, now: int, request: Request) -> str:
    """Refuse what the broker refuses again and again: it is telling us something."""
    count = state.rejects.get(request.instrument.symbol, 0)
    limit = state.settings.risk.rejects_max
    return f"the broker refused {request.instrument.symbol} {count} times" if count >= limit else ""


def too_late(state: State, now: int, request: Request) -> str:
    """Refuse new risk shortly before the close."""
    left_ns = state.day.close_ns - now
    limit_s = state.settings.eod.entries_until_s
    return f"{left_ns // SECOND} s to the close" if left_ns < limit_s * SECOND else ""


Check = Callable[[State, int, Request], str]

CHECKS: dict[str, Check] = {
    "blocked": blocked,
    "not_tradable": not_tradable,
    "quote_stale": stale,
    "spread_wide": wide,
    "collar": through,
    "bracket": wrong_side,
    "tick": off_tick,
    "short": short,
    "lot": too_small,
    "duplicate": pending,
    "signal_spent": again,
    "signals_max": forgetful,
    "held": held,
    "external": external,
    "position_max": too_many_positions,
    "notional_max": too_large,
    "gross_max": too_much,
    "cash": no_cash,
    "orders_minute_max": too_fast,
    "trades_day_max": too_often,
    "loss_day_max": lost_enough,
    "rejects_max": rejected_often,
    "close_near": too_late,
}
"""Every limit, in the order of its asking; the code is the refusal's, the metric's and `joectl why`'s."""

BREAKERS = frozenset({"orders_minute_max", "trades_day_max", "loss_day_max"})
"""Limits that no sound day reaches: the first refusal latches a Block, until a person has looked."""
